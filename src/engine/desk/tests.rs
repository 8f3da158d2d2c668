//! What is at work, told by what a driver does: it asks for what is wanted, begins it, and hears of its end.

use std::collections::HashSet;

use bitcoin::secp256k1::{SECP256K1, SecretKey};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::*;
use crate::swap::Payee;
use crate::swap::event::SpendPath;
use crate::swap::fees::Wish;
use crate::swap::state::GivenInvoice;
use crate::units::{CltvDelta, FeeRate, Height, PaymentHash, Timestamp};

const WATCH: Effect = Effect::WatchChain;
const FEE: InvoiceKind = InvoiceKind::Fee;
const CLAIM: InvoiceKind = InvoiceKind::Claim;
const WISH: Option<Wish> = Some(Wish { rate: Some(FeeRate(9)) });

/// A payment call; a later attempt is other work.
fn pay(kind: InvoiceKind, attempt: u32) -> Effect {
    let payee = SecretKey::from_slice(&[1; 32]).unwrap().public_key(SECP256K1);
    Effect::Pay(Payee {
        kind,
        invoice: GivenInvoice {
            bolt11: "invoice".into(),
            hash: PaymentHash([1; 32]),
            amount: None,
            payee,
            our_network: true,
            final_cltv: CltvDelta(9),
            expires_at: Timestamp(9),
        },
        attempt,
        max_cltv: None,
        before: Height(9),
    })
}

fn look(kind: InvoiceKind) -> Effect {
    Effect::WatchPayment(kind, PaymentHash([1; 32]))
}

fn open(hash: u8) -> Effect {
    Effect::MakeOpening(PaymentHash([hash; 32]))
}

fn claim() -> Effect {
    Effect::MakeClaim(SpendPath::Csv, None)
}

/// All that is let run to its end.
fn joined() -> [Effect; 4] {
    [pay(CLAIM, 1), open(1), Effect::MakePush(None), Effect::MakeVoid(None)]
}

fn wake(at: u64) -> Effect {
    Effect::WakeAt(Timestamp(at))
}

/// A desk whose effects stand for what stops them.
type Bench = Desk<Effect>;

impl Bench {
    /// What a driver does when that is wanted: what it stops, and what it begins, in turn.
    fn want(&mut self, wanted: &[Effect]) -> (Vec<Effect>, Vec<Effect>) {
        let (stopped, mut begun) = (self.keep_only(wanted), Vec::new());
        while let Some(beginning) = self.to_begin(wanted) {
            begun.push(beginning.effect.clone());
            self.begun(beginning.clone(), beginning.effect);
        }
        (stopped, begun)
    }

    /// What was last begun of an effect.
    fn last(&self, effect: &Effect) -> Beginning {
        Beginning {
            effect: effect.clone(),
            number: self.work.get(effect).unwrap().number,
        }
    }

    fn ends(&mut self, effect: &Effect) {
        self.ended(&self.last(effect));
    }

    fn begins(&mut self, wanted: &[Effect]) -> Vec<Effect> {
        self.want(wanted).1
    }
}

#[test]
fn what_is_wanted_is_begun_once_and_in_turn() {
    let mut desk = Bench::new();
    assert!(desk.is_idle());
    let wanted = [wake(2), WATCH, claim(), wake(1)];
    assert_eq!(desk.begins(&wanted), wanted);
    assert!(!desk.is_idle());
    assert_eq!(desk.want(&wanted), (vec![], vec![]));
    assert_eq!(desk.begins(&[wake(3), WATCH, wake(2)]), [wake(3)]);
}

#[test]
fn what_is_wanted_no_more_is_stopped_once_and_begun_again_when_it_is_wanted_again() {
    let mut desk = Bench::new();
    desk.want(&[WATCH, claim()]);
    assert_eq!(desk.want(&[claim()]), (vec![WATCH], vec![]));
    assert_eq!(desk.want(&[claim(), WATCH]), (vec![], vec![WATCH]));
    assert_eq!(desk.want(&[]).0.len(), 2);
    assert_eq!(desk.want(&[]), (vec![], vec![]));
    assert_eq!(desk.want(&[WATCH, claim()]), (vec![], vec![WATCH, claim()]));
}

