//! Everything is gone but the seed's words and a rescue file; and folders that rescue files cannot be written to.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, RescueStatus, Stage, SwapRef, SwapRequest, SwapView};
use sluice::keys::Words;
use sluice::rescue::{Key, Record};
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::{Hold, HoldAt, Release};
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin, build};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::orders::{chain, finish, look, network, order, outcome, tails, wait_for_calls, wait_for_height};

const AMOUNT: u64 = 1_000_000;
const FUND: &str = "fundrawtransaction";
const PUBLISH: &str = "sendrawtransaction";

/// What an operator has kept off-site.
struct Kept {
    words: String,
    file: PathBuf,
}

impl Kept {
    /// What the file holds, by the library.
    fn record(&self) -> Result<Record> {
        let seed = Words::parse(&self.words)?.seed();
        Ok(Key::of(&seed).open(&std::fs::read_to_string(&self.file)?)?)
    }
}

async fn sluice(arguments: &[&str], input: &str) -> Result<Output> {
    let program = build::sluiced().await?.with_file_name("sluice");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut running = command.spawn()?;
    let mut stdin = running.stdin.take().context("standard input")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    Ok(running.wait_with_output().await?)
}

fn rescue_file(operator: &Operator, swap: SwapId) -> PathBuf {
    operator.daemon.data_dir().join("rescue").join(format!("{swap}.rescue"))
}

/// Copies the words and the swap's file away, once the file is as wanted.
async fn keep(world: &World, operator: &Operator, swap: SwapId, wanted: impl Fn(&Record) -> bool) -> Result<Kept> {
    let data_dir = operator.daemon.data_dir().display().to_string();
    let shown = sluice(
        &["--json", "--data-dir", &data_dir, "seed", "backup", "--yes", "--again"],
        "",
    )
    .await?;
    ensure!(shown.status.success(), "{shown:?}");
    let shown: Value = serde_json::from_slice(&shown.stdout)?;
    let words: Vec<&str> = shown["words"]
        .as_array()
        .context("words")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let kept = Kept {
        words: words.join(" "),
        file: world.folder().join(format!("{}-off-site.rescue", operator.name)),
    };
    wait_for("the rescue file", PATIENCE, || async {
        let copied = std::fs::copy(rescue_file(operator, swap), &kept.file);
        Ok(copied
            .is_ok_and(|_| kept.record().is_ok_and(|record| wanted(&record)))
            .then_some(()))
    })
    .await
    .with_context(|| tails(world))?;
    Ok(kept)
}

/// Both daemons are killed, and one of the data folders is gone.
fn lose(world: &mut World, loser: &str) -> Result<()> {
    world.alice.daemon.kill();
    world.bob.daemon.kill();
    let operator = if loser == "alice" { &world.alice } else { &world.bob };
    Ok(std::fs::remove_dir_all(operator.daemon.data_dir())?)
}

/// `sluice rescue` with what was kept, against the node of the chain.
async fn rescue(world: &World, asset: Asset, kept: &Kept, more: &[&str]) -> Result<Output> {
    let access = match asset {
        Asset::Lbtc => world.liquid.access()?,
        Asset::Btc => world.bitcoin_chain()?.access(),
    };
    let password = world.folder().join("node-password");
    std::fs::write(&password, access.password)?;
    let (file, password) = (kept.file.display().to_string(), password.display().to_string());
    let mut arguments = vec!["rescue", &file, "--node-url", &access.rpc_url];
    arguments.extend(["--node-user", &access.user, "--node-password-file", &password]);
    arguments.extend(more);
    sluice(&arguments, &kept.words).await
}

fn said(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("exit {:?}\n{out}\n{err}", output.status.code())
}

/// The coins are where the file says, and a second rescue finds that out.
async fn is_rescued(world: &World, asset: Asset, kept: &Kept) -> Result<()> {
    let made = rescue(world, asset, kept, &["--yes", "--json"]).await?;
    ensure!(made.status.success(), "{}", said(&made));
    let answer: Value = serde_json::from_slice(&made.stdout)?;
    ensure!(answer["broadcast"] == true, "{answer}");
    ensure!(answer["address"] == kept.record()?.payout.address.as_str(), "{answer}");
    world.mine(asset, 1).await?;
    let again = rescue(world, asset, kept, &[]).await?;
    let text = said(&again);
    ensure!(
        again.status.success() && text.contains("nothing is left to do"),
        "{text}"
    );
    ensure!(text.contains(answer["txid"].as_str().context("txid")?), "{text}");
    Ok(())
}

async fn opening_is_known(world: &World, swap: SwapId) -> Result<()> {
    for operator in [&world.alice, &world.bob] {
        world
            .wait_for_swap(operator, swap, "opened", |view| view.opening.is_some())
            .await?;
    }
    Ok(())
}

