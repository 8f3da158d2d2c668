//! Shortcuts of the maker.

use sluice::swap::terms::Role;

use super::super::order::ACTS_FIRST;
use super::super::{Mutation, maker};
use super::{maker_steps, maker_wants, of};
use crate::graph::Bounds;
use crate::rules::Invariant::{CanEnd, CommittedFirst, NeverPoorer, NoContradiction, NoKeyWhilePaying};

pub fn rows() -> Vec<Mutation> {
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
        Mutation {
            bounds: Bounds { faults: 1, bumps: 0 },
            ..maker_steps(
                "an opening whose inputs are gone for good cannot be given up",
                maker::no_giving_up,
                CanEnd,
            )
        },
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
