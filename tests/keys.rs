//! The seed's file, and the derivation that must never change.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sluice::keys::{Seed, SeedError, Words, WordsError, draw_path};
use sluice::swap::terms::{KeyPath, Kind, Role};
use sluice::units::Asset;

const VECTOR_FILE: &str = "sluice-seed-1:7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f:6f1c4b13\n";
const VECTOR_PATH: KeyPath = KeyPath([1, 2_147_483_647, 0, 1_234_567_890, 42]);

/// SHA256(SHA256(tag) ‖ SHA256(tag) ‖ BIP 39 seed), tag = "sluice/fingerprint": computed with hashlib.
#[test]
fn the_fingerprint_is_the_documented_hash_of_the_seed() {
    let seed = Seed::open(&SeedFile::holding(VECTOR_FILE).path).unwrap();
    assert_eq!(hex::encode(seed.fingerprint().0), "26a27a2dd69d0883349e9f7b5d282e5a");
    assert_ne!(Seed::from_entropy(&[1; 16]).fingerprint(), seed.fingerprint());
}

/// The vector of BIP 39's own list for this entropy.
const VECTOR_WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

/// Computed with hashlib and addition modulo the curve's order, as the derivation below.
#[test]
fn the_key_of_rescue_files_is_the_documented_hash() {
    let seed = Words::parse(VECTOR_WORDS).unwrap().seed();
    let documented = "d827549c4d7b3c6064feb3e4b40ed2773cac75dd7dc6ace75de000b3e7c8d94e";
    assert_eq!(hex::encode(&seed.rescue_key()[..]), documented);
}

#[test]
fn the_words_of_a_seed_are_those_of_bip_39_and_lead_back_to_it() {
    let file = SeedFile::holding(VECTOR_FILE);
    let words = Seed::words(&file.path).unwrap();
    assert_eq!(words.list().join(" "), VECTOR_WORDS);
    assert_eq!(
        words.seed().fingerprint(),
        Seed::open(&file.path).unwrap().fingerprint()
    );
    let as_typed = VECTOR_WORDS.to_uppercase().replace(' ', "\n  ");
    assert_eq!(Words::parse(&as_typed).unwrap().list(), words.list());
}

#[test]
fn a_wrong_word_is_named_with_its_place_and_what_it_may_be() {
    let wrong = Words::parse(&VECTOR_WORDS.replacen("sausage", "sausige", 1)).unwrap_err();
    let text = "word 6 is `sausige`, which is not in the list of BIP 39: is it `sausage`?";
    assert_eq!(wrong.to_string(), text);
    let wrong = Words::parse(&VECTOR_WORDS.replacen("year", "yel", 1)).unwrap_err();
    assert!(wrong.to_string().ends_with("is it `yellow`?"), "{wrong}");
    let wrong = Words::parse(&VECTOR_WORDS.replacen("wave", "wa", 1)).unwrap_err();
    assert!(
        wrong.to_string().contains("is it `wage`, `wagon` or `wait`?"),
        "{wrong}"
    );
    let wrong = Words::parse(&VECTOR_WORDS.replacen("legal", "αβγ", 1)).unwrap_err();
    assert!(matches!(wrong, WordsError::Unknown { position: 1, .. }), "{wrong}");
}

#[test]
fn words_that_are_too_few_or_do_not_belong_together_are_refused() {
    let short = VECTOR_WORDS.rsplit_once(' ').unwrap().0;
    assert_eq!(Words::parse(short).unwrap_err(), WordsError::Count { got: 11 });
    assert_eq!(Words::parse("").unwrap_err(), WordsError::Count { got: 0 });
    let long = format!("{VECTOR_WORDS} {VECTOR_WORDS}");
    assert_eq!(Words::parse(&long).unwrap_err(), WordsError::Count { got: 24 });
    let swapped = VECTOR_WORDS.replacen("legal winner", "winner legal", 1);
    assert_eq!(Words::parse(&swapped).unwrap_err(), WordsError::Checksum);
}

#[test]
fn a_seed_is_restored_from_its_words_and_never_over_another() {
    let file = SeedFile::absent();
    let words = Words::parse(VECTOR_WORDS).unwrap();
    Seed::restore(&file.path, &words).unwrap();
    assert_eq!(fs::read_to_string(&file.path).unwrap(), VECTOR_FILE);
    assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o7777, 0o600);
    let same = Seed::restore(&file.path, &words).unwrap_err();
    assert!(same.to_string().contains("with the seed of these words"), "{same}");
    let zero = format!("{}about", "abandon ".repeat(11));
    let other = Seed::restore(&file.path, &Words::parse(&zero).unwrap()).unwrap_err();
    assert!(other.to_string().contains("with another seed"), "{other}");
    assert_eq!(fs::read_to_string(&file.path).unwrap(), VECTOR_FILE);
}

struct SeedFile {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl SeedFile {
    fn absent() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        Self { _folder: folder, path }
    }

    fn holding(text: &str) -> Self {
        let file = Self::absent();
        fs::write(&file.path, text).unwrap();
        fs::set_permissions(&file.path, Permissions::from_mode(0o600)).unwrap();
        file
    }
}

