//! Peers that behave as Go PeerSwap does where that differs from Sluice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bitcoin::Amount;
use futures::StreamExt;
use serde_json::Value;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, PeerRef, Stage, SwapRef};
use sluice::chain::backend::BackendConfig;
use sluice::chain::elements_rpc::{Auth, Endpoint};
use sluice::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE, LIQUID_FEE_FLOOR};
use sluice::ports::{Chain, InvoiceSpec, LightningNode, Wallet};
use sluice::protocol::{MessageType, invoice};
use sluice::swap::Kind;
use sluice::swap::event::InvoiceStatus;
use sluice::swap::state::Opening;
use sluice::tx::{self, OpeningOutput};
use sluice::units::{Blocks, CltvDelta, FeeRate, Msat, PaymentHash, Preimage, PubKey, SwapSecret};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::peer::RawPeer;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::messages::{id, public, secret};
use super::orders::{chain, is_claimed, look, network, node, order, outcome, tails};

const SWAPPED: Amount = Amount::from_sat(500_000);

/// A maker as Go PeerSwap is one.
pub struct GoMaker {
    pub peer: RawPeer,
    wallet: Elementsd,
}

impl GoMaker {
    pub async fn join(world: &World) -> Result<GoMaker> {
        let peer = RawPeer::join(network(world), "gopher", node(world, 0)).await?;
        let liquid = chain(world);
        let wallet = Elementsd::connect(ElementsdConfig {
            node: BackendConfig {
                endpoint: Endpoint {
                    url: liquid.rpc_url(),
                    auth: Auth::Password {
                        user: liquid.user().into(),
                        password: liquid.password().to_owned().into(),
                    },
                    wallet: "gopher".into(),
                    timeout: PATIENCE,
                    poll: PATIENCE,
                },
                fee_floor: LIQUID_FEE_FLOOR,
                fee_ceiling: FeeRate(10_000),
                witness: None,
            },
            safe_releases: KNOWN_SAFE.to_vec(),
        })
        .await?;
        let address = wallet.new_address("").await?.address;
        world.liquid.fund(&address, SWAPPED * 4).await?;
        world.liquid.mine(1).await?;
        peer.greet().await?;
        Ok(GoMaker { peer, wallet })
    }

    async fn invoice(&self, preimage: [u8; 32], sat: u64, final_cltv: Option<CltvDelta>) -> Result<String> {
        let spec = InvoiceSpec {
            preimage: Preimage::from_bytes(preimage),
            amount: Msat(sat * 1000),
            description: "peerswap".into(),
            expiry_secs: 3600,
            final_cltv,
        };
        Ok(self.peer.lnd.ensure_invoice(&spec).await?)
    }

    /// Agrees, and asks for the opening's fee.
    async fn ask_for_the_fee(&self, swap_id: &str) -> Result<String> {
        let fee = self.invoice([1; 32], 100, None).await?;
        let pubkey = public(&secret());
        let agreement = format!(
            "{{\"protocol_version\":7,\"swap_id\":\"{swap_id}\",\"pubkey\":\"{pubkey}\",\"Payreq\":\"{fee}\",\"premium\":0}}"
        );
        self.peer.say(MessageType::SwapOutAgreement, agreement).await?;
        Ok(fee)
    }

    /// Agrees, and waits until the opening's fee is paid.
    pub async fn agree(&self, swap_id: &str) -> Result<()> {
        let fee = self.ask_for_the_fee(swap_id).await?;
        let hash = invoice::read_invoice(&fee, "regtest")?.hash;
        let mut states = self.peer.lnd.watch_invoice(hash).await?;
        while let Some(status) = states.next().await {
            if status == InvoiceStatus::Paid {
                return Ok(());
            }
        }
        anyhow::bail!("the fee was not paid")
    }

    /// Publishes an opening whose swap output is the second one.
    async fn open(&self, world: &World, taker: &PubKey, claim: &str) -> Result<(Opening, SwapSecret)> {
        let blinding = SwapSecret::from_bytes([0x44; 32]);
        let hash = invoice::read_invoice(claim, "regtest")?.hash;
        let output = OpeningOutput {
            script: tx::opening_script(&public(&secret()).parse()?, taker, hash, Blocks(10_080)).to_p2wsh(),
            blinding_key: Some(public(&blinding).parse()?),
            amount: SWAPPED,
        };
        // The wallet puts its change at a random place.
        for _ in 0..64 {
            let opening = self.wallet.fund(&output, LIQUID_FEE_FLOOR).await?;
            if opening.outpoint.vout == 1 {
                self.wallet.broadcast(&opening.tx).await?;
                ensure!(chain(world).mempool().len() == 1, "the opening waits");
                return Ok((opening, blinding));
            }
            self.wallet.keep_only(&[]).await?;
        }
        anyhow::bail!("the swap's output never was the second one")
    }

    /// Publishes an opening for who asked. What tells of it, and the hash that it pays for.
    async fn opening_told(&self, world: &World, request: &Value) -> Result<(String, PaymentHash)> {
        let taker = request["pubkey"].as_str().context("a key")?.parse()?;
        let swap_id = request["swap_id"].as_str().context("an id")?;
        let claim = self.invoice([2; 32], SWAPPED.to_sat(), Some(CltvDelta(29))).await?;
        let (opening, blinding) = self.open(world, &taker, &claim).await?;
        let told = told_opening(
            swap_id,
            &claim,
            &opening.outpoint.txid.to_string(),
            &String::from(blinding),
        );
        Ok((told, invoice::read_invoice(&claim, "regtest")?.hash))
    }
}

