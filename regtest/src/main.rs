//! `cargo regtest`.
fn main() {}
