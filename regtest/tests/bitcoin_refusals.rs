//! Every rule that a transaction can break, broken once, on the embedded chain and on a real bitcoind; beside each the same
//! transaction unbroken is accepted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "chain/client.rs"]
mod client;
#[path = "bitcoin/swap.rs"]
mod swap;
#[path = "bitcoin/world.rs"]
mod world;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::opcodes::all;
use bitcoin::script::Builder;
use bitcoin::secp256k1::SecretKey;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use serde_json::json;
use swap::{Opening, PREIMAGE, maker, payout, refusal, send, taker};
use world::{World, on_both};

const FEE: u64 = 400;

on_both! {
    the_three_spends_of_an_opening_are_accepted,
    a_signature_by_the_wrong_key_or_over_something_else_is_refused,
    signatures_must_be_strict_der_with_low_s_and_a_known_hash_type,
    a_wrong_preimage_is_refused,
    another_script_than_the_committed_one_is_refused,
    an_item_too_many_in_the_witness_is_refused,
    a_condition_that_is_not_minimal_is_refused,
    a_refund_one_block_early_is_refused,
    a_refund_whose_sequence_is_below_the_scripts_delay_is_refused,
    a_lock_time_in_the_future_is_refused,
    a_script_can_demand_a_lock_time,
    one_sat_out_of_nothing_is_refused,
    a_fee_below_one_sat_per_vbyte_is_refused,
    dust_is_refused,
    a_replacement_pays_more_and_for_its_own_relay,
    what_does_not_signal_replacement_is_replaced_all_the_same,
    a_chain_of_more_than_25_waiting_transactions_is_refused,
    a_spent_output_cannot_be_spent_again_and_a_known_transaction_is_said_to_be_known,
    odd_forms_are_refused,
    a_young_coinbase_output_cannot_be_spent,
    a_fee_beyond_the_senders_limit_is_refused,
}

async fn the_three_spends_of_an_opening_are_accepted(world: World) {
    let opening = Opening::fund(&world.wallet, 3).await;
    send(&world.wallet, &opening.claim(FEE)).await.unwrap();
    let opening = Opening::fund(&world.wallet, 3).await;
    send(&world.wallet, &opening.cooperative(FEE)).await.unwrap();
    let opening = Opening::fund(&world.wallet, 3).await;
    world.mine(3).await;
    send(&world.wallet, &opening.refund(3, FEE)).await.unwrap();
    world.mine(1).await;
    assert_eq!(world.wallet.call("getrawmempool", json!([])).await, json!([]));
}

async fn a_signature_by_the_wrong_key_or_over_something_else_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let wrong = opening.sign(&tx, &maker());
    opening.witness(&mut tx, vec![wrong, PREIMAGE.to_vec(), vec![], vec![]]);
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(code, -26);
    assert!(text.contains("script-verify-flag"), "{text}");

    let mut moved = opening.claim(FEE);
    moved.output[0].value -= Amount::from_sat(1);
    let (code, text) = refusal(&world.wallet, &moved).await;
    assert_eq!(code, -26);
    assert!(text.contains("script-verify-flag"), "{text}");
}

async fn signatures_must_be_strict_der_with_low_s_and_a_known_hash_type(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let good = opening.sign(&tx, &taker());
    let with = |tx: &mut Transaction, signature: Vec<u8>| {
        opening.witness(tx, vec![signature, PREIMAGE.to_vec(), vec![], vec![]]);
    };
    let mut padded = good.clone();
    padded.insert(good.len() - 1, 0);
    with(&mut tx, padded);
    assert!(
        refusal(&world.wallet, &tx)
            .await
            .1
            .contains("Non-canonical DER signature")
    );

    with(&mut tx, with_high_s(&good));
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(
        text.contains("(Non-canonical signature: S value is unnecessarily high)"),
        "{text}"
    );

    let mut odd = good.clone();
    *odd.last_mut().unwrap() = 0x05;
    with(&mut tx, odd);
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(text.contains("script-verify-flag"), "{text}");

    with(&mut tx, good);
    send(&world.wallet, &tx).await.unwrap();
}

