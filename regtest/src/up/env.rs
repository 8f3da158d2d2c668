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
    liquid_of(site).write(&mut text)?;
    if let Some(btc) = &site.btc {
        for (name, value) in [
            ("BC_RPC_URL", &btc.rpc_url),
            ("BC_USER", &btc.user),
            ("BC_PASSWORD", &btc.password),
        ] {
            writeln!(text, "export {name}={}", quote(value))?;
        }
        let bitcoin = Client {
            program: "bitcoin-cli",
            functions: ["bc", "bcrpc"],
            prefix: "BC",
            rpc_url: &btc.rpc_url,
            user: &btc.user,
            password: &btc.password,
        };
        bitcoin.write(&mut text)?;
    }
    let this = quote(&this.display().to_string());
    writeln!(
        text,
        "# rt mine 2, rt mine 3 --asset btc, rt reorg 1, rt fund ADDRESS SAT, rt snapshot, rt revert"
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

/// A chain's node, as a shell reaches it.
struct Client<'a> {
    /// The program that people have for it.
    program: &'a str,
    /// The functions: with that program, and with curl.
    functions: [&'a str; 2],
    /// How its variables begin.
    prefix: &'a str,
    rpc_url: &'a str,
    user: &'a str,
    password: &'a str,
}

impl Client<'_> {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (command, prefix, [cli, rpc]) = (self.command(), self.prefix, self.functions);
        writeln!(
            text,
            "# {prefix}_WALLET names the wallet that {cli} and {rpc} speak to."
        )?;
        writeln!(
            text,
            "{cli}() {{ {command} ${{{prefix}_WALLET:+-rpcwallet=${prefix}_WALLET}} \"$@\"; }}"
        )?;
        writeln!(
            text,
            "# {rpc} METHOD [PARAMS]: the same with curl, the parameters as JSON."
        )?;
        writeln!(
            text,
            r#"{rpc}() {{ curl --silent --show-error --user "${prefix}_USER:${prefix}_PASSWORD" "${prefix}_RPC_URL${{{prefix}_WALLET:+/wallet/${prefix}_WALLET}}" --data "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":${{2:-[]}}}}"; }}"#
        )
    }

    /// The start of a line for the program.
    fn command(&self) -> String {
        let address = self.rpc_url.trim_start_matches("http://");
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let secret = |name: &str, value: &str| format!("-{name}={}", quote(value));
        format!(
            "{} -rpcconnect={host} -rpcport={port} {} {}",
            self.program,
            secret("rpcuser", self.user),
            secret("rpcpassword", self.password)
        )
    }
}

/// The start of a line for `elements-cli`.
pub(super) fn elements_cli(site: &Site) -> String {
    liquid_of(site).command()
}

fn liquid_of(site: &Site) -> Client<'_> {
    let liquid = &site.liquid;
    Client {
        program: "elements-cli",
        functions: ["el", "elrpc"],
        prefix: "EL",
        rpc_url: &liquid.rpc_url,
        user: &liquid.user,
        password: &liquid.password,
    }
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
