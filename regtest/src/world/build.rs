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
    let folder = folder()?;
    // Where this program was built, whatever the environment says: what it needs is built already.
    let target = folder.parent().with_context(|| folder.display().to_string())?;
    let mut command = Command::new(cargo);
    // With the library of this package too, all crates are those that it was built with; cargo would build some again.
    command
        .args(["build", "--quiet", "--lib", "--bin", "sluiced", "--bin", "sluice"])
        .args(["--package", "sluice-swap", "--package", "sluice-regtest"])
        .args(["--manifest-path", manifest, "--target-dir"])
        .arg(target);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    forget_cargo(&mut command);
    // Who gives up waiting wants no build.
    command.stdin(Stdio::null()).kill_on_drop(true);
    let status = command.status().await.context("cargo build")?;
    if !status.success() {
        bail!("cargo build of sluiced ended with {status}");
    }
    let path = folder.join("sluiced");
    if !path.is_file() {
        bail!("cargo built no {}", path.display());
    }
    Ok(path)
}

/// What cargo says to the program that it runs, such as a test, is none of the build scripts' business: ring's would be
/// run again for it, and all that depends on it be built again.
pub(crate) fn forget_cargo(command: &mut Command) {
    let said = |name: &str| name == "OUT_DIR" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(said)) {
        command.env_remove(name);
    }
}

/// Where programs of this profile are: this one is among them, or, if it is a test, in the folder `deps` beside them.
fn folder() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.parent().with_context(|| this.display().to_string())?;
    let programs = if folder.ends_with("deps") {
        folder.parent()
    } else {
        Some(folder)
    };
    let programs = programs.with_context(|| this.display().to_string())?;
    Ok(programs.to_owned())
}
