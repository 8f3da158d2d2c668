//! The form of a block: dynafed header, coinbase with witness commitment (node/miner.cpp).

use elements::hashes::sha256d;
use elements::opcodes::all::OP_RETURN;
use elements::script::Builder;
use elements::{
    Block, BlockExtData, BlockHash, BlockHeader, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxInWitness,
    dynafed,
};

use super::params::{self, policy_asset};

/// Builds a block as `BlockAssembler::CreateNewBlock` does: dynafed header, coinbase with witness commitment.
pub fn assemble(
    height: u32,
    prev_blockhash: BlockHash,
    time: u32,
    transactions: Vec<Transaction>,
    fees_sat: u64,
    coinbase_script: &Script,
) -> Block {
    let mut txdata = vec![coinbase(height, fees_sat, coinbase_script)];
    txdata.extend(transactions);
    txdata[0].output[1].script_pubkey = witness_commitment(&txdata);
    Block {
        header: BlockHeader {
            version: 0x2000_0000,
            prev_blockhash,
            merkle_root: params::merkle_root(&txdata),
            time,
            height,
            ext: BlockExtData::Dynafed {
                current: params::dynafed_params(height),
                proposed: dynafed::Params::Null,
                // The witness of P2WSH(OP_TRUE): the script alone.
                signblock_witness: vec![params::op_true().to_bytes()],
            },
        },
        txdata,
    }
}

fn coinbase(height: u32, fees_sat: u64, script: &Script) -> Transaction {
    let op_return = Builder::new().push_opcode(OP_RETURN).into_script();
    let input = TxIn {
        previous_output: OutPoint::null(),
        is_pegin: false,
        script_sig: Builder::new().push_int(i64::from(height)).push_int(0).into_script(),
        sequence: Sequence::MAX,
        asset_issuance: elements::AssetIssuance::null(),
        witness: TxInWitness {
            script_witness: vec![vec![0; 32]].into(),
            ..TxInWitness::default()
        },
    };
    // What is worth nothing must not be spendable.
    let destination = if fees_sat == 0 {
        op_return.clone()
    } else {
        script.clone()
    };
    Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![
            params::explicit_output(policy_asset(), fees_sat, destination),
            params::explicit_output(policy_asset(), 0, op_return),
        ],
    }
}

/// `OP_RETURN 36 aa21a9ed ‖ SHA256d(witness root ‖ 32 zeros)`.
fn witness_commitment(txdata: &[Transaction]) -> Script {
    let leaves: Vec<_> = txdata.iter().map(params::witness_only_hash).collect();
    let root = params::fast_root(&leaves);
    let digest = sha256d::Hash::hash(&[root, [0; 32]].concat()).to_byte_array();
    let data = [&[0xaa, 0x21, 0xa9, 0xed][..], &digest].concat();
    Builder::new().push_opcode(OP_RETURN).push_slice(&data).into_script()
}
