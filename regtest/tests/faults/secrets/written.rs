//! Everything that was written, and the search through it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::known::{Secret, What};

/// How long the beginnings are by which secrets are found.
const START: usize = 8;
/// How many digits of a transaction make it known: they name its first input.
const TX_START: usize = 64;
/// Text that may be cut into lines within a secret, as rescue files are, is not longer.
const LONGEST_ARMOUR: usize = 1 << 20;

/// A place whose purpose is to hold a secret; `{own}` has it, `{peer}` is the other operator. Nothing else may be
/// anywhere.
const KEEPERS: [(&str, What); 5] = [
    ("{own}/sluice/seed", What::Seed),
    ("{own}/sluice/api.token", What::Token),
    (
        "lightning/{own}/data/chain/bitcoin/regtest/admin.macaroon",
        What::Macaroon,
    ),
    // what a taker is told, it must know again after a crash: the key that unblinds the opening …
    ("{peer}/sluice/sluice.redb", What::BlindingKey),
    // … and what it has paid for
    ("{peer}/sluice/sluice.redb", What::ClaimPreimage),
];

/// How far the swaps were when something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Opened, and no claim invoice is being paid.
    Unpaid,
    /// The claims are on their way into blocks.
    Claimed,
    Over,
}

/// Files by their paths in a world's folder, and answers by what was asked.
#[derive(Default)]
pub struct Written(BTreeMap<String, Vec<u8>>);

impl Written {
    /// Reads every file below a folder.
    pub fn below(folder: &Path) -> Result<Written> {
        let mut written = Written::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(inner) = folders.pop() {
            for entry in fs::read_dir(&inner).with_context(|| inner.display().to_string())? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(folder)?.display().to_string();
                // a rescue file may be replaced or removed between the look and the read
                match fs::read(&path) {
                    Ok(bytes) => written.note(name, bytes),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error).with_context(|| path.display().to_string()),
                }
            }
        }
        Ok(written)
    }

    /// Adds what was answered.
    pub fn note(&mut self, what: String, bytes: impl Into<Vec<u8>>) {
        self.0.entry(what).or_default().extend(bytes.into());
    }

    /// Adds all of another.
    pub fn join(&mut self, other: Written) {
        other.0.into_iter().for_each(|(what, bytes)| self.note(what, bytes));
    }

    /// What stands in a place, as text.
    pub fn text(&self, place: &str) -> Result<String> {
        let bytes = self
            .0
            .get(place)
            .with_context(|| format!("nothing was written to {place}"))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// How many places there are whose name begins so.
    pub fn count(&self, beginning: &str) -> usize {
        self.0.keys().filter(|place| place.starts_with(beginning)).count()
    }
}

/// Secrets that are looked for, all at once.
pub struct Search<'a> {
    secrets: &'a [Secret],
    /// Transactions in hex, which tell the whole world what is in them.
    published: &'a [String],
    /// By three bytes: whether a form begins so. Most of what is written is passed over by it.
    begins: Vec<bool>,
    /// The places of a form in `secrets`, by its first bytes.
    starts: HashMap<[u8; START], Vec<(usize, usize)>>,
    /// The keepers that were seen to keep something.
    met: BTreeSet<(&'static str, What)>,
}

impl<'a> Search<'a> {
    pub fn for_all(secrets: &'a [Secret], published: &'a [String]) -> Result<Search<'a>> {
        let mut begins = vec![false; 1 << 24];
        let mut starts: HashMap<[u8; START], Vec<(usize, usize)>> = HashMap::new();
        for (number, secret) in secrets.iter().enumerate() {
            ensure!(
                !secret.forms.is_empty(),
                "{:?} of {} has no form",
                secret.what,
                secret.of
            );
            for (form, bytes) in secret.forms.iter().enumerate() {
                let start = bytes.first_chunk().context("a form that could be anything")?;
                begins[beginning(start)] = true;
                starts.entry(*start).or_default().push((number, form));
            }
        }
        Ok(Search {
            secrets,
            published,
            begins,
            starts,
            met: BTreeSet::new(),
        })
    }

    /// The secrets that stand in these bytes.
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for (at, start) in bytes.windows(START).enumerate() {
            if !self.begins[beginning(start)] {
                continue;
            }
            let start: &[u8; START] = start.try_into().expect("a window has its length");
            for (secret, form) in self.starts.get(start).into_iter().flatten() {
                if bytes[at..].starts_with(&self.secrets[*secret].forms[*form]) {
                    found.insert(*secret);
                }
            }
        }
        found
    }

    /// Every secret that is where it must not be. Before the payments begin no preimage of a claim is kept anywhere.
    pub fn leaks(&mut self, written: &Written, when: When) -> Vec<String> {
        let mut leaks = Vec::new();
        for (place, bytes) in &written.0 {
            let bytes = &*self.unpublished(bytes);
            let mut found = self.found_in(bytes);
            if bytes.len() < LONGEST_ARMOUR {
                let joined: Vec<u8> = bytes.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
                found.extend(self.found_in(&joined));
            }
            for secret in found.into_iter().map(|number| &self.secrets[number]) {
                let early = when == When::Unpaid && secret.what == What::ClaimPreimage;
                match keeper(place, secret) {
                    Some(keeper) if !early => {
                        self.met.insert(keeper);
                    }
                    _ => leaks.push(format!("{when:?}: {:?} of {} is in {place}", secret.what, secret.of)),
                }
            }
        }
        leaks
    }

    /// What stands in a text beside published transactions.
    fn unpublished<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Cow::Borrowed(bytes);
        };
        let mut text = Cow::Borrowed(text);
        for tx in self.published {
            if text.contains(&tx[..TX_START]) {
                text = Cow::Owned(without(&text, tx));
            }
        }
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    /// Keepers that have kept nothing: they need not be listed.
    pub fn idle(&self) -> Vec<&'static (&'static str, What)> {
        KEEPERS.iter().filter(|keeper| !self.met.contains(keeper)).collect()
    }
}

/// A text without a transaction, of which there may be a beginning alone: logs of requests are cut off.
fn without(text: &str, tx: &str) -> String {
    let (start, rest) = tx.split_at(TX_START);
    let mut parts = text.split(start);
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let same = part.bytes().zip(rest.bytes()).take_while(|(one, other)| one == other);
        left.push('…');
        left.push_str(&part[same.count()..]);
    }
    left
}

fn beginning(start: &[u8]) -> usize {
    usize::from(start[0]) << 16 | usize::from(start[1]) << 8 | usize::from(start[2])
}

fn keeper(place: &str, secret: &Secret) -> Option<(&'static str, What)> {
    let peer = if secret.of == "alice" { "bob" } else { "alice" };
    let mut keepers = KEEPERS.iter().copied();
    keepers
        .find(|(path, what)| *what == secret.what && path.replace("{own}", &secret.of).replace("{peer}", peer) == place)
}
