//! Swaps of every state, for tests: the store's examples.

use serde::Deserialize;

use crate::store::state_name;
use crate::swap::{Maker, State, Swap};

/// The example in that state.
pub(super) fn example(state: &str) -> Swap {
    #[derive(Deserialize)]
    struct Line {
        record: Swap,
    }
    let lines = include_str!("../../tests/data/swaps-schema-2.jsonl").lines();
    let mut swaps = lines.map(|line| serde_json::from_str::<Line>(line).unwrap().record);
    swaps.find(|swap| state_name(&swap.state) == state).unwrap()
}

/// The example of a maker's state, changed.
pub(super) fn maker(state: &str, change: impl FnOnce(&mut Maker)) -> Swap {
    let mut swap = example(state);
    let State::Maker(_, maker) = &mut swap.state else {
        panic!("{state} is no maker's");
    };
    change(maker);
    swap
}
