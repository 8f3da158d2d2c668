//! The seed's twelve words: for paper, and back.

use std::fmt::Write as _;

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::{Entropy, Seed};

/// Sixteen bytes of entropy and four bits of checksum, eleven bits a word (BIP 39).
const COUNT: usize = 12;
/// Longer than any twelve English words with a line break between each.
const LONGEST: usize = 4096;
/// How many words a wrong one is likened to.
const LIKENED: usize = 3;

/// The twelve English words of a seed (BIP 39, no passphrase). They are the seed: who has them has every swap's keys.
pub struct Words(Entropy);

/// Why a text is not the words of a seed. Shows the word that is none, which is thus no part of any seed's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Too few or too many.
    #[error("{got} words, the backup of a seed has {COUNT}")]
    Count {
        /// How many there are.
        got: usize,
    },
    /// A word that BIP 39 does not have.
    #[error("word {position} is `{word}`, which is not in the list of BIP 39{}", likened(.like))]
    Unknown {
        /// Which, from 1.
        position: usize,
        /// The word.
        word: String,
        /// Words that begin alike.
        like: Vec<&'static str>,
    },
    /// Every word is one, but not all of them are those that were shown.
    #[error("the checksum of these words is wrong: one of them is another than was shown, or two have changed places")]
    Checksum,
}

fn likened(like: &[&'static str]) -> String {
    match like {
        [] => String::new(),
        [one] => format!(": is it `{one}`?"),
        [most @ .., last] => {
            let mut text = ": is it ".to_owned();
            for word in most {
                write!(text, "`{word}`, ").expect("a String takes all that is written");
            }
            format!("{} or `{last}`?", text.trim_end_matches(", "))
        }
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words(…)")
    }
}

impl Words {
    pub(super) fn of(entropy: Entropy) -> Words {
        Words(entropy)
    }

    pub(super) fn entropy(&self) -> &Entropy {
        &self.0
    }

    /// Reads words as people type them: in any case, between any blanks.
    ///
    /// # Errors
    /// Which word is wrong, or that the checksum is.
    pub fn parse(text: &str) -> Result<Words, WordsError> {
        let text: &str = text.get(..LONGEST).unwrap_or(text);
        let text = Zeroizing::new(text.to_lowercase());
        let words: Vec<&str> = text.split_whitespace().collect();
        let unknown = (1..)
            .zip(&words)
            .find(|(_, word)| Language::English.find_word(word).is_none());
        if let Some((position, word)) = unknown {
            return Err(WordsError::Unknown {
                position,
                word: word.chars().take(16).collect(),
                like: alike(word),
            });
        }
        if words.len() != COUNT {
            return Err(WordsError::Count { got: words.len() });
        }
        let joined = Zeroizing::new(words.join(" "));
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &joined).map_err(|_| WordsError::Checksum)?;
        let (bytes, _) = mnemonic.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        let mut entropy = Entropy::default();
        entropy.copy_from_slice(&bytes[..16]);
        Ok(Words(entropy))
    }

    /// The words, in their order.
    #[must_use]
    pub fn list(&self) -> [&'static str; COUNT] {
        let mnemonic = Mnemonic::from_entropy(&self.0[..]).expect("16 bytes are a length that BIP 39 knows");
        let mut words = mnemonic.words();
        std::array::from_fn(|_| words.next().expect("16 bytes are twelve words"))
    }

    /// The seed of these words.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed::from_entropy(&self.0)
    }
}

/// Words that a wrong one may be meant for: those that share its beginning, as much of it as possible.
fn alike(word: &str) -> Vec<&'static str> {
    let beginnings = (2..=word.len()).rev().filter_map(|length| word.get(..length));
    let shared = beginnings
        .map(|beginning| Language::English.words_by_prefix(beginning))
        .find(|words| !words.is_empty());
    shared.map_or(Vec::new(), |words| words.iter().copied().take(LIKENED).collect())
}
