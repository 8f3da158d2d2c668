//! Every rule that a transaction can break, broken once; beside each the same transaction unbroken is accepted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../liquid/client.rs"]
mod client;
#[path = "../liquid/swap.rs"]
mod swap;

mod relay;
mod scripts;
mod values;

const FEE: u64 = 40;
