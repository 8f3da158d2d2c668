//! A block as large as those of Bitcoin's main chain.

use std::time::{Duration, Instant};

use bitcoin::consensus::serialize;
use bitcoin::opcodes::all::{OP_2DROP, OP_PUSHNUM_1};
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, BlockHash, Network, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute};
use jsonrpsee::rpc_params;
use sluice::chain::backend::Ledger;
use sluice::chain::bitcoind::Bitcoin;
use sluice::chain::rpc::Btc;
use sluice::ports::{Chain, Wallet};

use crate::bench::Bench;
use crate::world::{World, await_tip, watch};

/// Elements that a witness script of 201 operations can drop, and how long each may be.
const ELEMENTS: usize = 200;
const ELEMENT_LEN: usize = 520;
/// Inputs with such a witness, and outputs: together 2 MB.
const INPUTS: usize = 14;
const OUTPUTS: usize = 17_000;
/// What one input holds: enough for its share of the outputs.
const INPUT: Amount = Amount::from_sat(500_000);
/// How long it may take to fetch and read the block. Hex is read ten times slower where nothing is optimised.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 100 });
/// So often it is read, and the best time counts: others use the machine too.
const TRIES: u32 = 5;

/// A program that drops 200 elements and is content.
fn filler() -> ScriptBuf {
    let drops = (0..ELEMENTS / 2).fold(Builder::new(), |script, _| script.push_opcode(OP_2DROP));
    drops.push_opcode(OP_PUSHNUM_1).into_script()
}

/// A transaction of two million bytes, of coins that the miner has sent to [`filler`].
async fn large_transaction<B: Bench<Ledger = Bitcoin>>(world: &World<B>) -> Transaction {
    let script = filler();
    let address = Address::p2wsh(&script, Network::Regtest).to_string();
    let mut inputs = Vec::new();
    for _ in 0..INPUTS {
        let params = rpc_params![&address, Btc(INPUT)];
        let txid: bitcoin::Txid = world.miner.call_wallet("sendtoaddress", params).await.unwrap();
        let id = sluice::units::TxId(txid);
        let sent = world.miner.mempool_transaction_bytes(id).await.unwrap().unwrap();
        let sent = Bitcoin::decode(&sent).unwrap();
        let vout = sent
            .output
            .iter()
            .position(|output| output.script_pubkey == script.to_p2wsh());
        inputs.push(bitcoin::OutPoint::new(txid, u32::try_from(vout.unwrap()).unwrap()));
    }
    world.mine(1).await;
    let mut witness = Witness::from_slice(&vec![vec![7_u8; ELEMENT_LEN]; ELEMENTS]);
    witness.push(script.as_bytes());
    let spend = |previous_output| TxIn {
        previous_output,
        sequence: Sequence::MAX,
        script_sig: ScriptBuf::new(),
        witness: witness.clone(),
    };
    let paid = TxOut {
        value: INPUT * INPUTS as u64 / OUTPUTS as u64,
        script_pubkey: world.adapter.new_address("").await.unwrap().script,
    };
    Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs.into_iter().map(spend).collect(),
        output: vec![paid; OUTPUTS],
    }
}

pub async fn a_block_of_two_megabytes_is_handled_at_once<B: Bench<Ledger = Bitcoin>>(world: World<B>) {
    #[derive(serde::Deserialize)]
    struct Mined {
        hash: BlockHash,
    }
    let since = world.height().await;
    let (opening, script) = world.opening(Amount::from_sat(200_000)).await;
    world.view(&watch(1, &script, &opening, since)).await;
    let large = serialize(&large_transaction(&world).await);
    assert!(large.len() > 1_990_000, "{} bytes", large.len());
    let miner = world.miner.new_address("").await.unwrap();
    let transactions = [hex::encode(&large)];
    let params = rpc_params![miner, transactions];
    let mined: Mined = world.miner.call("generateblock", params).await.unwrap();
    let tip = await_tip::<B>(&world.adapter, mined.hash).await;
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let asked = Instant::now();
        let bytes = world.adapter.rpc().block_bytes(mined.hash).await.unwrap();
        let block = Bitcoin::decode_block(&bytes).unwrap();
        best = best.min(asked.elapsed());
        assert_eq!(block.txs.len(), 2);
    }
    assert!(best < LIMIT, "{} bytes took {best:?}", large.len());
    assert_eq!(world.adapter.tip().await.unwrap(), tip);
}
