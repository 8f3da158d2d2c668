//! Rescue files: what is written is read back, what was touched is refused, and what is made from them spends.
#![allow(clippy::unwrap_used)]

mod liquid_bench;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, BlockHash, ScriptBuf, SignedAmount};
use liquid_bench::{Parties, decode, judge, opening_of, policy_asset, rng};
use sluice::keys::Seed;
use sluice::rescue::{self, Facts, Folder, Header, Key, NoWay, Opening, Payment, Place, Record, RescueError, Way};
use sluice::swap::terms::{KeyPath, Payout};
use sluice::swap::{Kind, Role};
use sluice::tx::{self, Coin, FeeBasis};
use sluice::units::{Asset, Blocks, FeeRate, Height, Preimage, RawTx, SwapId, SwapSecret, Timestamp};

const AMOUNT: Amount = Amount::from_sat(1_000_000);
const PATH: KeyPath = KeyPath([1, 2_147_483_647, 0, 1_234_567_890, 42]);
const SWAP: SwapId = SwapId([0xa1; 32]);

fn seed() -> Seed {
    Seed::from_entropy(&[0x7f; 16])
}

/// The secrets of a swap of that side; the other side's come from nowhere.
fn parties(role: Role) -> Parties {
    let secrets = seed().secrets(&PATH, role);
    let mut parties = Parties::new();
    match role {
        Role::Maker => {
            parties.maker = secrets.swap_key.clone();
            parties.blinding = secrets.blinding_key.clone();
            parties.preimage = secrets.claim_preimage.clone();
        }
        Role::Taker => parties.taker = secrets.swap_key.clone(),
    }
    parties
}

fn bitcoin_opening(parties: &Parties) -> RawTx {
    let tx = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn::default()],
        output: vec![bitcoin::TxOut {
            value: AMOUNT,
            script_pubkey: parties.script().to_p2wsh(),
        }],
    };
    RawTx::from(bitcoin::consensus::serialize(&tx))
}

fn record(role: Role, asset: Asset) -> Record {
    let parties = parties(role);
    let (coin, tx, policy_asset) = match asset {
        Asset::Lbtc => {
            let tx = opening_of([parties.honest_output(true, AMOUNT)]);
            (liquid_bench::coin(), tx, Some(policy_asset()))
        }
        Asset::Btc => (Coin::Btc, bitcoin_opening(&parties), None),
    };
    let announced = role == Role::Taker && asset == Asset::Lbtc;
    Record {
        swap_id: SWAP,
        peer: liquid_bench::public(&liquid_bench::secret(2)),
        kind: Kind::Out,
        role,
        asset,
        chain: "regtest".into(),
        genesis: BlockHash::all_zeros(),
        policy_asset,
        amount: AMOUNT,
        premium: SignedAmount::from_sat(1_500),
        created_at: Timestamp(1_795_230_000),
        anchor: Height(500),
        path: PATH,
        maker_key: liquid_bench::public(&parties.maker),
        taker_key: liquid_bench::public(&parties.taker),
        payment_hash: parties.preimage.hash(),
        csv: parties.csv,
        opening: Opening {
            txid: tx::txid_of(coin, &tx).unwrap(),
            tx,
            amount: AMOUNT,
            inputs: Vec::new(),
            blinding_key: announced.then(|| parties.blinding.clone()),
            confirmed_at: Some(Height(502)),
        },
        paid: false,
        payout: Payout {
            blinding_key: parties.payout(asset == Asset::Lbtc).blinding_key,
            ..parties.payout(false)
        },
        preimage: None,
        revealed_key: None,
        signed: Vec::new(),
    }
}

fn sealed(record: &Record) -> String {
    Key::of(&seed()).seal(record, &mut rng(1))
}

fn opened(text: &str) -> Result<Record, RescueError> {
    Key::of(&seed()).open(text)
}

