//! The claims of an opening, taken or refused by the node itself.

use bitcoin::Amount;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sluice::chain::bitcoind::Bitcoin;
use sluice::ports::Chain;
use sluice::swap::event::SpendPath;
use sluice::swap::state::{Claim, Opening};
use sluice::swap::terms::Payout;
use sluice::tx::{self, ClaimPath, ClaimRequest, Coin, FeeBasis, OpeningOutput, OpeningSpec};
use sluice::units::{Blocks, FeeRate, Preimage, PubKey, SwapSecret};

use crate::bench::Bench;
use crate::world::{World, refusal, watch};

const CSV: Blocks = Blocks(1008);
const SPENDS: [SpendPath; 3] = [SpendPath::Preimage, SpendPath::Coop, SpendPath::Csv];

/// Two peers and their secrets.
struct Parties {
    maker: SwapSecret,
    taker: SwapSecret,
    preimage: Preimage,
    /// What the opening holds.
    amount: Amount,
}

impl Parties {
    fn new() -> Self {
        Self {
            maker: SwapSecret::from_bytes([0x11; 32]),
            taker: SwapSecret::from_bytes([0x22; 32]),
            preimage: Preimage::from_bytes([0x44; 32]),
            amount: Amount::from_sat(200_000),
        }
    }

    fn spec(&self) -> OpeningSpec<'static> {
        let public = |secret: &SwapSecret| -> PubKey {
            PublicKey::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(secret.expose()).unwrap())
        };
        OpeningSpec {
            coin: Coin::Btc,
            script: tx::opening_script(&public(&self.maker), &public(&self.taker), self.preimage.hash(), CSV),
            amount: self.amount,
            blinding_key: None,
        }
    }

    fn path(&self, spend: &SpendPath) -> ClaimPath<'_> {
        let (maker_key, taker_key) = (&self.maker, &self.taker);
        match spend {
            SpendPath::Preimage => ClaimPath::Preimage { taker_key },
            SpendPath::Coop => ClaimPath::Coop { maker_key, taker_key },
            SpendPath::Csv => ClaimPath::Csv { maker_key },
        }
    }

    fn claim(&self, spend: &SpendPath, opening: &Opening, payout: &Payout, min_fee: Option<Amount>) -> Claim {
        let request = ClaimRequest {
            opening: &opening.tx,
            spec: &self.spec(),
            path: self.path(spend),
            payout,
            rate: FeeRate(1_000),
            basis: FeeBasis::Full,
            min_fee,
            ceiling: None,
        };
        let mut claim = tx::build_claim(&request, &mut StdRng::seed_from_u64(1)).unwrap();
        if matches!(spend, SpendPath::Preimage) {
            claim.tx = tx::with_preimage(Coin::Btc, &claim.tx, &self.preimage).unwrap();
        }
        claim
    }
}

async fn opened<B: Bench>(world: &World<B>, parties: &Parties) -> Opening {
    let output = OpeningOutput {
        script: tx::output_script(&parties.spec().script),
        blinding_key: None,
        amount: parties.amount,
    };
    let opening = world.wallet.fund(&output, B::RATE).await.unwrap();
    assert_eq!(
        tx::verify_opening(&opening.tx, &parties.spec()),
        Ok(opening.outpoint.vout)
    );
    assert_eq!(
        opening.outpoint.vout, 0,
        "before the change, where a Go taker looks first"
    );
    world.adapter.broadcast(&opening.tx).await.unwrap();
    opening
}

pub async fn every_path_is_taken_by_the_node_and_a_refund_not_a_block_early<B: Bench<Ledger = Bitcoin>>(
    world: World<B>,
) {
    let parties = Parties::new();
    let payout = world.wallet.new_address("").await.unwrap();
    let since = world.height().await;
    let script = tx::output_script(&parties.spec().script);
    let mut openings = Vec::new();
    for _ in &SPENDS {
        openings.push(opened(&world, &parties).await);
    }
    world.mine(1).await;
    for (number, (spend, opening)) in (1..).zip(SPENDS.iter().zip(&openings)) {
        let claim = parties.claim(spend, opening, &payout, None);
        if matches!(spend, SpendPath::Csv) {
            // the refund fits into the block at the opening's height and 1008
            world.mine(CSV.0 - 2 - (number - 1)).await;
            let refused = refusal(world.adapter.broadcast(&claim.tx).await);
            assert!(refused.contains("non-BIP68-final"), "{refused}");
            world.mine(1).await;
        }
        world.adapter.broadcast(&claim.tx).await.unwrap();
        let tip = world.await_tip(world.mine(1).await[0]).await;
        let watch = watch(u8::try_from(number).unwrap(), &script, opening, since);
        let found = world.view(&watch).await.spend.expect("claimed");
        assert_eq!(found.at, Some(tip.height));
        let seen = tx::classify_spend(Coin::Btc, &found.tx, opening.outpoint, &payout.script);
        let seen = seen.unwrap().unwrap();
        assert_eq!((&seen.path, seen.pays_payout), (spend, true));
        assert_eq!(seen.preimage.is_some(), matches!(spend, SpendPath::Preimage));
    }
}

pub async fn a_claim_is_replaced_by_one_that_pays_for_its_relay<B: Bench<Ledger = Bitcoin>>(world: World<B>) {
    let parties = Parties::new();
    let payout = world.wallet.new_address("").await.unwrap();
    let opening = opened(&world, &parties).await;
    world.mine(1).await;
    let first = parties.claim(&SpendPath::Preimage, &opening, &payout, None);
    world.adapter.broadcast(&first.tx).await.unwrap();
    let least = tx::replacement_fee(Coin::Btc, &first.cost);
    let short = parties.claim(&SpendPath::Preimage, &opening, &payout, Some(least - Amount::ONE_SAT));
    let refused = refusal(world.adapter.broadcast(&short.tx).await);
    assert!(refused.contains("insufficient fee"), "{refused}");
    let second = parties.claim(&SpendPath::Preimage, &opening, &payout, Some(least));
    world.adapter.broadcast(&second.tx).await.unwrap();
    let waiting = world.miner.mempool().await.unwrap();
    assert_eq!(waiting, [second.txid]);
}

/// A node refuses fees of more than 0.1 BTC/kvB unless it is told otherwise.
pub async fn a_claim_may_pay_more_than_a_node_takes_for_a_slip<B: Bench<Ledger = Bitcoin>>(world: World<B>) {
    let parties = Parties {
        amount: Amount::from_sat(3_500_000),
        ..Parties::new()
    };
    let payout = world.wallet.new_address("").await.unwrap();
    let opening = opened(&world, &parties).await;
    world.mine(1).await;
    let dear = parties.claim(
        &SpendPath::Preimage,
        &opening,
        &payout,
        Some(Amount::from_sat(1_700_000)),
    );
    assert!(dear.cost.fee.to_sat() / dear.cost.vsize > 10_000, "{:?}", dear.cost);
    world.adapter.broadcast(&dear.tx).await.unwrap();
    assert_eq!(world.miner.mempool().await.unwrap(), [dear.txid]);
}
