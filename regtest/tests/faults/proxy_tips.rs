//! The way leads to another node of the same chain, which stands elsewhere: with a swap in every moment of its life.
//!
//! ```text
//!            ┌── 3 blocks fewer                                alice's node, for a while: undone deeper than is trusted
//!  … ── ── ──┴── ── ──       the chain
//!         └── ── ── ──       as many other blocks, and 1 more    bob's node, for a while: the openings are in none of them
//! ```
//!
//! An opening that is first published then may be refused, since its inputs are in the blocks that the node lacks: the
//! machine takes it back, which is another story.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::ChainRef;
use sluice::units::Asset;
use sluice_regtest::chain::Auth;
use sluice_regtest::daemons::proxy::Fault;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::liquid::{LiquidChain, Options as ChainOptions, Orphans};
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::books::Books;
use super::moments::Moments;
use super::orders::{chain, tails, wait_for_height};

/// Blocks that the node lacks.
const BEHIND: u32 = 3;
/// Blocks that the node has others for.
const OTHERWISE: u32 = 2;

/// A second node with everything that the first has now.
async fn second(world: &World, name: &str) -> Result<LiquidChain> {
    let file = world.folder().join(name);
    chain(world).save_to(&file)?;
    let options = ChainOptions {
        auth: same_auth(chain(world)),
        state_file: Some(file),
        ..ChainOptions::default()
    };
    Ok(LiquidChain::start(options).await?)
}

/// Whoever is led elsewhere brings the password along.
pub fn same_auth(chain: &LiquidChain) -> Auth {
    Auth::User {
        user: chain.user().into(),
        password: chain.password().into(),
    }
}

async fn lead_to(world: &World, side: usize, node: &LiquidChain) -> Result<()> {
    let way = world.ways.get(side).context("a world with proxies")?;
    way.liquid.suffer(Fault::Elsewhere(node.address().to_string()));
    Ok(())
}

async fn sees(operator: &Operator, height: u32) -> Result<()> {
    let client = operator.client()?;
    wait_for(
        &format!("{} to see block {height}", operator.name),
        PATIENCE,
        || async {
            let seen = client.info().await?.chains.first().and_then(|chain| chain.height);
            ensure!(seen == Some(height), "it is at {seen:?}");
            Ok(Some(()))
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_elsewhere_for_a_while_costs_time_and_no_satoshi() -> Result<()> {
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let mut moments = Moments::reach_in(Asset::Lbtc, options).await?;
    let books = Books::open(&moments.world).await?;
    moments.begin_with_openings().await?;
    let height = chain(&moments.world).tip().height;
    let (stale, other) = (
        second(&moments.world, "stale").await?,
        second(&moments.world, "other").await?,
    );
    for _ in 0..BEHIND {
        let tip = stale.tip().hash;
        ensure!(stale.invalidate(&tip), "the tip is a block");
    }
    other.reorg(OTHERWISE, Orphans::Dropped);
    other.mine(1);
    lead_to(&moments.world, 0, &stale).await?;
    lead_to(&moments.world, 1, &other).await?;
    sees(&moments.world.alice, stale.tip().height).await?;
    sees(&moments.world.bob, other.tip().height).await?;
    moments.let_go();
    stale.mine(1);
    other.mine(1);
    sees(&moments.world.alice, height - BEHIND + 1).await?;
    sees(&moments.world.bob, height + 3).await?;
    for way in &moments.world.ways {
        way.heal();
    }
    let world = &moments.world;
    world.liquid.mine(3).await?;
    for operator in [&world.alice, &world.bob] {
        wait_for_height(operator, height + 3).await?;
    }
    // what was final has been undone: nothing new until the operator has looked
    let chains = world.alice.client()?.chain_list().await?.chains;
    ensure!(chains.iter().all(|chain| chain.paused.is_some()), "{chains:?}");
    world
        .alice
        .client()?
        .chain_resume(ChainRef { asset: Asset::Lbtc })
        .await?;
    let swaps = moments.finish().await?;
    books
        .balance(&moments.world, &swaps)
        .await
        .with_context(|| tails(&moments.world))
}
