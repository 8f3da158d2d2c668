//! Reaching the node, and what it says of itself.

use std::path::Path;

use bitcoin::Amount;
use sluice::node::cln::ClnConfig;
use sluice::node::lnd::LndConfig;
use sluice::ports::PortError;
use sluice::units::PaymentHash;
use sluice_regtest::world::access::NodeAccess;

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
    let backend = format!("{} ", bench.payer().backend());
    let number = info.version.strip_prefix(&backend).unwrap_or_default();
    assert!(number.starts_with(|c: char| c.is_ascii_digit()), "{}", info.version);
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
    assert_eq!(ours.capacity, theirs.capacity);
    if bench.payer().backend() == bench.payee().backend() {
        assert_eq!((ours.local, ours.remote), (theirs.remote, theirs.local));
        assert_eq!((ours.spendable, ours.receivable), (theirs.receivable, theirs.spendable));
    } else {
        // Each kind counts the commitment's fee in its own way.
        for (here, there) in [
            (ours.local, theirs.remote),
            (ours.remote, theirs.local),
            (ours.spendable, theirs.receivable),
            (ours.receivable, theirs.spendable),
        ] {
            let apart = here.max(there) - here.min(there);
            assert!(apart < Amount::from_sat(20_000), "{ours:?} {theirs:?}");
        }
    }
    assert!(ours.spendable < ours.local, "{ours:?}");
    assert!(ours.receivable < ours.remote, "{ours:?}");
}

pub async fn a_peer_is_known_by_the_name_that_it_announces(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let announced = two.payee.info().await.unwrap();
    // gossip takes its time
    eventually("the peer's name", async || {
        let known = two.payer.aliases().await.unwrap();
        known.get(&announced.id) == Some(&announced.alias)
    })
    .await;
}

/// What a node of some kind wants of who reaches it.
struct Files {
    access: NodeAccess,
    /// Say who the node is; the first is the node's certificate, or that of who signed it.
    certificate: &'static [&'static str],
    /// Say who we are.
    credentials: &'static [&'static str],
    /// What is said of wrong ones, and of one that is not there.
    refused: &'static [&'static str],
    missing: &'static str,
}

/// Copies of the node's files that can be changed.
fn with_copies(access: &NodeAccess, folder: &Path) -> Files {
    for (key, path) in access.files() {
        std::fs::copy(path, folder.join(key)).unwrap();
    }
    let file = |key: &str| folder.join(key);
    match access {
        NodeAccess::Lnd(lnd) => Files {
            access: NodeAccess::Lnd(LndConfig {
                address: lnd.address.clone(),
                tls_cert: file("tls_cert"),
                macaroon: file("macaroon"),
            }),
            certificate: &["tls_cert"],
            credentials: &["macaroon"],
            refused: &["lnd GetInfo: the macaroon does not allow it"],
            missing: "cannot read the macaroon",
        },
        NodeAccess::Cln(cln) => Files {
            access: NodeAccess::Cln(ClnConfig {
                address: cln.address.clone(),
                ca_cert: file("ca_cert"),
                client_cert: file("client_cert"),
                client_key: file("client_key"),
            }),
            // An authority alone does not fit its client.
            certificate: &["ca_cert", "client_cert", "client_key"],
            credentials: &["client_cert", "client_key"],
            refused: &["cln Getinfo: ", "is not signed by the configured authority"],
            missing: "cannot read the client's certificate",
        },
    }
}

/// Copies a file of that key from one node's to the copies.
fn take(key: &str, from: &NodeAccess, folder: &Path) {
    let (_, path) = from.files().into_iter().find(|(name, _)| *name == key).unwrap();
    std::fs::copy(path, folder.join(key)).unwrap();
}

pub async fn wrong_credentials_are_named_and_read_again_once_mended(bench: &mut dyn Bench) {
    let folder = tempfile::tempdir().unwrap();
    let (payer, stranger) = (bench.payer(), bench.stranger().await);
    let files = with_copies(&payer, folder.path());
    for key in files.credentials {
        take(key, &stranger, folder.path());
    }
    let node = files.access.adapter();
    let text = unreachable_text(node.info().await);
    assert!(files.refused.iter().all(|words| text.contains(words)), "{text}");
    let hash = PaymentHash([1; 32]);
    unreachable_text(node.payment_status(hash).await);
    unreachable_text(node.watch_invoice(hash).await.map(|_| ()));
    unreachable_text(node.events().await.map(|_| ()));
    std::fs::remove_file(folder.path().join(files.credentials[0])).unwrap();
    let text = unreachable_text(node.info().await);
    assert!(text.contains(files.missing), "{text}");
    for key in files.credentials {
        take(key, &payer, folder.path());
    }
    node.info().await.unwrap();
}

pub async fn a_wrong_certificate_is_named_and_read_again_once_mended(bench: &mut dyn Bench) {
    let folder = tempfile::tempdir().unwrap();
    let (payer, stranger) = (bench.payer(), bench.stranger().await);
    let files = with_copies(&payer, folder.path());
    for key in files.certificate {
        take(key, &stranger, folder.path());
    }
    let node = files.access.adapter();
    let text = unreachable_text(node.info().await);
    assert!(text.contains("its certificate is not the configured one"), "{text}");
    std::fs::write(folder.path().join(files.certificate[0]), "no certificate").unwrap();
    let text = unreachable_text(node.info().await);
    assert!(text.contains("holds no certificate"), "{text}");
    for key in files.certificate {
        take(key, &payer, folder.path());
    }
    node.info().await.unwrap();
}

pub async fn a_missing_permission_is_named(bench: &mut dyn Bench) {
    let Some((weak, lacks)) = bench.weak().await else {
        return;
    };
    let text = unreachable_text(weak.adapter().info().await);
    assert!(text.contains(lacks), "{text}");
}

pub async fn a_node_without_open_wallet_is_not_ready(bench: &mut dyn Bench) {
    let Some(locked) = bench.locked().await else {
        return;
    };
    let node = locked.adapter();
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
    assert!(text.starts_with(bench.payer().backend()), "{text}");
    unreachable_text(two.payer.payment_status(PaymentHash([1; 32])).await);
    bench.payer_back().await;
    eventually("the node to answer again", async || two.payer.info().await.is_ok()).await;
    two.wait_active().await;
}
