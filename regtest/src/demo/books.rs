//! What the ledger is made of, read from a stage.

use anyhow::Result;
use sluice::api::SluiceApiClient;
use sluice::api::types::WalletRef;
use sluice::swap::Role;

use super::play::Played;
use super::stage::{Side, Stage};
use crate::play::Ending;
use crate::play::ledger::{Balance, Facts, Ledger};
use crate::world::seen::Seen;

/// What both have now.
///
/// # Errors
/// If somebody who should tell does not.
pub async fn balances(stage: &Stage) -> Result<[Balance; 2]> {
    Ok([balance(stage, Side::Alice).await?, balance(stage, Side::Bob).await?])
}

async fn balance(stage: &Stage, side: Side) -> Result<Balance> {
    let asset = stage.narrator.terms().asset;
    let chain_sat = if stage.is_gone(side) {
        stage.world.wallet_total(asset, side.name()).await?.to_sat()
    } else {
        let client = stage.operator(side).client()?;
        let held = client.wallet_balance(WalletRef { asset }).await?;
        held.spendable_sat + held.pending_sat + held.locked_sat
    };
    let channel = stage.narrator.terms().channel;
    let channel = stage.world.lightning.local(side.index(), channel).await?;
    Ok(Balance { chain_sat, channel })
}

/// Compares what everybody has with what terms, premium and fees say.
///
/// # Errors
/// If a single satoshi is not accounted for.
pub async fn settle(stage: &Stage, ending: Ending, before: [Balance; 2], played: &Played) -> Result<Ledger> {
    let facts = facts(stage, ending, played)?;
    facts.settle(before, || balances(stage)).await
}

fn facts(stage: &Stage, ending: Ending, played: &Played) -> Result<Facts> {
    let terms = stage.narrator.terms();
    let maker = terms.side(Role::Maker);
    let fee_of = |tx: Option<&Seen>| i64::try_from(tx.map_or(0, |tx| tx.fee_sat));
    let invoiced = stage.view(maker).and_then(|swap| swap.fee_invoice_sat);
    Ok(Facts {
        kind: terms.kind,
        ending,
        maker,
        amount: i64::try_from(terms.amount_sat)?,
        premium: terms.premium_sat(terms.rate)?,
        fee_invoice: i64::try_from(invoiced.unwrap_or(0))?,
        opening_fee: fee_of(stage.opening.as_ref())?,
        spend_fee: fee_of(stage.spend.as_ref().map(|spend| &spend.tx))?,
        drained: i64::try_from(played.drained_sat)?,
    })
}
