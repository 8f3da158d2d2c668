//! The constants of the chain `liquidregtest`, as `elementsd -chain=liquidregtest` computes them.
//!
//! With `-initialfreecoins=2100000000000000` the genesis block here has the hash that the real daemon prints.

use std::sync::LazyLock;

use elements::encode::serialize;
use elements::genesis::{NetworkParams, commit_to_custom_network_parameters};
use elements::hashes::sha256d;
use elements::opcodes::OP_TRUE;
use elements::opcodes::all::OP_RETURN;
use elements::script::Builder;
use elements::secp256k1_zkp::{All, Secp256k1};
use elements::{
    AddressParams, AssetBlindingNonce, AssetEntropy, AssetId, AssetIssuance, Block, BlockExtData, BlockHash,
    BlockHeader, ContractHash, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxInWitness, TxMerkleNode,
    TxOut, TxOutWitness, Txid, confidential, dynafed,
};

/// The name of the chain, as `getblockchaininfo` says it and as the genesis block commits to it.
pub const CHAIN_NAME: &str = "liquidregtest";
/// Prefixes of addresses: `ert1…` unconfidential, `el1…` confidential.
pub const ADDRESS_PARAMS: &AddressParams = &AddressParams::ELEMENTS;
/// Coins issued by the genesis block, in sat: 21,000,000 L-BTC.
pub const INITIAL_FREE_COINS_SAT: u64 = 2_100_000_000_000_000;
/// No amount of one asset may exceed this, in sat (consensus/amount.h).
pub const MAX_MONEY_SAT: u64 = INITIAL_FREE_COINS_SAT;
/// Blocks until a coinbase output may be spent (consensus/consensus.h).
pub const COINBASE_MATURITY: u32 = 100;
/// Relay and mining minimum, sat per 1000 (discounted) vbytes (policy/policy.h, `DEFAULT_MIN_RELAY_TX_FEE`).
pub const MIN_RELAY_FEE_RATE: u64 = 100;
/// What a replacement pays on top, sat per 1000 undiscounted vbytes (`DEFAULT_INCREMENTAL_RELAY_FEE`).
pub const INCREMENTAL_RELAY_FEE_RATE: u64 = 100;
/// Rate that decides what is dust, sat per 1000 bytes (`DUST_RELAY_TX_FEE` of Elements).
pub const DUST_RELAY_FEE_RATE: u64 = 100;
/// Genesis block of the parent chain, bitcoin regtest, display order.
pub const PARENT_GENESIS_HASH: &str = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
/// Largest block weight (consensus/consensus.h).
pub const MAX_BLOCK_WEIGHT: usize = 4_000_000;
/// Time of the genesis block, seconds since 1970.
const GENESIS_TIME: u32 = 1_296_688_602;
/// Blocks of one dynamic-federation epoch (kernel/chainparams.cpp, `CCustomParams`).
const EPOCH_LENGTH: u32 = 10;
/// Bytes that a block's signature may have (kernel/chainparams.cpp, `CCustomParams`).
const SIGNBLOCK_WITNESS_LIMIT: u32 = 74;
/// The extension space that custom chains start with (kernel/chainparams.cpp, "Default junk keys for testing").
const EXTENSION_SPACE: &str = "02fcba7ecf41bc7e1be4ee122d9d22e3333671eb0a3a87b5cdf099d59874e1940f\
                               02fcba7ecf41bc7e1be4ee122d9d22e3333671eb0a3a87b5cdf099d59874e1940f";

static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);
static POLICY_ASSET: LazyLock<AssetId> = LazyLock::new(|| {
    AssetId::from_entropy(AssetId::generate_asset_entropy(
        issuance_prevout(),
        parent_as_contract(),
    ))
});

/// The one curve context: making it costs milliseconds.
pub fn secp() -> &'static Secp256k1<All> {
    &SECP
}

/// The asset that pays fees: L-BTC of this chain, `5ac9f65c…b225`.
pub fn policy_asset() -> AssetId {
    *POLICY_ASSET
}

