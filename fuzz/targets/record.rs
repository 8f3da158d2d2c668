//! A stored swap, and what happens to it: a line with the swap as the database has it, then an event on each line.
//! Whatever is read, the machine takes it without a panic, and what it makes of it can be stored and read again.

use sluice::swap::{Event, Now, Step, Swap, step, wants};
use sluice::units::{Height, Timestamp};

pub fn run(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some(Ok(mut swap)) = lines.next().map(serde_json::from_slice::<Swap>) else {
        return;
    };
    let events = lines
        .map_while(|line| serde_json::from_slice::<Event>(line).ok())
        .take(64);
    for (number, event) in (0..).zip(events) {
        let now = Now {
            time: Timestamp(swap.created_at.0.saturating_add(number)),
            tip: match &event {
                Event::Chain(view) => Some(view.tip),
                _ => Some(Height(swap.anchor.0)),
            },
        };
        let _wanted = wants(&swap);
        if let Step::To(next) = step(&swap, now, &event) {
            assert_eq!((next.id, next.peer, &next.keys), (swap.id, swap.peer, &swap.keys));
            swap = *next;
        }
    }
    let _wanted = wants(&swap);
    let written = serde_json::to_vec(&swap).expect("a swap has text keys");
    let again: Swap = serde_json::from_slice(&written).expect("what we store is read");
    assert_eq!(again, swap);
}
