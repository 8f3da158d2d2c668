//! A chain in a file: the active branch, what waits, and the wallets.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Ledger;
use super::blocks::Chain;
use super::mempool::Mempool;
use super::node::{Node, State};
use super::wallet::{Wallet, WalletRecord};

const FORMAT: u32 = 1;

/// What went wrong with a state file.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what [`save`] writes.
    #[error("state file: {0}")]
    Broken(String),
}

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Saved<L: Ledger> {
    format: u32,
    seed: String,
    mock_time: Option<u64>,
    blocks: Vec<String>,
    mempool: Vec<String>,
    wallets: Vec<WalletRecord<L>>,
    unloaded: Vec<WalletRecord<L>>,
}

/// Writes a node's state. Blocks beside the active branch and locks in memory are not kept, as by a node that restarts.
///
/// # Errors
/// The file cannot be written.
pub fn save<L: Ledger>(node: &Node<L>, seed: &[u8; 32], path: &Path) -> Result<(), StateFileError> {
    let state = &node.state;
    let records = |wallets: &BTreeMap<String, Wallet<L>>| wallets.values().map(Wallet::<L>::record).collect();
    let saved = Saved {
        format: FORMAT,
        seed: hex::encode(seed),
        mock_time: state.mock_time,
        blocks: state
            .chain
            .active()
            .iter()
            .skip(1)
            .map(|entry| hex::encode(L::block_bytes(&entry.block)))
            .collect(),
        mempool: state
            .mempool
            .in_order()
            .iter()
            .map(|entry| hex::encode(L::transaction_bytes(&entry.tx)))
            .collect(),
        wallets: records(&state.wallets),
        unloaded: records(&state.unloaded),
    };
    let text = serde_json::to_vec(&saved).map_err(|error| StateFileError::Broken(error.to_string()))?;
    // Written beside and renamed, so that a crash leaves the old file.
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)?;
    Ok(std::fs::rename(&beside, path)?)
}

/// Reads a node's state and the seed of its wallets.
///
/// # Errors
/// The file cannot be read, is of another format or holds a block that does not connect.
pub fn load<L: Ledger>(path: &Path, release: L::Release) -> Result<(Node<L>, [u8; 32]), StateFileError> {
    let broken = |what: &str| StateFileError::Broken(what.to_owned());
    let saved: Saved<L> =
        serde_json::from_slice(&std::fs::read(path)?).map_err(|error| StateFileError::Broken(error.to_string()))?;
    if saved.format != FORMAT {
        return Err(StateFileError::Broken(format!(
            "format {}, this program knows {FORMAT}",
            saved.format
        )));
    }
    let seed = hex::decode(&saved.seed)
        .ok()
        .and_then(|seed| seed.try_into().ok())
        .ok_or_else(|| broken("seed"))?;
    let mut chain = Chain::new();
    for text in &saved.blocks {
        decode(text)
            .and_then(|bytes| L::read_block(&bytes))
            .and_then(|block| chain.extend(block))
            .ok_or_else(|| broken("a block does not connect"))?;
    }
    let wallets = |records: &[WalletRecord<L>]| -> Option<BTreeMap<String, Wallet<L>>> {
        records
            .iter()
            .map(|record| Some((record.name.clone(), Wallet::<L>::from_record(record)?)))
            .collect()
    };
    let mut state = State {
        chain,
        mempool: Mempool::default(),
        wallets: wallets(&saved.wallets).ok_or_else(|| broken("a wallet"))?,
        unloaded: wallets(&saved.unloaded).ok_or_else(|| broken("a wallet"))?,
        mock_time: saved.mock_time,
    };
    for wallet in state.wallets.values_mut() {
        wallet.rescan(&state.chain, &state.mempool, 0);
    }
    let mut node = Node::new(state, release);
    for text in &saved.mempool {
        let tx = decode(text).and_then(|bytes| L::read_transaction(&bytes));
        let tx = tx.ok_or_else(|| broken("a waiting transaction"))?;
        // What expired meanwhile (by a clock that was set back, say) is dropped, as by a node that restarts.
        drop(node.accept(&tx));
    }
    Ok((node, seed))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok()
}
