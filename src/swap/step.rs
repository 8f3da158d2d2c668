//! Dispatch.
use super::{Effect, Event, Now, State, Swap};
/// Result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing changes.
    Stay,
    /// The next state.
    To(Box<Swap>),
}
/// Pure.
#[must_use]
pub fn step(_swap: &Swap, _now: Now, _event: &Event) -> Step {
    Step::Stay
}
/// Pure.
#[must_use]
pub fn wants(_swap: &Swap) -> Vec<Effect> {
    vec![]
}
/// Pure.
#[must_use]
pub fn holds_channel(_state: &State) -> bool {
    true
}
