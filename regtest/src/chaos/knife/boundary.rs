//! The names of the points at which a daemon can be cut.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// In which of its lives a daemon passes a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// The one in which the swap is ordered.
    First,
    /// Started again, with the swap in its store.
    Again,
}

/// Which side of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It has not begun.
    Before,
    /// It is done, and nobody knows.
    After,
}

/// A point of a daemon's life that a crash can be told from its neighbours by: just before, or just after, something
/// reached the disk or the world.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Boundary {
    /// In which life.
    pub act: Act,
    /// What is done, such as `sync` or `broadcast`.
    pub effect: String,
    /// The how-manieth of its kind, from 1.
    pub ordinal: u32,
    /// On which side of it.
    pub phase: Phase,
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let act = match self.act {
            Act::First => "",
            Act::Again => "again:",
        };
        let phase = match self.phase {
            Phase::Before => "before",
            Phase::After => "after",
        };
        write!(f, "{act}{}#{} {phase}", self.effect, self.ordinal)
    }
}

/// The text is no boundary's name.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is no boundary: must be such as `sync#3 before` or `again:broadcast#1 after`")]
pub struct NoBoundary(String);

impl FromStr for Boundary {
    type Err = NoBoundary;

    fn from_str(text: &str) -> Result<Boundary, NoBoundary> {
        let parsed = || {
            let (act, rest) = match text.strip_prefix("again:") {
                Some(rest) => (Act::Again, rest),
                None => (Act::First, text),
            };
            let (place, phase) = rest.split_once(' ')?;
            let (effect, ordinal) = place.split_once('#')?;
            let phase = match phase {
                "before" => Phase::Before,
                "after" => Phase::After,
                _ => return None,
            };
            Some(Boundary {
                act,
                effect: Some(effect).filter(|effect| !effect.is_empty())?.to_owned(),
                ordinal: ordinal.parse().ok()?,
                phase,
            })
        };
        parsed().ok_or_else(|| NoBoundary(text.to_owned()))
    }
}

impl TryFrom<String> for Boundary {
    type Error = NoBoundary;

    fn try_from(text: String) -> Result<Boundary, NoBoundary> {
        text.parse()
    }
}

impl From<Boundary> for String {
    fn from(boundary: Boundary) -> String {
        boundary.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_read_as_it_is_written() {
        for name in ["sync#3 before", "broadcast#1 after", "again:send-cancel#12 after"] {
            let boundary: Boundary = name.parse().expect("a boundary");
            assert_eq!(boundary.to_string(), name);
        }
        for wrong in [
            "",
            "sync#3",
            "sync 3 before",
            "#1 after",
            "sync#x after",
            "sync#1 during",
        ] {
            assert!(wrong.parse::<Boundary>().is_err(), "{wrong}");
        }
    }
}
