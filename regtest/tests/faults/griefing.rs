//! A peer that begins swaps and does not go on with them, and what becomes of the swaps of one in quarantine.

use anyhow::{Context, Result, ensure};
use bitcoin::Amount;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, PeerQuarantine};
use sluice::policy::Cause;
use sluice::policy::limits::Offence;
use sluice::ports::{LightningNode, PaymentSpec};
use sluice::protocol::{MessageType, invoice};
use sluice::units::Scid;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::ChannelSpec;
use sluice_regtest::world::PATIENCE;
use sluice_regtest::world::peer::RawPeer;

use super::hostile::{DISK, quarantined, seen, taken};
use super::messages::{id, request, secret, with_mallory};
use super::orders::{chain, network, node, outcome};

/// Mallory asks for a swap-out, and is given an invoice for its fee.
pub async fn agreed(mallory: &RawPeer, scid: Scid, swap_id: &str) -> Result<String> {
    let asked = request(swap_id, &scid.to_string(), &[]);
    mallory.say(MessageType::SwapOutRequest, asked).await?;
    let agreement = mallory.hear_of(MessageType::SwapOutAgreement, swap_id).await?;
    Ok(agreement["Payreq"].as_str().context("a fee invoice")?.to_owned())
}

pub async fn pay(mallory: &RawPeer, scid: Scid, bolt11: String) -> Result<()> {
    let fee = invoice::read_invoice(&bolt11, "regtest")?;
    let spec = PaymentSpec {
        bolt11,
        hash: fee.hash,
        amount: fee.amount.context("an amount")?,
        scid,
        max_cltv: None,
        time_limit: PATIENCE,
    };
    mallory.lnd.ensure_payment(&spec).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_leaves_running_swaps_alone() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let swap_id = id(1);
    let bolt11 = agreed(&mallory, mallory.scid, &swap_id).await?;
    let request = PeerQuarantine {
        peer: mallory.id(),
        duration_secs: 3_600,
        note: "as a test".into(),
    };
    let view = world.alice.client()?.peer_quarantine(request).await?;
    assert_eq!(view.conduct.pending_swaps, 1);
    pay(&mallory, mallory.scid, bolt11).await?;
    mallory.hear_of(MessageType::OpeningTxBroadcasted, &swap_id).await?;
    let view = seen(&world, &mallory).await?;
    assert_eq!((view.conduct.running_swaps, view.conduct.pending_swaps), (1, 0));
    world.liquid.mine(1).await?;
    let key = String::from(secret());
    let close = format!("{{\"swap_id\":{swap_id:?},\"message\":\"\",\"privkey\":{key:?}}}");
    mallory.say(MessageType::CoopClose, close).await?;
    wait_for("the refund", PATIENCE, || async {
        Ok((!chain(&world).mempool().is_empty()).then_some(()))
    })
    .await?;
    world.liquid.mine(2).await?;
    let view = world
        .wait_for_swap(&world.alice, swap_id.parse()?, "closed", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByCoop));
    ensure!(
        seen(&world, &mallory).await?.quarantine.is_some(),
        "and the quarantine lasts"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_never_pays_with_a_word_or_without_is_quarantined_and_each_try_leaves_a_few_kilobytes()
-> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let before = taken(&world)?[1];
    let tries = usize::try_from(Offence::Abandoned.threshold().count)?;
    for number in 1..=tries {
        ensure!(
            seen(&world, &mallory).await?.quarantine.is_none(),
            "after {number} of {tries}"
        );
        let swap_id = id(number);
        let bolt11 = agreed(&mallory, mallory.scid, &swap_id).await?;
        if number.is_multiple_of(2) {
            let cancel = format!("{{\"swap_id\":{swap_id:?},\"message\":\"too dear\"}}");
            mallory.say(MessageType::Cancel, cancel).await?;
        } else {
            // not a word: the invoice is not paid, and its time passes
            let fee = invoice::read_invoice(&bolt11, "regtest")?;
            node(&world, 0).expire_invoice(fee.hash);
        }
        let view = world
            .wait_for_swap(&world.alice, swap_id.parse()?, "closed", |view| view.outcome.is_some())
            .await?;
        assert_eq!(outcome(&view), Some(OutcomeKind::Canceled));
    }
    let view = quarantined(&world, &mallory).await?;
    assert_eq!(
        view.quarantine.map(|quarantine| quarantine.cause),
        Some(Cause::Abandoned)
    );
    // the file may also have become shorter: the database gives back what a start took
    let grown = taken(&world)?[1].saturating_sub(before);
    eprintln!("{grown} bytes of disk for {tries} swaps that were dropped");
    ensure!(grown < DISK, "{grown} bytes of disk for {tries} swaps");
    Ok(())
}

/// Blocks until a maker's refund of L-BTC is possible.
const CSV: u32 = 10_080;

#[tokio::test(flavor = "multi_thread")]
async fn who_has_openings_made_and_vanishes_is_quarantined_once_the_timelock_has_had_to_pass_three_times() -> Result<()>
{
    let (world, mallory) = with_mallory(true).await?;
    let spec = ChannelSpec::new(Amount::from_sat(2_000_000), Amount::from_sat(1_000_000));
    let mut scids = vec![mallory.scid];
    while scids.len() < usize::try_from(Offence::Stranded.threshold().count)? {
        scids.push(network(&world).open_channel(&mallory.node, node(&world, 0), &spec)?);
    }
    let swaps: Vec<String> = (1..=scids.len()).map(id).collect();
    for (scid, swap_id) in scids.iter().zip(&swaps) {
        let bolt11 = agreed(&mallory, *scid, swap_id).await?;
        pay(&mallory, *scid, bolt11).await?;
        mallory.hear_of(MessageType::OpeningTxBroadcasted, swap_id).await?;
        world.liquid.mine(1).await?;
    }
    world.liquid.mine(CSV).await?;
    wait_for("the refunds", PATIENCE, || async {
        Ok((chain(&world).mempool().len() >= swaps.len()).then_some(()))
    })
    .await?;
    ensure!(
        seen(&world, &mallory).await?.quarantine.is_none(),
        "nothing is final yet"
    );
    world.liquid.mine(2).await?;
    for swap_id in &swaps {
        let view = world
            .wait_for_swap(&world.alice, swap_id.parse()?, "closed", |view| view.outcome.is_some())
            .await?;
        assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByCsv));
    }
    let view = quarantined(&world, &mallory).await?;
    let quarantine = view.quarantine.context("she is in quarantine")?;
    assert_eq!(quarantine.cause, Cause::Stranded);
    assert_eq!(quarantine.until - quarantine.since, 7 * 24 * 3_600);
    Ok(())
}
