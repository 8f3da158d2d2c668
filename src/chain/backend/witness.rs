//! A second node of the same chain. Where the two show different blocks, one of them is wrong, and nobody knows which.

use bitcoin::BlockHash;
use tracing::{debug, warn};

use crate::chain::rpc::{BlockchainInfo, NodeRpc, RpcError};
use crate::ports::PortError;
use crate::units::Height;

/// Blocks that one node may be ahead of the other before they count as different: a block takes seconds to travel, and
/// on Bitcoin two can come in the same minute.
const MAY_BE_AHEAD: u32 = 3;
/// The newest block is not compared: on Bitcoin two of one height may be about until the next.
const MAY_DIFFER: u32 = 1;

/// Refuses a witness of another chain. One that does not answer now is compared later.
pub(in crate::chain) async fn must_share_block_0(
    witness: &NodeRpc,
    url: &str,
    genesis: BlockHash,
) -> Result<(), PortError> {
    match witness.block_hash(Height(0)).await {
        Ok(theirs) if theirs != genesis => Err(PortError::Refused(format!(
            "the witness at {url} is on another chain: its block 0 is {theirs}, the node's is {genesis}"
        ))),
        Ok(_) => Ok(()),
        Err(error) => {
            warn!(%error, url, "the witness does not answer; it is asked again at every block");
            Ok(())
        }
    }
}

/// Why the chain that `node` shows may not be the one; None where the witness shows the same.
pub(super) async fn difference(node: &NodeRpc, witness: &NodeRpc) -> Result<Option<String>, RpcError> {
    let (ours, theirs) = tokio::try_join!(node.blockchain_info(), witness.blockchain_info())?;
    if let Some(difference) = in_length(node.daemon(), &ours, &theirs) {
        return Ok(Some(difference));
    }
    let height = Height(ours.blocks.min(theirs.blocks).saturating_sub(MAY_DIFFER));
    let (ours, theirs) = tokio::try_join!(node.block_hash(height), witness.block_hash(height))?;
    if ours == theirs {
        debug!(height = height.0, "the witness shows the same blocks");
        return Ok(None);
    }
    Ok(Some(format!(
        "the two nodes show different chains: block {} is {ours} at {}, {theirs} at its witness",
        height.0,
        node.daemon()
    )))
}

/// What is wrong with how far each of them has come. A witness that is behind says nothing of newer blocks, but what it
/// has is compared.
fn in_length(daemon: &str, ours: &BlockchainInfo, theirs: &BlockchainInfo) -> Option<String> {
    let ahead = theirs.blocks.saturating_sub(ours.blocks);
    (ahead > MAY_BE_AHEAD).then(|| {
        format!(
            "{daemon} is at block {}, {ahead} blocks behind its witness",
            ours.blocks
        )
    })
}
