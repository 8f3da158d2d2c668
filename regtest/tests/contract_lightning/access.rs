//! Reaching the node, and what it says of itself.

use std::path::Path;

use sluice::node::lnd::{Lnd, LndConfig};
use sluice::ports::{LightningNode, PeerMessenger, PortError};
use sluice::units::PaymentHash;

use crate::bench::{Bench, Two, eventually};

fn unreachable_text<T: std::fmt::Debug>(result: Result<T, PortError>) -> String {
    match result {
        Err(PortError::Unreachable(text)) => text,
        other => panic!("expected Unreachable, got {other:?}"),
    }
}

pub async fn a_node_tells_who_and_where_it_is(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let info = two.payer.info().await.unwrap();
    assert_eq!(info.network, "regtest");
    assert!(info.version.starts_with("lnd 0."), "{}", info.version);
    assert!(!info.version.contains("commit"), "{}", info.version);
    assert!(info.synced);
    assert!(info.block_height > 0);
    assert_eq!(two.payee.connected().await.unwrap(), vec![info.id]);
}

pub async fn channels_are_seen_alike_from_both_ends(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (ours, theirs) = (two.payer_channel().await, two.channel_of(&two.payee).await);
    assert_eq!(ours.peer, two.payee_id().await);
    assert_eq!(theirs.peer, two.payer_id().await);
    assert!(ours.active && theirs.active);
    assert_eq!((ours.local, ours.remote), (theirs.remote, theirs.local));
    assert_eq!(ours.capacity, theirs.capacity);
    assert_eq!((ours.spendable, ours.receivable), (theirs.receivable, theirs.spendable));
    assert!(ours.spendable < ours.local, "{ours:?}");
    assert!(ours.receivable < ours.remote, "{ours:?}");
}

/// A copy of the config whose file can be changed.
fn with_copies(config: &LndConfig, folder: &Path) -> LndConfig {
    let copy = LndConfig {
        tls_cert: folder.join("tls.cert"),
        macaroon: folder.join("admin.macaroon"),
        ..config.clone()
    };
    std::fs::copy(&config.tls_cert, &copy.tls_cert).unwrap();
    std::fs::copy(&config.macaroon, &copy.macaroon).unwrap();
    copy
}

pub async fn a_wrong_macaroon_is_named_and_read_again_once_mended(bench: &mut dyn Bench) {
    let folder = tempfile::tempdir().unwrap();
    let config = with_copies(&bench.payer_config(), folder.path());
    std::fs::copy(bench.payee_config().macaroon, &config.macaroon).unwrap();
    let node = Lnd::new(config.clone());
    let text = unreachable_text(node.info().await);
    assert!(
        text.starts_with("lnd GetInfo: the macaroon does not allow it"),
        "{text}"
    );
    let hash = PaymentHash([1; 32]);
    unreachable_text(node.payment_status(hash).await);
    unreachable_text(node.watch_invoice(hash).await.map(|_| ()));
    unreachable_text(node.events().await.map(|_| ()));
    std::fs::remove_file(&config.macaroon).unwrap();
    let text = unreachable_text(node.info().await);
    assert!(text.contains("cannot read the macaroon"), "{text}");
    std::fs::copy(bench.payer_config().macaroon, &config.macaroon).unwrap();
    node.info().await.unwrap();
}

pub async fn a_wrong_certificate_is_named_and_read_again_once_mended(bench: &mut dyn Bench) {
    let folder = tempfile::tempdir().unwrap();
    let config = with_copies(&bench.payer_config(), folder.path());
    std::fs::copy(bench.payee_config().tls_cert, &config.tls_cert).unwrap();
    let node = Lnd::new(config.clone());
    let text = unreachable_text(node.info().await);
    assert!(text.contains("its certificate is not the configured one"), "{text}");
    std::fs::write(&config.tls_cert, "no certificate").unwrap();
    let text = unreachable_text(node.info().await);
    assert!(text.contains("holds no certificate"), "{text}");
    std::fs::copy(bench.payer_config().tls_cert, &config.tls_cert).unwrap();
    node.info().await.unwrap();
}

pub async fn a_node_without_open_wallet_is_not_ready(bench: &mut dyn Bench) {
    let Some(config) = bench.locked_config().await else {
        return;
    };
    let node = Lnd::new(config);
    let text = unreachable_text(node.info().await);
    assert!(text.contains("wallet"), "{text}");
    unreachable_text(node.payment_status(PaymentHash([1; 32])).await);
    unreachable_text(node.cancel_invoice(PaymentHash([1; 32])).await);
}

pub async fn a_node_that_is_away_is_unreachable(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    two.payer.info().await.unwrap();
    bench.payer_away().await;
    let text = unreachable_text(two.payer.info().await);
    assert!(text.starts_with("lnd GetInfo: "), "{text}");
    unreachable_text(two.payer.payment_status(PaymentHash([1; 32])).await);
    bench.payer_back().await;
    eventually("the node to answer again", async || two.payer.info().await.is_ok()).await;
    two.wait_active().await;
}
