use sluice_regtest::lightning::proto::lnrpc::{
    ChanInfoRequest, GetInfoRequest, GetStateRequest, ListPeersRequest, WalletState,
};
use tonic::Code;

use crate::client::Client;
use crate::pair::{Pair, channel, info, public_key, refusal};

async fn get_info(client: &Client) -> Result<(), tonic::Status> {
    client.lightning.clone().get_info(GetInfoRequest {}).await.map(|_| ())
}

#[tokio::test]
async fn a_call_without_a_macaroon_is_refused() {
    let pair = Pair::new().await;
    let refused = refusal(get_info(&pair.payer.with_macaroon(None)).await);
    assert_eq!(refused, (Code::Unknown, "expected 1 macaroon, got 0".into()));
}

#[tokio::test]
async fn another_nodes_macaroon_is_refused() {
    let pair = Pair::new().await;
    let other = pair.payer.with_macaroon(pair.payee.macaroon.as_deref());
    let text = "verification failed: signature mismatch after caveat verification";
    assert_eq!(refusal(get_info(&other).await), (Code::Unknown, text.into()));
}

#[tokio::test]
async fn what_is_no_macaroon_is_refused() {
    let pair = Pair::new().await;
    let (code, text) = refusal(get_info(&pair.payer.with_macaroon(Some("0201zz"))).await);
    assert_eq!((code, text.split(':').next()), (Code::Unknown, Some("encoding/hex")));
    let refused = refusal(get_info(&pair.payer.with_macaroon(Some("00ff"))).await);
    let text = "cannot determine data format of binary-encoded macaroon";
    assert_eq!(refused, (Code::Unknown, text.into()));
}

#[tokio::test]
async fn the_state_needs_no_macaroon() {
    let pair = Pair::new().await;
    let state = pair
        .payer
        .state
        .clone()
        .get_state(GetStateRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(state.state(), WalletState::ServerActive);
}

#[tokio::test]
async fn info_names_the_node_and_its_network() {
    let pair = Pair::new().await;
    let answer = info(&pair.payer).await;
    assert_eq!(answer.chains[0].network, "regtest");
    assert_eq!(hex::decode(&answer.identity_pubkey).unwrap().len(), 33);
    assert!(answer.version.starts_with("0.20.0-beta"));
    assert!(answer.synced_to_chain);
    assert_eq!((answer.num_active_channels, answer.num_peers), (1, 1));
}

#[tokio::test]
async fn a_channel_adds_up_to_its_capacity() {
    let pair = Pair::new().await;
    let ours = channel(&pair.payer).await;
    let theirs = channel(&pair.payee).await;
    assert!(ours.active && ours.initiator && !theirs.initiator);
    assert_eq!(ours.remote_pubkey, info(&pair.payee).await.identity_pubkey);
    // Anchors are 660 sat, the fee of a commitment without HTLCs 2810 at LND's ceiling of 10 sat/vB.
    assert_eq!(ours.commit_fee, 2_810);
    assert_eq!(
        ours.local_balance + ours.remote_balance + ours.commit_fee + 660,
        ours.capacity
    );
    assert_eq!(
        (theirs.local_balance, theirs.remote_balance),
        (ours.remote_balance, ours.local_balance)
    );
    let limits = ours.local_constraints.unwrap();
    assert_eq!(limits.chan_reserve_sat, 100_000);
    assert_eq!(limits.max_pending_amt_msat, 9_900_000_000);
    assert_eq!(
        (limits.csv_delay, limits.dust_limit_sat, limits.max_accepted_htlcs),
        (1_201, 354, 483)
    );
}

#[tokio::test]
async fn the_graph_knows_the_largest_htlc() {
    let pair = Pair::new().await;
    let request = ChanInfoRequest { chan_id: pair.scid };
    let edge = pair
        .payer
        .lightning
        .clone()
        .get_chan_info(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(edge.capacity, 10_000_000);
    assert_eq!(edge.node1_policy.unwrap().max_htlc_msat, 9_900_000_000);
    assert!(edge.node1_pub < edge.node2_pub);
    let unknown = ChanInfoRequest { chan_id: 1 };
    let refused = refusal(pair.payer.lightning.clone().get_chan_info(unknown).await);
    assert_eq!(refused, (Code::NotFound, "edge not found".into()));
}

#[tokio::test]
async fn the_peer_of_a_channel_is_a_peer() {
    let pair = Pair::new().await;
    let peers = pair
        .payer
        .lightning
        .clone()
        .list_peers(ListPeersRequest::default())
        .await
        .unwrap()
        .into_inner()
        .peers;
    assert_eq!(hex::decode(&peers[0].pub_key).unwrap(), public_key(&pair.payee).await);
}
