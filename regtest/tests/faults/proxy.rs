//! Everything that may go wrong between a `sluiced` and its backends, with a swap in every moment of its life.
//!
//! ```text
//!  rounds      alice's way      bob's way         in each: 17 swaps, both directions, every moment
//!  ──────      ───────────      ─────────
//!  elementsd   FAULTS[2n]       FAULTS[2n + 1]    L-BTC
//!  bitcoind    FAULTS[2n + 1]   FAULTS[2n]        BTC
//!  lnd         WIRE[2n]         WIRE[2n + 1]      L-BTC
//! ```
//!
//! Every fault meets makers and takers: each side is both in every round. Alice orders; what meets her daemon on one
//! chain meets bob's on the other.

use std::time::Duration;

use anyhow::{Context, Result};
use sluice::api::SluiceApiClient;
use sluice::swap::Kind;
use sluice::units::Asset;
use sluice_regtest::daemons::proxy::{Fault, Proxy};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::books::Books;
use super::moments::Moments;
use super::orders::{order, tails};

/// Late, but not so late that the daemon gives a call up.
pub const LATE: Duration = Duration::from_millis(1500);
/// So late that the daemon has given the call up, and asks again (it waits for 30 s).
const TOO_LATE: [Fault; 2] = [const { Fault::Late(Duration::from_secs(31)) }; 2];
/// Calls that a fault befalls before it is over; one that comes too late is enough.
fn befallen(fault: &Fault) -> u64 {
    if TOO_LATE.contains(fault) { 1 } else { 6 }
}

/// What befalls calls over HTTP.
const FAULTS: [Fault; 8] = [
    Fault::Refused,
    Fault::Hanging,
    // in the head, and in the body
    Fault::Cut(20),
    Fault::Cut(150),
    Fault::Status(500),
    Fault::Status(401),
    Fault::Status(503),
    Fault::Late(LATE),
];

/// What befalls a connection whose content nobody sees.
const WIRE: [Fault; 4] = [Fault::Refused, Fault::Hanging, Fault::Cut(40), Fault::Late(LATE)];

/// What stands behind a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Chain(Asset),
    Lightning,
}

pub fn way(world: &World, side: usize, backend: Backend) -> Result<&Proxy> {
    let ways = world.ways.get(side).context("a world with proxies")?;
    match backend {
        Backend::Chain(Asset::Lbtc) => Ok(&ways.liquid),
        Backend::Chain(Asset::Btc) => ways.bitcoin.as_ref().context("a world with BTC"),
        Backend::Lightning => Ok(&ways.lightning),
    }
}

/// Waits until a daemon says that the backend is away.
pub async fn wait_until_missed(operator: &Operator, backend: Backend) -> Result<()> {
    let client = operator.client()?;
    wait_for("the daemon to miss its backend", PATIENCE, || async {
        let info = client.info().await?;
        let missed = match backend {
            Backend::Chain(asset) => {
                let chain = info.chains.iter().find(|chain| chain.asset == asset);
                chain.is_some_and(|chain| chain.height.is_none())
            }
            Backend::Lightning => info.node.problem.is_some(),
        };
        Ok(missed.then_some(()))
    })
    .await
}

/// One round: faults come in, swaps go on as far as they can, blocks come, all heals.
async fn round(moments: &mut Moments, asset: Asset, backend: Backend, faults: [&Fault; 2]) -> Result<()> {
    let books = Books::open_in(&moments.world, asset).await?;
    moments.begin().await.context("before the fault")?;
    for (side, fault) in faults.into_iter().enumerate() {
        way(&moments.world, side, backend)?.suffer(fault.clone());
    }
    moments.let_go();
    let operators = [&moments.world.alice, &moments.world.bob];
    for (side, fault) in faults.into_iter().enumerate() {
        if *fault == Fault::Refused {
            wait_until_missed(operators[side], backend).await?;
        } else {
            way(&moments.world, side, backend)?
                .wait_for_befallen(befallen(fault), PATIENCE)
                .await?;
        }
    }
    moments.world.mine(asset, 1).await?;
    moments
        .world
        .ways
        .iter()
        .for_each(sluice_regtest::world::ways::Ways::heal);
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await
}

async fn suffer(asset: Asset, backend: Backend, faults: &[Fault]) -> Result<()> {
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let mut moments = Moments::reach_in(asset, options).await?;
    for pair in faults.chunks_exact(2) {
        let (alices, bobs) = match asset {
            Asset::Lbtc => (&pair[0], &pair[1]),
            Asset::Btc => (&pair[1], &pair[0]),
        };
        let played = round(&mut moments, asset, backend, [alices, bobs]).await;
        played.with_context(|| format!("{backend:?}: alice {alices:?}, bob {bobs:?}\n{}", tails(&moments.world)))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_the_way_to_elementsd_every_swap_ends_as_it_should() -> Result<()> {
    suffer(Asset::Lbtc, Backend::Chain(Asset::Lbtc), &FAULTS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_the_way_to_bitcoind_every_swap_ends_as_it_should() -> Result<()> {
    suffer(Asset::Btc, Backend::Chain(Asset::Btc), &FAULTS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_the_way_to_lnd_every_swap_ends_as_it_should() -> Result<()> {
    suffer(Asset::Lbtc, Backend::Lightning, &WIRE).await
}

/// Beside each other: most of it is waiting.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_when_the_call_has_been_given_up_cost_nothing() -> Result<()> {
    let lnd = suffer(Asset::Lbtc, Backend::Lightning, &TOO_LATE);
    let [elementsd, bitcoind] = [Asset::Lbtc, Asset::Btc].map(|asset| suffer(asset, Backend::Chain(asset), &TOO_LATE));
    tokio::try_join!(lnd, elementsd, bitcoind).map(drop)
}

/// The maker's node chooses and locks coins, and its answer is lost: again and again.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_lost_leave_no_coin_locked_and_the_swap_is_funded() -> Result<()> {
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let books = Books::open(&world).await?;
    let way = &world.ways.first().context("a world with proxies")?.liquid;
    for method in ["fundrawtransaction", "signrawtransactionwithwallet", "lockunspent"] {
        way.suffer_in(method, Fault::Cut(20));
        let swap = order(&world.alice, Kind::In, world.channels[0], 500_000).await?;
        way.wait_for_befallen(3, PATIENCE).await.context(method)?;
        way.heal();
        super::orders::finish(&world, &[swap]).await.context(method)?;
    }
    let swaps = world.alice.client()?.swap_list(Default::default()).await?.swaps;
    let swaps: Vec<_> = swaps.iter().map(|swap| swap.swap_id).collect();
    books.balance(&world, &swaps).await
}

/// The node is slow: the daemon gives calls up, and they are carried out after it has looked at the locks.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_were_given_up_and_are_carried_out_later_leave_no_coin_locked() -> Result<()> {
    const FUND: &str = "fundrawtransaction";
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let books = Books::open(&world).await?;
    let way = &world.ways.first().context("a world with proxies")?.liquid;
    world.chains().set_stuck(Asset::Lbtc, &[FUND]);
    way.suffer_in(FUND, Fault::Lost);
    let swap = order(&world.alice, Kind::In, world.channels[0], 500_000).await?;
    way.wait_for_befallen(3, PATIENCE).await?;
    way.heal();
    world.chains().set_stuck(Asset::Lbtc, &[]);
    super::orders::finish(&world, &[swap]).await?;
    books.balance(&world, &[swap]).await
}
