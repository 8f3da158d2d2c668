//! `cargo regtest demo`: a swap between two operators, shown to a person.

use anyhow::Result;

/// Options of the demo.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Shows a swap.
///
/// # Errors
/// If it does not end as it should.
pub async fn run(_args: Args) -> Result<()> {
    Ok(())
}
