//! Where values come from. Every value keeps its origin, for the error that may name it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::{ConfigError, FILE_NAME};

const PREFIX: &str = "SLUICE_";
const DATA_DIR: &str = "SLUICE_DATA_DIR";
/// Where the data folder is unless another is given.
pub const DEFAULT_DATA_DIR: &str = "~/.sluice";

/// What to read. Values do not print: one may be a password.
#[derive(Default, Clone)]
pub struct Sources {
    /// The file; None: `sluice.toml` in the data folder, if it is there.
    pub file: Option<PathBuf>,
    /// The environment. Variables are `SLUICE_DATA_DIR`, and `SLUICE_` with section and key parted by `__`;
    /// others belong to somebody else.
    pub environment: Vec<(String, String)>,
    /// Flags: `key=value`, the last of several wins.
    pub overrides: Vec<String>,
}

/// A value with its origin.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) kind: ValueKind,
    pub(super) origin: Origin,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    File(PathBuf),
    Environment(String),
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) => write!(f, "the environment ({name})"),
            Origin::Flag => f.write_str("a flag"),
        }
    }
}

/// Every value that was given, by the full path of its key.
pub(super) struct Collected {
    pub(super) values: BTreeMap<String, Given>,
    pub(super) home: Option<PathBuf>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.environment.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("environment", &names)
            .field("overrides", &keys_of(&self.overrides))
            .finish()
    }
}

/// The keys that flags set, without what they are set to.
#[must_use]
pub fn keys_of(flags: &[String]) -> Vec<&str> {
    flags.iter().map(|flag| key(flag)).collect()
}

/// What stands before the sign: behind it may be a password.
fn key(flag: &str) -> &str {
    flag.split('=').next().unwrap_or_default()
}

impl Sources {
    /// The process's own environment, with a file and flags.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<String>) -> Sources {
        let text = |name: std::ffi::OsString| name.into_string().ok();
        let variables = std::env::vars_os();
        Sources {
            file,
            environment: variables
                .filter_map(|(name, value)| text(name).zip(text(value)))
                .collect(),
            overrides,
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let mut named = self.environment.iter().filter(|(known, _)| known == name);
        named.next_back().map(|(_, value)| value.as_str())
    }

    fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    fn flags(&self) -> Result<Map<String, Value>, ConfigError> {
        let part = |flag: &String| {
            let (key, value) = flag.split_once('=')?;
            (!key.trim().is_empty()).then(|| (key.trim().to_owned(), Value::new(None, value)))
        };
        let flags = self.overrides.iter();
        flags
            .map(|flag| part(flag).ok_or_else(|| ConfigError::Flag(key(flag).into())))
            .collect()
    }

    /// The file to read, if there is one.
    fn find_file(&self, flags: &Map<String, Value>) -> Result<Option<PathBuf>, ConfigError> {
        if let Some(file) = &self.file {
            return Ok(Some(file.clone()));
        }
        let flag = flags.get("data_dir").and_then(|value| value.clone().into_string().ok());
        let given = flag.or_else(|| self.variable(DATA_DIR).map(str::to_owned));
        let data_dir = given.unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        let file = expand_home(&data_dir, self.home().as_deref()).map(|dir| dir.join(FILE_NAME));
        Ok(file.filter(|file| file.exists()))
    }

    /// Reads everything; the later source wins.
    pub(super) fn collect(&self) -> Result<Collected, ConfigError> {
        let mut values = BTreeMap::new();
        let flags = self.flags()?;
        if let Some(path) = self.find_file(&flags)? {
            let origin = |_: &str| Origin::File(path.clone());
            flatten(&mut values, "", read_file(&path)?, &origin);
        }
        let ours = |name: &str| name == DATA_DIR || (name.starts_with(PREFIX) && name.contains("__"));
        let variables = self.environment.iter().filter(|(name, _)| ours(name)).cloned();
        let environment = Environment::with_prefix("SLUICE")
            .prefix_separator("_")
            .separator("__")
            .source(Some(variables.collect()))
            .collect()
            .expect("variables are text already");
        let name = |key: &str| format!("{PREFIX}{}", key.replace('.', "__").to_uppercase());
        flatten(&mut values, "", environment, &|key| Origin::Environment(name(key)));
        flatten(&mut values, "", flags, &|_| Origin::Flag);
        Ok(Collected {
            values,
            home: self.home(),
        })
    }
}

fn read_file(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::File {
        path: path.into(),
        source,
    })?;
    File::from_str(&text, FileFormat::Toml)
        .collect()
        .map_err(|error| ConfigError::Syntax {
            path: path.into(),
            reason: without_excerpt(&error.to_string()),
        })
}

/// TOML's errors quote the line they are about, which may hold a password.
fn without_excerpt(error: &str) -> String {
    let told = error.lines().filter(|line| !line.contains('|'));
    told.map(str::trim).collect::<Vec<_>>().join(": ")
}

/// Tables become dotted keys. A table without members stays, so that a misspelt section is found.
fn flatten(
    values: &mut BTreeMap<String, Given>,
    section: &str,
    table: Map<String, Value>,
    origin: &impl Fn(&str) -> Origin,
) {
    for (name, value) in table {
        let key = if section.is_empty() {
            name
        } else {
            format!("{section}.{name}")
        };
        match value.kind {
            ValueKind::Table(members) if !members.is_empty() => flatten(values, &key, members, origin),
            kind => {
                let origin = origin(&key);
                values.insert(key, Given { kind, origin });
            }
        }
    }
}

/// The path with `~` put out; None if there is no home folder to put in.
#[must_use]
pub fn expand_home(path: &str, home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix('~') {
        Some("") => home.map(Path::to_path_buf),
        Some(rest) => match rest.strip_prefix('/') {
            Some(rest) => home.map(|home| home.join(rest)),
            // another user's home is not looked up
            None => Some(PathBuf::from(path)),
        },
        None => Some(PathBuf::from(path)),
    }
}