/// The other signature of the same key over the same message: (r, n − s).
fn with_high_s(signature: &[u8]) -> Vec<u8> {
    let (hash_type, der) = signature.split_last().unwrap();
    let mut compact = Signature::from_der(der).unwrap().serialize_compact();
    let negated = SecretKey::from_slice(&compact[32..]).unwrap().negate();
    compact[32..].copy_from_slice(&negated.secret_bytes());
    let mut bytes = Signature::from_compact(&compact).unwrap().serialize_der().to_vec();
    bytes.push(*hash_type);
    bytes
}

async fn a_wrong_preimage_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let signature = opening.sign(&tx, &taker());
    opening.witness(&mut tx, vec![signature.clone(), vec![8; 32], vec![], vec![]]);
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(code, -26);
    assert!(text.contains("(Script failed an OP_EQUALVERIFY operation)"), "{text}");
    opening.witness(&mut tx, vec![signature, PREIMAGE[..31].to_vec(), vec![], vec![]]);
    assert!(refusal(&world.wallet, &tx).await.1.contains("OP_EQUALVERIFY"));
}

async fn another_script_than_the_committed_one_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.claim(FEE);
    let mut items = tx.input[0].witness.to_vec();
    items.last_mut().unwrap()[0] ^= 1;
    tx.input[0].witness = Witness::from_slice(&items);
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(text.contains("Witness program hash mismatch"), "{text}");
    tx.input[0].witness = Witness::new();
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(text.contains("Witness program was passed an empty witness"), "{text}");
}

async fn an_item_too_many_in_the_witness_is_refused(world: World) {
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

async fn a_condition_that_is_not_minimal_is_refused(world: World) {
    let script = Builder::new()
        .push_opcode(all::OP_IF)
        .push_int(1)
        .push_opcode(all::OP_ELSE)
        .push_int(1)
        .push_opcode(all::OP_ENDIF)
        .into_script();
    let opening = Opening::fund_script(&world.wallet, script).await;
    let mut tx = opening.spend(0, FEE);
    opening.witness(&mut tx, vec![vec![2]]);
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(text.contains("(OP_IF/NOTIF argument must be minimal)"), "{text}");
    opening.witness(&mut tx, vec![vec![1]]);
    send(&world.wallet, &tx).await.unwrap();
}

async fn a_refund_one_block_early_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 5).await;
    world.mine(4).await;
    let refund = opening.refund(5, FEE);
    assert_eq!(refusal(&world.wallet, &refund).await, (-26, "non-BIP68-final".into()));
    world.mine(1).await;
    send(&world.wallet, &refund).await.unwrap();
}

async fn a_refund_whose_sequence_is_below_the_scripts_delay_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 5).await;
    world.mine(6).await;
    let mut old = opening.spend(5, FEE);
    old.version = Version::ONE;
    let signature = opening.sign(&old, &maker());
    opening.witness(&mut old, vec![signature]);
    for early in [opening.refund(4, FEE), opening.refund(0xffff_ffff, FEE), old] {
        let (_, text) = refusal(&world.wallet, &early).await;
        assert!(text.contains("(Locktime requirement not satisfied)"), "{text}");
    }
}

async fn a_lock_time_in_the_future_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, FEE);
    let tip = world.wallet.call("getblockcount", json!([])).await.as_u64().unwrap();
    tx.lock_time = LockTime::from_consensus(tip as u32 + 1);
    opening.sign_claim(&mut tx);
    assert_eq!(refusal(&world.wallet, &tx).await, (-26, "non-final".into()));
    tx.lock_time = LockTime::from_consensus(tip as u32);
    opening.sign_claim(&mut tx);
    send(&world.wallet, &tx).await.unwrap();
}

