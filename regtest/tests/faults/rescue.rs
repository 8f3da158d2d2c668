//! Everything is gone but the seed's words and a rescue file.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapRef, SwapRequest};
use sluice::keys::Words;
use sluice::rescue::{Key, Record};
use sluice::swap::Kind;
use sluice::units::{Asset, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::{Hold, HoldAt, Release};
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin, build};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::orders::{chain, network, order, outcome, tails, wait_for_height};

pub const AMOUNT: u64 = 1_000_000;
const PUBLISH: &str = "sendrawtransaction";

/// What an operator has kept off-site.
pub struct Kept {
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
    run(Command::new(program), arguments, input).await
}

async fn run(mut command: Command, arguments: &[&str], input: &str) -> Result<Output> {
    command
        .args(arguments)
        .env("NO_COLOR", "1")
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

pub fn rescue_file(operator: &Operator, swap: SwapId) -> PathBuf {
    operator.daemon.data_dir().join("rescue").join(format!("{swap}.rescue"))
}

/// Copies the words and the swap's file away, once the file is as wanted.
pub async fn keep(world: &World, operator: &Operator, swap: SwapId, wanted: impl Fn(&Record) -> bool) -> Result<Kept> {
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

/// The arguments of `sluice` that rescue what was kept, against the node of the chain.
fn arguments(world: &World, asset: Asset, kept: &Kept, more: &[&str]) -> Result<Vec<String>> {
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
    Ok(arguments.into_iter().map(str::to_owned).collect())
}

async fn rescue(world: &World, asset: Asset, kept: &Kept, more: &[&str]) -> Result<Output> {
    let arguments = arguments(world, asset, kept, more)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    sluice(&arguments, &kept.words).await
}

/// The same by somebody who sits before a terminal and types. None: this machine has no `script`, which makes one.
async fn rescue_typed(world: &World, kept: &Kept, more: &[&str], typed: &str) -> Result<Option<Output>> {
    let program = build::sluiced().await?.with_file_name("sluice").display().to_string();
    let line = arguments(world, Asset::Btc, kept, more)?;
    let line: Vec<String> = std::iter::once(program)
        .chain(line)
        .map(|word| format!("'{word}'"))
        .collect();
    let arguments = ["--quiet", "--return", "--command", &line.join(" "), "/dev/null"];
    match run(Command::new("script"), &arguments, &format!("{}\n{typed}", kept.words)).await {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.downcast_ref().is_some_and(is_missing) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn said(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("exit {:?}\n{out}\n{err}", output.status.code())
}

/// The coins are where the file says, and a second rescue finds that out.
pub async fn is_rescued(world: &World, asset: Asset, kept: &Kept) -> Result<()> {
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

pub async fn opening_is_known(world: &World, swap: SwapId) -> Result<()> {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_rescue_is_broadcast_by_whoever_types_yes_and_by_nobody_else() -> Result<()> {
    let (mut world, swap) = opened(Asset::Btc).await?;
    let kept = keep(&world, &world.bob, swap, |record| record.signed.len() == 1).await?;
    lose(&mut world, "bob")?;
    world.mine(Asset::Btc, 1_008).await?;
    let waiting = async || world.chains().waiting(Asset::Btc).await;

    // what comes through a pipe is no consent
    let folder = world.folder().join("restored").display().to_string();
    let restored = sluice(&["--data-dir", &folder, "seed", "restore"], &kept.words).await?;
    ensure!(restored.status.success(), "{}", said(&restored));
    let seed = format!("{folder}/seed");
    let line = arguments(&world, Asset::Btc, &kept, &["--seed-file", &seed])?;
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let unasked = sluice(&line, "yes\n").await?;
    let text = said(&unasked);
    ensure!(unasked.status.code() == Some(2), "{text}");
    ensure!(
        text.contains("nothing was broadcast, since there is nobody to ask"),
        "{text}"
    );
    ensure!(waiting().await? == 0, "{text}");

    for typed in ["no\n", "\n", "", "perhaps\n", "y\nno\nyes\n"] {
        let Some(refused) = rescue_typed(&world, &kept, &[], typed).await? else {
            eprintln!("SKIPPED: there is no `script` to make a terminal");
            return Ok(());
        };
        let text = said(&refused);
        ensure!(refused.status.code() == Some(1), "{typed:?}: {text}");
        ensure!(text.contains("Broadcast it? [yes/no]"), "{typed:?}: {text}");
        ensure!(text.contains("error: nothing was broadcast"), "{typed:?}: {text}");
        ensure!(waiting().await? == 0, "{typed:?}: {text}");
    }
    let program = rescue_typed(&world, &kept, &["--json"], "yes\n")
        .await?
        .context("a terminal")?;
    ensure!(
        program.status.code() == Some(2),
        "programs are not asked: {}",
        said(&program)
    );
    ensure!(waiting().await? == 0, "{}", said(&program));

    let agreed = rescue_typed(&world, &kept, &[], "sure\nyes\n")
        .await?
        .context("a terminal")?;
    let text = said(&agreed);
    ensure!(agreed.status.success() && text.contains("broadcast: "), "{text}");
    ensure!(
        text.matches("Broadcast it? [yes/no]").count() == 2,
        "asked until it is said: {text}"
    );
    ensure!(waiting().await? == 1, "{text}");
    world.mine(Asset::Btc, 1).await?;
    let again = said(&rescue(&world, Asset::Btc, &kept, &[]).await?);
    ensure!(again.contains("nothing is left to do"), "{again}");
    Ok(())
}
