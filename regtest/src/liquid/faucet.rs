//! Where coins come from: a wallet that owns all free coins of the genesis block.
//!
//! It is reached at `/wallet/faucet` and not listed, so that a fresh chain shows no wallet, as a fresh elementsd does.

use elements::confidential::Nonce;
use elements::{Address, LockTime, OutPoint, Transaction, TxIn, TxOut, Txid};

use super::node::{FAUCET, Node};
use super::params::{INITIAL_FREE_COINS_SAT, MIN_RELAY_FEE_RATE, explicit_output, genesis_block, policy_asset};
use super::policy::fee_for;
use super::wallet::{FundOptions, WalletError};

/// So many coins can be handed out between two blocks without touching unconfirmed change.
const COINS: u64 = 40;

impl Node {
    /// Takes the free coins of the genesis block for the faucet, in many pieces, and mines that.
    ///
    /// # Errors
    /// The faucet is not there, or the coins are gone.
    pub(super) fn open_faucet(&mut self) -> Result<(), WalletError> {
        let issuance = genesis_block()
            .txdata
            .last()
            .map(Transaction::txid)
            .ok_or(WalletError::InsufficientFunds)?;
        let faucet = self.wallet_mut(FAUCET)?;
        let scripts: Vec<_> = (0..COINS).map(|_| faucet.new_address(false).script_pubkey()).collect();
        let mining = faucet.new_address(false).script_pubkey();
        let input = TxIn {
            previous_output: OutPoint::new(issuance, 0),
            ..TxIn::default()
        };
        let part = INITIAL_FREE_COINS_SAT / COINS;
        let mut output: Vec<TxOut> = scripts
            .into_iter()
            .map(|script| explicit_output(policy_asset(), part, script))
            .collect();
        let mut tx = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: output.clone(),
        };
        tx.output.push(TxOut::new_fee(1, policy_asset()));
        let fee = fee_for(MIN_RELAY_FEE_RATE, tx.discount_vsize() as u64);
        if let Some(last) = output.last_mut() {
            *last = explicit_output(policy_asset(), part - fee, last.script_pubkey.clone());
        }
        output.push(TxOut::new_fee(fee, policy_asset()));
        tx.output = output;
        self.accept(&tx)
            .map_err(|reject| WalletError::Other(reject.to_string()))?;
        self.mine(&mining);
        Ok(())
    }

    /// Pays from the faucet, hidden if the address has a key.
    ///
    /// # Errors
    /// An amount of zero, or a mempool that holds too long a chain of payments: mine a block.
    pub fn pay_from_faucet(&mut self, address: &Address, sat: u64) -> Result<Txid, WalletError> {
        let mut output = explicit_output(policy_asset(), sat, address.script_pubkey());
        output.nonce = address.blinding_pubkey.map_or(Nonce::Null, Nonce::Confidential);
        let tx = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: Vec::new(),
            output: vec![output],
        };
        self.send(FAUCET, tx, &FundOptions::at_rate(MIN_RELAY_FEE_RATE))
    }
}
