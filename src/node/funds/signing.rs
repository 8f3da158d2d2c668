//! A transaction on its way to the node that signs it, and back. Pure.

use bitcoin::consensus::serialize;
use bitcoin::sighash::EcdsaSighashType;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Psbt, Sequence, Transaction, TxIn, TxOut, Witness, absolute};

use super::Coin;
use super::selection::sum;
use crate::swap::state::TxCost;
use crate::units::{OutPoint, RawTx, TxId};

/// A transaction before it is signed, with what it spends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsigned {
    spent: Vec<Coin>,
    tx: Transaction,
    cost: TxCost,
}

/// A transaction that the network takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) txid: TxId,
    pub(super) tx: RawTx,
    pub(super) cost: TxCost,
}

impl Unsigned {
    /// Spends coins to these outputs, at that fee for at most so many virtual bytes once it is signed; None if the amounts
    /// do not add up to that. It can be replaced (BIP 125): an opening that may not be used any more is, by a spend to
    /// ourselves.
    pub(super) fn new(spent: Vec<Coin>, outputs: Vec<TxOut>, fee: Amount, vsize: u64) -> Option<Self> {
        let paid = outputs
            .iter()
            .try_fold(fee, |sum, output| sum.checked_add(output.value));
        paid.filter(|paid| Some(*paid) == sum(spent.iter()))?;
        let input = |coin: &Coin| TxIn {
            previous_output: bitcoin_outpoint(coin.outpoint),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            ..TxIn::default()
        };
        let tx = Transaction {
            version: Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: spent.iter().map(input).collect(),
            output: outputs,
        };
        let cost = TxCost {
            fee,
            vsize,
            discount_vsize: vsize,
        };
        Some(Self { spent, tx, cost })
    }

    /// It with all that a signer needs.
    pub(super) fn psbt(&self) -> Psbt {
        let mut psbt = Psbt::from_unsigned_tx(self.tx.clone()).expect("it has no signatures");
        for (input, coin) in psbt.inputs.iter_mut().zip(&self.spent) {
            input.witness_utxo = Some(coin.output.clone());
            if coin.output.script_pubkey.is_p2wpkh() {
                input.sighash_type = Some(EcdsaSighashType::All.into());
            }
        }
        psbt
    }

    /// The signed transaction out of the node's answer; the text says what is wrong with it.
    pub(super) fn finish(&self, answer: Psbt) -> Result<Signed, String> {
        let (want, got) = (self.tx.compute_txid(), answer.unsigned_tx.compute_txid());
        if want != got {
            return Err(format!("it signed {got}, was asked to sign {want}"));
        }
        let mut tx = self.tx.clone();
        for (number, (input, signed)) in tx.input.iter_mut().zip(answer.inputs).enumerate() {
            input.witness = witness(signed).ok_or_else(|| format!("it did not sign input {number}"))?;
        }
        let vsize = u64::try_from(tx.vsize()).expect("a transaction is shorter than 2^64 bytes");
        // A signature of ECDSA is a byte or two shorter than the longest. More would be another kind of coin, at a fee that
        // is none of ours.
        let most = self.cost.vsize;
        let least = most.saturating_sub(u64::try_from(self.spent.len()).unwrap_or(u64::MAX));
        if !(least..=most).contains(&vsize) {
            return Err(format!(
                "the signed transaction has {vsize} virtual bytes, {least} to {most} were reckoned with"
            ));
        }
        Ok(Signed {
            txid: TxId(got),
            tx: RawTx::from(serialize(&tx)),
            cost: TxCost {
                fee: self.cost.fee,
                vsize,
                discount_vsize: vsize,
            },
        })
    }
}

/// The witness of a signed input, finished by the signer or not.
fn witness(input: bitcoin::psbt::Input) -> Option<Witness> {
    let by_key = |input: &bitcoin::psbt::Input| {
        let (key, signature) = input.partial_sigs.first_key_value()?;
        Some(Witness::p2wpkh(signature, &key.inner))
    };
    let finished = input.final_script_witness.clone();
    finished
        .or_else(|| input.tap_key_sig.as_ref().map(Witness::p2tr_key_spend))
        .or_else(|| by_key(&input))
}

/// A PSBT that has these inputs and nothing else: for calls that want to be told of coins so.
pub(in crate::node) fn naming(coins: &[OutPoint]) -> Psbt {
    let input = |coin: &OutPoint| TxIn {
        previous_output: bitcoin_outpoint(*coin),
        ..TxIn::default()
    };
    let tx = Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: coins.iter().map(input).collect(),
        output: Vec::new(),
    };
    Psbt::from_unsigned_tx(tx).expect("it has no signatures")
}

fn bitcoin_outpoint(outpoint: OutPoint) -> bitcoin::OutPoint {
    bitcoin::OutPoint::new(outpoint.txid.0, outpoint.vout)
}
