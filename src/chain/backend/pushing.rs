//! Gets an opening into a block sooner, by a child that spends its change (CPFP). Publishes nothing.
//!
//! ```text
//!  opening ─┬─ the swap's output
//!           └─ change ──▶ child ──▶ the wallet        fee(opening) + fee(child) = rate × both sizes
//! ```

use bitcoin::Amount;

use super::Ledger;
use super::funding::{Funder, tolerate_refusal};
use crate::chain::watch::ChainTx;
use crate::ports::PortError;
use crate::swap::fees::fee_of_child;
use crate::swap::state::{Claim, Opening};
use crate::tx::{self, Coin, OpeningOutput};
use crate::units::{FeeRate, OutPoint};

/// What a child leaves to the wallet at least: more than dust of any kind.
const LEAST_OUTPUT: Amount = Amount::from_sat(1_000);

/// The change of an opening.
struct Change {
    outputs: Vec<OutPoint>,
    worth: Amount,
}

impl<L: Ledger> Funder<L> {
    /// A child of the opening; the change that it spends is locked after that. `chain` is the node's name of it.
    pub(super) async fn push(
        &self,
        chain: &str,
        opening: &Opening,
        replaced: Option<&Claim>,
        rate: FeeRate,
    ) -> Result<Claim, PortError> {
        let change = self.change(chain, opening).await?;
        self.check_spendable(opening, replaced, &change).await?;
        let own = L::new_address(&self.rpc, "").await?;
        let mut paying = OpeningOutput {
            script: own.script,
            blinding_key: own.blinding_key,
            amount: Amount::ZERO,
        };
        // less than any child's, so that the first one only tells the size
        let mut fee = Amount::ONE_SAT;
        loop {
            let paid = change.worth.checked_sub(fee).filter(|paid| *paid >= LEAST_OUTPUT);
            paying.amount = paid.ok_or_else(|| too_little(change.worth, fee, rate))?;
            let (tx, cost) = self.ledger.spend(&self.rpc, &change.outputs, &paying, fee).await?;
            let replaced = replaced.map(|replaced| &replaced.cost);
            let rates = (rate, self.incremental);
            let wanted = fee_of_child(&opening.cost, &cost, self.ledger.discount(), replaced, rates);
            let wanted = wanted.ok_or_else(|| PortError::Broken("fee of a replacement leaves 64 bits".into()))?;
            if fee >= wanted {
                self.lock_change(&change).await?;
                let (tx, txid) = (tx.raw(), tx.txid());
                return Ok(Claim { tx, txid, cost });
            }
            fee = wanted;
        }
    }

    /// The outputs of an opening, but the swap's, that are the wallet's own.
    async fn change(&self, chain: &str, opening: &Opening) -> Result<Change, PortError> {
        let undecodable = |error| PortError::Broken(format!("the opening is no transaction: {error}"));
        let tx = L::decode(&opening.tx.0).map_err(undecodable)?;
        let coin = Coin::of(L::ASSET, self.ledger.policy_asset()).map_err(|e| PortError::Broken(e.to_string()))?;
        let mut change = Change {
            outputs: Vec::new(),
            worth: Amount::ZERO,
        };
        for (vout, script, amount) in self.ledger.readable(&self.rpc, &tx).await? {
            let address = tx::address_of(coin, chain, &script, None).filter(|_| vout != opening.outpoint.vout);
            let Some(address) = address else { continue };
            if self.rpc.address_info(&address).await?.ismine {
                let txid = opening.outpoint.txid;
                change.outputs.push(OutPoint { txid, vout });
                change.worth = change.worth.checked_add(amount).unwrap_or(Amount::MAX);
            }
        }
        if change.outputs.is_empty() {
            let reason = "the opening has no change of this wallet to push it with";
            return Err(PortError::Refused(reason.into()));
        }
        Ok(change)
    }

    /// Whether a child may spend the change: nobody else does, nor does anything stand on the child that it replaces.
    async fn check_spendable(
        &self,
        opening: &Opening,
        replaced: Option<&Claim>,
        change: &Change,
    ) -> Result<(), PortError> {
        let refused = |reason: &str| Err(PortError::Refused(reason.into()));
        if self.rpc.mempool_entry(opening.outpoint.txid).await?.is_none() {
            return refused("the opening is not in the mempool of our node, which takes no child of it");
        }
        let in_the_way = match replaced {
            Some(replaced) => self.rpc.mempool_entry(replaced.txid).await?,
            None => None,
        };
        if let Some(child) = &in_the_way {
            if child.descendantcount > 1 {
                return refused(
                    "another transaction of the wallet spends what the last push left: it may not be undone",
                );
            }
            return Ok(());
        }
        let locked = self.rpc.locked().await?;
        for output in &change.outputs {
            let held = replaced.is_none() && locked.contains(output);
            if held || !self.rpc.is_unspent(*output).await? {
                return refused("another transaction of the wallet spends the opening's change");
            }
        }
        Ok(())
    }

    /// Keeps the change for the child until it is out: an opening of another swap must not be funded with it.
    async fn lock_change(&self, change: &Change) -> Result<(), PortError> {
        for output in &change.outputs {
            // refused: locked for the child that this one replaces, or spent by it
            tolerate_refusal(self.rpc.lock(&[*output]).await)?;
        }
        Ok(())
    }
}

fn too_little(worth: Amount, fee: Amount, rate: FeeRate) -> PortError {
    PortError::Refused(format!(
        "the opening's change of {} sat is too little for a child that pays {} sat, to reach {rate} together",
        worth.to_sat(),
        fee.to_sat()
    ))
}
