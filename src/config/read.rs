//! Keys, their defaults and what they allow.

use std::path::PathBuf;

use config::ValueKind;
use http::uri::Authority;

use super::sources::{Collected, Given, Origin, expand_home};
use super::{Api, Cln, Config, ConfigError, Lightning, Limits, Lnd, Log, LogFormat, Rescue, chains};

/// Builds the configuration; what nobody asked for in the end is not known.
pub(super) fn config(given: Collected) -> Result<Config, ConfigError> {
    let mut reader = Reader {
        given,
        known: Vec::new(),
    };
    let config = settings(&mut reader)?;
    reader.finish()?;
    if config.liquid.is_none() && config.bitcoin.is_none() {
        return Err(ConfigError::NoChain);
    }
    Ok(config)
}

fn settings(reader: &mut Reader) -> Result<Config, ConfigError> {
    let data_dir = reader.path("data_dir", "~/.sluice")?;
    let token_file = match reader.optional_text("api.token_file")? {
        Some(path) => reader.expand("api.token_file", path)?,
        None => data_dir.join("api.token"),
    };
    Ok(Config {
        api: Api {
            listen: reader.parsed("api.listen", "127.0.0.1:9738", "an IP address and a port", |text| {
                text.parse().ok()
            })?,
            token_file,
        },
        log: Log {
            format: reader.parsed("log.format", "auto", "`auto`, `human` or `json`", |text| match text {
                "auto" => Some(LogFormat::Auto),
                "human" => Some(LogFormat::Human),
                "json" => Some(LogFormat::Json),
                _ => None,
            })?,
            level: reader.parsed("log.level", "info", LEVELS, |text| {
                is_level(text).then(|| text.to_owned())
            })?,
        },
        lightning: lightning(reader)?,
        liquid: chains::liquid(reader)?,
        bitcoin: chains::bitcoin(reader)?,
        limits: Limits {
            fee_invoice_factor: reader.number("limits.fee_invoice_factor", 3, 1, 100)?,
        },
        rescue: Rescue {
            copy_dir: match reader.optional_text("rescue.copy_dir")? {
                Some(path) => Some(reader.expand("rescue.copy_dir", path)?),
                None => None,
            },
        },
        data_dir,
    })
}

/// The values of `lightning.backend`.
#[derive(Clone, Copy)]
enum Backend {
    Lnd,
    Cln,
}

fn lightning(reader: &mut Reader) -> Result<Lightning, ConfigError> {
    let backend = reader.parsed("lightning.backend", "lnd", "`lnd` or `cln`", |text| match text {
        "lnd" => Some(Backend::Lnd),
        "cln" => Some(Backend::Cln),
        _ => None,
    })?;
    // What stands in the section of the other is judged, but needs no home folder.
    let (lnd, cln) = (lnd_section(reader)?, cln_section(reader)?);
    match backend {
        Backend::Lnd => lnd(reader).map(Lightning::Lnd),
        Backend::Cln => cln(reader).map(Lightning::Cln),
    }
}

/// Reads the section; what it yields looks for the files.
fn lnd_section(reader: &mut Reader) -> Result<impl FnOnce(&Reader) -> Result<Lnd, ConfigError> + use<>, ConfigError> {
    let address = reader.parsed("lightning.lnd.address", "127.0.0.1:10009", "host:port", host_and_port)?;
    let tls_cert = reader.text("lightning.lnd.tls_cert", "~/.lnd/tls.cert")?;
    let macaroon = reader.text(
        "lightning.lnd.macaroon",
        "~/.lnd/data/chain/bitcoin/mainnet/admin.macaroon",
    )?;
    Ok(move |reader: &Reader| {
        Ok(Lnd {
            address,
            tls_cert: reader.expand("lightning.lnd.tls_cert", tls_cert)?,
            macaroon: reader.expand("lightning.lnd.macaroon", macaroon)?,
        })
    })
}

