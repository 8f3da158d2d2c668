//! What may stand between the daemon and the world. Production has nothing there.

use std::sync::Arc;
use std::time::Duration;

use redb::StorageBackend;
use redb::backends::FileBackend;

use crate::engine::Pace;
use crate::ports::{Chain, Clock, LightningNode, PeerMessenger, Wallet};

/// Takes each adapter once it is made, and the database's file once it is open, and gives what the engine uses in its
/// place: the adapter itself, or something that calls it.
pub trait Seams: Send + Sync {
    /// What the database is stored on.
    type Storage: StorageBackend;

    /// The database's file.
    fn storage(&self, file: FileBackend) -> Self::Storage;

    /// A chain.
    fn chain(&self, chain: Arc<dyn Chain>) -> Arc<dyn Chain> {
        chain
    }

    /// The operator's wallet on a chain.
    fn wallet(&self, wallet: Arc<dyn Wallet>) -> Arc<dyn Wallet> {
        wallet
    }

    /// The Lightning node.
    fn node(&self, node: Arc<dyn LightningNode>) -> Arc<dyn LightningNode> {
        node
    }

    /// The same node's connections to its peers.
    fn messenger(&self, messenger: Arc<dyn PeerMessenger>) -> Arc<dyn PeerMessenger> {
        messenger
    }

    /// The clock.
    fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        clock
    }

    /// Within what time of its first answer the Lightning node has surely read what was sent to it before.
    fn node_reads_within(&self, limit: Duration) -> Duration {
        limit
    }

    /// How long the engine waits between things.
    fn pace(&self, pace: Pace) -> Pace {
        pace
    }
}

/// Nothing in between.
#[derive(Debug, Clone, Copy)]
pub struct Direct;

impl Seams for Direct {
    type Storage = FileBackend;

    fn storage(&self, file: FileBackend) -> FileBackend {
        file
    }
}
