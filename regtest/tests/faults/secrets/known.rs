//! The secrets of an operator's daemon, each in every form that it may have in a text or a file.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bitcoin::hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256, sha512};
use bitcoin::{BlockHash, Network, constants};
use sluice::keys::Seed;
use sluice::store::{Store, StoreIdentity};
use sluice::swap::State;
use sluice::units::{Asset, SwapId};
use sluice_regtest::liquid::params;
use sluice_regtest::world::World;
use sluice_regtest::world::operator::Operator;

use crate::orders::node;

/// Pieces of secrets are looked for, since half a key is too much.
const PIECE: usize = 16;

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The entropy, the words, what they are stretched to, and the key of rescue files.
    Seed,
    Token,
    LiquidPassword,
    BitcoinPassword,
    Macaroon,
    SwapKey,
    BlindingKey,
    ClaimPreimage,
    FeePreimage,
}

/// A secret.
pub struct Secret {
    pub what: What,
    /// `alice` or `bob`.
    pub of: String,
    pub forms: Vec<Vec<u8>>,
}

/// Bytes as they may stand in a text or a file: whole pieces of them as they are, in hex, in base64 and as a list of
/// numbers; from both ends, as ids of transactions are shown.
pub fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let piece = bytes.len().min(PIECE);
    bytes.chunks_exact(piece).flat_map(forms_of_piece).collect()
}

fn forms_of_piece(bytes: &[u8]) -> Vec<Vec<u8>> {
    let backwards: Vec<u8> = bytes.iter().rev().copied().collect();
    let mut forms = vec![bytes.to_vec(), backwards.clone()];
    for bytes in [bytes, &backwards] {
        forms.extend([hex::encode(bytes), hex::encode_upper(bytes)].map(String::into_bytes));
    }
    // base64 of the middle, at each of the three ways to be cut into groups
    for skip in 0..3 {
        let middle = &bytes[skip..skip + (bytes.len() - 2) / 3 * 3];
        forms.extend([STANDARD_NO_PAD.encode(middle), URL_SAFE_NO_PAD.encode(middle)].map(String::into_bytes));
    }
    let list = format!("{bytes:?}");
    let list = list.trim_matches(['[', ']']);
    forms.extend([list.to_owned(), list.replace(' ', "")].map(String::into_bytes));
    forms
}

/// Any three words that follow each other, as texts and JSON part them.
fn forms_of_words(words: &[&str]) -> Vec<Vec<u8>> {
    let separators = [" ", ", ", ",", "\n", "\",\"", "\", \"", "-"];
    let three = words.windows(3);
    three
        .flat_map(|three| separators.map(|separator| three.join(separator).into_bytes()))
        .collect()
}

/// PBKDF2 with HMAC-SHA512, 2048 rounds, no passphrase (BIP 39): what the daemon has in its memory.
fn stretched(words: &str) -> [u8; 64] {
    let hmac = |data: &[u8]| {
        let mut engine = HmacEngine::<sha512::Hash>::new(words.as_bytes());
        engine.input(data);
        Hmac::from_engine(engine).to_byte_array()
    };
    let mut block = hmac(b"mnemonic\0\0\0\x01");
    let mut sum = block;
    for _ in 1..2048 {
        block = hmac(&block);
        sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

/// The fingerprint of a stretched seed, as src/keys.rs documents it.
fn fingerprint(stretched: &[u8; 64]) -> [u8; 16] {
    let tag = sha256::Hash::hash(b"sluice/fingerprint").to_byte_array();
    let hash = sha256::Hash::hash(&[&tag[..], &tag, stretched].concat());
    std::array::from_fn(|index| hash[index])
}

fn forms_of_seed(operator: &Operator) -> Result<Vec<Vec<u8>>> {
    let path = operator.daemon.data_dir().join("seed");
    let (seed, words, text) = (Seed::open(&path)?, Seed::words(&path)?, std::fs::read_to_string(&path)?);
    let entropy = text.split(':').nth(1).context("sluice-seed-1:<entropy>:<check>")?;
    let stretched = stretched(&words.list().join(" "));
    ensure!(
        seed.fingerprint().0 == fingerprint(&stretched),
        "the seed is stretched otherwise"
    );
    let mut found = forms(&hex::decode(entropy)?);
    found.extend(forms(&stretched));
    found.extend(forms(&seed.rescue_key()[..]));
    found.extend(forms_of_words(&words.list()));
    Ok(found)
}

/// A secret that is written as a text: the text, and the bytes that it is of.
fn forms_of_text(text: &str) -> Result<Vec<Vec<u8>>> {
    let mut found = forms(text.as_bytes());
    found.extend(forms(&hex::decode(text)?));
    Ok(found)
}

/// What lies open to the world's owner: the secrets of an operator whose daemon has ended, with those of the swaps.
pub fn secrets(world: &World, operator: &Operator, index: usize, swaps: &[SwapId]) -> Result<Vec<Secret>> {
    let folder = operator.daemon.data_dir();
    let token = std::fs::read_to_string(operator.daemon.token_path())?;
    let macaroon = std::fs::read(node(world, index).macaroon_path())?;
    // what comes before its signature tells what it allows, and is no secret
    let signature = macaroon
        .last_chunk::<32>()
        .context("a macaroon ends with its signature")?;
    let mut found = vec![
        (What::Seed, forms_of_seed(operator)?),
        (What::Token, forms_of_text(token.trim())?),
        (What::LiquidPassword, forms_of_text(&world.liquid.access()?.password)?),
        (What::Macaroon, forms(signature)),
    ];
    if let Some(bitcoin) = &world.bitcoin {
        found.push((What::BitcoinPassword, forms_of_text(&bitcoin.access().password)?));
    }
    let (store, seed) = (open(world, operator)?, Seed::open(&folder.join("seed"))?);
    for id in swaps {
        let swap = store.swap(*id)?.context("the swap is stored")?;
        ensure!(matches!(swap.state, State::Closed(_)), "the swap is over");
        let own = seed.secrets(&swap.keys.path, swap.role);
        found.extend([
            (What::SwapKey, forms(own.swap_key.expose())),
            (What::BlindingKey, forms(own.blinding_key.expose())),
            (What::ClaimPreimage, forms(own.claim_preimage.expose())),
            (What::FeePreimage, forms(own.fee_preimage.expose())),
        ]);
    }
    let secret = |(what, forms)| Secret {
        what,
        of: operator.name.clone(),
        forms,
    };
    Ok(found.into_iter().map(secret).collect())
}

fn open(world: &World, operator: &Operator) -> Result<Store> {
    let liquid = params::genesis_block().block_hash().to_byte_array();
    let bitcoin = constants::genesis_block(Network::Regtest).block_hash();
    let mut genesis = BTreeMap::from([(Asset::Lbtc, BlockHash::from_byte_array(liquid))]);
    genesis.extend(world.bitcoin.iter().map(|_| (Asset::Btc, bitcoin)));
    let identity = StoreIdentity {
        node: operator.id,
        network: "regtest".into(),
        genesis,
    };
    Ok(Store::open(&operator.daemon.data_dir(), &identity)?)
}
