//! What the fuzzer has found so far (`fuzz/corpus/`), run through its targets.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../fuzz/targets/config.rs"]
mod config;
#[path = "../fuzz/targets/invoice.rs"]
mod invoice;
#[path = "../fuzz/targets/opening.rs"]
mod opening;
#[path = "../fuzz/targets/record.rs"]
mod record;
#[path = "../fuzz/targets/rpc.rs"]
mod rpc;
#[path = "../fuzz/targets/wire.rs"]
mod wire;

/// Runs a target over its corpus; names the file that breaks it.
fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let inputs: Vec<_> = files.collect();
    assert!(inputs.len() >= 5, "{} holds {} inputs", folder.display(), inputs.len());
    for input in inputs {
        let data = fs::read(&input).unwrap();
        assert!(
            catch_unwind(|| target(&data)).is_ok(),
            "it breaks at {}",
            input.display()
        );
    }
}

#[test]
fn custom_messages_are_read_as_they_are_written() {
    run("wire", wire::run);
}

#[test]
fn openings_are_judged_without_a_panic() {
    run("opening", opening::run);
}

#[test]
fn invoices_are_read_without_a_panic() {
    run("invoice", invoice::run);
}

#[test]
fn stored_swaps_take_whatever_happens_without_a_panic() {
    run("record", record::run);
}

#[test]
fn configurations_are_refused_without_their_passwords() {
    run("config", config::run);
}

#[test]
fn calls_are_refused_in_one_line() {
    run("rpc", rpc::run);
}
