//! What a spend of an opening tells about itself.

use bitcoin::Script;
use elements::Transaction;

use crate::tx::{SpendSeen, signing};
use crate::units::OutPoint;

pub(in crate::tx) fn classify(tx: &Transaction, opening: OutPoint, payout_script: &Script) -> Option<SpendSeen> {
    let at = super::inputs(tx).iter().position(|input| *input == opening)?;
    let (path, preimage) = signing::path_of(&tx.input[at].witness.script_witness.to_vec())?;
    let spendable = tx
        .output
        .iter()
        .filter(|output| !output.is_fee() && !output.script_pubkey.is_op_return());
    Some(SpendSeen {
        path,
        preimage,
        pays_payout: signing::pays_only(spendable.map(|output| output.script_pubkey.as_bytes()), payout_script),
    })
}
