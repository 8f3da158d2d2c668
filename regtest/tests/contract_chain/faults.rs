//! What the adapter does when the node does not do what it should.

use std::time::{Duration, Instant};

use bitcoin::Amount;
use sluice::chain::rpc::Auth;
use sluice::ports::{Chain, PortError, SendError, Wallet};
use sluice::units::{Height, RawTx};
use sluice_regtest::daemons::proxy::{Fault, Proxy, Speech};

use crate::bench::Bench;
use crate::world::{World, eventually, refusal, watch};

const AMOUNT: Amount = Amount::from_sat(200_000);

fn unreachable<T: std::fmt::Debug>(answer: Result<T, PortError>) -> String {
    match answer {
        Err(PortError::Unreachable(reason)) => reason,
        other => panic!("wanted `unreachable`, got {other:?}"),
    }
}

pub async fn a_wrong_password_is_unreachable_and_names_the_method<B: Bench>(world: World<B>) {
    let mut config = world.config.clone();
    config.endpoint.auth = Auth::Password {
        user: "sluice".into(),
        password: "wrong".to_owned().into(),
    };
    let reason = unreachable(B::connect(config.clone()).await.map(drop));
    assert!(
        reason.contains("getblockchaininfo") && reason.contains("401"),
        "{reason}"
    );

    config.endpoint.auth = Auth::Cookie("/nowhere/.cookie".into());
    let reason = unreachable(B::connect(config.clone()).await.map(drop));
    assert!(reason.contains("/nowhere/.cookie"), "{reason}");

    config.endpoint = world.config.endpoint.clone();
    config.endpoint.url = "http://127.0.0.1:1".into();
    let reason = unreachable(B::connect(config).await.map(drop));
    assert!(
        reason.starts_with(&format!("{} getblockchaininfo: ", B::DAEMON)),
        "{reason}"
    );
}

pub async fn a_restarted_node_is_found_again_with_its_new_cookie<B: Bench>(mut world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    let watch = watch(1, &script, &opening, since);
    world.view(&watch).await;
    world.adapter.broadcast(&opening.tx).await.unwrap();
    world.mine(1).await;
    let cookie = std::fs::read(world.node.cookie()).unwrap();

    world.node.stop().await;
    let mut tips = world.adapter.tips();
    tokio::time::timeout(Duration::from_secs(30), tips.wait_for(Option::is_none))
        .await
        .expect("away")
        .unwrap();
    unreachable(world.adapter.view(&watch).await);
    unreachable(world.adapter.balance().await);

    world.node.launch().await;
    assert_ne!(std::fs::read(world.node.cookie()).unwrap(), cookie);
    tokio::time::timeout(Duration::from_secs(30), tips.wait_for(Option::is_some))
        .await
        .expect("back")
        .unwrap();
    assert_eq!(world.view(&watch).await.opening.unwrap().at, Some(Height(since.0 + 1)));
    world.adapter.balance().await.expect("the wallet is loaded again");
    eventually(async || B::ensure_wallet(&world.miner).await.ok()).await;
    world.mine(1).await;
}

pub async fn locks_survive_the_restart_of_the_node<B: Bench>(mut world: World<B>) {
    let (opening, _) = world.opening(AMOUNT).await;
    let locked = world.wallet.balance().await.unwrap().locked;
    world.node.stop().await;
    world.node.launch().await;
    let balance = eventually(async || world.wallet.balance().await.ok()).await;
    assert_eq!(balance.locked, locked);
    world.wallet.keep_only(std::slice::from_ref(&opening)).await.unwrap();
    assert_eq!(world.wallet.balance().await.unwrap().locked, locked);
    world.adapter.broadcast(&opening.tx).await.unwrap();
}

pub async fn errors_name_daemon_method_and_number<B: Bench>(world: World<B>) {
    let error = world.adapter.rpc().block_hash(Height(1_000_000)).await.unwrap_err();
    assert_eq!(error.code(), Some(-8));
    assert!(
        error.to_string().starts_with(&format!("{} getblockhash: ", B::DAEMON)) && error.to_string().ends_with(" (-8)"),
        "{error}"
    );

    let unknown = world
        .adapter
        .rpc()
        .call::<u32>("nosuchmethod", jsonrpsee::core::params::ArrayParams::new())
        .await;
    assert_eq!(
        unknown.unwrap_err().code(),
        Some(-32601),
        "an error in an HTTP 404 is not lost"
    );

    let reason = refusal(world.adapter.broadcast(&RawTx::from(vec![1, 2, 3])).await);
    assert!(reason.contains("3 bytes"), "{reason}");
}

pub async fn an_answer_that_comes_too_late_is_given_up_in_time<B: Bench>(world: World<B>) {
    let mut config = world.config.clone();
    let server = config.endpoint.url.trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(server, Speech::Http).await.unwrap();
    config.endpoint.url = format!("http://{}", proxy.address());
    config.endpoint.timeout = Duration::from_secs(1);
    let adapter = B::connect(config).await.unwrap();
    for fault in [Fault::Hanging, Fault::Late(Duration::from_secs(30))] {
        proxy.suffer(fault.clone());
        let began = Instant::now();
        let asked = adapter.rpc().block_hash(Height(0)).await;
        let reason = unreachable(asked.map_err(PortError::from));
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{fault:?}: {:?}",
            began.elapsed()
        );
        assert!(reason.starts_with(&format!("{} getblockhash: ", B::DAEMON)), "{reason}");
        proxy.heal();
        eventually(async || adapter.rpc().block_hash(Height(0)).await.ok()).await;
    }
}

pub async fn a_send_whose_answer_is_lost_is_not_told_as_one_that_failed<B: Bench>(world: World<B>) {
    let mut config = world.config.clone();
    let server = config.endpoint.url.trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(server, Speech::Http).await.unwrap();
    config.endpoint.url = format!("http://{}", proxy.address());
    let adapter = B::connect(config).await.unwrap();
    let address = world.wallet.new_address("sent").await.unwrap().address;
    proxy.suffer_in("sendtoaddress", Fault::Lost);
    let sent = adapter.send(&address, Amount::from_sat(100_000)).await;
    assert!(matches!(sent, Err(SendError::Unknown(_))), "{sent:?}");
    eventually(async || {
        world
            .wallet
            .balance()
            .await
            .ok()
            .filter(|balance| balance.pending > Amount::ZERO)
    })
    .await;
    proxy.suffer(Fault::Refused);
    let sent = adapter.send(&address, Amount::from_sat(100_000)).await;
    assert!(
        matches!(sent, Err(SendError::Port(PortError::Unreachable(_)))),
        "nothing was sent for sure: {sent:?}"
    );
}
