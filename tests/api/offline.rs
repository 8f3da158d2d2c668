//! `sluice seed` and `sluice rescue`, as they are typed, without a daemon.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use sluice::keys::Seed;
use sluice::rescue::{Key, Record};
use sluice::swap::event::InvoiceStatus;
use sluice::swap::{Kind, Maker, Role, State};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::fixtures::{claiming, deal, opened, swap};

const WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
const SEED_FILE: &str = "sluice-seed-1:7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f:6f1c4b13\n";
const FINGERPRINT: &str = "26a27a2dd69d0883349e9f7b5d282e5a";

/// A data folder, and what else lies around.
pub struct Place(TempDir);

impl Place {
    pub fn empty() -> Place {
        Place(TempDir::new().unwrap())
    }

    fn with_seed() -> Place {
        let place = Place::empty();
        let path = place.path("seed");
        fs::write(&path, SEED_FILE).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn holding(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    pub async fn sluice(&self, args: &[&str], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .env("SLUICE_DATA_DIR", self.0.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut running = command.spawn().unwrap();
        // a command that refuses at once reads nothing
        let _ = running.stdin.take().unwrap().write_all(input.as_bytes()).await;
        Ran(running.wait_with_output().await.unwrap())
    }
}

pub struct Ran(Output);

impl Ran {
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    pub fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    #[track_caller]
    pub fn fails(&self, code: i32, facts: &[&str]) {
        let text = self.err();
        assert_eq!(self.code(), code, "{text}");
        for fact in facts {
            assert!(text.contains(fact), "no `{fact}` in: {text}");
        }
        let last = text.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: "), "{text}");
    }
}

/// The file of a swap with made-up transactions: good for all that is said before one is needed.
fn rescue_file(role: Role) -> String {
    let state = match role {
        Role::Maker => State::Maker(deal(), Maker::Opened(opened(InvoiceStatus::Open, Some(501)))),
        Role::Taker => State::Taker(deal(), claiming(Vec::new(), false)),
    };
    let mut record = Record::of(&swap(0xa1, Kind::Out, role, state), "liquidregtest").unwrap();
    record.preimage = None;
    let key = Key::of(&Seed::from_entropy(&[0x7f; 16]));
    key.seal(&record, &mut StdRng::seed_from_u64(1))
}

#[tokio::test]
async fn the_words_are_shown_once_unless_told_again() {
    let place = Place::with_seed();
    let shown = place.sluice(&["seed", "backup", "--yes"], "").await;
    assert_eq!(shown.code(), 0, "{}", shown.err());
    for (at, word) in (1..).zip(WORDS.split(' ')) {
        assert!(shown.out().contains(&format!("{at:>4}  {word}\n")), "{}", shown.out());
    }
    assert!(shown.out().contains(FINGERPRINT) && shown.err().contains("keys of every swap"));
    assert!(!shown.err().contains("winner"), "words are on standard output alone");
    let again = place.sluice(&["seed", "backup", "--yes"], "").await;
    again.fails(1, &["were shown on 20", "`--again`"]);
    assert!(!again.out().contains("winner"));
    let again = place
        .sluice(&["--json", "seed", "backup", "--yes", "--again"], "")
        .await;
    let answer: Value = serde_json::from_str(&again.out()).unwrap();
    assert_eq!(
        (answer["words"][5].as_str(), answer["seed"].as_str()),
        (Some("sausage"), Some(FINGERPRINT))
    );
    let mark = fs::metadata(place.path("seed.shown")).unwrap().permissions().mode();
    assert_eq!(mark & 0o7777, 0o600);
}

#[tokio::test]
async fn the_words_are_not_shown_unasked() {
    let place = Place::with_seed();
    let unasked = place.sluice(&["seed", "backup"], "yes\n").await;
    unasked.fails(2, &["there is nobody to ask", "`--yes`"]);
    assert!(!unasked.out().contains("winner") && !place.path("seed.shown").exists());
    Place::empty()
        .sluice(&["seed", "backup", "--yes"], "")
        .await
        .fails(1, &["seed"]);
}

#[tokio::test]
async fn a_seed_is_restored_from_words_on_standard_input() {
    let place = Place::empty();
    let wrong = WORDS.replacen("year", "yaer", 1);
    let refused = place.sluice(&["seed", "restore"], &wrong).await;
    refused.fails(1, &["word 4 is `yaer`"]);
    let swapped = WORDS.replacen("legal winner", "winner legal", 1);
    let refused = place.sluice(&["seed", "restore"], &swapped).await;
    refused.fails(1, &["the checksum of these words is wrong"]);
    place
        .sluice(&["seed", "restore"], "")
        .await
        .fails(2, &["standard input"]);
    assert!(!place.path("seed").exists());
    let restored = place.sluice(&["seed", "restore"], &format!("{WORDS}\n")).await;
    assert_eq!(restored.code(), 0, "{}", restored.err());
    assert!(restored.out().contains(FINGERPRINT), "{}", restored.out());
    assert_eq!(fs::read_to_string(place.path("seed")).unwrap(), SEED_FILE);
    place
        .sluice(&["seed", "restore"], WORDS)
        .await
        .fails(1, &["is there already"]);
}

#[tokio::test]
async fn words_are_never_arguments() {
    let place = Place::empty();
    let typed: Vec<&str> = ["seed", "restore"].into_iter().chain(WORDS.split(' ')).collect();
    let refused = place.sluice(&typed, "").await;
    assert_eq!(refused.code(), 2);
}

#[tokio::test]
async fn without_a_node_a_file_tells_what_it_knows() {
    let place = Place::empty();
    let file = place.holding("a1.rescue", &rescue_file(Role::Maker));
    let told = place.sluice(&["rescue", &file], WORDS).await;
    assert_eq!(told.code(), 0, "{}", told.err());
    let text = told.out();
    for fact in [
        "swap a1a1a1: swap-out of 1,000,000 sat of L-BTC",
        "you gave the coins",
        "the opening was in block 501",
        "you can take them back: from block 10,581 on",
        "--node-url",
    ] {
        assert!(text.contains(fact), "no `{fact}` in: {text}");
    }
    let told = place.sluice(&["--json", "rescue", &file], WORDS).await;
    let answer: Value = serde_json::from_str(&told.out()).unwrap();
    assert_eq!(answer["refund_from"], 10_581);
    assert_eq!(
        (&answer["txid"], &answer["broadcast"]),
        (&Value::Null, &Value::Bool(false))
    );
}

#[tokio::test]
async fn a_taker_is_told_which_payment_to_look_for() {
    let place = Place::with_seed();
    let file = place.holding("a1.rescue", &rescue_file(Role::Taker));
    let seed = place.path("seed").display().to_string();
    let args = ["rescue", &file, "--seed-file", &seed];
    let hash = "07".repeat(32);
    place.sluice(&args, "").await.fails(1, &[&hash, "--preimage"]);
    let wrong = "09".repeat(32);
    let args = [&args[..], &["--preimage", &wrong]].concat();
    place
        .sluice(&args, "")
        .await
        .fails(1, &["that preimage hashes to", &hash]);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_or_its_words_is_one_sentence() {
    let place = Place::with_seed();
    let text = rescue_file(Role::Maker);
    let good = place.holding("good", &text);
    let zero = format!("{}about", "abandon ".repeat(11));
    let other = place.sluice(&["rescue", &good], &zero).await;
    other.fails(
        1,
        &["it belongs to seed", FINGERPRINT, "the words given are those of seed"],
    );
    let damaged = place.holding("damaged", &text.replacen("\n\n", "\n\nAAAA", 1));
    place.sluice(&["rescue", &damaged], WORDS).await.fails(1, &["damaged"]);
    let cut = place.holding("cut", &text[..text.len() / 2]);
    place.sluice(&["rescue", &cut], WORDS).await.fails(1, &["cut off"]);
    let seed = place.path("seed").display().to_string();
    place
        .sluice(&["rescue", &seed], WORDS)
        .await
        .fails(1, &["it is no rescue file"]);
    let missing = place.path("missing").display().to_string();
    place
        .sluice(&["rescue", &missing], WORDS)
        .await
        .fails(1, &["missing", "No such file"]);
    place.sluice(&["rescue"], WORDS).await.fails_usage();
}

#[tokio::test]
async fn a_node_that_is_away_or_unnamed_is_told() {
    let place = Place::with_seed();
    let (file, seed) = (
        place.holding("a1.rescue", &rescue_file(Role::Maker)),
        place.path("seed").display().to_string(),
    );
    let password = place.holding("password", "secret\n");
    let args = [
        "rescue",
        &file,
        "--seed-file",
        &seed,
        "--node-url",
        "http://127.0.0.1:1",
    ];
    place.sluice(&args, "").await.fails(2, &["--node-cookie"]);
    let args = [&args[..], &["--node-user", "u", "--node-password-file", &password]].concat();
    place
        .sluice(&args, "")
        .await
        .fails(5, &["the node at http://127.0.0.1:1 does not answer"]);
}

impl Ran {
    #[track_caller]
    fn fails_usage(&self) {
        assert_eq!(self.code(), 2, "{}", self.err());
    }
}