#[test]
fn what_has_ended_is_not_begun_again_while_it_stays_wanted_but_when_it_is_wanted_again() {
    for effect in joined().into_iter().chain([claim(), wake(1)]) {
        let mut desk = Bench::new();
        let wanted = [WATCH, effect.clone()];
        desk.want(&wanted);
        desk.ends(&effect);
        assert_eq!(desk.want(&wanted), (vec![], vec![]), "{effect:?}");
        assert_eq!(desk.want(&[WATCH]), (vec![], vec![]), "what has ended is not stopped");
        assert_eq!(desk.begins(&wanted), [effect]);
    }
}

#[test]
fn what_must_come_to_its_end_is_not_stopped_and_no_second_one_is_begun_beside_it() {
    for effect in joined() {
        let mut desk = Bench::new();
        desk.want(std::slice::from_ref(&effect));
        assert_eq!(desk.want(&[WATCH]), (vec![], vec![WATCH]), "{effect:?}");
        assert_eq!(desk.begins(&[WATCH, effect]), []);
    }
}

// A payment call that finds itself unwanted ends without a word: nobody would pay, or say that nobody does.
#[test]
fn what_may_have_ended_without_a_word_while_it_was_not_wanted_is_begun_again() {
    for effect in joined() {
        let wanted = [WATCH, effect.clone()];
        let mut desk = Bench::new();
        desk.want(&wanted);
        desk.want(&[WATCH]);
        desk.ends(&effect);
        assert_eq!(desk.begins(&wanted), wanted[1..], "it ended before it was wanted again");

        let mut desk = Bench::new();
        desk.want(&wanted);
        desk.want(&[WATCH]);
        desk.want(&wanted);
        desk.ends(&effect);
        assert_eq!(desk.begins(&wanted), wanted[1..], "its end was heard of afterwards");
        desk.ends(&effect);
        assert_eq!(desk.begins(&wanted), [], "the second one was wanted all the time");
    }
}

// Its end was on its way when it was not wanted for a moment.
#[test]
fn the_end_of_one_that_was_stopped_is_not_that_of_the_one_that_was_begun_after_it() {
    let mut desk = Bench::new();
    desk.want(&[claim()]);
    let first = desk.last(&claim());
    desk.want(&[]);
    desk.want(&[claim()]);
    desk.ended(&first);
    assert!(!desk.is_idle());
    assert_eq!(desk.want(&[]), (vec![claim()], vec![]));
}

#[test]
fn a_swap_that_is_over_waits_for_what_must_come_to_its_end_and_for_nothing_else() {
    let mut desk = Bench::new();
    desk.want(&[&[WATCH, claim(), wake(1)], joined().as_slice()].concat());
    let (stopped, begun) = desk.want(&[]);
    assert_eq!(HashSet::from_iter(stopped), HashSet::from([WATCH, claim(), wake(1)]));
    assert_eq!(begun, []);
    for effect in joined() {
        assert!(!desk.is_idle(), "{effect:?} runs");
        desk.ends(&effect);
        assert_eq!(desk.want(&[]), (vec![], vec![]));
    }
    assert!(desk.is_idle());
}

#[test]
fn a_daemon_that_stops_waits_for_nothing() {
    let mut desk = Bench::new();
    desk.want(&[WATCH, pay(CLAIM, 1), claim(), open(1)]);
    desk.ends(&claim());
    desk.want(&[WATCH, claim()]);
    let running: HashSet<&Effect> = desk.running().collect();
    assert_eq!(running, HashSet::from([&WATCH, &pay(CLAIM, 1), &open(1)]));
}

#[test]
fn what_tells_of_one_payment_or_locks_the_same_coins_waits_for_the_other_to_end() {
    let (push, void) = (Effect::MakePush, Effect::MakeVoid);
    for (first, second) in [
        (pay(CLAIM, 1), pay(CLAIM, 2)),
        (pay(FEE, 1), pay(FEE, 2)),
        (pay(CLAIM, 1), look(CLAIM)),
        (pay(FEE, 1), look(FEE)),
        (open(1), open(2)),
        (push(None), push(WISH)),
        (void(WISH), void(None)),
    ] {
        let mut desk = Bench::new();
        let both = [first.clone(), second.clone()];
        assert_eq!(desk.begins(&both), both[..1], "of both, the first");
        assert_eq!(desk.begins(&[WATCH, second.clone()]), [WATCH], "{second:?}");
        desk.ends(&first);
        assert_eq!(desk.begins(&[WATCH, second.clone()]), [second]);

        // what has ended, though it is still wanted, keeps nothing waiting
        let mut desk = Bench::new();
        desk.want(&both);
        desk.ends(&first);
        assert_eq!(desk.begins(&both), both[1..]);
    }
}

