//! Every rule that a transaction can break, broken once; beside each the same transaction unbroken is accepted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "liquid/client.rs"]
mod client;
#[path = "liquid/swap.rs"]
mod swap;

use client::World;
use elements::confidential::Value;
use elements::encode::{deserialize, serialize_hex};
use elements::{OutPoint, RangeProof, Sequence, Transaction, TxIn, TxOut};
use serde_json::json;
use swap::{Opening, PREIMAGE, maker, policy_asset, refusal, send, taker, visible};

const FEE: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn the_three_spends_of_an_opening_are_accepted() {
    let world = World::start().await;
    for _ in 0..2 {
        let opening = Opening::fund(&world.wallet, 3).await;
        send(&world.wallet, &opening.claim(FEE)).await.unwrap();
        let opening = Opening::fund(&world.wallet, 3).await;
        send(&world.wallet, &opening.cooperative(FEE)).await.unwrap();
        let opening = Opening::fund(&world.wallet, 3).await;
        world.wallet.mine(3).await;
        send(&world.wallet, &opening.refund(3, FEE)).await.unwrap();
        world.wallet.mine(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_by_the_wrong_key_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let wrong = opening.sign(&tx, &maker());
    opening.witness(&mut tx, vec![wrong, PREIMAGE.to_vec(), vec![], vec![]]);
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(code, -26);
    // The newest line says how blocks would see it, 23.3 how relay does.
    let reasons = [
        "(Script evaluated without error but finished",
        "(Signature must be zero for failed",
    ];
    assert!(reasons.iter().any(|reason| text.contains(reason)), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_over_something_else_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.claim(FEE);
    tx.lock_time = elements::LockTime::from_consensus(1);
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(code, -26);
    assert!(text.contains("script-verify-flag"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_must_be_strict_der_with_low_s_and_a_known_hash_type() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let good = opening.sign(&tx, &taker());

    let mut padded = good.clone();
    padded.insert(good.len() - 1, 0);
    opening.witness(&mut tx, vec![padded, PREIMAGE.to_vec(), vec![], vec![]]);
    assert!(
        refusal(&world.wallet, &tx)
            .await
            .1
            .contains("Non-canonical DER signature")
    );

    opening.witness(&mut tx, vec![with_high_s(&good), PREIMAGE.to_vec(), vec![], vec![]]);
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(
        text.contains("(Non-canonical signature: S value is unnecessarily high)"),
        "{text}"
    );

    let mut odd = good.clone();
    *odd.last_mut().unwrap() = 0x05;
    opening.witness(&mut tx, vec![odd, PREIMAGE.to_vec(), vec![], vec![]]);
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(text.contains("script-verify-flag"), "{text}");

    opening.witness(&mut tx, vec![good, PREIMAGE.to_vec(), vec![], vec![]]);
    send(&world.wallet, &tx).await.unwrap();
}

/// The other signature of the same key over the same message: (r, n − s).
fn with_high_s(signature: &[u8]) -> Vec<u8> {
    use elements::secp256k1_zkp::SecretKey;
    use elements::secp256k1_zkp::ecdsa::Signature;
    let (hash_type, der) = signature.split_last().unwrap();
    let mut compact = Signature::from_der(der).unwrap().serialize_compact();
    let negated = SecretKey::from_slice(&compact[32..]).unwrap().negate();
    compact[32..].copy_from_slice(&negated.secret_bytes());
    let mut bytes = Signature::from_compact(&compact).unwrap().serialize_der().to_vec();
    bytes.push(*hash_type);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_preimage_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let signature = opening.sign(&tx, &taker());
    opening.witness(&mut tx, vec![signature.clone(), vec![8; 32], vec![], vec![]]);
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(code, -26);
    assert!(
        text.contains("script-verify-flag-failed (Script failed an OP_EQUALVERIFY operation)"),
        "{text}"
    );
    opening.witness(&mut tx, vec![signature, PREIMAGE[..31].to_vec(), vec![], vec![]]);
    assert!(refusal(&world.wallet, &tx).await.1.contains("OP_EQUALVERIFY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_script_than_the_committed_one_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.claim(FEE);
    let mut items: Vec<Vec<u8>> = tx.input[0].witness.script_witness.iter().map(<[u8]>::to_vec).collect();
    items.last_mut().unwrap()[0] ^= 1;
    tx.input[0].witness.script_witness = items.into();
    assert!(
        refusal(&world.wallet, &tx)
            .await
            .1
            .contains("Witness program hash mismatch")
    );
    tx.input[0].witness.script_witness = Vec::<Vec<u8>>::new().into();
    assert!(
        refusal(&world.wallet, &tx)
            .await
            .1
            .contains("Witness program was passed an empty witness")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_too_many_in_the_witness_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let signature = opening.sign(&tx, &taker());
    opening.witness(&mut tx, vec![vec![1], signature, PREIMAGE.to_vec(), vec![], vec![]]);
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(
        text.contains("Stack size must be exactly one after execution"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_one_block_early_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 5).await;
    world.wallet.mine(4).await;
    let refund = opening.refund(5, FEE);
    assert_eq!(refusal(&world.wallet, &refund).await, (-26, "non-BIP68-final".into()));
    world.wallet.mine(1).await;
    send(&world.wallet, &refund).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_sequence_is_below_the_scripts_delay_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 5).await;
    world.wallet.mine(6).await;
    for early in [opening.refund(4, FEE), opening.refund(0xffff_ffff, FEE)] {
        let (_, text) = refusal(&world.wallet, &early).await;
        assert!(
            text.contains("script-verify-flag-failed (Locktime requirement not satisfied)"),
            "{text}"
        );
    }
    let mut old = opening.spend(5, FEE);
    old.version = 1;
    let signature = opening.sign(&old, &maker());
    opening.witness(&mut old, vec![signature]);
    assert!(
        refusal(&world.wallet, &old)
            .await
            .1
            .contains("Locktime requirement not satisfied")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_time_in_the_future_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let tip = world.wallet.call("getblockcount", json!([])).await.as_u64().unwrap();
    tx.lock_time = elements::LockTime::from_consensus(tip as u32 + 1);
    let signature = opening.sign(&tx, &taker());
    opening.witness(&mut tx, vec![signature, PREIMAGE.to_vec(), vec![], vec![]]);
    assert_eq!(refusal(&world.wallet, &tx).await, (-26, "non-final".into()));
}

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

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_below_the_relay_minimum_of_the_discounted_size_is_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let size = opening.claim(FEE).discount_vsize() as u64;
    let least = size.div_ceil(10);
    assert!(opening.claim(FEE).vsize() as u64 > 5 * size);
    let (code, text) = refusal(&world.wallet, &opening.claim(least - 1)).await;
    assert_eq!(
        (code, text),
        (-26, format!("min relay fee not met, {} < {least}", least - 1))
    );
    send(&world.wallet, &opening.claim(least)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_pays_for_its_undiscounted_size_on_top() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let first = opening.claim(FEE);
    let step = (first.vsize() as u64).div_ceil(10);
    let old = send(&world.wallet, &first).await.unwrap();
    let (code, text) = refusal(&world.wallet, &opening.claim(FEE)).await;
    assert_eq!(code, -26);
    assert!(text.starts_with("insufficient fee, rejecting replacement"), "{text}");
    let (_, text) = refusal(&world.wallet, &opening.claim(FEE + step - 2)).await;
    assert!(text.contains("not enough additional fees to relay"), "{text}");
    let new = send(&world.wallet, &opening.claim(FEE + step + 1)).await.unwrap();
    let waiting = world.wallet.call("getrawmempool", json!([])).await;
    let waiting = waiting.as_array().unwrap();
    assert!(waiting.contains(&json!(new)) && !waiting.contains(&json!(old)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_signal_replacement_is_not_replaced() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut first = opening.spend(0xffff_ffff, FEE);
    let (ours, theirs) = (opening.sign(&first, &taker()), opening.sign(&first, &maker()));
    opening.witness(&mut first, vec![ours, theirs, vec![]]);
    send(&world.wallet, &first).await.unwrap();
    assert_eq!(
        refusal(&world.wallet, &opening.claim(5_000)).await,
        (-26, "txn-mempool-conflict".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_output_cannot_be_spent_again_and_a_known_transaction_is_said_to_be_known() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let claim = opening.claim(FEE);
    let txid = send(&world.wallet, &claim).await.unwrap();
    // Sending it again while it waits is no error.
    assert_eq!(send(&world.wallet, &claim).await.unwrap(), txid);
    world.wallet.mine(1).await;
    assert_eq!(refusal(&world.wallet, &claim).await.0, -27);
    let again = opening.cooperative(FEE);
    assert_eq!(
        refusal(&world.wallet, &again).await,
        (-25, "bad-txns-inputs-missingorspent".into())
    );
    let accepted = world
        .wallet
        .call("testmempoolaccept", json!([[serialize_hex(&again)]]))
        .await;
    assert_eq!(
        (&accepted[0]["allowed"], &accepted[0]["reject-reason"]),
        (&json!(false), &json!("missing-inputs"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_forms_are_refused() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    let good = opening.claim(FEE);
    let reason = |text: (i64, String)| text.1;

    let mut twice = good.clone();
    twice.input.push(twice.input[0].clone());
    assert_eq!(
        reason(refusal(&world.wallet, &twice).await),
        "bad-txns-inputs-duplicate"
    );
    let mut version = good.clone();
    version.version = 4;
    assert_eq!(reason(refusal(&world.wallet, &version).await), "version");
    let mut no_output = good.clone();
    no_output.output.clear();
    assert_eq!(reason(refusal(&world.wallet, &no_output).await), "bad-txns-vout-empty");
    let mut zero_fee = good.clone();
    zero_fee.output[1].value = Value::Explicit(0);
    assert_eq!(
        reason(refusal(&world.wallet, &zero_fee).await),
        "bad-txns-fee-outofrange"
    );
    let mut script = good.clone();
    script.output[1].script_pubkey = vec![0xac, 0xac].into();
    assert_eq!(reason(refusal(&world.wallet, &script).await), "scriptpubkey");
    let mut huge = good.clone();
    huge.output[1].value = Value::Explicit(2_100_000_000_000_001);
    assert_eq!(reason(refusal(&world.wallet, &huge).await), "bad-txns-vout-toolarge");
    let mut unknown = good.clone();
    unknown.input[0].previous_output = OutPoint::new(good.txid(), 7);
    assert_eq!(
        refusal(&world.wallet, &unknown).await,
        (-25, "bad-txns-inputs-missingorspent".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_visible_outputs_nonce_is_refused_as_forgotten_blinding() {
    let world = World::start().await;
    let address = world.wallet.address().await;
    let raw = world
        .wallet
        .call("createrawtransaction", json!([[], [{address: 1}]]))
        .await;
    let funded = world.wallet.call("fundrawtransaction", json!([raw])).await;
    let signed = world
        .wallet
        .call("signrawtransactionwithwallet", json!([funded["hex"]]))
        .await;
    let error = world
        .wallet
        .try_call("sendrawtransaction", json!([signed["hex"]]))
        .await
        .unwrap_err();
    assert_eq!(error.0, -25);
    assert!(error.1.contains("has nonce, but is not blinded"), "{}", error.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_coinbase_output_cannot_be_spent() {
    let world = World::start().await;
    let opening = Opening::fund(&world.wallet, 60).await;
    send(&world.wallet, &opening.claim(FEE)).await.unwrap();
    let hash = world.wallet.mine(1).await.remove(0);
    let block = world.wallet.call("getblock", json!([hash, 2])).await;
    let coinbase: Transaction = deserialize(&hex::decode(block["tx"][0]["hex"].as_str().unwrap()).unwrap()).unwrap();
    let sat = coinbase.output[0].value.explicit().unwrap();
    let input = TxIn {
        previous_output: OutPoint::new(coinbase.txid(), 0),
        sequence: Sequence::MAX,
        ..TxIn::default()
    };
    let tx = Transaction {
        version: 2,
        lock_time: elements::LockTime::ZERO,
        input: vec![input],
        output: vec![TxOut::new_fee(sat, policy_asset())],
    };
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(
        (code, text.as_str()),
        (
            -26,
            "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 1"
        )
    );
}
