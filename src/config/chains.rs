//! The sections of the chains. Each is there if one of its keys, or its head, stands anywhere.

use std::fs;
use std::time::Duration;

use http::Uri;
use zeroize::Zeroizing;

use super::read::Reader;
use super::{Bitcoin, ChainNode, ConfigError, Funds, Liquid, RpcAccess, RpcAuth};
use crate::units::{Asset, FeeRate};

/// The most that a transaction of Liquid pays, unless the operator says otherwise.
pub const LIQUID_FEE_CEILING: FeeRate = FeeRate(10_000);
/// The most that a transaction of Bitcoin pays, unless the operator says otherwise.
pub const BITCOIN_FEE_CEILING: FeeRate = FeeRate(200_000);

/// A week: who wants more wants no limit, and can have the chain's default.
const LONGEST_STALL: u64 = 7 * 24 * 60;

/// The keys of a chain's section, and their defaults.
struct Section {
    name: &'static str,
    node: AccessKeys,
    witness: AccessKeys,
    wallet: &'static str,
    fee_floor: &'static str,
    fee_ceiling: &'static str,
    stall: &'static str,
    defaults: Defaults,
}

/// The keys that say how a node is reached.
struct AccessKeys {
    rpc_url: &'static str,
    cookie_file: &'static str,
    user: &'static str,
    password: &'static str,
    password_file: &'static str,
}

struct Defaults {
    rpc_url: &'static str,
    /// What an address may look like, in words.
    urls: &'static str,
    schemes: &'static [&'static str],
    cookie_file: &'static str,
    fee_floor: FeeRate,
    fee_ceiling: FeeRate,
    /// The most that a rate may be: more is a slip of the unit, not a wish.
    max_fee_rate: u64,
}

macro_rules! access_keys {
    ($prefix:expr) => {
        AccessKeys {
            rpc_url: concat!($prefix, "rpc_url"),
            cookie_file: concat!($prefix, "cookie_file"),
            user: concat!($prefix, "user"),
            password: concat!($prefix, "password"),
            password_file: concat!($prefix, "password_file"),
        }
    };
}

macro_rules! section {
    ($name:literal, $defaults:expr) => {
        Section {
            name: $name,
            node: access_keys!(concat!($name, ".")),
            witness: access_keys!(concat!($name, ".witness_")),
            wallet: concat!($name, ".wallet"),
            fee_floor: concat!($name, ".fee_floor_sat_per_kvb"),
            fee_ceiling: concat!($name, ".fee_ceiling_sat_per_kvb"),
            stall: concat!($name, ".stalled_after_minutes"),
            defaults: $defaults,
        }
    };
}

const LIQUID: Section = section!(
    "liquid",
    Defaults {
        rpc_url: "http://127.0.0.1:7041",
        urls: "http://host:port or https://host:port, without a path",
        schemes: &["http", "https"],
        cookie_file: "~/.elements/liquidv1/.cookie",
        fee_floor: Asset::Lbtc.least_fee_rate(),
        fee_ceiling: LIQUID_FEE_CEILING,
        max_fee_rate: 100_000,
    }
);

const BITCOIN: Section = section!(
    "bitcoin",
    Defaults {
        rpc_url: "http://127.0.0.1:8332",
        urls: "http://host:port, without a path",
        schemes: &["http"],
        cookie_file: "~/.bitcoin/.cookie",
        fee_floor: Asset::Btc.least_fee_rate(),
        fee_ceiling: BITCOIN_FEE_CEILING,
        max_fee_rate: 5_000_000,
    }
);

pub(super) fn liquid(reader: &mut Reader) -> Result<Option<Liquid>, ConfigError> {
    let node = chain_node(reader, &LIQUID);
    let safe_releases = reader.list(
        "liquid.safe_releases",
        "a list of ranges such as \"23.3.4-23.3.99\"",
        is_release_range,
    );
    if !reader.has_section(LIQUID.name) {
        return Ok(None);
    }
    Ok(Some(Liquid {
        node: node?,
        safe_releases: safe_releases?,
    }))
}

pub(super) fn bitcoin(reader: &mut Reader) -> Result<Option<Bitcoin>, ConfigError> {
    let node = chain_node(reader, &BITCOIN);
    let funds = reader.parsed(
        "bitcoin.funds",
        "auto",
        "auto, bitcoind or lightning",
        |text| match text {
            "auto" => Some(Funds::Auto),
            "bitcoind" => Some(Funds::Bitcoind),
            "lightning" => Some(Funds::Lightning),
            _ => None,
        },
    );
    // its defaults may need a home folder that there is not
    if !reader.has_section(BITCOIN.name) {
        return Ok(None);
    }
    Ok(Some(Bitcoin {
        node: node?,
        funds: funds?,
    }))
}

