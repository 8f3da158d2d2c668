//! Every secret of every swap, from one seed.
//!
//! Knows derivation and the seed's file. Must not know messages, chains or states.
//!
//! # The format, which is made to last
//!
//! * **Seed**: 16 bytes of entropy, BIP 39, twelve English words, no passphrase. Twelve words are enough: they carry
//!   128 bits, which is what a key of this curve is worth, and half as much is copied wrong as of twenty-four.
//! * **Master key**: BIP 32 of the BIP 39 seed.
//! * **A swap's secrets**: all steps hardened, since coop_close publishes a child key and an unhardened one would
//!   leak its parent.
//!
//! ```text
//! m / 42069' / r0' / r1' / r2' / r3' / r4' / branch'
//!     │        └── KeyPath: five random numbers below 2^31, 155 bits, drawn anew for each swap
//!     └── PeerSwap's first message type
//! branch  0  the maker's key in the opening script      its private key is the secret
//!         1  the taker's key in the opening script      its private key is the secret
//!         2  the key that blinds the opening output     its private key is the secret
//!         3  the preimage of the claim invoice          tagged hash of its private key
//!         4  the preimage of the fee invoice            tagged hash of its private key
//! tagged hash(k) = SHA256(SHA256(tag) ‖ SHA256(tag) ‖ k), tag = "sluice/preimage"   (as in BIP 340)
//! ```
//!
//! The path is random and never a counter: a restored database would use a key again that coop_close has revealed.
//! It is not made from the swap's id either, which the peer may choose.
//!
//! * **The key of rescue files** ([`rescue`](crate::rescue)), one for all swaps: tagged hash of the private key of
//!   m / 42069' / 0', tag = "sluice/rescue". A swap whose r0 is 0 has its keys below that node; a hash of its private
//!   key leads neither there nor back.
//!
//! * **File**: one line of ASCII, `sluice-seed-1:` + entropy in hex + `:` + the first four bytes of
//!   SHA256("sluice/seed" ‖ entropy) in hex + line feed. Mode 0600.

mod memory;
mod words;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bip39::Mnemonic;
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256, sha512};
use bitcoin::secp256k1::{PublicKey, SECP256K1, Scalar, SecretKey};
use rand::rngs::OsRng;
use rand::{CryptoRng, Rng, RngCore};
use zeroize::{Zeroize, Zeroizing};

use crate::swap::terms::{KeyPath, Kind, Role, SwapKeys};
use crate::units::{Asset, Preimage, SeedFingerprint, SwapSecret};

pub use memory::forbid_core_dumps;
pub use words::{Words, WordsError};

/// PeerSwap's first message type, so that no wallet walks into our branch by chance.
const PURPOSE: u32 = 42069;
const FORMAT: &str = "sluice-seed-1";
const PREIMAGE_TAG: &[u8] = b"sluice/preimage";
const RESCUE_TAG: &[u8] = b"sluice/rescue";
/// The first hardened index (BIP 32).
const HARDENED: u32 = 1 << 31;
/// The child of the purpose that the key of rescue files comes from.
const RESCUE: u32 = 0;
const CHECK_TAG: &[u8] = b"sluice/seed";
const FINGERPRINT_TAG: &[u8] = b"sluice/fingerprint";
/// A valid file has 56 bytes; nothing longer is read.
const LONGEST_FILE: u64 = 128;

type Entropy = Zeroizing<[u8; 16]>;

/// What is derived below a swap's path.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Branch {
    MakerKey = 0,
    TakerKey = 1,
    Blinding = 2,
    ClaimPreimage = 3,
    FeePreimage = 4,
}

/// Why there is no seed to work with.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file could not be read, made or written.
    #[error("seed file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("seed file {path} has mode {mode:04o}, must be 0600: others can read it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is not what was once written.
    #[error("seed file {path} is damaged: {fact}; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, without its content.
        fact: &'static str,
    },
    /// A seed was to be written where there is one.
    #[error("seed file {path} is there already, with {of}: move it away first if it is to be another")]
    Exists {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        of: &'static str,
    },
}

/// The root of all keys. Does not print.
pub struct Seed(Zeroizing<[u8; 64]>);

