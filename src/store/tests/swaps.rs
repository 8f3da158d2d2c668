//! Steps, locks, lists.

use std::time::{Duration, Instant};

use super::*;
use crate::swap::{Outcome, State, holds_channel};
use crate::units::{RawTx, SwapId};
use examples::{SECRETS, in_state, secret_events};

const SCID: Scid = Scid(1);

/// A store with one swap in it, just requested.
fn with_swap() -> (TempDir, Store, Swap) {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let first = swap(1, SCID);
    assert_eq!(store.create(&first, None).unwrap(), Created::New(Seq(1)));
    (dir, store, first)
}

fn names(store: &Store, filter: &Filter, limit: usize) -> Vec<u8> {
    let listed = store.list(filter, limit).unwrap();
    listed.iter().map(|summary| summary.id.0[0]).collect()
}

#[test]
fn a_step_is_stored_whole() {
    let (dir, store, first) = with_swap();
    for (state, seq) in states().into_iter().zip(2..) {
        let (prev, next) = (store.swap(first.id).unwrap().unwrap(), in_state(&first, state));
        assert_eq!(store.commit(&prev, &tick(), NOW, &next).unwrap(), Seq(seq));
        assert_eq!(store.swap(first.id).unwrap().as_ref(), Some(&next));
        let summary = store.list(&Filter::default(), 1).unwrap().remove(0);
        assert_eq!(
            (summary.state.as_str(), summary.updated_at),
            (state_name(&next.state), NOW.time)
        );
        let row = store.history(first.id).unwrap().pop().unwrap();
        let names = (row.before.as_deref(), row.after.as_str());
        assert_eq!(names, (Some(state_name(&prev.state)), state_name(&next.state)));
        assert_eq!((row.seq, row.at, row.tip), (Seq(seq), NOW.time, NOW.tip));
    }
    drop(store);
    let last = in_state(&first, states().pop().unwrap());
    let store = open(dir.path());
    assert_eq!(store.swap(first.id).unwrap(), Some(last));
    assert_eq!(store.history(first.id).unwrap().len(), states().len() + 1);
    // the last states have no premium any more, its summary does
    let summary = store.list(&Filter::default(), 1).unwrap().remove(0);
    assert_eq!(summary.premium.map(bitcoin::SignedAmount::to_sat), Some(-150));
    assert!(matches!(summary.outcome, Some(Outcome::Lost { .. })));
}

#[test]
fn a_process_that_dies_loses_no_step_that_was_committed() {
    let (dir, store, first) = with_swap();
    let next = in_state(&first, states().remove(0));
    store.commit(&first, &tick(), NOW, &next).unwrap();
    // the file as a kill would leave it, the database being open
    let after_kill = TempDir::new().unwrap();
    fs::copy(dir.path().join(FILE_NAME), after_kill.path().join(FILE_NAME)).unwrap();
    let survivor = open(after_kill.path());
    assert_eq!(survivor.swap(first.id).unwrap(), Some(next));
    assert_eq!(survivor.last_seq().unwrap(), Seq(2));
    assert_eq!(survivor.channel_holder(SCID).unwrap(), Some(first.id));
}

#[test]
fn a_step_that_is_not_committed_leaves_nothing() {
    let (dir, store, first) = with_swap();
    let second = swap(2, Scid(2));
    let cut: Result<(), StoreError> = store.write(|transaction| {
        let mut swaps = transaction.open_table(SWAPS).map_err(database)?;
        swaps.insert(second.id.0, b"half a step".as_slice()).map_err(database)?;
        Err(StoreError::Unknown(second.id))
    });
    assert!(cut.is_err());
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.swap(second.id).unwrap(), None);
    assert_eq!(store.open_swaps().unwrap(), vec![first]);
}

#[test]
fn of_two_steps_from_the_same_state_the_second_is_refused() {
    let (_dir, store, first) = with_swap();
    let mut states = states().into_iter();
    let (one, other) = (states.next().unwrap(), states.next().unwrap());
    let one = in_state(&first, one);
    store.commit(&first, &tick(), NOW, &one).unwrap();
    let refused = store.commit(&first, &tick(), NOW, &in_state(&first, other));
    assert!(matches!(refused, Err(StoreError::Stale(id)) if id == first.id));
    assert_eq!(store.swap(first.id).unwrap(), Some(one));
    assert_eq!(store.last_seq().unwrap(), Seq(2));
}

