//! What `up` and `liquid` tell a person.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::env::{elements_cli, quote};
use super::site::{NodeSite, Site};

/// How to reach everything, ready to be copied.
///
/// # Errors
/// None in practice: text grows in memory.
pub(super) fn text(site: &Site, sluice: Option<&Path>, took: Duration, block_time: Option<Duration>) -> Result<String> {
    let mut text = String::new();
    let liquid = &site.liquid;
    let mut row = |label: &str, value: &str| writeln!(text, "{label:<9}{value}");
    let took = format!("up in {:.2} s; Ctrl-C ends it", took.as_secs_f64());
    row("world", &format!("{}, {took}", site.world))?;
    row("liquid", &format!("{} {}", liquid.chain, liquid.rpc_url))?;
    row("", &format!("user {}, password {}", liquid.user, liquid.password))?;
    row("", &format!("height {}, genesis {}", liquid.height, liquid.genesis))?;
    row("", &format!("asset {}", liquid.asset))?;
    row("", &curl(site))?;
    row("", &format!("{} getblockchaininfo", elements_cli(site)))?;
    let bitcoins = [("bitcoin", &site.bitcoin), ("btc", &site.btc)];
    for (label, bitcoin) in bitcoins {
        if let Some(bitcoin) = bitcoin {
            row(label, &format!("regtest {}", bitcoin.rpc_url))?;
            row("", &format!("user {}, password {}", bitcoin.user, bitcoin.password))?;
        }
    }
    for node in &site.nodes {
        node_rows(node, sluice, &mut row)?;
    }
    row(
        "coins",
        &format!("cargo regtest fund ADDRESS SAT --world {}", site.world),
    )?;
    row(
        "blocks",
        &match block_time {
            Some(time) => format!(
                "one every {time:?}, and by `cargo regtest mine N --world {}`",
                site.world
            ),
            None => format!("cargo regtest mine N --world {}", site.world),
        },
    )?;
    row("shell", &format!(". {}", quote(&site.env.display().to_string())))?;
    row(
        "",
        &match site.nodes.as_slice() {
            [] => "then el, elrpc and rt are commands: elrpc getblockcount; rt mine 2".to_owned(),
            [_, ..] => {
                let bitcoin = if site.btc.is_some() { ", bc, bcrpc" } else { "" };
                format!("then sl1, sl2, el, elrpc{bitcoin} and rt are commands; a first swap:")
            }
        },
    )?;
    if !site.nodes.is_empty() {
        row(
            "",
            "sl1 swap out --channel $SCID --amount 1_000_000 --asset lbtc --max-premium-ppm 2000",
        )?;
        row("", "rt mine 2; sl1 swap list")?;
    }
    Ok(text)
}

fn curl(site: &Site) -> String {
    let liquid = &site.liquid;
    let user = quote(&format!("{}:{}", liquid.user, liquid.password));
    let call = r#"'{"jsonrpc":"2.0","id":1,"method":"getblockchaininfo"}'"#;
    format!("curl --user {user} {} --data {call}", liquid.rpc_url)
}

fn node_rows(
    node: &NodeSite,
    sluice: Option<&Path>,
    row: &mut impl FnMut(&str, &str) -> std::fmt::Result,
) -> Result<()> {
    row(&node.name, &format!("node {}", node.node_id))?;
    for channel in &node.channels {
        let (local, capacity) = (channel.local_sat, channel.capacity_sat);
        row("", &format!("channel {}, {local} of {capacity} sat here", channel.scid))?;
    }
    for access in node.lnd.iter().chain(&node.cln) {
        row("", &format!("{} {}", access.backend(), access.address()))?;
        for (what, path) in access.files() {
            row("", &format!("    {} {}", what.replace('_', " "), path.display()))?;
        }
    }
    let sluiced = &node.sluiced;
    row("", &format!("sluiced {}, pid {}", sluiced.rpc_url, sluiced.pid))?;
    let program = sluice.map_or_else(|| "sluice".to_owned(), |path| quote(&path.display().to_string()));
    let token = quote(&sluiced.token_file.display().to_string());
    row(
        "",
        &format!("{program} --rpc-url {} --token-file {token} info", sluiced.rpc_url),
    )?;
    Ok(())
}