#[test]
fn what_tells_of_two_payments_or_locks_other_coins_runs_together() {
    let all = [
        pay(CLAIM, 1),
        pay(FEE, 1),
        open(1),
        Effect::MakePush(None),
        Effect::MakeVoid(None),
    ];
    assert_eq!(Bench::new().begins(&all), all);
    for (call, look) in [(pay(CLAIM, 1), look(FEE)), (pay(FEE, 1), look(CLAIM))] {
        let both = [call, look];
        assert_eq!(Bench::new().begins(&both), both);
    }
    // a claim locks no coins of the wallet
    let claims = [claim(), Effect::MakeClaim(SpendPath::Csv, WISH)];
    assert_eq!(Bench::new().begins(&claims), claims);
}

/// A few of each sort, in an order in which no look at a payment comes before the call.
fn menu() -> Vec<Effect> {
    vec![
        WATCH,
        claim(),
        wake(1),
        pay(CLAIM, 1),
        pay(CLAIM, 2),
        pay(FEE, 1),
        look(CLAIM),
        open(1),
        open(2),
        Effect::MakePush(None),
        Effect::MakePush(WISH),
    ]
}

#[derive(Debug, Clone)]
enum Move {
    Want(Vec<Effect>),
    /// One of those that run comes to its end.
    End(Index),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let menu = menu();
    let most = menu.len();
    let want = subsequence(menu, 0..=most).prop_map(Move::Want);
    proptest::collection::vec(prop_oneof![want, any::<Index>().prop_map(Move::End)], 1..40)
}

/// What an observer writes down who sees only what is wanted, begun, stopped and ended.
#[derive(Default)]
struct Observer {
    wanted: Vec<Effect>,
    running: Vec<Effect>,
    /// Of those that run: not wanted for a while since they were begun.
    left: HashSet<Effect>,
    /// Ended by themselves, and wanted from their beginning until now.
    done: HashSet<Effect>,
}

impl Observer {
    fn wants(&mut self, wanted: Vec<Effect>) {
        self.done.retain(|effect| wanted.contains(effect));
        let dropped = self.running.iter().filter(|effect| !wanted.contains(effect));
        self.left.extend(dropped.cloned());
        self.wanted = wanted;
    }

    fn sees_end(&mut self, index: Index) -> Option<Effect> {
        let at = (!self.running.is_empty()).then(|| index.index(self.running.len()))?;
        let effect = self.running.remove(at);
        if !self.left.remove(&effect) {
            self.done.insert(effect.clone());
        }
        Some(effect)
    }

    fn sees(&mut self, stopped: Vec<Effect>, begun: Vec<Effect>) -> Result<(), TestCaseError> {
        for effect in stopped {
            prop_assert!(
                !self.wanted.contains(&effect) && !is_joined(&effect),
                "stopped {:?}",
                effect
            );
            let at = self.running.iter().position(|running| *running == effect);
            prop_assert!(at.is_some(), "stopped without having run: {:?}", effect);
            at.map(|at| self.running.remove(at));
            self.left.remove(&effect);
        }
        for effect in begun {
            prop_assert!(
                self.wanted.contains(&effect) && !self.done.contains(&effect),
                "begun {:?}",
                effect
            );
            let clash = self
                .running
                .iter()
                .find(|running| **running == effect || excludes(running, &effect));
            prop_assert_eq!(clash, None, "runs beside {:?}", effect);
            self.running.push(effect);
        }
        for running in &self.running {
            prop_assert!(
                self.wanted.contains(running) || is_joined(running),
                "still runs: {:?}",
                running
            );
        }
        for effect in &self.wanted {
            let waits = self.running.iter().any(|running| excludes(running, effect));
            let is_served = self.running.contains(effect) || self.done.contains(effect) || waits;
            prop_assert!(is_served, "forgotten: {:?}", effect);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn what_is_wanted_runs_or_has_ended_or_waits_for_what_excludes_it(moves in moves()) {
        let (mut desk, mut observer) = (Bench::new(), Observer::default());
        for moved in moves {
            match moved {
                Move::Want(wanted) => observer.wants(wanted),
                Move::End(index) => observer.sees_end(index).iter().for_each(|effect| desk.ends(effect)),
            }
            let (stopped, begun) = desk.want(&observer.wanted);
            observer.sees(stopped, begun)?;
            prop_assert_eq!(desk.is_idle(), observer.running.is_empty());
        }
    }
}
