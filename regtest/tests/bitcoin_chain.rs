//! Blocks: waiting for them, losing them, keeping them; and a daemon that is away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "chain/client.rs"]
mod client;
#[path = "bitcoin/swap.rs"]
mod swap;
#[path = "bitcoin/world.rs"]
mod world;

use std::time::{Duration, Instant};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Amount, Block};
use client::Client;
use serde_json::json;
use sluice_regtest::bitcoin::{BitcoinChain, Gate, Options, Orphans};
use swap::{Opening, refusal, send};
use world::{World, on_both};

const FEE: u64 = 400;

on_both! {
    the_first_block_is_that_of_regtest,
    a_waiting_call_answers_at_the_block_and_gives_up_at_its_timeout,
    a_lost_block_gives_its_transactions_back_and_takes_them_again,
    a_reorganisation_takes_the_time_back_that_a_refund_waited_for,
    of_two_branches_the_longer_is_active_and_the_other_is_shown_as_a_fork,
    gettxout_sees_the_mempool_unless_told_not_to,
    a_block_is_told_in_all_its_verbosities,
    a_block_holds_exactly_what_it_is_given_even_a_double_spend,
    parents_and_children_are_mined_together,
}

async fn the_first_block_is_that_of_regtest(world: World) {
    let genesis = world.wallet.text("getblockhash", json!([0])).await;
    assert_eq!(
        genesis,
        "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
    );
    let error = world
        .wallet
        .try_call("getblockhash", json!([100_000]))
        .await
        .unwrap_err();
    assert_eq!(error, (-8, "Block height out of range".into()));
}

async fn a_waiting_call_answers_at_the_block_and_gives_up_at_its_timeout(world: World) {
    let wallet = &world.wallet;
    let height = wallet.call("getblockcount", json!([])).await.as_u64().unwrap();
    let tip = wallet.call("getbestblockhash", json!([])).await;
    let here = json!({"hash": tip, "height": height});
    assert_eq!(wallet.call("waitforblockheight", json!([height + 9, 30])).await, here);
    let waiting = tokio::spawn({
        let wallet = wallet.clone();
        async move { wallet.call("waitforblockheight", json!([height + 1, 10_000])).await }
    });
    let hash = world.mine(1).await.remove(0);
    assert_eq!(waiting.await.unwrap(), json!({"hash": hash, "height": height + 1}));
}

async fn a_lost_block_gives_its_transactions_back_and_takes_them_again(world: World) {
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 60).await;
    let claim = send(wallet, &opening.claim(FEE)).await.unwrap();
    let block = world.mine(1).await.remove(0);
    assert_eq!(wallet.call("getrawmempool", json!([])).await, json!([]));

    wallet.call("invalidateblock", json!([block])).await;
    let waiting = wallet.call("getrawmempool", json!([])).await;
    let waiting = waiting.as_array().unwrap();
    let opened = json!(opening.outpoint.txid.to_string());
    assert!(waiting.len() == 2 && waiting.contains(&opened) && waiting.contains(&json!(claim)));
    assert_eq!(wallet.call("getblock", json!([block])).await["confirmations"], -1);
    assert_eq!(wallet.call("gettransaction", json!([opened])).await["confirmations"], 0);

    wallet.call("reconsiderblock", json!([block])).await;
    assert_eq!(wallet.call("getbestblockhash", json!([])).await, block);
    assert_eq!(wallet.call("getrawmempool", json!([])).await, json!([]));
}

async fn a_reorganisation_takes_the_time_back_that_a_refund_waited_for(world: World) {
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 3).await;
    let tip = world.mine(3).await.remove(2);
    let refund = opening.refund(3, FEE);
    send(wallet, &refund).await.unwrap();
    wallet.call("invalidateblock", json!([tip])).await;
    assert_eq!(
        wallet.call("getrawmempool", json!([])).await,
        json!([]),
        "the refund is too early again"
    );
    assert_eq!(refusal(wallet, &refund).await.1, "non-BIP68-final");
}

