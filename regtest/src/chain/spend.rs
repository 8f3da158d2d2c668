//! A wallet spends: choose coins, hide, sign, broadcast. Where a wallet and the rest of the node meet.

use super::Ledger;
use super::node::Node;
use super::wallet::{FundOptions, Funded, Signed, View, Wallet, WalletError};

impl<L: Ledger> Node<L> {
    /// A wallet that is loaded.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn wallet_mut(&mut self, name: &str) -> Result<&mut Wallet<L>, WalletError> {
        self.state.wallets.get_mut(name).ok_or(WalletError::Missing)
    }

    /// A loaded wallet beside the node's state.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn view(&self, name: &str) -> Result<View<'_, L>, WalletError> {
        let wallet = self.state.wallets.get(name).ok_or(WalletError::Missing)?;
        Ok(View {
            wallet,
            state: &self.state,
        })
    }

    /// Adds coins, change to a fresh address and the fee to a transaction; locks the coins if the options say so.
    ///
    /// # Errors
    /// Insufficient funds above all.
    pub fn fund(&mut self, name: &str, tx: L::Transaction, options: &FundOptions<L>) -> Result<Funded<L>, WalletError> {
        let change = match &options.change {
            Some(change) => change.clone(),
            None => {
                let address = self.wallet_mut(name)?.new_address(true);
                L::recipient(&address)
            }
        };
        let funded = self.view(name)?.fund(tx, options, change)?;
        if options.lock {
            let wallet = self.wallet_mut(name)?;
            L::inputs(&funded.tx)
                .iter()
                .for_each(|input| wallet.lock(input.previous, false));
        }
        Ok(funded)
    }

    /// Hides the outputs that ask for it, with the secrets of the wallet's own inputs.
    ///
    /// # Errors
    /// Inputs of others, or nothing to balance against.
    pub fn blind(&mut self, name: &str, tx: L::Transaction, ignore_fail: bool) -> Result<L::Transaction, WalletError> {
        let view = self.view(name)?;
        let spent = L::inputs(&tx).into_iter().map(|input| {
            let coin = view.wallet.coin(&input.previous);
            coin.map(|coin| coin.contents)
                .or_else(|| L::shown_contents(&self.output(&input.previous)?.output))
        });
        let spent: Vec<L::Contents> = spent.collect::<Option<_>>().ok_or_else(|| {
            let text =
                "Invalid parameter: transaction spends from non-wallet output and no assetcommitment list was given.";
            WalletError::InvalidParameter(text.into())
        })?;
        L::hide(self.wallet_mut(name)?, tx, &spent, ignore_fail)
    }

    /// Signs the inputs that the wallet owns.
    ///
    /// # Errors
    /// There is no such wallet. What could not be signed is in the answer.
    pub fn sign(&self, name: &str, tx: L::Transaction) -> Result<Signed<L>, WalletError> {
        Ok(self
            .view(name)?
            .wallet
            .sign(tx, |outpoint| Some(self.output(outpoint)?.output)))
    }

    /// All of it, and into the mempool.
    ///
    /// # Errors
    /// Whatever fails first; a refusal by the mempool has its reason as text.
    pub fn send(&mut self, name: &str, tx: L::Transaction, options: &FundOptions<L>) -> Result<L::Txid, WalletError> {
        let funded = self.fund(name, tx, options)?;
        let blinded = self.blind(name, funded.tx, true)?;
        let signed = self.sign(name, blinded)?;
        if !signed.failures.is_empty() {
            return Err(WalletError::Other("Signing transaction failed".into()));
        }
        self.accept(&signed.tx)
            .map_err(|reject| WalletError::Other(reject.to_string()))
    }
}
