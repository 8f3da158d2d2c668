//! Which shortcut is taken in which world, and what it must break.

mod fees;
mod makers;
mod margins;
mod takers;

use sluice::swap::event::Event;
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, Now, Step, Swap};
use sluice::units::Asset;

use super::Mutation;
use crate::graph::Bounds;
use crate::rules::Invariant::CanEnd;
use crate::rules::{Invariant, Rules, SHIPPED};

type StepOf = fn(&Swap, Now, &Event) -> Step;
type WantsOf = fn(&Swap) -> Vec<Effect>;

fn of(role: Role, name: &'static str, rules: Rules, breaks: Invariant) -> Mutation {
    Mutation {
        name,
        rules,
        role,
        kind: Kind::In,
        asset: Asset::Lbtc,
        bounds: Bounds {
            faults: u8::from(breaks != CanEnd),
            bumps: 0,
        },
        breaks: Some(breaks),
    }
}

fn taker_steps(name: &'static str, step: StepOf, breaks: Invariant) -> Mutation {
    of(Role::Taker, name, Rules { step, ..SHIPPED }, breaks)
}

fn taker_wants(name: &'static str, wants: WantsOf, breaks: Invariant) -> Mutation {
    of(Role::Taker, name, Rules { wants, ..SHIPPED }, breaks)
}

fn maker_steps(name: &'static str, step: StepOf, breaks: Invariant) -> Mutation {
    of(Role::Maker, name, Rules { step, ..SHIPPED }, breaks)
}

fn maker_wants(name: &'static str, wants: WantsOf, breaks: Invariant) -> Mutation {
    of(Role::Maker, name, Rules { wants, ..SHIPPED }, breaks)
}

/// "Go": a shortcut of Go PeerSwap.
pub fn mutations() -> Vec<Mutation> {
    let mut all = fees::rows();
    all.extend(takers::rows());
    all.extend(margins::rows());
    all.extend(makers::rows());
    all
}
