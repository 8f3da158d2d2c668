//! Which swaps are cut, and how.

use std::fmt;

use clap::ValueEnum;
use sluice::swap::{Kind, Role};
use sluice::units::Asset;

use super::knife::{Act, Boundary, Entry, Phase, Refusal, SYNC, WRITE};
use crate::play::Direction;
use crate::world::backends::name_of;
use crate::world::lightning;
use crate::world::side::Side;

/// How a swap ends that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ending {
    /// The taker pays and claims the coins
    Paid,
    /// The taker's node cannot pay: its key goes to the maker, who takes the coins back at once
    Coop,
    /// The taker is gone until the maker has taken its coins back after the timelock
    Csv,
    /// The same, and no miner takes the opening: the maker takes it back; on embedded Lightning only
    Void,
    /// The responder wants more premium than the initiator allows: nothing is opened
    Cancel,
}

/// A kind of swap, which alice orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) asset: Asset,
    pub(super) direction: Direction,
    pub(super) ending: Ending,
}

/// How a daemon is cut off at a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Manner {
    /// `kill -9`, at every boundary
    Kill,
    /// `kill -9` of this daemon, at every boundary, and of the other at once
    Both,
    /// A power cut at every sync: what was written and not synced is lost
    Power,
    /// `kill -9` after every sync, then at each boundary of the start in turn, until it gets through
    Startup,
    /// No space on the disk, from each write and each sync on
    Full,
    /// A read-only disk, from each sync on
    ReadOnly,
}

/// One cut.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Cut {
    /// Whose daemon.
    pub(super) role: Role,
    pub(super) manner: Manner,
    pub(super) at: Boundary,
}

const KINDS: [Direction; 2] = [Direction::Out, Direction::In];

impl Script {
    /// Every kind of swap there is.
    pub(super) fn all() -> impl Iterator<Item = Script> {
        let kinds = |asset| {
            Ending::value_variants().iter().flat_map(move |ending| {
                KINDS.map(|direction| Script {
                    asset,
                    direction,
                    ending: *ending,
                })
            })
        };
        Asset::ALL.into_iter().flat_map(kinds)
    }

    /// Whether the taker is away while the maker takes its coins back.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.ending, Ending::Csv | Ending::Void)
    }

    /// Whether it can be played on such nodes: an invoice's time cannot be made to pass on real ones.
    pub(super) fn is_played_on(&self, lightning: lightning::Kind) -> bool {
        self.ending != Ending::Void || lightning == lightning::Kind::Embedded
    }

    /// As the command line names it.
    pub(super) fn options(&self) -> String {
        let (direction, ending) = (name_of(&self.direction), name_of(&self.ending));
        format!("--asset {} --direction {direction} --ending {ending}", self.asset)
    }

    pub(super) fn kind(&self) -> Kind {
        self.direction.into()
    }

    /// The side with that part in the swap.
    pub(super) fn side(&self, role: Role) -> Side {
        match (self.kind(), role) {
            (Kind::Out, Role::Taker) | (Kind::In, Role::Maker) => Side::Alice,
            (Kind::Out, Role::Maker) | (Kind::In, Role::Taker) => Side::Bob,
        }
    }

    /// The part of a side in the swap.
    pub(super) fn role(&self, side: Side) -> Role {
        if self.side(Role::Maker) == side {
            Role::Maker
        } else {
            Role::Taker
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.asset,
            name_of(&self.direction),
            name_of(&self.ending)
        )
    }
}

impl Manner {
    /// Whether a boundary is one for this kind of cut.
    pub(super) fn fits(self, entry: &Entry) -> bool {
        let at = &entry.boundary;
        let before = at.phase == Phase::Before;
        match self {
            Manner::Kill | Manner::Both => at.effect != WRITE,
            Manner::Power => at.effect == SYNC && before,
            Manner::Startup => at.effect == SYNC && !before && at.act == Act::First,
            Manner::Full => before && (at.effect == SYNC || at.effect == WRITE),
            Manner::ReadOnly => before && at.effect == SYNC,
        }
    }

    /// What the disk says; None: it is not the disk that is at fault.
    pub(super) fn refusal(self) -> Option<Refusal> {
        match self {
            Manner::Full => Some(Refusal::Full),
            Manner::ReadOnly => Some(Refusal::ReadOnly),
            Manner::Kill | Manner::Both | Manner::Power | Manner::Startup => None,
        }
    }
}

impl Cut {
    /// The command that makes this cut alone.
    pub(super) fn command(&self, script: &Script, world: &str) -> String {
        format!(
            "cargo regtest chaos {} --side {} --manner {} --at '{}'{world}",
            script.options(),
            side(self.role),
            name_of(&self.manner),
            self.at
        )
    }
}

/// A part in a swap, as the command line names it.
pub(super) fn side(role: Role) -> &'static str {
    match role {
        Role::Maker => "maker",
        Role::Taker => "taker",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(boundary: &str) -> Vec<String> {
        let entry = Entry {
            epoch: 1,
            boundary: boundary.parse().expect("a boundary"),
            struck: false,
        };
        let fits = Manner::value_variants().iter().filter(|manner| manner.fits(&entry));
        fits.map(name_of).collect()
    }

    #[test]
    fn every_boundary_is_cut_in_every_manner_that_makes_a_difference_there() {
        assert_eq!(fitting("sync#1 before"), ["kill", "both", "power", "full", "read-only"]);
        assert_eq!(fitting("sync#1 after"), ["kill", "both", "startup"]);
        assert_eq!(fitting("again:sync#1 after"), ["kill", "both"]);
        assert_eq!(fitting("write#1 before"), ["full"]);
        for effect in ["broadcast#1 before", "pay#1 after"] {
            assert_eq!(fitting(effect), ["kill", "both"]);
        }
    }

    #[test]
    fn a_cut_can_be_made_again_by_its_command() {
        let script = Script {
            asset: Asset::Btc,
            direction: Direction::In,
            ending: Ending::Coop,
        };
        let cut = Cut {
            role: Role::Taker,
            manner: Manner::ReadOnly,
            at: "sync#3 before".parse().expect("a boundary"),
        };
        let command = "cargo regtest chaos --asset btc --direction in --ending coop --side taker --manner read-only \
                       --at 'sync#3 before' --lightning lnd";
        assert_eq!(cut.command(&script, " --lightning lnd"), command);
    }
}
