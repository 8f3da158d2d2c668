//! Swaps as text.

use sluice::api::types::{
    BumpAnswer, CancelAnswer, ChoiceView, NextView, OpeningSummary, SpendSummary, SwapList, SwapStarted, SwapView,
    VersionSummary,
};
use sluice::api::view::text::{grouped, sats};
use sluice::swap::Role;

use crate::progress::age;
use crate::screen::Screen;

/// A line of `name  value`; left out without a value.
type Fact = (&'static str, Option<String>);

pub(super) fn begun(started: &SwapStarted, with_hint: bool) -> String {
    let SwapStarted { swap_id, swap, .. } = started;
    let what = if started.repeated {
        "made earlier, by the same key"
    } else {
        &swap.state
    };
    let mut text = format!("swap {swap_id}: {what}");
    if let Some(reason) = &swap.asset_reason {
        text.push_str(&format!("\nasset {}: {reason}", swap.asset));
    }
    if with_hint {
        let short = &swap_id.to_string()[..8];
        text.push_str(&format!("\nfollow it with: sluice swap wait {short}"));
    }
    text
}

pub(super) fn canceled(answer: &CancelAnswer) -> String {
    format!("{}\nnow: {}", answer.explanation, answer.swap.state)
}

pub(super) fn bumped(answer: &BumpAnswer) -> String {
    let new = answer.new_txid.map_or("not made yet".into(), |txid| txid.to_string());
    format!(
        "{}\nfrom {}\nto   {new}\nnow: {}",
        answer.explanation, answer.txid, answer.swap.state
    )
}

/// A line for each swap; of running ones with what comes next and by when.
pub(super) fn listing(screen: Screen, list: &SwapList, are_running: bool) -> String {
    if list.swaps.is_empty() {
        return "no swaps".into();
    }
    let rows = list.swaps.iter().map(|swap| {
        let mut row = vec![
            swap.swap_id.to_string()[..8].to_owned(),
            age(swap.created_at),
            if swap.initiator { "we" } else { "peer" }.to_owned(),
            swap.direction.to_string(),
            swap.asset.to_string(),
            grouped(swap.amount_sat),
            swap.premium_sat.map_or("-".into(), grouped),
            swap.peer.to_string()[..8].to_owned(),
            swap.channel.to_string(),
        ];
        if are_running {
            row.extend(columns_of_next(swap.next.as_ref()));
        }
        row.push(swap.state.clone());
        row
    });
    let mut head = vec![
        "SWAP", "AGE", "ASKED BY", "DIR", "ASSET", "AMOUNT", "PREMIUM", "PEER", "CHANNEL",
    ];
    if are_running {
        head.extend(["NEXT", "BY"]);
    }
    head.push("STATE");
    let mut text = screen.table(&head, &[1, 5, 6], rows.collect());
    let shown = u64::try_from(list.swaps.len()).unwrap_or(u64::MAX);
    if shown < list.total {
        text.push_str(&format!("\n{shown} of {}", grouped(list.total)));
    }
    text
}

fn columns_of_next(next: Option<&NextView>) -> [String; 2] {
    let deadline = next.and_then(|next| next.deadline.as_ref());
    [
        next.map_or("-".into(), |next| next.brief.clone()),
        deadline.map_or("-".into(), |by| by.text.clone()),
    ]
}

pub(super) fn details(screen: Screen, swap: &SwapView) -> String {
    let mut facts = vec![
        ("swap", Some(swap.swap_id.to_string())),
        ("state", Some(swap.state.clone())),
    ];
    facts.extend(swap.next.iter().flat_map(coming));
    facts.extend(agreed(swap));
    facts.extend(swap.opening.iter().flat_map(opening));
    facts.extend(swap.spend.iter().flat_map(spend));
    screen.facts(&facts)
}

/// What is swapped with whom, and at which price.
fn agreed(swap: &SwapView) -> [Fact; 8] {
    let role = match (swap.role, swap.initiator) {
        (Role::Maker, true) => "maker, initiator",
        (Role::Maker, false) => "maker, responder",
        (Role::Taker, true) => "taker, initiator",
        (Role::Taker, false) => "taker, responder",
    };
    let amount = format!("{} {}, swap-{}", sats(swap.amount_sat), swap.asset, swap.direction);
    let reason = swap.asset_reason.as_ref();
    let made = format!("{} ({} ago)", swap.created_at_text, age(swap.created_at));
    [
        ("amount", Some(amount)),
        ("asset", reason.map(|reason| format!("{}: {reason}", swap.asset))),
        ("premium", swap.premium_sat.map(sats)),
        ("fee in advance", swap.fee_invoice_sat.map(sats)),
        ("role", Some(role.into())),
        ("peer", Some(swap.peer.to_string())),
        ("channel", Some(swap.channel.to_string())),
        ("made", Some(made)),
    ]
}

fn opening(opening: &OpeningSummary) -> [Fact; 2] {
    let txid = opening
        .vout
        .map_or(opening.txid.to_string(), |vout| format!("{}:{vout}", opening.txid));
    let size = opening.discount_vsize.or(opening.vsize);
    [
        ("opening", Some(transaction(txid, opening.fee_sat, size))),
        ("pushed by", versions(&opening.pushes)),
    ]
}

fn spend(spend: &SpendSummary) -> [Fact; 2] {
    let txid = spend.txid.map_or("the peer's".into(), |txid| txid.to_string());
    let size = spend.discount_vsize.or(spend.vsize);
    [
        ("spend", Some(transaction(txid, spend.fee_sat, size))),
        ("in the place of", versions(&spend.replaced)),
    ]
}

fn transaction(txid: String, fee: Option<u64>, size: Option<u64>) -> String {
    let fee = fee.map(|fee| format!(", fee {}", sats(fee)));
    let size = size.map(|size| format!(" for {} vB", grouped(size)));
    format!("{txid}{}{}", fee.unwrap_or_default(), size.unwrap_or_default())
}

/// What comes next, a line for each thing that the operator may do, and one for what he need not.
fn coming(next: &NextView) -> Vec<Fact> {
    let mut facts = vec![
        ("next", Some(next.what.clone())),
        ("by", next.deadline.as_ref().map(|by| by.text.clone())),
        ("if nothing happens", Some(next.if_nothing_happens.clone())),
    ];
    facts.extend(next.you_may.iter().map(|choice| {
        let ChoiceView { command, effect, .. } = choice;
        ("you may", Some(format!("{command}: {effect}")))
    }));
    facts.push(("by itself", next.by_itself.clone()));
    facts
}

/// One after the other with their fees; None if there are none.
fn versions(versions: &[VersionSummary]) -> Option<String> {
    let each = versions.iter().map(|version| {
        let (fee, size) = (sats(version.fee_sat), grouped(version.discount_vsize));
        format!("{}, fee {fee} for {size} vB", version.txid)
    });
    let text = each.collect::<Vec<_>>().join("; ");
    (!text.is_empty()).then_some(text)
}