/// A world with a swap-out whose opening is published.
async fn opened(asset: Asset) -> Result<(World, SwapId)> {
    let options = Options {
        bitcoin: (asset == Asset::Btc).then_some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    let world = World::start(options).await?;
    let request = SwapRequest {
        asset: asset.into(),
        ..super::orders::request(world.channels[0], AMOUNT)
    };
    let swap = world.alice.client()?.swap_out(request).await?.swap_id;
    opening_is_known(&world, swap).await?;
    Ok((world, swap))
}

async fn a_lost_maker_is_refunded(asset: Asset, csv: u32) -> Result<()> {
    let (mut world, swap) = opened(asset).await?;
    let kept = keep(&world, &world.bob, swap, |record| record.signed.len() == 1).await?;
    lose(&mut world, "bob")?;
    world.mine(asset, 1).await?;

    let early = rescue(&world, asset, &kept, &["--yes"]).await?;
    let text = said(&early);
    ensure!(early.status.code() == Some(1), "{text}");
    ensure!(text.contains(&format!("{} blocks to go", csv - 1)), "{text}");
    ensure!(text.contains("the peer can take them as soon as it has paid"), "{text}");

    world.mine(asset, csv - 1).await?;
    is_rescued(&world, asset, &kept).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_of_lbtc_that_lost_everything_is_refunded_from_words_and_file() -> Result<()> {
    a_lost_maker_is_refunded(Asset::Lbtc, 10_080).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_of_btc_that_lost_everything_is_refunded_from_words_and_file() -> Result<()> {
    a_lost_maker_is_refunded(Asset::Btc, 1_008).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_signed_ahead_is_taken_by_the_network_in_its_time() -> Result<()> {
    let (mut world, swap) = opened(Asset::Btc).await?;
    let kept = keep(&world, &world.bob, swap, |record| record.signed.len() == 1).await?;
    lose(&mut world, "bob")?;
    world.mine(Asset::Btc, 1_008).await?;
    let file = kept.file.display().to_string();
    let printed = sluice(&["rescue", &file, "--hex"], &kept.words).await?;
    ensure!(printed.status.success(), "{}", said(&printed));
    let raw = hex::decode(String::from_utf8(printed.stdout)?.trim())?;
    let tx: ::bitcoin::Transaction = ::bitcoin::consensus::deserialize(&raw)?;
    let chain = world.bitcoin_chain()?.embedded().context("an embedded chain")?;
    chain.broadcast(&tx)?;
    world.mine(Asset::Btc, 1).await?;
    let seen = rescue(&world, Asset::Btc, &kept, &[]).await?;
    ensure!(said(&seen).contains("nothing is left to do"), "{}", said(&seen));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_that_was_given_the_takers_key_need_not_wait() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    opening_is_known(&world, swap).await?;
    world.liquid.mine(1).await?;
    wait_for_height(&world.bob, chain(&world).tip().height).await?;
    chain(&world).set_stuck(&[PUBLISH]);
    world.alice.client()?.swap_cancel(SwapRef { swap_id: swap }).await?;
    let kept = keep(&world, &world.bob, swap, |record| record.revealed_key.is_some()).await?;
    lose(&mut world, "bob")?;
    chain(&world).set_stuck(&[]);
    is_rescued(&world, Asset::Lbtc, &kept).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_paid_and_lost_everything_claims_from_words_and_file() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let channel = world.channels[0];
    let swap = order(&world.alice, Kind::Out, channel, AMOUNT).await?;
    opening_is_known(&world, swap).await?;
    network(&world).hold(Hold::channel(channel, HoldAt::Wire));
    world.liquid.mine(2).await?;
    let held = network(&world).wait_for(|network| network.held().into_iter().find(|held| held.channel == channel));
    let held = tokio::time::timeout(PATIENCE, held).await?;
    // written before the payment left, and thus without what it buys
    let early = keep(&world, &world.alice, swap, |record| record.signed.len() == 1).await?;
    let early = Kept {
        file: world.folder().join("early.rescue"),
        ..early
    };
    std::fs::copy(rescue_file(&world.alice, swap), &early.file)?;
    ensure!(early.record()?.preimage.is_none(), "nothing is paid yet");

    chain(&world).set_stuck(&[PUBLISH]);
    network(&world).release(held.hash, Release::Settle)?;
    let kept = keep(&world, &world.alice, swap, |record| record.preimage.is_some()).await?;
    lose(&mut world, "alice")?;
    chain(&world).set_stuck(&[]);

    let unknown = rescue(&world, Asset::Lbtc, &early, &["--yes"]).await?;
    let text = said(&unknown);
    ensure!(
        unknown.status.code() == Some(1) && text.contains("--preimage"),
        "{text}"
    );
    ensure!(text.contains(&held.hash.to_string()), "{text}");
    let preimage = kept.record()?.preimage.context("a preimage")?;
    let preimage = hex::encode(preimage.expose());
    let shown = rescue(&world, Asset::Lbtc, &early, &["--preimage", &preimage, "--hex"]).await?;
    ensure!(shown.status.success(), "{}", said(&shown));
    is_rescued(&world, Asset::Lbtc, &kept).await?;
    world.bob.daemon.begin().await?;
    world.liquid.mine(2).await?;
    let paid = world.wait_for_swap(&world.bob, swap, "over", |view| view.outcome.is_some());
    let paid = paid.await?;
    ensure!(outcome(&paid) == Some(OutcomeKind::ClaimPaid), "{paid:?}");
    Ok(())
}

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
    world
        .liquid
        .fund(&address, ::bitcoin::Amount::from_sat(5_000_000))
        .await?;
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
    world
        .wait_for_swap(&world.alice, running, "claimed", |view| {
            view.timings_ms.spend_published.is_some()
        })
        .await?;
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

#[tokio::test(flavor = "multi_thread")]
async fn each_file_is_copied_to_the_second_folder_which_holds_nothing_up_while_it_is_away() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let copies = world.folder().join("usb");
    let file = world.bob.daemon.data_dir().join("sluice.toml");
    std::fs::write(
        file,
        format!("[rescue]\ncopy_dir = {:?}\n", copies.display().to_string()),
    )?;
    world.bob.daemon.terminate().await?;
    world.bob.daemon.begin().await?;
    let alice = world.alice.id;
    world.bob.wait_for_peer(alice, |peer| peer.online).await?;
    status(&world.bob, |status| {
        status.copy_problem.is_some() && status.problem.is_none()
    })
    .await?;
    let bob = world.bob.id;
    world.alice.wait_for_peer(bob, |peer| peer.online).await?;
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