#[test]
fn a_step_of_no_swap_or_of_another_swap_is_refused() {
    let (_dir, store, first) = with_swap();
    let other = swap(2, SCID);
    assert!(matches!(
        store.commit(&other, &tick(), NOW, &other),
        Err(StoreError::Unknown(_))
    ));
    assert!(matches!(
        store.commit(&first, &tick(), NOW, &other),
        Err(StoreError::Rewritten(_))
    ));
}

#[test]
fn one_swap_per_channel_and_the_refusal_names_it() {
    let (_dir, store, first) = with_swap();
    let error = store.create(&swap(2, SCID), Some("key")).expect_err("held");
    assert_eq!(
        error.to_string(),
        format!("already has an active swap on channel 0x0x1: {}", first.id)
    );
    // nothing of the refused one is left, its key neither
    assert_eq!(store.swap_of_key("key").unwrap(), None);
    assert_eq!(names(&store, &Filter::default(), 9), [1]);
    assert_eq!(
        store.create(&swap(2, Scid(2)), Some("key")).unwrap(),
        Created::New(Seq(2))
    );
    assert!(matches!(
        store.create(&swap(2, Scid(3)), None),
        Err(StoreError::Exists(_))
    ));
}

#[test]
fn a_channel_is_free_once_its_swap_cannot_pay_any_more() {
    let mut released = Vec::new();
    for state in states() {
        let (_dir, store, first) = with_swap();
        let next = in_state(&first, state);
        store.commit(&first, &tick(), NOW, &next).unwrap();
        let held = store.channel_holder(SCID).unwrap().is_some();
        assert_eq!(held, holds_channel(&next.state), "{}", state_name(&next.state));
        if !held && !matches!(next.state, State::Closed(_)) {
            released.push(state_name(&next.state));
        }
    }
    let expected = [
        "claiming_coop",
        "claiming_csv",
        "claiming_invoice",
        "coop_closing",
        "canceling",
    ];
    assert_eq!(released, expected);
}

#[test]
fn the_end_of_a_swap_does_not_free_the_channel_of_the_next() {
    let (_dir, store, first) = with_swap();
    let canceling = states().into_iter().find(|state| state_name(state) == "canceling");
    let canceling = in_state(&first, canceling.unwrap());
    store.commit(&first, &tick(), NOW, &canceling).unwrap();
    let second = swap(2, SCID);
    store.create(&second, None).unwrap();
    let closed = in_state(&first, State::Closed(Outcome::ClaimedByCsv));
    store.commit(&canceling, &tick(), NOW, &closed).unwrap();
    assert_eq!(store.channel_holder(SCID).unwrap(), Some(second.id));
    assert_eq!(store.open_swaps().unwrap(), vec![second]);
}

#[test]
fn the_same_idempotency_key_never_makes_a_second_swap() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let first = swap(1, SCID);
    assert_eq!(store.create(&first, Some("pay day")).unwrap(), Created::New(Seq(1)));
    assert_eq!(
        store.create(&swap(2, SCID), Some("pay day")).unwrap(),
        Created::Earlier(first.id)
    );
    let closed = in_state(&first, State::Closed(Outcome::ClaimedByInvoice));
    store.commit(&first, &tick(), NOW, &closed).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(
        store.create(&swap(3, SCID), Some("pay day")).unwrap(),
        Created::Earlier(first.id)
    );
    assert_eq!(store.swap_of_key("pay day").unwrap(), Some(first.id));
    assert_eq!(names(&store, &Filter::default(), 9), [1]);
}

