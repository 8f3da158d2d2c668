//! What a spend of an opening tells about itself.

use bitcoin::Script;
use elements::{Transaction, TxIn};

use crate::swap::event::SpendPath;
use crate::tx::SpendSeen;
use crate::units::{OutPoint, Preimage};

/// The witness of a version 0 output must leave exactly one element, so its length tells the path whatever its
/// elements are: a miner may put a wrong signature where we leave an empty one.
pub(in crate::tx) fn classify(tx: &Transaction, opening: OutPoint, payout_script: &Script) -> Option<SpendSeen> {
    let at = super::inputs(tx).iter().position(|input| *input == opening)?;
    let (path, preimage) = path_of(&tx.input[at])?;
    Some(SpendSeen {
        path,
        preimage,
        pays_payout: pays_only(tx, payout_script),
    })
}

fn path_of(input: &TxIn) -> Option<(SpendPath, Option<Preimage>)> {
    let stack = input.witness.script_witness.to_vec();
    match &stack[..] {
        [_taker_sig, preimage, _, _, _script] => {
            let preimage = <[u8; 32]>::try_from(&preimage[..]).ok()?;
            Some((SpendPath::Preimage, Some(Preimage::from_bytes(preimage))))
        }
        [_taker_sig, _maker_sig, _, _script] => Some((SpendPath::Coop, None)),
        [_maker_sig, _script] => Some((SpendPath::Csv, None)),
        _ => None,
    }
}

/// Every spendable output is the payout's. One such output among others would not do: anyone who can spend the
/// opening could add a crumb for us.
fn pays_only(tx: &Transaction, payout_script: &Script) -> bool {
    let mut paid = tx
        .output
        .iter()
        .filter(|output| !output.is_fee() && !output.script_pubkey.is_op_return())
        .map(|output| output.script_pubkey.as_bytes() == payout_script.as_bytes())
        .peekable();
    paid.peek().is_some() && paid.all(|ours| ours)
}
