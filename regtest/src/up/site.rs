//! What is where in a world that is up: what `--json` prints.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use super::place::Place;
use crate::liquid::params::{CHAIN_NAME, genesis_block, policy_asset};
use crate::world::World;
use crate::world::access::NodeAccess;
use crate::world::lightning::CAPACITY;
use crate::world::liquid::{Access, Liquid};
use crate::world::operator::Operator;

/// A whole world.
#[derive(Debug, Serialize)]
pub(super) struct Site {
    /// Its name.
    pub world: String,
    /// A file for shells.
    pub env: PathBuf,
    /// The Liquid chain.
    pub liquid: LiquidSite,
    /// The Bitcoin chain under real Lightning nodes.
    pub bitcoin: Option<BitcoinSite>,
    /// The Bitcoin chain that BTC is swapped on.
    pub btc: Option<BitcoinSite>,
    /// The Lightning nodes with their `sluiced`; none where the chain is alone.
    pub nodes: Vec<NodeSite>,
}

/// A Liquid chain.
#[derive(Debug, Serialize)]
pub(super) struct LiquidSite {
    pub rpc_url: String,
    pub user: String,
    pub password: String,
    pub chain: &'static str,
    pub genesis: String,
    /// The asset that pays fees.
    pub asset: String,
    pub height: u32,
}

/// A bitcoind.
#[derive(Debug, Serialize)]
pub(super) struct BitcoinSite {
    pub rpc_url: String,
    pub user: String,
    pub password: String,
}

impl From<Access> for BitcoinSite {
    fn from(access: Access) -> BitcoinSite {
        BitcoinSite {
            rpc_url: access.rpc_url,
            user: access.user,
            password: access.password,
        }
    }
}

/// A Lightning node and its `sluiced`.
#[derive(Debug, Serialize)]
pub(super) struct NodeSite {
    pub name: String,
    pub node_id: String,
    /// How to reach it as LND is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lnd: Option<NodeAccess>,
    /// How to reach it as Core Lightning is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cln: Option<NodeAccess>,
    pub channels: Vec<ChannelSite>,
    pub sluiced: SluicedSite,
}

/// A channel as one node sees it.
#[derive(Debug, Serialize)]
pub(super) struct ChannelSite {
    pub scid: String,
    pub peer_id: String,
    pub capacity_sat: u64,
    pub local_sat: u64,
}

/// A `sluiced`.
#[derive(Debug, Serialize)]
pub(super) struct SluicedSite {
    pub rpc_url: String,
    pub token_file: PathBuf,
    pub data_dir: PathBuf,
    pub pid: u32,
}

impl Site {
    /// Of a chain alone.
    ///
    /// # Errors
    /// The chain does not answer.
    pub(super) async fn of_chain(place: &Place, liquid: &Liquid) -> Result<Site> {
        let access = liquid.access()?;
        Ok(Site {
            world: place.name().to_owned(),
            env: place.env_file(),
            liquid: LiquidSite {
                rpc_url: access.rpc_url,
                user: access.user,
                password: access.password,
                chain: CHAIN_NAME,
                genesis: genesis_block().block_hash().to_string(),
                asset: policy_asset().to_string(),
                height: liquid.height().await?,
            },
            bitcoin: None,
            btc: None,
            nodes: Vec::new(),
        })
    }

    /// Of a whole world.
    ///
    /// # Errors
    /// A part of it does not answer.
    pub(super) async fn of_world(place: &Place, world: &World) -> Result<Site> {
        let nodes = vec![
            node_site(world, 0, &world.alice).await?,
            node_site(world, 1, &world.bob).await?,
        ];
        let mut site = Site::of_chain(place, &world.liquid).await?;
        site.bitcoin = world.lightning.bitcoin().map(BitcoinSite::from);
        site.btc = world.bitcoin.as_ref().map(|bitcoin| bitcoin.access().into());
        site.nodes = nodes;
        Ok(site)
    }
}

async fn node_site(world: &World, node: usize, operator: &Operator) -> Result<NodeSite> {
    let mut channels = Vec::new();
    for &scid in &world.channels {
        channels.push(ChannelSite {
            scid: scid.to_string(),
            peer_id: world.other(operator).id.to_string(),
            capacity_sat: CAPACITY.to_sat(),
            local_sat: world.lightning.local(node, scid).await?.0 / 1_000,
        });
    }
    let (lnd, cln) = match world.lightning.access(node) {
        lnd @ NodeAccess::Lnd(_) => (Some(lnd), None),
        cln @ NodeAccess::Cln(_) => (None, Some(cln)),
    };
    let daemon = &operator.daemon;
    Ok(NodeSite {
        name: operator.name.clone(),
        node_id: operator.id.to_string(),
        lnd,
        cln,
        channels,
        sluiced: SluicedSite {
            rpc_url: daemon.url(),
            token_file: daemon.token_path(),
            data_dir: daemon.data_dir(),
            pid: daemon
                .pid()
                .with_context(|| format!("{}'s sluiced ended", operator.name))?,
        },
    })
}
