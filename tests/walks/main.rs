//! Random walks of the machine: whatever happens, in whatever order, some things hold.
#![allow(clippy::unwrap_used)]

#[path = "../machine/fixtures/mod.rs"]
mod fixtures;
mod moments;

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::SignedAmount;
use fixtures::*;
use moments::{Moment, events, height, moments};
use proptest::prelude::*;
use proptest::sample::select;
use sluice::swap::event::{Event, InvoiceKind, PaymentStatus};
use sluice::swap::state::{Attempt, Maker, State, Swap, Taker, Voiding};
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, Now, Step, holds_channel, step, wants};
use sluice::units::{Asset, RawTx};

/// A swap of any kind in any state that a short, plain story leads to.
fn beginnings() -> impl Strategy<Value = Swap> {
    let taker: [fn(Case) -> Case; 8] = [
        |case| case,
        Case::awaiting_opening,
        Case::awaiting_confirmation,
        Case::paying_claim,
        Case::pausing,
        Case::abandoning_payment,
        Case::claiming_invoice,
        Case::coop_closing,
    ];
    let maker: [fn(Case) -> Case; 8] = [
        |case| case,
        Case::funding,
        Case::publishing,
        Case::voiding,
        Case::opened,
        Case::opened_and_confirmed,
        Case::claiming_coop,
        Case::claiming_csv,
    ];
    let sides = (
        select(vec![Kind::In, Kind::Out]),
        select(vec![Asset::Lbtc, Asset::Btc]),
        any::<bool>(),
        0usize..8,
    );
    sides.prop_map(move |(kind, asset, is_taker, story)| {
        let (role, story) = if is_taker {
            (Role::Taker, taker[story])
        } else {
            (Role::Maker, maker[story])
        };
        story(Case::new(role, kind, asset)).swap
    })
}

fn transactions_in(state: &State) -> BTreeSet<Arc<[u8]>> {
    let mut found: Vec<&RawTx> = Vec::new();
    match state {
        State::Maker(_, maker) => {
            found.extend(maker.opening().map(|opening| &opening.tx));
            match maker {
                Maker::Voiding(Voiding { voids, children, .. }) => {
                    found.extend(voids.iter().chain(children).map(|child| &child.tx));
                }
                Maker::Opened(opened) => found.extend(opened.children.iter().map(|child| &child.tx)),
                Maker::ClaimingCoop { opened, refund, .. } | Maker::ClaimingCsv { opened, refund } => {
                    found.extend(opened.children.iter().map(|child| &child.tx));
                    found.extend(refund.claims.iter().map(|claim| &claim.tx));
                }
                Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } => {}
            }
        }
        State::Taker(_, Taker::ClaimingInvoice { opening, claims, .. }) => {
            found.push(opening);
            found.extend(claims.iter().map(|claim| &claim.tx));
        }
        State::Taker(..) | State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => {}
    }
    found.into_iter().map(|tx| tx.0.clone()).collect()
}

fn is_closing(state: &State) -> bool {
    matches!(state, State::Taker(_, Taker::CoopClosing { .. }))
}

/// What holds of every swap, however it came about.
fn check_state(swap: &Swap) -> Result<(), TestCaseError> {
    let wanted = wants(swap);
    prop_assert_eq!(&wanted, &wants(swap), "wants is a function");
    let payments: Vec<InvoiceKind> = wanted
        .iter()
        .filter_map(|effect| match effect {
            Effect::Pay(payee) => Some(payee.kind),
            _ => None,
        })
        .collect();
    prop_assert!(payments.len() <= 1, "one payment at a time: {:?}", payments);
    prop_assert!(
        payments.is_empty() || !is_key_given(swap),
        "never the payment and the key"
    );
    prop_assert!(
        payments.is_empty() || holds_channel(&swap.state),
        "who pays holds the channel"
    );
    prop_assert_eq!(
        is_key_given(swap),
        is_closing(&swap.state),
        "the key leaves in one state only"
    );
    for effect in &wanted {
        if let (Effect::Pay(payee), Some(limits)) = (effect, swap.terms.timelocks()) {
            let bounded =
                payee.kind == InvoiceKind::Fee || payee.invoice.expires_at <= limits.pay_until(swap.created_at);
            prop_assert!(bounded, "the maker chose how late it is paid: {:?}", payee);
        }
    }
    let known = transactions_in(&swap.state);
    for effect in &wanted {
        if let Effect::Broadcast { tx, .. } = effect {
            prop_assert!(known.contains(&tx.0), "published but not committed: {:?}", effect);
        }
    }
    let distinct: std::collections::HashSet<&Effect> = wanted.iter().collect();
    prop_assert_eq!(distinct.len(), wanted.len(), "no effect is wanted twice");
    let stored = serde_json::to_string(swap).unwrap();
    prop_assert_eq!(
        &serde_json::from_str::<Swap>(&stored).unwrap(),
        swap,
        "a stored swap is the swap"
    );
    Ok(())
}

