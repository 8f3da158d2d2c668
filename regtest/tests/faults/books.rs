//! What both sides had and have: a fault may cost time, never a satoshi.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapView, WalletRef};
use sluice::swap::Role;
use sluice::units::{Asset, PaymentHash, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::proto::lnrpc::invoice::InvoiceState;
use sluice_regtest::world::lightning::Lightning;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{PATIENCE, World};

use super::orders::{look, network, node, outcome, tails};

/// Both wallets, in satoshi, and what bob has in each channel, in millisatoshi.
pub struct Books {
    asset: Asset,
    wallets: [i64; 2],
    channels: Vec<i64>,
}

async fn wallet(operator: &Operator, asset: Asset) -> Result<i64> {
    let client = operator.client()?;
    let what = format!("{}'s wallet to be at rest", operator.name);
    wait_for(&what, PATIENCE, || async {
        let balance = client.wallet_balance(WalletRef { asset }).await?;
        ensure!(balance.pending_sat == 0 && balance.locked_sat == 0, "it is {balance:?}");
        Ok(Some(i64::try_from(balance.spendable_sat)?))
    })
    .await
}

impl Books {
    pub async fn open(world: &World) -> Result<Books> {
        Books::open_in(world, Asset::Lbtc).await
    }

    /// The books of an asset.
    pub async fn open_in(world: &World, asset: Asset) -> Result<Books> {
        let mut channels = Vec::new();
        for scid in &world.channels {
            channels.push(i64::try_from(world.lightning.local(1, *scid).await?.0)?);
        }
        let wallets = [wallet(&world.alice, asset).await?, wallet(&world.bob, asset).await?];
        Ok(Books {
            asset,
            wallets,
            channels,
        })
    }

    /// Checks that these swaps, and nothing else, moved the money since, and that each invoice was paid at most once.
    /// `swaps` have all succeeded, and alice ordered them.
    pub async fn balance(&self, world: &World, swaps: &[SwapId]) -> Result<()> {
        let now = Books::open_in(world, self.asset).await?;
        let mut expected = Books {
            asset: self.asset,
            wallets: self.wallets,
            channels: self.channels.clone(),
        };
        for swap in swaps {
            let sides = (look(&world.alice, *swap).await, look(&world.bob, *swap).await);
            let (Some(alice), Some(bob)) = sides else {
                anyhow::bail!("swap {swap} is not known on both sides");
            };
            expected
                .enter(world, &alice, &bob)
                .with_context(|| format!("{alice:#?}\n{bob:#?}\n{}", tails(world)))?;
        }
        ensure!(
            now.channels == expected.channels,
            "channels: {:?}, not {:?}",
            now.channels,
            expected.channels
        );
        ensure!(
            now.wallets == expected.wallets,
            "wallets: {:?}, not {:?}",
            now.wallets,
            expected.wallets
        );
        match world.lightning {
            Lightning::Embedded { .. } => one_htlc_each(world),
            Lightning::Real(_) => Ok(()),
        }
    }

    fn enter(&mut self, world: &World, alice: &SwapView, bob: &SwapView) -> Result<()> {
        let (taker, maker, taker_is) = match alice.role {
            Role::Taker => (alice, bob, 0),
            Role::Maker => (bob, alice, 1),
        };
        ensure!(
            outcome(taker) == Some(OutcomeKind::ClaimedByInvoice),
            "the taker's end is {:?}",
            taker.outcome
        );
        ensure!(
            outcome(maker) == Some(OutcomeKind::ClaimPaid),
            "the maker's end is {:?}",
            maker.outcome
        );
        let sat =
            |value: Option<u64>, what: &'static str| Ok::<i64, anyhow::Error>(i64::try_from(value.context(what)?)?);
        let amount = sat(taker.chain_amount_sat, "no amount on the chain")?;
        let claim_fee = taker.spend.as_ref().and_then(|spend| spend.fee_sat);
        let opening_fee = maker.opening.as_ref().and_then(|opening| opening.fee_sat);
        self.wallets[taker_is] += amount - sat(claim_fee, "no claim fee")?;
        self.wallets[1 - taker_is] -= amount + sat(opening_fee, "no opening fee")?;
        let paid = sat(taker.lightning_amount_sat, "no amount in the channel")?
            + i64::try_from(taker.fee_invoice_sat.unwrap_or(0))?;
        let slot = world.channels.iter().position(|scid| *scid == taker.channel);
        let channel = &mut self.channels[slot.context("no such channel")?];
        *channel += match taker_is {
            0 => paid * 1000,
            _ => -paid * 1000,
        };
        Ok(())
    }
}

/// Every invoice of either node that was paid was paid by one HTLC, and no other hash ever had more than one.
pub fn one_htlc_each(world: &World) -> Result<()> {
    let mut sent: Vec<(PaymentHash, u32)> = Vec::new();
    for invoice in [0, 1].iter().flat_map(|index| node(world, *index).invoices()) {
        let count = network(world).htlcs_sent(invoice.hash);
        let most = 1;
        ensure!(count <= most, "{count} HTLCs for `{}`", invoice.memo);
        ensure!(
            count == 1 || invoice.state != InvoiceState::Settled,
            "`{}` is settled without an HTLC",
            invoice.memo
        );
        sent.push((invoice.hash, count));
    }
    ensure!(!sent.is_empty(), "no invoice was ever made");
    Ok(())
}
