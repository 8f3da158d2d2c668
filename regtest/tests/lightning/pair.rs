//! Two nodes with a channel: embedded, or real ones where the contract says so.

use std::path::Path;

use bitcoin::Amount;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sluice::units::{PaymentHash, Preimage, Scid};
use sluice_regtest::lightning::proto::lnrpc::{
    self, GetInfoRequest, ListChannelsRequest, Payment, SendCustomMessageRequest,
};
use sluice_regtest::lightning::proto::routerrpc::SendPaymentRequest;
use sluice_regtest::lightning::{ChannelSpec, Network, Node, Options};
use tempfile::TempDir;
use tonic::{Response, Status, Streaming};

use crate::client::Client;

/// What the contract needs to know of either world.
pub struct Pair {
    pub payer: Client,
    pub payee: Client,
    /// The channel's id at the payer.
    pub scid: u64,
    _world: Option<World>,
}

/// Two embedded nodes, 10,000,000 sat in a channel that alice opened, half on each side.
pub struct World {
    pub network: Network,
    pub alice: Node,
    pub bob: Node,
    pub scid: Scid,
    _directory: TempDir,
}

impl World {
    pub async fn new() -> World {
        World::with(ChannelSpec::new(
            Amount::from_sat(10_000_000),
            Amount::from_sat(5_000_000),
        ))
        .await
    }

    pub async fn with(channel: ChannelSpec) -> World {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(directory.path());
        options.latency = std::time::Duration::from_millis(4);
        let network = Network::new(options);
        let alice = network.add_node("alice").await.unwrap();
        let bob = network.add_node("bob").await.unwrap();
        let scid = network.open_channel(&alice, &bob, &channel).unwrap();
        World {
            network,
            alice,
            bob,
            scid,
            _directory: directory,
        }
    }

    pub async fn client(node: &Node) -> Client {
        Client::connect(
            &node.address().to_string(),
            &node.tls_cert_path(),
            &node.macaroon_path(),
        )
        .await
    }
}

impl Pair {
    pub async fn new() -> Pair {
        match std::env::var("LIGHTNING_CONTRACT") {
            Ok(nodes) => {
                let (payer, payee) = nodes.split_once(',').expect("PAYER,PAYEE");
                Pair::of(real(payer).await, real(payee).await, None).await
            }
            Err(_) => {
                let world = World::new().await;
                let (payer, payee) = (World::client(&world.alice).await, World::client(&world.bob).await);
                Pair::of(payer, payee, Some(world)).await
            }
        }
    }

    async fn of(payer: Client, payee: Client, world: Option<World>) -> Pair {
        // Real nodes may have lost their connection in the test before.
        while !channel(&payer).await.active || !channel(&payee).await.active {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let scid = channel(&payer).await.chan_id;
        Pair {
            payer,
            payee,
            scid,
            _world: world,
        }
    }
}

async fn real(node: &str) -> Client {
    let (directory, address) = node.split_once('@').expect("LNDDIR@HOST:PORT");
    let directory = Path::new(directory);
    let macaroon = directory.join("data/chain/bitcoin/regtest/admin.macaroon");
    Client::connect(address, &directory.join("tls.cert"), &macaroon).await
}

/// The node's only channel.
pub async fn channel(client: &Client) -> lnrpc::Channel {
    let request = ListChannelsRequest::default();
    let mut channels = client
        .lightning
        .clone()
        .list_channels(request)
        .await
        .unwrap()
        .into_inner()
        .channels;
    assert_eq!(channels.len(), 1);
    channels.remove(0)
}

pub async fn info(client: &Client) -> lnrpc::GetInfoResponse {
    client
        .lightning
        .clone()
        .get_info(GetInfoRequest {})
        .await
        .unwrap()
        .into_inner()
}

pub async fn public_key(client: &Client) -> Vec<u8> {
    hex::decode(info(client).await.identity_pubkey).unwrap()
}

pub fn preimage() -> Preimage {
    Preimage::from_bytes(rand::random())
}

/// An invoice for a preimage.
pub fn invoice(preimage: &Preimage, value_msat: i64) -> lnrpc::Invoice {
    lnrpc::Invoice {
        memo: "a test".into(),
        r_preimage: preimage.expose().to_vec(),
        value_msat,
        expiry: 3_600,
        cltv_expiry: 29,
        ..Default::default()
    }
}

/// Adds an invoice with a new preimage: its hash and its text.
pub async fn billed(payee: &Client, value_msat: i64) -> (PaymentHash, String) {
    let preimage = preimage();
    let answer = payee
        .lightning
        .clone()
        .add_invoice(invoice(&preimage, value_msat))
        .await
        .unwrap();
    (preimage.hash(), answer.into_inner().payment_request)
}

/// A payment over the given channel with the limits of the protocol.
pub fn payment(bolt11: &str, scid: u64) -> SendPaymentRequest {
    SendPaymentRequest {
        payment_request: bolt11.into(),
        timeout_seconds: 30,
        cltv_limit: 33,
        max_parts: 1,
        outgoing_chan_ids: vec![scid],
        ..Default::default()
    }
}

/// Pays and waits for the end.
pub async fn pay(payer: &Client, request: SendPaymentRequest) -> Result<Payment, Status> {
    let updates = payer.router.clone().send_payment_v2(request).await?.into_inner();
    Ok(all(updates).await?.pop().expect("the last update is terminal"))
}

/// Everything a stream sends until it ends.
pub async fn all<T>(mut stream: Streaming<T>) -> Result<Vec<T>, Status> {
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item?);
    }
    Ok(items)
}

pub async fn lookup(client: &Client, hash: PaymentHash) -> Result<lnrpc::Invoice, Status> {
    let request = lnrpc::PaymentHash {
        r_hash: hash.0.to_vec(),
    };
    Ok(client.lightning.clone().lookup_invoice(request).await?.into_inner())
}

pub async fn message(from: &Client, to: &[u8], kind: u32, data: &[u8]) -> Result<(), Status> {
    let request = SendCustomMessageRequest {
        peer: to.to_vec(),
        r#type: kind,
        data: data.to_vec(),
    };
    from.lightning.clone().send_custom_message(request).await.map(|_| ())
}

/// The text of a refusal, with its code.
pub fn refusal<T>(result: Result<T, Status>) -> (tonic::Code, String) {
    let status = result.err().expect("a refusal");
    (status.code(), status.message().to_owned())
}

/// Opens a subscription that may have nothing to say yet: LND answers with the first update only, so the request is
/// put on its way by one poll, and a call behind it on the same connection shows that it was read.
pub async fn subscribed<T: Send + 'static>(
    client: &Client,
    call: impl Future<Output = Result<Response<Streaming<T>>, Status>> + Send + 'static,
) -> BoxStream<'static, Result<T, Status>> {
    let updates = stream::once(call).map_ok(Response::into_inner).try_flatten();
    let mut updates = Box::pin(updates.peekable());
    assert!(futures::poll!(updates.as_mut().peek()).is_pending());
    info(client).await;
    updates
}
