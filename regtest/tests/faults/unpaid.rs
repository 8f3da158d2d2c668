//! A world with swaps that nobody paid, the coins of each on another way back, and nothing of it in a block yet.
//!
//! ```text
//!   block    0      1 …     CSV-600    1 …            CSV, all but two of them empty
//!   csv      open ──1──────────────────────────────── the timelock is over, alice's refund waits
//!   coop                    open ──────1─ bob gives his key, alice's refund waits
//!   given                   open ──────1─ alice gives her key, bob's refund waits
//!   void                               open ───────── the window is over, the void waits in the opening's place
//! ```
//!
//! `csv` and `void` are with mallory, who has the opening made and never says a word again.

use ::bitcoin::Amount;
use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{BumpRequest, ChoiceKind, OutcomeKind, PolicyChange, Stage, SwapRef, SwapView, WalletRef};
use sluice::ports::{LightningNode, PaymentSpec};
use sluice::protocol::{MessageType, invoice};
use sluice::swap::Kind;
use sluice::units::{Asset, Scid, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::ChannelSpec;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::peer::RawPeer;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin};

use super::messages::{id, request};
use super::orders::{look, mine, mine_nothing, network, node, order_of, outcome, request_of, tails};

/// What alice's wallet gets beside the rest: a coin for each opening.
const COIN: Amount = Amount::from_sat(2_000_000);
/// More than any void of a day without blocks pays, and less than its ceiling.
const BUMPED: u64 = 8_000;
/// Blocks from the last openings to the end of the first one's timelock: more than any window, less than any timelock.
const LAST: u32 = 600;

/// Blocks after which a maker may take its coins back.
fn timelock(asset: Asset) -> u32 {
    match asset {
        Asset::Lbtc => 10_080,
        Asset::Btc => 1_008,
    }
}

/// The world, and its swaps.
pub struct Unpaid {
    pub world: World,
    /// Who is gone.
    pub mallory: RawPeer,
    asset: Asset,
    /// Both wallets before, in satoshi, and what bob had in the channel of `given`, in millisatoshi.
    before: ([u64; 2], u64),
    csv: SwapId,
    coop: SwapId,
    given: SwapId,
    void: SwapId,
}

impl Unpaid {
    /// Starts a world and brings each swap to where its coins are on their way back.
    pub async fn reach(asset: Asset, options: Options) -> Result<Unpaid> {
        let options = Options {
            channels: 2,
            bitcoin: (asset == Asset::Btc).then_some(bitcoin::Kind::Embedded),
            ..options
        };
        let world = World::start(options).await?;
        let (mallory, scid) = with_mallory(&world).await?;
        let address = world.alice.client()?.wallet_address(WalletRef { asset }).await?.address;
        for _ in 0..3 {
            world.chains().pay(asset, &address, COIN).await?;
        }
        mine(&world, asset, 1).await?;
        let before = holdings(&world, asset).await?;
        let csv = strand(&mallory, asset, mallory.scid, 1).await?;
        mine(&world, asset, 1).await?;
        mine_nothing(&world, asset, timelock(asset) - LAST).await?;
        let coop = opened(&world, asset, 0, Kind::In).await?;
        let given = opened(&world, asset, 1, Kind::Out).await?;
        mine(&world, asset, 1).await?;
        give_keys(&world, coop, given).await?;
        let void = strand(&mallory, asset, scid, 2).await?;
        let unpaid = Unpaid {
            world,
            mallory,
            asset,
            before,
            csv,
            coop,
            given,
            void,
        };
        unpaid.run_out().await?;
        Ok(unpaid)
    }

