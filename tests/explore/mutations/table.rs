//! Which shortcut is taken in which world, and what it must break.

use sluice::swap::event::Event;
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, Now, Step, Swap};
use sluice::units::Asset;

use super::order::ACTS_FIRST;
use super::{Mutation, maker, taker, timelocks};
use crate::graph::Bounds;
use crate::rules::Invariant::{
    CanEnd, CommittedFirst, NeverPoorer, NoContradiction, NoKeyWhilePaying, OneHtlc, PaidInTime,
};
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

/// On Bitcoin the timelock is so short that the margins bind within the window.
fn margin(name: &'static str, step: Option<StepOf>, wants: Option<WantsOf>, breaks: Option<Invariant>) -> Mutation {
    let rules = Rules {
        step: step.unwrap_or(SHIPPED.step),
        wants: wants.unwrap_or(SHIPPED.wants),
        ..SHIPPED
    };
    Mutation {
        asset: Asset::Btc,
        bounds: Bounds { faults: 0, bumps: 0 },
        breaks,
        ..of(Role::Taker, name, rules, NeverPoorer)
    }
}

/// "Go": a shortcut of Go PeerSwap.
pub fn mutations() -> Vec<Mutation> {
    let mut all = takers();
    all.extend(margins());
    all.extend(makers());
    all
}

fn takers() -> Vec<Mutation> {
    vec![
        taker_steps(
            "Go: the key goes at the window's end, a payment in flight",
            taker::key_at_windows_end,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "Go: the key goes when the node's answer is lost",
            taker::key_on_lost_call,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "the key goes when the maker cancels during the payment",
            taker::key_on_cancel,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "the key goes when the operator aborts the payment",
            taker::key_on_abort,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "the key goes at a failure, although a lost call may still pay",
            taker::key_on_failure,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "Go: the key goes when the claim cannot be made",
            taker::key_on_refused_claim,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "Go: the key goes at a start during the payment",
            taker::key_on_start,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "a payment that the node does not know yet counts as none",
            taker::key_on_absence,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "a start does not wait for the call of the process before",
            taker::start_is_quiet,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "a lost call is not waited for",
            taker::lost_call_is_quiet,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "Go: the preimage is forgotten at a start",
            taker::preimage_forgotten_at_start,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "Go: the payment is forgotten at a start",
            taker::payment_forgotten_at_start,
            NoKeyWhilePaying,
        ),
        taker_steps(
            "a second attempt while the first is in flight",
            taker::next_attempt_while_in_flight,
            OneHtlc,
        ),
        taker_steps(
            "a second attempt after a start, the first's end unknown",
            taker::next_attempt_after_start,
            OneHtlc,
        ),
        taker_steps(
            "an opening is paid for that is not what was agreed",
            taker::opening_not_looked_at,
            NeverPoorer,
        ),
        Mutation {
            breaks: None,
            ..taker_steps(
                "what an announcement asks for is not looked at (harmless: it is, before it is paid)",
                taker::announcement_not_looked_at,
                NeverPoorer,
            )
        },
        taker_steps(
            "what an announcement asks for is never looked at",
            taker::announcement_never_looked_at,
            NeverPoorer,
        ),
        taker_steps(
            "Go: payment for one confirmation too few",
            taker::one_confirmation_too_few,
            NeverPoorer,
        ),
        taker_steps(
            "Go: a claim is final in its first block",
            taker::claim_final_at_first_sight,
            NeverPoorer,
        ),
        taker_steps(
            "Go: a claim is final when published",
            taker::claim_final_when_made,
            NeverPoorer,
        ),
        taker_steps(
            "a payment found after abandoning is ignored",
            taker::payment_ignored_after_abandoning,
            NeverPoorer,
        ),
        taker_wants(
            "Go: a claim that could not be made is given up",
            taker::one_claim_only,
            NeverPoorer,
        ),
        taker_wants(
            "Go: a claim is not published again",
            taker::claim_published_until_the_next_look,
            NeverPoorer,
        ),
        taker_wants(
            "an abandoned payment is not looked at",
            taker::no_look_after_abandoning,
            CanEnd,
        ),
        taker_wants(
            "a payment is wanted after the key has gone",
            taker::pays_while_closing,
            NoContradiction,
        ),
        taker_wants(
            "the key is sent while the payment's end is unknown",
            taker::key_sent_while_abandoning,
            NoKeyWhilePaying,
        ),
        of(Role::Taker, "Go: act, then commit", ACTS_FIRST, CommittedFirst),
    ]
}

