//! Requests that are being judged, and whether their peers have taken them back since.
//!
//! To judge a request takes calls to the node, the chain and the wallet. A `cancel` that comes meanwhile belongs to no
//! swap yet; forgotten, it would leave a swap that its peer has given up, with the channel blocked.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::units::{NodeId, SwapId};

/// As many as there are places for requests: see `inbox`.
#[derive(Default)]
pub(super) struct Judging {
    /// By who asked and for which swap: taken back.
    requests: Mutex<HashMap<(NodeId, SwapId), bool>>,
}

impl Judging {
    fn requests(&self) -> MutexGuard<'_, HashMap<(NodeId, SwapId), bool>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is judged from now on. False: it is already.
    pub(super) fn begin(&self, peer: NodeId, id: SwapId) -> bool {
        let mut requests = self.requests();
        let known = requests.contains_key(&(peer, id));
        requests.entry((peer, id)).or_insert(false);
        !known
    }

    /// The peer takes a request back. False: none of it is being judged.
    pub(super) fn withdraw(&self, peer: NodeId, id: SwapId) -> bool {
        let mut requests = self.requests();
        let withdrawn = requests.get_mut(&(peer, id));
        withdrawn.map(|withdrawn| *withdrawn = true).is_some()
    }

    /// Whether the peer has taken its request back.
    pub(super) fn is_withdrawn(&self, peer: NodeId, id: SwapId) -> bool {
        self.requests().get(&(peer, id)).copied().unwrap_or(false)
    }

    /// The request is judged, and its swap has a driver, if there is one. True: it was taken back before that.
    pub(super) fn end(&self, peer: NodeId, id: SwapId) -> bool {
        self.requests().remove(&(peer, id)).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asked_takes_a_request_back_and_nothing_is_remembered_afterwards() {
        let key = |n: u8| {
            let secret = bitcoin::secp256k1::SecretKey::from_slice(&[n; 32]).expect("a key");
            secret.public_key(bitcoin::secp256k1::SECP256K1)
        };
        let (peer, other, id) = (key(1), key(2), SwapId([7; 32]));
        let judging = Judging::default();
        assert!(!judging.withdraw(peer, id));
        assert!(judging.begin(peer, id));
        assert!(!judging.begin(peer, id), "the same request twice");
        assert!(!judging.withdraw(other, id));
        assert!(!judging.is_withdrawn(peer, id));
        assert!(judging.withdraw(peer, id));
        assert!(judging.is_withdrawn(peer, id));
        assert!(judging.end(peer, id));
        assert!(!judging.end(peer, id));
        assert!(judging.requests().is_empty());
    }
}
