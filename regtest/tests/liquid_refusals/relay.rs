//! Fees, replacements, forms.

use elements::confidential::Value;
use elements::encode::{deserialize, serialize_hex};
use elements::{OutPoint, Sequence, Transaction, TxIn, TxOut};
use serde_json::json;

use crate::FEE;
use crate::client::World;
use crate::swap::{Opening, maker, policy_asset, refusal, send, taker};

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
