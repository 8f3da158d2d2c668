//! `cargo regtest up` and what works on a world that is up.

use anyhow::Result;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {}

/// Runs one.
///
/// # Errors
/// If it cannot be done.
pub async fn run(command: Command) -> Result<()> {
    match command {}
}
