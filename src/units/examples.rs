//! Values for tests.

use super::NodeId;

/// A peer of its own for every number.
pub(crate) fn peer(number: u16) -> NodeId {
    let mut secret = [1; 32];
    secret[..2].copy_from_slice(&number.to_be_bytes());
    let key = bitcoin::secp256k1::SecretKey::from_slice(&secret).expect("a key");
    key.public_key(bitcoin::secp256k1::SECP256K1)
}
