//! What `AddInvoice` asks for, and what LND refuses (lnrpc/invoicesrpc/addinvoice.go).

use std::time::Duration;

use rand::RngCore;
use sluice::units::{Msat, PaymentHash};
use tonic::Status;

use super::bolt11;
use super::proto::lnrpc;

/// routing/router.go, MinCLTVDelta.
const MIN_CLTV_DELTA: u64 = 18;
/// chainreg/chainregistry.go, DefaultBitcoinTimeLockDelta.
const DEFAULT_CLTV_DELTA: u64 = 80;
/// lnrpc/invoicesrpc/addinvoice.go, DefaultInvoiceExpiry.
const DEFAULT_EXPIRY_SECS: i64 = 86_400;
/// lnrpc/invoicesrpc/addinvoice.go: one year.
const MAX_EXPIRY_SECS: i64 = 31_536_000;
/// invoices/invoices.go, MaxMemoSize; BOLT 11 carries 639 bytes at most.
const MAX_MEMO: usize = 1_024;

/// A large number as Go prints a float.
fn exponent(number: i64) -> String {
    let text = format!("{number:e}");
    let (digits, power) = text.split_once('e').expect("the format has an exponent");
    format!("{digits}e+{power:0>2}")
}

/// The terms a request asks for, or LND's refusal (lnrpc/invoicesrpc/addinvoice.go).
pub(super) fn read(request: &lnrpc::Invoice, hash: PaymentHash) -> Result<bolt11::Terms, Status> {
    let refuse = |text: String| Err(Status::unknown(text));
    if request.memo.len() > MAX_MEMO {
        return refuse(format!(
            "memo too large: {} bytes (maxsize={MAX_MEMO})",
            request.memo.len()
        ));
    }
    if request.value != 0 && request.value_msat != 0 {
        return refuse("sat and msat arguments are mutually exclusive".into());
    }
    if request.value < 0 || request.value_msat < 0 {
        return refuse("amount cannot be negative".into());
    }
    let amount = request.value.saturating_mul(1_000).max(request.value_msat);
    if request.expiry > MAX_EXPIRY_SECS {
        let (asked, most) = (exponent(request.expiry), exponent(MAX_EXPIRY_SECS));
        return refuse(format!(
            "expiry of {asked} seconds greater than max expiry of {most} seconds"
        ));
    }
    let expiry = if request.expiry > 0 {
        request.expiry
    } else {
        DEFAULT_EXPIRY_SECS
    };
    let mut payment_secret = [0; 32];
    rand::thread_rng().fill_bytes(&mut payment_secret);
    Ok(bolt11::Terms {
        hash,
        payment_secret,
        amount: Msat(amount.unsigned_abs()),
        memo: request.memo.clone(),
        // BOLT 11 counts whole seconds.
        created: Duration::from_secs(bolt11::now().as_secs()),
        expiry: Duration::from_secs(expiry.unsigned_abs()),
        final_cltv: final_cltv(request.cltv_expiry)?,
    })
}

/// Blocks; 0 asks for the default.
fn final_cltv(asked: u64) -> Result<u32, Status> {
    let delta = if asked == 0 { DEFAULT_CLTV_DELTA } else { asked };
    match u16::try_from(delta) {
        Ok(delta) if u64::from(delta) >= MIN_CLTV_DELTA => Ok(delta.into()),
        Ok(delta) => {
            let text = format!("CLTV delta of {delta} must be greater than minimum of {MIN_CLTV_DELTA}");
            Err(Status::unknown(text))
        }
        Err(_) => {
            let text = format!("CLTV delta of {delta} is too large, max accepted is: {}", u16::MAX);
            Err(Status::unknown(text))
        }
    }
}
