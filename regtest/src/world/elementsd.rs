//! A real elementsd as a world's chain, with the coins of its genesis block in a wallet of the harness.

use std::time::Duration;

use anyhow::{Context, Result};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash};
use elements::confidential::{Asset, Nonce, Value};
use elements::{AssetId, LockTime, Script, Sequence, Transaction, TxIn, TxOut, TxOutWitness, Txid};
use jsonrpsee::rpc_params;
use sluice::chain::elements_rpc::{Auth, Btc, ElementsRpc, Endpoint};
use sluice::units::{FeeRate, Height, RawTx, TxId};

use super::PATIENCE;
use crate::daemons::elementsd::Elementsd;
use crate::daemons::{require, signal, wait_for};

/// The harness's own wallet: the faucet, which also gets what is mined.
const FAUCET: &str = "faucet";
/// What the faucet pays: the least that is relayed.
const RATE: FeeRate = FeeRate(100);
/// Of the transaction that takes the free coins, which pays for its full size.
const FIRST_FEE: u64 = 1_000;
/// Blocks asked for in one call, so that none takes longer than a call may.
const BATCH: u32 = 500;

/// A node of a Liquid chain of its own.
#[derive(Debug)]
pub struct RealLiquid {
    node: Elementsd,
    faucet: ElementsRpc,
    asset: AssetId,
}

impl RealLiquid {
    /// Starts a node, with these options besides the usual ones, and moves the free coins of its chain to the faucet.
    ///
    /// # Errors
    /// If there is no `elementsd`, or it does not start.
    pub(super) async fn start(extra: &[&str]) -> Result<RealLiquid> {
        let exe = require("elementsd")?;
        let options = [&["-acceptdiscountct=1", "-creatediscountct=1"], extra].concat();
        let node = Elementsd::start(&exe, &options).await?;
        let faucet = ElementsRpc::new(&Endpoint {
            url: node.url(),
            auth: Auth::Cookie(node.cookie()),
            wallet: FAUCET.into(),
            timeout: PATIENCE,
            poll: Duration::from_secs(1),
        })?;
        let made = wait_for("the faucet's wallet", PATIENCE, || async {
            Ok(Some(faucet.ensure_wallet().await?))
        });
        made.await?;
        let asset = faucet.sidechain_info().await?.pegged_asset;
        let liquid = RealLiquid { node, faucet, asset };
        liquid.take_free_coins().await?;
        liquid.mine(1).await?;
        Ok(liquid)
    }

    /// The genesis block's coins can be spent by anyone. Its wallet does not always see them (23.3.3), and takes such
    /// coins for its own where it does (28.99): they must be gone before any other wallet is made.
    async fn take_free_coins(&self) -> Result<()> {
        let genesis = self.faucet.block(self.faucet.block_hash(Height(0)).await?).await?;
        let free = |output: &TxOut| output.script_pubkey.as_bytes() == [0x51] && output.value.explicit() > Some(0);
        let found = genesis
            .txdata
            .iter()
            .find_map(|tx| Some((tx, tx.output.iter().position(free)?)));
        let (source, vout) = found.context("the genesis block has no free coins")?;
        let previous_output = elements::OutPoint {
            txid: source.txid(),
            vout: u32::try_from(vout)?,
        };
        let coins = source.output[vout].value.explicit().context("hidden free coins")?;
        let payout = self.faucet.address_info(&self.faucet.new_address("").await?).await?;
        let rest = TxOut {
            asset: Asset::Explicit(self.asset),
            value: Value::Explicit(coins - FIRST_FEE),
            nonce: Nonce::Null,
            script_pubkey: Script::from(payout.script.to_bytes()),
            witness: TxOutWitness::default(),
        };
        let tx = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output,
                sequence: Sequence::MAX,
                ..TxIn::default()
            }],
            output: vec![rest, TxOut::new_fee(FIRST_FEE, self.asset)],
        };
        let raw = RawTx::from(elements::encode::serialize(&tx));
        Ok(self.faucet.send_raw_transaction(&raw).await?)
    }

    /// Where it is and how to talk to it.
    #[must_use]
    pub fn node(&self) -> &Elementsd {
        &self.node
    }

    /// A client whose wallet is the faucet.
    #[must_use]
    pub fn rpc(&self) -> &ElementsRpc {
        &self.faucet
    }

    pub(super) async fn mine(&self, blocks: u32) -> Result<()> {
        // An address of its own for every call: else a block after a reorganisation can equal the one it replaces.
        let address = self.faucet.new_address("").await?;
        let mut left = blocks;
        while left > 0 {
            let batch = left.min(BATCH);
            let params = rpc_params![batch, &address];
            let _hashes: Vec<BlockHash> = self.faucet.call("generatetoaddress", params).await?;
            left -= batch;
        }
        Ok(())
    }

    /// A block without what waits in the mempool.
    pub(super) async fn mine_empty(&self) -> Result<()> {
        let nothing: [&str; 0] = [];
        let params = rpc_params![self.faucet.new_address("").await?, nothing];
        let _block: serde_json::Value = self.faucet.call("generateblock", params).await?;
        Ok(())
    }

    pub(super) async fn reorg(&self, depth: u32) -> Result<()> {
        let first = (self.height().await? + 1)
            .checked_sub(depth)
            .filter(|height| *height > 0 && depth > 0);
        let first = first.with_context(|| format!("the chain has no {depth} blocks to replace"))?;
        let hash = self.faucet.block_hash(Height(first)).await?;
        self.faucet
            .call::<serde_json::Value>("invalidateblock", rpc_params![hash])
            .await?;
        self.mine(depth + 1).await
    }

    pub(super) async fn height(&self) -> Result<u32> {
        Ok(self.faucet.blockchain_info().await?.blocks)
    }

    pub(super) async fn fund(&self, address: &str, amount: Amount) -> Result<Txid> {
        let sent = self.faucet.send_to_address(address, Btc(amount), self.asset, RATE);
        let id = sent.await.with_context(|| format!("address {address}"))?;
        Ok(Txid::from_byte_array(id.0.to_byte_array()))
    }

    pub(super) async fn mempool(&self) -> Result<Vec<Txid>> {
        let waiting = self.faucet.mempool().await?;
        Ok(waiting
            .into_iter()
            .map(|id| Txid::from_byte_array(id.0.to_byte_array()))
            .collect())
    }

    /// Read from the blocks themselves: the node has no index of transactions, as an operator's has none.
    pub(super) async fn transaction(&self, txid: &Txid) -> Result<Option<Transaction>> {
        let id = TxId(bitcoin::Txid::from_byte_array(txid.to_byte_array()));
        if let Some(waiting) = self.faucet.mempool_transaction(id).await? {
            return Ok(Some(waiting));
        }
        for height in (0..=self.height().await?).rev() {
            let block = self.faucet.block(self.faucet.block_hash(Height(height)).await?).await?;
            if let Some(found) = block.txdata.into_iter().find(|tx| tx.txid() == *txid) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(super) fn signal(&self, name: &str) -> Result<()> {
        signal(self.node.pid().context("elementsd does not run")?, name)
    }

    pub(super) fn kill(&mut self) {
        self.node.kill();
    }

    pub(super) async fn launch(&mut self) -> Result<()> {
        self.node.launch().await?;
        let answers = wait_for("elementsd's answer", PATIENCE, || async {
            Ok(Some(self.faucet.ensure_wallet().await?))
        });
        answers.await
    }
}
