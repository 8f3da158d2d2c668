//! Makes transactions of the operator's coins: choose, lock, blind, sign. Publishes nothing.
//!
//! ```text
//!  template ─ fundrawtransaction ─▶ ─ blindrawtransaction ─▶ ─ signrawtransactionwithwallet ─▶ signed
//!             locks the inputs          │                        │
//!                                       └── a failure frees ◀────┘
//! ```

use std::sync::Arc;

use bitcoin::Amount;
use elements::confidential::{Asset, Nonce, Value};
use elements::encode::deserialize;
use elements::{AssetId, LockTime, Script, Sequence, Transaction, TxIn, TxOut, TxOutWitness};
use tracing::warn;

use super::source::txid;
use crate::chain::elements_rpc::{ElementsRpc, RpcError};
use crate::chain::watch::ChainTx;
use crate::ports::PortError;
use crate::swap::state::{Opening, TxCost};
use crate::tx::OpeningOutput;
use crate::units::{FeeRate, OutPoint, PubKey, RawTx};

/// What a spend of an opening's input to ourselves pays apart; the rest of the coin becomes its change.
const VOID_OUTPUT: Amount = Amount::from_sat(1_000);

/// A transaction of no meaning, to ask the node how it would size one.
pub(super) fn probe(asset: AssetId) -> Transaction {
    Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: vec![TxIn::default()],
        output: vec![TxOut::new_fee(1, asset)],
    }
}

/// What it takes to make transactions of the wallet's coins.
#[derive(Debug)]
pub(super) struct Funder {
    pub(super) rpc: Arc<ElementsRpc>,
    pub(super) asset: AssetId,
    /// The node judges fees by the discounted size.
    pub(super) discount: bool,
    /// What a replacement pays on top for each 1000 virtual bytes of its own, undiscounted.
    pub(super) incremental: FeeRate,
}

/// A signed transaction and what it costs.
struct Built {
    tx: Transaction,
    cost: TxCost,
    /// Inputs that the wallet chose, now locked.
    added: Vec<OutPoint>,
}

impl Funder {
    /// An opening with that output, its inputs locked.
    pub(super) async fn open(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let paying = self.output(&output.script, output.blinding_key, output.amount)?;
        let built = self.build(Vec::new(), paying, rate).await?;
        let vouts = built.tx.outputs_to(&output.script);
        let inputs = built.tx.spends();
        let [vout] = vouts[..] else {
            self.free(&inputs).await;
            let reason = format!("{} outputs pay to the opening's script, wanted 1", vouts.len());
            return Err(PortError::Broken(format!("elementsd fundrawtransaction: {reason}")));
        };
        Ok(Opening {
            outpoint: OutPoint {
                txid: txid(built.tx.txid()),
                vout,
            },
            tx: built.tx.raw(),
            inputs,
            cost: built.cost,
        })
    }

    /// A spend of the opening's first input to the wallet, at a fee that replaces the opening.
    pub(super) async fn void(&self, opening: &Opening, rate: FeeRate) -> Result<RawTx, PortError> {
        let address = self.rpc.new_address("").await?;
        let own = self.rpc.address_info(&address).await?;
        let paying = self.output(&own.script, own.confidential_key, VOID_OUTPUT)?;
        let spent: Vec<OutPoint> = opening.inputs.iter().take(1).copied().collect();
        let first = self.build(spent.clone(), paying.clone(), rate).await?;
        // BIP 125 rule 4: a replacement pays for its own relay on top, and Elements takes its full size for that
        let least = opening.cost.fee.checked_add(self.incremental.fee(first.cost.vsize));
        let least = least.ok_or_else(|| PortError::Broken("fee of a replacement leaves 64 bits".into()))?;
        if first.cost.fee >= least {
            return Ok(first.tx.raw());
        }
        self.free(&first.added).await;
        let size = self.priced_size(&first.cost);
        let rate = FeeRate(least.to_sat().saturating_mul(1000).div_ceil(size));
        Ok(self.build(spent, paying, rate).await?.tx.raw())
    }

    fn output(
        &self,
        script: &bitcoin::ScriptBuf,
        blinding_key: Option<PubKey>,
        amount: Amount,
    ) -> Result<TxOut, PortError> {
        let nonce = blinding_key
            .map(|key| Nonce::from_commitment(&key.serialize()))
            .transpose();
        let nonce = nonce.map_err(|e| PortError::Broken(format!("blinding key is no nonce: {e}")))?;
        Ok(TxOut {
            asset: Asset::Explicit(self.asset),
            value: Value::Explicit(amount.to_sat()),
            // Elements reads the key to blind to from here until the output is blinded
            nonce: nonce.unwrap_or_default(),
            script_pubkey: Script::from(script.to_bytes()),
            witness: TxOutWitness::default(),
        })
    }

