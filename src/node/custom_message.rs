//! Custom messages (BOLT 1) of PeerSwap.

use crate::ports::{Incoming, PeerEvent, PortError};
use crate::units::NodeId;

/// A message is at most 65,535 bytes with its type (BOLT 1).
const MAX_PAYLOAD: usize = 65_533;

/// The types of PeerSwap: 42069, 42071, … 42085 (protocol.md "Type table" of the Go implementation, messages/types.go).
fn is_peerswap(kind: u16) -> bool {
    (42_069..=42_085).contains(&kind) && kind % 2 == 1
}

/// Refuses what no peer would get, or understand. `call` is what would send it: a daemon's name and method.
pub(super) fn check(call: &str, kind: u16, payload: &[u8]) -> Result<(), PortError> {
    if !is_peerswap(kind) {
        return Err(PortError::Refused(format!(
            "{call}: {kind} is not a message type of PeerSwap"
        )));
    }
    if payload.len() > MAX_PAYLOAD {
        let size = payload.len();
        return Err(PortError::Refused(format!(
            "{call}: the payload has {size} bytes, at most {MAX_PAYLOAD} fit"
        )));
    }
    Ok(())
}

/// A message that a node received; None if it is not PeerSwap's, or from no point of the curve.
pub(super) fn read(from: &[u8], kind: u32, payload: Vec<u8>) -> Option<PeerEvent> {
    let kind = u16::try_from(kind).ok().filter(|kind| is_peerswap(*kind))?;
    let from = NodeId::from_slice(from).ok()?;
    Some(PeerEvent::Message(Incoming { from, kind, payload }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";

    fn message(kind: u32) -> Option<PeerEvent> {
        read(&hex::decode(PEER).unwrap(), kind, b"{}".to_vec())
    }

    #[test]
    fn only_messages_of_peerswap_are_passed_on() {
        for kind in (42_069..=42_085).step_by(2) {
            assert!(message(kind).is_some(), "{kind}");
        }
        for kind in [32_769, 42_067, 42_070, 42_087, 42_069 + 65_536] {
            assert_eq!(message(kind), None, "{kind}");
        }
    }

    #[test]
    fn a_message_from_no_point_of_the_curve_is_dropped() {
        assert_eq!(read(&[2; 32], 42_069, b"{}".to_vec()), None);
    }
}
