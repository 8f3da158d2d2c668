//! A BOLT 11 invoice, as a peer gives it. What is read keeps its text, and is of one network at most.

use sluice::protocol::invoice::read_invoice;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let networks = ["mainnet", "testnet3", "signet", "regtest"];
    let read: Vec<_> = networks
        .iter()
        .filter_map(|network| read_invoice(text, network).ok())
        .collect();
    assert!(
        read.is_empty() || read.len() == networks.len(),
        "whether it is one depends on our network"
    );
    assert!(read.iter().all(|invoice| invoice.bolt11 == text));
    assert!(read.iter().filter(|invoice| invoice.our_network).count() <= 1);
}
