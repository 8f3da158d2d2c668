//! The form of a block: header with proof of work, coinbase with subsidy and witness commitment (node/miner.cpp).

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness,
    WitnessMerkleNode, transaction,
};

use super::Bitcoin;
use crate::chain::ledger::Place;

/// Difficulty of regtest: every second hash will do.
pub const BITS: u32 = 0x207f_ffff;
/// What a miner may make in the first blocks.
const SUBSIDY_SAT: u64 = 50 * 100_000_000;
/// Blocks until that is halved (kernel/chainparams.cpp, `CRegTestParams`).
const HALVING_INTERVAL: u32 = 150;
/// The coinbase's own witness, which the commitment covers.
const WITNESS_RESERVED: [u8; 32] = [0; 32];

/// Builds a block as `BlockAssembler::CreateNewBlock` does, and works for it.
pub fn assemble(place: &Place<'_, Bitcoin>, transactions: Vec<Transaction>, fees_sat: u64) -> Block {
    let reward = Amount::from_sat(subsidy_sat(place.height) + fees_sat);
    let mut txdata = vec![coinbase(place, reward)];
    txdata.extend(transactions);
    let mut block = Block {
        header: Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: place.previous,
            merkle_root: TxMerkleNode::all_zeros(),
            time: place.time,
            bits: CompactTarget::from_consensus(BITS),
            nonce: 0,
        },
        txdata,
    };
    let root = block.witness_root().expect("a block has a coinbase");
    block.txdata[0].output[1].script_pubkey = witness_commitment(root);
    block.header.merkle_root = block.compute_merkle_root().expect("a block has a coinbase");
    work(&mut block);
    block
}

/// Finds a nonce that satisfies the difficulty.
pub fn work(block: &mut Block) {
    let target = block.header.target();
    block.header.nonce = 0;
    while block.header.validate_pow(target).is_err() {
        block.header.nonce += 1;
    }
}

/// What the miner of a block may make (`GetBlockSubsidy`), sat.
fn subsidy_sat(height: u32) -> u64 {
    SUBSIDY_SAT.checked_shr(height / HALVING_INTERVAL).unwrap_or(0)
}

fn coinbase(place: &Place<'_, Bitcoin>, reward: Amount) -> Transaction {
    let output = |value, script_pubkey| TxOut { value, script_pubkey };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            // The height (BIP 34), and one byte more: a coinbase's script has at least two.
            script_sig: Builder::new()
                .push_int(i64::from(place.height))
                .push_int(0)
                .into_script(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[WITNESS_RESERVED]),
        }],
        output: vec![
            output(reward, place.script.to_owned()),
            output(Amount::ZERO, ScriptBuf::new()),
        ],
    }
}

/// `OP_RETURN 36 aa21a9ed ‖ SHA256d(witness root ‖ 32 zeros)` (BIP 141).
fn witness_commitment(root: WitnessMerkleNode) -> ScriptBuf {
    let commitment = Block::compute_witness_commitment(&root, &WITNESS_RESERVED);
    let mut data = [0; 36];
    data[..4].copy_from_slice(&[0xaa, 0x21, 0xa9, 0xed]);
    data[4..].copy_from_slice(commitment.as_byte_array());
    Builder::new().push_opcode(OP_RETURN).push_slice(data).into_script()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subsidy_halves_every_150_blocks_until_nothing_is_left() {
        assert_eq!(subsidy_sat(149), 5_000_000_000);
        assert_eq!(subsidy_sat(150), 2_500_000_000);
        assert_eq!(subsidy_sat(33 * 150), 0);
        assert_eq!(subsidy_sat(64 * 150), 0);
    }
}
