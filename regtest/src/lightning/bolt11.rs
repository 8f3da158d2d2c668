//! BOLT 11 as LND writes and reads it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{
    Bolt11Invoice, Currency, InvoiceBuilder, PaymentSecret, RawBolt11Invoice, RawTaggedField, TaggedField,
};
use sluice::units::{Msat, NodeId, PaymentHash};
use tonic::Status;

/// BOLT 9: `option_route_blinding`, which LND (feature/default_sets.go) sets in its invoices beside those that the
/// builder sets: `var_onion_optin` and `payment_secret` as required, `basic_mpp` as optional.
const ROUTE_BLINDING: usize = 24;

/// What an invoice says.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) hash: PaymentHash,
    pub(super) payment_secret: [u8; 32],
    /// Zero: the payer chooses.
    pub(super) amount: Msat,
    pub(super) memo: String,
    /// Since 1970.
    pub(super) created: Duration,
    pub(super) expiry: Duration,
    /// Blocks.
    pub(super) final_cltv: u32,
}

/// Writes and signs an invoice.
pub(super) fn write(terms: &Terms, key: &SecretKey) -> Result<String, Status> {
    let mut invoice = unsigned(terms).map_err(|error| Status::unknown(format!("unable to encode invoice: {error}")))?;
    for field in &mut invoice.data.tagged_fields {
        if let RawTaggedField::KnownSemantics(TaggedField::Features(features)) = field {
            features
                .set_optional_feature_bit(ROUTE_BLINDING)
                .expect("the bit is in the range of BOLT 9");
        }
    }
    let secp = Secp256k1::signing_only();
    let signed = invoice.sign(|hash| Ok::<_, std::convert::Infallible>(secp.sign_ecdsa_recoverable(hash, key)));
    let Ok(signed) = signed;
    Ok(signed.to_string())
}

fn unsigned(terms: &Terms) -> Result<RawBolt11Invoice, lightning_invoice::CreationError> {
    let builder = InvoiceBuilder::new(Currency::Regtest)
        .description(terms.memo.clone())
        .payment_hash(sha256::Hash::from_byte_array(terms.hash.0))
        .payment_secret(PaymentSecret(terms.payment_secret))
        .duration_since_epoch(terms.created)
        .min_final_cltv_expiry_delta(u64::from(terms.final_cltv))
        .expiry_time(terms.expiry)
        .basic_mpp();
    match terms.amount {
        Msat(0) => builder.build_raw(),
        Msat(amount) => builder.amount_milli_satoshis(amount).build_raw(),
    }
}

/// An invoice read by a payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bill {
    pub(super) payee: NodeId,
    pub(super) hash: PaymentHash,
    pub(super) payment_secret: [u8; 32],
    pub(super) amount: Msat,
    /// Blocks.
    pub(super) final_cltv: u32,
}

/// Reads an invoice and checks what LND checks before it pays (routerrpc/router_backend.go,
/// `extractIntentFromSendRequest`), with its texts where they are LND's own.
pub(super) fn read(text: &str) -> Result<Bill, Status> {
    let invoice: Bolt11Invoice = text.parse().map_err(|error| Status::unknown(format!("{error}")))?;
    if invoice.currency() != Currency::Regtest {
        return Err(Status::unknown("invoice not for current active network 'regtest'"));
    }
    let expires_at = invoice.duration_since_epoch() + invoice.expiry_time();
    if now() > expires_at {
        let until = expires_at.as_secs();
        return Err(Status::unknown(format!(
            "invoice expired. Valid until {until} (unix time)"
        )));
    }
    let Some(amount) = invoice.amount_milli_satoshis() else {
        return Err(Status::unknown(
            "amount must be specified when paying a zero amount invoice",
        ));
    };
    Ok(Bill {
        payee: invoice.get_payee_pub_key(),
        hash: PaymentHash(invoice.payment_hash().to_byte_array()),
        payment_secret: invoice.payment_secret().0,
        amount: Msat(amount),
        final_cltv: u32::try_from(invoice.min_final_cltv_expiry_delta()).unwrap_or(u32::MAX),
    })
}

/// Since 1970.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
