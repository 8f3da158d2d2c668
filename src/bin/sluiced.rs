//! `sluiced`.
fn main() {}