    /// Funds, blinds and signs. The inputs it added are locked after that, and free again if it fails.
    async fn build(&self, spending: Vec<OutPoint>, paying: TxOut, rate: FeeRate) -> Result<Built, PortError> {
        let template = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: spending.iter().map(replaceable_input).collect(),
            output: vec![paying],
        };
        let funded = self.rpc.fund(&template, rate).await?;
        let explicit: Transaction = hex::decode(&funded.hex)
            .ok()
            .and_then(|bytes| deserialize(&bytes).ok())
            .ok_or_else(|| RpcError::broken("fundrawtransaction", "answer is no transaction"))?;
        let mut added = explicit.spends();
        added.retain(|input| !spending.contains(input));
        match self.finish(explicit, funded.changepos, &added, rate).await {
            Ok(tx) => Ok(Built {
                cost: self.cost(&tx),
                tx,
                added,
            }),
            Err(error) => {
                self.free(&added).await;
                Err(error.into())
            }
        }
    }

    async fn finish(
        &self,
        mut tx: Transaction,
        change: i32,
        added: &[OutPoint],
        rate: FeeRate,
    ) -> Result<Transaction, RpcError> {
        let mut signed = self.rpc.sign(&self.rpc.blind(&tx).await?).await?;
        let cost = self.cost(&signed);
        // one byte more than measured: signatures differ in length from one signing to the next
        let enough = rate.fee(self.priced_size(&cost) + 1);
        if cost.fee > enough && move_to_change(&mut tx, change, cost.fee - enough) {
            signed = self.rpc.sign(&self.rpc.blind(&tx).await?).await?;
        }
        // fundrawtransaction locks in memory only
        self.rpc.lock(added).await?;
        Ok(signed)
    }

    fn priced_size(&self, cost: &TxCost) -> u64 {
        if self.discount { cost.discount_vsize } else { cost.vsize }
    }

    fn cost(&self, tx: &Transaction) -> TxCost {
        TxCost {
            fee: Amount::from_sat(tx.fee_in(self.asset)),
            vsize: tx.vsize() as u64,
            discount_vsize: tx.discount_vsize() as u64,
        }
    }

    /// Frees inputs, as far as they are locked.
    pub(super) async fn free(&self, inputs: &[OutPoint]) {
        for input in inputs {
            if let Err(error) = self.rpc.unlock(&[*input]).await
                && error.code().is_none()
            {
                warn!(%error, txid = %input.txid, vout = input.vout, "coin stays locked until the next start");
            }
        }
    }
}

fn replaceable_input(spent: &OutPoint) -> TxIn {
    use bitcoin::hashes::Hash;
    TxIn {
        previous_output: elements::OutPoint {
            txid: elements::Txid::from_byte_array(spent.txid.0.to_byte_array()),
            vout: spent.vout,
        },
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        ..TxIn::default()
    }
}

/// Moves what a fee is too high by into the change, before blinding: a wallet without `creatediscountct` pays for the
/// full size, nine times too much. False if there is no change to move it to.
fn move_to_change(tx: &mut Transaction, change: i32, surplus: Amount) -> bool {
    let fee = tx.output.iter().position(TxOut::is_fee);
    let (Some(fee), Ok(change)) = (fee, usize::try_from(change)) else {
        return false;
    };
    let value = |index: usize| tx.output.get(index).and_then(|output| output.value.explicit());
    let (Some(fee_sat), Some(change_sat)) = (value(fee), value(change)) else {
        return false;
    };
    let less = fee_sat.checked_sub(surplus.to_sat());
    let more = change_sat.checked_add(surplus.to_sat());
    let (Some(less), Some(more), false) = (less, more, fee == change) else {
        return false;
    };
    tx.output[fee].value = Value::Explicit(less);
    tx.output[change].value = Value::Explicit(more);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset() -> AssetId {
        AssetId::from_byte_array([7; 32])
    }

    fn output(sat: u64, script: Vec<u8>) -> TxOut {
        TxOut {
            script_pubkey: Script::from(script),
            ..TxOut::new_fee(sat, asset())
        }
    }

    #[test]
    fn what_a_fee_is_too_high_by_goes_to_the_change() {
        let mut tx = probe(asset());
        tx.output = vec![
            output(5_000, vec![0x51]),
            output(100_000, vec![0x52]),
            TxOut::new_fee(252, asset()),
        ];
        assert!(move_to_change(&mut tx, 0, Amount::from_sat(223)));
        let values: Vec<_> = tx.output.iter().filter_map(|output| output.value.explicit()).collect();
        assert_eq!(values, [5_223, 100_000, 29]);
    }

    #[test]
    fn without_change_a_fee_stays_as_it_is() {
        let mut tx = probe(asset());
        let before = tx.clone();
        assert!(!move_to_change(&mut tx, -1, Amount::from_sat(1)));
        assert!(!move_to_change(&mut tx, 7, Amount::from_sat(1)));
        assert_eq!(tx, before);
    }
}
