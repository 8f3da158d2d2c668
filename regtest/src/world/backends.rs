//! What a command plays on, as its command line says.

use std::fmt;

use clap::ValueEnum;
use sluice::units::Asset;

use super::{Options, bitcoin, lightning, liquid};

/// Options of a command that starts a world.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Backends {
    /// What the Liquid chain is
    #[arg(long, value_enum, default_value_t = liquid::Kind::Embedded)]
    pub liquid: liquid::Kind,
    /// What the Bitcoin chain is, where BTC is swapped
    #[arg(long, value_enum, default_value_t = bitcoin::Kind::Embedded)]
    pub bitcoin: bitcoin::Kind,
    /// What the Lightning nodes are
    #[arg(long, value_enum, default_value_t = lightning::Kind::Embedded)]
    pub lightning: lightning::Kind,
}

impl Backends {
    /// A world on them; BTC only where it is swapped.
    #[must_use]
    pub fn world(&self, swaps_btc: bool) -> Options {
        Options {
            liquid: self.liquid,
            bitcoin: swaps_btc.then_some(self.bitcoin),
            lightning: self.lightning,
            ..Options::default()
        }
    }

    /// The name of an asset's chain.
    #[must_use]
    pub fn chain(&self, asset: Asset) -> String {
        match asset {
            Asset::Lbtc => name_of(&self.liquid),
            Asset::Btc => name_of(&self.bitcoin),
        }
    }
}

impl fmt::Display for Backends {
    /// As the command line names what is not embedded, each with a space before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("liquid", name_of(&self.liquid)),
            ("bitcoin", name_of(&self.bitcoin)),
            ("lightning", name_of(&self.lightning)),
        ];
        let mut named = kinds.iter().filter(|(_, name)| name != "embedded");
        named.try_for_each(|(what, name)| write!(f, " --{what} {name}"))
    }
}

/// The name of a value on the command line.
pub fn name_of(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("no value is hidden");
    value.get_name().to_owned()
}
