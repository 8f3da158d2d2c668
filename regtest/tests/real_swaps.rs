//! The same swaps on every pair of chain and nodes: embedded ones, and real daemons where there are any.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bitcoin::Amount;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapRef, SwapRequest, SwapView};
use sluice::swap::Kind;
use sluice::units::{Asset, SwapId};
use sluice_regtest::daemons::{self, wait_for};
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World, expect_equal, lightning, liquid};
use tokio::sync::{Mutex, MutexGuard};

const AMOUNT: u64 = 1_000_000;
/// What each wallet holds at first.
const WALLET: Amount = Amount::from_sat(50_000_000);
/// After so many blocks the maker may refund (BIP 68).
const CSV: u32 = 10_080;

/// One world at a time: real daemons would take each other's processors and run into time limits.
static TURN: Mutex<()> = Mutex::const_new(());

/// A world of those kinds; None, loudly, where a daemon is missing.
async fn world(
    liquid: liquid::Kind,
    lightning: lightning::Kind,
    channels: usize,
) -> Result<Option<(World, MutexGuard<'static, ()>)>> {
    let mut needed = Vec::new();
    if liquid == liquid::Kind::Elementsd {
        needed.push("elementsd");
    }
    if let Some(programs) = lightning.programs() {
        needed.extend(programs.map(|program| program.name()));
        needed.push("bitcoind");
    }
    let missing = needed
        .into_iter()
        .map(daemons::require)
        .find_map(Result::<PathBuf>::err);
    if let Some(missing) = missing {
        eprintln!("SKIPPED: {missing}");
        return Ok(None);
    }
    let turn = TURN.lock().await;
    let options = Options {
        liquid,
        lightning,
        channels,
        wallet: WALLET,
        ..Options::default()
    };
    Ok(Some((World::start(options).await?, turn)))
}

/// What an operator has: in the wallet, and in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Money {
    wallet_sat: i128,
    channel_sat: i128,
}

async fn money(world: &World, node: usize, channel: usize) -> Result<Money> {
    let operator = [&world.alice, &world.bob][node];
    let wallet = operator.client()?.wallet_balance(Default::default()).await?;
    let local = world.lightning.local(node, world.channels[channel]).await?;
    Ok(Money {
        wallet_sat: (wallet.spendable_sat + wallet.pending_sat + wallet.locked_sat).into(),
        channel_sat: (local.0 / 1000).into(),
    })
}

/// One swap on a channel of its own, from the order to its end on both sides.
struct Run<'a> {
    world: &'a World,
    channel: usize,
    kind: Kind,
    before: [Money; 2],
    id: SwapId,
}

