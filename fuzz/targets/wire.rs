//! A custom message: its type in two bytes, big endian, then its payload. What is read is written again as what it was.

use sluice::protocol::{decode, encode};

pub fn run(data: &[u8]) {
    let Some((kind, payload)) = data.split_first_chunk::<2>() else {
        return;
    };
    let message = match decode(u16::from_be_bytes(*kind), payload) {
        Ok(Some(message)) => message,
        Ok(None) => return,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 1_000, "{} bytes of an error go to the log", text.len());
            assert!(!text.chars().any(char::is_control), "{text:?}");
            return;
        }
    };
    let (code, written) = encode(&message);
    let again = decode(code, &written)
        .expect("what we write is read")
        .expect("it is of this protocol");
    assert_eq!(again, message);
}
