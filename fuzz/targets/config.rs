//! A configuration file. A password that stands in it is in no refusal.

use std::path::PathBuf;
use std::sync::LazyLock;

use sluice::config::{Config, Sources};

/// What every password of the corpus is.
const PASSWORD: &str = "5551234secret";

/// One file for the process, written over for each input.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("sluice-fuzz-config-{}.toml", std::process::id())));

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    std::fs::write(&*FILE, text).expect("the temporary folder can be written");
    let sources = Sources {
        file: Some(FILE.clone()),
        environment: vec![("HOME".into(), "/home/operator".into())],
        overrides: Vec::new(),
    };
    let refused = Config::load(&sources).err().map(|error| error.to_string());
    // only where it is a password's value, alone on the line of its key
    let as_password = |line: &str| {
        let rest = line.trim().strip_prefix("password = \"");
        rest.is_some_and(|rest| rest == format!("{PASSWORD}\""))
    };
    let elsewhere = text.lines().any(|line| line.contains(PASSWORD) && !as_password(line));
    if let Some(refused) = refused.filter(|_| !elsewhere) {
        assert!(!refused.contains(PASSWORD), "{refused}");
    }
}
