//! Mistakes of what stands between the engine and a wallet.

use async_trait::async_trait;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf, WPubkeyHash};
use sluice::ports::{Chain, PortError, SendError, Wallet, WalletBalance};
use sluice::swap::state::{Claim, Opening};
use sluice::swap::terms::Payout;
use sluice::tx::OpeningOutput;
use sluice::units::{FeeRate, TxId};

use super::{Mistake, Mistaken};
use crate::chain::SimChain;
use crate::wallet::SimWallet;

impl Mistaken<SimWallet> {
    /// As the calls of nodes that make a transaction and send it in one.
    async fn publish(&self, opening: &Opening) {
        let chain = SimChain {
            port: self.port.port.clone(),
            asset: self.port.asset,
        };
        // What comes of it shows on the chain.
        drop(chain.broadcast(&opening.tx).await);
    }
}

#[async_trait]
impl Wallet for Mistaken<SimWallet> {
    fn holder(&self) -> String {
        self.port.holder()
    }

    async fn balance(&self) -> Result<WalletBalance, PortError> {
        self.port.balance().await
    }

    async fn new_address(&self, label: &str) -> Result<Payout, PortError> {
        let payout = self.port.new_address(label).await?;
        if self.has(Mistake::PaysOutToStrangers) {
            return Ok(Payout {
                script: ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([0xff; 20])),
                ..payout
            });
        }
        Ok(payout)
    }

    async fn fund(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let mut output = output.clone();
        if self.has(Mistake::OpensOneSatoshiShort) {
            output.amount -= Amount::from_sat(1);
        }
        let opening = self.port.fund(&output, rate).await?;
        if self.has(Mistake::LocksNoCoins) {
            self.port.keep_only(&[]).await?;
        }
        if self.has(Mistake::PublishesWhatItFunds) {
            self.publish(&opening).await;
        }
        Ok(opening)
    }

    async fn keep_only(&self, openings: &[Opening]) -> Result<(), PortError> {
        if self.has(Mistake::FreesNoCoins) {
            return Ok(());
        }
        self.port.keep_only(openings).await
    }

    async fn void(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        self.port.void(opening, replaced, rate).await
    }

    async fn push(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        self.port.push(opening, replaced, rate).await
    }

    async fn label(&self, address: &str, label: &str) -> Result<(), PortError> {
        self.port.label(address, label).await
    }

    async fn send(&self, address: &str, amount: Amount) -> Result<TxId, SendError> {
        self.port.send(address, amount).await
    }
}