#[test]
fn a_record_comes_back_as_it_was() {
    for asset in Asset::ALL {
        for role in [Role::Maker, Role::Taker] {
            let mut record = record(role, asset);
            record.preimage = (role == Role::Taker).then(|| parties(role).preimage);
            record.revealed_key = (role == Role::Maker).then(|| parties(role).taker);
            let text = sealed(&record);
            assert_eq!(opened(&text), Ok(record));
            let header = Header::read(&text).unwrap();
            assert_eq!(
                (header.swap, header.asset, header.seed),
                (SWAP, asset, seed().fingerprint())
            );
        }
    }
}

#[test]
fn no_two_files_are_encrypted_alike() {
    let record = record(Role::Maker, Asset::Btc);
    let key = Key::of(&seed());
    assert_ne!(key.seal(&record, &mut rng(1)), key.seal(&record, &mut rng(2)));
}

#[test]
fn every_flipped_bit_is_refused() {
    let text = sealed(&record(Role::Taker, Asset::Btc));
    let (key, mut bytes) = (Key::of(&seed()), text.into_bytes());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            // what is no text is refused where the file is read
            if let Ok(damaged) = std::str::from_utf8(&bytes) {
                assert!(key.open(damaged).is_err(), "bit {bit} of byte {at}");
            }
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn what_mail_does_to_a_file_does_no_harm() {
    let record = record(Role::Maker, Asset::Lbtc);
    let text = sealed(&record);
    let mailed = format!("\r\n{}\r\n\r\n", text.replace('\n', " \r\n"));
    assert_eq!(opened(&mailed), Ok(record));
}

#[test]
fn a_file_that_is_cut_off_or_something_else_is_told_as_that() {
    let (text, key) = (sealed(&record(Role::Maker, Asset::Btc)), Key::of(&seed()));
    for length in (0..text.trim_end().len()).step_by(7) {
        assert!(key.open(&text[..length]).is_err(), "{length} bytes");
    }
    let fact = |text: &str| key.open(text).unwrap_err().to_string();
    assert!(fact("sluice-seed-1:00").contains("it is no rescue file"));
    assert!(fact(text.trim_end().rsplit_once('\n').unwrap().0).contains("the end of the file is cut off"));
    assert!(fact(&text.replace("Format: 1", "Format: 2")).contains("format `2`, this release reads format 1"));
    assert!(fact(&text.replace("Swap: a1", "Swap: g1")).contains("damaged: Swap: it is not 64 hex digits"));
    assert!(fact(&text.replace("Asset: btc", "Asset: eth")).contains("damaged: Asset"));
    let other = text.replace("Swap: a1", "Swap: b1");
    assert!(fact(&other).contains("do not belong together"), "{}", fact(&other));
}

#[test]
fn the_words_of_another_seed_are_told_from_a_damaged_file() {
    let text = sealed(&record(Role::Maker, Asset::Btc));
    let other = Seed::from_entropy(&[1; 16]);
    let refused = Key::of(&other).open(&text).unwrap_err().to_string();
    for seed in [seed(), other] {
        assert!(refused.contains(&hex::encode(seed.fingerprint().0)), "{refused}");
    }
}

/// The transaction by a way, as its chain judges it `age` blocks after the opening.
fn spends(record: &Record, way: &Way, age: u32) -> Result<(), String> {
    let payment = Payment {
        payout: record.payout.clone(),
        rate: FeeRate(1_000),
        basis: FeeBasis::Discounted,
    };
    let claim = rescue::build(record, &seed(), way, &payment, &mut rng(3)).unwrap();
    judged(record, &claim.tx, age)
}

fn judged(record: &Record, tx: &RawTx, age: u32) -> Result<(), String> {
    match record.asset {
        Asset::Lbtc => judge(&decode(tx), &parties(record.role).honest_output(true, AMOUNT), age),
        Asset::Btc => {
            let script = record.script().to_p2wsh();
            bitcoinconsensus::verify(script.as_bytes(), AMOUNT.to_sat(), &tx.0, None, 0).map_err(|e| format!("{e:?}"))
        }
    }
}

#[test]
fn what_is_made_from_a_file_spends_its_opening_by_every_way() {
    for asset in Asset::ALL {
        let mut maker = record(Role::Maker, asset);
        assert_eq!(spends(&maker, &Way::Csv, maker.csv.0), Ok(()), "{asset}");
        maker.revealed_key = Some(parties(Role::Maker).taker);
        assert_eq!(spends(&maker, &Way::Coop, 0), Ok(()), "{asset}");
        let preimage = parties(Role::Taker).preimage;
        let taker = record(Role::Taker, asset);
        assert_eq!(spends(&taker, &Way::Preimage(preimage), 0), Ok(()), "{asset}");
    }
}

#[test]
fn a_refund_that_is_signed_ahead_is_in_the_file_and_spends() {
    for asset in Asset::ALL {
        let mut record = record(Role::Maker, asset);
        assert_eq!(rescue::signed_ahead(&record, &Way::Csv), None);
        let rate = (FeeRate(2_000), FeeBasis::Discounted);
        let signed = rescue::sign_refund(&record, &seed(), rate, &mut rng(4)).unwrap();
        record.signed.push(signed);
        let kept = opened(&sealed(&record)).unwrap();
        let claim = rescue::signed_ahead(&kept, &Way::Csv).unwrap();
        assert_eq!(judged(&kept, &claim.tx, kept.csv.0), Ok(()), "{asset}");
        assert_eq!(rescue::signed_ahead(&kept, &Way::Coop), None);
    }
}

#[test]
fn another_seed_signs_nothing() {
    let record = record(Role::Maker, Asset::Btc);
    let payment = Payment {
        payout: record.payout.clone(),
        rate: FeeRate(1_000),
        basis: FeeBasis::Full,
    };
    let other = Seed::from_entropy(&[1; 16]);
    let refused = rescue::build(&record, &other, &Way::Csv, &payment, &mut rng(3));
    assert!(matches!(refused, Err(NoWay::Build(_))), "{refused:?}");
}

#[test]
fn a_slip_of_the_pen_in_the_fee_rate_costs_no_coin() {
    for asset in Asset::ALL {
        let record = record(Role::Maker, asset);
        let payment = |rate| Payment {
            payout: record.payout.clone(),
            rate: FeeRate(rate),
            basis: FeeBasis::Full,
        };
        let build = |rate| rescue::build(&record, &seed(), &Way::Csv, &payment(rate), &mut rng(3));
        let cost = build(1_000).unwrap().cost;
        let most = record.opening.amount / 2;
        // the rate by which the fee is a little below the most, and that by which it is a little above
        let at_most = most.to_sat() * 1_000 / cost.vsize;
        assert!(build(at_most / 10 * 9).is_ok(), "{asset}");
        let refused = build(at_most / 10 * 11).unwrap_err();
        assert!(matches!(refused, NoWay::TooDear { .. }), "{refused}");
        let text = refused.to_string();
        assert!(
            text.contains("--fee-rate") && text.contains(&most.to_sat().to_string()),
            "{text}"
        );
    }
}

fn at(tip: u32, opening: Place) -> Option<Facts> {
    Some(Facts {
        tip: Height(tip),
        opening,
    })
}

#[test]
fn a_maker_waits_for_its_block_to_the_block() {
    let record = record(Role::Maker, Asset::Lbtc);
    let opened = Place::Block(Height(502));
    assert_eq!(rescue::way(&record, None, at(10_581, opened)), Ok(Way::Csv));
    let early = NoWay::Immature {
        from: Height(10_582),
        tip: Height(10_580),
        left: Blocks(1),
    };
    assert_eq!(rescue::way(&record, None, at(10_580, opened)), Err(early));
    let unconfirmed = rescue::way(&record, None, at(600, Place::Mempool));
    assert!(matches!(unconfirmed, Err(NoWay::Unconfirmed { .. })));
    let nowhere = rescue::way(&record, None, at(600, Place::Nowhere));
    assert!(matches!(nowhere, Err(NoWay::NeverOpened { .. })));
}

#[test]
fn a_maker_that_was_given_the_takers_key_does_not_wait() {
    let mut record = record(Role::Maker, Asset::Lbtc);
    record.revealed_key = Some(SwapSecret::from_bytes([0x22; 32]));
    for place in [Place::Mempool, Place::Block(Height(502))] {
        assert_eq!(rescue::way(&record, None, at(502, place)), Ok(Way::Coop));
    }
}

#[test]
fn a_maker_that_was_paid_leaves_the_coins_to_the_taker() {
    let mut record = record(Role::Maker, Asset::Lbtc);
    record.paid = true;
    let hash = record.payment_hash;
    let facts = at(20_000, Place::Block(Height(502)));
    assert_eq!(rescue::way(&record, None, facts), Err(NoWay::Paid { hash }));
    assert_eq!(rescue::way(&record, None, None), Err(NoWay::Paid { hash }));
}

#[test]
fn a_taker_needs_the_preimage_of_its_payment_and_nothing_else() {
    let mut record = record(Role::Taker, Asset::Lbtc);
    let preimage = parties(Role::Taker).preimage;
    let (want, facts) = (preimage.hash(), at(502, Place::Block(Height(502))));
    assert_eq!(rescue::way(&record, None, facts), Err(NoWay::NoPreimage { hash: want }));
    let other = Preimage::from_bytes([9; 32]);
    let got = other.hash();
    assert_eq!(
        rescue::way(&record, Some(&other), facts),
        Err(NoWay::WrongPreimage { want, got })
    );
    let claim = Way::Preimage(preimage.clone());
    assert_eq!(rescue::way(&record, Some(&preimage), facts), Ok(claim.clone()));
    record.preimage = Some(preimage);
    for place in [Place::Nowhere, Place::Mempool, Place::Block(Height(502))] {
        assert_eq!(rescue::way(&record, None, at(502, place)), Ok(claim.clone()));
    }
}

#[test]
fn an_address_of_another_network_is_refused() {
    let script = ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([0x66; 20]));
    let address = |network: bitcoin::Network| bitcoin::Address::from_script(&script, network).unwrap().to_string();
    let ours = address(bitcoin::Network::Regtest);
    let read = |address: &str| tx::payout_to(Coin::Btc, address, &ours);
    assert_eq!(read(&ours).unwrap().script, script);
    for wrong in [&address(bitcoin::Network::Bitcoin), "nonsense", ""] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let address = |chain: &str, key| tx::address_of(liquid_bench::coin(), chain, &script, key).unwrap();
    let key = Some(liquid_bench::public(&liquid_bench::secret(3)));
    let ours = address("liquidregtest", key);
    let read = |address: &str| tx::payout_to(liquid_bench::coin(), address, &ours);
    let payout = read(&ours).unwrap();
    assert_eq!((payout.script, payout.blinding_key), (script.clone(), key));
    assert_eq!(read(&address("liquidregtest", None)).unwrap().blinding_key, None);
    assert!(read(&address("liquidv1", key)).is_err());
}

#[test]
fn a_folder_holds_whole_files_for_their_owner_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::own(place.path().join("rescue"));
    folder.write(SWAP, "first").unwrap();
    folder.write(SWAP, "second").unwrap();
    fs::write(folder.path().join(".0123456789abcdef.draft"), "of a crash").unwrap();
    assert_eq!(folder.swaps().unwrap(), [SWAP]);
    assert_eq!(folder.read(SWAP).unwrap().as_deref(), Some("second"));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&folder.file(SWAP)), mode(folder.path())), (0o600, 0o700));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    folder.remove(SWAP).unwrap();
    folder.remove(SWAP).unwrap();
    assert_eq!(folder.read(SWAP).unwrap(), None);
}

#[test]
fn a_second_folder_that_is_missing_is_not_made() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::given(place.path().join("usb"));
    assert!(folder.write(SWAP, "text").is_err() && folder.probe().is_err());
    assert!(!folder.path().exists());
    fs::create_dir(folder.path()).unwrap();
    folder.probe().unwrap();
    folder.write(SWAP, "text").unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
