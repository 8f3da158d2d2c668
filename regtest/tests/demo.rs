//! `cargo regtest demo`, as a script uses it: every ending in both directions.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// Worlds that run at a time: each is three busy processes.
static WORLDS: Semaphore = Semaphore::const_new(2);

/// Runs a demo; what it prints on the last line of standard output, and the story.
async fn demo(arguments: &[&str]) -> Result<(Value, String)> {
    let _world = WORLDS.acquire().await?;
    let output = Command::new(env!("CARGO_BIN_EXE_sluice-regtest"))
        .args(["demo", "--json"])
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let story = String::from_utf8(output.stderr)?;
    if !output.status.success() {
        bail!("{arguments:?}: {}\n{story}", output.status);
    }
    let printed = String::from_utf8(output.stdout)?;
    let last = printed.lines().last().context("nothing was printed")?;
    Ok((serde_json::from_str(last)?, story))
}

fn sat(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no amount"))
}

/// The change of a balance, as the story's table shows it.
fn change(story: &str, account: &str) -> i64 {
    let rows = story.lines().filter_map(|line| line.strip_prefix(account));
    let row = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    let [before, after, change] = row
        .filter_map(|row| <[&str; 3]>::try_from(row).ok())
        .map(|row| row.map(|number| number.replace([',', '+'], "").parse::<i64>().expect("a number")))
        .next()
        .unwrap_or_else(|| panic!("no row of {account} in\n{story}"));
    assert_eq!(after - before, change, "{account}");
    change
}

fn changes(story: &str) -> [i64; 4] {
    [
        "alice  on chain",
        "alice  in channel",
        "bob    on chain",
        "bob    in channel",
    ]
    .map(|account| change(story, account))
}

/// 0.1 sat per discounted virtual byte, rounded up.
fn assert_priced_by_discounted_size(tx: &Value) {
    assert_eq!(sat(&tx["fee_sat"]), sat(&tx["discount_vsize"]).div_ceil(10), "{tx}");
    assert!(sat(&tx["vsize"]) > sat(&tx["discount_vsize"]), "{tx}");
    assert_eq!(tx["txid"].as_str().map(str::len), Some(64), "{tx}");
}

fn assert_opened(report: &Value, outcome: &str, direction: &str, spend: &str) {
    assert_eq!(report["outcome"], outcome, "{report}");
    assert_eq!(report["asset"], "lbtc");
    assert_eq!(report["direction"], direction);
    assert_eq!(report["amount_sat"], 1_000_000);
    assert_eq!(report["premium_sat"], 1_500);
    assert_eq!(report["swap_id"].as_str().map(str::len), Some(64));
    assert_priced_by_discounted_size(&report["opening"]);
    assert_eq!(report["opening"]["confidential"], true);
    assert!(report["opening"]["vout"].is_u64());
    assert_priced_by_discounted_size(&report["spend"]);
    assert_eq!(report["spend"]["kind"], spend);
    assert_eq!(report["backends"]["liquid"], "embedded");
    assert_eq!(report["backends"]["lightning"], "embedded");
    assert!(sat(&report["rss_kib"]["initiator"]) > 0);
    assert!(sat(&report["rss_kib"]["responder"]) > 0);
    assert!(sat(&report["total_ms"]) > 0);
}

/// Amounts of a report as the books write them.
struct Fees {
    opening: i64,
    spend: i64,
    ahead: i64,
}

