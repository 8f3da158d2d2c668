//! A backend goes wrong while a swap is ordered: the answer is one clear error or a swap, and nothing half is left.

use anyhow::{Context, Result, ensure};
use jsonrpsee::core::ClientError;
use sluice::api::SluiceApiClient;
use sluice::api::types::{SwapFilter, SwapStarted};
use sluice::swap::Kind;
use sluice::units::{Asset, SwapId};
use sluice_regtest::daemons::proxy::{Fault, Proxy};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin};

use super::books::Books;
use super::orders::{finish_of, request_of, tails};

/// What an order asks of the chain's node, on either side of the swap.
const METHODS: [&str; 6] = [
    "getnewaddress",
    "getaddressinfo",
    "getblockchaininfo",
    "getbalances",
    "listunspent",
    "estimatesmartfee",
];

/// What befalls each of those calls.
const CALLS: [Fault; 4] = [
    Fault::Cut(20),
    Fault::Status(500),
    Fault::Status(503),
    Fault::Status(401),
];

/// What befalls the whole way.
const WAYS: [Fault; 3] = [Fault::Refused, Fault::Hanging, Fault::Cut(40)];

type Answer = Result<SwapStarted, ClientError>;

/// Orders while something is wrong, which heals as soon as it has befallen a call or the answer is there.
async fn order_in(world: &World, asset: Asset, kind: Kind, way: &Proxy) -> Result<Answer> {
    let (client, request) = (world.alice.client()?, request_of(asset, world.channels[0], 400_000));
    let ordered = async {
        match kind {
            Kind::Out => client.swap_out(request).await,
            Kind::In => client.swap_in(request).await,
        }
    };
    tokio::pin!(ordered);
    let answer = tokio::select! {
        answer = &mut ordered => answer,
        befallen = way.wait_for_befallen(1, PATIENCE) => {
            befallen?;
            way.heal();
            ordered.await
        }
    };
    way.heal();
    Ok(answer)
}

/// The answer is a sentence, or a swap that comes to its end. Returns what it is.
async fn is_whole(world: &World, asset: Asset, before: u64, answer: Answer) -> Result<Option<SwapId>> {
    let client = world.alice.client()?;
    let listed = client.swap_list(SwapFilter::default()).await?.total;
    match answer {
        Ok(started) => {
            ensure!(listed == before + 1, "{listed} swaps, there were {before}");
            Ok(Some(started.swap_id))
        }
        Err(ClientError::Call(error)) => {
            let said = error.message();
            ensure!(said.lines().count() == 1 && said.len() < 300, "{said}");
            ensure!(listed == before, "an order that failed has made a swap: {said}");
            // nothing is in the way of the next one
            wait_for("the channel to take an order", PATIENCE, || async {
                let info = client.info().await?;
                let mut chains = info.chains.iter().filter(|chain| chain.asset == asset);
                ensure!(
                    info.node.problem.is_none() && chains.all(|chain| chain.new_swaps),
                    "{info:?}"
                );
                Ok(Some(()))
            })
            .await?;
            Ok(None)
        }
        Err(other) => Err(other).context("the API"),
    }
}

async fn order_in_each(asset: Asset) -> Result<()> {
    let options = Options {
        proxied: true,
        bitcoin: (asset == Asset::Btc).then_some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    let world = World::start(options).await?;
    let books = Books::open_in(&world, asset).await?;
    let ways = world.ways.first().context("a world with proxies")?;
    let chain = ways
        .bitcoin
        .as_ref()
        .filter(|_| asset == Asset::Btc)
        .unwrap_or(&ways.liquid);
    let mut cells = Vec::new();
    for (index, method) in METHODS.into_iter().enumerate() {
        // each method meets two faults, each fault three methods
        for fault in [&CALLS[index % 4], &CALLS[(index + 2) % 4]] {
            cells.push((chain, Some(method), fault));
        }
    }
    for way in [chain, &ways.lightning] {
        cells.extend(WAYS.iter().map(|fault| (way, None, fault)));
    }
    let mut swaps = Vec::new();
    for (index, (way, method, fault)) in cells.into_iter().enumerate() {
        let kind = if index.is_multiple_of(2) { Kind::Out } else { Kind::In };
        let played = async {
            let before = world.alice.client()?.swap_list(SwapFilter::default()).await?.total;
            match method {
                Some(method) => way.suffer_in(method, fault.clone()),
                None => way.suffer(fault.clone()),
            }
            let answer = order_in(&world, asset, kind, way).await?;
            if let Some(swap) = is_whole(&world, asset, before, answer).await? {
                finish_of(&world, asset, &[swap]).await?;
                swaps.push(swap);
            }
            anyhow::Ok(())
        };
        let what = || format!("{asset} {kind:?}, {method:?}: {fault:?}\n{}", tails(&world));
        played.await.with_context(what)?;
    }
    ensure!(!swaps.is_empty(), "no order met a fault that it could do without");
    books.balance(&world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_lbtc_that_meets_a_fault_leaves_nothing_half() -> Result<()> {
    order_in_each(Asset::Lbtc).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_btc_that_meets_a_fault_leaves_nothing_half() -> Result<()> {
    order_in_each(Asset::Btc).await
}
