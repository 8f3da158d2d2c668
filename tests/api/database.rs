//! `sluice db`, as it is typed, beside a database whose daemon does not run.

use std::fs;

use serde_json::Value;
use sluice::store::{FILE_NAME, SCHEMA, Store, StoreIdentity};
use sluice::swap::event::InvoiceStatus;
use sluice::swap::{Kind, Maker, Outcome, Role, State, Swap};
use sluice::units::Scid;

use crate::fixtures::{deal, opened, point, swap};
use crate::offline::Place;

/// How the row of a swap begins, wherever it stands in the file.
fn row(swap: &Swap) -> String {
    format!(r#"{{"schema":{SCHEMA},"record":{{"id":"{}","peer""#, swap.id)
}

fn open(place: &Place) -> Store {
    let identity = StoreIdentity {
        node: point(1),
        network: "regtest".into(),
        genesis: Default::default(),
    };
    Store::open(&place.path(""), &identity).unwrap()
}

/// A data folder whose database has a swap under way and one that is over.
fn folder() -> (Place, Swap) {
    let place = Place::empty();
    let store = open(&place);
    let state = State::Maker(deal(), Maker::Opened(opened(InvoiceStatus::Open, Some(501))));
    let under_way = swap(0xa1, Kind::Out, Role::Maker, state);
    let mut over = swap(0xb2, Kind::In, Role::Taker, State::Closed(Outcome::ClaimedByInvoice));
    over.terms.scid = Scid(7);
    for swap in [&under_way, &over] {
        store.create(swap, None).unwrap();
    }
    (place, under_way)
}

/// Spoils a swap's row where it stands.
fn spoil(place: &Place, swap: &Swap) {
    let file = place.path(FILE_NAME);
    let (mut bytes, row) = (fs::read(&file).unwrap(), row(swap));
    let mut spoiled = 0;
    for at in 0..bytes.len() - row.len() {
        if bytes[at..].starts_with(row.as_bytes()) {
            bytes[at] = b'?';
            spoiled += 1;
        }
    }
    assert!(spoiled > 0, "the database has the swap");
    fs::write(file, bytes).unwrap();
}

/// The cells of a table's rows.
fn cells(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().skip(1);
    rows.map(|line| line.split_whitespace().collect()).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn files(place: &Place) -> usize {
    fs::read_dir(place.path("")).unwrap().count()
}

#[tokio::test]
async fn a_sound_database_is_counted_and_left_as_it_was() {
    let (place, _) = folder();
    let before = fs::read(place.path(FILE_NAME)).unwrap();
    let checked = place.sluice(&["db", "check"], "").await;
    assert_eq!((checked.code(), checked.err()), (0, String::new()));
    let text = checked.out();
    assert!(text.starts_with("TABLE"), "{text}");
    for head in ["GOOD ROWS", "BAD ROWS", "OUT OF REACH"] {
        assert!(text.contains(head), "no {head} in: {text}");
    }
    let counts = [("swaps", "2"), ("summaries", "2"), ("journal", "2"), ("trails", "2")];
    for (table, count) in counts {
        assert!(cells(&text).contains(&vec![table, count, "0", "0"]), "{table}: {text}");
    }
    let told = place.sluice(&["--json", "db", "check"], "").await;
    assert_eq!(told.code(), 0, "{}", told.err());
    let report: Value = serde_json::from_str(&told.out()).unwrap();
    assert_eq!(report["sound"], true);
    let swaps = &report["tables"][0];
    assert_eq!((&swaps["table"], &swaps["good"]), (&"swaps".into(), &2.into()));
    assert_eq!((&swaps["bad"], &swaps["broken"]), (&Value::Array(vec![]), &Value::Null));
    assert_eq!(fs::read(place.path(FILE_NAME)).unwrap(), before);
    assert_eq!(files(&place), 1, "no copy is left");
}

#[tokio::test]
async fn an_export_is_a_line_of_json_for_each_row_without_what_swaps_hold() {
    let (place, under_way) = folder();
    let written = place.sluice(&["db", "export"], "").await;
    assert_eq!((written.code(), written.err()), (0, String::new()));
    let rows = lines(&written.out());
    let of = |table: &str| rows.iter().filter(|row| row["table"] == table).count();
    assert_eq!(
        (of("summaries"), of("journal"), of("trails"), of("swaps")),
        (2, 2, 2, 0)
    );
    let listed = rows
        .iter()
        .find(|row| row["table"] == "summaries" && row["key"] == under_way.id.to_string());
    let record = &listed.unwrap()["record"];
    assert_eq!(
        (&record["state"], &record["amount"]),
        (&"opened".into(), &1_000_000.into())
    );
    let file = place.path(FILE_NAME).display().to_string();
    let elsewhere = Place::empty().sluice(&["db", "export", &file], "").await;
    assert_eq!(elsewhere.out(), written.out(), "a file may be named");
}

#[tokio::test]
async fn a_damaged_database_is_told_row_by_row_and_what_is_left_of_it_is_exported() {
    let (place, under_way) = folder();
    spoil(&place, &under_way);
    let before = fs::read(place.path(FILE_NAME)).unwrap();
    let facts = [
        "the database is damaged: its pages are not as they were written",
        &format!("swaps {}: syntax error", under_way.id),
        "keep a copy of it, and the rescue files",
    ];
    let checked = place.sluice(&["db", "check"], "").await;
    checked.fails(1, &facts);
    let text = checked.out();
    assert!(cells(&text).contains(&vec!["swaps", "1", "1", "0"]), "{text}");
    assert!(cells(&text).contains(&vec!["summaries", "2", "0", "0"]), "{text}");

    let told = place.sluice(&["--json", "db", "check"], "").await;
    told.fails(1, &facts);
    let [report, failure] = &lines(&told.out())[..] else {
        panic!("a report and an error: {}", told.out());
    };
    assert_eq!(
        (&report["sound"], &report["tables"][0]["good"]),
        (&false.into(), &1.into())
    );
    let bad = report["tables"][0]["bad"][0].as_str().unwrap();
    assert!(bad.contains(&under_way.id.to_string()), "{bad}");
    let sentence = failure["error"]["message"].as_str().unwrap();
    assert!(sentence.starts_with(facts[0]), "{sentence}");

    let written = place.sluice(&["db", "export"], "").await;
    written.fails(1, &facts[..1]);
    assert_eq!(lines(&written.out()).len(), 6, "every row of the other tables");
    assert_eq!(fs::read(place.path(FILE_NAME)).unwrap(), before);
    assert_eq!(files(&place), 1, "no copy is left");
}

#[tokio::test]
async fn a_database_that_is_missing_or_beyond_reading_or_in_use_is_one_sentence() {
    let (place, _) = folder();
    let file = place.path(FILE_NAME);
    for command in ["check", "export"] {
        let missing = Place::empty().sluice(&["db", command], "").await;
        missing.fails(1, &[FILE_NAME, "No such file"]);
        assert_eq!(missing.out(), "");
    }
    let held = open(&place);
    place
        .sluice(&["db", "check"], "")
        .await
        .fails(1, &["is in use: another sluiced runs on this folder"]);
    drop(held);
    fs::write(&file, [7; 20_000]).unwrap();
    for command in ["check", "export"] {
        let lost = place.sluice(&["db", command], "").await;
        lost.fails(1, &[FILE_NAME]);
        assert_eq!(lost.out(), "");
    }
    assert_eq!(fs::read(&file).unwrap(), [7; 20_000]);
}

#[tokio::test]
async fn a_reader_that_has_gone_ends_an_export_quietly() {
    let (place, _) = folder();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"));
    let file = place.path(FILE_NAME);
    command.args(["db", "export"]).arg(file).stdout(writer);
    let ended = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((ended.status.code(), ended.stderr), (Some(0), vec![]));
}
