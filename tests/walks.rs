//! Random walks of the machine: whatever happens, in whatever order, some things hold.
#![allow(clippy::unwrap_used)]

#[path = "machine/fixtures/mod.rs"]
mod fixtures;

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::SignedAmount;
use fixtures::*;
use proptest::prelude::*;
use proptest::sample::select;
use sluice::swap::event::{
    ChainView, EffectKind, Event, Failure, InvoiceKind, InvoiceStatus, Made, MessageKind, OpeningView, PaymentStatus,
    PeerMessage, Spend, SpendPath, TxKind,
};
use sluice::swap::state::{Attempt, GivenInvoice, Maker, Offer, State, Swap, Taker};
use sluice::swap::terms::{Deal, Kind, Role};
use sluice::swap::{Effect, Now, Step, holds_channel, step, wants};
use sluice::units::{Asset, CltvDelta, Height, Msat, Preimage, RawTx, Timestamp};

/// A clock, a tip and what is observed then.
type Moment = (Now, Event);

fn invoice_kind() -> impl Strategy<Value = InvoiceKind> {
    select(vec![InvoiceKind::Fee, InvoiceKind::Claim])
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("no".to_owned()), ".{0,20}"]
}

/// Heights at the borders of the timelocks, and any other.
fn height() -> impl Strategy<Value = Height> {
    let borders = vec![
        0, 99, 100, 101, 102, 103, 152, 153, 159, 160, 454, 455, 603, 604, 1107, 1108, 10_179, 10_180,
    ];
    prop_oneof![8 => select(borders), 4 => 95u32..250, 2 => 0u32..12_000, 1 => any::<u32>()].prop_map(Height)
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![6 => 0u64..700, 3 => 0u64..8000, 1 => 0u64..10_000_000]
        .prop_map(|secs| START.plus_secs(secs))
        .boxed()
}

fn given(kind: InvoiceKind) -> impl Strategy<Value = GivenInvoice> {
    let right = match kind {
        InvoiceKind::Fee => fee_invoice(),
        InvoiceKind::Claim => claim_invoice(Kind::Out, Asset::Lbtc),
    };
    let amount = prop_oneof![4 => Just(right.amount), 4 => Just(Some(due(Kind::In))), 1 => any::<Option<u64>>().prop_map(|a| a.map(Msat))];
    let payee = prop_oneof![9 => Just(peer_node()), 1 => Just(our_node())];
    let cltv = prop_oneof![9 => Just(right.final_cltv), 1 => any::<u32>().prop_map(CltvDelta)];
    let expires = prop_oneof![4 => Just(right.expires_at), 1 => time()];
    (amount, payee, cltv, expires, prop::bool::weighted(0.95)).prop_map(
        move |(amount, payee, final_cltv, expires_at, our_network)| GivenInvoice {
            amount,
            payee,
            final_cltv,
            expires_at,
            our_network,
            ..right.clone()
        },
    )
}

fn offers() -> impl Strategy<Value = Offer> {
    (given(InvoiceKind::Claim), prop::bool::weighted(0.8)).prop_map(|(invoice, confidential)| Offer {
        invoice,
        txid: txid(1),
        blinding_key: confidential.then(peer_secret),
    })
}

fn deals() -> impl Strategy<Value = Deal> {
    let premium = prop_oneof![4 => Just(PREMIUM.to_sat()), 2 => -5000i64..5000, 1 => any::<i64>()];
    (premium, select(vec![peer_key(), peer_key(), peer_key(), our_key()])).prop_map(|(premium, peer_key)| Deal {
        premium: SignedAmount::from_sat(premium),
        peer_key,
    })
}

fn message_kind() -> impl Strategy<Value = MessageKind> {
    select(vec![
        MessageKind::Request,
        MessageKind::Agreement,
        MessageKind::Opening,
        MessageKind::Cancel,
        MessageKind::CoopClose,
    ])
}

fn messages() -> impl Strategy<Value = PeerMessage> {
    let version = || prop_oneof![9 => Just(7u8), 1 => any::<u8>()];
    prop_oneof![
        3 => (version(), deals()).prop_map(|(version, deal)| PeerMessage::InAgreement { version, deal }),
        3 => (version(), deals(), given(InvoiceKind::Fee))
            .prop_map(|(version, deal, fee)| PeerMessage::OutAgreement { version, deal, fee }),
        4 => offers().prop_map(PeerMessage::Opening),
        1 => words().prop_map(PeerMessage::Cancel),
        2 => (words(), select(vec![peer_key(), other_key()]))
            .prop_map(|(reason, key_of)| PeerMessage::CoopClose { reason, key: peer_secret(), key_of }),
        1 => (message_kind(), words()).prop_map(|(message, reason)| PeerMessage::Malformed { message, reason }),
    ]
}