/// The secrets of one swap. Each side uses its own: the taker neither blinds nor makes invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwapSecrets {
    /// This side's key in the opening script.
    pub swap_key: SwapSecret,
    /// Maker on Liquid: the key that blinds the opening output.
    pub blinding_key: SwapSecret,
    /// Maker: what settles the claim invoice.
    pub claim_preimage: Preimage,
    /// Maker of a swap-out: what settles the fee invoice.
    pub fee_preimage: Preimage,
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Seed {
    /// Reads the seed, or draws one from the system's randomness and writes it if there is no such file yet.
    ///
    /// The file appears whole and on disk, or not at all, and an existing one is never written over.
    pub fn open_or_create(path: &Path) -> Result<Seed, SeedError> {
        match Seed::open(path) {
            Err(SeedError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let mut entropy = Entropy::default();
                OsRng.fill_bytes(&mut entropy[..]);
                create(path, &entropy).map_err(|source| io_error(path, source))?;
                Seed::open(path)
            }
            opened => opened,
        }
    }

    /// Reads the seed. Refuses a file that others may read, and one that is not as it was written.
    pub fn open(path: &Path) -> Result<Seed, SeedError> {
        read(path).map(|entropy| Seed::from_entropy(&entropy))
    }

    /// The words of the seed in a file, for a backup on paper. Refuses what [`Seed::open`] refuses.
    pub fn words(path: &Path) -> Result<Words, SeedError> {
        read(path).map(Words::of)
    }

    /// Writes the seed of these words to a file that is not there yet: whole and on disk, or not at all.
    pub fn restore(path: &Path, words: &Words) -> Result<Seed, SeedError> {
        let made = create(path, words.entropy()).map_err(|source| io_error(path, source))?;
        if made {
            return Seed::open(path);
        }
        Err(SeedError::Exists {
            path: path.into(),
            of: match read(path) {
                Ok(entropy) if entropy == *words.entropy() => "the seed of these words",
                Ok(_) => "another seed",
                Err(_) => "what is no readable seed",
            },
        })
    }

    /// The seed of that entropy.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; 16]) -> Seed {
        let words = Mnemonic::from_entropy(entropy).expect("16 bytes are a length that BIP 39 knows");
        Seed(Zeroizing::new(words.to_seed_normalized("")))
    }

    /// What a database that belongs to this seed is bound to.
    #[must_use]
    pub fn fingerprint(&self) -> SeedFingerprint {
        let hash = tagged(FINGERPRINT_TAG, &self.0[..]).to_byte_array();
        SeedFingerprint(std::array::from_fn(|index| hash[index]))
    }

    /// The secrets of the swap with that path, for that side of it.
    #[must_use]
    pub fn secrets(&self, path: &KeyPath, role: Role) -> SwapSecrets {
        let swap_key = match role {
            Role::Maker => Branch::MakerKey,
            Role::Taker => Branch::TakerKey,
        };
        let trunk = self.derive(path.0);
        SwapSecrets {
            swap_key: SwapSecret::from_bytes(*trunk.branch(swap_key)),
            blinding_key: SwapSecret::from_bytes(*trunk.branch(Branch::Blinding)),
            claim_preimage: preimage(&trunk.branch(Branch::ClaimPreimage)),
            fee_preimage: preimage(&trunk.branch(Branch::FeePreimage)),
        }
    }

    /// The key that rescue files are encrypted with.
    #[must_use]
    pub fn rescue_key(&self) -> Zeroizing<[u8; 32]> {
        let key = self.derive([RESCUE]).secret();
        Zeroizing::new(tagged(RESCUE_TAG, &key[..]).to_byte_array())
    }

    /// The key below the purpose by these hardened steps.
    fn derive(&self, steps: impl IntoIterator<Item = u32>) -> Node {
        let purpose = Node::master(&self.0).child(PURPOSE);
        steps.into_iter().fold(purpose, |node, index| node.child(index))
    }
}

/// A private key of BIP 32 with its chain code, erased when it goes. `bitcoin::bip32::Xpriv` has besides what its parent's
/// fingerprint is, for which it multiplies on the curve at each step: ten times for the secrets of one swap.
struct Node {
    key: SecretKey,
    chain: Zeroizing<[u8; 32]>,
}

impl Node {
    fn master(seed: &[u8; 64]) -> Node {
        let (key, chain) = halves(HmacEngine::new(b"Bitcoin seed"), seed);
        Node {
            key: SecretKey::from_slice(&key[..]).expect("an HMAC is below the order"),
            chain,
        }
    }

    /// The hardened child. A stored path with the hardened bit set means the same index.
    fn child(&self, index: u32) -> Node {
        let mut engine = HmacEngine::new(&self.chain[..]);
        engine.input(&[0]);
        engine.input(&self.secret()[..]);
        let (tweak, chain) = halves(engine, &(index | HARDENED).to_be_bytes());
        let tweak = Scalar::from_be_bytes(*tweak).expect("an HMAC is below the order");
        Node {
            key: self
                .key
                .add_tweak(&tweak)
                .expect("an HMAC is not the order less the key"),
            chain,
        }
    }

