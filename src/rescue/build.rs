//! The transaction that takes the coins.

use rand::{CryptoRng, RngCore};

use super::{NoWay, Record, Signed, Way};
use crate::keys::Seed;
use crate::swap::event::SpendPath;
use crate::swap::fees;
use crate::swap::state::Claim;
use crate::swap::terms::Payout;
use crate::tx::{self, ClaimPath, ClaimRequest, FeeBasis, TxError};
use crate::units::FeeRate;

/// Where the coins go, and what that may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The address.
    pub payout: Payout,
    /// The fee per size.
    pub rate: FeeRate,
    /// The size meant by that.
    pub basis: FeeBasis,
}

/// Makes the transaction, ready for the network.
///
/// # Errors
/// The seed is not the swap's, the opening is not what it should be, or the fee takes more than half of it.
pub fn build(
    record: &Record,
    seed: &Seed,
    way: &Way,
    payment: &Payment,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Claim, NoWay> {
    let made = sign(record, seed, way, payment, rng).map_err(NoWay::Build)?;
    let most = fees::most_for(record.opening.amount);
    if made.cost.fee > most {
        let (rate, fee) = (payment.rate, made.cost.fee);
        return Err(NoWay::TooDear { rate, fee, most });
    }
    let Way::Preimage(preimage) = way else { return Ok(made) };
    let tx = record
        .coin()
        .and_then(|coin| tx::with_preimage(coin, &made.tx, preimage));
    Ok(Claim {
        tx: tx.map_err(NoWay::Build)?,
        ..made
    })
}

fn sign(
    record: &Record,
    seed: &Seed,
    way: &Way,
    payment: &Payment,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Claim, TxError> {
    let secrets = seed.secrets(&record.path, record.role);
    let own = &secrets.swap_key;
    let path = match (way, &record.revealed_key) {
        (Way::Preimage(_), _) => ClaimPath::Preimage { taker_key: own },
        (Way::Coop, Some(taker_key)) => ClaimPath::Coop {
            maker_key: own,
            taker_key,
        },
        (Way::Csv, _) | (Way::Coop, None) => ClaimPath::Csv { maker_key: own },
    };
    let spec = record.spec(&secrets.blinding_key)?;
    let request = ClaimRequest {
        opening: &record.opening.tx,
        spec: &spec,
        path,
        payout: &payment.payout,
        rate: payment.rate,
        basis: payment.basis,
        min_fee: None,
        ceiling: None,
    };
    tx::build_claim(&request, rng)
}

/// A maker's refund, signed ahead: valid once the timelock is over.
///
/// # Errors
/// As [`build`].
pub fn sign_refund(
    record: &Record,
    seed: &Seed,
    (rate, basis): (FeeRate, FeeBasis),
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Signed, NoWay> {
    let payment = Payment {
        payout: record.payout.clone(),
        rate,
        basis,
    };
    let claim = build(record, seed, &Way::Csv, &payment, rng)?;
    Ok(Signed::of(SpendPath::Csv, &claim))
}

/// The newest spend by that way that the file holds, made ready for the network. It pays to the file's own address.
#[must_use]
pub fn signed_ahead(record: &Record, way: &Way) -> Option<Claim> {
    let signed = record.signed.iter().rev().find(|signed| signed.path == way.path())?;
    let coin = record.coin().ok()?;
    let tx = match way {
        Way::Preimage(preimage) => tx::with_preimage(coin, &signed.tx, preimage).ok()?,
        Way::Coop | Way::Csv => signed.tx.clone(),
    };
    Some(Claim {
        tx,
        txid: signed.txid,
        cost: signed.cost,
    })
}
