//! The encoding of messages.
use super::Message;
/// A payload that is not a well-formed message.
#[derive(Debug, thiserror::Error)]
#[error("not written yet")]
pub struct DecodeError;
/// Encodes.
pub fn encode(_message: &Message) -> (u16, Vec<u8>) {
    (0, vec![])
}
/// Decodes.
pub fn decode(_kind: u16, _payload: &[u8]) -> Result<Option<Message>, DecodeError> {
    Ok(None)
}
