//! Bitcoin's transactions: everything is in the clear, one size counts.

pub(super) mod claim;

use bitcoin::address::{NetworkUnchecked, ParseError};
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, Network, Script, Transaction, TxOut, absolute};

use super::{BadOpening, OpeningOutput, OpeningSpec, SpendSeen, TxError, only_output, output_script, signing};
use crate::swap::state::TxCost;
use crate::swap::terms::Payout;
use crate::units::{FeeRate, OutPoint, RawTx, TxId};

/// What a replacement pays on top for its own relay: Bitcoin Core's before 30, and 30 asks for less
/// (src/policy/policy.h, `DEFAULT_INCREMENTAL_RELAY_FEE`).
const INCREMENTAL_RELAY_FEE: FeeRate = FeeRate(1000);

pub(super) fn decode(tx: &RawTx) -> Result<Transaction, TxError> {
    deserialize(&tx.0).map_err(|error| TxError::Undecodable {
        len: tx.0.len(),
        reason: error.to_string(),
    })
}

pub(super) fn encode(tx: &Transaction) -> RawTx {
    RawTx::from(serialize(tx))
}

pub(super) fn txid(tx: &Transaction) -> TxId {
    TxId(tx.compute_txid())
}

pub(super) fn inputs(tx: &Transaction) -> Vec<OutPoint> {
    let outpoint = |input: &bitcoin::TxIn| OutPoint {
        txid: TxId(input.previous_output.txid),
        vout: input.previous_output.vout,
    };
    tx.input.iter().map(outpoint).collect()
}

pub(super) fn outputs_with<'a>(tx: &'a Transaction, output_script: &'a Script) -> impl Iterator<Item = u32> + 'a {
    (0..)
        .zip(&tx.output)
        .filter(move |(_, output)| output.script_pubkey.as_script() == output_script)
        .map(|(vout, _)| vout)
}

/// Finds the opening's output by its script, and holds its value against the terms. A Go taker looks for the value
/// first (peerswap onchain/bitcoin.go:82-124 at 816a5bb); both find the same output where only one has the script.
pub(super) fn verify(tx: &Transaction, spec: &OpeningSpec<'_>) -> Result<u32, BadOpening> {
    let script = output_script(&spec.script);
    let vout = only_output(txid(tx), outputs_with(tx, &script), &script)?;
    let got = tx.output[vout as usize].value;
    if got != spec.amount {
        return Err(BadOpening::Value {
            vout,
            want: spec.amount,
            got,
        });
    }
    Ok(vout)
}

pub(super) fn classify(tx: &Transaction, opening: OutPoint, payout_script: &Script) -> Option<SpendSeen> {
    let at = inputs(tx).iter().position(|input| *input == opening)?;
    let (path, preimage) = signing::path_of(&tx.input[at].witness.to_vec())?;
    let spendable = tx.output.iter().filter(|output| !output.script_pubkey.is_op_return());
    Some(SpendSeen {
        path,
        preimage,
        pays_payout: signing::pays_only(spendable.map(|output| output.script_pubkey.as_bytes()), payout_script),
    })
}

/// Virtual size by BIP 141. There is no discount.
fn cost(tx: &Transaction, fee: Amount) -> TxCost {
    let vsize = u64::try_from(tx.vsize()).expect("a transaction is shorter than 2^64 bytes");
    TxCost {
        fee,
        vsize,
        discount_vsize: vsize,
    }
}

pub(super) fn replacement_fee(replaced: &TxCost) -> Amount {
    let increment = INCREMENTAL_RELAY_FEE.fee(replaced.vsize);
    replaced.fee.checked_add(increment).unwrap_or(Amount::MAX)
}

pub(super) fn funding_template(output: &OpeningOutput) -> RawTx {
    let tx = Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: Vec::new(),
        output: vec![TxOut {
            value: output.amount,
            script_pubkey: output.script.clone(),
        }],
    };
    RawTx::from(
        [
            serialize(&tx.version),
            serialize(&tx.input),
            serialize(&tx.output),
            serialize(&tx.lock_time),
        ]
        .concat(),
    )
}

pub(super) fn address(chain: &str, output_script: &Script) -> Option<String> {
    let network = Network::from_core_arg(chain).ok()?;
    Address::from_script(output_script, network)
        .ok()
        .map(|address| address.to_string())
}

pub(super) fn payout_to(address: &str, like: &str) -> Result<Payout, String> {
    let read: Address<NetworkUnchecked> = address.parse().map_err(|error: ParseError| error.to_string())?;
    let known: Option<Address<NetworkUnchecked>> = like.parse().ok();
    let networks = [
        Network::Bitcoin,
        Network::Testnet,
        Network::Testnet4,
        Network::Signet,
        Network::Regtest,
    ];
    let shared = |network: &Network| {
        read.is_valid_for_network(*network) && known.as_ref().is_none_or(|known| known.is_valid_for_network(*network))
    };
    if !networks.iter().any(shared) {
        return Err(format!("it is of another network than {like}"));
    }
    Ok(Payout {
        address: address.to_owned(),
        script: read.assume_checked().script_pubkey(),
        blinding_key: None,
    })
}
