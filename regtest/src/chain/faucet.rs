//! A wallet with the coins that a regtest hands out.
//!
//! It is reached at `/wallet/faucet` and not listed, so that a fresh chain shows no wallet, as a fresh daemon does.

use super::Ledger;
use super::node::{FAUCET, Node};
use super::wallet::{FundOptions, WalletError};

impl<L: Ledger> Node<L> {
    /// Pays from the faucet, hidden if the address has a key.
    ///
    /// # Errors
    /// An amount of zero, or a mempool that holds too long a chain of payments: mine a block.
    pub fn pay_from_faucet(&mut self, address: &L::Address, sat: u64) -> Result<L::Txid, WalletError> {
        let output = L::pay(&L::recipient(address), sat);
        let tx = L::transaction(0, vec![output]);
        self.send(FAUCET, tx, &FundOptions::at_rate(L::MIN_RELAY_FEE_RATE))
    }
}