fn chain_node(reader: &mut Reader, section: &Section) -> Result<ChainNode, ConfigError> {
    let defaults = &section.defaults;
    let url = reader.parsed(section.node.rpc_url, defaults.rpc_url, defaults.urls, |text| {
        rpc_url(text, defaults.schemes)
    });
    let auth = rpc_auth(reader, &section.node, Some(defaults.cookie_file));
    let witness = witness(reader, section);
    let wallet = reader.parsed(
        section.wallet,
        "sluice",
        "1 to 64 letters, digits, `-`, `_` or `.`",
        |text| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            ((1..=64).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
        },
    );
    let fee_floor = reader.number(section.fee_floor, defaults.fee_floor.0, 1, defaults.max_fee_rate);
    let least = *fee_floor.as_ref().unwrap_or(&1);
    let fee_ceiling = reader.number(
        section.fee_ceiling,
        defaults.fee_ceiling.0,
        least,
        defaults.max_fee_rate,
    );
    let minutes = reader.number(section.stall, 0, 0, LONGEST_STALL);
    Ok(ChainNode {
        access: RpcAccess { url: url?, auth: auth? },
        witness: witness?,
        wallet: wallet?,
        fee_floor: FeeRate(fee_floor?),
        fee_ceiling: FeeRate(fee_ceiling?),
        stalled_after: Some(minutes?)
            .filter(|minutes| *minutes > 0)
            .map(|minutes| Duration::from_secs(60 * minutes)),
    })
}

/// The second node, if its address is given.
fn witness(reader: &mut Reader, section: &Section) -> Result<Option<RpcAccess>, ConfigError> {
    let keys = &section.witness;
    let url = reader.optional_text(keys.rpc_url)?;
    let given = url.is_some();
    for key in [keys.cookie_file, keys.user, keys.password, keys.password_file] {
        if !given && reader.optional_text(key)?.is_some() {
            return Err(reader.refuse(key, format!("empty unless `{}` is set", keys.rpc_url)));
        }
    }
    let Some(url) = url else { return Ok(None) };
    let Some(url) = rpc_url(url.trim(), section.defaults.schemes) else {
        return Err(reader.refuse(keys.rpc_url, section.defaults.urls));
    };
    let auth = rpc_auth(reader, keys, None)?;
    Ok(Some(RpcAccess { url, auth }))
}

fn rpc_url(text: &str, schemes: &[&str]) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme));
    let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
    // a password in the URL would be printed with it
    let authority = uri.authority()?;
    let named = authority.port().is_some() && !authority.as_str().contains('@');
    (scheme && plain && named).then(|| text.trim_end_matches('/').to_owned())
}

fn is_release_range(text: &str) -> bool {
    let is_release =
        |release: &str| release.split('.').count() == 3 && release.split('.').all(|part| part.parse::<u16>().is_ok());
    text.split_once('-')
        .is_some_and(|(from, to)| is_release(from) && is_release(to))
}

/// A user with a password or its file, or a cookie; not both.
fn rpc_auth(reader: &mut Reader, keys: &AccessKeys, default_cookie: Option<&str>) -> Result<RpcAuth, ConfigError> {
    let cookie = reader.optional_text(keys.cookie_file);
    let user = reader.optional_text(keys.user);
    let password = reader.optional_text(keys.password);
    let password_file = reader.optional_text(keys.password_file);
    let (cookie, user, password_file) = (cookie?, user?, password_file?);
    let password = password?.map(Zeroizing::new);
    let Some(user) = user else {
        for (key, given) in [
            (keys.password, password.is_some()),
            (keys.password_file, password_file.is_some()),
        ] {
            if given {
                return Err(reader.refuse(key, format!("empty unless `{}` is set", keys.user)));
            }
        }
        let Some(cookie) = cookie.or_else(|| default_cookie.map(str::to_owned)) else {
            return Err(reader.refuse(keys.cookie_file, format!("set, unless `{}` is", keys.user)));
        };
        return Ok(RpcAuth::Cookie(reader.expand(keys.cookie_file, cookie)?));
    };
    if cookie.is_some() {
        return Err(reader.refuse(keys.cookie_file, format!("empty if `{}` is set", keys.user)));
    }
    let password = match (password, password_file) {
        (Some(password), None) => password,
        (None, Some(file)) => {
            let path = reader.expand(keys.password_file, file)?;
            let read = fs::read_to_string(&path).map(Zeroizing::new);
            let text = read.map_err(|source| ConfigError::File { path, source })?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        (Some(_), Some(_)) => {
            let allowed = format!("empty if `{}` is set", keys.password);
            return Err(reader.refuse(keys.password_file, allowed));
        }
        (None, None) => {
            let allowed = format!("set with `{}` or `{}`", keys.password, keys.password_file);
            return Err(reader.refuse(keys.user, allowed));
        }
    };
    Ok(RpcAuth::Password { user, password })
}