async fn a_script_can_demand_a_lock_time(world: World) {
    let tip = world.wallet.call("getblockcount", json!([])).await.as_u64().unwrap() as u32;
    let script = Builder::new()
        .push_int(i64::from(tip))
        .push_opcode(all::OP_CLTV)
        .into_script();
    let opening = Opening::fund_script(&world.wallet, script).await;
    let mut tx = opening.spend(0, FEE);
    tx.lock_time = LockTime::from_consensus(tip - 1);
    opening.witness(&mut tx, vec![]);
    let (_, text) = refusal(&world.wallet, &tx).await;
    assert!(text.contains("(Locktime requirement not satisfied)"), "{text}");
    tx.lock_time = LockTime::from_consensus(tip);
    send(&world.wallet, &tx).await.unwrap();
}

async fn one_sat_out_of_nothing_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, 0);
    tx.output[0].value += Amount::from_sat(1);
    opening.sign_claim(&mut tx);
    let text = "bad-txns-in-belowout, value in (0.01) < value out (0.01000001)";
    assert_eq!(refusal(&world.wallet, &tx).await, (-26, text.into()));
}

async fn a_fee_below_one_sat_per_vbyte_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let size = opening.claim(FEE).vsize() as u64;
    let (code, text) = refusal(&world.wallet, &opening.claim(size - 2)).await;
    assert_eq!(code, -26);
    assert!(text.starts_with("min relay fee not met, "), "{text}");
    // The signature may be a byte longer or shorter.
    send(&world.wallet, &opening.claim(size + 1)).await.unwrap();
}

async fn dust_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut tx = opening.spend(0, 5_000);
    tx.output.push(TxOut {
        value: Amount::from_sat(293),
        script_pubkey: payout(),
    });
    opening.sign_claim(&mut tx);
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(code, -26);
    assert!(text.starts_with("dust"), "{text}");
    tx.output[1].value = Amount::from_sat(294);
    opening.sign_claim(&mut tx);
    send(&world.wallet, &tx).await.unwrap();
}

async fn a_replacement_pays_more_and_for_its_own_relay(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let first = opening.claim(FEE);
    let step = first.vsize() as u64;
    let old = send(&world.wallet, &first).await.unwrap();
    let mut same = opening.spend(0xffff_fffd, FEE);
    opening.sign_claim(&mut same);
    let (code, text) = refusal(&world.wallet, &same).await;
    assert_eq!(code, -26);
    assert!(text.starts_with("insufficient fee, rejecting replacement"), "{text}");
    let (_, text) = refusal(&world.wallet, &opening.claim(FEE + step - 2)).await;
    assert!(text.contains("not enough additional fees to relay"), "{text}");
    let new = send(&world.wallet, &opening.claim(FEE + step + 1)).await.unwrap();
    let waiting = world.wallet.call("getrawmempool", json!([])).await;
    let waiting = waiting.as_array().unwrap();
    assert!(waiting.contains(&json!(new)) && !waiting.contains(&json!(old)));
}

async fn what_does_not_signal_replacement_is_replaced_all_the_same(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let mut first = opening.spend(0xffff_ffff, FEE);
    let (ours, theirs) = (opening.sign(&first, &taker()), opening.sign(&first, &maker()));
    opening.witness(&mut first, vec![ours, theirs, vec![]]);
    send(&world.wallet, &first).await.unwrap();
    send(&world.wallet, &opening.claim(5_000)).await.unwrap();
}