    fn branch(&self, branch: Branch) -> Zeroizing<[u8; 32]> {
        self.child(branch as u32).secret()
    }

    fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.secret_bytes())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.key.non_secure_erase();
    }
}

/// The two halves of an HMAC whose last input is `data`.
fn halves(mut engine: HmacEngine<sha512::Hash>, data: &[u8]) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
    engine.input(data);
    let hmac = Zeroizing::new(Hmac::from_engine(engine).to_byte_array());
    let half = |from: usize| Zeroizing::new(std::array::from_fn(|index| hmac[from + index]));
    (half(0), half(32))
}

impl SwapSecrets {
    /// The public halves of what this side needs in such a swap.
    #[must_use]
    pub fn public(&self, path: KeyPath, role: Role, kind: Kind, asset: Asset) -> SwapKeys {
        let maker = role == Role::Maker;
        SwapKeys {
            path,
            swap_key: public_key(&self.swap_key),
            blinding_key: (maker && asset == Asset::Lbtc).then(|| public_key(&self.blinding_key)),
            claim_hash: maker.then(|| self.claim_preimage.hash()),
            fee_hash: (maker && kind == Kind::Out).then(|| self.fee_preimage.hash()),
        }
    }
}

/// A fresh path: five times 31 random bits.
pub fn draw_path(rng: &mut (impl RngCore + CryptoRng)) -> KeyPath {
    KeyPath(std::array::from_fn(|_| rng.gen_range(0..1 << 31)))
}

fn public_key(secret: &SwapSecret) -> PublicKey {
    let mut key = SecretKey::from_slice(secret.expose()).expect("BIP 32 yields valid keys");
    let public = PublicKey::from_secret_key(SECP256K1, &key);
    key.non_secure_erase();
    public
}

fn preimage(key: &[u8; 32]) -> Preimage {
    Preimage::from_bytes(tagged(PREIMAGE_TAG, key).to_byte_array())
}

/// The tagged hash of BIP 340.
fn tagged(tag: &[u8], data: &[u8]) -> sha256::Hash {
    let tag = sha256::Hash::hash(tag);
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_ref());
    engine.input(tag.as_ref());
    engine.input(data);
    sha256::Hash::from_engine(engine)
}

fn check(entropy: &[u8; 16]) -> String {
    let mut engine = sha256::Hash::engine();
    engine.input(CHECK_TAG);
    engine.input(entropy);
    hex::encode(&sha256::Hash::from_engine(engine).to_byte_array()[..4])
}

fn parse(text: &str) -> Result<Entropy, &'static str> {
    let line = text.strip_suffix('\n').ok_or("its line is cut off")?;
    let parts: Vec<&str> = line.split(':').collect();
    let [FORMAT, digits, sum] = parts[..] else {
        return Err("it is not a line of the form `sluice-seed-1:<entropy>:<check>`");
    };
    let mut entropy = Entropy::default();
    hex::decode_to_slice(digits, &mut entropy[..]).map_err(|_| "its entropy is not 32 hex digits")?;
    if check(&entropy) == sum {
        Ok(entropy)
    } else {
        Err("its check does not fit its entropy")
    }
}

/// The entropy in a seed's file.
fn read(path: &Path) -> Result<Entropy, SeedError> {
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    let metadata = file.metadata().map_err(|source| io_error(path, source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SeedError::Exposed {
            path: path.into(),
            mode,
        });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST_FILE)
        .read_to_string(&mut text)
        .map_err(|source| io_error(path, source))?;
    parse(&text).map_err(|fact| SeedError::Damaged {
        path: path.into(),
        fact,
    })
}

/// Writes a seed beside `path` and links it there: a crash leaves either no seed or a whole one. False: there is one
/// already, perhaps of another process that was faster, and it stays.
fn create(path: &Path, entropy: &Entropy) -> io::Result<bool> {
    let mut digits = hex::encode(&entropy[..]);
    let line = Zeroizing::new(format!("{FORMAT}:{digits}:{}\n", check(entropy)));
    digits.zeroize();

    let draft = path.with_extension(format!("new-{:016x}", OsRng.next_u64()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(line.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true),
        });
    fs::remove_file(&draft)?;
    let made = linked?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(made)
}

fn io_error(path: &Path, source: io::Error) -> SeedError {
    SeedError::Io {
        path: path.into(),
        source,
    }
}
