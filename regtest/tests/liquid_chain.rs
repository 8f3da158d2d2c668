//! Blocks: waiting for them, losing them, keeping them; and a daemon that is away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "liquid/client.rs"]
mod client;
#[path = "liquid/swap.rs"]
mod swap;

use std::time::{Duration, Instant};

use client::{Client, World};
use elements::encode::deserialize;
use elements::{BlockHash, Transaction};
use serde_json::json;
use sluice_regtest::liquid::{Gate, LiquidChain, Options, Orphans};
use swap::{Opening, refusal, send};

fn chain_of(world: &World) -> &LiquidChain {
    world.chain.as_ref().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_call_answers_as_soon_as_the_block_is_there() {
    let world = World::start().await;
    let (chain, client) = (chain_of(&world), world.wallet.clone());
    let next = chain.tip().height + 1;
    let waiting = tokio::spawn(async move {
        let answer = client.call("waitforblockheight", json!([next, 10_000])).await;
        (answer, Instant::now())
    });
    while !chain.calls().contains_key("waitforblockheight") {
        tokio::task::yield_now().await;
    }
    let mined = Instant::now();
    let hash = chain.mine(1).remove(0);
    let (answer, woken) = waiting.await.unwrap();
    assert_eq!(answer, json!({"hash": hash.to_string(), "height": next}));
    assert!(woken.duration_since(mined) < Duration::from_millis(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_call_gives_up_at_its_timeout_and_returns_at_once_if_there_is_nothing_to_wait_for() {
    let world = World::start().await;
    let tip = chain_of(&world).tip();
    let here = json!({"hash": tip.hash.to_string(), "height": tip.height});
    assert_eq!(world.wallet.call("waitforblockheight", json!([1, 0])).await, here);
    let start = Instant::now();
    assert_eq!(world.wallet.call("waitforblockheight", json!([99, 30])).await, here);
    assert_eq!(world.wallet.call("waitfornewblock", json!([30])).await, here);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_block_gives_its_transactions_back_and_takes_them_again() {
    let world = World::start().await;
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 60).await;
    let claim = send(wallet, &opening.claim(40)).await.unwrap();
    let block = wallet.mine(1).await.remove(0);
    assert_eq!(wallet.call("getrawmempool", json!([])).await, json!([]));

    wallet.call("invalidateblock", json!([block])).await;
    let waiting = wallet.call("getrawmempool", json!([])).await;
    assert_eq!(waiting, json!([opening.outpoint.txid.to_string(), claim]));
    assert_eq!(wallet.call("getblock", json!([block])).await["confirmations"], -1);
    assert_eq!(
        wallet.call("gettransaction", json!([waiting[0]])).await["confirmations"],
        0
    );

    wallet.call("reconsiderblock", json!([block])).await;
    assert_eq!(wallet.call("getbestblockhash", json!([])).await, block);
    assert_eq!(wallet.call("getrawmempool", json!([])).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_takes_the_time_back_that_a_refund_waited_for() {
    let world = World::start().await;
    let (chain, wallet) = (chain_of(&world), &world.wallet);
    let opening = Opening::fund(wallet, 3).await;
    chain.mine(3);
    send(wallet, &opening.refund(3, 40)).await.unwrap();
    let tip = chain.tip().hash;
    wallet.call("invalidateblock", json!([tip.to_string()])).await;
    assert!(chain.mempool().is_empty(), "the refund is too early again");
    assert_eq!(refusal(wallet, &opening.refund(3, 40)).await.1, "non-BIP68-final");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_branch_holds_what_the_caller_chose() {
    let world = World::start().await;
    let (chain, wallet) = (chain_of(&world), &world.wallet);
    for (orphans, waiting, confirmed) in [
        (Orphans::Mined, false, true),
        (Orphans::Waiting, true, false),
        (Orphans::Dropped, false, false),
    ] {
        let txid = wallet
            .text("sendtoaddress", json!([wallet.address().await, 1]))
            .await
            .parse()
            .unwrap();
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
async fn of_two_branches_the_longer_is_active_and_the_other_is_shown_as_a_fork() {
    let world = World::start().await;
    let (chain, wallet) = (chain_of(&world), &world.wallet);
    let old: Vec<BlockHash> = chain.mine(2);
    chain.invalidate(&old[0]);
    let new = chain.mine(1).remove(0);
    assert!(chain.reconsider(&old[0]));
    assert_eq!(chain.tip().hash, old[1]);
    let tips = wallet.call("getchaintips", json!([])).await;
    assert_eq!(
        (&tips[0]["status"], &tips[1]["status"]),
        (&json!("active"), &json!("valid-fork"))
    );
    assert_eq!(
        (&tips[1]["hash"], &tips[1]["branchlen"]),
        (&json!(new.to_string()), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_found_in_the_mempool_or_by_its_block_and_not_else() {
    let world = World::start().await;
    let wallet = &world.wallet;
    let txid = wallet.text("sendtoaddress", json!([wallet.address().await, 1])).await;
    let raw = wallet.call("getrawtransaction", json!([txid])).await;
    let block = wallet.mine(1).await.remove(0);
    assert_eq!(
        wallet.try_call("getrawtransaction", json!([txid])).await.unwrap_err().0,
        -5
    );
    assert_eq!(wallet.call("getrawtransaction", json!([txid, false, block])).await, raw);
    let verbose = wallet
        .call(
            "getrawtransaction",
            json!({"txid": txid, "verbosity": 1, "blockhash": block}),
        )
        .await;
    assert_eq!(
        (&verbose["confirmations"], &verbose["in_active_chain"]),
        (&json!(1), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gettxout_sees_the_mempool_unless_told_not_to() {
    let world = World::start().await;
    let wallet = &world.wallet;
    let opening = Opening::fund(wallet, 60).await;
    let (txid, vout) = (opening.outpoint.txid.to_string(), opening.outpoint.vout);
    assert_eq!(wallet.call("gettxout", json!([txid, vout])).await["confirmations"], 0);
    assert!(wallet.call("gettxout", json!([txid, vout, false])).await.is_null());
    wallet.mine(1).await;
    let claim = send(wallet, &opening.claim(40)).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_chain_comes_back_with_its_wallets_and_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let world = World::start().await;
    let (chain, wallet) = (chain_of(&world), &world.wallet);
    let opening = Opening::fund(wallet, 60).await;
    let unspent = wallet.call("listunspent", json!([0])).await;
    let lock = |n: usize| json!([{"txid": unspent[n]["txid"], "vout": unspent[n]["vout"]}]);
    wallet.call("lockunspent", json!([false, lock(0), true])).await;
    wallet.call("lockunspent", json!([false, lock(1)])).await;
    wallet.call("setlabel", json!([wallet.address().await, "kept"])).await;
    let (tip, balance) = (chain.tip(), wallet.call("getbalance", json!([])).await);
    chain.save_to(&path).unwrap();
    drop(world);

    let again = LiquidChain::start(Options {
        state_file: Some(path),
        ..Options::default()
    })
    .await
    .unwrap();
    let wallet = Client::of(&again).wallet("w");
    assert_eq!(again.tip(), tip);
    assert_eq!(again.mempool(), [opening.outpoint.txid]);
    assert_eq!(wallet.call("getbalance", json!([])).await, balance);
    assert_eq!(wallet.call("listlockunspent", json!([])).await, lock(0));
    wallet.mine(1).await;
    send(&wallet, &opening.claim(40)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_state_file_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    std::fs::write(&path, "{}").unwrap();
    let error = LiquidChain::start(Options {
        state_file: Some(path),
        ..Options::default()
    })
    .await
    .err()
    .unwrap();
    assert!(error.to_string().contains("missing field"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_brings_everything_back() {
    let world = World::start().await;
    let (chain, wallet) = (chain_of(&world), &world.wallet);
    let before = wallet.call("getbalances", json!([])).await;
    let snapshot = chain.snapshot();
    wallet.text("sendtoaddress", json!([wallet.address().await, 1])).await;
    chain.mine(5);
    chain.revert(&snapshot);
    assert!(chain.mempool().is_empty());
    assert_eq!(wallet.call("getbalances", json!([])).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_come_by_themselves_when_asked_to() {
    let options = Options {
        block_time: Some(Duration::from_millis(20)),
        ..Options::default()
    };
    let chain = LiquidChain::start(options).await.unwrap();
    let mut tips = chain.watch_tip();
    tokio::time::timeout(Duration::from_secs(10), tips.wait_for(|tip| tip.height >= 4))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_hangs_does_not_answer_and_one_that_is_away_refuses_until_it_is_back() {
    let world = World::start().await;
    let (chain, wallet) = (chain_of(&world), &world.wallet);
    let body = r#"{"id":1,"method":"getblockcount"}"#;
    chain.set_gate(Gate::Hanging);
    let waiting = tokio::time::timeout(Duration::from_millis(50), wallet.post(body));
    assert!(waiting.await.is_err());

    let stuck = tokio::spawn({
        let wallet = wallet.clone();
        async move { wallet.post(body).await.is_err() }
    });
    tokio::task::yield_now().await;
    chain.set_gate(Gate::Away);
    assert!(stuck.await.unwrap(), "a call under way breaks off");
    let gone = async { while tokio::net::TcpStream::connect(chain.address()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
    chain.mine(1);

    chain.set_gate(Gate::Open);
    let height = chain.tip().height;
    let back = async {
        loop {
            if let Ok(reply) = wallet.post(body).await {
                return reply;
            }
        }
    };
    let reply = tokio::time::timeout(Duration::from_secs(5), back).await.unwrap();
    assert_eq!(reply.json()["result"], height);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_by_method() {
    let world = World::start().await;
    let chain = chain_of(&world);
    chain.reset_calls();
    world.wallet.call("getblockcount", json!([])).await;
    world.wallet.call("getblockcount", json!([])).await;
    world.wallet.try_call("getblockhash", json!([99])).await.unwrap_err();
    let calls = chain.calls();
    assert_eq!((calls["getblockcount"], calls["getblockhash"], calls.len()), (2, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_method_stop_ends_the_chain() {
    let chain = LiquidChain::start(Options::default()).await.unwrap();
    assert_eq!(
        Client::of(&chain).call("stop", json!([])).await,
        "Elements Core stopping"
    );
    tokio::time::timeout(Duration::from_secs(5), chain.stopped())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_go_peerswap_decodes_to_its_discounted_size() {
    let chain = LiquidChain::start(Options::default()).await.unwrap();
    let raw = include_str!("../../tests/data/peerswap_claim.hex").trim();
    let json = Client::of(&chain).call("decoderawtransaction", json!([raw])).await;
    assert_eq!(
        json["txid"],
        "772ddda8691212a113768239aad5da0e724fa48516c93e0123664298ad11c99b"
    );
    assert_eq!(
        (&json["size"], &json["weight"], &json["vsize"]),
        (&json!(4_729), &json!(5_383), &json!(1_346))
    );
    assert_eq!(
        (&json["discountweight"], &json["discountvsize"]),
        (&json!(916), &json!(229))
    );
    let tx: Transaction = deserialize(&hex::decode(raw).unwrap()).unwrap();
    assert_eq!(
        json["vout"][1]["value"].to_string(),
        format!("{:e}", tx.output[1].value.explicit().unwrap() as f64 / 1e8)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_holds_exactly_what_it_is_given_even_a_double_spend() {
    let world = World::start().await;
    let (chain, wallet) = (chain_of(&world), &world.wallet);
    let opening = Opening::fund(wallet, 60).await;
    wallet.mine(1).await;
    let waiting = send(wallet, &opening.claim(40)).await.unwrap();
    let address = wallet.address().await;
    let empty = wallet.call("generateblock", json!([address, []])).await["hash"].clone();
    assert_eq!(wallet.call("getblock", json!([empty])).await["nTx"], 1);
    assert_eq!(wallet.call("getrawmempool", json!([])).await, json!([waiting]));

    let other = elements::encode::serialize_hex(&opening.cooperative(40));
    let block = wallet.call("generateblock", json!([address, [other]])).await["hash"].clone();
    assert_eq!(wallet.call("getblock", json!([block])).await["nTx"], 2);
    assert!(chain.mempool().is_empty(), "the claim has lost");
    let error = wallet
        .try_call("generateblock", json!([address, [other]]))
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
    let early = Opening::fund(wallet, 60).await;
    chain.mine(1);
    assert!(chain.mine_exactly(vec![early.refund(60, 40)]).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_can_start_again_on_its_port_at_once() {
    let chain = LiquidChain::start(Options::default()).await.unwrap();
    let bind = chain.address();
    drop(chain);
    let again = LiquidChain::start(Options {
        bind,
        ..Options::default()
    })
    .await
    .unwrap();
    assert_eq!(Client::of(&again).call("getblockcount", json!([])).await, 1);
}
