//! Which code is played: figures of one are not those of another.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use bitcoin::hashes::{Hash, sha256};
use tokio::process::Command;

use super::WORKSPACE;

/// The commit, and what was changed since; files that git does not know are not counted. Where git is not, or the code
/// came as an archive, there is but one.
pub(super) async fn version() -> Result<String> {
    let Ok(commit) = git(&["rev-parse", "--short=12", "HEAD"]).await else {
        return Ok("unknown".into());
    };
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let changes = git(&["diff", "--binary", "HEAD"]).await?;
    if changes.is_empty() {
        return Ok(commit);
    }
    let mut changes = sha256::Hash::hash(&changes).to_string();
    changes.truncate(12);
    Ok(format!("{commit}-{changes}"))
}

async fn git(arguments: &[&str]) -> Result<Vec<u8>> {
    let mut git = Command::new("git");
    git.args(["-C", WORKSPACE]).args(arguments);
    let output = git.stdin(Stdio::null()).output().await.context("git")?;
    ensure!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}
