//! A real bitcoind as a world's chain, with coins in a wallet of the harness.

use ::bitcoin::consensus::encode::deserialize_hex;
use ::bitcoin::{Amount, Transaction, Txid};
use anyhow::{Context, Result};
use jsonrpsee::rpc_params;
use serde_json::Value;

use crate::daemons::bitcoind::Bitcoind;
use crate::daemons::require;

/// The harness's own wallet, which also gets what is mined.
const FAUCET: &str = "faucet";
/// What the faucet pays, in sat per vbyte: the least that is relayed.
const RATE: u32 = 1;
/// Blocks that the faucet begins with, forty of them spendable at once, as on the embedded chain.
const FIRST_BLOCKS: u32 = 140;
/// Blocks asked for in one call, so that none takes longer than a call may.
const BATCH: u32 = 500;

/// A node of a Bitcoin chain of its own.
#[derive(Debug)]
pub struct RealBitcoin {
    node: Bitcoind,
}

impl RealBitcoin {
    /// Starts a node and mines the faucet's first coins.
    ///
    /// # Errors
    /// If there is no `bitcoind`, or it does not start.
    pub(super) async fn start() -> Result<RealBitcoin> {
        let node = Bitcoind::start(&require("bitcoind")?).await?;
        let _made: Value = node.call("createwallet", rpc_params![FAUCET]).await?;
        let bitcoin = RealBitcoin { node };
        bitcoin.mine(FIRST_BLOCKS).await?;
        Ok(bitcoin)
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Bitcoind {
        &self.node
    }

    async fn address(&self) -> Result<String> {
        self.node
            .call_wallet(FAUCET, "getnewaddress", rpc_params!["", "bech32"])
            .await
    }

    pub(super) async fn mine(&self, blocks: u32) -> Result<()> {
        // An address of its own for every call: else a block after a reorganisation can equal the one it replaces.
        let address = self.address().await?;
        let mut left = blocks;
        while left > 0 {
            let batch = left.min(BATCH);
            let params = rpc_params![batch, &address];
            let _hashes: Vec<String> = self.node.call("generatetoaddress", params).await?;
            left -= batch;
        }
        Ok(())
    }

    /// A block without what waits in the mempool.
    pub(super) async fn mine_empty(&self) -> Result<()> {
        let nothing: [&str; 0] = [];
        let params = rpc_params![self.address().await?, nothing];
        let _block: Value = self.node.call("generateblock", params).await?;
        Ok(())
    }

    pub(super) async fn reorg(&self, depth: u32) -> Result<()> {
        let first = (self.node.height().await? + 1)
            .checked_sub(depth)
            .filter(|height| *height > 0 && depth > 0);
        let first = first.with_context(|| format!("the chain has no {depth} blocks to replace"))?;
        let hash = self.block_hash(first).await?;
        let _none: Value = self.node.call("invalidateblock", rpc_params![hash]).await?;
        self.mine(depth + 1).await
    }

    async fn block_hash(&self, height: u32) -> Result<String> {
        self.node.call("getblockhash", rpc_params![height]).await
    }

    pub(super) async fn fund(&self, address: &str, amount: Amount) -> Result<Txid> {
        let mut params = jsonrpsee::core::params::ObjectParams::new();
        params.insert("address", address)?;
        params.insert("amount", amount.to_string_in(::bitcoin::Denomination::Bitcoin))?;
        params.insert("fee_rate", RATE)?;
        self.node.call_wallet(FAUCET, "sendtoaddress", params).await
    }

    pub(super) async fn mempool(&self) -> Result<Vec<Txid>> {
        self.node.call("getrawmempool", rpc_params![]).await
    }

    /// The harness's node has an index of transactions.
    pub(super) async fn transaction(&self, txid: &Txid) -> Result<Option<Transaction>> {
        let found = self.node.call::<String>("getrawtransaction", rpc_params![txid]).await;
        match found {
            Ok(raw) => Ok(Some(deserialize_hex(&raw)?)),
            // Its code for what it does not know.
            Err(error) if format!("{error:#}").contains("-5") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A young bitcoind has its whole chain in memory. This method writes it down first, as an hour does elsewhere.
    pub(super) async fn kill(&mut self) -> Result<()> {
        let _coins: Value = self.node.call("gettxoutsetinfo", rpc_params!["none"]).await?;
        self.node.kill();
        Ok(())
    }

    pub(super) async fn restart(&mut self) -> Result<()> {
        self.node.launch().await?;
        let loaded = self.node.call("loadwallet", rpc_params![FAUCET]).await;
        loaded.map(|_: Value| ())
    }
}
