//! What the cases need of a world besides the adapter that they examine.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bitcoin::Amount;
use futures::StreamExt;
use futures::stream::BoxStream;
use sluice::ports::{Channel, InvoiceSpec, PaymentSpec, PeerEvent, PortError};
use sluice::swap::event::PaymentStatus;
use sluice::units::{CltvDelta, Msat, NodeId, PaymentHash, Preimage, Scid};
use sluice_regtest::world::access::{Adapter, NodeAccess};

/// However slow the machine: what takes longer will never come.
pub const LIMIT: Duration = Duration::from_secs(30);
/// A claim payment's, for Liquid (protocol version 7).
pub const MAX_CLTV: CltvDelta = CltvDelta(33);
/// A claim invoice's, likewise.
pub const FINAL_CLTV: CltvDelta = CltvDelta(29);

/// Two nodes with a channel between them, in which both have money.
#[async_trait]
pub trait Bench: Send {
    /// How the node that pays is reached.
    fn payer(&self) -> NodeAccess;
    /// How the node that is paid is reached.
    fn payee(&self) -> NodeAccess;
    /// How a third node of the payer's kind is reached, or the payee if it is of that kind.
    async fn stranger(&mut self) -> NodeAccess;
    /// The channel.
    fn scid(&self) -> Scid;
    /// Another channel of the same two, with an alias of it.
    async fn aliased(&mut self) -> (Scid, Scid);
    /// A node whose wallet is not open, if the world has one.
    async fn locked(&mut self) -> Option<NodeAccess>;
    /// The payer, reached with too few permissions, and what is said of that; None if its kind has none.
    async fn weak(&mut self) -> Option<(NodeAccess, &'static str)> {
        None
    }
    /// Makes an invoice of the payee whose HTLC will be held when it comes; None if this payee can hold none.
    async fn held_invoice(&mut self, preimage: &Preimage, amount: Msat) -> Option<String>;
    /// Returns once an HTLC of that hash is held, with the height at which it expires.
    async fn wait_held(&mut self, hash: PaymentHash) -> u32;
    /// Settles it.
    async fn settle(&mut self, preimage: &Preimage);
    /// Sends it back as of unknown details.
    async fn fail(&mut self, hash: PaymentHash);
    /// HTLCs that the payer ever sent for a hash.
    async fn htlcs_sent(&mut self, hash: PaymentHash) -> usize;
    /// Kills the payer.
    async fn payer_away(&mut self);
    /// Starts it again.
    async fn payer_back(&mut self);
    /// Makes the payee stand still: its connections stay up, and it does nothing.
    async fn payee_halts(&mut self);
    /// Lets it go on.
    async fn payee_goes_on(&mut self);
    /// Kills the payee, also while it stands still.
    async fn payee_away(&mut self);
    /// Starts it again.
    async fn payee_back(&mut self);
    /// Cuts the connection of the two; nothing restores it.
    async fn disconnect(&mut self);
    /// Restores it.
    async fn reconnect(&mut self);
}

/// The two adapters, and what nearly every case does with them.
pub struct Two {
    pub payer: Arc<dyn Adapter>,
    pub payee: Arc<dyn Adapter>,
    pub scid: Scid,
}

impl Two {
    pub fn of(bench: &dyn Bench) -> Two {
        Two {
            payer: bench.payer().adapter(),
            payee: bench.payee().adapter(),
            scid: bench.scid(),
        }
    }

    pub async fn payer_id(&self) -> NodeId {
        self.payer.info().await.unwrap().id
    }

    pub async fn payee_id(&self) -> NodeId {
        self.payee.info().await.unwrap().id
    }

    pub async fn channel_of(&self, node: &Arc<dyn Adapter>) -> Channel {
        self.find_channel(node).await.expect("the node has the channel")
    }

    /// None while the node does not know it by its id yet.
    async fn find_channel(&self, node: &Arc<dyn Adapter>) -> Option<Channel> {
        let channels = node.channels().await.unwrap();
        channels.into_iter().find(|channel| channel.scid == self.scid)
    }

