//! Signatures, witnesses, timelocks.

use serde_json::json;

use crate::FEE;
use crate::client::World;
use crate::swap::{Opening, PREIMAGE, maker, refusal, send, taker};

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