    /// Nobody can pay any more, and the timelock passes in blocks that take nothing.
    async fn run_out(&self) -> Result<()> {
        for invoice in node(&self.world, 0).invoices() {
            node(&self.world, 0).expire_invoice(invoice.hash);
        }
        let alice = &self.world.alice;
        for swap in [self.csv, self.void] {
            let unpayable = |view: &SwapView| view.stage == Stage::Refunding;
            self.see(alice, swap, "not payable", unpayable).await?;
        }
        mine_nothing(&self.world, self.asset, LAST).await?;
        self.see(alice, self.csv, "refunded", is_refunded).await?;
        wait_for("three refunds and a void, and no opening", PATIENCE, || async {
            let view = look(alice, self.void).await.context("alice's swap")?;
            let opening = view.opening.context("an opening")?.txid;
            let is_out = self.world.chains().knows(self.asset, opening).await?;
            let waiting = self.world.chains().waiting(self.asset).await?;
            ensure!(
                !is_out && waiting == 4,
                "{waiting} transactions wait; the opening: {is_out}"
            );
            Ok(Some(()))
        })
        .await
        .with_context(|| tails(&self.world))
    }

    async fn see(
        &self,
        operator: &Operator,
        swap: SwapId,
        what: &str,
        reached: impl Fn(&SwapView) -> bool,
    ) -> Result<SwapView> {
        self.world.wait_for_swap(operator, swap, what, reached).await
    }

    /// Blocks take what waits, with the void at a fee of alice's choice: her swaps end without bob.
    pub async fn finish_alone(&self) -> Result<u64> {
        let alice = &self.world.alice;
        self.see(alice, self.void, "voided", may_bump).await?;
        let request = BumpRequest {
            swap_id: self.void,
            fee_rate_sat_per_kvb: Some(BUMPED),
        };
        let bumped = alice.client()?.swap_bump(request).await?;
        let void = bumped.new_txid.context("a void at once")?;
        wait_for("the bumped void", PATIENCE, || async {
            let known = self.world.chains().knows(self.asset, void).await?;
            Ok(known.then_some(()))
        })
        .await
        .with_context(|| tails(&self.world))?;
        self.world.mine(self.asset, 4).await?;
        let ends = [
            (self.csv, OutcomeKind::ClaimedByCsv),
            (self.coop, OutcomeKind::ClaimedByCoop),
            (self.given, OutcomeKind::CoopClosed),
            (self.void, OutcomeKind::Canceled),
        ];
        for (swap, end) in ends {
            let view = self.see(alice, swap, "over", |view| view.outcome.is_some()).await?;
            ensure!(outcome(&view) == Some(end), "{end:?} is due: {view:?}");
        }
        Ok(bumped.new_fee_sat)
    }

    /// Bob's swaps end as well, and nothing was paid but fees, which are named to the satoshi.
    pub async fn finish(&self, void_fee: u64) -> Result<()> {
        let (alice, bob) = (&self.world.alice, &self.world.bob);
        for swap in [self.coop, self.given] {
            let view = self.see(bob, swap, "over", |view| view.outcome.is_some()).await?;
            let over = view.outcome.context("an outcome")?;
            ensure!(!over.success && over.kind != OutcomeKind::Lost, "{over:?}");
        }
        let spent = fees(alice, self.csv).await? + fees(alice, self.coop).await? + void_fee;
        let given = look(alice, self.given).await.context("alice's swap")?;
        let paid = given.fee_invoice_sat.context("a fee is paid in advance")?;
        let ([alice_had, bob_had], channel) = self.before;
        let due = (
            [alice_had - spent, bob_had - fees(bob, self.given).await?],
            channel + paid * 1000,
        );
        let now = holdings(&self.world, self.asset).await?;
        ensure!(now == due, "{now:?}, not {due:?}\n{}", tails(&self.world));
        Ok(())
    }
}

/// Mallory and another channel of hers; alice allows her.
async fn with_mallory(world: &World) -> Result<(RawPeer, Scid)> {
    let mallory = RawPeer::join(network(world), "mallory", node(world, 0)).await?;
    let allowed = PolicyChange {
        allow: vec![mallory.id()],
        ..PolicyChange::default()
    };
    world.alice.client()?.policy_set(allowed).await?;
    let spec = ChannelSpec::new(Amount::from_sat(2_000_000), Amount::from_sat(1_000_000));
    let scid = network(world).open_channel(&mallory.node, node(world, 0), &spec)?;
    mallory.greet().await?;
    Ok((mallory, scid))
}

