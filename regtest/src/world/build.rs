//! The `sluiced` of this workspace, built with the profile that this program was built with.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::sync::OnceCell;

static BUILT: OnceCell<PathBuf> = OnceCell::const_new();

/// Builds `sluiced` and `sluice`, once in a process, and tells where `sluiced` is.
///
/// # Errors
/// If cargo cannot be run or does not succeed.
pub async fn sluiced() -> Result<PathBuf> {
    BUILT.get_or_try_init(build).await.cloned()
}

async fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "--package",
        "sluice-swap",
        // The dependencies then have the features that this program was built with, and are not built once more.
        "--package",
        "sluice-regtest",
        "--bins",
        "--manifest-path",
        manifest,
    ]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.stdin(Stdio::null()).status().await.context("cargo build")?;
    if !status.success() {
        bail!("cargo build of sluiced ended with {status}");
    }
    // This program is beside them, or, if it is a test, in the folder `deps` beside them.
    let this = std::env::current_exe()?;
    let folders = this.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join("sluiced")).find(|path| path.is_file());
    found.with_context(|| format!("no sluiced beside {}", this.display()))
}
