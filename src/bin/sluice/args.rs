//! The command line's grammar.

mod offline;
mod peer;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sluice::api::types::{IdempotencyKey, Until};
use sluice::swap::Kind;
use sluice::units::{Asset, AssetChoice, NodeId, Scid};

pub use offline::{DbCommand, NodeArgs, RescueArgs, SeedCommand};
pub use peer::{PeerCommand, PolicyCommand};

use crate::values::{amount, swap_prefix};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the daemon said no, or something went wrong
  2  the command line is wrong
  3  the swap was canceled: nothing was opened
  4  the swap was not paid: the coins went back, cooperatively or after the timelock
  5  the daemon (or the node that a rescue asks) does not answer, or does not take the token
  6  the time is over; the swap goes on
  7  coins were lost: this must never happen

Example:
  sluice swap out --channel 812345x17x1 --amount 1_000_000 --max-premium-ppm 2000 --wait";

/// Moves Lightning channel balance between you and a peer by atomic swaps with L-BTC or BTC.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = EXIT_CODES, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Print JSON, one object per line
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the daemon listens
    #[arg(
        long,
        global = true,
        env = "SLUICE_RPC_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:9738"
    )]
    pub rpc_url: String,
    /// The file with the daemon's token [default: api.token in the data folder]
    #[arg(long, global = true, env = "SLUICE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The daemon's data folder [default: ~/.sluice]
    #[arg(long, global = true, env = "SLUICE_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// When to use colour; `auto` heeds NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t = ColorWhen::Auto, value_name = "WHEN")]
    pub color: ColorWhen,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Asked(Asked),
    /// The words of the seed; needs no daemon
    #[command(subcommand)]
    Seed(SeedCommand),
    /// Look at the database of a daemon that does not run
    #[command(subcommand)]
    Db(DbCommand),
    /// Get a swap's coins from its rescue file, the seed's words and a node of the chain; needs no daemon
    Rescue(RescueArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Commands that the daemon answers.
#[derive(Debug, Subcommand)]
pub enum Asked {
    /// What the daemon is, what it is connected to, what keeps it from swapping
    Info,
    /// Make, follow and end swaps
    #[command(subcommand)]
    Swap(SwapCommand),
    /// Whom one can swap with
    #[command(subcommand)]
    Peer(PeerCommand),
    /// The chains and their switches; shows them unless told more
    Chain {
        #[command(subcommand)]
        command: Option<ChainCommand>,
    },
    /// Whose requests the daemon answers
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// What the daemon asks of its peers
    #[command(subcommand)]
    Premium(PremiumCommand),
    /// The wallet on the chain
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Stop the daemon; swaps go on at its next start
    Stop,
}

#[derive(Debug, Subcommand)]
pub enum SwapCommand {
    /// Give Lightning balance, get chain coins
    Out(NewSwap),
    /// Give chain coins, get Lightning balance
    In(NewSwap),
    /// Show one swap
    Get(OneSwap),
    /// Show swaps, the newest first
    List(WhichSwaps),
    /// End a swap as far as that is safe, or say why it is not
    Cancel(OneSwap),
    /// Get a transaction of ours into a block sooner: push an opening, replace a claim, a refund or a void
    Bump {
        #[command(flatten)]
        swap: OneSwap,
        /// The rate to pay, in satoshi per 1000 virtual bytes; reckoned unless given
        #[arg(long, value_name = "SAT_PER_KVB", value_parser = amount)]
        fee_rate: Option<u64>,
    },
    /// Wait for a swap's end and tell it by the exit code
    Wait {
        #[command(flatten)]
        swap: OneSwap,
        #[command(flatten)]
        patience: Patience,
    },
    /// Print every change of a swap, or of all swaps
    Watch {
        /// The swap's id, or the beginning of it; all swaps unless given
        #[arg(value_name = "SWAP", value_parser = swap_prefix)]
        swap: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct WhichSwaps {
    /// Only swaps that are not closed, with what comes next and by when
    #[arg(long)]
    pub active: bool,
    /// How many
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: u32,
    /// How many of the newest to leave out
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub offset: u32,
    /// Only swaps with this peer
    #[arg(long, value_name = "NODE")]
    pub peer: Option<NodeId>,
    /// Only swaps on this channel
    #[arg(long, value_name = "SCID", value_parser = Scid::from_operator)]
    pub channel: Option<Scid>,
}

#[derive(Debug, Args)]
pub struct NewSwap {
    /// The channel, such as 812345x17x1; lnd's decimal chan_id is taken too
    #[arg(long, value_name = "SCID", value_parser = Scid::from_operator)]
    pub channel: Scid,
    /// The amount in satoshi, such as 1_000_000
    #[arg(long, value_name = "SAT", value_parser = amount)]
    pub amount: u64,
    /// What is swapped on the chain: lbtc, btc, or auto (lbtc if it is possible, else btc)
    #[arg(long, default_value = "auto", value_name = "ASSET")]
    pub asset: AssetChoice,
    /// The most to pay to the peer, in millionths of the amount; negative: the least it must pay
    #[arg(long, default_value_t = 0, value_name = "PPM", allow_negative_numbers = true)]
    pub max_premium_ppm: i64,
    /// A name for this order: the same name never swaps twice
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Stay until the swap is over, show its progress, tell its end by the exit code
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub patience: Patience,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Patience {
    /// How long to wait, in seconds; for ever unless given
    #[arg(long, value_name = "SECS")]
    pub timeout: Option<u64>,
    /// What to wait for
    #[arg(long, value_enum, default_value_t = UntilArg::Closed, value_name = "WHAT")]
    pub until: UntilArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UntilArg {
    /// Until its last transaction is final
    Closed,
    /// Until it is paid for and its claim is with the network
    Settled,
}

impl From<UntilArg> for Until {
    fn from(until: UntilArg) -> Until {
        match until {
            UntilArg::Closed => Until::Closed,
            UntilArg::Settled => Until::Settled,
        }
    }
}

#[derive(Debug, Args)]
pub struct OneSwap {
    /// The swap's id, or the beginning of it
    #[arg(value_name = "SWAP", value_parser = swap_prefix)]
    pub swap: String,
}

#[derive(Debug, Subcommand)]
pub enum ChainCommand {
    /// Show each chain: whether new swaps are made on it; if not, since when and why
    List,
    /// Make no new swaps on a chain; those under way go on
    Pause {
        /// The asset that lives on it
        asset: Asset,
        /// Why, for whoever looks later
        #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
        note: String,
    },
    /// Make new swaps on a chain again
    Resume {
        /// The asset that lives on it
        asset: Asset,
    },
}

#[derive(Debug, Subcommand)]
pub enum PremiumCommand {
    /// Show the rates
    Get {
        /// Only those that hold for this peer
        #[arg(long, value_name = "NODE")]
        peer: Option<NodeId>,
    },
    /// Set a rate, of one peer or of everybody
    Set {
        #[command(flatten)]
        rate: Rate,
        /// In millionths of the amount; positive: the peer pays
        #[arg(long, value_name = "PPM", allow_negative_numbers = true)]
        ppm: i64,
    },
    /// Delete a rate, so that the next more general one holds
    Delete {
        #[command(flatten)]
        rate: Rate,
    },
}

#[derive(Debug, Args)]
pub struct Rate {
    /// The peer it is for; everybody unless given
    #[arg(long, value_name = "NODE")]
    pub peer: Option<NodeId>,
    /// The asset; the only one that is configured, or lbtc, unless given
    #[arg(long, value_name = "ASSET")]
    pub asset: Option<Asset>,
    /// The direction as the peer, who asks for the swap, sees it
    #[arg(long, value_enum, value_name = "DIRECTION")]
    pub direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// The peer gives chain coins
    In,
    /// The peer gives Lightning balance
    Out,
}

impl From<Direction> for Kind {
    fn from(direction: Direction) -> Kind {
        match direction {
            Direction::In => Kind::In,
            Direction::Out => Kind::Out,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Get a fresh address
    Address(Wallet),
    /// Show what the wallet holds
    Balance(Wallet),
    /// Send coins; sent twice is paid twice
    Send {
        #[command(flatten)]
        wallet: Wallet,
        /// Where to
        #[arg(long)]
        address: String,
        /// What arrives there, in satoshi; the fee is added
        #[arg(long, value_name = "SAT", value_parser = amount)]
        amount: u64,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Wallet {
    /// Which wallet; the only one that is configured, or that of lbtc, unless given
    #[arg(long, value_name = "ASSET")]
    pub asset: Option<Asset>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }
}