async fn of_two_branches_the_longer_is_active_and_the_other_is_shown_as_a_fork(world: World) {
    let wallet = &world.wallet;
    let old = world.mine(2).await;
    wallet.call("invalidateblock", json!([old[0]])).await;
    let new = world.mine(1).await.remove(0);
    wallet.call("reconsiderblock", json!([old[0]])).await;
    assert_eq!(wallet.call("getbestblockhash", json!([])).await, old[1]);
    let tips = wallet.call("getchaintips", json!([])).await;
    assert_eq!(
        (&tips[0]["status"], &tips[1]["status"]),
        (&json!("active"), &json!("valid-fork"))
    );
    assert_eq!((&tips[1]["hash"], &tips[1]["branchlen"]), (&new, &json!(1)));
}

async fn gettxout_sees_the_mempool_unless_told_not_to(world: World) {
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 60).await;
    let (txid, vout) = (opening.outpoint.txid.to_string(), opening.outpoint.vout);
    assert_eq!(wallet.call("gettxout", json!([txid, vout])).await["confirmations"], 0);
    assert!(wallet.call("gettxout", json!([txid, vout, false])).await.is_null());
    world.mine(1).await;
    let coin = wallet.call("gettxout", json!([txid, vout])).await;
    assert_eq!(
        (coin["value"].as_f64(), &coin["scriptPubKey"]["type"]),
        (Some(0.01), &json!("witness_v0_scripthash"))
    );
    let claim = send(wallet, &opening.claim(FEE)).await.unwrap();
    assert!(wallet.call("gettxout", json!([txid, vout])).await.is_null());
    assert_eq!(
        wallet.call("gettxout", json!([txid, vout, false])).await["confirmations"],
        1
    );
    let spending = wallet
        .call("gettxspendingprevout", json!([[{"txid": txid, "vout": vout}]]))
        .await;
    assert_eq!(spending[0]["spendingtxid"], claim);
}

async fn a_block_is_told_in_all_its_verbosities(world: World) {
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 60).await;
    let hash = world.mine(1).await.remove(0);
    let raw = wallet.text("getblock", json!([hash, 0])).await;
    let block: Block = bitcoin::consensus::encode::deserialize_hex(&raw).unwrap();
    assert_eq!(json!(block.block_hash().to_string()), hash);
    assert!(block.check_merkle_root() && block.check_witness_commitment());
    let header = wallet.text("getblockheader", json!([hash, false])).await;
    assert_eq!(header, serialize_hex(&block.header));
    let brief = wallet.call("getblock", json!([hash])).await;
    assert_eq!(brief["tx"][1], opening.outpoint.txid.to_string());
    assert_eq!(
        (&brief["size"], &brief["weight"]),
        (&json!(block.total_size()), &json!(block.weight().to_wu()))
    );
    let full = wallet.call("getblock", json!([hash, 2])).await;
    let paid = &full["tx"][1];
    assert_eq!(paid["hex"], serialize_hex(&block.txdata[1]));
    assert!(paid["fee"].as_f64().unwrap() > 0.0);
    assert_eq!(
        wallet
            .call(
                "getrawtransaction",
                json!([opening.outpoint.txid.to_string(), false, hash])
            )
            .await,
        paid["hex"]
    );
}

async fn a_block_holds_exactly_what_it_is_given_even_a_double_spend(world: World) {
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 60).await;
    world.mine(1).await;
    let waiting = send(wallet, &opening.claim(FEE)).await.unwrap();
    let address = wallet.address().await;
    let empty = wallet.call("generateblock", json!([address, []])).await["hash"].clone();
    assert_eq!(wallet.call("getblock", json!([empty])).await["nTx"], 1);
    assert_eq!(wallet.call("getrawmempool", json!([])).await, json!([waiting]));

    let (loser, other) = (
        serialize_hex(&opening.claim(FEE)),
        serialize_hex(&opening.cooperative(FEE + 1)),
    );
    let block = wallet.call("generateblock", json!([address, [other]])).await["hash"].clone();
    assert_eq!(wallet.call("getblock", json!([block])).await["nTx"], 2);
    assert_eq!(
        wallet.call("getrawmempool", json!([])).await,
        json!([]),
        "the claim has lost"
    );
    let error = wallet
        .try_call("generateblock", json!([address, [loser]]))
        .await
        .unwrap_err();
    assert_eq!(error.0, -25);
    assert!(
        error
            .1
            .starts_with("TestBlockValidity failed: bad-txns-inputs-missingorspent"),
        "{}",
        error.1
    );
}

