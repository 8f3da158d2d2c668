//! A world with a swap in every moment of its life, in both directions, for a fault to come then.
//!
//! ```text
//!   block      0      1      2      3         of Liquid; where three confirmations are needed there is one more after 1
//!   claiming   open ────────claim──deep       Claimed
//!   waiting           open ────────claim      ClaimWaits, Paying (held), Claiming (the broadcast is stuck)
//!   confirming               open ──1─        Confirming
//!   published                       open      Published, Publishing (stuck), Funding (stuck), PayingFee (held)
//! ```

use ::bitcoin::Amount;
use anyhow::{Context, Result};
use sluice::api::SluiceApiClient;
use sluice::api::types::{Stage, SwapView, WalletRef};
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, PaymentHash, Scid, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::{Hold, HoldAt, HoldId, Release};
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin};

use super::orders::{calls_of, finish_of, look, mine, network, order_of, request_of, tails, wait_for_calls_of};

const FUND: &str = "fundrawtransaction";
const PUBLISH: &str = "sendrawtransaction";
/// Blocks of which every wallet gets a coin of its own for each opening.
const COIN: Amount = Amount::from_sat(2_000_000);
const OPENINGS: usize = 9;

/// Where a swap stands when the fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The fee's HTLC is on its way (swap-out).
    PayingFee,
    /// The maker has the wallet choose the opening's coins; the taker waits for the opening.
    Funding,
    /// The opening is signed and stored; the network has not answered.
    Publishing,
    /// The opening is in no block.
    Published,
    /// The opening has one confirmation.
    Confirming,
    /// The claim's HTLC is on its way.
    Paying,
    /// Paid; the network has not answered to the claim.
    Claiming,
    /// The claim is in no block.
    ClaimWaits,
    /// The claim has one confirmation.
    Claimed,
}

struct Ordered {
    id: SwapId,
    kind: Kind,
    moment: Moment,
    channel: Scid,
}

/// The world, and its swaps.
pub struct Moments {
    pub world: World,
    asset: Asset,
    swaps: Vec<Ordered>,
    held: Vec<HoldId>,
}

impl Moments {
    /// Starts a world for swaps of L-BTC.
    pub async fn reach() -> Result<Moments> {
        Moments::reach_in(Asset::Lbtc, Options::default()).await
    }

    /// Starts a world for swaps of an asset.
    pub async fn reach_in(asset: Asset, options: Options) -> Result<Moments> {
        let options = Options {
            channels: 2 * OPENINGS - 1,
            bitcoin: (asset == Asset::Btc).then_some(bitcoin::Kind::Embedded),
            ..options
        };
        let world = World::start(options).await?;
        for operator in [&world.alice, &world.bob] {
            let address = operator.client()?.wallet_address(WalletRef { asset }).await?.address;
            for _ in 0..OPENINGS {
                world.chains().pay(asset, &address, COIN).await?;
            }
        }
        mine(&world, asset, 1).await?;
        Ok(Moments {
            world,
            asset,
            swaps: Vec::new(),
            held: Vec::new(),
        })
    }

    /// Brings a swap to each moment. May be done again once those have come to their ends.
    pub async fn begin(&mut self) -> Result<()> {
        self.begin_with_openings().await?;
        self.stick().await
    }

    /// Brings swaps to the moments in which an opening is published and no claim's broadcast is stuck.
    pub async fn begin_with_openings(&mut self) -> Result<()> {
        self.swaps.clear();
        self.open(&[Moment::Claimed]).await?;
        self.mine(1).await?;
        self.open(&[Moment::ClaimWaits, Moment::Paying, Moment::Claiming])
            .await?;
        self.hold(&[Moment::Paying, Moment::Claiming]);
        self.mine(1).await?;
        if self.asset == Asset::Btc {
            self.mine(1).await?;
        }
        self.wait(Moment::Claimed, Role::Taker, claim_is_published).await?;
        self.open(&[Moment::Confirming]).await?;
        self.mine(1).await?;
        self.wait(Moment::ClaimWaits, Role::Taker, claim_is_published).await?;
        self.open(&[Moment::Published]).await
    }

    async fn mine(&self, blocks: u32) -> Result<()> {
        mine(&self.world, self.asset, blocks).await
    }

    async fn order(&mut self, kind: Kind, moment: Moment) -> Result<()> {
        let channel = self.world.channels[self.swaps.len()];
        // A different amount each, so that no two could be taken for each other.
        let amount = 200_000 + 1_000 * self.swaps.len() as u64;
        let request = request_of(self.asset, channel, amount);
        let id = order_of(&self.world.alice, kind, request).await?;
        self.swaps.push(Ordered {
            id,
            kind,
            moment,
            channel,
        });
        Ok(())
    }