/// As [`lnd_section`].
fn cln_section(reader: &mut Reader) -> Result<impl FnOnce(&Reader) -> Result<Cln, ConfigError> + use<>, ConfigError> {
    let address = reader.parsed("lightning.cln.address", "127.0.0.1:9736", "host:port", host_and_port)?;
    let ca_cert = reader.text("lightning.cln.ca_cert", "~/.lightning/bitcoin/ca.pem")?;
    let client_cert = reader.text("lightning.cln.client_cert", "~/.lightning/bitcoin/client.pem")?;
    let client_key = reader.text("lightning.cln.client_key", "~/.lightning/bitcoin/client-key.pem")?;
    Ok(move |reader: &Reader| {
        Ok(Cln {
            address,
            ca_cert: reader.expand("lightning.cln.ca_cert", ca_cert)?,
            client_cert: reader.expand("lightning.cln.client_cert", client_cert)?,
            client_key: reader.expand("lightning.cln.client_key", client_key)?,
        })
    })
}

fn host_and_port(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    authority.port_u16().map(|_| text.to_owned())
}

const LEVELS: &str = "off, error, warn, info, debug or trace, or directives such as `info,sluice::chain=trace`";

fn is_level(text: &str) -> bool {
    let level = |directive: &str| {
        let level = directive.rsplit('=').next().unwrap_or("");
        ["off", "error", "warn", "info", "debug", "trace"].contains(&level)
    };
    text.split(',').all(level)
}

/// Hands out values by key and remembers which keys there are.
pub(super) struct Reader {
    given: Collected,
    known: Vec<&'static str>,
}

impl Reader {
    fn value(&mut self, key: &'static str) -> Option<Given> {
        self.known.push(key);
        self.given.values.get(key).cloned()
    }

    /// Whether a section, or one of its keys, stands anywhere.
    pub(super) fn has_section(&self, name: &str) -> bool {
        let within = |key: &str| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.given.values.keys().any(|key| within(key))
    }

    /// The error about a value that stands somewhere.
    pub(super) fn refuse(&self, key: &'static str, allowed: impl Into<String>) -> ConfigError {
        let given = self.given.values.get(key);
        ConfigError::Value {
            key,
            value: given.map_or_else(|| "not set".into(), |given| show(key, &given.kind)),
            origin: given.map_or_else(|| "the defaults".into(), |given| given.origin.to_string()),
            allowed: allowed.into(),
        }
    }

