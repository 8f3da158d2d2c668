//! What can be chosen on the command line.

use sluice::units::Asset;

use crate::play::{Direction, Ending};
use crate::world::backends::Backends;
use crate::world::party::Program;

/// Options of the demo.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Which way the Lightning balance of who asks moves: out, for L-BTC; in, for L-BTC that is given
    #[arg(long, value_enum, default_value_t = Direction::Out)]
    pub direction: Direction,
    /// What is swapped for Lightning balance
    #[arg(long, value_name = "lbtc|btc", default_value_t = Asset::Lbtc)]
    pub asset: Asset,
    /// The amount swapped, without premium; underscores set thousands apart
    #[arg(long, value_name = "SAT", default_value = "1_000_000", value_parser = satoshi)]
    pub amount: u64,
    /// How the swap shall end
    #[arg(long, value_enum, default_value_t = Ending::Paid)]
    pub ending: Ending,
    /// What bob runs; with Go PeerSwap, the chains and nodes are real daemons
    #[arg(long, value_enum, default_value_t = Program::Sluice)]
    pub peer: Program,
    /// Who asks for the swap, where bob runs Go PeerSwap: alice's Sluice or he
    #[arg(long, value_enum, default_value_t = Program::Sluice)]
    pub initiator: Program,
    /// What it is played on
    #[command(flatten)]
    pub backends: Backends,
    /// Prints one JSON object on the last line of standard output; the story goes to standard error
    #[arg(long)]
    pub json: bool,
}

/// Whole satoshi: no point and no unit, a slip must not change the amount.
fn satoshi(text: &str) -> Result<u64, String> {
    let wrong = || "must be whole satoshi, digits and `_` only, such as 1_000_000".to_owned();
    let shape = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !shape {
        return Err(wrong());
    }
    text.replace('_', "").parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_satoshi_with_underscores() {
        assert_eq!(satoshi("1_000_000"), Ok(1_000_000));
        assert_eq!(satoshi("250000"), Ok(250_000));
        for wrong in ["", "_1", "1.5", "-1", "1,000", "99999999999999999999"] {
            assert!(satoshi(wrong).is_err(), "{wrong}");
        }
    }
}
