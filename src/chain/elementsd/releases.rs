//! Whether new swaps may rely on a node: on Liquid itself it must be of a release known to be safe.

use std::fmt;
use std::str::FromStr;

use crate::chain::rpc::{BlockchainInfo, NetworkInfo};
use crate::units::ParseUnitError;

/// The chain that money is on; others are for tests and are not checked for releases.
const LIQUID: &str = "liquidv1";

/// A range of releases of one line, both ends included, numbered as `getnetworkinfo` does: 230304 is 23.3.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Releases {
    /// The first.
    pub from: u32,
    /// The last.
    pub to: u32,
}

/// Releases known to carry the fix of the range-proof cache (ElementsProject/elements#1600, September 2026). 23.4 had
/// only candidates without it, and the development line had it not.
pub const KNOWN_SAFE: [Releases; 1] = [Releases {
    from: 230_304,
    to: 230_399,
}];

impl fmt::Display for Releases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", Release(self.from), Release(self.to))
    }
}

impl FromStr for Releases {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let bad = || ParseUnitError {
            what: "range of releases",
            value: text.chars().take(64).collect(),
            rule: "must be two releases with a dash, such as 23.3.4-23.3.99",
        };
        let (from, to) = text.split_once('-').ok_or_else(bad)?;
        let number = |release: &str| {
            let parts: Vec<u32> = release
                .trim()
                .split('.')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            match parts[..] {
                [major @ 0..=9999, minor @ 0..=99, build @ 0..=99] => Some(major * 10_000 + minor * 100 + build),
                _ => None,
            }
        };
        let range = Releases {
            from: number(from).ok_or_else(bad)?,
            to: number(to).ok_or_else(bad)?,
        };
        if range.from > range.to { Err(bad()) } else { Ok(range) }
    }
}

struct Release(u32);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
    }
}

/// Why no new swap may rely on a node that follows its chain; None if it may.
pub(super) fn unfit(chain: &BlockchainInfo, node: &NetworkInfo, safe: &[Releases]) -> Option<String> {
    if chain.chain != LIQUID || safe.iter().any(|range| (range.from..=range.to).contains(&node.version)) {
        return None;
    }
    let known: Vec<String> = safe.iter().map(Releases::to_string).collect();
    Some(format!(
        "elementsd {} is not among the releases known to carry the fix of the range-proof cache ({}); \
         a release candidate of one of those may lack it too and cannot be told apart",
        Release(node.version),
        known.join(", "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(name: &str, blocks: u32, headers: u32, syncing: bool) -> BlockchainInfo {
        let text = format!(
            r#"{{"chain":"{name}","blocks":{blocks},"headers":{headers},"bestblockhash":"{}","initialblockdownload":{syncing}}}"#,
            "00".repeat(32)
        );
        serde_json::from_str(&text).unwrap()
    }

    fn node(version: u32) -> NetworkInfo {
        let text = format!(r#"{{"version":{version},"subversion":"/x/","incrementalfee":0.00000100}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn on_liquid_only_releases_with_the_fix_are_fit() {
        let liquid = chain("liquidv1", 9, 9, false);
        for (version, fit) in [
            (230_303, false),
            (230_304, true),
            (230_310, true),
            (230_400, false),
            (220_101, false),
            (289_900, false),
        ] {
            assert_eq!(unfit(&liquid, &node(version), &KNOWN_SAFE).is_none(), fit, "{version}");
        }
        let reason = unfit(&liquid, &node(230_303), &KNOWN_SAFE).unwrap();
        assert!(
            reason.contains("23.3.3") && reason.contains("23.3.4-23.3.99"),
            "{reason}"
        );
    }

    #[test]
    fn the_operator_can_name_other_releases() {
        let liquid = chain("liquidv1", 9, 9, false);
        assert_eq!(
            unfit(&liquid, &node(290_000), &["29.0.0-29.9.99".parse().unwrap()]),
            None
        );
    }

    #[test]
    fn releases_do_not_matter_on_test_chains() {
        assert_eq!(
            unfit(&chain("liquidregtest", 9, 9, false), &node(230_303), &KNOWN_SAFE),
            None
        );
    }

    #[test]
    fn ranges_are_read_and_written() {
        let range: Releases = "23.3.4-23.3.99".parse().unwrap();
        assert_eq!((range, range.to_string().as_str()), (KNOWN_SAFE[0], "23.3.4-23.3.99"));
        for bad in [
            "",
            "23.3.4",
            "23.3.4-",
            "23.3.9-23.3.4",
            "23.3-23.4",
            "23.3.100-23.4.0",
            "a-b",
        ] {
            assert!(bad.parse::<Releases>().is_err(), "{bad}");
        }
    }
}
