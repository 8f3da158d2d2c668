//! The format of a rescue file, which is made to last.
//!
//! ```text
//! -----BEGIN SLUICE RESCUE FILE-----
//! Format: 1
//! Seed: 26a27a2dd69d0883349e9f7b5d282e5a       whose words open it (`sluice seed backup` shows the same digits)
//! Swap: a1a1…                                   64 digits
//! Asset: lbtc
//!
//! 3q2+7w…                                      base64 (RFC 4648), 64 characters a line, padded:
//! -----END SLUICE RESCUE FILE-----             nonce (24 bytes) ‖ ciphertext ‖ tag (16 bytes)
//! ```
//!
//! * The cipher is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random nonce, under the seed's rescue key
//!   ([`keys`](crate::keys)). What is authenticated beside the ciphertext are the four lines of the header, each with
//!   its line feed: a file under another swap's header does not open.
//! * The plaintext is the JSON of [`Record`], in UTF-8.
//! * Text, because it survives mail, paper bags of USB sticks and a copy out of a terminal. Carriage returns and blanks
//!   at line ends, and empty lines around the whole, are what mail adds: they are ignored. Anything else is damage.
//!
//! A later format has another number. This one is read by every later release.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::{Record, RescueError};
use crate::keys::Seed;
use crate::units::{Asset, SeedFingerprint, SwapId};

const BEGIN: &str = "-----BEGIN SLUICE RESCUE FILE-----";
const END: &str = "-----END SLUICE RESCUE FILE-----";
const FORMAT: &str = "1";
const WIDTH: usize = 64;
const NONCE: usize = 24;

/// What a file tells without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The seed whose words open it.
    pub seed: SeedFingerprint,
    /// The swap.
    pub swap: SwapId,
    /// What was swapped.
    pub asset: Asset,
}

/// What seals and opens the rescue files of one seed. Does not print.
pub struct Key {
    key: Zeroizing<[u8; 32]>,
    seed: SeedFingerprint,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key of a seed.
    #[must_use]
    pub fn of(seed: &Seed) -> Key {
        Key {
            key: seed.rescue_key(),
            seed: seed.fingerprint(),
        }
    }

    /// A record as the text of its file.
    #[must_use]
    pub fn seal(&self, record: &Record, rng: &mut (impl RngCore + CryptoRng)) -> String {
        let header = Header {
            seed: self.seed,
            swap: record.swap_id,
            asset: record.asset,
        };
        let header = header.lines();
        let plain = serde_json::to_vec(record).expect("records have text keys and no failing serializer");
        let plain = Zeroizing::new(plain);
        let mut sealed = vec![0; NONCE];
        rng.fill_bytes(&mut sealed);
        let payload = Payload {
            msg: &plain,
            aad: header.as_bytes(),
        };
        let nonce = nonce(&sealed).expect("it has that length");
        let cipher = self.cipher().encrypt(&nonce, payload);
        sealed.extend(cipher.expect("a record is shorter than 256 GB"));
        armoured(&header, &STANDARD.encode(&sealed))
    }

    /// The record in a file's text.
    ///
    /// # Errors
    /// It is another seed's, damaged, or of another format.
    pub fn open(&self, text: &str) -> Result<Record, RescueError> {
        let (header, lines, sealed) = read(text)?;
        if header.seed != self.seed {
            return Err(RescueError::WrongSeed {
                file: header.seed,
                given: self.seed,
            });
        }
        let damaged = || RescueError::Damaged {
            field: "the encrypted part or the header",
            fact: "they do not belong together any more".into(),
        };
        let (nonce, cipher) = (
            nonce(&sealed).ok_or_else(damaged)?,
            sealed.get(NONCE..).unwrap_or_default(),
        );
        let payload = Payload {
            msg: cipher,
            aad: lines.as_bytes(),
        };
        let plain = self.cipher().decrypt(&nonce, payload).map_err(|_| damaged())?;
        let plain = Zeroizing::new(plain);
        let record: Record = {
            let mut reader = serde_json::Deserializer::from_slice(&plain);
            // serde's own text may quote what stands there, which may be a key
            serde_path_to_error::deserialize(&mut reader).map_err(|error| RescueError::Content {
                field: error.path().to_string(),
            })?
        };
        if (record.swap_id, record.asset) != (header.swap, header.asset) {
            return Err(damaged());
        }
        Ok(record)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }
}

