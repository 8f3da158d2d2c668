//! Commands that need no daemon: the seed's words, and coins out of rescue files.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Uri;
use http::uri::Authority;
use sluice::units::Preimage;

use crate::values::{amount, preimage};

#[derive(Debug, Subcommand)]
pub enum SeedCommand {
    /// Show the twelve words of the data folder's seed, once, to be written on paper
    Backup {
        /// Show them although they were shown before
        #[arg(long)]
        again: bool,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
    /// Write the seed from its twelve words, read from the terminal or standard input, if there is none
    Restore,
}

#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Tell whether it is sound, row by row; changes nothing
    Check {
        /// The database [default: sluice.redb in the data folder]
        file: Option<PathBuf>,
    },
    /// Print what is in it as lines of JSON, without secrets; changes nothing
    Export {
        /// The database [default: sluice.redb in the data folder]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct RescueArgs {
    /// Rescue files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The file of the seed; unless given its twelve words are read from the terminal or standard input
    #[arg(long, value_name = "FILE")]
    pub seed_file: Option<PathBuf>,
    #[command(flatten)]
    pub node: NodeArgs,
    /// A paid invoice's preimage, as the Lightning node tells it, for a file that was written before it was known
    #[arg(long, value_name = "HEX", value_parser = preimage)]
    pub preimage: Option<Preimage>,
    /// What the transaction pays, in satoshi per 1000 virtual bytes (on Liquid: discounted) [default: the node's estimate]
    #[arg(long, value_name = "SAT", value_parser = amount)]
    pub fee_rate: Option<u64>,
    /// Where the coins go [default: the wallet's address in the file]
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// Print the transaction instead of broadcasting it, also one that is valid only later
    #[arg(long)]
    pub hex: bool,
    /// Broadcast without asking
    #[arg(long, conflicts_with = "hex")]
    pub yes: bool,
}

/// The chain's node.
#[derive(Debug, Args)]
#[command(next_help_heading = "The node of the swap's chain: elementsd for L-BTC, bitcoind for BTC")]
pub struct NodeArgs {
    /// Its JSON-RPC, such as http://127.0.0.1:7041; without it nothing is looked up and nothing broadcast
    #[arg(long, value_name = "URL", value_parser = node_url)]
    pub node_url: Option<String>,
    /// The cookie file that it writes at every start
    #[arg(long, value_name = "FILE", requires = "node_url", conflicts_with = "node_user")]
    pub node_cookie: Option<PathBuf>,
    /// Or the user
    #[arg(long, value_name = "NAME", requires = "node_password_file")]
    pub node_user: Option<String>,
    /// And the file with the user's password
    #[arg(long, value_name = "FILE", requires = "node_user")]
    pub node_password_file: Option<PathBuf>,
}

/// A password in it would be printed with every error.
fn node_url(text: &str) -> Result<String, String> {
    let rule =
        "must be http(s)://host:port, without user and password: --node-user and --node-password-file are for these";
    let uri: Uri = text.parse().map_err(|_| rule.to_owned())?;
    let plain = |authority: &Authority| authority.port().is_some() && !authority.as_str().contains('@');
    let fits = matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some_and(plain);
    fits.then(|| text.to_owned()).ok_or_else(|| rule.to_owned())
}
