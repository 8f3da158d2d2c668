//! Keys of a wallet, all from one seed: signing keys by BIP 84 paths, blinding keys by SLIP-77.

use std::fmt;

use bitcoin::NetworkKind;
use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpriv, Xpub};
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256, sha512};
use elements::hashes::hash160;
use elements::secp256k1_zkp::{PublicKey, SecretKey};
use elements::{Script, WPubkeyHash};

use super::super::params::secp;

/// The account of test chains, `m/84'/1'/0'`.
const ACCOUNT: &str = "m/84'/1'/0'";

/// Where a key is: `…/0/i` for receiving, `…/1/i` for change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPath {
    /// Whether it is for change.
    pub change: bool,
    /// Its index.
    pub index: u32,
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ACCOUNT}/{}/{}", u8::from(self.change), self.index)
    }
}

/// All keys of a wallet.
#[derive(Clone)]
pub struct KeyRing {
    fingerprint: Fingerprint,
    receiving: Xpriv,
    change: Xpriv,
    account: Xpub,
    blinding_master: [u8; 32],
}

impl KeyRing {
    /// The keys of this seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let master = Xpriv::new_master(NetworkKind::Test, seed).expect("a seed of 32 bytes makes a key");
        let path: DerivationPath = ACCOUNT.parse().expect("a constant path");
        let account = master
            .derive_priv(&secp, &path)
            .expect("derivation fails with probability 2^-127");
        let chain = |index| {
            let child = ChildNumber::from_normal_idx(index).expect("0 and 1 are below 2^31");
            account
                .derive_priv(&secp, &[child])
                .expect("derivation fails with probability 2^-127")
        };
        Self {
            fingerprint: master.fingerprint(&secp),
            receiving: chain(0),
            change: chain(1),
            account: Xpub::from_priv(&secp, &account),
            blinding_master: slip77_master(seed),
        }
    }

    /// The signing key of this path.
    pub fn secret(&self, path: KeyPath) -> SecretKey {
        let secp = bitcoin::secp256k1::SECP256K1;
        let chain = if path.change { &self.change } else { &self.receiving };
        let child = ChildNumber::from_normal_idx(path.index).expect("indices are counted up from 0");
        chain
            .derive_priv(secp, &[child])
            .expect("derivation fails with probability 2^-127")
            .private_key
    }

    /// The public key of this path.
    pub fn public(&self, path: KeyPath) -> PublicKey {
        PublicKey::from_secret_key(secp(), &self.secret(path))
    }

    /// The P2WPKH script of this path.
    pub fn script(&self, path: KeyPath) -> Script {
        let hash = hash160::Hash::hash(&self.public(path).serialize());
        Script::new_v0_wpkh(&WPubkeyHash::from_byte_array(hash.to_byte_array()))
    }

    /// The key that hides outputs to this script: HMAC-SHA256 of the script (SLIP-77).
    pub fn blinding_secret(&self, script: &Script) -> SecretKey {
        let digest = hmac::<sha256::Hash>(&self.blinding_master, script.as_bytes());
        SecretKey::from_slice(digest.as_byte_array()).expect("a digest is a key but with probability 2^-128")
    }

    /// The public half of [`KeyRing::blinding_secret`].
    pub fn blinding_public(&self, script: &Script) -> PublicKey {
        PublicKey::from_secret_key(secp(), &self.blinding_secret(script))
    }

    /// The first four bytes of the master key's hash, as descriptors name it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The descriptor that a key was derived from, without its checksum.
    pub fn parent_descriptor(&self, path: KeyPath) -> String {
        format!(
            "wpkh([{}/84'/1'/0']{}/{}/*)",
            self.fingerprint,
            self.account,
            u8::from(path.change)
        )
    }

    /// The descriptor of one key, without its checksum.
    pub fn descriptor(&self, path: KeyPath) -> String {
        format!(
            "wpkh([{}/84'/1'/0'/{}/{}]{})",
            self.fingerprint,
            u8::from(path.change),
            path.index,
            self.public(path)
        )
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({})", self.fingerprint)
    }
}

/// SLIP-21 node `SLIP-0077` under the seed, its second half.
fn slip77_master(seed: &[u8; 32]) -> [u8; 32] {
    let root = hmac::<sha512::Hash>(b"Symmetric key seed", seed);
    let (chain_code, _) = root.as_byte_array().split_at(32);
    let node = hmac::<sha512::Hash>(chain_code, b"\0SLIP-0077");
    let (_, key) = node.as_byte_array().split_at(32);
    key.try_into().expect("half of 64 bytes")
}

fn hmac<H: Hash>(key: &[u8], message: &[u8]) -> Hmac<H>
where
    Hmac<H>: Hash<Engine = HmacEngine<H>>,
{
    let mut engine = HmacEngine::<H>::new(key);
    engine.input(message);
    Hmac::from_engine(engine)
}

/// The seed of a wallet of this name in a world of this seed, so that worlds can be made again.
pub fn wallet_seed(world: &[u8; 32], name: &str) -> [u8; 32] {
    hmac::<sha256::Hash>(world, name.as_bytes()).to_byte_array()
}
