//! Invoices of an lnd that hold what comes.

use std::time::Duration;

use anyhow::{Context, Result};
use sluice::units::{Msat, PaymentHash, Preimage};
use sluice_regtest::daemons::lnd::Lnd;
use sluice_regtest::daemons::wait_for;

use crate::bench::FINAL_CLTV;

const LIMIT: Duration = Duration::from_secs(30);

pub async fn invoice(lnd: &Lnd, preimage: &Preimage, amount: Msat) -> String {
    let (hash, amount) = (preimage.hash().to_string(), format!("--amt_msat={}", amount.0));
    let cltv = format!("--cltv_expiry_delta={}", FINAL_CLTV.0);
    let made = lnd.cli(&["addholdinvoice", &amount, &cltv, &hash]).await.unwrap();
    made["payment_request"].as_str().unwrap().to_string()
}

pub async fn wait_held(lnd: &Lnd, hash: PaymentHash) -> u32 {
    let held = wait_for("a held HTLC", LIMIT, || expiry_if_held(lnd, hash));
    held.await.unwrap()
}

async fn expiry_if_held(lnd: &Lnd, hash: PaymentHash) -> Result<Option<u32>> {
    let invoice = lnd.cli(&["lookupinvoice", &hash.to_string()]).await?;
    if invoice["state"] != "ACCEPTED" {
        return Ok(None);
    }
    let expiry = invoice["htlcs"][0]["expiry_height"].as_u64();
    let expiry = expiry.context("a held invoice without HTLC")?;
    Ok(Some(expiry.try_into()?))
}

pub async fn settle(lnd: &Lnd, preimage: &Preimage) {
    lnd.cli(&["settleinvoice", &hex::encode(preimage.expose())])
        .await
        .unwrap();
}

pub async fn fail(lnd: &Lnd, hash: PaymentHash) {
    lnd.cli(&["cancelinvoice", &hash.to_string()]).await.unwrap();
}