fn told_opening(swap_id: &str, claim: &str, txid: &str, blinding: &str) -> String {
    format!(
        "{{\"swap_id\":\"{swap_id}\",\"payreq\":\"{claim}\",\"tx_id\":\"{txid}\",\"script_out\":0,\"blinding_key\":\"{blinding}\"}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_go_maker_that_names_output_0_and_repeats_itself_is_paid_for_output_1() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let go = GoMaker::join(&world).await?;
    let swap = order(&world.alice, Kind::Out, go.peer.scid, SWAPPED.to_sat()).await?;
    let swap_id = swap.to_string();
    let request = go.peer.hear_of(MessageType::SwapOutRequest, &swap_id).await?;
    go.agree(&swap_id).await?;
    let (announced, hash) = go.opening_told(&world, &request).await?;
    for blocks in [0, 1, 1, 0, 1, 1] {
        // Go repeats it every ten seconds, whatever has happened since.
        for _ in 0..3 {
            go.peer.say(MessageType::OpeningTxBroadcasted, &announced).await?;
        }
        go.peer.greet().await?;
        world.liquid.mine(blocks).await?;
        if chain(&world).tip().height >= 5 && blocks == 0 {
            is_claimed(&world, &world.alice, swap).await?;
        }
    }
    let view = world
        .wait_for_swap(&world.alice, swap, "closed", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByInvoice));
    assert_eq!(network(&world).htlcs_sent(hash), 1);
    assert_eq!(go.peer.count(MessageType::CoopClose, &swap_id), 0);
    assert_eq!(go.peer.count(MessageType::SwapOutRequest, &swap_id), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_kinds_agreement_and_openings_told_too_early_spoil_neither_agreement_nor_opening() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let go = GoMaker::join(&world).await?;
    let swap = order(&world.alice, Kind::Out, go.peer.scid, SWAPPED.to_sat()).await?;
    let swap_id = swap.to_string();
    let request = go.peer.hear_of(MessageType::SwapOutRequest, &swap_id).await?;
    let pubkey = public(&secret());
    let other = format!("{{\"protocol_version\":7,\"swap_id\":\"{swap_id}\",\"pubkey\":\"{pubkey}\",\"premium\":0}}");
    let dear = go.invoice([3; 32], 2 * SWAPPED.to_sat(), Some(CltvDelta(29))).await?;
    let early = told_opening(&swap_id, &dear, &id(7), &String::from(secret()));
    for _ in 0..2 {
        go.peer.say(MessageType::SwapInAgreement, &other).await?;
        go.peer.say(MessageType::OpeningTxBroadcasted, &early).await?;
    }
    go.peer.greet().await?;
    go.agree(&swap_id).await?;
    let (announced, hash) = go.opening_told(&world, &request).await?;
    go.peer.say(MessageType::OpeningTxBroadcasted, &announced).await?;
    world
        .wait_for_swap(&world.alice, swap, "told", |view| view.opening.is_some())
        .await?;
    world.liquid.mine(2).await?;
    is_claimed(&world, &world.alice, swap).await?;
    world.liquid.mine(2).await?;
    let view = world
        .wait_for_swap(&world.alice, swap, "closed", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByInvoice));
    assert_eq!(network(&world).htlcs_sent(hash), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_peers_swap_is_asked_for_once_and_can_be_canceled_after_a_restart() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let peer = RawPeer::join(network(&world), "gopher", node(&world, 0)).await?;
    peer.greet().await?;
    let swap = order(&world.alice, Kind::Out, peer.scid, 500_000).await?;
    let swap_id = swap.to_string();
    peer.hear_of(MessageType::SwapOutRequest, &swap_id).await?;
    // What Go answers to a request that it finds invalid.
    peer.say(MessageType::Cancel, "{\"swap_id\":null,\"message\":\"\"}")
        .await?;
    world.alice.daemon.kill();
    world.alice.daemon.begin().await?;
    world.alice.wait_for_peer(peer.id(), |seen| seen.online).await?;
    peer.greet().await?;
    let view = look(&world.alice, swap).await.context("the swap is known")?;
    assert_eq!(view.stage, Stage::Requested, "{}", view.state);
    assert_eq!(peer.count(MessageType::SwapOutRequest, &swap_id), 1);
    world.alice.client()?.swap_cancel(SwapRef { swap_id: swap }).await?;
    peer.hear_of(MessageType::Cancel, &swap_id).await?;
    wait_for("the channel to be free", Duration::from_secs(10), || async {
        let again = order(&world.alice, Kind::In, peer.scid, 500_000).await?;
        Ok(Some(again))
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fee_is_paid_from_a_channel_that_cannot_carry_the_claim_after_it() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let go = GoMaker::join(&world).await?;
    let peer = PeerRef { peer: go.peer.id() };
    let channels = world.alice.client()?.peer_get(peer).await?.channels;
    let spendable = channels.first().context("a channel")?.spendable_sat;

    let refused = order(&world.alice, Kind::Out, go.peer.scid, spendable).await;
    let refused = format!("{:#}", refused.err().context("the fee is not counted")?);
    ensure!(refused.contains("can send"), "{refused}");

    // enough for the fee that we expect, but it asks for more
    let swap = order(&world.alice, Kind::Out, go.peer.scid, spendable - 50).await?;
    let swap_id = swap.to_string();
    go.peer.hear_of(MessageType::SwapOutRequest, &swap_id).await?;
    go.ask_for_the_fee(&swap_id).await?;
    let cancelled = go.peer.hear_of(MessageType::Cancel, &swap_id).await;
    cancelled.with_context(|| tails(&world))?;
    let view = world
        .wait_for_swap(&world.alice, swap, "closed", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::Canceled));
    assert_eq!(node(&world, 0).payments().len(), 0);
    Ok(())
}
