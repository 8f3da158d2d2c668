//! No log and no rescue file holds a secret that could be read.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bitcoin::hashes::Hash as _;
use sluice::keys::Seed;
use sluice::rescue::Key;
use sluice::store::{Store, StoreIdentity};
use sluice::swap::{Kind, Role, State};
use sluice::units::{Asset, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::liquid::params;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::orders::{finish, node, order};

/// The secrets of an operator's daemon, whose process has ended, by their names.
fn secrets(world: &World, operator: &Operator, index: usize, swaps: &[SwapId]) -> Result<Vec<(String, String)>> {
    let folder = operator.daemon.data_dir();
    let genesis = params::genesis_block().block_hash().to_byte_array();
    let genesis = bitcoin::BlockHash::from_byte_array(genesis);
    let identity = StoreIdentity {
        node: operator.id,
        network: "regtest".into(),
        genesis: BTreeMap::from([(Asset::Lbtc, genesis)]),
    };
    let (store, seed) = (Store::open(&folder, &identity)?, Seed::open(&folder.join("seed"))?);
    let text = std::fs::read_to_string(folder.join("seed"))?;
    let entropy = text
        .trim()
        .rsplit(':')
        .find(|part| part.len() >= 32)
        .unwrap_or(text.trim());
    let macaroon = std::fs::read(node(world, index).macaroon_path())?;
    let mut found = vec![
        ("the seed".into(), entropy.to_owned()),
        (
            "the API's token".into(),
            std::fs::read_to_string(operator.daemon.token_path())?.trim().to_owned(),
        ),
        ("the macaroon".into(), hex::encode(&macaroon)),
    ];
    for id in swaps {
        let swap = store.swap(*id)?.context("the swap is stored")?;
        ensure!(matches!(swap.state, State::Closed(_)), "the swap is over");
        let own = seed.secrets(&swap.keys.path, swap.role);
        found.extend([
            ("a swap key".into(), String::from(own.swap_key.clone())),
            ("a blinding key".into(), String::from(own.blinding_key.clone())),
            ("a claim preimage".into(), String::from(own.claim_preimage.clone())),
            ("a fee preimage".into(), String::from(own.fee_preimage.clone())),
        ]);
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_whole_swap_is_in_a_log_at_its_loudest() -> Result<()> {
    let options = Options {
        channels: 2,
        arguments: vec!["--set=log.level=debug,sluice=trace".into()],
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let out = order(&world.alice, Kind::Out, world.channels[0], 1_000_000).await?;
    let into = order(&world.alice, Kind::In, world.channels[1], 1_000_000).await?;
    let swaps = [out, into];
    finish(&world, &swaps).await?;
    world.alice.daemon.terminate().await?;
    world.bob.daemon.terminate().await?;
    let logs = [&world.alice, &world.bob].map(|operator| std::fs::read_to_string(operator.daemon.log_path()));
    for log in logs {
        let log = log?.to_lowercase();
        ensure!(log.contains(&out.to_string()[..6]), "the log tells of the swap");
        for (index, operator) in [(0, &world.alice), (1, &world.bob)] {
            for (name, secret) in secrets(&world, operator, index, &swaps)? {
                ensure!(secret.len() >= 16, "{name} is too short to be looked for");
                ensure!(
                    !log.contains(&secret.to_lowercase()),
                    "{name} of {} is in a log",
                    operator.name
                );
            }
        }
    }
    Ok(())
}

/// A secret's bytes as they may stand in a file.
fn forms(hex_digits: &str) -> Result<Vec<Vec<u8>>> {
    let bytes = hex::decode(hex_digits)?;
    // base64 of the middle, at each of the three ways to be cut into groups
    let inner = (0..3).map(|skip| STANDARD_NO_PAD.encode(&bytes[skip..skip + 12]).into_bytes());
    let inner: Vec<Vec<u8>> = inner.collect();
    let digits = [hex_digits.to_lowercase(), hex_digits.to_uppercase()].map(String::into_bytes);
    Ok(inner.into_iter().chain(digits).chain([bytes]).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_can_be_read_in_a_rescue_file_of_either_side() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let channel = world.channels[0];
    let swap = order(&world.alice, Kind::Out, channel, 1_000_000).await?;
    world
        .wait_for_swap(&world.bob, swap, "opened", |view| view.opening.is_some())
        .await?;
    // the taker's file is there from the payment on, and knows the preimage once it is paid
    world
        .wait_for_swap(&world.alice, swap, "opened", |view| view.opening.is_some())
        .await?;
    world.liquid.mine(2).await?;
    world
        .wait_for_swap(&world.alice, swap, "claiming", |view| {
            view.timings_ms.spend_published.is_some()
        })
        .await?;
    let (mut files, mut plain) = (Vec::new(), String::new());
    for operator in [&world.alice, &world.bob] {
        let path = operator.daemon.data_dir().join(format!("rescue/{swap}.rescue"));
        let key = Key::of(&Seed::open(&operator.daemon.data_dir().join("seed"))?);
        let file = wait_for("a rescue file that knows the most", PATIENCE, || async {
            let text = std::fs::read_to_string(&path)?;
            let record = key.open(&text)?;
            // a maker that was paid keeps no refund in its file
            let full = match record.role {
                Role::Maker => record.paid,
                Role::Taker => record.preimage.is_some() && !record.signed.is_empty(),
            };
            Ok(full.then_some(text))
        })
        .await?;
        plain.push_str(&serde_json::to_string(&key.open(&file)?)?);
        files.push(file);
    }
    finish(&world, &[swap]).await?;
    world.alice.daemon.terminate().await?;
    world.bob.daemon.terminate().await?;
    let mut inside = 0;
    for (index, operator) in [(0, &world.alice), (1, &world.bob)] {
        for (name, secret) in secrets(&world, operator, index, &[swap])? {
            inside += usize::from(plain.contains(&secret));
            let whole = secret.len() % 2 == 0 && secret.len() >= 30 && hex::decode(&secret).is_ok();
            ensure!(whole, "{name} is no hex: it would not be found");
            for (form, file) in forms(&secret)?
                .iter()
                .flat_map(|form| files.iter().map(move |file| (form, file)))
            {
                let found = file.as_bytes().windows(form.len()).any(|window| window == form);
                ensure!(!found, "{name} of {} is in a rescue file", operator.name);
                // base64 is cut into lines
                let joined = file.replace('\n', "");
                let found = joined.as_bytes().windows(form.len()).any(|window| window == form);
                ensure!(!found, "{name} of {} is in a rescue file", operator.name);
            }
        }
    }
    ensure!(
        inside >= 2,
        "the files hold the preimage and the blinding key, which only the seed can read"
    );
    Ok(())
}
