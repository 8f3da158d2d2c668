//! Amounts, assets, proofs.

use elements::confidential::Value;
use elements::{RangeProof, TxOut};

use crate::FEE;
use crate::client::World;
use crate::swap::{Opening, PREIMAGE, refusal, send, taker, visible};

const IN_NE_OUT: &str = "bad-txns-in-ne-out, value in != value out";

#[tokio::test(flavor = "multi_thread")]
async fn one_sat_out_of_nothing_is_refused_hidden_or_not() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut hidden = opening.spend_with(0, FEE, opening.secrets.value - FEE + 1);
    let signature = opening.sign(&hidden, &taker());
    opening.witness(&mut hidden, vec![signature, PREIMAGE.to_vec(), vec![], vec![]]);
    // The factors balance, the values do not.
    assert_eq!(refusal(&world.wallet, &hidden).await, (-26, IN_NE_OUT.into()));

    let mut fee = opening.claim(FEE);
    fee.output[1].value = Value::Explicit(FEE - 1);
    assert_eq!(refusal(&world.wallet, &fee).await, (-26, IN_NE_OUT.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_asset_than_the_inputs_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.claim(FEE);
    let other = elements::AssetId::LIQUID_BTC;
    tx.output.insert(
        1,
        TxOut {
            asset: elements::confidential::Asset::Explicit(other),
            ..visible(5_000, tx.output[0].script_pubkey.clone())
        },
    );
    assert_eq!(refusal(&world.wallet, &tx).await, (-26, IN_NE_OUT.into()));

    let mut fee = opening.claim(FEE);
    fee.output[1].asset = elements::confidential::Asset::Explicit(other);
    assert_eq!(refusal(&world.wallet, &fee).await, (-26, IN_NE_OUT.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_missing_proofs_are_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let good = opening.claim(FEE);

    let mut tampered = good.clone();
    let mut proof = good.output[0].witness.rangeproof.to_vec();
    proof[2_000] ^= 1;
    tampered.output[0].witness.rangeproof = RangeProof::from_slice(&proof).unwrap();
    assert_eq!(refusal(&world.wallet, &tampered).await, (-26, IN_NE_OUT.into()));

    let mut bare = good.clone();
    bare.output[0].witness.rangeproof = RangeProof::EMPTY;
    assert_eq!(refusal(&world.wallet, &bare).await, (-26, IN_NE_OUT.into()));

    let mut unproven = good.clone();
    unproven.output[0].witness.surjection_proof = elements::SurjectionProof::EMPTY;
    assert_eq!(refusal(&world.wallet, &unproven).await, (-26, IN_NE_OUT.into()));

    let mut swapped = good.clone();
    swapped.output[0].witness = opening.claim(FEE).output[0].witness.clone();
    assert_eq!(refusal(&world.wallet, &swapped).await, (-26, IN_NE_OUT.into()));

    // With a proof of its own: 23.3.3 remembers proofs without their scripts.
    let mut moved = opening.claim(FEE);
    moved.output[0].script_pubkey = opening.output.script_pubkey.clone();
    assert_eq!(refusal(&world.wallet, &moved).await, (-26, IN_NE_OUT.into()));
    send(&world.wallet, &good).await.unwrap();
}
