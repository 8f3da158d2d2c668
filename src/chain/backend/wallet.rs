//! The port [`Wallet`].

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bitcoin::Amount;
use tokio::sync::oneshot;

use super::funding::tolerate_refusal;
use super::{Backend, Ledger};
use crate::chain::rpc::code;
use crate::ports::untaken::{Frees, Untaken};
use crate::ports::{Chain, PortError, SendError, Wallet, WalletBalance};
use crate::swap::state::{Claim, Opening};
use crate::swap::terms::Payout;
use crate::tx::OpeningOutput;
use crate::units::{FeeRate, OutPoint, TxId};

#[async_trait]
impl<L: Ledger> Wallet for Backend<L> {
    fn holder(&self) -> String {
        format!("{} (`{}`)", self.rpc.daemon(), self.config.endpoint.wallet)
    }

    async fn balance(&self) -> Result<WalletBalance, PortError> {
        let held = self.ledger().holdings(&self.rpc).await?;
        // two calls: a block between them may make the difference negative for a moment
        let unlocked = held.confirmed + held.unconfirmed;
        Ok(WalletBalance {
            spendable: held.confirmed,
            pending: held.unconfirmed,
            locked: held.total.checked_sub(unlocked).unwrap_or(Amount::ZERO),
        })
    }

    async fn new_address(&self, label: &str) -> Result<Payout, PortError> {
        Ok(L::new_address(&self.rpc, label).await?)
    }

    async fn fund(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let (funder, wanted) = (Arc::clone(&self.funder), output.clone());
        let (done, made) = oneshot::channel();
        // a task of its own: a caller that goes away in the middle must not leave coins locked
        tokio::spawn(async move {
            let opening = funder.open(&wanted, rate).await;
            // nobody to take it: dropped here or in the channel, it frees its coins
            drop(done.send(opening.map(|opening| Untaken::new(opening, funder))));
        });
        match made.await {
            Ok(Err(PortError::Refused(reason))) if is_too_little(&reason) => Err(self.too_little(output.amount).await),
            Ok(opening) => Ok(opening?.take()),
            Err(_) => Err(self.rpc.broken("fundrawtransaction", "ended without a result").into()),
        }
    }

    async fn keep_only(&self, openings: &[Opening]) -> Result<(), PortError> {
        let wanted: HashSet<OutPoint> = openings
            .iter()
            .flat_map(|opening| opening.inputs.iter().copied())
            .collect();
        let locked = self.rpc.locked().await?;
        let needless: Vec<OutPoint> = locked.into_iter().filter(|output| !wanted.contains(output)).collect();
        self.funder.free(&needless).await?;
        for kept in &wanted {
            // refused once the opening is known to the wallet: then its inputs count as spent
            tolerate_refusal(self.rpc.lock(&[*kept]).await)?;
        }
        Ok(())
    }

    async fn void(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        self.funder.void(opening, replaced, rate).await
    }

    async fn push(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        self.funder.push(&self.chain, opening, replaced, rate).await
    }

    async fn label(&self, address: &str, label: &str) -> Result<(), PortError> {
        Ok(self.rpc.set_label(address, label).await?)
    }

    async fn send(&self, address: &str, amount: Amount) -> Result<TxId, SendError> {
        let rate = self.fee_rate().await?;
        // a node that is away is told from one whose answer is lost: this call is asked first, and sends nothing
        let available = self.balance().await?.spendable;
        let error = match self.ledger().send(&self.rpc, address, amount, rate).await {
            Ok(txid) => return Ok(txid),
            Err(error) => error,
        };
        match error.code() {
            Some(code::NOT_FOUND) => Err(SendError::Address),
            // the number is also that of an amount too small to be sent
            Some(code::INSUFFICIENT_FUNDS) if is_too_little(&error.to_string()) => Err(SendError::TooLittle {
                available,
                wanted: amount,
            }),
            Some(_) => Err(SendError::Port(error.into())),
            None => Err(SendError::Unknown(error.into())),
        }
    }
}

impl<L: Ledger> Backend<L> {
    async fn too_little(&self, wanted: Amount) -> PortError {
        match self.balance().await {
            Ok(balance) => PortError::Refused(format!(
                "wallet `{}` has {} sat to spend ({} sat unconfirmed, {} sat locked), wanted {} sat and a fee",
                self.config.endpoint.wallet,
                balance.spendable.to_sat(),
                balance.pending.to_sat(),
                balance.locked.to_sat(),
                wanted.to_sat(),
            )),
            Err(error) => error,
        }
    }
}

/// The wallet's words where its coins do not suffice (wallet/spend.cpp); the number for it is that of all its errors.
fn is_too_little(reason: &str) -> bool {
    reason.contains("Insufficient funds") || reason.contains("exceeds your balance")
}
