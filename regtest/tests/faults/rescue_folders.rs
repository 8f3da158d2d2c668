//! Folders that rescue files cannot be written to.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, RescueStatus, Stage, SwapView};
use sluice::swap::{Kind, Role};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::orders::{chain, finish, is_claimed, look, network, order, outcome, wait_for_calls};
use super::rescue::{AMOUNT, opening_is_known, rescue_file};

const FUND: &str = "fundrawtransaction";

/// Puts a file where the folder is to be: nothing can be written below it, whoever asks.
fn block(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::rename(folder, folder.with_extension("aside"))?;
    }
    Ok(std::fs::write(folder, b"")?)
}

fn unblock(folder: &Path) -> Result<()> {
    std::fs::remove_file(folder)?;
    let aside = folder.with_extension("aside");
    if aside.exists() {
        std::fs::rename(aside, folder)?;
    }
    Ok(())
}

async fn status(operator: &Operator, reached: impl Fn(&RescueStatus) -> bool) -> Result<RescueStatus> {
    let client = operator.client()?;
    wait_for("the state of the rescue folders", PATIENCE, || async {
        let status = client.info().await?.rescue;
        ensure!(reached(&status), "{status:?}");
        Ok(Some(status))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_stops_openings_and_no_swap_that_runs() -> Result<()> {
    let options = Options {
        channels: 3,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let folder = world.bob.daemon.data_dir().join("rescue");
    let address = world.bob.client()?.wallet_address(Default::default()).await?.address;
    let more = ::bitcoin::Amount::from_sat(5_000_000);
    world.liquid.fund(&address, more).await?;
    world.liquid.mine(1).await?;
    let running = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    opening_is_known(&world, running).await?;
    let opened = chain(&world).mempool().len();
    let funded = chain(&world).calls().get(FUND).copied().unwrap_or(0);
    chain(&world).set_stuck(&[FUND]);
    let waiting = order(&world.alice, Kind::Out, world.channels[1], AMOUNT).await?;
    wait_for_calls(&world, FUND, funded + 1).await?;
    block(&folder)?;
    chain(&world).set_stuck(&[]);

    let problem = status(&world.bob, |status| status.problem.is_some()).await?;
    ensure!(
        problem.problem.is_some_and(|text| text.contains("rescue")),
        "the folder is named"
    );
    let chains = world.bob.client()?.chain_list().await?.chains;
    let told = |problem: &Option<String>| problem.as_ref().is_some_and(|text| text.contains("rescue files"));
    ensure!(
        chains.iter().all(|chain| !chain.new_swaps && told(&chain.problem)),
        "{chains:?}"
    );
    let view = look(&world.bob, waiting).await.context("bob's swap")?;
    ensure!(view.state.starts_with("publishing"), "{view:?}");
    ensure!(chain(&world).mempool().len() == opened, "nothing is published");
    let refused = world
        .alice
        .wait_for_peer(world.bob.id, |peer| {
            peer.offers.iter().any(|offer| offer.problem.is_some())
        })
        .await;
    refused.context("bob takes no new swaps")?;
    // the one that runs is paid, claimed and over
    world.liquid.mine(2).await?;
    is_claimed(&world, &world.alice, running).await?;
    world.liquid.mine(2).await?;
    let over = world
        .wait_for_swap(&world.bob, running, "over", |view| view.outcome.is_some())
        .await?;
    ensure!(outcome(&over) == Some(OutcomeKind::ClaimPaid), "{over:?}");

    unblock(&folder)?;
    finish(&world, &[waiting]).await?;
    status(&world.bob, |status| status.problem.is_none()).await?;
    let view = look(&world.bob, waiting).await.context("bob's swap")?;
    ensure!(outcome(&view) == Some(OutcomeKind::ClaimPaid), "{view:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_pays_nothing_while_its_folder_cannot_be_written() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    opening_is_known(&world, swap).await?;
    let folder = world.alice.daemon.data_dir().join("rescue");
    block(&folder)?;
    world.liquid.mine(2).await?;
    status(&world.alice, |status| status.problem.is_some()).await?;
    let view = look(&world.alice, swap).await.context("alice's swap")?;
    ensure!(
        view.stage == Stage::Paying && view.timings_ms.paid.is_none(),
        "{view:?}"
    );
    ensure!(network(&world).held().is_empty(), "no HTLC is under way");
    unblock(&folder)?;
    finish(&world, &[swap]).await?;
    let view = look(&world.alice, swap).await.context("alice's swap")?;
    ensure!(
        view.role == Role::Taker && outcome(&view) == Some(OutcomeKind::ClaimedByInvoice),
        "{view:?}"
    );
    ensure!(
        !rescue_file(&world.alice, swap).exists(),
        "the file of a swap that is over is gone"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_whose_folder_stays_unwritable_gives_the_payment_up_in_time() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    opening_is_known(&world, swap).await?;
    block(&world.alice.daemon.data_dir().join("rescue"))?;
    world.liquid.mine(2).await?;
    status(&world.alice, |status| status.problem.is_some()).await?;
    world.liquid.mine(60).await?;
    let closing = |view: &SwapView| view.stage == Stage::Closing;
    let view = world.wait_for_swap(&world.alice, swap, "closing", closing).await?;
    ensure!(view.state.contains("too late"), "{view:?}");
    ensure!(
        view.timings_ms.paid.is_none() && network(&world).held().is_empty(),
        "{view:?}"
    );
    Ok(())
}

/// Gives bob a second folder.
async fn copy_to(world: &mut World, copies: &Path) -> Result<()> {
    let file = world.bob.daemon.data_dir().join("sluice.toml");
    std::fs::write(
        file,
        format!("[rescue]\ncopy_dir = {:?}\n", copies.display().to_string()),
    )?;
    restart(world).await
}

/// Starts bob again.
async fn restart(world: &mut World) -> Result<()> {
    world.bob.daemon.terminate().await?;
    world.bob.daemon.begin().await?;
    let (alice, bob) = (world.alice.id, world.bob.id);
    world.bob.wait_for_peer(alice, |peer| peer.online).await?;
    world.alice.wait_for_peer(bob, |peer| peer.online).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_is_copied_to_the_second_folder_which_holds_nothing_up_while_it_is_away() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let copies = world.folder().join("usb");
    copy_to(&mut world, &copies).await?;
    status(&world.bob, |status| {
        status.copy_problem.is_some() && status.problem.is_none()
    })
    .await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    opening_is_known(&world, swap).await?;
    std::fs::create_dir(&copies)?;
    world.liquid.mine(1).await?;
    let copy = copies.join(format!("{swap}.rescue"));
    wait_for("the copy", PATIENCE, || async { Ok(copy.exists().then_some(())) }).await?;
    status(&world.bob, |status| status.copy_problem.is_none()).await?;
    finish(&world, &[swap]).await?;
    wait_for("both files' end", PATIENCE, || async {
        Ok((!copy.exists() && !rescue_file(&world.bob, swap).exists()).then_some(()))
    })
    .await
}

/// Over a folder, a mount whose file system never answers: calls into it hang until this is dropped, and then fail.
struct Silence {
    /// Has the file system's end of it open (the kernel's Documentation/filesystems/fuse.rst).
    holder: Child,
    folder: PathBuf,
}

impl Silence {
    fn over(folder: &Path) -> Result<Silence> {
        const MOUNT: &str = "exec 3<>/dev/fuse && \
            mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silence \"$0\" && echo mounted && exec cat";
        let mut holder = Command::new("sh")
            .args(["-c", MOUNT])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        let stdout = holder.stdout.take().context("standard output")?;
        BufReader::new(stdout).read_line(&mut said)?;
        ensure!(said == "mounted\n", "mount: {said}");
        Ok(Silence {
            holder,
            folder: folder.to_owned(),
        })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants root, to mount a file system that never answers"]
async fn a_second_folder_that_hangs_holds_nothing_up_and_gets_what_it_missed_when_it_answers() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let copies = world.folder().join("nfs");
    std::fs::create_dir(&copies)?;
    let silence = Silence::over(&copies)?;
    copy_to(&mut world, &copies).await?;
    let first = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    finish(&world, &[first]).await?;
    let view = look(&world.bob, first).await.context("bob's swap")?;
    ensure!(outcome(&view) == Some(OutcomeKind::ClaimPaid), "{view:?}");
    let silent = status(&world.bob, |status| status.copy_problem.is_some()).await?;
    let problem = silent.copy_problem.context("a problem of the copies")?;
    ensure!(
        problem.contains("nfs: it has not answered since 20") && silent.problem.is_none(),
        "{problem}"
    );

    restart(&mut world)
        .await
        .context("it stops although the folder hangs")?;
    let second = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    opening_is_known(&world, second).await?;
    world.liquid.mine(1).await?;
    let own = rescue_file(&world.bob, second);
    wait_for("the daemon's own file", PATIENCE, || async {
        Ok(own.exists().then_some(()))
    })
    .await?;
    drop(silence);
    let copy = copies.join(format!("{second}.rescue"));
    wait_for("the newest version in both folders", PATIENCE, || async {
        ensure!(
            std::fs::read(&copy)? == std::fs::read(&own)?,
            "the copy is an older one"
        );
        Ok(Some(()))
    })
    .await?;
    ensure!(
        !copies.join(format!("{first}.rescue")).exists(),
        "nothing is left of the first"
    );
    status(&world.bob, |status| status.copy_problem.is_none()).await?;
    finish(&world, &[second]).await
}
