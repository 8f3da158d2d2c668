//! What a swap must have come to, on both sides and to the satoshi.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bitcoin::Amount;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, OutcomeView, SwapFilter, SwapView, WalletRef};
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, Scid};

use super::patient::Sight;
use super::play::{AMOUNT, Play, operator};
use super::script::Ending;
use crate::daemons::wait_for;
use crate::lightning::proto::lnrpc::invoice::InvoiceState;
use crate::play;
use crate::play::ledger::{Balance, Facts};
use crate::play::script::premium;
use crate::world::World;
use crate::world::lightning::Lightning;
use crate::world::side::Side;

/// What both have.
pub(super) type Balances = [Balance; 2];

/// How long everything may take to come to rest after a swap.
const REST: Duration = Duration::from_secs(20);

/// What both have, asked of the nodes: so a daemon may be away.
pub(super) async fn balances(world: &World, asset: Asset) -> Result<Balances> {
    let channel = *world.channels.first().context("a world without channels")?;
    let look = |side: Side| async move {
        Ok::<_, anyhow::Error>(Balance {
            chain_sat: world.wallet_total(asset, side.name()).await?.to_sat(),
            channel: world.lightning.local(side.index(), channel).await?,
        })
    };
    Ok([look(Side::Alice).await?, look(Side::Bob).await?])
}

/// Checks both outcomes, and compares what everybody has with what the terms and the chain say.
pub(super) async fn settle(play: &Play<'_>, before: Balances, sights: &[Sight; 2]) -> Result<()> {
    let ending = ending(play, sights)?;
    let asset = play.script.asset;
    let facts = facts(play, ending, sights)?;
    facts.settle(before, || balances(play.world, asset)).await.map(drop)
}

/// How it ended, which must be as the script says; a request that went nowhere may have been given up.
fn ending(play: &Play<'_>, sights: &[Sight; 2]) -> Result<Ending> {
    let script = &play.script;
    let outcome = |role| {
        let view = sights[script.side(role).index()].view();
        view.and_then(|view| view.outcome.as_ref()).map(|outcome| outcome.kind)
    };
    let found = (outcome(Role::Maker), outcome(Role::Taker));
    let wanted = match script.ending {
        Ending::Paid => (OutcomeKind::ClaimPaid, OutcomeKind::ClaimedByInvoice),
        Ending::Coop => (OutcomeKind::ClaimedByCoop, OutcomeKind::CoopClosed),
        Ending::Csv => (OutcomeKind::ClaimedByCsv, OutcomeKind::CoopClosed),
        Ending::Void => (OutcomeKind::Canceled, OutcomeKind::CoopClosed),
        Ending::Cancel => (OutcomeKind::Canceled, OutcomeKind::Canceled),
    };
    if found == (Some(wanted.0), Some(wanted.1)) {
        return Ok(script.ending);
    }
    let [ordered, asked] = sights
        .each_ref()
        .map(|sight| sight.view().and_then(|view| view.outcome.as_ref()));
    let is_cancelled = |outcome: &OutcomeView| outcome.kind == OutcomeKind::Canceled;
    let went_nowhere = asked.is_none() && (play.expired || script.ending == Ending::Cancel);
    // whose disk fails when it is asked says no; it may find after a start that the disk has kept what it would not sync
    let refused = play.has_failing_disk(Side::Bob) && asked.is_none_or(is_cancelled);
    if ordered.is_some_and(is_cancelled) && (went_nowhere || refused) {
        return Ok(Ending::Cancel);
    }
    bail!("maker and taker ended as {found:?}, and not as {wanted:?}");
}

