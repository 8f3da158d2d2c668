//! What is asked to be paid, against what the invoice says, before any node is asked.

use std::fmt;

use bitcoin::Amount;

use crate::ports::{PaymentSpec, PortError};
use crate::protocol::invoice::read_invoice;
use crate::swap::state::GivenInvoice;
use crate::units::CltvDelta;

/// Blocks between an invoice's final CLTV delta and the HTLC's: the payee may have seen so many blocks more than we.
/// It is what lnd adds (routing/payment_session.go `BlockPadding`, v0.20.0-beta); the CLTV limits of the protocol leave
/// room for it, and every adapter keeps to it.
pub(super) const BLOCK_PADDING: u32 = 3;

/// A clear no, in the name of the call that would pay.
pub(super) fn refused(call: &str, why: impl fmt::Display) -> PortError {
    PortError::Refused(format!("{call}: {why}"))
}

/// Compares the invoice with what is to be paid, and yields it.
pub(super) fn check(call: &str, spec: &PaymentSpec) -> Result<GivenInvoice, PortError> {
    // The engine has compared the network with its node's.
    let invoice = read_invoice(&spec.bolt11, "").map_err(|e| refused(call, e))?;
    if invoice.hash != spec.hash {
        return Err(refused(
            call,
            format_args!("the invoice is locked to {}, not to {}", invoice.hash, spec.hash),
        ));
    }
    if invoice.amount != Some(spec.amount) {
        let asked = invoice.amount.map_or("no amount".to_string(), |msat| msat.to_string());
        return Err(refused(
            call,
            format_args!("the invoice asks for {asked}, to be paid are {}", spec.amount),
        ));
    }
    let total = invoice.final_cltv.0.saturating_add(BLOCK_PADDING);
    match spec.max_cltv {
        Some(CltvDelta(max)) if total >= max => Err(refused(
            call,
            format_args!("the htlc would expire in {total} blocks, which must be less than {max}"),
        )),
        Some(_) | None => Ok(invoice),
    }
}

/// What must be spendable for it, in whole satoshi.
pub(super) fn ceil(spec: &PaymentSpec) -> Amount {
    Amount::from_sat(spec.amount.0.div_ceil(1000))
}
