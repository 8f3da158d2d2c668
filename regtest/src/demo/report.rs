//! What `--json` prints: one object per swap.

use std::io::Write;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use sluice::api::types::{OpeningSummary, OutcomeKind, SpendSummary};
use sluice::swap::event::SpendPath;
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, SwapId, TxId};

use super::options::Args;
use super::play::Played;
use super::stage::{Side, Stage};
use crate::world::backends::name_of;
use crate::world::seen::Seen;

/// A swap that is over. What did not come to be is null.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The initiator's; the responder's where the initiator is gone for good.
    outcome: OutcomeKind,
    outcomes: Sides<Option<OutcomeKind>>,
    asset: Asset,
    direction: Kind,
    amount_sat: u64,
    premium_sat: Option<i64>,
    fee_invoice_sat: Option<u64>,
    swap_id: SwapId,
    opening: Option<Opening>,
    spend: Option<Spend>,
    confirmed_to_spend_ms: Option<u64>,
    payment_ms: Option<u64>,
    total_ms: u64,
    backends: Backends,
    rss_kib: Sides<Option<u64>>,
}

#[derive(Debug, Serialize)]
struct Sides<T> {
    initiator: T,
    responder: T,
}

#[derive(Debug, Serialize)]
struct Opening {
    txid: TxId,
    vout: Option<u32>,
    fee_sat: u64,
    vsize: u64,
    discount_vsize: Option<u64>,
    confidential: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Spend {
    txid: TxId,
    fee_sat: u64,
    vsize: u64,
    discount_vsize: Option<u64>,
    kind: SpendPath,
}

#[derive(Debug, Serialize)]
struct Backends {
    #[serde(skip_serializing_if = "Option::is_none")]
    bitcoin: Option<String>,
    liquid: String,
    lightning: String,
}

impl Report {
    /// Gathers it from what the daemons say, and holds that against the chain.
    ///
    /// # Errors
    /// If a daemon says of a transaction what the chain does not.
    pub fn new(stage: &Stage, args: &Args, played: &Played) -> Result<Report> {
        let terms = stage.narrator.terms();
        let outcome = |side: Side| {
            let swap = stage.view(side).filter(|_| !stage.is_gone(side))?;
            swap.outcome.as_ref().map(|outcome| outcome.kind)
        };
        let (initiator, responder) = (outcome(Side::Alice), outcome(Side::Bob));
        let alice = stage.view(Side::Alice).context("alice knows of no swap")?;
        let taker = stage.view(terms.side(Role::Taker)).map(|swap| swap.timings_ms);
        let payment = taker.and_then(|at| at.paid?.checked_sub(at.payment_started?));
        let after = played.confirmed_to_spend.map(|after| after.as_millis().try_into());
        Ok(Report {
            outcome: initiator.or(responder).context("no side saw the swap's end")?,
            outcomes: Sides { initiator, responder },
            asset: alice.asset,
            direction: terms.kind,
            amount_sat: terms.amount_sat,
            premium_sat: alice.premium_sat,
            fee_invoice_sat: alice.fee_invoice_sat,
            swap_id: played.swap_id,
            opening: opening(stage)?,
            spend: spend(stage)?,
            confirmed_to_spend_ms: after.transpose()?,
            payment_ms: payment,
            total_ms: played.total.as_millis().try_into()?,
            backends: Backends {
                bitcoin: (terms.asset == Asset::Btc).then(|| name_of(&args.backends.bitcoin)),
                liquid: name_of(&args.backends.liquid),
                lightning: name_of(&args.backends.lightning),
            },
            rss_kib: Sides {
                initiator: played.rss_kib[Side::Alice.index()],
                responder: played.rss_kib[Side::Bob.index()],
            },
        })
    }

    /// Prints it on standard output, on one line.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn print(&self) -> Result<()> {
        let line = serde_json::to_string(self)?;
        Ok(writeln!(std::io::stdout().lock(), "{line}")?)
    }
}

fn opening(stage: &Stage) -> Result<Option<Opening>> {
    let Some(tx) = &stage.opening else {
        return Ok(None);
    };
    let maker = stage.view(stage.narrator.terms().side(Role::Maker));
    let said = maker
        .and_then(|swap| swap.opening.as_ref())
        .context("the maker shows no opening")?;
    let OpeningSummary {
        fee_sat,
        vsize,
        discount_vsize,
        ..
    } = *said;
    check("opening", tx, said.txid, [fee_sat, vsize, discount_vsize])?;
    Ok(Some(Opening {
        txid: said.txid,
        vout: said.vout,
        fee_sat: tx.fee_sat,
        vsize: tx.vsize,
        discount_vsize: tx.discount_vsize,
        confidential: said.confidential,
    }))
}

fn spend(stage: &Stage) -> Result<Option<Spend>> {
    let Some(seen) = &stage.spend else {
        return Ok(None);
    };
    let views = Side::BOTH.into_iter().filter_map(|side| stage.view(side));
    let mut own = views.filter_map(|swap| swap.spend.as_ref()).filter(|spend| spend.ours);
    let said = own.next().context("nobody shows a spend of its own")?;
    let SpendSummary {
        fee_sat,
        vsize,
        discount_vsize,
        ..
    } = *said;
    let txid = said.txid.context("a spend of its own without an id")?;
    let tx = &seen.tx;
    check("spend", tx, txid, [fee_sat, vsize, discount_vsize])?;
    Ok(Some(Spend {
        txid,
        fee_sat: tx.fee_sat,
        vsize: tx.vsize,
        discount_vsize: tx.discount_vsize,
        kind: said.kind.clone(),
    }))
}

/// Holds what a daemon says of a transaction against the chain.
fn check(what: &str, tx: &Seen, txid: TxId, said: [Option<u64>; 3]) -> Result<()> {
    let seen = [Some(tx.fee_sat), Some(tx.vsize), tx.discount_vsize];
    // without a discount, that size is the whole one
    let said = [said[0], said[1], said[2].filter(|_| tx.discount_vsize.is_some())];
    if tx.id != txid || said != seen {
        bail!(
            "a daemon says that the {what} {txid} has fee, vsize and discounted vsize {said:?}; the chain has {}: {seen:?}",
            tx.id
        );
    }
    Ok(())
}
