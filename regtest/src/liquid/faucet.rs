//! Where coins come from: the faucet owns all free coins of the genesis block.

use elements::{LockTime, OutPoint, Transaction, TxIn, TxOut};

use super::Elements;
use super::params::{INITIAL_FREE_COINS_SAT, MIN_RELAY_FEE_RATE, explicit_output, genesis_block, policy_asset};
use crate::chain::node::{FAUCET, Node};
use crate::chain::policy::fee_for;
use crate::chain::wallet::WalletError;

/// So many coins can be handed out between two blocks without touching unconfirmed change.
const COINS: u64 = 40;

/// Takes the free coins of the genesis block for the faucet, in many pieces, and mines that.
///
/// # Errors
/// The faucet is not there, or the coins are gone.
pub fn open(node: &mut Node<Elements>) -> Result<(), WalletError> {
    let issuance = genesis_block()
        .txdata
        .last()
        .map(Transaction::txid)
        .ok_or(WalletError::InsufficientFunds)?;
    let faucet = node.wallet_mut(FAUCET)?;
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
    node.accept(&tx)
        .map_err(|reject| WalletError::Other(reject.to_string()))?;
    node.mine(bitcoin::Script::from_bytes(mining.as_bytes()));
    Ok(())
}
