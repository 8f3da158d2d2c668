//! Elements' transactions, for the watcher and for the wallet.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf};
use elements::confidential::{Asset, Nonce, Value};
use elements::encode::serialize;
use elements::{AssetId, LockTime, Script, Sequence, Transaction, TxIn, TxOut, TxOutWitness};

use crate::chain::watch::ChainTx;
use crate::tx::OpeningOutput;
use crate::units::{OutPoint, RawTx, TxId};

/// Ids of Elements' types in the types of the ports: the same bytes.
fn txid(id: elements::Txid) -> TxId {
    TxId(bitcoin::Txid::from_byte_array(id.to_byte_array()))
}

fn outpoint(of: elements::OutPoint) -> OutPoint {
    OutPoint {
        txid: txid(of.txid),
        vout: of.vout,
    }
}

impl ChainTx for elements::Transaction {
    fn txid(&self) -> TxId {
        txid(elements::Transaction::txid(self))
    }

    fn spends(&self) -> Vec<OutPoint> {
        // a peg-in spends an output of Bitcoin
        self.input
            .iter()
            .filter(|input| !input.is_pegin)
            .map(|input| outpoint(input.previous_output))
            .collect()
    }

    fn outputs_to(&self, script: &ScriptBuf) -> Vec<u32> {
        let paying = |output: &elements::TxOut| output.script_pubkey.as_bytes() == script.as_bytes();
        (0..)
            .zip(&self.output)
            .filter(|(_, output)| paying(output))
            .map(|(vout, _)| vout)
            .collect()
    }

    fn raw(&self) -> RawTx {
        RawTx::from(serialize(self))
    }
}

/// A transaction of no meaning, to ask the node how it would size one.
pub(super) fn probe(asset: AssetId) -> Transaction {
    Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: vec![TxIn::default()],
        output: vec![TxOut::new_fee(1, asset)],
    }
}

/// A transaction that spends these outputs and has that one.
pub(super) fn template(
    asset: AssetId,
    spending: &[OutPoint],
    output: &OpeningOutput,
) -> Result<Transaction, elements::encode::Error> {
    let nonce = output
        .blinding_key
        .map(|key| Nonce::from_commitment(&key.serialize()))
        .transpose()?;
    Ok(Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: spending.iter().map(replaceable_input).collect(),
        output: vec![TxOut {
            asset: Asset::Explicit(asset),
            value: Value::Explicit(output.amount.to_sat()),
            // Elements reads the key to blind to from here until the output is blinded
            nonce: nonce.unwrap_or_default(),
            script_pubkey: Script::from(output.script.to_bytes()),
            witness: TxOutWitness::default(),
        }],
    })
}

fn replaceable_input(spent: &OutPoint) -> TxIn {
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
pub(super) fn move_to_change(tx: &mut Transaction, change: i32, surplus: Amount) -> bool {
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
    use bitcoin::secp256k1::SECP256K1;

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
    fn a_template_is_the_opening_without_its_inputs() {
        let blinding_key = SECP256K1.generate_keypair(&mut rand::thread_rng()).1;
        let wanted = OpeningOutput {
            script: ScriptBuf::from_bytes(vec![0x51]),
            blinding_key: Some(blinding_key),
            amount: Amount::from_sat(100_000),
        };
        let made = template(asset(), &[], &wanted).unwrap();
        assert_eq!((made.version, made.input.len(), made.output.len()), (2, 0, 1));
        let expected = TxOut {
            nonce: Nonce::Confidential(blinding_key),
            ..output(100_000, vec![0x51])
        };
        assert_eq!(made.output[0], expected);
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
