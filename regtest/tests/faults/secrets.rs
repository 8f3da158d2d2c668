//! No log holds a secret.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bitcoin::hashes::Hash as _;
use sluice::keys::Seed;
use sluice::store::{Store, StoreIdentity};
use sluice::swap::{Kind, State};
use sluice::units::{Asset, SwapId};
use sluice_regtest::liquid::params;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, World};

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
