//! Wrong orders, through JSON-RPC and through the command line.

use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::params::ObjectParams;
use serde_json::{Value, json};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapFilter};
use sluice::swap::Kind;
use sluice_regtest::world::peer::RawPeer;
use sluice_regtest::world::{Options, World, build};

use super::orders::{finish, network, node, order, outcome};

/// A world of two channels whose wallets hold a million satoshi, and in which carol has a channel with alice and no
/// Sluice.
async fn world() -> Result<(World, RawPeer)> {
    let options = Options {
        channels: 2,
        wallet: bitcoin::Amount::from_sat(1_000_000),
        ..Options::default()
    };
    let world = World::start(options).await?;
    let carol = RawPeer::join(network(&world), "carol", node(&world, 0)).await?;
    Ok((world, carol))
}

/// Calls a method with these parameters and returns the error's code and data.
async fn refused(world: &World, method: &str, params: &Value) -> Result<(i64, Value)> {
    let mut named = ObjectParams::new();
    for (name, value) in params.as_object().context("an object")? {
        named.insert(name, value)?;
    }
    let answer: Result<Value, ClientError> = world.alice.client()?.request(method, named).await;
    match answer {
        Err(ClientError::Call(error)) => {
            let data = error.data().map(|data| serde_json::from_str(data.get())).transpose()?;
            Ok((i64::from(error.code()), data.unwrap_or_default()))
        }
        other => bail!("{method} {params}: {other:?}"),
    }
}

