//! Chains that make no new swaps until the operator says otherwise. Swaps under way go on whatever is paused.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Asset, Timestamp};

/// Who paused a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// The operator.
    Operator,
    /// The daemon, which saw a reorg deeper than the confirmations that it trusts.
    DeepReorg,
    /// The daemon, which found its database damaged and knows what could be read of it.
    Damage,
}

impl fmt::Display for PausedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PausedBy::Operator => "paused by the operator",
            PausedBy::DeepReorg => "paused after a deep reorg",
            PausedBy::Damage => "paused after damage to the database",
        })
    }
}

/// A chain's pause. It survives restarts, and ends by the operator's word only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: PausedBy,
    /// Since when.
    pub since: Timestamp,
    /// Why, for people.
    pub note: String,
}

/// The longest note, in characters.
pub const MAX_NOTE: usize = 200;

/// The pauses in force, by the asset that lives on the chain.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses(BTreeMap<Asset, Pause>);

impl Pauses {
    /// The pause of an asset's chain.
    #[must_use]
    pub fn of(&self, asset: Asset) -> Option<&Pause> {
        self.0.get(&asset)
    }

    /// Pauses a chain. One that is paused already keeps its time: the first pause is the one that people look for.
    pub fn pause(&mut self, asset: Asset, by: PausedBy, note: &str, now: Timestamp) {
        let since = self.0.get(&asset).map_or(now, |pause| pause.since);
        let note = note.to_owned();
        self.0.insert(asset, Pause { by, since, note });
    }

    /// Ends a chain's pause.
    pub fn resume(&mut self, asset: Asset) {
        self.0.remove(&asset);
    }
}

impl Pause {
    /// Why no new swap is made, in words.
    #[must_use]
    pub fn reason(&self) -> String {
        if self.note.is_empty() {
            return self.by.to_string();
        }
        format!("{}: {}", self.by, self.note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_pause_keeps_the_time_of_the_first() {
        let mut pauses = Pauses::default();
        pauses.pause(Asset::Lbtc, PausedBy::Operator, "", Timestamp(10));
        pauses.pause(Asset::Lbtc, PausedBy::DeepReorg, "5 blocks", Timestamp(20));
        let pause = pauses.of(Asset::Lbtc).unwrap();
        assert_eq!(pause.since, Timestamp(10));
        assert_eq!(pause.reason(), "paused after a deep reorg: 5 blocks");
        assert_eq!(pauses.of(Asset::Btc), None);
        pauses.resume(Asset::Lbtc);
        assert_eq!(pauses, Pauses::default());
    }
}
