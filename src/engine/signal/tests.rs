//! Words of effects that come when the swap has gone on. The swaps are the store's examples, and step as they do for real.

use std::sync::Arc;

use tokio::sync::RwLock;

use super::*;
use crate::engine::desk::Desk;
use crate::engine::examples::{example, maker};
use crate::store::state_name;
use crate::swap::event::{ChainView, EffectKind, Made, OpeningView, SpendPath, TxKind, Verdict};
use crate::swap::fees::TxCost;
use crate::swap::progress::Progress;
use crate::swap::state::{Claim, Maker, Race};
use crate::swap::{Now, Outgoing, Step, step};
use crate::units::{FeeRate, Height, RawTx, Timestamp, TxId};

const WISH: Wish = Wish { rate: Some(FeeRate(9)) };

/// An opening that waits for a block, with a child that has not helped.
fn slow() -> Swap {
    maker("opened", |maker| {
        let Maker::Opened(opened) = maker else {
            panic!("{maker:?}");
        };
        (opened.confirmed_at, opened.children, opened.progress) = (None, vec![version(1)], Progress::Stuck);
    })
}

/// An opening that is being taken back, with a void that has not helped.
fn voiding(race: Race) -> Swap {
    maker("voiding", |maker| {
        let Maker::Voiding(voiding) = maker else {
            panic!("{maker:?}");
        };
        (voiding.voids, voiding.progress, voiding.race) = (vec![version(1)], Progress::Stuck, race);
    })
}

/// Coins on one of their two ways back, which nobody can pay for any more, with these claims made.
fn claiming(state: &str, made: Vec<Claim>) -> Swap {
    maker(state, |maker| {
        let (Maker::ClaimingCoop { refund, .. } | Maker::ClaimingCsv { refund, .. }) = maker else {
            panic!("{maker:?}");
        };
        (refund.invoice_closed, refund.claims) = (true, made);
    })
}

fn version(n: u8) -> Claim {
    Claim {
        tx: RawTx::from(vec![n]),
        txid: TxId(bitcoin::hashes::Hash::from_byte_array([n; 32])),
        cost: TxCost {
            fee: bitcoin::Amount::from_sat(23),
            vsize: 1347,
            discount_vsize: 230,
        },
    }
}

fn push(n: u8) -> Event {
    Event::Made(Made::Push(version(n)))
}

fn void(n: u8) -> Event {
    Event::Made(Made::Void(version(n)))
}

fn refused(kind: EffectKind) -> Event {
    Event::Refused(kind, "no".into())
}

/// The signal of a transaction whose coins are locked.
fn locked(effect: Effect, event: Event) -> Signal {
    let making = Arc::new(RwLock::new(())).try_read_owned().unwrap();
    Signal::Locked(effect, event, making)
}

/// The swap after an event that it takes.
fn after(swap: &Swap, event: &Event) -> Swap {
    let now = Now {
        time: Timestamp(swap.created_at.0 + 1),
        tip: Some(Height(swap.anchor.0 + 1)),
    };
    match step(swap, now, event) {
        Step::To(next) => *next,
        Step::Stay => panic!("{event:?} means nothing in {:?}", swap.state),
    }
}

fn makes(swap: &Swap, effect: &Effect) -> bool {
    wants(swap).contains(effect)
}

#[test]
fn the_answer_of_a_claim_by_both_keys_is_not_taken_for_the_refunds() {
    let [by_both, by_csv] = [SpendPath::Coop, SpendPath::Csv].map(|path| Effect::MakeClaim(path, None));
    let coop = claiming("claiming_coop", Vec::new());
    assert!(makes(&coop, &by_both));
    let csv = after(
        &coop,
        &Event::Chain(ChainView {
            tip: Height(20_000),
            opening: OpeningView::Confirmed {
                at: Height(501),
                verdict: Verdict::Good(RawTx::from(vec![0])),
            },
            spend: None,
            conflict: None,
            gone: false,
        }),
    );
    assert!(makes(&csv, &by_csv) && !makes(&csv, &by_both));
    for answer in [Event::Made(Made::Claim(version(1))), refused(EffectKind::MakeClaim)] {
        let [of_both, of_csv] = [&by_both, &by_csv].map(|by| Signal::Answer(by.clone(), answer.clone()));
        assert_eq!(of_both.heard(&coop), Heard::Observe(&answer));
        assert_eq!(of_both.heard(&csv), Heard::Nothing);
        assert_eq!(of_csv.heard(&csv), Heard::Observe(&answer));
        // the machine itself knows only that it is a claim's: it would take either for the refund's
        assert!(!makes(&after(&csv, &answer), &by_csv));
    }
}