fn facts(play: &Play<'_>, ending: Ending, sights: &[Sight; 2]) -> Result<Facts> {
    let script = &play.script;
    let maker = script.side(Role::Maker);
    let view = |role| sights[script.side(role).index()].view();
    let invoiced = view(Role::Maker).and_then(|view| view.fee_invoice_sat);
    let fee = |seen: Option<u64>, told: Option<u64>, what: &'static str| -> Result<i64> {
        if ending == Ending::Cancel {
            return Ok(0);
        }
        Ok(seen.or(told).context(what)?.try_into()?)
    };
    let is_mined = ending != Ending::Void;
    let opening = view(Role::Maker).and_then(|view| view.opening.as_ref()?.fee_sat);
    let spent = |view: &SwapView| view.spend.as_ref()?.fee_sat;
    let spend = [Role::Maker, Role::Taker]
        .into_iter()
        .find_map(|role| view(role).and_then(spent));
    let opened = script.kind() == Kind::Out && ending != Ending::Cancel;
    ensure!(opened == invoiced.is_some(), "the fee invoice is {invoiced:?} sat");
    Ok(Facts {
        kind: script.kind(),
        ending: match ending {
            Ending::Paid => play::Ending::Paid,
            Ending::Coop => play::Ending::Coop,
            // what took the opening's place brought its coins back, as a refund does
            Ending::Csv | Ending::Void => play::Ending::Csv,
            Ending::Cancel => play::Ending::Cancel,
        },
        maker,
        amount: AMOUNT.to_sat().try_into()?,
        premium: premium(AMOUNT)?,
        fee_invoice: invoiced.unwrap_or(0).try_into()?,
        opening_fee: if is_mined {
            fee(play.opening.as_ref().map(|tx| tx.fee_sat), opening, "no opening")?
        } else {
            0
        },
        spend_fee: fee(
            play.spend.as_ref().map(|tx| tx.fee_sat),
            spend,
            "no spend of the opening",
        )?,
        drained: play.drained_sat.try_into()?,
    })
}

/// Nothing is left over: no coin locked, no swap open, no rescue file, no payment twice. The channel is level again.
pub(super) async fn at_rest(world: &World, asset: Asset, channel: Scid) -> Result<()> {
    for side in Side::BOTH {
        let operator = operator(world, side);
        let client = operator.client()?;
        wait_for(&format!("{} to be at rest", side.name()), REST, || async {
            let balance = client.wallet_balance(WalletRef { asset }).await?;
            ensure!(
                balance.pending_sat == 0 && balance.locked_sat == 0,
                "the wallet: {balance:?}"
            );
            let active_only = SwapFilter {
                active_only: true,
                ..SwapFilter::default()
            };
            let open = client.swap_list(active_only).await?.total;
            ensure!(open == 0, "{open} swaps are open");
            ensure_no_rescue_file(&operator.daemon.data_dir().join("rescue"))?;
            Ok(Some(()))
        })
        .await?;
    }
    one_htlc_each(world)?;
    level(world, channel).await
}

fn ensure_no_rescue_file(folder: &std::path::Path) -> Result<()> {
    let Ok(files) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    for file in files {
        let name = file?.file_name();
        ensure!(
            !name.to_string_lossy().ends_with(".rescue"),
            "a rescue file is left: {}",
            name.display()
        );
    }
    Ok(())
}

/// No invoice was ever paid by more than one HTLC. Real nodes see to that themselves.
fn one_htlc_each(world: &World) -> Result<()> {
    let Lightning::Embedded { network, nodes } = &world.lightning else {
        return Ok(());
    };
    for invoice in nodes.iter().flat_map(|node| node.invoices()) {
        let count = network.htlcs_sent(invoice.hash);
        ensure!(count <= 1, "{count} HTLCs for `{}`", invoice.memo);
        ensure!(
            count == 1 || invoice.state != InvoiceState::Settled,
            "`{}` is settled without an HTLC",
            invoice.memo
        );
    }
    Ok(())
}

/// Brings the channel back to half on either side, for the next swap.
async fn level(world: &World, channel: Scid) -> Result<()> {
    let sides = || async {
        let (alice, bob) = (
            world.lightning.local(0, channel).await?,
            world.lightning.local(1, channel).await?,
        );
        Ok::<_, anyhow::Error>([alice, bob].map(|local| local.0 / 1000))
    };
    let [alice, bob] = sides().await?;
    let difference = alice.abs_diff(bob) / 2;
    if difference == 0 {
        return Ok(());
    }
    let from = usize::from(alice < bob);
    world
        .lightning
        .pay_out(from, channel, Amount::from_sat(difference))
        .await?;
    // Who pays knows before the other has written it down.
    wait_for("a level channel", REST, || async {
        let [alice, bob] = sides().await?;
        Ok((alice.abs_diff(bob) <= 1).then_some(()))
    })
    .await
}