impl Header {
    /// Reads a file's header.
    ///
    /// # Errors
    /// It is no rescue file, or damaged where that shows without a key.
    pub fn read(text: &str) -> Result<Header, RescueError> {
        read(text).map(|(header, ..)| header)
    }

    fn lines(&self) -> String {
        let seed = hex::encode(self.seed.0);
        format!(
            "Format: {FORMAT}\nSeed: {seed}\nSwap: {}\nAsset: {}\n",
            self.swap, self.asset
        )
    }
}

fn nonce(sealed: &[u8]) -> Option<XNonce> {
    let bytes: [u8; NONCE] = sealed.get(..NONCE)?.try_into().ok()?;
    Some(bytes.into())
}

fn armoured(header: &str, base64: &str) -> String {
    let mut text = format!("{BEGIN}\n{header}\n");
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, next) = rest.split_at(WIDTH.min(rest.len()));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text.push_str(END);
    text.push('\n');
    text
}

/// A file's header, the lines of it that are authenticated, and what is encrypted.
fn read(text: &str) -> Result<(Header, String, Vec<u8>), RescueError> {
    let damaged = |field: &'static str, fact: &str| RescueError::Damaged {
        field,
        fact: fact.into(),
    };
    let text = text.trim_matches(['\r', '\n', ' ', '\t']);
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.trim_end_matches(['\r', ' ', '\t']))
        .collect();
    if lines.first() != Some(&BEGIN) {
        return Err(RescueError::NoRescueFile { wanted: BEGIN });
    }
    let format = value("Format", lines.get(1))?;
    if format != FORMAT {
        return Err(RescueError::Format { got: format.to_owned() });
    }
    if lines.last() != Some(&END) {
        return Err(damaged(
            "the last line",
            "it is missing: the end of the file is cut off",
        ));
    }
    let mut seed = SeedFingerprint([0; 16]);
    let digits = value("Seed", lines.get(2))?;
    hex::decode_to_slice(digits, &mut seed.0).map_err(|_| damaged("Seed", "it is not 32 hex digits"))?;
    let swap = value("Swap", lines.get(3))?;
    let swap = swap.parse().map_err(|_| damaged("Swap", "it is not 64 hex digits"))?;
    let asset = value("Asset", lines.get(4))?;
    let asset = asset
        .parse()
        .map_err(|_| damaged("Asset", "it is neither lbtc nor btc"))?;
    let body = &lines[5..lines.len() - 1];
    let base64 = match body.split_first() {
        Some((&"", lines)) => lines.concat(),
        _ => return Err(damaged("the line after Asset", "it is not empty")),
    };
    let sealed = STANDARD.decode(&base64).map_err(|error| {
        damaged(
            "the encrypted part",
            &format!("it is no base64: {error}").to_lowercase(),
        )
    })?;
    let header = Header { seed, swap, asset };
    // Only what this program writes is a file of this format: it tells a line that is longer, or in capitals.
    if lines.join("\n") + "\n" != armoured(&header.lines(), &base64) {
        return Err(damaged("the header or a line break", "it is not as it was written"));
    }
    let authenticated = header.lines();
    Ok((header, authenticated, sealed))
}

fn value<'a>(name: &'static str, line: Option<&&'a str>) -> Result<&'a str, RescueError> {
    let value = line.and_then(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.ok_or_else(|| RescueError::Damaged {
        field: name,
        fact: "the line is missing".into(),
    })
}
