//! The words of the seed, which are all that a backup on paper needs.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde_json::json;
use sluice::api::view::text::rfc3339;
use sluice::keys::{Seed, Words};
use sluice::units::Timestamp;

use crate::args::{Global, SeedCommand};
use crate::ask;
use crate::connect::data_dir;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;

/// Beside the seed: when its words were shown.
const SHOWN: &str = "seed.shown";

pub fn run(command: SeedCommand, global: &Global, screen: Screen) -> Result<Exit, Failure> {
    let folder = data_dir(global)?;
    match command {
        SeedCommand::Backup { again, yes } => backup(&folder, again, yes, screen),
        SeedCommand::Restore => restore(&folder, screen),
    }
}

fn backup(folder: &Path, again: bool, yes: bool, screen: Screen) -> Result<Exit, Failure> {
    let words = Seed::words(&folder.join("seed")).map_err(|error| Failure::Other(error.to_string()))?;
    let mark = folder.join(SHOWN);
    if !again && let Ok(shown) = std::fs::read_to_string(&mark) {
        return Err(Failure::Other(format!(
            "the words were shown on {}: if it was not to you, somebody has your keys; `--again` shows them again",
            shown.trim().chars().take(40).collect::<String>()
        )));
    }
    eprintln!(
        "These twelve words are the keys of every swap. Who reads them can take the coins of those that run; who loses \
         them, and the data folder, loses these coins. Write them on paper, in their order, and let no camera see them."
    );
    if !yes {
        if !ask::is_possible() {
            return Err(Failure::Usage("there is nobody to ask: `--yes` shows the words".into()));
        }
        if !ask::is_yes("Show them?")? {
            return Err(Failure::Other("the words were not shown".into()));
        }
    }
    // before they are shown: whoever looks later must know that they were
    note(&mark).map_err(|error| Failure::Other(format!("{}: {error}", mark.display())))?;
    let seed = fingerprint(&words);
    screen.answer(&json!({"words": words.list(), "seed": seed}), |_| {
        let numbered = (1..)
            .zip(words.list())
            .map(|(place, word)| format!("{place:>4}  {word}\n"));
        format!(
            "{}\nseed {seed}, as it stands in each rescue file",
            numbered.collect::<String>()
        )
    })?;
    Ok(Exit::Done)
}

fn note(mark: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(mark)?;
    writeln!(file, "{}", rfc3339(Timestamp::now()))?;
    file.sync_all()
}

fn restore(folder: &Path, screen: Screen) -> Result<Exit, Failure> {
    let path = folder.join("seed");
    if path.exists() {
        return Err(Failure::Other(format!(
            "{} is there already: move it away first if it is to be another",
            path.display()
        )));
    }
    let words = ask::words()?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::Other(format!("{}: {error}", folder.display())))?;
    Seed::restore(&path, &words).map_err(|error| Failure::Other(error.to_string()))?;
    let seed = fingerprint(&words);
    let path = path.display();
    screen.answer(&json!({"seed": seed, "file": path.to_string()}), |_| {
        format!(
            "seed {seed} is in {path}\nPut its database beside it before sluiced starts. If that is lost, `sluice rescue` \
             gets the coins of swaps that ran from their rescue files, and `sluiced --new-database` begins another."
        )
    })?;
    Ok(Exit::Done)
}

fn fingerprint(words: &Words) -> String {
    hex::encode(words.seed().fingerprint().0)
}
