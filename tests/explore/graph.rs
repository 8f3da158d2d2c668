//! Breadth-first exploration of a world, with the shortest way to whatever is wrong in it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;

use crate::rules::{Invariant, Machine, Violation};

/// Who makes a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The daemon or its node, which do it before long whenever they run.
    Us,
    /// Blocks, time, faults, the operator's moods: it may happen.
    World,
    /// Nothing may depend on the peer's goodwill.
    Peer,
}

/// Something that may happen next. What changes nothing may be among them.
pub struct Move<W> {
    pub who: Who,
    pub by: &'static str,
    pub to: W,
}

/// How often something may go wrong or be wished for on one way.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Deaths of the daemon, broken connections, reorgs.
    pub faults: u8,
    /// The operator's wishes for another version of a transaction.
    pub bumps: u8,
}

/// A state of the world, small enough to have all of them.
pub trait World: Copy + Eq + Hash + fmt::Debug {
    fn moves(&self, machine: &mut Machine) -> Vec<Move<Self>>;
    /// What must never be.
    fn check(&self, machine: &Machine) -> Result<(), Violation>;
    /// How the swap ended, if it has.
    fn end(&self, machine: &Machine) -> Option<&'static str>;
}

#[derive(Debug)]
pub struct Explored {
    pub states: usize,
    pub transitions: usize,
    swaps: usize,
    ends: BTreeMap<&'static str, usize>,
}

impl Explored {
    /// The outcomes that were reached.
    pub fn ends_in(&self, expected: &[&str]) {
        let reached: Vec<&str> = self.ends.keys().copied().collect();
        assert_eq!(reached, expected);
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (states, transitions, swaps, ends) = (self.states, self.transitions, self.swaps, &self.ends);
        write!(
            f,
            "{states} states, {transitions} transitions, {swaps} records of the swap, ends {ends:?}"
        )
    }
}

/// A violation, and the shortest way to it.
#[derive(Debug)]
pub struct Caught {
    pub violation: Violation,
    pub states: usize,
    pub way: String,
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.violation, self.way)
    }
}

/// How a state was reached first.
struct Reached {
    from: u32,
    by: &'static str,
}

fn way_to(reached: &[Reached], mut state: u32) -> String {
    let mut steps = Vec::new();
    while state != 0 {
        let Reached { from, by } = reached[state as usize];
        steps.push(by);
        state = from;
    }
    steps.reverse();
    steps.join("\n  ")
}

/// Visits every reachable state once.
///
/// # Errors
/// The first state that must not be, or one that has no way to an end without the peer, with the shortest way there.
pub fn explore<W: World>(begin: W, machine: &mut Machine) -> Result<Explored, Caught> {
    let mut known = HashMap::from([(begin, 0)]);
    let mut reached = vec![Reached { from: 0, by: "" }];
    let (mut transitions, mut edges): (usize, Vec<(u32, u32)>) = (0, Vec::new());
    let (mut ends, mut ended) = (BTreeMap::new(), Vec::new());
    let mut open = VecDeque::from([(0, begin)]);
    while let Some((here, world)) = open.pop_front() {
        if let Err(violation) = world.check(machine) {
            let way = format!("{}\n{world:#?}", way_to(&reached, here));
            let states = reached.len();
            return Err(Caught { violation, states, way });
        }
        if let Some(end) = world.end(machine) {
            *ends.entry(end).or_default() += 1;
            ended.push(here);
        }
        for Move { who, by, to } in world.moves(machine) {
            if to == world {
                continue;
            }
            transitions += 1;
            let there = *known.entry(to).or_insert_with(|| {
                reached.push(Reached { from: here, by });
                let there = u32::try_from(reached.len() - 1).unwrap();
                open.push_back((there, to));
                there
            });
            if who != Who::Peer {
                edges.push((here, there));
            }
        }
    }
    let states = reached.len();
    if let Some(stuck) = first_stuck(states, &edges, ended) {
        let violation = Violation::new(Invariant::CanEnd, "without the peer no way leads to an end from here");
        let world = known.iter().find(|(_, id)| **id == stuck).map(|(world, _)| world);
        let way = format!("{}\n{world:#?}", way_to(&reached, stuck));
        return Err(Caught { violation, states, way });
    }
    let swaps = machine.swaps();
    Ok(Explored {
        states,
        transitions,
        swaps,
        ends,
    })
}

/// The first state without a way to one of `ended`. `edges` are (from, to).
fn first_stuck(states: usize, edges: &[(u32, u32)], ended: Vec<u32>) -> Option<u32> {
    // Where the edges into each state begin, once they are sorted by it.
    let mut begins = vec![0u32; states + 1];
    for (_, to) in edges {
        begins[*to as usize + 1] += 1;
    }
    for state in 0..states {
        begins[state + 1] += begins[state];
    }
    let (mut free, mut sorted) = (begins.clone(), vec![0u32; edges.len()]);
    for (from, to) in edges {
        sorted[free[*to as usize] as usize] = *from;
        free[*to as usize] += 1;
    }
    let mut leads = vec![false; states];
    let mut open = ended;
    while let Some(state) = open.pop() {
        if !std::mem::replace(&mut leads[state as usize], true) {
            let (first, last) = (begins[state as usize], begins[state as usize + 1]);
            open.extend(&sorted[first as usize..last as usize]);
        }
    }
    leads
        .iter()
        .position(|leads| !leads)
        .map(|state| u32::try_from(state).unwrap())
}
