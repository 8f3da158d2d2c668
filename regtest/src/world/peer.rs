//! A peer without a `sluiced`: a Lightning node whose custom messages the harness writes by hand.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use bitcoin::Amount;
use futures::StreamExt;
use serde_json::Value;
use sluice::node::lnd::{Lnd, LndConfig};
use sluice::ports::{PeerEvent, PeerMessenger};
use sluice::protocol::MessageType;
use sluice::units::{NodeId, Scid};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::PATIENCE;
use crate::lightning::{ChannelSpec, Network, Node};

/// What its channel holds, half on either side.
const CAPACITY: Amount = Amount::from_sat(10_000_000);

/// A custom message that it got.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Its type.
    pub kind: MessageType,
    /// Its JSON.
    pub body: Value,
}

impl Heard {
    /// The swap it names.
    #[must_use]
    pub fn swap_id(&self) -> &str {
        self.body["swap_id"].as_str().unwrap_or_default()
    }
}

/// The peer. Dropped, it stops to listen.
pub struct RawPeer {
    /// Its Lightning node.
    pub node: Node,
    /// Its channel with the other.
    pub scid: Scid,
    /// What drives the node.
    pub lnd: Arc<Lnd>,
    other: NodeId,
    heard: Arc<Mutex<Vec<Heard>>>,
    changed: watch::Receiver<usize>,
    listening: JoinHandle<()>,
}

impl RawPeer {
    /// Makes a node with a channel to `other`, and listens to what it is told.
    ///
    /// # Errors
    /// If node or channel cannot be made, or it does not answer.
    pub async fn join(network: &Network, name: &str, other: &Node) -> Result<RawPeer> {
        let node = network.add_node(name).await?;
        let lnd = Arc::new(Lnd::new(LndConfig {
            address: node.address().to_string(),
            tls_cert: node.tls_cert_path(),
            macaroon: node.macaroon_path(),
        }));
        let mut events = lnd.events().await?;
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (changes, changed) = watch::channel(0);
        let kept = heard.clone();
        let listening = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let PeerEvent::Message(message) = event else { continue };
                let Some(kind) = MessageType::from_code(message.kind) else {
                    continue;
                };
                let body = serde_json::from_slice(&message.payload).unwrap_or(Value::Null);
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push(Heard { kind, body });
                changes.send_replace(kept.len());
            }
        });
        let scid = network.open_channel(&node, other, &ChannelSpec::new(CAPACITY, CAPACITY / 2))?;
        let other = other.id();
        Ok(RawPeer {
            node,
            scid,
            lnd,
            other,
            heard,
            changed,
            listening,
        })
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Sends a payload, whatever it is.
    ///
    /// # Errors
    /// If the node does not take it.
    pub async fn say(&self, kind: MessageType, payload: impl AsRef<[u8]>) -> Result<()> {
        let payload = payload.as_ref().to_vec();
        Ok(self.lnd.send(self.other, kind.code(), payload).await?)
    }

    /// Everything it was told so far.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many messages of a type it was told about a swap.
    #[must_use]
    pub fn count(&self, kind: MessageType, swap_id: &str) -> usize {
        let heard = self.heard();
        heard
            .iter()
            .filter(|heard| heard.kind == kind && heard.swap_id() == swap_id)
            .count()
    }

    /// Waits until something fits among what it was told, and returns the first of that.
    ///
    /// # Errors
    /// After [`PATIENCE`], with all that it was told.
    pub async fn hear(&self, what: &str, fits: impl Fn(&Heard) -> bool) -> Result<Value> {
        let mut changed = self.changed.clone();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = self.heard().into_iter().find(|heard| fits(heard)) {
                    return Ok(found.body);
                }
                changed.changed().await.context("the node ended its stream")?;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.map_err(|_| anyhow!("waited {PATIENCE:?} to hear {what}; heard {:#?}", self.heard()))?
    }

    /// Waits for a message of a type about a swap.
    ///
    /// # Errors
    /// As [`RawPeer::hear`].
    pub async fn hear_of(&self, kind: MessageType, swap_id: &str) -> Result<Value> {
        self.hear(kind.name(), |heard| heard.kind == kind && heard.swap_id() == swap_id)
            .await
    }

    /// Offers swaps without premium and waits for the answer: when it comes, all that was said before has been read.
    ///
    /// # Errors
    /// As [`RawPeer::hear`].
    pub async fn greet(&self) -> Result<Value> {
        let polls = |heard: &[Heard]| heard.iter().filter(|heard| heard.kind == MessageType::Poll).count();
        let before = polls(&self.heard());
        let offer = br#"{"version":7,"assets":["LBTC"],"peer_allowed":true}"#;
        self.say(MessageType::RequestPoll, offer).await?;
        self.hear("a poll", |_| polls(&self.heard()) > before).await?;
        let heard = self.heard();
        let last = heard.iter().rfind(|heard| heard.kind == MessageType::Poll);
        Ok(last.map(|heard| heard.body.clone()).unwrap_or_default())
    }
}

impl Drop for RawPeer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
