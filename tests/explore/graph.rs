//! Breadth-first exploration of a world, with the shortest way to whatever is wrong in it.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use crate::rules::{Invariant, Machine, Violation};

/// Who makes a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The daemon or its node, which do it before long whenever they run.
    Us,
    /// Blocks and time: it comes by itself.
    World,
    /// What goes wrong, or right again by luck: it may happen, and nothing may depend on it.
    Chance,
    /// What the operator does: no swap may wait for it.
    Operator,
    /// Nothing may depend on the peer's goodwill.
    Peer,
}

impl Who {
    /// Whether a swap may count on it.
    fn is_sure(self) -> bool {
        match self {
            Who::Us | Who::World => true,
            Who::Chance | Who::Operator | Who::Peer => false,
        }
    }
}

/// What may go on for ever. Each is a decision, and each world says where it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endless {
    /// The operator is asked, and one wish of it must be enough.
    LeftToOperator,
    /// We have what is ours, or take it should its chance ever come, and nobody waits for the swap.
    Watched,
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

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { faults, bumps } = self;
        write!(f, "{faults} faults, {bumps} bumps")
    }
}

/// A state of the world, small enough to have all of them.
pub trait World: Copy + Eq + Hash + fmt::Debug {
    /// Adds whatever may happen next.
    fn moves(&self, machine: &mut Machine, moves: &mut Vec<Move<Self>>);
    /// What must never be.
    fn check(&self, machine: &Machine) -> Result<(), Violation>;
    /// How the swap ended, if it has.
    fn end(&self, machine: &Machine) -> Option<&'static str>;
    /// By which decision nothing that is sure to come ends the swap from here.
    fn endless(&self, machine: &Machine) -> Option<Endless>;
}

#[derive(Debug)]
pub struct Explored {
    pub states: usize,
    pub transitions: usize,
    swaps: usize,
    endless: BTreeMap<Endless, usize>,
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
        let endless = &self.endless;
        write!(
            f,
            "{states} states, {transitions} transitions, {swaps} records of the swap, ends {ends:?}, endless \
             {endless:?}"
        )
    }
}

/// A violation, and the shortest way to it.
#[derive(Debug)]
pub struct Caught {
    pub violation: Violation,
    pub states: usize,
    /// The moves that lead there.
    way: Vec<&'static str>,
    /// What it looks like there.
    there: String,
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}\n  {}", self.violation, self.way.join("\n  "), self.there)
    }
}

/// Every state that has been met, in the order of the first ways to them, and from which state each was reached first.
struct Met<W> {
    worlds: IndexSet<W, FxBuildHasher>,
    from: Vec<u32>,
}

impl<W: World> Met<W> {
    /// The violation, with the shortest way to its state.
    fn caught(&self, state: usize, machine: &mut Machine, violation: Violation) -> Caught {
        Caught {
            violation,
            states: self.worlds.len(),
            way: self.way_to(state, machine),
            there: format!("{:#?}", self.worlds[state]),
        }
    }

    /// The shortest way to a state. A move is told by where it leads.
    fn way_to(&self, state: usize, machine: &mut Machine) -> Vec<&'static str> {
        let mut steps = Vec::new();
        let mut there = state;
        while there != 0 {
            let here = self.from[there] as usize;
            let mut moves = Vec::new();
            self.worlds[here].moves(machine, &mut moves);
            let taken = moves.iter().find(|taken| taken.to == self.worlds[there]);
            steps.push(taken.map_or("", |taken| taken.by));
            there = here;
        }
        steps.reverse();
        steps
    }

    /// The number of a state, which may be a new one.
    fn number(&mut self, world: W, from: usize) -> u32 {
        let (there, is_new) = self.worlds.insert_full(world);
        if is_new {
            self.from.push(number(from));
        }
        number(there)
    }
}

fn number(state: usize) -> u32 {
    u32::try_from(state).unwrap()
}

/// Visits every reachable state once.
///
/// # Errors
/// The first state that must not be, or one from which no sure way leads to an end, with the shortest way there.
pub fn explore<W: World>(begin: W, machine: &mut Machine) -> Result<Explored, Caught> {
    let mut met = Met {
        worlds: IndexSet::from_iter([begin]),
        from: vec![0],
    };
    let (mut transitions, mut edges): (usize, Vec<(u32, u32)>) = (0, Vec::new());
    let (mut ends, mut endless, mut ended) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let (mut here, mut moves) = (0, Vec::new());
    while let Some(&world) = met.worlds.get_index(here) {
        if let Err(violation) = world.check(machine) {
            return Err(met.caught(here, machine, violation));
        }
        world.moves(machine, &mut moves);
        if let Some(end) = world.end(machine) {
            *ends.entry(end).or_default() += 1;
            ended.push(number(here));
        } else if let Some(decided) = world.endless(machine)
            && (decided != Endless::LeftToOperator || operator_ends_it(&moves, machine))
        {
            *endless.entry(decided).or_default() += 1;
            ended.push(number(here));
        }
        for Move { who, to, .. } in moves.drain(..) {
            if to == world {
                continue;
            }
            transitions += 1;
            let there = met.number(to, here);
            if who.is_sure() {
                edges.push((number(here), there));
            }
        }
        here += 1;
    }
    let states = met.worlds.len();
    if let Some(stuck) = first_stuck(states, &edges, ended) {
        let violation = Violation::new(
            Invariant::CanEnd,
            "nothing that is sure to come leads to an end from here",
        );
        return Err(met.caught(stuck, machine, violation));
    }
    let swaps = machine.swaps();
    Ok(Explored {
        states,
        transitions,
        swaps,
        endless,
        ends,
    })
}

fn operator_ends_it<W: World>(moves: &[Move<W>], machine: &Machine) -> bool {
    let mut wishes = moves.iter().filter(|made| made.who == Who::Operator);
    wishes.any(|made| made.to.end(machine).is_some())
}

/// The first state without a way to one of `ended`. `edges` are (from, to).
fn first_stuck(states: usize, edges: &[(u32, u32)], ended: Vec<u32>) -> Option<usize> {
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
    leads.iter().position(|leads| !leads)
}