fn paths() -> impl Strategy<Value = SpendPath> {
    select(vec![SpendPath::Preimage, SpendPath::Coop, SpendPath::Csv])
}

fn views() -> impl Strategy<Value = ChainView> {
    let opening = prop_oneof![
        2 => Just(OpeningView::Unseen),
        1 => Just(OpeningView::Mempool),
        6 => height().prop_map(|at| confirmed(at.0)),
        1 => height().prop_map(|at| confirmed_bad(at.0)),
    ];
    let spend = (height(), paths(), any::<bool>()).prop_map(|(at, path, ours)| Spend { at, path, ours });
    (
        height(),
        opening,
        prop::option::weighted(0.1, spend),
        prop::option::weighted(0.05, height()),
    )
        .prop_map(|(tip, opening, spend, conflict)| ChainView {
            tip,
            opening,
            spend,
            conflict,
        })
}

fn statuses() -> impl Strategy<Value = PaymentStatus> {
    let failure = select(vec![Failure::Temporary, Failure::NoBalance, Failure::WrongDetails]);
    prop_oneof![
        1 => Just(PaymentStatus::Absent),
        2 => Just(PaymentStatus::InFlight),
        2 => invoice_kind().prop_map(|kind| PaymentStatus::Paid(preimage(kind))),
        1 => any::<[u8; 32]>().prop_map(|bytes| PaymentStatus::Paid(Preimage::from_bytes(bytes))),
        2 => failure.prop_map(PaymentStatus::Failed),
    ]
}

fn transactions() -> impl Strategy<Value = TxKind> {
    select(vec![TxKind::Opening, TxKind::Claim, TxKind::Void])
}

fn effects() -> impl Strategy<Value = EffectKind> {
    prop_oneof![
        Just(EffectKind::Send),
        Just(EffectKind::MakeInvoice),
        Just(EffectKind::MakeOpening),
        Just(EffectKind::MakeClaim),
        Just(EffectKind::MakeVoid),
        transactions().prop_map(EffectKind::Broadcast),
        invoice_kind().prop_map(EffectKind::Pay),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        invoice_kind().prop_map(|kind| Made::Invoice(kind, own_invoice(kind))),
        Just(Made::Opening(opening())),
        (0u8..9).prop_map(|n| Made::Claim(claim(n))),
        Just(Made::Void(void_tx())),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let invoice_status = select(vec![InvoiceStatus::Open, InvoiceStatus::Paid, InvoiceStatus::Closed]);
    prop_oneof![
        1 => Just(Event::Started),
        6 => messages().prop_map(Event::Peer),
        6 => views().prop_map(Event::Chain),
        2 => (invoice_kind(), invoice_status).prop_map(|(kind, status)| Event::Invoice(kind, status)),
        5 => (invoice_kind(), statuses()).prop_map(|(kind, status)| Event::Payment(kind, status)),
        1 => invoice_kind().prop_map(Event::CallLost),
        5 => made().prop_map(Event::Made),
        1 => message_kind().prop_map(Event::Sent),
        2 => transactions().prop_map(Event::Accepted),
        1 => (effects(), words()).prop_map(|(effect, reason)| Event::Refused(effect, reason)),
        1 => Just(Event::Tick),
        1 => words().prop_map(Event::Abort),
    ]
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let moment = (time(), prop::option::weighted(0.9, height()), events());
    prop::collection::vec(moment.prop_map(|(time, tip, event)| (Now { time, tip }, event)), 1..40)
}

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
                Maker::Voiding { spend, .. } => found.extend(spend),
                Maker::ClaimingCoop { refund, .. } | Maker::ClaimingCsv { refund, .. } => {
                    found.extend(refund.claims.iter().map(|claim| &claim.tx));
                }
                Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } | Maker::Opened(_) => {}
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

fn walk(mut swap: Swap, moments: Vec<Moment>) -> Result<(), TestCaseError> {
    check_state(&swap)?;
    for (now, event) in moments {
        let stepped = step(&swap, now, &event);
        prop_assert_eq!(&stepped, &step(&swap, now, &event), "step is a function");
        if let Step::To(next) = stepped {
            check_step(&swap, now, &event, &next)?;
            check_state(&next)?;
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