/// The script that anyone can spend: it signs blocks, and it owns the coins of the genesis block.
pub fn op_true() -> Script {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

fn commitment() -> [u8; 32] {
    let params = NetworkParams::custom_network(CHAIN_NAME.into(), None, None, Some(INITIAL_FREE_COINS_SAT));
    commit_to_custom_network_parameters(&params).to_byte_array()
}

fn issuance_prevout() -> OutPoint {
    OutPoint::new(Txid::from_byte_array(commitment()), 0)
}

/// Elements puts the parent chain's genesis hash where an issuance has its contract.
fn parent_as_contract() -> ContractHash {
    let hash: BlockHash = PARENT_GENESIS_HASH.parse().expect("a constant of 64 hex digits");
    ContractHash::from_byte_array(hash.to_byte_array())
}

/// The genesis block: a transaction that commits to the chain's parameters, and the issuance of all free coins.
pub fn genesis_block() -> Block {
    let txdata = vec![genesis_commitment_tx(), genesis_issuance_tx()];
    Block {
        header: BlockHeader {
            version: 1,
            prev_blockhash: BlockHash::GENESIS_PREVIOUS_BLOCK_HASH,
            merkle_root: merkle_root(&txdata),
            time: GENESIS_TIME,
            height: 0,
            ext: BlockExtData::Proof {
                challenge: op_true(),
                solution: Script::default(),
            },
        },
        txdata,
    }
}

fn genesis_commitment_tx() -> Transaction {
    let input = TxIn {
        script_sig: Builder::new().push_slice(&commitment()).into_script(),
        ..TxIn::default()
    };
    let output = explicit_output(
        AssetId::default(),
        0,
        Builder::new().push_opcode(OP_RETURN).into_script(),
    );
    Transaction {
        version: 1,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![output],
    }
}

fn genesis_issuance_tx() -> Transaction {
    let input = TxIn {
        previous_output: issuance_prevout(),
        is_pegin: false,
        script_sig: Script::new(),
        sequence: Sequence::MAX,
        asset_issuance: AssetIssuance {
            asset_blinding_nonce: AssetBlindingNonce::NEW_ISSUANCE,
            asset_entropy: AssetEntropy::from_byte_array(parent_as_contract().to_byte_array()),
            amount: confidential::Value::Explicit(INITIAL_FREE_COINS_SAT),
            inflation_keys: confidential::Value::Explicit(0),
        },
        witness: TxInWitness::default(),
    };
    let output = explicit_output(policy_asset(), INITIAL_FREE_COINS_SAT, op_true());
    Transaction {
        version: 1,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![output],
    }
}

/// An output that hides nothing.
pub fn explicit_output(asset: AssetId, sat: u64, script_pubkey: Script) -> TxOut {
    TxOut {
        asset: confidential::Asset::Explicit(asset),
        value: confidential::Value::Explicit(sat),
        nonce: confidential::Nonce::Null,
        script_pubkey,
        witness: TxOutWitness::default(),
    }
}

/// The parameters that a block of this height announces as current (dynafed.cpp, `ComputeNextBlockCurrentParameters`):
/// in full at the start of an epoch and in block 1, else without what does not concern signing.
pub fn dynafed_params(height: u32) -> dynafed::Params {
    let full = dynafed::FullParams::new(
        op_true().to_v0_p2wsh(),
        SIGNBLOCK_WITNESS_LIMIT,
        fedpeg_program(),
        op_true().to_bytes(),
        vec![hex::decode(EXTENSION_SPACE).expect("a constant of hex digits")],
    );
    if height == 1 || height.is_multiple_of(EPOCH_LENGTH) {
        dynafed::Params::Full(full)
    } else {
        full.into_compact()
    }
}

fn fedpeg_program() -> bitcoin::ScriptBuf {
    let redeem = bitcoin::ScriptBuf::from_bytes(op_true().to_v0_p2wsh().to_bytes());
    redeem.to_p2sh()
}

/// Root of the tree of transaction ids, as in Bitcoin.
pub fn merkle_root(txdata: &[Transaction]) -> TxMerkleNode {
    let mut row: Vec<[u8; 32]> = txdata.iter().map(|tx| tx.txid().to_byte_array()).collect();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| {
                let (left, right) = (pair[0], *pair.last().expect("a chunk is not empty"));
                sha256d::Hash::hash(&[left, right].concat()).to_byte_array()
            })
            .collect();
    }
    TxMerkleNode::from_byte_array(row[0])
}

/// Hash of a transaction's witnesses alone, which the coinbase commits to (`CTransaction::GetWitnessOnlyHash`).
pub fn witness_only_hash(tx: &Transaction) -> [u8; 32] {
    let hash = |bytes: &[u8]| sha256d::Hash::hash(bytes).to_byte_array();
    let inputs: Vec<[u8; 32]> = tx
        .input
        .iter()
        .map(|input| {
            // A coinbase's own witness is not committed to: it holds nothing but the reserved value.
            let witness = if input.previous_output.is_null() {
                &TxInWitness::default()
            } else {
                &input.witness
            };
            fast_root(&[
                hash(&serialize(&witness.amount_rangeproof)),
                hash(&serialize(&witness.inflation_keys_rangeproof)),
                hash(&serialize(
                    &witness.script_witness.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(),
                )),
                hash(&serialize(&witness.pegin_witness)),
            ])
        })
        .collect();
    let outputs: Vec<[u8; 32]> = tx
        .output
        .iter()
        .map(|output| {
            let witness = &output.witness;
            fast_root(&[
                hash(&serialize(&witness.surjection_proof)),
                hash(&serialize(&witness.rangeproof)),
            ])
        })
        .collect();
    fast_root(&[fast_root(&inputs), fast_root(&outputs)])
}

/// Root of a tree that is hashed by SHA-256 midstates (`ComputeFastMerkleRoot`).
pub fn fast_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    elements::fast_merkle_root(leaves).to_parts().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_asset_is_the_one_that_peerswap_knows_for_liquidregtest() {
        let known = "5ac9f65c0efcc4775e0baec4ec03abdde22473cd3cf33c0419ca290e0751b225";
        assert_eq!(policy_asset().to_string(), known);
    }

    #[test]
    fn genesis_hash_is_that_of_elementsd() {
        let known = "00902a6b70c2ca83b5d9c815d96a0e2f4202179316970d14ea1847dae5b1ca21";
        assert_eq!(genesis_block().block_hash().to_string(), known);
    }
}