impl<'a> Run<'a> {
    /// Alice orders.
    async fn order(world: &'a World, channel: usize, kind: Kind, max_premium_ppm: i64) -> Result<Run<'a>> {
        let before = [money(world, 0, channel).await?, money(world, 1, channel).await?];
        let request = SwapRequest {
            channel: world.channels[channel],
            amount_sat: AMOUNT,
            asset: Asset::Lbtc.into(),
            max_premium_ppm,
            idempotency_key: None,
        };
        let client = world.alice.client()?;
        let started = match kind {
            Kind::Out => client.swap_out(request).await?,
            Kind::In => client.swap_in(request).await?,
        };
        Ok(Run {
            world,
            channel,
            kind,
            before,
            id: started.swap_id,
        })
    }

    fn side(&self, node: usize) -> &Operator {
        [&self.world.alice, &self.world.bob][node]
    }

    /// The taker's place: who asks for coins is its initiator on a swap-out.
    fn taker(&self) -> usize {
        match self.kind {
            Kind::Out => 0,
            Kind::In => 1,
        }
    }

    async fn wait(&self, node: usize, what: &str, reached: impl Fn(&SwapView) -> bool) -> Result<SwapView> {
        self.world.wait_for_swap(self.side(node), self.id, what, reached).await
    }

    async fn opened(&self) -> Result<()> {
        for node in [0, 1] {
            self.wait(node, "opened", |swap| swap.opening.is_some()).await?;
        }
        let opening = self.wait(1 - self.taker(), "opened", |_| true).await?.opening;
        let txid = opening.context("an opening")?.txid.to_string();
        wait_for("the opening in the mempool", PATIENCE, || async {
            let waiting = self.world.liquid.mempool().await?;
            Ok(waiting.iter().any(|id| id.to_string() == txid).then_some(()))
        })
        .await
    }

    /// Waits until both have closed, and checks how and with what money.
    async fn closed(&self, outcomes: [OutcomeKind; 2]) -> Result<()> {
        let mut views = Vec::new();
        for (node, outcome) in outcomes.into_iter().enumerate() {
            let view = self.wait(node, "closed", |swap| swap.outcome.is_some()).await?;
            expect_equal(
                "the outcome",
                &view.outcome.as_ref().map(|outcome| outcome.kind),
                &Some(outcome),
            )?;
            views.push(view);
        }
        let moved = self.moved(&views)?;
        for (node, moved) in moved.into_iter().enumerate() {
            let wanted = Money {
                wallet_sat: self.before[node].wallet_sat + moved.wallet_sat,
                channel_sat: self.before[node].channel_sat + moved.channel_sat,
            };
            wait_for("exact balances", PATIENCE, || async {
                let found = money(self.world, node, self.channel).await?;
                expect_equal("the money", &found, &wanted).map(Some)
            })
            .await?;
        }
        Ok(())
    }

    /// What either side gained, by the terms of the swap and the fees of its transactions.
    fn moved(&self, views: &[SwapView]) -> Result<[Money; 2]> {
        let (taker, maker) = (&views[self.taker()], &views[1 - self.taker()]);
        let premium = i128::from(taker.premium_sat.unwrap_or_default());
        let (mut on_chain, mut in_channel) = (i128::from(AMOUNT), i128::from(AMOUNT));
        match self.kind {
            Kind::Out => in_channel += premium,
            Kind::In => on_chain += premium,
        }
        let paid = taker.outcome.as_ref().map(|o| o.kind) == Some(OutcomeKind::ClaimedByInvoice);
        if !paid {
            (on_chain, in_channel) = (0, 0);
        }
        if maker.opening.is_some() {
            in_channel += i128::from(taker.fee_invoice_sat.unwrap_or_default());
        }
        let opening_fee = maker.opening.as_ref().and_then(|opening| opening.fee_sat).unwrap_or(0);
        let spend_fee = |view: &SwapView| {
            let ours = view.spend.as_ref().filter(|spend| spend.ours);
            i128::from(ours.and_then(|spend| spend.fee_sat).unwrap_or(0))
        };
        let taker_moved = Money {
            wallet_sat: on_chain - spend_fee(taker),
            channel_sat: -in_channel,
        };
        let maker_moved = Money {
            wallet_sat: -on_chain - i128::from(opening_fee) - spend_fee(maker),
            channel_sat: in_channel,
        };
        Ok(match self.kind {
            Kind::Out => [taker_moved, maker_moved],
            Kind::In => [maker_moved, taker_moved],
        })
    }

    /// The outcomes in the order alice, bob.
    fn outcomes(&self, taker: OutcomeKind, maker: OutcomeKind) -> [OutcomeKind; 2] {
        match self.kind {
            Kind::Out => [taker, maker],
            Kind::In => [maker, taker],
        }
    }
}

async fn paid(world: &World, channel: usize, kind: Kind) -> Result<()> {
    let run = Run::order(world, channel, kind, 10_000).await?;
    run.opened().await?;
    world.liquid.mine(2).await?;
    run.wait(run.taker(), "claimed", |swap| swap.timings_ms.spend_published.is_some())
        .await?;
    world.liquid.mine(2).await?;
    run.closed(run.outcomes(OutcomeKind::ClaimedByInvoice, OutcomeKind::ClaimPaid))
        .await
}

/// The taker changes its mind after the opening: its key goes to the maker, who takes the coins back.
async fn coop(world: &World, channel: usize, kind: Kind) -> Result<()> {
    let run = Run::order(world, channel, kind, 10_000).await?;
    run.opened().await?;
    run.side(run.taker())
        .client()?
        .swap_cancel(SwapRef { swap_id: run.id })
        .await?;
    run.wait(1 - run.taker(), "taken back", |swap| {
        swap.timings_ms.spend_published.is_some()
    })
    .await?;
    world.liquid.mine(2).await?;
    run.closed(run.outcomes(OutcomeKind::CoopClosed, OutcomeKind::ClaimedByCoop))
        .await
}

/// The responder asks for more than the initiator pays.
async fn canceled(world: &World, channel: usize, kind: Kind) -> Result<()> {
    let run = Run::order(world, channel, kind, -1000).await?;
    let alice = run.wait(0, "closed", |swap| swap.outcome.is_some()).await?;
    let outcome = alice.outcome.map(|outcome| outcome.kind);
    expect_equal("the outcome", &outcome, &Some(OutcomeKind::Canceled))?;
    // A request that was refused leaves nothing with who refused it.
    let stored = world.bob.client()?.swap_get(SwapRef { swap_id: run.id }).await.is_ok();
    expect_equal("whether bob has stored it", &stored, &false)?;
    for node in [0, 1] {
        expect_equal("the money", &money(world, node, channel).await?, &run.before[node])?;
    }
    Ok(())
}

/// Both ways, paid.
async fn swap_both_ways(liquid: liquid::Kind, lightning: lightning::Kind) -> Result<()> {
    let Some((world, _turn)) = world(liquid, lightning, 2).await? else {
        return Ok(());
    };
    paid(&world, 0, Kind::Out).await.context("swap-out")?;
    paid(&world, 1, Kind::In).await.context("swap-in")
}

/// Both ways, each ending in which nobody pays and nobody waits for the timelock.
async fn end_unpaid(liquid: liquid::Kind, lightning: lightning::Kind) -> Result<()> {
    let Some((mut world, _turn)) = world(liquid, lightning, 2).await? else {
        return Ok(());
    };
    for (channel, kind) in [Kind::Out, Kind::In].into_iter().enumerate() {
        coop(&world, channel, kind).await.context("cooperative close")?;
        canceled(&world, channel, kind).await.context("cancelled")?;
    }
    refunded(&mut world).await.context("refund")
}

/// The taker of a swap-out is gone for good: the maker takes the coins back by the timelock.
async fn refunded(world: &mut World) -> Result<()> {
    let run = Run::order(world, 0, Kind::Out, 10_000).await?;
    run.opened().await?;
    let (id, before) = (run.id, run.before[1]);
    world.alice.daemon.kill();
    world.liquid.mine(CSV).await?;
    let refund = world
        .wait_for_swap(&world.bob, id, "refunded", |swap| {
            swap.timings_ms.spend_published.is_some()
        })
        .await?;
    world.liquid.mine(2).await?;
    let bob = world
        .wait_for_swap(&world.bob, id, "closed", |swap| swap.outcome.is_some())
        .await?;
    let outcome = bob.outcome.as_ref().map(|outcome| outcome.kind);
    expect_equal("the outcome", &outcome, &Some(OutcomeKind::ClaimedByCsv))?;
    let fee = |fee: Option<u64>| fee.map(i128::from).context("a fee");
    let opening = fee(refund.opening.context("an opening")?.fee_sat)?;
    let spend = fee(refund.spend.context("a spend")?.fee_sat)?;
    let gained = bob.fee_invoice_sat.context("a fee invoice")?;
    let wanted = Money {
        wallet_sat: before.wallet_sat - opening - spend,
        channel_sat: before.channel_sat + i128::from(gained),
    };
    wait_for("exact balances", PATIENCE, || async {
        let found = money(world, 1, 0).await?;
        expect_equal("the money", &found, &wanted).map(Some)
    })
    .await
}

macro_rules! on {
    ($($(#[$ignored:meta])? $pair:ident: $liquid:ident, $lightning:ident;)*) => {
        $(mod $pair {
            $(#[$ignored])?
            #[tokio::test(flavor = "multi_thread")]
            async fn swaps_go_both_ways_and_balances_are_exact() -> anyhow::Result<()> {
                super::swap_both_ways(super::liquid::Kind::$liquid, super::lightning::Kind::$lightning).await
            }

            $(#[$ignored])?
            #[tokio::test(flavor = "multi_thread")]
            async fn unpaid_swaps_cost_nobody_more_than_fees() -> anyhow::Result<()> {
                super::end_unpaid(super::liquid::Kind::$liquid, super::lightning::Kind::$lightning).await
            }
        })*
    };
}

// `cargo test` alone needs no daemons; `-- --include-ignored` runs these too.
on! {
    #[ignore = "the yardstick for the daemons; what it shows, `demo` and `faults` show sooner"]
    embedded_chain_and_nodes: Embedded, Embedded;
    #[ignore = "wants a real elementsd"]
    real_elementsd: Elementsd, Embedded;
    #[ignore = "wants a real lnd"]
    real_lnd: Embedded, Lnd;
    #[ignore = "wants a real lightningd"]
    real_cln: Embedded, Cln;
    #[ignore = "wants real lnd and lightningd"]
    real_lnd_and_cln: Embedded, LndCln;
    #[ignore = "wants real elementsd and lnd"]
    real_elementsd_and_lnd: Elementsd, Lnd;
}
