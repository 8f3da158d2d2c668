//! What alice and bob swap, known before anything is said.

use anyhow::{Context, Result, bail};
use bitcoin::Amount;
use sluice::api::types::SwapView;
use sluice::protocol;
use sluice::swap::timelocks::Timelocks;
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, Ppm, Scid};

use super::options::Args;
use super::stage::Side;
use crate::play::Ending;

/// What bob asks for, in millionths of the amount.
const RATE: Ppm = Ppm(1_500);
/// What alice pays at most.
const LIMIT: Ppm = Ppm(2_000);
/// What she pays at most in a swap that shall be refused.
const LOW_LIMIT: Ppm = Ppm(1_000);

/// The order and bob's price.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// As alice sees it.
    pub kind: Kind,
    /// What is swapped for Lightning balance.
    pub asset: Asset,
    /// The channel.
    pub channel: Scid,
    /// The amount, without premium.
    pub amount_sat: u64,
    /// What bob asks for.
    pub rate: Ppm,
    /// What alice pays at most.
    pub limit: Ppm,
}

impl Terms {
    /// The terms of a demo.
    #[must_use]
    pub fn new(args: &Args, channel: Scid) -> Terms {
        Terms {
            kind: args.direction.into(),
            asset: args.asset,
            channel,
            amount_sat: args.amount,
            rate: RATE,
            limit: if args.ending == Ending::Cancel {
                LOW_LIMIT
            } else {
                LIMIT
            },
        }
    }

    /// The side with that part in the swap.
    #[must_use]
    pub fn side(&self, role: Role) -> Side {
        match (self.kind, role) {
            (Kind::Out, Role::Taker) | (Kind::In, Role::Maker) => Side::Alice,
            (Kind::Out, Role::Maker) | (Kind::In, Role::Taker) => Side::Bob,
        }
    }

    /// The time limits of such a swap.
    ///
    /// # Errors
    /// None: this version has them for both assets.
    pub fn timelocks(&self) -> Result<&'static Timelocks> {
        let timelocks = Timelocks::of(self.asset, protocol::VERSION);
        timelocks.with_context(|| format!("there are no swaps of {}", self.asset))
    }

    /// The asset's name, for people.
    #[must_use]
    pub fn coin(&self) -> &'static str {
        match self.asset {
            Asset::Lbtc => "L-BTC",
            Asset::Btc => "BTC",
        }
    }

    /// What a rate comes to, as `swap_get` writes premiums.
    ///
    /// # Errors
    /// If the amount is more money than there is.
    pub fn premium_sat(&self, rate: Ppm) -> Result<i64> {
        let premium = rate.of(Amount::from_sat(self.amount_sat));
        Ok(premium.context("there are no such amounts")?.to_sat())
    }

    /// Fails if a daemon has agreed to anything else.
    ///
    /// # Errors
    /// See above.
    pub fn check(&self, side: Side, view: &SwapView) -> Result<()> {
        let amount = i64::try_from(self.amount_sat)?;
        let premium = self.premium_sat(self.rate)?;
        let (chain, lightning) = match self.kind {
            Kind::Out => (amount, amount + premium),
            Kind::In => (amount + premium, amount),
        };
        let signed = |sat: Option<u64>| sat.map(i64::try_from).transpose();
        let found = [
            ("amount_sat", Some(i64::try_from(view.amount_sat)?), amount),
            ("premium_sat", view.premium_sat, premium),
            ("chain_amount_sat", signed(view.chain_amount_sat)?, chain),
            ("lightning_amount_sat", signed(view.lightning_amount_sat)?, lightning),
        ];
        for (name, found, wanted) in found {
            if found != Some(wanted) {
                bail!(
                    "{}'s {name} is {found:?}, by the terms it must be {wanted}",
                    side.name()
                );
            }
        }
        Ok(())
    }
}
