//! Channels that are used before a block holds them, opened with an lnd, which accepts one only if a program says so.

use async_trait::async_trait;
use http::uri::PathAndQuery;
use sluice::node::lnd::LndConfig;
use sluice::ports::{Channel, PaymentSpec};
use sluice::swap::event::{Failure, PaymentStatus};
use sluice::units::Scid;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use crate::bench::{Bench, Two, eventually, sat};
use crate::pinned;

/// The part of `lnrpc.ChannelAcceptRequest` that is needed (lnrpc/lightning.proto, v0.20.0-beta).
#[derive(Clone, PartialEq, prost::Message)]
struct Asked {
    #[prost(bytes = "vec", tag = "3")]
    pending_chan_id: Vec<u8>,
}

/// Likewise of `lnrpc.ChannelAcceptResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(bool, tag = "1")]
    accept: bool,
    #[prost(bytes = "vec", tag = "2")]
    pending_chan_id: Vec<u8>,
    #[prost(bool, tag = "11")]
    zero_conf: bool,
}

/// Accepts every channel that is opened with an lnd, without a confirmation, until dropped.
struct Acceptor {
    _task: JoinSet<()>,
}

impl Acceptor {
    async fn of(lnd: &LndConfig) -> Acceptor {
        let mut api = Grpc::new(pinned::open(&lnd.address, &lnd.tls_cert).await);
        api.ready().await.unwrap();
        let macaroon = hex::encode(std::fs::read(&lnd.macaroon).unwrap());
        let (answers, sent) = mpsc::channel(1);
        let mut request = Request::new(ReceiverStream::new(sent));
        request.metadata_mut().insert("macaroon", macaroon.parse().unwrap());
        let path = PathAndQuery::from_static("/lnrpc.Lightning/ChannelAcceptor");
        let mut task = JoinSet::new();
        task.spawn(async move {
            // it answers with the first channel that it asks about
            let codec = ProstCodec::<Answer, Asked>::default();
            let mut asked = api.streaming(request, path, codec).await.unwrap().into_inner();
            while let Some(Ok(Asked { pending_chan_id })) = asked.next().await {
                let answer = Answer {
                    accept: true,
                    pending_chan_id,
                    zero_conf: true,
                };
                answers.send(answer).await.unwrap();
            }
        });
        Acceptor { _task: task }
    }
}

/// Pays over the channel of that name, and sees the money leave the one channel that is meant.
async fn pay_over(two: &Two, name: Scid) {
    let local = async || two.payer_channel().await.local;
    let before = local().await;
    let (preimage, spec) = two.invoice(sat(10_000)).await;
    let spec = PaymentSpec { scid: name, ..spec };
    // lnd has no way over it for a moment, while its graph gives the channel its confirmed id
    let paid = async || match two.pay(&spec).await {
        PaymentStatus::Failed(Failure::Temporary) => false,
        end => end == PaymentStatus::Paid(preimage.clone()) || panic!("{end:?}"),
    };
    eventually("the payment", paid).await;
    eventually("the money to leave that channel", async || local().await < before).await;
}

/// Each lnd counts its aliases from the same number: both ends may have chosen the same one.
fn goes_by(channel: &Channel, name: Scid) -> bool {
    channel.scid == name || channel.aliases.contains(&name)
}

/// A bench whose payee is an lnd.
#[async_trait]
pub trait Unconfirmed: Bench {
    /// The payee, with every permission.
    fn payee_config(&self) -> LndConfig;
    /// Another channel, in use and in no block, by the payer's alias of it.
    async fn open_unconfirmed(&self) -> Scid;
    async fn mine(&self, blocks: u32);
}

pub async fn a_channel_is_paid_over_before_and_after_it_confirms(bench: &mut impl Unconfirmed) {
    let acceptor = Acceptor::of(&bench.payee_config()).await;
    let alias = bench.open_unconfirmed().await;
    drop(acceptor);
    let mut two = Two {
        scid: alias,
        ..Two::of(bench)
    };
    let (payer, payee) = (two.payer_id().await, two.payee_id().await);
    let channel = two.payer_channel().await;
    assert!(channel.active && channel.peer == payee, "{channel:?}");
    let theirs = async || {
        let channels = two.payee.channels().await.unwrap();
        channels.into_iter().find(|theirs| goes_by(theirs, alias))
    };
    eventually("the payer's name at the payee", async || theirs().await.is_some()).await;
    let theirs = theirs().await.unwrap();
    assert_eq!(theirs.peer, payer);
    for name in [alias, theirs.scid] {
        pay_over(&two, name).await;
    }

    bench.mine(6).await;
    let known = async || {
        let channels = two.payer.channels().await.unwrap();
        channels.into_iter().find(|channel| goes_by(channel, alias))
    };
    eventually("its place in the chain", async || {
        known().await.is_some_and(|channel| channel.scid != alias)
    })
    .await;
    two.scid = known().await.unwrap().scid;
    two.wait_active().await;
    for name in [alias, two.scid] {
        pay_over(&two, name).await;
    }
}