fn margins() -> Vec<Mutation> {
    let (step, call) = (timelocks::window_longer, timelocks::call_one_block_later);
    let poorer = Some(NeverPoorer);
    vec![
        margin(
            "may_pay: the window is one block longer",
            Some(step),
            Some(timelocks::call_at_any_height),
            Some(PaidInTime),
        ),
        margin(
            "may_pay: the decision comes one block later (harmless: the call has its own bound)",
            Some(timelocks::claimable_longer),
            None,
            None,
        ),
        margin(
            "may_pay: decision and call come one block later",
            Some(timelocks::claimable_longer),
            Some(call),
            poorer,
        ),
        margin("may_pay: the call comes one block later", None, Some(call), poorer),
        margin(
            "may_pay: the call comes at any height",
            None,
            Some(timelocks::call_at_any_height),
            Some(PaidInTime),
        ),
        margin(
            "may_pay: only the window bounds the call",
            None,
            Some(timelocks::call_by_window_only),
            poorer,
        ),
        margin(
            "may_pay: the HTLC lives one block longer",
            None,
            Some(timelocks::htlc_one_block_longer),
            poorer,
        ),
        margin(
            "may_pay: the HTLC lives as long as the maker likes",
            None,
            Some(timelocks::htlc_of_any_length),
            poorer,
        ),
        margin(
            "may_pay: the timelock is counted from one block later",
            Some(timelocks::timelock_one_block_later),
            None,
            poorer,
        ),
    ]
}

fn makers() -> Vec<Mutation> {
    vec![
        maker_wants(
            "Go: the opening is published, then committed",
            maker::opening_out_before_it_is_committed,
            CommittedFirst,
        ),
        of(Role::Maker, "Go: act, then commit", ACTS_FIRST, CommittedFirst),
        maker_steps(
            "Go: cancelled by the taker after funding",
            maker::cancel_after_funding,
            NeverPoorer,
        ),
        maker_steps(
            "cancelled by the taker after the opening",
            maker::cancel_after_opening,
            NeverPoorer,
        ),
        maker_steps(
            "aborted by the operator after funding",
            maker::abort_after_funding,
            NeverPoorer,
        ),
        maker_steps(
            "Go: given up when the answer to the opening is an error",
            maker::refused_opening_is_given_up,
            NeverPoorer,
        ),
        maker_steps(
            "Go: given up at a start while publishing",
            maker::start_while_publishing_is_given_up,
            NeverPoorer,
        ),
        maker_steps(
            "given up when the invoice has expired",
            maker::closed_invoice_is_the_end,
            NeverPoorer,
        ),
        maker_steps("a void is final when made", maker::void_final_when_made, NeverPoorer),
        maker_steps(
            "a void is final in its first block",
            maker::void_final_at_first_sight,
            NeverPoorer,
        ),
        maker_steps(
            "an opening that beats its void is not seen",
            maker::winning_opening_unseen_while_voiding,
            CanEnd,
        ),
        maker_steps(
            "the taker's key is not taken once opened",
            maker::key_lost_while_opened,
            NeverPoorer,
        ),
        maker_steps(
            "the taker's key is not kept while voiding",
            maker::key_lost_while_voiding,
            NeverPoorer,
        ),
        maker_steps(
            "the taker's key is not kept while publishing",
            maker::key_lost_while_publishing,
            NeverPoorer,
        ),
        maker_steps("any key is taken for the taker's", maker::any_key_will_do, NeverPoorer),
        maker_steps("Go: the refund never begins", maker::refund_never_begins, CanEnd),
        maker_wants(
            "Go: the refund is not made",
            maker::refused_refund_is_not_made_again,
            CanEnd,
        ),
        maker_wants(
            "Go: the refund is tried until the next block only",
            maker::refund_published_until_the_next_look,
            CanEnd,
        ),
        maker_steps(
            "Go: the refund is final in its first block",
            maker::refund_final_at_first_sight,
            NeverPoorer,
        ),
        maker_steps(
            "a refund without a cancelled invoice",
            maker::refund_without_canceled_invoice,
            NoKeyWhilePaying,
        ),
        maker_wants(
            "a refund before the node has cancelled the invoice",
            maker::refund_before_the_nodes_answer,
            NoContradiction,
        ),
        maker_wants(
            "the opening is published while it is voided",
            maker::opening_published_while_voided,
            NoContradiction,
        ),
        maker_wants(
            "the opening is announced while it is voided",
            maker::announced_while_voided,
            NoContradiction,
        ),
    ]
}
