//! A backend cannot be reached when `sluiced` starts: it says so in one sentence, and goes on by itself.

use anyhow::{Context, Result, ensure};
use jsonrpsee::core::ClientError;
use sluice::api::SluiceApiClient;
use sluice_regtest::daemons::proxy::{Fault, Proxy};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::ways::Ways;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin};

/// A password of this test alone, so that it can be looked for.
const PASSWORD: &str = "correct-horse-battery-staple";

/// What befalls the way to a node over HTTP, and a part of the sentence about it.
const OVER_HTTP: [(Fault, &str); 6] = [
    (Fault::Refused, "onnection refused"),
    (Fault::Hanging, "it was asked and has not answered yet"),
    (Fault::Status(401), "user or password is wrong (HTTP 401)"),
    (Fault::Status(403), "this user or address may not call it (HTTP 403)"),
    (Fault::Status(500), "HTTP 500"),
    (Fault::Status(503), "too many calls are waiting at the node (HTTP 503)"),
];

/// An answer that breaks off in its head, and in its body, in the words of either client.
const CUT_FROM_ELEMENTSD: [(Fault, &str); 2] = [
    (Fault::Cut(20), "connection closed before message completed"),
    (Fault::Cut(150), "end of file before message length reached"),
];
const CUT_FROM_BITCOIND: [(Fault, &str); 2] = [
    (Fault::Cut(20), "the connection broke off before the end of the answer"),
    (Fault::Cut(150), "the connection broke off before the end of the answer"),
];

/// The same for a connection whose content nobody sees.
const OVER_TLS: [(Fault, &str); 3] = [
    (Fault::Refused, "onnection refused"),
    (Fault::Hanging, "it was asked and has not answered yet"),
    (Fault::Cut(40), "lnd GetInfo: "),
];

/// What the API says of what is waited for: instead of an answer for as long as the whole daemon waits, else as the
/// problem of a chain.
async fn told(operator: &Operator) -> Result<Option<String>> {
    match operator.client()?.chain_list().await {
        Err(ClientError::Call(error)) => Ok(Some(error.message().to_owned())),
        Err(error) => Err(error.into()),
        Ok(list) => Ok(list.chains.into_iter().find_map(|chain| chain.problem)),
    }
}

async fn start_in(
    operator: &mut Operator,
    way: &Proxy,
    backend: &str,
    (fault, sentence): &(Fault, &str),
) -> Result<()> {
    operator.daemon.kill();
    way.suffer(fault.clone());
    let before = std::fs::read_to_string(operator.daemon.log_path())
        .unwrap_or_default()
        .len();
    operator.daemon.launch()?;
    wait_for("the sentence", PATIENCE, || async {
        let said = told(operator).await?.context("it has started")?;
        ensure!(said.contains(backend) && said.contains(sentence), "{said}");
        Ok(Some(()))
    })
    .await?;
    way.heal();
    operator.daemon.wait_until_ready().await.context("after it healed")?;
    let log = std::fs::read_to_string(operator.daemon.log_path())?;
    let waited = log[before.min(log.len())..]
        .matches(&format!("waiting for {backend}"))
        .count();
    ensure!(waited <= 2, "it is said {waited} times:\n{log}");
    Ok(())
}

async fn start_in_each(operator: &mut Operator, way: &Proxy, backend: &str, faults: &[(Fault, &str)]) -> Result<()> {
    for fault in faults {
        let started = start_in(operator, way, backend, fault).await;
        started.with_context(|| format!("{backend}: {fault:?}\n{}", operator.tail()))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_cannot_reach_a_backend_says_why_and_starts_by_itself_when_it_can() -> Result<()> {
    let options = Options {
        proxied: true,
        bitcoin: Some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    let world = World::start(options).await?;
    let World {
        mut alice,
        mut bob,
        ways,
        ..
    } = world;
    let [alices, bobs]: [Ways; 2] = ways.try_into().ok().context("two ways")?;
    let of_alice = async {
        let faults = [&OVER_HTTP[..], &CUT_FROM_ELEMENTSD].concat();
        start_in_each(&mut alice, &alices.liquid, "elementsd at", &faults).await?;
        start_in_each(&mut alice, &alices.lightning, "lnd at", &OVER_TLS).await
    };
    let bitcoind = bobs.bitcoin.as_ref().context("a world with BTC")?;
    let faults = [&OVER_HTTP[..], &CUT_FROM_BITCOIND].concat();
    let of_bob = start_in_each(&mut bob, bitcoind, "bitcoind at", &faults);
    tokio::try_join!(of_alice, of_bob)?;
    Ok(())
}

/// Waits until the log has all of these. Nothing heals meanwhile: what hangs is given up by the daemon itself.
async fn logged(operator: &Operator, sentences: &[&str]) -> Result<()> {
    wait_for("the daemon to give up", PATIENCE, || async {
        let log = std::fs::read_to_string(operator.daemon.log_path())?;
        let missing = sentences.iter().find(|sentence| !log.contains(**sentence));
        ensure!(missing.is_none(), "not said: {missing:?}");
        Ok(Some(()))
    })
    .await
    .with_context(|| operator.tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_never_answers_is_given_up_after_half_a_minute_and_asked_again() -> Result<()> {
    let options = Options {
        proxied: true,
        bitcoin: Some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    let world = World::start(options).await?;
    let World {
        mut alice,
        mut bob,
        ways,
        ..
    } = world;
    let [alices, bobs]: [Ways; 2] = ways.try_into().ok().context("two ways")?;
    let bitcoind = bobs.bitcoin.as_ref().context("a world with BTC")?;
    for way in [&alices.lightning, &bobs.liquid, bitcoind] {
        way.suffer(Fault::Hanging);
    }
    for operator in [&mut alice, &mut bob] {
        operator.daemon.kill();
        operator.daemon.launch()?;
    }
    tokio::try_join!(
        logged(&alice, &["lnd GetInfo: no answer within 30s"]),
        logged(
            &bob,
            &[
                "elementsd getblockchaininfo: no answer in time",
                "bitcoind getblockchaininfo: "
            ],
        ),
    )?;
    alices.heal();
    bobs.heal();
    alice.daemon.wait_until_ready().await?;
    bob.daemon.wait_until_ready().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_not_shown() -> Result<()> {
    let options = Options {
        bitcoin: Some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    for chain in ["liquid", "bitcoin"] {
        let wrong = format!("--set={chain}.password={PASSWORD}");
        let world = World::start(options.clone()).await?;
        let World { mut alice, .. } = world;
        alice.daemon.kill();
        alice.daemon.launch_with(&[wrong, "--set=log.level=trace".into()])?;
        wait_for("the sentence", PATIENCE, || async {
            let said = told(&alice).await?.context("it has started")?;
            ensure!(said.contains("user or password is wrong"), "{said}");
            ensure!(!said.contains(PASSWORD), "{said}");
            Ok(Some(()))
        })
        .await
        .with_context(|| alice.tail())?;
        let log = std::fs::read_to_string(alice.daemon.log_path())?;
        ensure!(!log.contains(PASSWORD), "{chain}: the password is in the log");
    }
    Ok(())
}
