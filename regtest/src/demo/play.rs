//! The play: what is done to the world so that a swap ends in one way or another.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bitcoin::Amount;
use jsonrpsee::core::ClientError;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapRequest};
use sluice::api::view::text::{grouped, sats};
use sluice::swap::{Kind, Role};
use sluice::units::SwapId;

use super::stage::{Side, Stage};
use crate::play::Ending;

/// Blocks mined at a time, so that everything else in this process goes on meanwhile.
const BATCH: u32 = 250;

/// What is left of a play besides the stage.
#[derive(Debug)]
pub struct Played {
    /// The swap.
    pub swap_id: SwapId,
    /// From mining the block with the last needed confirmation to the spend in the mempool.
    pub confirmed_to_spend: Option<Duration>,
    /// From the order to the swap's end on every side that is there.
    pub total: Duration,
    /// Resident memory of alice's and bob's daemon, in KiB, as last seen.
    pub rss_kib: [Option<u64>; 2],
    /// What the taker paid over the channel for something else, so that it could not pay for the swap.
    pub drained_sat: u64,
}

/// Plays a swap to its end.
///
/// # Errors
/// If it does not come to that end.
pub async fn play(stage: &mut Stage, ending: Ending) -> Result<Played> {
    let swap_id = order(stage).await?;
    let mut played = Played {
        swap_id,
        confirmed_to_spend: None,
        total: Duration::ZERO,
        rss_kib: [None, None],
        drained_sat: 0,
    };
    if ending == Ending::Cancel {
        let closed = |stage: &Stage| stage.view(Side::Alice).is_some_and(|swap| swap.outcome.is_some());
        stage.until("the swap's end", closed).await?;
    } else {
        open(stage).await?;
        let mined = confirm(stage, ending, &mut played).await?;
        spend(stage, ending, mined, &mut played).await?;
    }
    played.total = stage.narrator.elapsed();
    for side in Side::BOTH {
        note_memory(stage, side, &mut played);
        check_outcome(stage, ending, side)?;
    }
    Ok(played)
}

async fn order(stage: &mut Stage) -> Result<SwapId> {
    let terms = *stage.narrator.terms();
    let client = stage.world.alice.client()?;
    let request = SwapRequest {
        channel: terms.channel,
        amount_sat: terms.amount_sat,
        asset: terms.asset.into(),
        max_premium_ppm: terms.limit.0,
        idempotency_key: None,
    };
    stage.narrator.ordered()?;
    let started = match terms.kind {
        Kind::Out => client.swap_out(request).await,
        Kind::In => client.swap_in(request).await,
    };
    match started {
        Ok(started) => Ok(started.swap_id),
        // its sentence is made for people; the object around it is not
        Err(ClientError::Call(refused)) => bail!("alice's sluiced refuses the order: {}", refused.message()),
        Err(error) => Err(error).context("alice's sluiced does not answer"),
    }
}

/// Until both know of the opening.
async fn open(stage: &mut Stage) -> Result<()> {
    let maker = stage.narrator.terms().side(Role::Maker);
    let published = move |stage: &Stage| {
        let swap = stage.view(maker);
        swap.is_some_and(|swap| swap.timings_ms.opening_published.is_some())
    };
    stage.until("the opening", published).await?;
    let at = Instant::now();
    let opening = stage.view(maker).and_then(|swap| swap.opening.clone());
    let opening = opening.context("the maker published an opening and does not show it")?;
    let tx = stage.waiting(opening.txid).await?;
    let hidden = if opening.confidential == Some(true) {
        ", amount and asset hidden"
    } else {
        ""
    };
    let text = format!("publishes the opening transaction{hidden}");
    stage.narrator.published(at, maker, &text, &tx)?;
    stage.opening = Some(tx);
    let announced = |stage: &Stage| stage.all_see(|swap| swap.timings_ms.opening_published.is_some());
    stage.until("the opening's announcement", announced).await
}

/// Gives the opening its confirmations; tells when the last one was mined.
async fn confirm(stage: &mut Stage, ending: Ending, played: &mut Played) -> Result<Instant> {
    let taker = stage.narrator.terms().side(Role::Taker);
    let needed = stage.view(taker).map_or(0, |swap| swap.confirmations_needed);
    for depth in 1..needed {
        mine(stage, 1, &confirmations(depth, needed)).await?;
        let seen = |stage: &Stage| stage.all_see(|swap| swap.confirmations >= depth);
        stage.until("a confirmation", seen).await?;
    }
    match ending {
        Ending::Paid | Ending::Cancel => {}
        Ending::Coop => drain(stage, taker, played).await?,
        Ending::Csv => {
            note_memory(stage, taker, played);
            stage.kill(taker);
            let text = format!("is gone for good: {}'s sluiced is killed", taker.name());
            stage.narrator.says(taker, &text, &[])?;
        }
    }
    let mined = Instant::now();
    mine(stage, 1, &confirmations(needed, needed)).await?;
    if ending != Ending::Csv {
        return Ok(mined);
    }
    let maker = stage.view(taker.other()).and_then(|swap| swap.opening.clone());
    let confirmed = maker.and_then(|opening| opening.height);
    let confirmed = confirmed.context("the maker does not know the opening's block")?;
    let csv = stage.narrator.terms().timelocks()?.csv.0;
    let text = format!(
        "waits: nobody pays, and the coins are locked for {} blocks",
        grouped(csv)
    );
    stage.narrator.says(taker.other(), &text, &[])?;
    // the refund fits into the block after this one
    let last = confirmed + csv - 1;
    let left = last.saturating_sub(stage.world.chains().height(stage.narrator.terms().asset).await?);
    let text = format!(
        "{} blocks later, in the real world about a week; sluiced reads them all",
        grouped(left)
    );
    mine(stage, left, &text).await?;
    Ok(mined)
}