/// Mallory has alice make an opening, which costs her the fee in advance, and leaves it at that.
async fn strand(mallory: &RawPeer, asset: Asset, scid: Scid, number: usize) -> Result<SwapId> {
    let bitcoin = [("asset", "\"\""), ("network", "\"regtest\"")];
    let replaced: &[_] = if asset == Asset::Btc { &bitcoin } else { &[] };
    let swap = id(number);
    let asked = request(&swap, &scid.to_string(), replaced);
    mallory.say(MessageType::SwapOutRequest, asked).await?;
    let agreement = mallory.hear_of(MessageType::SwapOutAgreement, &swap).await?;
    let bolt11 = agreement["Payreq"].as_str().context("a fee invoice")?.to_owned();
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
    mallory.hear_of(MessageType::OpeningTxBroadcasted, &swap).await?;
    Ok(swap.parse()?)
}

/// Either taker ends a swap, and its maker's refund is published.
async fn give_keys(world: &World, coop: SwapId, given: SwapId) -> Result<()> {
    let (alice, bob) = (&world.alice, &world.bob);
    for (taker, maker, swap_id) in [(bob, alice, coop), (alice, bob, given)] {
        taker.client()?.swap_cancel(SwapRef { swap_id }).await?;
        world.wait_for_swap(maker, swap_id, "refunded", is_refunded).await?;
    }
    let told = |view: &SwapView| view.state.contains("the peer has our key");
    world.wait_for_swap(alice, given, "given back", told).await.map(drop)
}

/// Orders a swap from alice's daemon, and waits until both know its opening.
async fn opened(world: &World, asset: Asset, slot: usize, kind: Kind) -> Result<SwapId> {
    let request = request_of(asset, world.channels[slot], 300_000 + 1_000 * slot as u64);
    let swap = order_of(&world.alice, kind, request).await?;
    for operator in [&world.alice, &world.bob] {
        let opened = |view: &SwapView| view.stage == Stage::OpeningPublished && view.opening.is_some();
        world.wait_for_swap(operator, swap, "opened", opened).await?;
    }
    Ok(swap)
}

fn is_refunded(view: &SwapView) -> bool {
    view.timings_ms.spend_published.is_some()
}

fn may_bump(view: &SwapView) -> bool {
    let choices = view.next.as_ref().map_or(&[][..], |next| &next.you_may);
    choices.iter().any(|choice| choice.kind == ChoiceKind::Bump)
}

/// What a maker's way out and back has cost.
async fn fees(maker: &Operator, swap: SwapId) -> Result<u64> {
    let view = look(maker, swap).await.context("the maker's swap")?;
    let opening = view
        .opening
        .and_then(|opening| opening.fee_sat)
        .context("an opening's fee")?;
    let spend = view.spend.and_then(|spend| spend.fee_sat).context("a refund's fee")?;
    Ok(opening + spend)
}

async fn holdings(world: &World, asset: Asset) -> Result<([u64; 2], u64)> {
    let mut wallets = [0; 2];
    for (held, operator) in wallets.iter_mut().zip([&world.alice, &world.bob]) {
        let client = operator.client()?;
        *held = wait_for(
            &format!("{}'s wallet to be at rest", operator.name),
            PATIENCE,
            || async {
                let balance = client.wallet_balance(WalletRef { asset }).await?;
                ensure!(balance.pending_sat == 0 && balance.locked_sat == 0, "it is {balance:?}");
                Ok(Some(balance.spendable_sat))
            },
        )
        .await?;
    }
    Ok((wallets, world.lightning.local(1, world.channels[1]).await?.0))
}