/// Whether `found` has at least the members of `wanted`.
fn holds(found: &Value, wanted: &Value) -> bool {
    let mut members = wanted.as_object().into_iter().flatten();
    members.all(|(name, value)| found.get(name) == Some(value))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_order_is_one_clear_error_and_leaves_nothing_behind() -> Result<()> {
    let (world, carol) = world().await?;
    let [one, two] = [0, 1].map(|index| world.channels[index].to_string());
    let order_of = |channel: &str, sat: Value| json!({"channel": channel, "amount_sat": sat, "asset": "lbtc", "max_premium_ppm": 2000});
    node(&world, 0).set_channel_active(world.channels[1], false)?;
    let spendable = world.alice.client()?.peer_list().await?;
    let bob = spendable.peers.iter().find(|peer| peer.node_id == world.bob.id);
    let channels = &bob.context("bob is a peer")?.channels;
    let channel = channels.iter().find(|channel| channel.channel == world.channels[0]);
    let channel = channel.context("it has the channel")?;
    let cases = [
        (
            "swap_out",
            order_of(&one, json!(0)),
            -32602,
            json!({"field": "amount_sat", "value": 0}),
        ),
        (
            "swap_in",
            order_of(&one, json!(99_999)),
            -32602,
            json!({"field": "amount_sat", "value": 99_999}),
        ),
        (
            "swap_out",
            order_of(&one, json!(u64::MAX)),
            -32602,
            json!({"field": "amount_sat", "rule": "must be at most 2100000000000000 sat, which is all that there can be"}),
        ),
        (
            "swap_in",
            json!({"channel": one, "amount_sat": 500_000, "max_premium_ppm": -9_999_999_999_999i64}),
            -32602,
            json!({"field": "max_premium_ppm", "rule": "must be -1000000 to 1000000 ppm"}),
        ),
        (
            "swap_out",
            json!({"channel": one, "amount_sat": 500_000, "asset": "lbtc", "max_premium_ppm": -1_000_000}),
            -32602,
            json!({"field": "max_premium_ppm"}),
        ),
        ("swap_out", order_of(&one, json!(-1)), -32602, json!({})),
        ("swap_out", order_of(&one, json!("x")), -32602, json!({})),
        ("swap_out", order_of(&one, json!(1.5)), -32602, json!({})),
        ("swap_out", order_of(&one, json!(null)), -32602, json!({})),
        ("swap_out", order_of("one", json!(500_000)), -32602, json!({})),
        (
            "swap_out",
            json!({"channel": one, "amount_sat": 500_000}),
            -32602,
            json!({}),
        ),
        (
            "swap_out",
            json!({"channel": one, "amount_sat": 500_000, "asset": "lbtc", "max_premium": 1}),
            -32602,
            json!({}),
        ),
        (
            "swap_out",
            json!({"channel": one, "amount_sat": 500_000, "asset": "doge"}),
            -32602,
            json!({}),
        ),
        (
            "swap_out",
            json!({"channel": one, "amount_sat": 500_000, "asset": "btc", "max_premium_ppm": 2000}),
            -32027,
            json!({"asset": "btc"}),
        ),
        (
            "swap_out",
            order_of(&one, json!(6_000_000)),
            -32024,
            json!({"needed_sat": 6_006_030, "available_sat": channel.spendable_sat}),
        ),
        (
            "swap_in",
            order_of(&one, json!(6_000_000)),
            -32024,
            json!({"needed_sat": 6_000_000, "available_sat": channel.receivable_sat}),
        ),
        (
            "swap_out",
            order_of("7x7x7", json!(500_000)),
            -32021,
            json!({"channel": "7x7x7"}),
        ),
        (
            "swap_out",
            order_of(&two, json!(500_000)),
            -32022,
            json!({"channel": two}),
        ),
        (
            "swap_out",
            order_of(&carol.scid.to_string(), json!(500_000)),
            -32026,
            json!({"peer": carol.id().to_string()}),
        ),
        (
            "swap_in",
            order_of(&one, json!(2_000_000)),
            -32025,
            json!({"available_sat": 1_000_000}),
        ),
        (
            "swap_get",
            json!({"swap_id": "00".repeat(32)}),
            -32020,
            json!({"swap_id": "00".repeat(32)}),
        ),
        ("swap_cancel", json!({"swap_id": "xyz"}), -32602, json!({})),
    ];
    for (method, params, code, data) in &cases {
        let (said, found) = refused(&world, method, params).await?;
        ensure!(
            said == *code && holds(&found, data),
            "{method} {params}: {said} {found}, not {code} {data}"
        );
    }
    node(&world, 0).set_channel_active(world.channels[1], true)?;
    let stored = world.alice.client()?.swap_list(SwapFilter::default()).await?;
    ensure!(stored.total == 0, "a refused order was stored: {stored:?}");
    let good = order(&world.alice, Kind::Out, world.channels[0], 500_000).await?;
    let (said, found) = refused(&world, "swap_in", &order_of(&one, json!(200_000))).await?;
    ensure!(
        said == -32023 && found["swap_id"] == good.to_string(),
        "another swap on the channel: {said} {found}"
    );
    finish(&world, &[good]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn too_dear_a_premium_ends_the_swap_with_both_numbers_and_frees_the_channel() -> Result<()> {
    let (world, _carol) = world().await?;
    let client = world.alice.client()?;
    let mut wanted = super::orders::request(world.channels[0], 500_000);
    wanted.max_premium_ppm = 10;
    let swap = client.swap_out(wanted).await?.swap_id;
    let view = world
        .wait_for_swap(&world.alice, swap, "canceled", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::Canceled));
    let reason = view.outcome.and_then(|outcome| outcome.reason).unwrap_or_default();
    ensure!(
        reason.contains("premium of 500 sat is above the limit of 5 sat"),
        "{reason}"
    );
    let good = order(&world.alice, Kind::Out, world.channels[0], 500_000).await?;
    finish(&world, &[good]).await
}

async fn sluice(world: &World, arguments: &[&str]) -> Result<Output> {
    let sluice = build::sluiced().await?.with_file_name("sluice");
    let mut command = tokio::process::Command::new(sluice);
    command
        .args(["--rpc-url", &world.alice.daemon.url(), "--data-dir"])
        .arg(world.alice.daemon.data_dir())
        .args(arguments);
    Ok(command.output().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_in_one_sentence_what_was_wrong_and_tells_scripts_by_its_exit_code() -> Result<()> {
    let (world, _carol) = world().await?;
    let one = world.channels[0].to_string();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--channel", &one, "--amount", "0"], 1, "at least 100000 sat"),
        (
            &["--channel", &one, "--amount", "6_000_000", "--asset", "lbtc"],
            1,
            "6000030 sat",
        ),
        (&["--channel", &one, "--amount", "1.5"], 2, "1.5"),
        (&["--channel", "one", "--amount", "500000"], 2, "one"),
        (&["--channel", "7x7x7", "--amount", "500000"], 1, "no channel 7x7x7"),
        (&["--channel", &one, "--amount", "500000", "--asset", "btc"], 1, "btc"),
        (
            &[
                "--channel",
                &one,
                "--amount",
                "500000",
                "--asset",
                "lbtc",
                "--max-premium-ppm",
                "10",
                "--wait",
            ],
            3,
            "limit of 5 sat",
        ),
    ];
    for (arguments, code, said) in cases {
        let arguments = [&["swap", "out"], arguments].concat();
        let output = sluice(&world, &arguments).await?;
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed)?;
        ensure!(
            output.status.code() == Some(code) && printed.contains(said),
            "{arguments:?} ended with {}: {printed}",
            output.status
        );
    }
    let good = order(&world.alice, Kind::Out, world.channels[0], 500_000).await?;
    finish(&world, &[good]).await
}