#[test]
fn the_journal_has_one_order_and_no_secrets() {
    let (_dir, store, first) = with_swap();
    let second = swap(2, Scid(2));
    store.create(&second, None).unwrap();
    let mut prev = first.clone();
    let events = secret_events();
    for (event, state) in events.iter().zip(states()) {
        let next = in_state(&first, state);
        store.commit(&prev, event, NOW, &next).unwrap();
        prev = next;
    }
    let all = store.events_since(Seq(0), 100).unwrap();
    let order: Vec<_> = all.iter().map(|row| (row.seq.0, row.swap_id.0[0])).collect();
    assert_eq!(order, [(1, 1), (2, 2), (3, 1), (4, 1), (5, 1), (6, 1)]);
    assert_eq!(store.events_since(Seq(1), 1).unwrap(), all[1..2]);
    assert_eq!(store.events_since(Seq(6), 9).unwrap(), []);
    let of_first: Vec<_> = store.history(first.id).unwrap().iter().map(|row| row.seq.0).collect();
    assert_eq!(of_first, [1, 3, 4, 5, 6]);
    assert_eq!(all[2].event.as_deref(), Some("Payment(Claim, Paid(Preimage(…)))"));
    let text = serde_json::to_string(&all).unwrap();
    for secret in SECRETS {
        let as_array = format!("{0}, {0}", secret[0]);
        assert!(
            !text.contains(&hex::encode(secret)) && !text.contains(&as_array),
            "{text}"
        );
    }
    assert!(text.contains("tx: RawTx(40 bytes)"), "{text}");
}

#[test]
fn lists_are_newest_first_filtered_and_paged() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    for id in 1..=5 {
        let mut swap = swap(id, Scid(u64::from(id)));
        // the last two were made in the same second
        swap.created_at = Timestamp(u64::from(id.min(4)));
        swap.peer = point(1 + id % 2);
        store.create(&swap, None).unwrap();
    }
    let second = store.swap(SwapId([2; 32])).unwrap().unwrap();
    let closed = in_state(&second, State::Closed(Outcome::ClaimedByCoop));
    store.commit(&second, &tick(), NOW, &closed).unwrap();
    let of = |filter| names(&store, &filter, 9);
    assert_eq!(of(Filter::default()), [5, 4, 3, 2, 1]);
    assert_eq!(
        of(Filter {
            open: Some(true),
            ..Filter::default()
        }),
        [5, 4, 3, 1]
    );
    assert_eq!(
        of(Filter {
            open: Some(false),
            ..Filter::default()
        }),
        [2]
    );
    assert_eq!(
        of(Filter {
            peer: Some(point(1)),
            ..Filter::default()
        }),
        [4, 2]
    );
    assert_eq!(
        of(Filter {
            asset: Some(Asset::Btc),
            ..Filter::default()
        }),
        [] as [u8; 0]
    );
    let mut filter = Filter::default();
    let mut pages = Vec::new();
    while let Some(last) = store.list(&filter, 2).unwrap().last() {
        pages.push(names(&store, &filter, 2));
        filter.after = Some((last.created_at, last.id));
    }
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
}

#[test]
fn a_thousand_swaps_are_listed_at_once_without_reading_their_transactions() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let filled: Result<(), StoreError> = store.write(|transaction| {
        for number in 0..1000u64 {
            let mut swap = swap(1, Scid(number));
            swap.id.0[..8].copy_from_slice(&number.to_be_bytes());
            swap.created_at = Timestamp(number);
            swap.state = states()
                .into_iter()
                .find(|state| state_name(state) == "claiming_invoice")
                .unwrap();
            if let State::Taker(_, crate::swap::Taker::ClaimingInvoice { opening, .. }) = &mut swap.state {
                *opening = RawTx::from(vec![0xdd; 9000]);
            }
            super::super::swaps::put_swap(transaction, &swap, swap.created_at)?;
        }
        // a list that reads swaps would now fail
        let mut swaps = transaction.open_table(SWAPS).map_err(database)?;
        swaps.retain(|_, _| false).map_err(database)?;
        Ok(())
    });
    filled.unwrap();
    let begin = Instant::now();
    let newest = store.list(&Filter::default(), 20).unwrap();
    let page = begin.elapsed();
    assert_eq!(newest.first().map(|summary| summary.created_at), Some(Timestamp(999)));
    assert_eq!(store.list(&Filter::default(), usize::MAX).unwrap().len(), 1000);
    let all = begin.elapsed();
    assert!(
        page < Duration::from_millis(50) && all < Duration::from_secs(1),
        "{page:?}, all {all:?}"
    );
}
