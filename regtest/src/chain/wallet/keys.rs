//! Keys of a wallet, all from one seed: signing keys by BIP 84 paths.

use std::fmt;

use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpriv, Xpub};
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use bitcoin::{CompressedPublicKey, NetworkKind, ScriptBuf};

/// Where a key is: `…/0/i` for receiving, `…/1/i` for change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPath {
    /// Whether it is for change.
    pub change: bool,
    /// Its index.
    pub index: u32,
}

/// All keys of a wallet.
#[derive(Clone)]
pub struct KeyRing {
    fingerprint: Fingerprint,
    receiving: Xpriv,
    change: Xpriv,
    account: Xpub,
    account_path: &'static str,
    seed: [u8; 32],
}

impl KeyRing {
    /// The keys of this seed, in the account of this path (`m/84'/…`).
    pub fn from_seed(seed: &[u8; 32], account_path: &'static str) -> Self {
        let secp = SECP256K1;
        let master = Xpriv::new_master(NetworkKind::Test, seed).expect("a seed of 32 bytes makes a key");
        let path: DerivationPath = account_path.parse().expect("a constant path");
        let account = master
            .derive_priv(secp, &path)
            .expect("derivation fails with probability 2^-127");
        let chain = |index| {
            let child = ChildNumber::from_normal_idx(index).expect("0 and 1 are below 2^31");
            account
                .derive_priv(secp, &[child])
                .expect("derivation fails with probability 2^-127")
        };
        Self {
            fingerprint: master.fingerprint(secp),
            receiving: chain(0),
            change: chain(1),
            account: Xpub::from_priv(secp, &account),
            account_path,
            seed: *seed,
        }
    }

    /// The signing key of this path.
    pub fn secret(&self, path: KeyPath) -> SecretKey {
        let chain = if path.change { &self.change } else { &self.receiving };
        let child = ChildNumber::from_normal_idx(path.index).expect("indices are counted up from 0");
        chain
            .derive_priv(SECP256K1, &[child])
            .expect("derivation fails with probability 2^-127")
            .private_key
    }

    /// The public key of this path.
    pub fn public(&self, path: KeyPath) -> PublicKey {
        PublicKey::from_secret_key(SECP256K1, &self.secret(path))
    }

    /// The P2WPKH script of this path.
    pub fn script(&self, path: KeyPath) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&CompressedPublicKey(self.public(path)).wpubkey_hash())
    }

    /// What everything is derived from.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// A key's path from the master key, `m/84'/1'/0'/0/7`.
    pub fn path_text(&self, path: KeyPath) -> String {
        format!("{}/{}/{}", self.account_path, u8::from(path.change), path.index)
    }

    /// As descriptors name the account: fingerprint and path without `m`.
    fn origin(&self) -> String {
        format!("{}{}", self.fingerprint, self.account_path.trim_start_matches('m'))
    }

    /// The first four bytes of the master key's hash, as descriptors name it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The descriptor that a key was derived from, without its checksum.
    pub fn parent_descriptor(&self, path: KeyPath) -> String {
        format!("wpkh([{}]{}/{}/*)", self.origin(), self.account, u8::from(path.change))
    }

    /// The descriptor of one key, without its checksum.
    pub fn descriptor(&self, path: KeyPath) -> String {
        format!(
            "wpkh([{}/{}/{}]{})",
            self.origin(),
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

/// A keyed hash.
pub fn hmac<H: Hash>(key: &[u8], message: &[u8]) -> Hmac<H>
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
