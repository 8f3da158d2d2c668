//! Shortcuts of the taker.

use sluice::swap::terms::Role;
use sluice::units::Asset;

use super::super::order::ACTS_FIRST;
use super::super::{Mutation, taker, watch};
use super::{of, taker_steps, taker_wants};
use crate::rules::Invariant::{CanEnd, CommittedFirst, NeverPoorer, NoContradiction, NoKeyWhilePaying, OneHtlc};

pub fn rows() -> Vec<Mutation> {
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
        taker_steps(
            "Go: the claim is made once it is paid for, and given up if it cannot be made then",
            taker::claim_made_late_and_once,
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
        taker_steps(
            "Go: a timer gives the key away while the claim is made",
            watch::key_by_timer_while_claiming,
            NoKeyWhilePaying,
        ),
        taker_wants("Go: the key is sent once", watch::key_sent_once, NeverPoorer),
        taker_steps(
            "Go: confirmations are counted from the heights of two moments, and wrap around",
            watch::confirmations_of_two_moments,
            NeverPoorer,
        ),
        Mutation {
            asset: Asset::Btc,
            ..taker_steps(
                "Go: an opening that is old when it is first seen is not heard of, and the taker hangs",
                watch::old_opening_is_no_news,
                CanEnd,
            )
        },
        taker_wants(
            "Go: an error ends the watch of the chain",
            watch::watch_has_ended,
            CanEnd,
        ),
        Mutation {
            breaks: None,
            ..taker_steps(
                "Go: a wallet that cannot sign ends the swap (harmless: nothing is paid for before that)",
                watch::hiccup_is_the_end,
                NeverPoorer,
            )
        },
        taker_steps(
            "Go: what has failed is confirmed all the same",
            watch::failure_then_confirmation,
            NoKeyWhilePaying,
        ),
    ]
}