async fn a_chain_of_more_than_25_waiting_transactions_is_refused(world: World) {
    let script = Builder::new().push_int(1).into_script();
    let mut link = Opening::fund_script(&world.wallet, script).await;
    for _ in 1..25 {
        let mut tx = link.spend(0, FEE);
        tx.output[0].script_pubkey = link.script.to_p2wsh();
        link.witness(&mut tx, vec![]);
        send(&world.wallet, &tx).await.unwrap();
        link.outpoint = OutPoint::new(tx.compute_txid(), 0);
        link.output = tx.output.remove(0);
    }
    let mut tx = link.spend(0, FEE);
    link.witness(&mut tx, vec![]);
    let (code, text) = refusal(&world.wallet, &tx).await;
    assert_eq!(code, -26);
    assert!(text.starts_with("too-long-mempool-chain"), "{text}");
    world.mine(1).await;
    send(&world.wallet, &tx).await.unwrap();
}

async fn a_spent_output_cannot_be_spent_again_and_a_known_transaction_is_said_to_be_known(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    let claim = opening.claim(FEE);
    let txid = send(&world.wallet, &claim).await.unwrap();
    // Sending it again while it waits is no error.
    assert_eq!(send(&world.wallet, &claim).await.unwrap(), txid);
    world.mine(1).await;
    let known = (-27, "Transaction outputs already in utxo set".to_owned());
    assert_eq!(refusal(&world.wallet, &claim).await, known);
    let again = opening.cooperative(FEE + 1);
    let missing = (-25, "bad-txns-inputs-missingorspent".to_owned());
    assert_eq!(refusal(&world.wallet, &again).await, missing);
    let accepted = world
        .wallet
        .call("testmempoolaccept", json!([[serialize_hex(&again)]]))
        .await;
    assert_eq!(
        (&accepted[0]["allowed"], &accepted[0]["reject-reason"]),
        (&json!(false), &json!("missing-inputs"))
    );
}

async fn odd_forms_are_refused(world: World) {
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
    version.version = Version(4);
    assert_eq!(reason(refusal(&world.wallet, &version).await), "version");
    let mut no_output = good.clone();
    no_output.output.clear();
    assert_eq!(reason(refusal(&world.wallet, &no_output).await), "bad-txns-vout-empty");
    let mut script = good.clone();
    script.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac, 0xac]);
    assert!(reason(refusal(&world.wallet, &script).await).starts_with("scriptpubkey"));
    let mut huge = good.clone();
    huge.output[0].value = Amount::from_sat(2_100_000_000_000_001);
    assert_eq!(reason(refusal(&world.wallet, &huge).await), "bad-txns-vout-toolarge");
    let mut unknown = good.clone();
    unknown.input[0].previous_output = OutPoint::new(good.compute_txid(), 7);
    let missing = (-25, "bad-txns-inputs-missingorspent".to_owned());
    assert_eq!(refusal(&world.wallet, &unknown).await, missing);
    send(&world.wallet, &good).await.unwrap();
}

async fn a_young_coinbase_output_cannot_be_spent(world: World) {
    let hash = world.mine(1).await.remove(0);
    let block = world.wallet.call("getblock", json!([hash, 2])).await;
    let coinbase: Transaction = deserialize_hex(block["tx"][0]["hex"].as_str().unwrap()).unwrap();
    let tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(coinbase.compute_txid(), 0),
            sequence: Sequence::MAX,
            ..TxIn::default()
        }],
        output: vec![TxOut {
            value: coinbase.output[0].value - Amount::from_sat(1_000),
            script_pubkey: payout(),
        }],
    };
    let text = "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 1";
    assert_eq!(refusal(&world.wallet, &tx).await, (-26, text.into()));
}

async fn a_fee_beyond_the_senders_limit_is_refused(world: World) {
    let opening = Opening::fund(&world.wallet, 60).await;
    // 0.009 BTC for some 140 vbytes.
    let dear = serialize_hex(&opening.claim(900_000));
    let error = world
        .wallet
        .try_call("sendrawtransaction", json!([dear, "0.01"]))
        .await
        .unwrap_err();
    let text = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
    assert_eq!(error, (-25, text.into()));
    world.wallet.call("sendrawtransaction", json!([dear, 0])).await;
}
