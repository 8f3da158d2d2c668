//! Peers that begin no new swaps for a time. What runs goes on whoever is in quarantine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::Offence;
use crate::units::{NodeId, Timestamp};

/// The most peers in quarantine at a time: node ids are free, and the list is one row.
const MOST: usize = 1_024;

/// Why a peer is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The operator wants it.
    Operator,
    /// Too many messages.
    Flood,
    /// Too many malformed messages.
    Malformed,
    /// Too many requests against the rules.
    Refused,
    /// Too many swaps begun and dropped.
    Abandoned,
    /// Too many openings neither paid nor given back.
    Stranded,
}

impl From<Offence> for Cause {
    fn from(offence: Offence) -> Cause {
        match offence {
            Offence::Flood => Cause::Flood,
            Offence::Malformed => Cause::Malformed,
            Offence::Refused => Cause::Refused,
            Offence::Abandoned => Cause::Abandoned,
            Offence::Stranded => Cause::Stranded,
        }
    }
}

/// A peer's quarantine. It survives restarts and ends by itself, or by the operator's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What led to it, for programs.
    pub cause: Cause,
    /// The same for people; the operator's note, if it is the operator's.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// From when on new swaps are made again.
    pub until: Timestamp,
}

impl Quarantine {
    /// What an offence leads to.
    #[must_use]
    pub fn of(offence: Offence, now: Timestamp) -> Quarantine {
        let threshold = offence.threshold();
        let (count, within) = (threshold.count, plainly(threshold.within_secs));
        Quarantine {
            cause: offence.into(),
            reason: format!("{count} {offence} within {within}"),
            since: now,
            until: now.plus_secs(threshold.quarantine_secs),
        }
    }

    /// Who or what put it there, in words.
    #[must_use]
    pub fn why(&self) -> String {
        match (self.cause, self.reason.is_empty()) {
            (Cause::Operator, true) => "quarantined by the operator".into(),
            (Cause::Operator, false) => format!("quarantined by the operator: {}", self.reason),
            _ => self.reason.clone(),
        }
    }
}

/// A whole number of the largest unit that measures it.
fn plainly(secs: u64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let unit = units
        .iter()
        .find(|(size, _)| secs.is_multiple_of(*size) && secs >= 2 * size);
    unit.map_or_else(
        || format!("{secs} seconds"),
        |(size, name)| format!("{} {name}", secs / size),
    )
}

/// Who is in quarantine.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantines(BTreeMap<NodeId, Quarantine>);

impl Quarantines {
    /// The quarantine of a peer, unless it is over.
    #[must_use]
    pub fn of(&self, peer: &NodeId, now: Timestamp) -> Option<&Quarantine> {
        self.0.get(peer).filter(|quarantine| now < quarantine.until)
    }

    /// Who is in quarantine now.
    pub fn now(&self, now: Timestamp) -> impl Iterator<Item = (&NodeId, &Quarantine)> {
        self.0.iter().filter(move |(_, quarantine)| now < quarantine.until)
    }

    /// Begins one, in place of an earlier one of that peer. Those that are over go; if there are too many, the one that
    /// would end first goes.
    pub fn begin(&mut self, peer: NodeId, quarantine: Quarantine) {
        let now = quarantine.since;
        self.0.retain(|_, known| now < known.until);
        self.0.insert(peer, quarantine);
        while self.0.len() > MOST {
            let soonest = self.0.iter().filter(|(known, _)| **known != peer);
            let Some(soonest) = soonest.min_by_key(|(_, known)| known.until).map(|(known, _)| *known) else {
                return;
            };
            self.0.remove(&soonest);
        }
    }

    /// Ends a peer's quarantine.
    pub fn release(&mut self, peer: &NodeId) {
        self.0.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::examples::peer;

    #[test]
    fn a_quarantine_tells_why_and_ends_by_itself_or_by_the_operators_word() {
        let mut all = Quarantines::default();
        let flood = Quarantine::of(Offence::Flood, Timestamp(1_000));
        assert_eq!(
            flood.reason,
            "1000 messages beyond what is taken of a peer within 10 minutes"
        );
        all.begin(peer(1), flood.clone());
        assert_eq!(all.of(&peer(1), Timestamp(4_599)), Some(&flood));
        assert_eq!(all.of(&peer(1), Timestamp(4_600)), None);
        assert_eq!(all.of(&peer(2), Timestamp(1_000)), None);
        all.release(&peer(1));
        assert_eq!(all, Quarantines::default());
    }

    #[test]
    fn a_thousand_names_do_not_make_the_list_grow_without_end() {
        let mut all = Quarantines::default();
        for number in 0..1_100 {
            all.begin(peer(number), Quarantine::of(Offence::Flood, Timestamp(number.into())));
        }
        assert_eq!(all.0.len(), MOST);
        assert_eq!(
            all.of(&peer(0), Timestamp(1)),
            None,
            "the one that would have ended first"
        );
        assert!(all.of(&peer(1_099), Timestamp(1_099)).is_some());
        all.begin(peer(0), Quarantine::of(Offence::Flood, Timestamp(1_000_000)));
        assert_eq!(all.0.len(), 1, "those that are over have gone");
    }
}