#[test]
fn the_refusal_of_a_request_is_not_taken_for_that_of_its_cancel() {
    let requested = example("requested");
    let canceling = after(&requested, &Event::Abort("no balance".into()));
    let [request, cancel] = [Outgoing::Request, Outgoing::Cancel("no balance".into())]
        .map(|message| Effect::Send { message, repeat: false });
    assert!(makes(&requested, &request) && makes(&canceling, &cancel));
    let refusal = refused(EffectKind::Send);
    let [of_request, of_cancel] = [request, cancel].map(|send| Signal::Answer(send, refusal.clone()));
    assert_eq!(of_request.heard(&requested), Heard::Observe(&refusal));
    assert_eq!(
        of_request.heard(&canceling),
        Heard::Nothing,
        "the peer would never be told"
    );
    assert_eq!(of_cancel.heard(&canceling), Heard::Observe(&refusal));
    assert_eq!(state_name(&after(&canceling, &refusal).state), "closed");
}

#[test]
fn a_version_made_before_the_operator_wished_otherwise_is_kept_and_the_wish_stays() {
    for (swap, make, made, kind) in [
        (
            slow(),
            Effect::MakePush as fn(Option<Wish>) -> Effect,
            push(2),
            TxKind::Push,
        ),
        (voiding(Race::Open), Effect::MakeVoid, void(2), TxKind::Void),
    ] {
        assert!(makes(&swap, &make(None)));
        let older = locked(make(None), made.clone());
        assert_eq!(older.heard(&swap), Heard::Observe(&made));

        let wished = after(&swap, &Event::Bump(WISH));
        assert!(makes(&wished, &make(Some(WISH))) && !makes(&wished, &make(None)));
        assert_eq!(older.heard(&wished), Heard::ObserveThenWish(&made, WISH));
        let kept = after(&wished, &made);
        let wished = after(&kept, &Event::Bump(WISH));
        assert!(makes(&wished, &make(Some(WISH))));
        let published = wants(&wished).into_iter().find_map(|wanted| match wanted {
            Effect::Broadcast { kind: of, tx, .. } if of == kind => Some(tx),
            _ => None,
        });
        assert_eq!(published, Some(version(2).tx));

        let as_wished = locked(make(Some(WISH)), made.clone());
        assert_eq!(as_wished.heard(&wished), Heard::Observe(&made), "it fulfils the wish");
    }
}

#[test]
fn a_push_or_void_made_when_none_is_wanted_any_more_is_of_no_use() {
    let confirmed = example("opened");
    let raced = voiding(Race::Void(Height(510)));
    for (swap, effect, made) in [
        (&confirmed, Effect::MakePush(None), push(2)),
        (&confirmed, Effect::MakePush(Some(WISH)), push(2)),
        (&raced, Effect::MakeVoid(None), void(2)),
        (&raced, Effect::MakeVoid(Some(WISH)), void(2)),
        (&voiding(Race::Open), Effect::MakePush(None), push(2)),
    ] {
        assert_eq!(locked(effect, made.clone()).heard(swap), Heard::Unused(&made));
    }
    // a wish for another claim is none for a push
    let claiming = after(&claiming("claiming_csv", vec![version(1)]), &Event::Bump(WISH));
    assert!(makes(&claiming, &Effect::MakeClaim(SpendPath::Csv, Some(WISH))));
    let late = locked(Effect::MakePush(None), push(2));
    assert_eq!(late.heard(&claiming), Heard::Unused(&push(2)));
}

#[test]
fn after_the_end_no_answer_is_heard_and_all_that_was_made_is_of_no_use() {
    let over = example("closed");
    let State::Maker(_, Maker::Publishing { opening, .. }) = example("publishing").state else {
        panic!("no maker's");
    };
    // it comes as an observation: while the swap lives, the machine itself tells whether it is of use
    let opening = Event::Made(Made::Opening(opening));
    assert_eq!(Signal::Event(opening.clone()).heard(&over), Heard::Unused(&opening));
    assert_eq!(
        Signal::Event(opening.clone()).heard(&example("publishing")),
        Heard::Observe(&opening)
    );
    for (effect, made) in [(Effect::MakePush(None), push(2)), (Effect::MakeVoid(None), void(2))] {
        assert_eq!(locked(effect, made.clone()).heard(&over), Heard::Unused(&made));
    }
    let answer = Event::Made(Made::Claim(version(2)));
    let answer = Signal::Answer(Effect::MakeClaim(SpendPath::Csv, None), answer);
    assert_eq!(answer.heard(&over), Heard::Nothing);
    let joined = Desk::<()>::new().to_begin(&[Effect::MakePush(None)]).unwrap();
    assert_eq!(
        Signal::Ended(joined.clone()).heard(&over),
        Heard::Ended(&joined),
        "the end waits for it"
    );
}
