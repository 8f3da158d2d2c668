//! A crash leaves no file with keys.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, ensure};
use sluice_regtest::daemons::{signal, wait_for};
use sluice_regtest::world::{PATIENCE, build};
use tokio::process::{Child, Command};

/// As a service without any limit would start it.
const UNLIMITED: &str = "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"";
const ABORTED: i32 = 6;

fn start(folder: &Path, program: &Path, arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", UNLIMITED]).arg(program).args(arguments);
    command.current_dir(folder).kill_on_drop(true);
    // one that is asked for words waits for them
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command.spawn()?)
}

/// Ends it as a panic that cannot unwind would.
async fn abort(child: &mut Child) -> Result<ExitStatus> {
    signal(child.id().context("it runs")?, "ABRT")?;
    Ok(child.wait().await?)
}

/// Waits until its limit says that it leaves none, and ends it.
async fn crash(what: &str, mut child: Child) -> Result<()> {
    let limits = format!("/proc/{}/limits", child.id().context("it runs")?);
    wait_for(&format!("{what} without core dumps"), PATIENCE, || async {
        let limits = std::fs::read_to_string(&limits)?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
        let values: Vec<&str> = line.context(limits.clone())?.split_whitespace().collect();
        ensure!(values.starts_with(&["0", "0"]), "Max core file size: {values:?}");
        Ok(Some(()))
    })
    .await?;
    let ended = abort(&mut child).await?;
    ensure!(ended.signal() == Some(ABORTED), "{what} ended with {ended}");
    ensure!(!ended.core_dumped(), "{what} left a core dump");
    Ok(())
}

#[tokio::test]
async fn a_crash_of_what_holds_keys_leaves_no_core_dump() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sluiced = build::sluiced().await?;
    let data_dir = folder.path().join("sluice").display().to_string();
    // whether anything leaves one here: where nothing does, the limits are all that can be seen
    let mut anything = start(folder.path(), Path::new("sleep"), &["60"])?;
    let stat = format!("/proc/{}/comm", anything.id().context("it runs")?);
    wait_for("a process like any other", PATIENCE, || async {
        Ok((std::fs::read_to_string(&stat)?.trim() == "sleep").then_some(()))
    })
    .await?;
    if !abort(&mut anything).await?.core_dumped() {
        println!("note: no process leaves a core dump on this machine");
    }
    let waiting = [
        "--data-dir",
        &data_dir,
        "--set=api.listen=127.0.0.1:0",
        "--set=liquid.rpc_url=http://127.0.0.1:1",
        "--set=lightning.lnd.address=127.0.0.1:1",
    ];
    let daemon = start(folder.path(), &sluiced, &waiting)?;
    crash("sluiced", daemon).await?;
    let restoring = ["--data-dir", &data_dir, "seed", "restore"];
    let restoring = start(folder.path(), &sluiced.with_file_name("sluice"), &restoring)?;
    crash("sluice", restoring).await
}
