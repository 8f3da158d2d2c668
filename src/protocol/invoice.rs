//! BOLT 11 invoices, read in process: what an invoice says is judged before any node is asked.

use std::str::FromStr;

use bitcoin::hashes::Hash;
use lightning_invoice::{Bolt11Invoice, Currency};

use crate::swap::state::GivenInvoice;
use crate::units::{CltvDelta, Msat, PaymentHash, Timestamp};

/// A text that is no invoice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// Not BOLT 11, or its signature is wrong.
    #[error("not a bolt 11 invoice: {0}")]
    Malformed(String),
    /// A number in it is beyond all use.
    #[error("the invoice's {what} is {value}, beyond what there can be")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u64,
    },
}

/// Reads an invoice that a peer gave us. `our_network` is the name of our node's network, such as `regtest`.
///
/// The payee is the one the invoice names, else the one that the signature yields; the signature is checked either way.
pub fn read_invoice(bolt11: &str, our_network: &str) -> Result<GivenInvoice, InvoiceError> {
    let invoice = Bolt11Invoice::from_str(bolt11).map_err(|e| InvoiceError::Malformed(e.to_string()))?;
    let cltv = invoice.min_final_cltv_expiry_delta();
    let out_of_range = |what, value| InvoiceError::OutOfRange { what, value };
    let expires_at = invoice
        .expires_at()
        .ok_or_else(|| out_of_range("expiry", invoice.expiry_time().as_secs()))?;
    Ok(GivenInvoice {
        bolt11: bolt11.to_string(),
        hash: PaymentHash(invoice.payment_hash().to_byte_array()),
        amount: invoice.amount_milli_satoshis().map(Msat),
        payee: invoice.get_payee_pub_key(),
        our_network: is_network(&invoice.currency(), our_network),
        final_cltv: CltvDelta(u32::try_from(cltv).map_err(|_| out_of_range("final CLTV delta", cltv))?),
        expires_at: Timestamp(expires_at.as_secs()),
    })
}

/// Both test networks share a prefix (BOLT 11).
fn is_network(currency: &Currency, name: &str) -> bool {
    match currency {
        Currency::Bitcoin => name == "mainnet",
        Currency::BitcoinTestnet => matches!(name, "testnet3" | "testnet4"),
        Currency::Regtest => name == "regtest",
        Currency::Simnet => name == "simnet",
        Currency::Signet => name == "signet",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bitcoin::hashes::sha256;
    use bitcoin::secp256k1::{Secp256k1, SecretKey};
    use lightning_invoice::{InvoiceBuilder, PaymentSecret};

    use super::*;

    // BOLT 11, "Examples": 2500 µBTC for a cup of coffee, expiry 60 s.
    const COFFEE: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";
    const PAYEE: &str = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";

    fn key() -> SecretKey {
        SecretKey::from_slice(&[7; 32]).unwrap()
    }

    fn made(amount: Option<u64>, cltv: u64, named_payee: bool) -> String {
        let secp = Secp256k1::new();
        let mut builder = InvoiceBuilder::new(Currency::Regtest)
            .description("peerswap lbtc claim".into())
            .payment_hash(sha256::Hash::hash(&[1; 32]))
            .payment_secret(PaymentSecret([2; 32]))
            .duration_since_epoch(Duration::from_secs(1_700_000_000))
            .expiry_time(Duration::from_secs(3600))
            .min_final_cltv_expiry_delta(cltv);
        if let Some(msat) = amount {
            builder = builder.amount_milli_satoshis(msat);
        }
        if named_payee {
            builder = builder.payee_pub_key(key().public_key(&secp));
        }
        builder
            .build_signed(|hash| secp.sign_ecdsa_recoverable(hash, &key()))
            .unwrap()
            .to_string()
    }

    #[test]
    fn reads_what_the_specification_s_example_says() {
        let invoice = read_invoice(COFFEE, "mainnet").unwrap();
        assert_eq!(invoice.amount, Some(Msat(250_000_000)));
        assert_eq!(invoice.payee.to_string(), PAYEE);
        assert_eq!(
            invoice.hash.to_string(),
            "0001020304050607080900010203040506070809000102030405060708090102"
        );
        assert_eq!(invoice.final_cltv, CltvDelta(18));
        assert_eq!(invoice.expires_at, Timestamp(1_496_314_658 + 60));
        assert!(invoice.our_network);
    }

    #[test]
    fn reads_a_claim_invoice_and_its_payee_named_or_not() {
        for named in [true, false] {
            let invoice = read_invoice(&made(Some(1_000_000_123), 29, named), "regtest").unwrap();
            assert_eq!(invoice.amount, Some(Msat(1_000_000_123)));
            assert_eq!(invoice.payee, key().public_key(&Secp256k1::new()));
            assert_eq!(invoice.final_cltv, CltvDelta(29));
            assert_eq!(invoice.expires_at, Timestamp(1_700_003_600));
        }
    }

    #[test]
    fn an_invoice_without_amount_has_none() {
        assert_eq!(read_invoice(&made(None, 29, false), "regtest").unwrap().amount, None);
    }

    #[test]
    fn an_invoice_of_another_network_is_not_ours() {
        assert!(!read_invoice(COFFEE, "regtest").unwrap().our_network);
        assert!(!read_invoice(&made(None, 29, false), "mainnet").unwrap().our_network);
    }

    #[test]
    fn a_changed_letter_and_nonsense_are_refused() {
        let changed = COFFEE.replacen("pvjluez", "pvjluea", 1);
        for text in [changed.as_str(), "", "lnbc", "null", "lno1qqq"] {
            assert!(
                matches!(read_invoice(text, "mainnet"), Err(InvoiceError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_final_cltv_delta_beyond_32_bits_is_refused() {
        let error = read_invoice(&made(None, 1 << 40, false), "regtest").unwrap_err();
        assert_eq!(
            error,
            InvoiceError::OutOfRange {
                what: "final CLTV delta",
                value: 1 << 40
            }
        );
    }
}