fn confirmations(depth: u32, needed: u32) -> String {
    format!("the opening has {depth} of {needed} confirmations")
}

async fn mine(stage: &mut Stage, blocks: u32, text: &str) -> Result<()> {
    let asset = stage.narrator.terms().asset;
    let mut left = blocks;
    while left > 0 {
        let batch = left.min(BATCH);
        stage.world.mine(asset, batch).await?;
        tokio::task::yield_now().await;
        left -= batch;
    }
    let height = stage.world.chains().height(asset).await?;
    stage.narrator.block(height, text)
}

/// The taker spends so much of the channel that it cannot pay for the swap.
async fn drain(stage: &mut Stage, taker: Side, played: &mut Played) -> Result<()> {
    let due = stage.view(taker).and_then(|swap| swap.lightning_amount_sat);
    let due = due.context("the taker does not know what it is to pay")?;
    let channel = stage.narrator.terms().channel;
    let peers = stage.operator(taker).client()?.peer_list().await?.peers;
    let mut channels = peers.iter().flat_map(|peer| &peer.channels);
    let spendable = channels
        .find(|known| known.channel == channel)
        .map(|known| known.spendable_sat);
    let spendable = spendable.context("the taker does not know the channel")?;
    let amount = spendable.saturating_sub(due / 2);
    let nodes = &stage.world.lightning;
    nodes.pay_out(taker.index(), channel, Amount::from_sat(amount)).await?;
    played.drained_sat = amount;
    let text = format!(
        "spends {} of the channel on something else: {} are left, too little to pay",
        sats(amount),
        sats(due / 2)
    );
    stage.narrator.says(taker, &text, &[])
}

/// Until the opening's spend is final.
async fn spend(stage: &mut Stage, ending: Ending, mined: Instant, played: &mut Played) -> Result<()> {
    let (maker, taker) = (
        stage.narrator.terms().side(Role::Maker),
        stage.narrator.terms().side(Role::Taker),
    );
    let spender = if ending == Ending::Paid { taker } else { maker };
    let known = move |stage: &Stage| {
        let swap = stage.view(spender).and_then(|swap| swap.spend.as_ref());
        stage.spend.is_some() && swap.is_some_and(|spend| spend.txid.is_some())
    };
    stage.until("the opening's spend", known).await?;
    let seen = stage.spend.clone().context("the spend was not kept")?;
    let after = seen.at.saturating_duration_since(mined);
    let ms = after.as_millis();
    let (text, name) = match ending {
        Ending::Paid => (
            format!("claims the coins: in the mempool {ms} ms after that block"),
            "claim",
        ),
        Ending::Coop => {
            let text = format!(
                "takes the coins back with {}'s key, {ms} ms after that block",
                taker.name()
            );
            (text, "refund")
        }
        Ending::Csv | Ending::Cancel => ("takes the coins back alone".to_owned(), "refund"),
    };
    // what comes of the timelock has nothing to do with the confirmations
    played.confirmed_to_spend = (ending != Ending::Csv).then_some(after);
    stage.narrator.published(seen.at, spender, &text, &seen.tx)?;
    let depth = stage.view(spender).map_or(0, |swap| swap.confirmations_needed);
    mine(
        stage,
        depth,
        &format!("the {name} has {depth} confirmations and is final"),
    )
    .await?;
    let closed = |stage: &Stage| stage.all_see(|swap| swap.outcome.is_some());
    stage.until("the swap's end", closed).await
}

fn note_memory(stage: &Stage, side: Side, played: &mut Played) {
    let seen = stage.operator(side).daemon.rss_kib();
    let noted = &mut played.rss_kib[side.index()];
    *noted = seen.or(*noted);
}

/// Fails if a side that is there saw another end than wanted. A responder that refused has no swap to see.
fn check_outcome(stage: &Stage, ending: Ending, side: Side) -> Result<()> {
    let swap = stage.view(side).filter(|_| !stage.is_gone(side));
    let found = swap.and_then(|swap| swap.outcome.as_ref()).map(|outcome| outcome.kind);
    let is_maker = stage.narrator.terms().side(Role::Maker) == side;
    let wanted = match (ending, is_maker) {
        (Ending::Paid, true) => Some(OutcomeKind::ClaimPaid),
        (Ending::Paid, false) => Some(OutcomeKind::ClaimedByInvoice),
        (Ending::Coop, true) => Some(OutcomeKind::ClaimedByCoop),
        (Ending::Coop, false) => Some(OutcomeKind::CoopClosed),
        (Ending::Csv, true) => Some(OutcomeKind::ClaimedByCsv),
        (Ending::Csv, false) => None,
        (Ending::Cancel, _) => (side == Side::Alice).then_some(OutcomeKind::Canceled),
    };
    if found != wanted {
        bail!("{}'s swap ended as {found:?}, not as {wanted:?}", side.name());
    }
    Ok(())
}