    /// Orders a swap of each direction for each moment, and waits until the takers know the openings.
    async fn open(&mut self, moments: &[Moment]) -> Result<()> {
        for moment in moments {
            self.order(Kind::Out, *moment).await?;
            self.order(Kind::In, *moment).await?;
        }
        for moment in moments {
            self.wait(*moment, Role::Taker, |view| view.opening.is_some()).await?;
            self.wait(*moment, Role::Maker, |view| view.stage == Stage::OpeningPublished)
                .await?;
        }
        Ok(())
    }

    fn hold(&mut self, moments: &[Moment]) {
        let network = network(&self.world);
        let channels = self.swaps.iter().filter(|swap| moments.contains(&swap.moment));
        self.held
            .extend(channels.map(|swap| network.hold(Hold::channel(swap.channel, HoldAt::Wire))));
    }

    /// The moments that need calls without an answer.
    async fn stick(&mut self) -> Result<()> {
        let claims = self.held_of(Moment::Claiming).await?;
        self.held_of(Moment::Paying).await?;
        self.world.chains().set_stuck(self.asset, &[PUBLISH]);
        for hash in claims {
            network(&self.world).release(hash, Release::Settle)?;
        }
        self.wait(Moment::Claiming, Role::Taker, |view| view.stage == Stage::Claiming)
            .await?;
        self.order(Kind::Out, Moment::Publishing).await?;
        self.order(Kind::In, Moment::Publishing).await?;
        let publishing = |view: &SwapView| view.state.starts_with("publishing");
        self.wait(Moment::Publishing, Role::Maker, publishing).await?;
        // Before the last call that a daemon may have open at a bitcoind is stuck: the maker asks for the fee's rate.
        let channel = self.world.channels[self.swaps.len()];
        self.held
            .push(network(&self.world).hold(Hold::channel(channel, HoldAt::Wire)));
        self.order(Kind::Out, Moment::PayingFee).await?;
        self.held_of(Moment::PayingFee).await?;
        let funded = calls_of(&self.world, self.asset, FUND);
        self.world.chains().set_stuck(self.asset, &[PUBLISH, FUND]);
        self.order(Kind::Out, Moment::Funding).await?;
        self.order(Kind::In, Moment::Funding).await?;
        wait_for_calls_of(&self.world, self.asset, FUND, funded + 2).await?;
        Ok(())
    }

    /// The payments that are held in a moment's channels, waited for.
    async fn held_of(&self, moment: Moment) -> Result<Vec<PaymentHash>> {
        let mut hashes = Vec::new();
        for swap in self.swaps.iter().filter(|swap| swap.moment == moment) {
            let held = network(&self.world)
                .wait_for(|network| network.held().into_iter().find(|held| held.channel == swap.channel));
            let held = tokio::time::timeout(PATIENCE, held)
                .await
                .with_context(|| format!("{moment:?} of swap-{:?}\n{}", swap.kind, tails(&self.world)))?;
            hashes.push(held.hash);
        }
        Ok(hashes)
    }

    /// Waits until one side of a moment's swaps is as wanted.
    async fn wait(&self, moment: Moment, role: Role, reached: impl Fn(&SwapView) -> bool) -> Result<()> {
        for swap in self.swaps.iter().filter(|swap| swap.moment == moment) {
            let operator = self.side(swap.kind, role);
            let what = format!("{role:?}'s {moment:?} of swap-{:?}", swap.kind);
            wait_for(&what, PATIENCE, || async {
                let Some(view) = look(operator, swap.id).await else {
                    return Ok(None);
                };
                anyhow::ensure!(reached(&view), "it is: {}", view.state);
                Ok(Some(()))
            })
            .await
            .with_context(|| tails(&self.world))?;
        }
        Ok(())
    }

    fn side(&self, kind: Kind, role: Role) -> &Operator {
        match (kind, role) {
            (Kind::Out, Role::Taker) | (Kind::In, Role::Maker) => &self.world.alice,
            (Kind::Out, Role::Maker) | (Kind::In, Role::Taker) => &self.world.bob,
        }
    }

    /// Lets all that was held and stuck go on.
    pub fn let_go(&mut self) {
        self.world.chains().set_stuck(self.asset, &[]);
        let network = network(&self.world);
        for id in self.held.drain(..) {
            network.lift(id);
        }
        for held in network.held() {
            // Two HTLCs of one hash would be released together; the second time there is none left.
            let _ = network.release(held.hash, Release::Settle);
        }
    }

    /// Waits until the takers know that the payments which were under way have settled.
    pub async fn know_of_payments(&self) -> Result<()> {
        self.wait(Moment::Paying, Role::Taker, |view| view.stage == Stage::Claiming)
            .await
    }

    /// Mines until every swap is over.
    pub async fn finish(&self) -> Result<Vec<SwapId>> {
        let ids: Vec<SwapId> = self.swaps.iter().map(|swap| swap.id).collect();
        finish_of(&self.world, self.asset, &ids).await?;
        Ok(ids)
    }
}

fn claim_is_published(view: &SwapView) -> bool {
    view.timings_ms.spend_published.is_some()
}
