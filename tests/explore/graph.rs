//! Breadth-first exploration of a world, with the shortest way to whatever is wrong in it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::rc::Rc;

use sluice::swap::Swap;

/// A state of the world, small enough to have all of them.
pub trait World: Clone + Hash {
    /// How the words of the peer's own moves begin: nothing may depend on its goodwill.
    const PEER: &'static str;

    /// Everything that may happen next, in words, with the world after it. What changes nothing may be among them.
    fn moves(&self) -> Vec<(&'static str, Self)>;
    /// What must never be.
    fn check(&self) -> Result<(), String>;
    /// How the swap ended, if it has.
    fn end(&self) -> Option<String>;
    /// Whether the bounds leave room enough for the swap to end without the peer.
    fn must_end(&self) -> bool;
    /// The world in words, for the report of a violation.
    fn describe(&self) -> String;
}

pub struct Explored {
    states: usize,
    transitions: usize,
    ends: BTreeMap<String, usize>,
}

impl Explored {
    /// The outcomes that were reached, by their first word.
    pub fn ends_in(&self, expected: &[&str]) {
        let reached: Vec<&str> = self.ends.keys().map(String::as_str).collect();
        assert_eq!(reached, expected);
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (states, transitions, ends) = (self.states, self.transitions, &self.ends);
        write!(f, "{states} states, {transitions} transitions, ends {ends:?}")
    }
}

/// How a state was reached first.
struct Reached {
    from: usize,
    by: &'static str,
}

fn way_to(reached: &[Reached], mut state: usize) -> String {
    let mut steps = Vec::new();
    while state != 0 {
        steps.push(reached[state].by);
        state = reached[state].from;
    }
    steps.reverse();
    steps.join("\n  ")
}

/// Visits every reachable state once; panics with the shortest way to a state that must not be, or that has no way to
/// an end without the peer.
pub fn explore<W: World>(begin: W) -> Explored {
    // A hash of 64 bits stands for a state: keeping a million swaps would take gigabytes.
    let hasher = RandomState::new();
    let print = |world: &W| hasher.hash_one(world);
    let mut known = HashMap::from([(print(&begin), 0)]);
    let mut reached = vec![Reached { from: 0, by: "" }];
    let (mut transitions, mut edges): (usize, Vec<(usize, usize)>) = (0, Vec::new());
    let (mut ends, mut ended, mut expected) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut open = VecDeque::from([(0, begin)]);
    while let Some((here, world)) = open.pop_front() {
        if let Err(wrong) = world.check() {
            panic!("{wrong}\n  {}\n{}", way_to(&reached, here), world.describe());
        }
        if let Some(end) = world.end() {
            *ends.entry(end).or_default() += 1;
            ended.push(here);
        }
        if world.must_end() {
            expected.push(here);
        }
        for (by, next) in world.moves() {
            let there = *known.entry(print(&next)).or_insert_with(|| {
                reached.push(Reached { from: here, by });
                open.push_back((reached.len() - 1, next));
                reached.len() - 1
            });
            if there != here {
                transitions += 1;
                if !by.starts_with(W::PEER) {
                    edges.push((there, here));
                }
            }
        }
    }
    let leads = leading_to(reached.len(), edges, ended);
    if let Some(stuck) = expected.into_iter().find(|state| !leads[*state]) {
        panic!(
            "without the peer no way leads to an end from here:\n  {}",
            way_to(&reached, stuck)
        );
    }
    Explored {
        states: reached.len(),
        transitions,
        ends,
    }
}

/// Which states have a way to one of `ended`. `edges` are (to, from).
fn leading_to(states: usize, mut edges: Vec<(usize, usize)>, ended: Vec<usize>) -> Vec<bool> {
    edges.sort_unstable();
    let mut leads = vec![false; states];
    let mut open = ended;
    while let Some(state) = open.pop() {
        if std::mem::replace(&mut leads[state], true) {
            continue;
        }
        let first = edges.partition_point(|(to, _)| *to < state);
        open.extend(
            edges[first..]
                .iter()
                .take_while(|(to, _)| *to == state)
                .map(|(_, from)| from),
        );
    }
    leads
}

/// A committed swap with its hash: most moves leave it as it is.
#[derive(Debug, Clone)]
pub struct Committed {
    pub swap: Rc<Swap>,
    hash: u64,
}

impl Committed {
    pub fn new(swap: Swap) -> Committed {
        let hash = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(&swap.state);
        Committed {
            swap: Rc::new(swap),
            hash,
        }
    }
}

impl Hash for Committed {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.hash.hash(hasher);
    }
}
