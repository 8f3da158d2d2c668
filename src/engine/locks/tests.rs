//! Which steps ask for the wallet's locks to be put in order.

use bitcoin::hashes::Hash;
use elements::{LockTime, Transaction, TxIn};

use super::*;
use crate::engine::examples::{example, maker};
use crate::swap::event::TxKind;
use crate::swap::fees::TxCost;
use crate::units::{Height, RawTx, TxId};

const NOTHING: Event = Event::Accepted(TxKind::Opening);

fn coin(n: u8) -> OutPoint {
    OutPoint {
        txid: TxId(bitcoin::Txid::from_byte_array([n; 32])),
        vout: 0,
    }
}

/// A transaction that spends these coins.
fn spending(coins: &[u8]) -> Claim {
    let input = |n: &u8| TxIn {
        previous_output: elements::OutPoint::new(elements::Txid::from_byte_array([*n; 32]), 0),
        ..TxIn::default()
    };
    let tx = Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: coins.iter().map(input).collect(),
        output: Vec::new(),
    };
    Claim {
        tx: RawTx::from(elements::encode::serialize(&tx)),
        txid: coin(0).txid,
        cost: TxCost {
            fee: bitcoin::Amount::from_sat(23),
            vsize: 1347,
            discount_vsize: 230,
        },
    }
}

/// An opening that spends coin 1, in that block, with these children.
fn opened(at: Option<Height>, children: Vec<Claim>) -> Swap {
    maker("opened", |maker| {
        let Maker::Opened(opened) = maker else {
            panic!("{maker:?}");
        };
        (opened.opening.inputs, opened.confirmed_at, opened.children) = (vec![coin(1)], at, children);
    })
}

fn voiding(voids: Vec<Claim>) -> Swap {
    maker("voiding", |maker| {
        let Maker::Voiding(voiding) = maker else {
            panic!("{maker:?}");
        };
        (voiding.opening.inputs, voiding.voids) = (vec![coin(1)], voids);
    })
}

fn publishing(coins: &[u8]) -> (Swap, Event) {
    let mut made = None;
    let swap = maker("publishing", |maker| {
        let Maker::Publishing { opening, .. } = maker else {
            panic!("{maker:?}");
        };
        opening.inputs = coins.iter().copied().map(coin).collect();
        made = Some(Event::Made(Made::Opening(opening.clone())));
    });
    (swap, made.unwrap())
}

#[test]
fn an_opening_that_is_kept_leaves_the_locks_as_they_are_and_one_that_is_not_frees_its_coins() {
    let (publishing, made) = publishing(&[1, 2]);
    assert!(!differ(&example("funding"), &publishing, &made));
    for over in ["closed", "canceling", "funding"] {
        assert!(differ(&example(over), &example(over), &made), "{over}");
    }
}

#[test]
fn a_block_that_holds_the_opening_frees_the_change_that_its_child_would_have_spent_and_nothing_else() {
    let block = Some(Height(7));
    let [pushed, alone] = [vec![spending(&[9])], Vec::new()].map(|children| opened(None, children));
    assert!(!differ(&alone, &opened(block, Vec::new()), &NOTHING));
    assert!(differ(&pushed, &opened(block, Vec::new()), &NOTHING));
    assert!(!differ(
        &opened(block, Vec::new()),
        &opened(block, Vec::new()),
        &NOTHING
    ));
    assert!(!differ(&opened(block, Vec::new()), &example("closed"), &NOTHING));
}

#[test]
fn an_opening_that_a_reorg_takes_out_of_its_block_has_its_coins_locked_again() {
    let [block, mempool] = [Some(Height(7)), None].map(|at| opened(at, Vec::new()));
    assert!(differ(&block, &mempool, &NOTHING));
}

#[test]
fn a_push_or_void_that_is_kept_leaves_the_locks_as_they_are_and_one_that_is_not_frees_its_coins() {
    let push = Event::Made(Made::Push(spending(&[9])));
    let [alone, pushed] = [Vec::new(), vec![spending(&[9])]].map(|children| opened(None, children));
    assert!(!differ(&alone, &pushed, &push));
    assert!(!differ(&pushed, &pushed, &push), "another child of the same coin");
    assert!(differ(&alone, &alone, &push));
    let void = Event::Made(Made::Void(spending(&[1, 9])));
    let [none, one, other] = [vec![], vec![spending(&[1, 9])], vec![spending(&[1, 9]), spending(&[1])]].map(voiding);
    assert!(!differ(&none, &one, &void));
    assert!(differ(&none, &none, &void));
    assert!(
        differ(&one, &other, &Event::Made(Made::Void(spending(&[1])))),
        "one that needs less"
    );
    assert!(differ(&one, &example("closed"), &NOTHING));
}

#[test]
fn a_swap_frees_its_coins_where_it_ends_before_its_opening_is_in_a_block_and_keeps_them_until_then() {
    let (publishing, opened) = (publishing(&[1]).0, opened(None, Vec::new()));
    assert!(!differ(&publishing, &opened, &NOTHING));
    assert!(!differ(&opened, &voiding(Vec::new()), &NOTHING));
    for before in [publishing, opened, voiding(Vec::new())] {
        assert!(differ(&before, &example("closed"), &NOTHING));
    }
}
