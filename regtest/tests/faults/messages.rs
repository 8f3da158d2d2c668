//! What a hostile peer may say.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, PolicyChange, Stage, SwapFilter};
use sluice::protocol::MessageType;
use sluice::swap::Kind;
use sluice::units::SwapSecret;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::peer::RawPeer;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::griefing::{agreed, pay};
use super::orders::{chain, finish, look, network, node, order, outcome, wait_for_height};

/// L-BTC of the regtest chain, as requests name it.
const ASSET: &str = "0125b251070e29ca19043cf33ccd7324e2ddab03ecc4ae0b5e77c4fc0e5cf6c95a";
pub const REQUESTS: [MessageType; 2] = [MessageType::SwapInRequest, MessageType::SwapOutRequest];

/// The private key of everything that the peer signs.
pub fn secret() -> SwapSecret {
    SwapSecret::from_bytes([0x42; 32])
}

pub fn public(secret: &SwapSecret) -> String {
    let key = bitcoin::secp256k1::SecretKey::from_slice(secret.expose()).expect("a key");
    key.public_key(&bitcoin::secp256k1::Secp256k1::new()).to_string()
}

pub fn id(number: usize) -> String {
    format!("{number:064x}")
}

/// A request as a Go peer would make it, with some members replaced by JSON.
pub fn request(swap_id: &str, scid: &str, replaced: &[(&str, &str)]) -> String {
    let mut members = [
        ("protocol_version", "7".to_owned()),
        ("swap_id", format!("{swap_id:?}")),
        ("asset", format!("{ASSET:?}")),
        ("network", "\"\"".to_owned()),
        ("scid", format!("{scid:?}")),
        ("amount", "500000".to_owned()),
        ("pubkey", format!("{:?}", public(&secret()))),
        ("acceptable_premium", "1000".to_owned()),
    ];
    for (name, value) in replaced {
        for member in members.iter_mut().filter(|member| member.0 == *name) {
            member.1 = (*value).to_owned();
        }
    }
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{name:?}:{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A world whose alice has a channel with mallory, and allows her or not.
pub async fn with_mallory(allowed: bool) -> Result<(World, RawPeer)> {
    let world = World::start(Options::default()).await?;
    let mallory = RawPeer::join(network(&world), "mallory", node(&world, 0)).await?;
    let allow = if allowed { vec![mallory.id()] } else { Vec::new() };
    let change = PolicyChange {
        allow,
        ..PolicyChange::default()
    };
    world.alice.client()?.policy_set(change).await?;
    mallory.greet().await?;
    Ok((world, mallory))
}

pub async fn swaps_of_alice(world: &World) -> Result<u64> {
    Ok(world.alice.client()?.swap_list(SwapFilter::default()).await?.total)
}

/// What was said has blocked nothing: alice swaps with bob, and mallory is given an agreement on her channel.
pub async fn all_is_well(world: &World, mallory: &RawPeer, number: usize) -> Result<()> {
    ensure!(world.alice.daemon.pid().is_some(), "alice's daemon runs");
    let swap = order(&world.alice, Kind::Out, world.channels[0], 300_000).await?;
    finish(world, &[swap]).await?;
    let honest = id(number);
    let asked = request(&honest, &mallory.scid.to_string(), &[]);
    mallory.say(MessageType::SwapInRequest, asked).await?;
    mallory.hear_of(MessageType::SwapInAgreement, &honest).await?;
    Ok(())
}

/// A number that no field can hold.
const HUGE: &str = "18446744073709551616";

/// What is no message, and what is one with members of the wrong kind.
fn nonsense() -> Vec<Vec<u8>> {
    let nested = "[".repeat(20_000);
    let long = format!("{{\"swap_id\":{:?},\"message\":\"{}\"}}", id(1), "x".repeat(65_000));
    let mut payloads: Vec<Vec<u8>> = [
        "",
        "null",
        "{}",
        "[]",
        "7",
        "\"x\"",
        "{",
        "{\"swap_id\":null}",
        &nested,
        &long,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    payloads.extend([b"\xff\xfe".to_vec(), b"{\"swap_id\":\"\xff\"}".to_vec()]);
    for value in ["5", "\"zz\"", "[]", "{}", "\"\"", HUGE, "1e400", "-1", "true"] {
        payloads.push(format!("{{\"swap_id\":{value},\"privkey\":{value},\"version\":{value}}}").into());
        payloads.push(format!("{{\"swap_id\":{:?},\"amount\":{value},\"payreq\":{value}}}", id(2)).into());
    }
    payloads
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_of_every_type_block_nothing_and_crash_nothing() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    for kind in MessageType::ALL {
        for payload in &nonsense() {
            mallory.say(kind, payload).await?;
        }
        mallory.greet().await?;
    }
    let mut number = 100;
    let scid = mallory.scid.to_string();
    for kind in REQUESTS {
        for name in [
            "protocol_version",
            "asset",
            "scid",
            "amount",
            "pubkey",
            "acceptable_premium",
        ] {
            for value in ["null", "{}", "-1.5", HUGE, "\"x\"", "\"\""] {
                if (name, value) == ("acceptable_premium", "null") {
                    continue; // 0, as Go reads it: a good limit for a swap-in
                }
                number += 1;
                mallory.say(kind, request(&id(number), &scid, &[(name, value)])).await?;
            }
        }
        mallory.greet().await?;
    }
    all_is_well(&world, &mallory, 99).await?;
    for number in 101..=number {
        let cancels = mallory.count(MessageType::Cancel, &id(number));
        let agreed = [MessageType::SwapInAgreement, MessageType::SwapOutAgreement];
        let agreed: usize = agreed.iter().map(|kind| mallory.count(*kind, &id(number))).sum();
        ensure!(cancels <= 1 && agreed <= 1, "{cancels} cancels, {agreed} agreements");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_a_rule_is_canceled_once_with_the_reason_and_leaves_nothing() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let theirs = format!("\"{}\"", world.channels[0]);
    let broken: [(&[(&str, &str)], &str); 11] = [
        (
            &[("protocol_version", "6")],
            "protocol version 6 is not supported for lbtc, only 7",
        ),
        (
            &[(
                "asset",
                "\"01aa51070e29ca19043cf33ccd7324e2ddab03ecc4ae0b5e77c4fc0e5cf6c95aff\"",
            )],
            "invalid liquid asset 01aa51",
        ),
        (
            &[("asset", "\"\""), ("network", "\"regtest\"")],
            "btc swaps are not configured",
        ),
        (&[("asset", "\"\""), ("network", "\"venus\"")], "network is `venus`"),
        (&[("network", "\"regtest\"")], "must be empty if `network` is set"),
        (&[("scid", &theirs)], "there is no channel"),
        (
            &[("amount", "99999")],
            "amount 99999 sat is below the minimum of 100000 sat",
        ),
        (
            &[("amount", "9999999"), ("acceptable_premium", "99999")],
            "the channel cannot",
        ),
        // as millisatoshi it is 384 more than 64 bits have room for
        (
            &[
                ("amount", "18446744073709552"),
                ("acceptable_premium", "99999999999999"),
            ],
            "the channel cannot",
        ),
        (
            &[("acceptable_premium", "-9223372036854775808")],
            "is above the limit of -9223372036854775808 sat",
        ),
        (
            &[(
                "pubkey",
                "\"020000000000000000000000000000000000000000000000000000000000000000\"",
            )],
            "pubkey is",
        ),
    ];
    let scid = mallory.scid.to_string();
    let mut number = 0;
    for kind in REQUESTS {
        for (replaced, reason) in &broken {
            number += 1;
            mallory.say(kind, request(&id(number), &scid, replaced)).await?;
            let said = mallory.hear_of(MessageType::Cancel, &id(number)).await?;
            let said = said["message"].as_str().unwrap_or_default();
            ensure!(said.contains(reason), "{kind} with {replaced:?}: {said}");
        }
    }
    ensure!(swaps_of_alice(&world).await? == 0, "a refused request was stored");
    all_is_well(&world, &mallory, 99).await?;
    for number in 1..=number {
        assert_eq!(mallory.count(MessageType::Cancel, &id(number)), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_out_of_order_or_of_another_swap_do_nothing_to_the_taker() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let with_bob = order(&world.alice, Kind::Out, world.channels[0], 400_000).await?;
    for kind in [
        MessageType::Cancel,
        MessageType::CoopClose,
        MessageType::SwapOutAgreement,
    ] {
        let key = String::from(secret());
        let body = format!("{{\"swap_id\":\"{with_bob}\",\"message\":\"mine\",\"privkey\":\"{key}\"}}");
        mallory.say(kind, body).await?;
    }
    let swap = order(&world.alice, Kind::Out, mallory.scid, 500_000).await?;
    let swap_id = swap.to_string();
    mallory.hear_of(MessageType::SwapOutRequest, &swap_id).await?;
    let pubkey = public(&secret());
    let agreement =
        format!("{{\"protocol_version\":7,\"swap_id\":\"{swap_id}\",\"pubkey\":\"{pubkey}\",\"premium\":0}}");
    mallory.say(MessageType::SwapInAgreement, &agreement).await?;
    let opening = format!(
        "{{\"swap_id\":\"{swap_id}\",\"payreq\":\"lnbcrt1\",\"tx_id\":\"{}\",\"script_out\":0,\"blinding_key\":\"\"}}",
        id(7)
    );
    mallory.say(MessageType::OpeningTxBroadcasted, opening).await?;
    mallory
        .say(MessageType::Cancel, "{\"swap_id\":null,\"message\":\"\"}")
        .await?;
    let key = String::from(secret());
    let close = format!("{{\"swap_id\":\"{swap_id}\",\"message\":\"\",\"privkey\":\"{key}\"}}");
    mallory.say(MessageType::CoopClose, close).await?;
    mallory.greet().await?;
    let view = look(&world.alice, swap).await.context("the swap is known")?;
    assert_eq!(view.stage, Stage::Requested, "{}", view.state);
    let cancel = format!("{{\"swap_id\":\"{swap_id}\",\"message\":\"no more\"}}");
    mallory.say(MessageType::Cancel, &cancel).await?;
    mallory.say(MessageType::Cancel, &cancel).await?;
    let view = world
        .wait_for_swap(&world.alice, swap, "canceled", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::Canceled));
    finish(&world, &[with_bob]).await?;
    let view = look(&world.alice, with_bob).await.context("the swap is known")?;
    assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByInvoice));
    all_is_well(&world, &mallory, 99).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_takers_own_key_gives_the_maker_its_coins_back() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let swap_id = id(1);
    let fee = agreed(&mallory, mallory.scid, &swap_id).await?;
    pay(&mallory, mallory.scid, fee).await?;
    mallory.hear_of(MessageType::OpeningTxBroadcasted, &swap_id).await?;
    let close = |key: &str| format!("{{\"swap_id\":{swap_id:?},\"message\":\"\",\"privkey\":{key:?}}}");
    let wrong = String::from(SwapSecret::from_bytes([0x43; 32]));
    for key in [wrong.as_str(), "00", "", &"00".repeat(32), &"ff".repeat(32)] {
        mallory.say(MessageType::CoopClose, close(key)).await?;
    }
    for kind in [
        MessageType::OpeningTxBroadcasted,
        MessageType::SwapInAgreement,
        MessageType::SwapOutAgreement,
    ] {
        mallory
            .say(kind, format!("{{\"swap_id\":{swap_id:?},\"premium\":-9}}"))
            .await?;
    }
    let cancel = format!("{{\"swap_id\":{swap_id:?},\"message\":\"\"}}");
    mallory.say(MessageType::Cancel, &cancel).await?;
    mallory.say(MessageType::Cancel, &cancel).await?;
    mallory.greet().await?;
    let swap = swap_id.parse()?;
    let view = look(&world.alice, swap).await.context("the swap is known")?;
    assert_eq!(view.stage, Stage::OpeningPublished, "{}", view.state);
    world.liquid.mine(1).await?;
    wait_for_height(&world.alice, chain(&world).tip().height).await?;
    mallory
        .say(MessageType::CoopClose, close(&String::from(secret())))
        .await?;
    wait_for("the refund", PATIENCE, || async {
        Ok((!chain(&world).mempool().is_empty()).then_some(()))
    })
    .await?;
    world.liquid.mine(2).await?;
    let view = world
        .wait_for_swap(&world.alice, swap, "closed", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByCoop));
    all_is_well(&world, &mallory, 99).await
}