/// Computed from the words `legal winner thank year wave sausage worth useful legal winner thank yellow` by a
/// program of its own, with nothing but hash functions and addition modulo the curve's order.
#[test]
fn derivation_is_the_documented_one() {
    let seed = Seed::open(&SeedFile::holding(VECTOR_FILE).path).unwrap();
    let maker = seed.secrets(&VECTOR_PATH, Role::Maker);
    let taker = seed.secrets(&VECTOR_PATH, Role::Taker);
    let derived = [
        hex::encode(maker.swap_key.expose()),
        hex::encode(taker.swap_key.expose()),
        hex::encode(maker.blinding_key.expose()),
        hex::encode(maker.claim_preimage.expose()),
        hex::encode(maker.fee_preimage.expose()),
    ];
    let documented = [
        "36ee5bed572fbe19fe361a6f7216e5dfcd8ddc59c42d9dd8470f390f25f6dea4",
        "dcccd75baed7c1f92bc16f54d8d28967eeb10a123ab5f415e66dfb7cda064bf7",
        "6d689f41ec5491e1a9c7914fc51e453f1f69f10f078d7d1b55c23f76f7519902",
        "c07f7ea80b577404c8c15f5b59b1923cb91d7757a77cca8b17e8b0115ca7085b",
        "5c5cb70cfe2f06bf7de16bf6cb8f01f5960574fd20c7bf76970bbc7a16de3e2e",
    ];
    assert_eq!(derived, documented);
}

#[test]
fn a_new_seed_is_owner_only_and_found_again() {
    let file = SeedFile::absent();
    let made = Seed::open_or_create(&file.path).unwrap();
    let again = Seed::open_or_create(&file.path).unwrap();
    assert_eq!(
        made.secrets(&VECTOR_PATH, Role::Maker),
        again.secrets(&VECTOR_PATH, Role::Maker)
    );
    let mode = fs::metadata(&file.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let beside = fs::read_dir(file.path.parent().unwrap()).unwrap().count();
    assert_eq!(beside, 1, "the draft is gone");
}

#[test]
fn two_new_seeds_differ() {
    let secrets = [SeedFile::absent(), SeedFile::absent()].map(|file| {
        let seed = Seed::open_or_create(&file.path).unwrap();
        seed.secrets(&VECTOR_PATH, Role::Maker)
    });
    assert_ne!(secrets[0], secrets[1]);
}

#[test]
fn opening_alone_never_makes_a_seed() {
    let file = SeedFile::absent();
    assert!(matches!(Seed::open(&file.path), Err(SeedError::Io { .. })));
    assert!(!file.path.exists());
}

#[test]
fn a_seed_that_others_can_read_is_refused() {
    for mode in [0o640, 0o604, 0o660, 0o610] {
        let file = SeedFile::holding(VECTOR_FILE);
        fs::set_permissions(&file.path, Permissions::from_mode(mode)).unwrap();
        let refused = Seed::open_or_create(&file.path).unwrap_err();
        assert!(matches!(refused, SeedError::Exposed { .. }), "{refused}");
        assert!(refused.to_string().contains(&format!("{mode:04o}")), "{refused}");
    }
}

#[test]
fn a_damaged_seed_is_refused_and_kept() {
    let damaged = [
        "",
        "\n",
        VECTOR_FILE.trim_end(),
        &VECTOR_FILE.replacen("7f", "7e", 1),
        &VECTOR_FILE.replace("6f1c", "6f1d"),
        &VECTOR_FILE.replace("seed-1", "seed-2"),
        &VECTOR_FILE.replace("7f7f:", "7f:"),
        &VECTOR_FILE.repeat(2),
        &VECTOR_FILE.repeat(9),
    ];
    for text in damaged {
        let file = SeedFile::holding(text);
        let refused = Seed::open_or_create(&file.path).unwrap_err();
        assert!(matches!(refused, SeedError::Damaged { .. }), "{text:?}: {refused}");
        assert!(!refused.to_string().contains("7f7f"), "a secret in {refused}");
        assert_eq!(fs::read_to_string(&file.path).unwrap(), text);
    }
}

#[test]
fn every_swap_draws_its_own_hardened_path() {
    let mut rng = rand::thread_rng();
    let paths: Vec<KeyPath> = (0..64).map(|_| draw_path(&mut rng)).collect();
    for (at, path) in paths.iter().enumerate() {
        assert!(path.0.iter().all(|index| *index < 1 << 31));
        assert!(!paths[..at].contains(path));
    }
    // Every one of the 31 bits of every index is used.
    for index in 0..5 {
        let ever_set = paths.iter().fold(0, |bits, path| bits | path.0[index]);
        assert_eq!(ever_set, (1 << 31) - 1);
    }
}

#[test]
fn a_side_publishes_only_what_it_needs() {
    let seed = Seed::from_entropy(&[7; 16]);
    let public = |role, kind, asset| seed.secrets(&VECTOR_PATH, role).public(VECTOR_PATH, role, kind, asset);

    let maker_out = public(Role::Maker, Kind::Out, Asset::Lbtc);
    assert!(maker_out.blinding_key.is_some() && maker_out.claim_hash.is_some() && maker_out.fee_hash.is_some());
    let maker_in = public(Role::Maker, Kind::In, Asset::Btc);
    assert!(maker_in.blinding_key.is_none() && maker_in.claim_hash.is_some() && maker_in.fee_hash.is_none());
    let taker = public(Role::Taker, Kind::Out, Asset::Lbtc);
    assert!(taker.blinding_key.is_none() && taker.claim_hash.is_none() && taker.fee_hash.is_none());
    assert_ne!(taker.swap_key, maker_out.swap_key);
}

#[test]
fn secrets_do_not_print() {
    let seed = Seed::open(&SeedFile::holding(VECTOR_FILE).path).unwrap();
    let words = Words::parse(VECTOR_WORDS).unwrap();
    let printed = format!("{seed:?} {words:?} {:?}", seed.secrets(&VECTOR_PATH, Role::Maker));
    assert!(!printed.contains("36ee") && !printed.contains("c07f"), "{printed}");
    assert!(!printed.contains("legal") && !printed.contains("127"), "{printed}");
}