/// The evidence by which a taker may give its key away.
fn allows_key(before: &Swap, now: Now, event: &Event) -> bool {
    let State::Taker(_, state) = &before.state else {
        return false;
    };
    match state {
        // Nothing was ever paid for.
        Taker::AwaitingOpening | Taker::AwaitingConfirmation { .. } => true,
        Taker::PayingFee { .. } => matches!(event, Event::Payment(InvoiceKind::Fee, PaymentStatus::Paid(_))),
        Taker::PayingClaim { .. } | Taker::ClaimingInvoice { .. } => false,
        Taker::AbandoningPayment {
            paying, since, spent, ..
        } => match event {
            Event::Payment(InvoiceKind::Claim, PaymentStatus::Failed(_)) => now.time >= paying.quiet_from,
            Event::Payment(InvoiceKind::Claim, PaymentStatus::Absent) => {
                let expired = now.time >= paying.offer.invoice.expires_at;
                let silent = now.time >= since.plus_secs(1800);
                now.time >= paying.quiet_from && (*spent || (!paying.seen && (expired || silent)))
            }
            _ => false,
        },
        Taker::CoopClosing { .. } => true,
    }
}

/// The attempt to pay the claim that a state wants.
fn attempt_of(state: &State) -> Option<u32> {
    match state {
        State::Taker(
            _,
            Taker::PayingClaim {
                attempt: Attempt::Calling(number),
                ..
            },
        ) => Some(*number),
        _ => None,
    }
}

/// What holds of every step.
fn check_step(before: &Swap, now: Now, event: &Event, after: &Swap) -> Result<(), TestCaseError> {
    prop_assert_ne!(before, after, "a step changes the swap");
    prop_assert!(
        !matches!(before.state, State::Closed(_)),
        "a closed swap does not change"
    );
    let fixed = |swap: &Swap| Swap {
        state: State::Canceling {
            reason: String::new(),
            until: START,
        },
        ..swap.clone()
    };
    prop_assert_eq!(fixed(before), fixed(after), "only the state changes");
    if is_closing(&after.state) {
        prop_assert!(
            allows_key(before, now, event),
            "the key leaves {:?} on {:?}",
            before.state,
            event
        );
    }
    if let (Some(attempt), Some(limits)) = (attempt_of(&after.state), before.terms.timelocks())
        && attempt_of(&before.state) != Some(attempt)
    {
        prop_assert!(
            now.time < limits.pay_until(before.created_at),
            "attempt {attempt} begins at {:?}",
            now.time
        );
    }
    prop_assert!(
        holds_channel(&before.state) || !holds_channel(&after.state),
        "a channel that was freed is not held again"
    );
    if is_closing(&before.state) {
        prop_assert!(
            is_closing(&after.state) || matches!(after.state, State::Closed(_)),
            "the key is out"
        );
    }
    Ok(())
}

/// Whether a look at the chain that shows nothing new changes nothing more, or soon will not.
fn comes_to_rest(swap: &Swap, now: Now, look: &Event) -> bool {
    let mut swap = swap.clone();
    (0..4).any(|_| match step(&swap, now, look) {
        Step::Stay => true,
        Step::To(next) => {
            swap = *next;
            false
        }
    })
}

fn walk(mut swap: Swap, moments: Vec<Moment>) -> Result<(), TestCaseError> {
    check_state(&swap)?;
    for (now, event) in moments {
        let stepped = step(&swap, now, &event);
        prop_assert_eq!(&stepped, &step(&swap, now, &event), "step is a function");
        if let Step::To(next) = stepped {
            check_step(&swap, now, &event, &next)?;
            check_state(&next)?;
            prop_assert!(
                !matches!(event, Event::Chain(_)) || comes_to_rest(&next, now, &event),
                "the same look changes {:?} for ever",
                next.state
            );
            swap = *next;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_rules_hold(swap in beginnings(), moments in moments()) {
        walk(swap, moments)?;
    }

    #[test]
    fn an_event_that_was_taken_survives_the_journal(event in events()) {
        let stored = serde_json::to_string(&event).unwrap();
        prop_assert_eq!(serde_json::from_str::<Event>(&stored).unwrap(), event);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_swap_of_arbitrary_amounts_does_not_panic(
        swap in beginnings(),
        amount in any::<u64>(),
        limit in any::<i64>(),
        anchor in height(),
        moments in moments(),
    ) {
        let mut swap = swap;
        swap.terms.amount = bitcoin::Amount::from_sat(amount);
        swap.terms.premium_limit = SignedAmount::from_sat(limit);
        swap.anchor = anchor;
        walk(swap, moments)?;
    }
}
