//! Which swaps there are: rows of data.

use std::fmt;

use anyhow::Result;
use sluice::swap::timelocks::Timelocks;
use sluice::swap::{Kind, Role};
use sluice::units::Asset;

use super::Ending;
use crate::daemons::{peerswapd, require};
use crate::world::lightning;
use crate::world::party::Program;
use crate::world::side::Side;

/// One swap of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What alice and bob run.
    pub programs: [Program; 2],
    /// What their Lightning nodes are.
    pub lightning: lightning::Kind,
    /// Who asks for the swap.
    pub initiator: Side,
    /// The direction, as the initiator sees it.
    pub kind: Kind,
    /// What is swapped.
    pub asset: Asset,
    /// How it shall end.
    pub ending: Ending,
}

/// Who swaps with whom, over which nodes, and who of them asks. Go PeerSwap's daemon goes with lnd.
const PAIRS: [([Program; 2], lightning::Kind, &[Side]); 4] = [
    (
        [Program::Sluice, Program::Peerswap],
        lightning::Kind::Lnd,
        &[Side::Alice, Side::Bob],
    ),
    ([Program::Sluice, Program::Sluice], lightning::Kind::Lnd, &[Side::Alice]),
    ([Program::Sluice, Program::Sluice], lightning::Kind::Cln, &[Side::Alice]),
    (
        [Program::Sluice, Program::Sluice],
        lightning::Kind::LndCln,
        &[Side::Alice],
    ),
];
/// The order of endings within a world: the last one leaves a daemon dead for a while.
const ENDINGS: [Ending; 4] = [Ending::Paid, Ending::Cancel, Ending::Coop, Ending::Csv];
const KINDS: [Kind; 2] = [Kind::Out, Kind::In];

/// Every row there is: Sluice with Go PeerSwap, either asking, and Sluice with itself.
#[must_use]
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for (programs, lightning, initiators) in PAIRS {
        for asset in Asset::ALL {
            for ending in ENDINGS {
                for &initiator in initiators {
                    rows.extend(KINDS.map(|kind| Row {
                        programs,
                        lightning,
                        initiator,
                        kind,
                        asset,
                        ending,
                    }));
                }
            }
        }
    }
    rows
}

impl Row {
    /// The side with that part in the swap.
    #[must_use]
    pub fn side(&self, role: Role) -> Side {
        match (self.kind, role) {
            (Kind::Out, Role::Taker) | (Kind::In, Role::Maker) => self.initiator,
            (Kind::Out, Role::Maker) | (Kind::In, Role::Taker) => self.initiator.other(),
        }
    }

    /// What a side runs.
    #[must_use]
    pub fn program(&self, side: Side) -> Program {
        self.programs[side.index()]
    }

    /// Whether both are played in one world: with the same nodes and programs, and the same side asking, so that the
    /// swaps with Go PeerSwap, most of them slow by its own timers, are two worlds' work.
    #[must_use]
    pub fn shares_world(&self, other: &Row) -> bool {
        self.programs == other.programs && self.lightning == other.lightning && self.initiator == other.initiator
    }

    /// Whether the asset's timelocks are safe in the protocol version of the Go PeerSwap, if one takes part.
    #[must_use]
    pub fn is_safe_with(&self, go: Option<u8>) -> bool {
        let takes_part = self.programs.contains(&Program::Peerswap);
        let version = go.filter(|_| takes_part);
        version.is_none_or(|version| Timelocks::of(self.asset, version).is_some())
    }

    /// Whether every word of a filter is in the row's name.
    #[must_use]
    pub fn fits(&self, filter: &str) -> bool {
        let name = self.to_string();
        filter
            .split_whitespace()
            .all(|word| name.split(' ').any(|part| part == word))
    }

    /// Which program is not there to play a row with.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let mut needed = vec!["elementsd", "bitcoind"];
        needed.extend(self.lightning.programs().iter().flatten().map(|program| program.name()));
        needed.dedup();
        let mut found = needed.into_iter().map(require).collect::<Vec<_>>();
        if self.programs.contains(&Program::Peerswap) {
            found.push(peerswapd::programs().map(|(program, _)| program));
        }
        let reasons: Vec<String> = found
            .into_iter()
            .filter_map(Result::err)
            .map(|error| format!("{error:#}"))
            .collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.program(self.initiator), self.program(self.initiator.other()));
        let ending = match self.ending {
            Ending::Paid => "paid",
            Ending::Coop => "coop",
            Ending::Csv => "csv",
            Ending::Cancel => "cancel",
        };
        let lightning = match self.lightning {
            lightning::Kind::Embedded => "embedded",
            lightning::Kind::Lnd => "lnd-lnd",
            lightning::Kind::Cln => "cln-cln",
            lightning::Kind::LndCln => "lnd-cln",
        };
        let (from, to, kind, asset) = (from.name(), to.name(), self.kind, self.asset);
        write!(f, "{from}>{to} {kind} {asset} {ending} {lightning}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own_and_is_found_by_it() {
        let rows = all();
        let names: HashSet<String> = rows.iter().map(Row::to_string).collect();
        assert_eq!(names.len(), rows.len());
        assert!(rows.iter().all(|row| row.fits(&row.to_string())));
        let found = rows.iter().filter(|row| row.fits("go>sluice out lbtc"));
        assert_eq!(found.count(), 4, "one for each ending");
        assert!(!rows.iter().any(|row| row.fits("sluice>go sluice>sluice")));
    }

    #[test]
    fn with_an_older_go_peerswap_only_btc_is_swapped() {
        let rows = all();
        let count = |go| rows.iter().filter(|row| row.is_safe_with(go)).count();
        assert_eq!((count(None), count(Some(7))), (80, 80));
        assert_eq!((count(Some(6)), count(Some(5))), (64, 64));
        let unsafe_one = |row: &&Row| !row.is_safe_with(Some(6));
        assert!(
            rows.iter()
                .filter(unsafe_one)
                .all(|row| row.fits("lbtc") && !row.fits("sluice>sluice"))
        );
    }

    #[test]
    fn who_asks_for_a_swap_in_makes_the_opening() {
        let row = all()[0];
        let inward = Row { kind: Kind::In, ..row };
        assert_eq!(row.side(Role::Maker), row.initiator.other());
        assert_eq!(inward.side(Role::Maker), row.initiator);
    }
}
