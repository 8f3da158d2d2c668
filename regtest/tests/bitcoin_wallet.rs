//! What a swap daemon does with bitcoind's wallet, on the embedded chain and on a real bitcoind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "chain/client.rs"]
mod client;
#[path = "bitcoin/world.rs"]
mod world;

use std::time::Duration;

use bitcoin::Transaction;
use bitcoin::consensus::encode::deserialize_hex;
use serde_json::{Value, json};
use world::{World, on_both};

on_both! {
    an_opening_is_funded_locked_signed_and_sent,
    a_locked_coin_is_not_chosen_until_it_is_released,
    balances_tell_what_is_confirmed_pending_and_too_young,
    a_payment_is_shown_with_amount_fee_and_label,
    a_wallet_that_lacks_money_says_so,
    an_address_is_known_as_ours_by_its_path,
    a_coin_of_a_stranger_is_signed_by_none,
    a_partially_signed_transaction_goes_through_all_hands,
}

fn sat(amount: &Value) -> u64 {
    bitcoin::Amount::from_btc(amount.as_f64().unwrap()).unwrap().to_sat()
}

async fn an_opening_is_funded_locked_signed_and_sent(world: World) {
    let wallet = &world.wallet;
    let to = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
    let raw = wallet.call("createrawtransaction", json!([[], [{to: "0.01"}]])).await;
    let change = wallet.text("getrawchangeaddress", json!(["bech32"])).await;
    let options = json!({"fee_rate": 2, "lockUnspents": true, "changePosition": 1, "changeAddress": change});
    let funded = wallet
        .call("fundrawtransaction", json!({"hexstring": raw, "options": options}))
        .await;
    assert_eq!(funded["changepos"], 1);
    assert_eq!(
        wallet
            .call("listlockunspent", json!([]))
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let signed = wallet
        .call("signrawtransactionwithwallet", json!([funded["hex"]]))
        .await;
    assert_eq!(signed["complete"], true, "{signed}");
    let tx: Transaction = deserialize_hex(signed["hex"].as_str().unwrap()).unwrap();
    assert!(sat(&funded["fee"]).abs_diff(2 * tx.vsize() as u64) <= 2, "{funded}");
    assert_eq!((tx.output[0].value.to_sat(), tx.output.len()), (1_000_000, 2));
    let txid = wallet.text("sendrawtransaction", json!([signed["hex"]])).await;
    assert_eq!(wallet.call("getrawmempool", json!([])).await, json!([txid]));
    let entry = wallet.call("getmempoolentry", json!([txid])).await;
    assert_eq!(
        (sat(&entry["fees"]["base"]), &entry["vsize"]),
        (sat(&funded["fee"]), &json!(tx.vsize()))
    );
    world.mine(2).await;
    assert_eq!(wallet.call("gettransaction", json!([txid])).await["confirmations"], 2);
}

async fn a_locked_coin_is_not_chosen_until_it_is_released(world: World) {
    let wallet = &world.wallet;
    let unspent = wallet.call("listunspent", json!([])).await;
    let coins: Vec<Value> = unspent
        .as_array()
        .unwrap()
        .iter()
        .map(|coin| json!({"txid": coin["txid"], "vout": coin["vout"]}))
        .collect();
    assert_eq!(coins.len(), 3);
    assert_eq!(wallet.call("lockunspent", json!([false, coins])).await, true);
    assert_eq!(wallet.call("listunspent", json!([])).await, json!([]));
    let to = wallet.address().await;
    let error = wallet.try_call("sendtoaddress", json!([to, 1])).await.unwrap_err();
    assert_eq!(error, (-6, "Insufficient funds".into()));
    let again = wallet
        .try_call("lockunspent", json!([false, [coins[0]]]))
        .await
        .unwrap_err();
    assert_eq!(again, (-8, "Invalid parameter, output already locked".into()));
    wallet.call("lockunspent", json!([true, [coins[0]]])).await;
    let error = wallet
        .try_call("lockunspent", json!([true, [coins[0]]]))
        .await
        .unwrap_err();
    assert_eq!(error, (-8, "Invalid parameter, expected locked output".into()));
    let unknown = json!([false, [{"txid": "00".repeat(32), "vout": 0}]]);
    let error = wallet.try_call("lockunspent", unknown).await.unwrap_err();
    assert_eq!(error, (-8, "Invalid parameter, unknown transaction".into()));
    let txid = wallet.text("sendtoaddress", json!([to, 1])).await;
    let spent = wallet.call("gettransaction", json!([txid, true, true])).await;
    assert_eq!(spent["decoded"]["vin"][0]["txid"], coins[0]["txid"]);
    wallet.call("lockunspent", json!([true])).await;
    assert_eq!(wallet.call("listlockunspent", json!([])).await, json!([]));
}

async fn balances_tell_what_is_confirmed_pending_and_too_young(world: World) {
    let wallet = &world.wallet;
    assert_eq!(sat(&wallet.call("getbalance", json!([])).await), 15_000_000_000);
    // The fourth coin is too young.
    world.mine(1).await;
    let mine = wallet.call("getbalances", json!([])).await["mine"].clone();
    assert_eq!(sat(&mine["trusted"]), 15_000_000_000);
    assert!(sat(&mine["immature"]) >= 2_500_000_000);
    assert_eq!(sat(&mine["untrusted_pending"]), 0);
    let friend = wallet.create_wallet("friend").await;
    let to = friend.address().await;
    wallet.text("sendtoaddress", json!([to, "0.5"])).await;
    // A real wallet hears of it a moment later.
    let pending = async {
        loop {
            let mine = friend.call("getbalances", json!([])).await["mine"].clone();
            if sat(&mine["untrusted_pending"]) > 0 {
                return mine;
            }
        }
    };
    let pending = tokio::time::timeout(Duration::from_secs(10), pending).await.unwrap();
    assert_eq!(
        (sat(&pending["untrusted_pending"]), sat(&pending["trusted"])),
        (50_000_000, 0)
    );
    let unsafe_coins = friend.call("listunspent", json!([0, 9_999_999, [], true])).await;
    assert_eq!(
        (&unsafe_coins[0]["safe"], &unsafe_coins[0]["confirmations"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(
        friend.call("listunspent", json!([0, 9_999_999, [], false])).await,
        json!([])
    );
    world.mine(1).await;
    assert_eq!(sat(&friend.call("getbalance", json!([])).await), 50_000_000);
}

async fn a_payment_is_shown_with_amount_fee_and_label(world: World) {
    let friend = world.wallet.create_wallet("friend").await;
    let to = friend.address().await;
    friend.call("setlabel", json!([to, "swap 1"])).await;
    let paid = json!({"address": to, "amount": 1, "fee_rate": 5});
    let txid = world.wallet.text("sendtoaddress", paid).await;
    let sent = world.wallet.call("gettransaction", json!([txid])).await;
    assert_eq!(sent["amount"].as_f64(), Some(-1.0));
    let fee = sent["fee"].as_f64().unwrap();
    assert!(fee < 0.0);
    assert_eq!(
        (&sent["details"][0]["category"], sent["details"][0]["fee"].as_f64()),
        (&json!("send"), Some(fee))
    );
    assert_eq!((&sent["confirmations"], &sent["trusted"]), (&json!(0), &json!(true)));
    world.mine(1).await;
    let received = friend.call("gettransaction", json!([txid])).await;
    let detail = &received["details"][0];
    assert_eq!(received["amount"].as_f64(), Some(1.0));
    assert_eq!(
        (&detail["category"], &detail["label"], &detail["address"]),
        (&json!("receive"), &json!("swap 1"), &json!(to))
    );
    assert!(received["blockheight"].is_u64() && received["blockhash"].is_string());
    let listed = friend.call("listtransactions", json!(["swap 1"])).await;
    assert_eq!(
        (&listed[0]["txid"], listed.as_array().unwrap().len()),
        (&json!(txid), 1)
    );
    let error = world
        .wallet
        .try_call("gettransaction", json!(["00".repeat(32)]))
        .await
        .unwrap_err();
    assert_eq!(error, (-5, "Invalid or non-wallet transaction id".into()));
}

async fn a_wallet_that_lacks_money_says_so(world: World) {
    let wallet = &world.wallet;
    let to = wallet.address().await;
    let error = wallet.try_call("sendtoaddress", json!([to, 1_000])).await.unwrap_err();
    assert_eq!(error, (-6, "Insufficient funds".into()));
    let raw = wallet.call("createrawtransaction", json!([[], [{to: 1_000}]])).await;
    let error = wallet.try_call("fundrawtransaction", json!([raw])).await.unwrap_err();
    assert_eq!(error, (-4, "Insufficient funds".into()));
    let error = wallet
        .try_call("sendtoaddress", json!(["nowhere", 1]))
        .await
        .unwrap_err();
    assert_eq!(error.0, -5);
}

async fn an_address_is_known_as_ours_by_its_path(world: World) {
    let address = world.wallet.address().await;
    assert!(address.starts_with("bcrt1q"));
    let info = world.wallet.call("getaddressinfo", json!([address])).await;
    assert_eq!(
        (&info["ismine"], &info["ischange"], &info["solvable"]),
        (&json!(true), &json!(false), &json!(true))
    );
    assert!(
        info["hdkeypath"].as_str().unwrap().starts_with("m/84h/1h/0h/0/"),
        "{info}"
    );
    let change = world.wallet.text("getrawchangeaddress", json!(["bech32"])).await;
    assert_eq!(
        world.wallet.call("getaddressinfo", json!([change])).await["ischange"],
        true
    );
    let valid = world.wallet.call("validateaddress", json!([address])).await;
    assert_eq!(
        (&valid["isvalid"], &valid["witness_version"]),
        (&json!(true), &json!(0))
    );
    // Of another network.
    let foreign = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    assert_eq!(
        world.wallet.call("validateaddress", json!([foreign])).await["isvalid"],
        false
    );
}

async fn a_coin_of_a_stranger_is_signed_by_none(world: World) {
    let stranger = world.wallet.create_wallet("stranger").await;
    let coin = world.wallet.call("listunspent", json!([])).await[0].clone();
    let inputs = json!([{"txid": coin["txid"], "vout": coin["vout"]}]);
    let to = stranger.address().await;
    let raw = stranger.call("createrawtransaction", json!([inputs, [{to: 49}]])).await;
    let signed = stranger.call("signrawtransactionwithwallet", json!([raw])).await;
    assert_eq!(signed["complete"], false);
    assert_eq!(signed["errors"][0]["txid"], coin["txid"]);
    let ours = world.wallet.call("signrawtransactionwithwallet", json!([raw])).await;
    assert_eq!(ours["complete"], true);
}

async fn a_partially_signed_transaction_goes_through_all_hands(world: World) {
    let wallet = &world.wallet;
    let to = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
    let options = json!({"fee_rate": 2, "lockUnspents": true, "changePosition": 1});
    let funded = wallet
        .call("walletcreatefundedpsbt", json!([[], [{to: "0.01"}], 0, options]))
        .await;
    assert_eq!(funded["changepos"], 1);
    assert_eq!(
        wallet
            .call("listlockunspent", json!([]))
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let processed = wallet
        .call("walletprocesspsbt", json!([funded["psbt"], true, "ALL", true, false]))
        .await;
    let finished = wallet.call("finalizepsbt", json!([processed["psbt"]])).await;
    assert_eq!(finished["complete"], true, "{finished}");
    let txid = wallet.text("sendrawtransaction", json!([finished["hex"]])).await;
    let paid = wallet.call("gettransaction", json!([txid])).await;
    assert_eq!(sat(&json!(-paid["fee"].as_f64().unwrap())), sat(&funded["fee"]));
    let unsigned = wallet.call("finalizepsbt", json!([funded["psbt"]])).await;
    assert_eq!(
        (&unsigned["complete"], unsigned["hex"].is_null()),
        (&json!(false), true)
    );
    let error = wallet.try_call("finalizepsbt", json!(["nonsense"])).await.unwrap_err();
    assert_eq!(error.0, -22);
}