    /// A text; None where it is not set or empty.
    pub(super) fn optional_text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.value(key).map(|given| given.kind) {
            None => Ok(None),
            Some(ValueKind::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.refuse(key, "a text")),
        }
    }

    /// A text that says something by its characters.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        default: &str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let parsed = match self.value(key).map(|given| given.kind) {
            None => return Ok(parse(default).expect("every default is allowed")),
            Some(ValueKind::String(text)) => parse(text.trim()),
            Some(_) => None,
        };
        parsed.ok_or_else(|| self.refuse(key, allowed))
    }

    /// A text, or its default where it is not set or empty.
    fn text(&mut self, key: &'static str, default: &str) -> Result<String, ConfigError> {
        Ok(self.optional_text(key)?.unwrap_or_else(|| default.into()))
    }

    fn path(&mut self, key: &'static str, default: &str) -> Result<PathBuf, ConfigError> {
        let given = self.optional_text(key)?;
        self.expand(key, given.unwrap_or_else(|| default.into()))
    }

    pub(super) fn expand(&self, key: &'static str, path: String) -> Result<PathBuf, ConfigError> {
        expand_home(&path, self.given.home.as_deref()).ok_or(ConfigError::NoHome { key, path })
    }

    /// An integer; in the environment and in flags it is text, in a file it must not be.
    pub(super) fn number(&mut self, key: &'static str, default: u64, min: u64, max: u64) -> Result<u64, ConfigError> {
        let number = match self.value(key) {
            None => Some(default),
            Some(given) => match (given.kind, given.origin) {
                (ValueKind::I64(number), _) => u64::try_from(number).ok(),
                (ValueKind::String(text), Origin::Environment(_) | Origin::Flag) => text.replace('_', "").parse().ok(),
                _ => None,
            },
        };
        let fits = number.filter(|number| (min..=max).contains(number));
        fits.ok_or_else(|| self.refuse(key, format!("an integer of {min} to {max}")))
    }

    /// A list of texts; in the environment and in flags they are parted by commas.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        allowed: &str,
        is_allowed: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, ConfigError> {
        let list: Option<Vec<String>> = match self.value(key) {
            None => Some(Vec::new()),
            Some(given) => match (given.kind, given.origin) {
                (ValueKind::Array(elements), _) => {
                    let text = |element: config::Value| match element.kind {
                        ValueKind::String(text) => Some(text),
                        _ => None,
                    };
                    elements.into_iter().map(text).collect()
                }
                (ValueKind::String(text), Origin::Environment(_) | Origin::Flag) => {
                    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                    Some(parts.map(str::to_owned).collect())
                }
                _ => None,
            },
        };
        let fits = list.filter(|list| list.iter().all(|element| is_allowed(element)));
        fits.ok_or_else(|| self.refuse(key, allowed))
    }

    /// Refuses what is left.
    fn finish(self) -> Result<(), ConfigError> {
        let is_section = |name: &str| {
            let section = format!("{name}.");
            self.known.iter().any(|known| known.starts_with(&section))
        };
        for (key, given) in &self.given.values {
            let empty_section = matches!(&given.kind, ValueKind::Table(_)) && is_section(key);
            if self.known.contains(&key.as_str()) || empty_section {
                continue;
            }
            return Err(ConfigError::Unknown {
                key: key.clone(),
                origin: given.origin.to_string(),
                allowed: self.neighbours(key),
            });
        }
        Ok(())
    }

    /// The keys of the section that an unknown key stands in, or all sections.
    fn neighbours(&self, key: &str) -> String {
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        let members: Vec<&str> = self
            .known
            .iter()
            .filter(|known| known.rsplit_once('.').is_some_and(|(of, _)| of == section))
            .copied()
            .collect();
        if members.is_empty() {
            return "sections are api, log, lightning, lightning.lnd, lightning.cln, liquid, bitcoin, limits, rescue, and the key data_dir"
                .into();
        }
        format!("the section has {}", members.join(", "))
    }
}

fn show(key: &str, kind: &ValueKind) -> String {
    match kind {
        _ if key.ends_with("password") => "…".into(),
        ValueKind::String(text) => format!("{:?}", without_credentials(text)),
        ValueKind::Table(_) => "a section".into(),
        ValueKind::Array(elements) => {
            let shown: Vec<String> = elements.iter().map(|element| show(key, &element.kind)).collect();
            format!("[{}]", shown.join(", "))
        }
        other => other.to_string(),
    }
}

/// A URL with a user and a password in it is refused, and must not bring them into the log.
fn without_credentials(text: &str) -> String {
    let parts = text
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
    parts.map_or_else(|| text.into(), |(scheme, (_, host))| format!("{scheme}://…@{host}"))
}

/// Every key, sorted: for the test that the example has them all.
#[cfg(test)]
pub(super) fn keys() -> Vec<&'static str> {
    let mut reader = Reader {
        given: Collected {
            values: std::collections::BTreeMap::new(),
            home: Some(PathBuf::from("/")),
        },
        known: Vec::new(),
    };
    settings(&mut reader).expect("the defaults are allowed");
    reader.known.sort_unstable();
    reader.known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let shown = |text: &str| show("liquid.rpc_url", &ValueKind::String(text.into()));
        assert_eq!(shown("http://me:s3cr@t@127.0.0.1:7041"), r#""http://…@127.0.0.1:7041""#);
        assert_eq!(shown("http://127.0.0.1:7041/x"), r#""http://127.0.0.1:7041/x""#);
        assert_eq!(shown("me@home"), r#""me@home""#);
    }
}