fn fees(report: &Value) -> Fees {
    let signed = |value: &Value| i64::try_from(sat(value)).expect("a small amount");
    Fees {
        opening: signed(&report["opening"]["fee_sat"]),
        spend: signed(&report["spend"]["fee_sat"]),
        ahead: report["fee_invoice_sat"].as_i64().unwrap_or(0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_swap_out_gives_alice_the_coins_and_bob_amount_and_premium() -> Result<()> {
    let (report, story) = demo(&["--direction", "out"]).await?;
    assert_opened(&report, "claimed_by_invoice", "out", "preimage");
    let paid = fees(&report);
    assert!(paid.ahead > 0);
    let lightning = 1_001_500 + paid.ahead;
    let wanted = [1_000_000 - paid.spend, -lightning, -1_000_000 - paid.opening, lightning];
    assert_eq!(changes(&story), wanted);
    let (payment, spend) = (sat(&report["payment_ms"]), sat(&report["confirmed_to_spend_ms"]));
    assert!(payment <= spend && spend <= sat(&report["total_ms"]), "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_swap_in_costs_alice_amount_and_premium_on_chain() -> Result<()> {
    let (report, story) = demo(&["--direction", "in"]).await?;
    assert_opened(&report, "claim_paid", "in", "preimage");
    let paid = fees(&report);
    assert_eq!(report["fee_invoice_sat"], Value::Null);
    let wanted = [-1_001_500 - paid.opening, 1_000_000, 1_001_500 - paid.spend, -1_000_000];
    assert_eq!(changes(&story), wanted);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_cannot_pay_gives_its_key_to_the_maker() -> Result<()> {
    let (out, inward) = tokio::try_join!(
        demo(&["--ending", "coop", "--direction", "out"]),
        demo(&["--ending", "coop", "--direction", "in"]),
    )?;
    let (report, story) = out;
    assert_opened(&report, "coop_closed", "out", "coop");
    assert_eq!(report["outcomes"]["responder"], "claimed_by_coop");
    let paid = fees(&report);
    let [alice_chain, alice_channel, bob_chain, bob_channel] = changes(&story);
    assert_eq!([alice_chain, bob_chain], [0, -paid.opening - paid.spend]);
    assert_eq!(alice_channel, -bob_channel);

    let (report, story) = inward;
    assert_opened(&report, "claimed_by_coop", "in", "coop");
    assert_eq!(report["outcomes"]["responder"], "coop_closed");
    assert_eq!(report["payment_ms"], Value::Null);
    let paid = fees(&report);
    let [alice_chain, alice_channel, bob_chain, bob_channel] = changes(&story);
    assert_eq!([alice_chain, bob_chain], [-paid.opening - paid.spend, 0]);
    assert_eq!(alice_channel, -bob_channel);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_whose_taker_is_gone_takes_the_coins_back_after_the_timelock() -> Result<()> {
    let (out, inward) = tokio::try_join!(
        demo(&["--ending", "csv", "--direction", "out"]),
        demo(&["--ending", "csv", "--direction", "in"]),
    )?;
    let (report, story) = out;
    assert_opened(&report, "claimed_by_csv", "out", "csv");
    assert_eq!(report["outcomes"]["initiator"], Value::Null);
    let paid = fees(&report);
    let wanted = [0, -paid.ahead, -paid.opening - paid.spend, paid.ahead];
    assert_eq!(changes(&story), wanted);

    let (report, story) = inward;
    assert_opened(&report, "claimed_by_csv", "in", "csv");
    assert_eq!(report["outcomes"]["responder"], Value::Null);
    assert_eq!(report["confirmed_to_spend_ms"], Value::Null);
    let paid = fees(&report);
    assert_eq!(changes(&story), [-paid.opening - paid.spend, 0, 0, 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn btc_is_swapped_as_lbtc_is() -> Result<()> {
    let demo = |ending: &'static str, direction: &'static str| async move {
        demo(&["--asset", "btc", "--ending", ending, "--direction", direction]).await
    };
    let (paid_out, paid_in) = tokio::try_join!(demo("paid", "out"), demo("paid", "in"))?;
    let (coop, csv) = tokio::try_join!(demo("coop", "in"), demo("csv", "out"))?;
    for ((report, _), outcome, spend) in [
        (&paid_out, "claimed_by_invoice", "preimage"),
        (&paid_in, "claim_paid", "preimage"),
        (&coop, "claimed_by_coop", "coop"),
        (&csv, "claimed_by_csv", "csv"),
    ] {
        assert_eq!((&report["asset"], &report["outcome"]), (&"btc".into(), &outcome.into()));
        assert_eq!(report["spend"]["kind"], spend);
        assert_eq!(report["opening"]["discount_vsize"], Value::Null);
        assert_eq!(report["backends"]["bitcoin"], "embedded");
        for tx in [&report["opening"], &report["spend"]] {
            assert_eq!(tx["fee_sat"], tx["vsize"], "1 sat for each virtual byte: {tx}");
        }
    }
    let (report, story) = paid_out;
    let paid = fees(&report);
    let lightning = 1_001_500 + paid.ahead;
    let wanted = [1_000_000 - paid.spend, -lightning, -1_000_000 - paid.opening, lightning];
    assert_eq!(changes(&story), wanted);
    assert!(story.contains("the opening has 2 of 3 confirmations"), "{story}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_is_too_dear_moves_nothing() -> Result<()> {
    for direction in ["out", "in"] {
        let (report, story) = demo(&["--ending", "cancel", "--direction", direction]).await?;
        assert_eq!(report["outcome"], "canceled");
        assert_eq!(report["direction"], direction);
        for absent in ["premium_sat", "opening", "spend", "confirmed_to_spend_ms", "payment_ms"] {
            assert_eq!(report[absent], Value::Null, "{absent}");
        }
        assert_eq!(changes(&story), [0; 4]);
        let words = story.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("premium of 1500 sat is above the limit of 1000 sat"),
            "{story}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_amount_is_what_was_asked_for_and_no_line_is_longer_than_a_terminal() -> Result<()> {
    let (report, story) = demo(&["--amount", "250_001"]).await?;
    assert_eq!(report["amount_sat"], 250_001);
    // truncated: 1,500 ppm are 375.0015 sat
    assert_eq!(report["premium_sat"], 375);
    let too_long = story.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_long, None);
    assert!(!story.contains('\x1b'), "colours, though nobody looks");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_the_channel_does_not_carry_is_a_failure_with_both_numbers() -> Result<()> {
    let error = demo(&["--amount", "9_000_000"])
        .await
        .expect_err("half the channel is on either side");
    let error = error.to_string();
    assert!(error.contains("exit status: 1"), "{error}");
    assert!(
        error.contains("can send 4892000 sat now") && error.contains("needs 9013530 sat"),
        "{error}"
    );
    Ok(())
}