    pub async fn payer_channel(&self) -> Channel {
        self.channel_of(&self.payer).await
    }

    /// An invoice of the payee, and what to pay it by.
    pub async fn invoice(&self, amount: Msat) -> (Preimage, PaymentSpec) {
        let preimage = new_preimage();
        let bolt11 = self
            .payee
            .ensure_invoice(&invoice_spec(&preimage, amount))
            .await
            .unwrap();
        let spec = self.payment(bolt11, &preimage, amount);
        (preimage, spec)
    }

    /// An invoice of the payer, and what the payee pays it by.
    pub async fn back(&self, amount: Msat) -> (Preimage, PaymentSpec) {
        let preimage = new_preimage();
        let made = self.payer.ensure_invoice(&invoice_spec(&preimage, amount)).await;
        let spec = self.payment(made.unwrap(), &preimage, amount);
        (preimage, spec)
    }

    pub fn payment(&self, bolt11: String, preimage: &Preimage, amount: Msat) -> PaymentSpec {
        PaymentSpec {
            bolt11,
            hash: preimage.hash(),
            amount,
            scid: self.scid,
            max_cltv: Some(MAX_CLTV),
            time_limit: Duration::from_secs(20),
        }
    }

    pub async fn pay(&self, spec: &PaymentSpec) -> PaymentStatus {
        within("the payment", self.payer.ensure_payment(spec)).await.unwrap()
    }

    /// What the payer knows of a payment, once that counts.
    pub async fn status(&self, hash: PaymentHash) -> PaymentStatus {
        let known = async {
            loop {
                match self.payer.payment_status(hash).await {
                    Err(PortError::Unreachable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                    answer => return answer.unwrap(),
                }
            }
        };
        within("a word on the payment that counts", known).await
    }

    /// Returns once both ends call the channel active.
    pub async fn wait_active(&self) {
        eventually("an active channel", async || {
            let both = [
                self.find_channel(&self.payer).await,
                self.find_channel(&self.payee).await,
            ];
            both.iter()
                .all(|channel| channel.as_ref().is_some_and(|channel| channel.active))
        })
        .await;
    }

    /// Returns once no HTLC is in the channel any more, and both ends see that.
    pub async fn wait_quiet(&self) {
        // What is neither end's is the commitment's fee with its anchors, or an HTLC of at least 10,000 sat.
        let quiet = |c: &Channel| c.active && c.capacity - c.local - c.remote < Amount::from_sat(5_000);
        eventually("a channel without HTLCs", async || {
            quiet(&self.payer_channel().await) && quiet(&self.channel_of(&self.payee).await)
        })
        .await;
    }
}

pub fn new_preimage() -> Preimage {
    Preimage::from_bytes(rand::random())
}

pub fn sat(amount: u64) -> Msat {
    Msat::from_amount(Amount::from_sat(amount)).unwrap()
}

pub fn invoice_spec(preimage: &Preimage, amount: Msat) -> InvoiceSpec {
    InvoiceSpec {
        preimage: preimage.clone(),
        amount,
        description: "peerswap lbtc claim 1x1x1 00".into(),
        expiry_secs: 3600,
        final_cltv: Some(FINAL_CLTV),
    }
}

/// Fails instead of waiting for ever.
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work)
        .await
        .unwrap_or_else(|_| panic!("waited {LIMIT:?} for {what}"))
}

/// Looks until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// The next event that is wanted.
pub async fn next<T>(events: &mut BoxStream<'static, PeerEvent>, wanted: impl Fn(PeerEvent) -> Option<T>) -> T {
    within("an event of a peer", async {
        loop {
            if let Some(found) = wanted(events.next().await.expect("the stream goes on")) {
                return found;
            }
        }
    })
    .await
}

/// Listens to a node's peers.
pub async fn events(node: &Arc<dyn Adapter>) -> BoxStream<'static, PeerEvent> {
    within("the subscription", node.events()).await.unwrap()
}
