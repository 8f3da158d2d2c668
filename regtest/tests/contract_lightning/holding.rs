//! Invoices of an lnd that hold what comes.

use std::time::Duration;

use anyhow::Result;
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

async fn state(lnd: &Lnd, hash: PaymentHash) -> Result<String> {
    let invoice = lnd.cli(&["lookupinvoice", &hash.to_string()]).await?;
    Ok(invoice["state"].as_str().unwrap_or_default().to_string())
}

pub async fn wait_held(lnd: &Lnd, hash: PaymentHash) {
    let held = wait_for("a held HTLC", LIMIT, || async {
        Ok((state(lnd, hash).await? == "ACCEPTED").then_some(()))
    });
    held.await.unwrap();
}

pub async fn settle(lnd: &Lnd, preimage: &Preimage) {
    lnd.cli(&["settleinvoice", &hex::encode(preimage.expose())])
        .await
        .unwrap();
}

pub async fn fail(lnd: &Lnd, hash: PaymentHash) {
    lnd.cli(&["cancelinvoice", &hash.to_string()]).await.unwrap();
}