async fn parents_and_children_are_mined_together(world: World) {
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 60).await;
    let claim = opening.claim(50_000);
    send(wallet, &claim).await.unwrap();
    let entry = wallet
        .call("getmempoolentry", json!([claim.compute_txid().to_string()]))
        .await;
    assert_eq!(
        (&entry["ancestorcount"], &entry["depends"][0]),
        (&json!(2), &json!(opening.outpoint.txid.to_string()))
    );
    let block = world.mine(1).await.remove(0);
    assert_eq!(wallet.call("getblock", json!([block])).await["nTx"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_branch_holds_what_the_caller_chose() {
    let (chain, wallet) = World::embedded().await;
    for (orphans, waiting, confirmed) in [
        (Orphans::Mined, false, true),
        (Orphans::Waiting, true, false),
        (Orphans::Dropped, false, false),
    ] {
        let address = wallet.address().await;
        let txid = wallet.text("sendtoaddress", json!([address, 1])).await.parse().unwrap();
        let block = chain.mine(1).remove(0);
        let height = chain.tip().height;
        assert_eq!(chain.reorg(1, orphans).len(), 2);
        assert_eq!(chain.tip().height, height + 1);
        assert_ne!(chain.tip().hash, block);
        assert_eq!(chain.mempool().contains(&txid), waiting, "{orphans:?}");
        assert_eq!(chain.transaction(&txid).is_some() && !waiting, confirmed, "{orphans:?}");
        chain.mine(1);
    }
    assert!(chain.reorg(1_000, Orphans::Mined).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_chain_comes_back_with_its_wallets_and_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let (chain, wallet) = World::embedded().await;
    let opening = Opening::fund(&wallet, 60).await;
    let (tip, balance) = (chain.tip(), wallet.call("getbalance", json!([])).await);
    chain.save_to(&path).unwrap();
    drop(chain);
    let again = BitcoinChain::start(Options {
        state_file: Some(path),
        ..Options::default()
    })
    .await
    .unwrap();
    let wallet = Client::of(&again).wallet("w");
    assert_eq!(again.tip(), tip);
    assert_eq!(again.mempool(), [opening.outpoint.txid]);
    assert_eq!(wallet.call("getbalance", json!([])).await, balance);
    wallet.mine(1).await;
    send(&wallet, &opening.claim(FEE)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_brings_everything_back() {
    let (chain, wallet) = World::embedded().await;
    let before = wallet.call("getbalances", json!([])).await;
    let snapshot = chain.snapshot();
    wallet.text("sendtoaddress", json!([wallet.address().await, 1])).await;
    chain.mine(5);
    chain.revert(&snapshot);
    assert!(chain.mempool().is_empty());
    assert_eq!(wallet.call("getbalances", json!([])).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faucet_pays_many_times_between_two_blocks() {
    let (chain, wallet) = World::embedded().await;
    let address = wallet
        .address()
        .await
        .parse::<bitcoin::Address<_>>()
        .unwrap()
        .assume_checked();
    for _ in 0..60 {
        chain.fund(&address, Amount::from_sat(50_000_000)).unwrap();
    }
    chain.mine(1);
    let coins = wallet.call("listunspent", json!([1, 1, [address.to_string()]])).await;
    assert_eq!(coins.as_array().unwrap().len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_blocks_takes_seconds() {
    let chain = BitcoinChain::start(Options::default()).await.unwrap();
    let (start, height) = (Instant::now(), chain.tip().height);
    chain.mine(1_008);
    assert_eq!(chain.tip().height, height + 1_008);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_away_refuses_until_it_is_back_and_calls_are_counted() {
    let (chain, wallet) = World::embedded().await;
    let body = r#"{"id":1,"method":"getblockcount"}"#;
    chain.set_gate(Gate::Away);
    let gone = async { while tokio::net::TcpStream::connect(chain.address()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
    chain.mine(1);
    chain.reset_calls();
    chain.set_gate(Gate::Open);
    let back = async {
        loop {
            if let Ok(reply) = wallet.post(body).await {
                return reply;
            }
        }
    };
    let reply = tokio::time::timeout(Duration::from_secs(5), back).await.unwrap();
    assert_eq!(reply.json()["result"], chain.tip().height);
    assert_eq!(chain.calls()["getblockcount"], 1);
}
