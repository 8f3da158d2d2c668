//! The embedded Lightning nodes, called as `sluiced` calls them: gRPC, TLS, macaroon.
//!
//! The tests in `contract_*` run on real LND nodes too, so that the embedded ones cannot drift from them:
//! `LIGHTNING_CONTRACT=PAYER_LNDDIR@HOST:PORT,PAYEE_LNDDIR@HOST:PORT cargo test -p sluice-regtest --test lightning contract`
//! `-- --test-threads=1`, with one channel between the two, some millions of satoshi on the payer's side.

#![allow(clippy::unwrap_used)]

mod client;
mod contract_access;
mod contract_invoices;
mod contract_messages;
mod contract_payments;
mod control_faults;
mod control_htlcs;
mod pair;
mod pinned;
