//! The file that a shell reads to have a world's parts at hand: `sl1`, `sl2`, `el`, `elrpc`, `rt` and variables.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::site::Site;

/// Writes it, for its owner alone: it holds the chain's password.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(site: &Site, sluice: Option<&Path>) -> Result<()> {
    let this = std::env::current_exe().context("the path of this program")?;
    let text = text(site, sluice, &this)?;
    let write = || {
        let mut options = std::fs::File::options();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&site.env)?;
        file.write_all(text.as_bytes())
    };
    write().with_context(|| site.env.display().to_string())
}

fn text(site: &Site, sluice: Option<&Path>, this: &Path) -> Result<String> {
    let mut text = String::new();
    let liquid = &site.liquid;
    writeln!(text, "# The regtest world {:?}, for sh and its relatives.", site.world)?;
    for (name, value) in [
        ("SLUICE_WORLD", &site.world),
        ("EL_RPC_URL", &liquid.rpc_url),
        ("EL_USER", &liquid.user),
        ("EL_PASSWORD", &liquid.password),
        ("EL_ASSET", &liquid.asset),
    ] {
        writeln!(text, "export {name}={}", quote(value))?;
    }
    writeln!(text, "# EL_WALLET names the wallet that el and elrpc speak to.")?;
    let elements_cli = elements_cli(site);
    writeln!(
        text,
        "el() {{ {elements_cli} ${{EL_WALLET:+-rpcwallet=$EL_WALLET}} \"$@\"; }}"
    )?;
    writeln!(
        text,
        "# elrpc METHOD [PARAMS]: the same with curl, the parameters as JSON."
    )?;
    text.push_str(concat!(
        r#"elrpc() { curl --silent --show-error --user "$EL_USER:$EL_PASSWORD" "#,
        r#""$EL_RPC_URL${EL_WALLET:+/wallet/$EL_WALLET}" "#,
        r#"--data "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":${2:-[]}}"; echo; }"#,
        "\n"
    ));
    let this = quote(&this.display().to_string());
    writeln!(
        text,
        "# rt mine 2, rt reorg 1, rt fund ADDRESS SAT, rt snapshot, rt revert"
    )?;
    writeln!(text, "rt() {{ {this} \"$@\" --world {}; }}", site.world)?;
    for (number, node) in (1..).zip(&site.nodes) {
        let sluiced = &node.sluiced;
        writeln!(text, "# {}", node.name)?;
        for (name, value) in [
            ("RPC_URL", &sluiced.rpc_url),
            ("TOKEN_FILE", &sluiced.token_file.display().to_string()),
            ("NODE_ID", &node.node_id),
        ] {
            writeln!(text, "export SL{number}_{name}={}", quote(value))?;
        }
        if let Some(sluice) = sluice {
            let sluice = quote(&sluice.display().to_string());
            let reach = format!("--rpc-url \"$SL{number}_RPC_URL\" --token-file \"$SL{number}_TOKEN_FILE\"");
            writeln!(text, "sl{number}() {{ {sluice} {reach} \"$@\"; }}")?;
        }
    }
    if let Some(channel) = site.nodes.iter().flat_map(|node| &node.channels).next() {
        writeln!(text, "export SCID={}", channel.scid)?;
    }
    Ok(text)
}

/// The start of a line for `elements-cli`.
pub(super) fn elements_cli(site: &Site) -> String {
    let liquid = &site.liquid;
    let address = liquid.rpc_url.trim_start_matches("http://");
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "7041"));
    let secret = |name: &str, value: &str| format!("-{name}={}", quote(value));
    format!(
        "elements-cli -rpcconnect={host} -rpcport={port} {} {}",
        secret("rpcuser", &liquid.user),
        secret("rpcpassword", &liquid.password)
    )
}

/// A word of a shell's command line.
pub(super) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_shell_as_they_are() {
        assert_eq!(quote("/run/user/1000/env.sh"), "/run/user/1000/env.sh");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }
}
