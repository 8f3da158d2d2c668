//! Makes transactions of the operator's coins: choose, lock, sign. Publishes nothing.
//!
//! ```text
//!  template ─ fundrawtransaction ─▶ ─ Ledger::finish (blind, sign) ─▶ lockunspent ─▶ signed
//!             locks the inputs          │                                │
//!                                       └──────── a failure frees ◀──────┘
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use bitcoin::Amount;
use tracing::debug;

use super::Ledger;
use crate::chain::rpc::RpcError;
use crate::chain::watch::ChainTx;
use crate::ports::PortError;
use crate::ports::untaken::Frees;
use crate::swap::fees::least_fee_of_void;
use crate::swap::state::{Claim, Opening, TxCost};
use crate::tx::OpeningOutput;
use crate::units::{FeeRate, OutPoint};

/// What a spend of an opening's input to ourselves pays apart; the rest of the coin becomes its change.
const VOID_OUTPUT: Amount = Amount::from_sat(1_000);

/// What it takes to make transactions of the wallet's coins.
#[derive(Debug)]
pub(super) struct Funder<L: Ledger> {
    pub(super) rpc: Arc<L::Rpc>,
    pub(super) ledger: L,
    /// What a replacement pays on top for each 1000 virtual bytes of its own, undiscounted.
    pub(super) incremental: FeeRate,
}

/// A signed transaction and what it costs.
struct Built<T> {
    tx: T,
    cost: TxCost,
    /// Inputs that the wallet chose, now locked.
    added: Vec<OutPoint>,
}

impl<T: ChainTx> From<Built<T>> for Claim {
    fn from(built: Built<T>) -> Claim {
        Claim {
            tx: built.tx.raw(),
            txid: built.tx.txid(),
            cost: built.cost,
        }
    }
}

impl<L: Ledger> Funder<L> {
    /// An opening with that output, its inputs locked.
    pub(super) async fn open(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let built = self.build(&[], output, rate).await?;
        let vouts = built.tx.outputs_to(&output.script);
        let inputs = built.tx.spends();
        let [vout] = vouts[..] else {
            self.free(&inputs).await?;
            let reason = format!("{} outputs pay to the opening's script, wanted 1", vouts.len());
            return Err(self.rpc.broken("fundrawtransaction", reason).into());
        };
        Ok(Opening {
            outpoint: OutPoint {
                txid: built.tx.txid(),
                vout,
            },
            tx: built.tx.raw(),
            inputs,
            cost: built.cost,
        })
    }

    /// A spend of few of the opening's inputs, enough to pay for it, to the wallet, at a fee that replaces the opening and the
    /// void before it. Other coins of the wallet help where all inputs together are too little.
    pub(super) async fn void(
        &self,
        opening: &Opening,
        replaced: Option<&Claim>,
        rate: FeeRate,
    ) -> Result<Claim, PortError> {
        let replaced = replaced.map(|void| &void.cost);
        let least_fee = |vsize| least_fee_of_void(&opening.cost, replaced, vsize, self.incremental);
        let inputs = &opening.inputs;
        if inputs.is_empty() {
            let reason = "none of the opening's inputs is there to be spent";
            return Err(PortError::Refused(reason.into()));
        }
        let own = L::new_address(&self.rpc, "").await?;
        let paying = OpeningOutput {
            script: own.script,
            blinding_key: own.blinding_key,
            amount: VOID_OUTPUT,
        };
        let mut few = 1;
        while few < inputs.len() {
            match self.void_with(&inputs[..few], &paying, least_fee, rate).await {
                Ok(built) if built.added.is_empty() => return Ok(built.into()),
                Ok(built) => self.free(&built.added).await?,
                Err(PortError::Refused(reason)) => debug!(reason, few, "more inputs of the opening are taken"),
                Err(error @ (PortError::Unreachable(_) | PortError::Broken(_))) => return Err(error),
            }
            few *= 2;
        }
        let built = self.void_with(inputs, &paying, least_fee, rate).await?;
        // the wallet may count the opening's change as its own, which the void would make nothing of
        if built.added.iter().any(|coin| coin.txid == opening.outpoint.txid) {
            self.free(&built.added).await?;
            let reason =
                "the opening's inputs do not pay for taking it back, and what would help them is its own change";
            return Err(PortError::Refused(reason.into()));
        }
        Ok(built.into())
    }

    async fn void_with(
        &self,
        spent: &[OutPoint],
        paying: &OpeningOutput,
        least_fee: impl Fn(u64) -> Option<Amount>,
        rate: FeeRate,
    ) -> Result<Built<L::Tx>, PortError> {
        let first = self.build(spent, paying, rate).await?;
        let least = least_fee(first.cost.vsize);
        let least = least.ok_or_else(|| PortError::Broken("fee of a replacement leaves 64 bits".into()))?;
        if first.cost.fee >= least {
            return Ok(first);
        }
        self.free(&first.added).await?;
        let size = first.cost.size(self.ledger.discount());
        let rate = FeeRate(least.to_sat().saturating_mul(1000).div_ceil(size));
        self.build(spent, paying, rate).await
    }

    /// Funds and signs. The inputs it added are locked after that, and free again if it fails.
    async fn build(
        &self,
        spending: &[OutPoint],
        paying: &OpeningOutput,
        rate: FeeRate,
    ) -> Result<Built<L::Tx>, PortError> {
        let template = self.ledger.template(spending, paying)?;
        let funded = L::fund(&self.rpc, &template, rate).await?;
        let unsigned = L::decode(&funded.hex.0).map_err(|error| {
            let reason = format!("answer is no transaction: {error}");
            self.rpc.broken("fundrawtransaction", reason)
        })?;
        let mut added = unsigned.spends();
        added.retain(|input| !spending.contains(input));
        let finished = async {
            let signed = self.ledger.finish(&self.rpc, funded, rate).await?;
            // fundrawtransaction locks in memory only
            self.rpc.lock(&added).await?;
            Ok(signed)
        };
        match finished.await {
            Ok((tx, cost)) => Ok(Built { tx, cost, added }),
            Err(error) => {
                let error: RpcError = error;
                self.free(&added).await?;
                Err(error.into())
            }
        }
    }
}

#[async_trait]
impl<L: Ledger> Frees for Funder<L> {
    async fn free(&self, coins: &[OutPoint]) -> Result<(), PortError> {
        for coin in coins {
            tolerate_refusal(self.rpc.unlock(&[*coin]).await)?;
        }
        Ok(())
    }
}

/// Locks and freedoms that are so already, or mean nothing any more, are no failure.
pub(super) fn tolerate_refusal(answer: Result<(), RpcError>) -> Result<(), PortError> {
    match answer {
        Err(error) if error.code().is_some() => {
            debug!(%error, "lock left as it is");
            Ok(())
        }
        answer => Ok(answer?),
    }
}
