//! Bitcoin's openings and claims, judged by the script rules of Bitcoin Core itself.
#![allow(clippy::unwrap_used)]

mod liquid_bench;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, absolute};
use liquid_bench::{Parties, public, rng, secret};
use proptest::prelude::*;
use sluice::swap::event::SpendPath;
use sluice::swap::state::Claim;
use sluice::tx::{self, BadOpening, ClaimPath, ClaimRequest, Coin, FeeBasis, OpeningOutput, OpeningSpec, TxError};
use sluice::units::{Blocks, FeeRate, OutPoint, Preimage, RawTx, SwapSecret};

const AMOUNT: Amount = Amount::from_sat(1_000_000);
const CSV: u32 = 1008;
/// The opening's index in [`opening_of`].
const VOUT: u32 = 1;

fn parties() -> Parties {
    Parties {
        csv: Blocks(CSV),
        ..Parties::new()
    }
}

fn spec(parties: &Parties, amount: Amount) -> OpeningSpec<'static> {
    OpeningSpec {
        coin: Coin::Btc,
        script: parties.script(),
        amount,
        blinding_key: None,
    }
}

fn output(script: ScriptBuf, value: Amount) -> TxOut {
    TxOut {
        value,
        script_pubkey: script,
    }
}

/// A transaction of these outputs after a change output.
fn transaction(outputs: impl IntoIterator<Item = TxOut>) -> Transaction {
    let change = output(ScriptBuf::from_bytes(vec![0x51]), Amount::from_sat(77_000));
    Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: bitcoin::OutPoint::new(bitcoin::Txid::from_byte_array([9; 32]), 3),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            ..TxIn::default()
        }],
        output: std::iter::once(change).chain(outputs).collect(),
    }
}

fn opening_of(parties: &Parties, amount: Amount) -> RawTx {
    let paid = output(tx::output_script(&parties.script()), amount);
    RawTx::from(serialize(&transaction([paid])))
}

fn decode(tx: &RawTx) -> Transaction {
    deserialize(&tx.0).unwrap()
}

fn claim(parties: &Parties, path: ClaimPath<'_>, amount: Amount, rate: FeeRate) -> Result<Claim, TxError> {
    replacing(parties, path, amount, rate, None)
}

fn replacing(
    parties: &Parties,
    path: ClaimPath<'_>,
    amount: Amount,
    rate: FeeRate,
    min_fee: Option<Amount>,
) -> Result<Claim, TxError> {
    let request = ClaimRequest {
        opening: &opening_of(parties, amount),
        spec: &spec(parties, amount),
        path,
        payout: &parties.payout(false),
        rate,
        basis: FeeBasis::Full,
        min_fee,
        ceiling: None,
    };
    tx::build_claim(&request, &mut rng(7))
}

/// As it goes to the network.
fn published(parties: &Parties, path: ClaimPath<'_>, claim: &Claim) -> RawTx {
    match path {
        ClaimPath::Preimage { .. } => tx::with_preimage(Coin::Btc, &claim.tx, &parties.preimage).unwrap(),
        _ => claim.tx.clone(),
    }
}

fn spent(parties: &Parties, amount: Amount) -> OutPoint {
    OutPoint {
        txid: tx::txid_of(Coin::Btc, &opening_of(parties, amount)).unwrap(),
        vout: VOUT,
    }
}

/// Whether Bitcoin Core's consensus rules take the first input of `claim` as a spend of the opening's output.
fn judge(parties: &Parties, amount: Amount, claim: &RawTx) -> Result<(), bitcoinconsensus::Error> {
    let script = tx::output_script(&parties.script());
    bitcoinconsensus::verify(script.as_bytes(), amount.to_sat(), &claim.0, None, 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_opened_is_claimed_whole_by_every_path(
        sat in 100_000_u64..2_100_000_000_000_000,
        path in 0_usize..3,
        rate in 1_000_u64..100_000,
    ) {
        let (parties, amount, rate) = (parties(), Amount::from_sat(sat), FeeRate(rate));
        prop_assert_eq!(tx::verify_opening(&opening_of(&parties, amount), &spec(&parties, amount)), Ok(VOUT));
        let wanted = parties.all_paths()[path];
        let claim = claim(&parties, wanted, amount, rate).unwrap();
        let tx = published(&parties, wanted, &claim);
        prop_assert_eq!(judge(&parties, amount, &tx), Ok(()));

        let read = decode(&tx);
        let size = read.vsize() as u64;
        prop_assert_eq!((claim.cost.vsize, claim.cost.discount_vsize), (size, size));
        prop_assert_eq!(claim.cost.fee, rate.fee(size));
        prop_assert_eq!(read.output[0].value + claim.cost.fee, amount);
        prop_assert_eq!((read.input.len(), read.output.len()), (1, 1));
        prop_assert_eq!(tx::txid_of(Coin::Btc, &tx), Ok(claim.txid));
        prop_assert_eq!(tx::inputs_of(Coin::Btc, &tx), Ok(vec![spent(&parties, amount)]));

        let payout = parties.payout(false).script;
        let seen = tx::classify_spend(Coin::Btc, &tx, spent(&parties, amount), &payout).unwrap().unwrap();
        let paths = [SpendPath::Preimage, SpendPath::Coop, SpendPath::Csv];
        prop_assert_eq!(&seen.path, &paths[path]);
        prop_assert_eq!(seen.preimage, (path == 0).then(|| parties.preimage.clone()));
        prop_assert!(seen.pays_payout);
    }

    #[test]
    fn garbage_is_never_a_transaction_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let parties = parties();
        let refused = tx::verify_opening(&RawTx::from(bytes), &spec(&parties, AMOUNT)).unwrap_err();
        let expected = matches!(refused, TxError::Undecodable { .. } | TxError::BadOpening(_));
        prop_assert!(expected, "{}", refused);
    }
}

#[test]
fn an_opening_of_another_value_or_script_is_refused() {
    let parties = parties();
    let judged = |outputs: Vec<TxOut>| {
        let opening = RawTx::from(serialize(&transaction(outputs)));
        match tx::verify_opening(&opening, &spec(&parties, AMOUNT)) {
            Err(TxError::BadOpening(bad)) => Err(bad),
            other => Ok(other.unwrap()),
        }
    };
    let script = tx::output_script(&parties.script());
    let honest = output(script.clone(), AMOUNT);
    for got in [AMOUNT - Amount::ONE_SAT, AMOUNT + Amount::ONE_SAT] {
        let refused = judged(vec![output(script.clone(), got)]);
        let (vout, want) = (VOUT, AMOUNT);
        assert_eq!(refused, Err(BadOpening::Value { vout, want, got }));
    }
    let earlier_csv = Parties {
        csv: Blocks(CSV - 1),
        ..Parties::new()
    };
    let refused = judged(vec![output(tx::output_script(&earlier_csv.script()), AMOUNT)]);
    assert!(matches!(refused, Err(BadOpening::NoOutput { .. })), "{refused:?}");
    let refused = judged(vec![honest.clone(), honest.clone()]);
    assert!(
        matches!(refused, Err(BadOpening::Ambiguous { count: 2, .. })),
        "{refused:?}"
    );
    // change of the same value before it misleads a Go taker, not us
    let change = output(ScriptBuf::from_bytes(vec![0x52]), AMOUNT);
    assert_eq!(judged(vec![change, honest]), Ok(2));
}

/// Vector V12: Go pays for 156 vB and 200 sat more, 250 and 200 for a cooperative close. Ours is what the nodes count.
#[test]
fn v12_a_claim_costs_its_true_size_and_nothing_on_top() {
    let parties = parties();
    let costs =
        |path| [1_000, 1_012, 25_000, 50_000].map(|rate| claim(&parties, path, AMOUNT, FeeRate(rate)).unwrap().cost);
    for (path, size, fees) in [
        (parties.preimage_path(), 148, [148, 150, 3_700, 7_400]),
        (parties.coop_path(), 158, [158, 160, 3_950, 7_900]),
        (parties.csv_path(), 140, [140, 142, 3_500, 7_000]),
    ] {
        assert_eq!(costs(path).map(|cost| cost.vsize), [size; 4]);
        assert_eq!(costs(path).map(|cost| cost.fee.to_sat()), fees);
    }
}

/// The vector's signatures have 72 bytes; ours are made with 71.
#[test]
fn v21_witnesses_have_the_size_of_their_path() {
    let parties = parties();
    let size = |path| {
        let claim = claim(&parties, path, AMOUNT, FeeRate(1_000)).unwrap();
        decode(&claim.tx).input[0].witness.size()
    };
    assert_eq!(size(parties.preimage_path()), 263 - 1);
    assert_eq!(size(parties.csv_path()), 228 - 1);
    assert_eq!(size(parties.coop_path()), 302 - 2);
}

#[test]
fn every_path_has_its_sequence_and_signals_replaceability() {
    let parties = parties();
    let input = |path| decode(&claim(&parties, path, AMOUNT, FeeRate(1_000)).unwrap().tx).input[0].clone();
    let sequences = parties.all_paths().map(|path| input(path).sequence);
    assert_eq!(sequences.map(|sequence| sequence.0), [0, 0, 0x3f0]);
    assert!(sequences.iter().all(|sequence| sequence.is_rbf()));
    let lock = sequences[2].to_relative_lock_time().unwrap();
    assert_eq!(lock, bitcoin::relative::LockTime::from_height(1008));
}

#[test]
fn a_refund_cannot_say_that_it_waits_for_less() {
    let parties = parties();
    let refund = claim(&parties, parties.csv_path(), AMOUNT, FeeRate(1_000)).unwrap();
    assert_eq!(judge(&parties, AMOUNT, &refund.tx), Ok(()));
    let mut sooner = decode(&refund.tx);
    sooner.input[0].sequence = Sequence(CSV - 1);
    assert!(judge(&parties, AMOUNT, &RawTx::from(serialize(&sooner))).is_err());
}

#[test]
fn no_claim_works_without_its_preimage_or_with_another_value() {
    let parties = parties();
    let path = parties.preimage_path();
    let claim = claim(&parties, path, AMOUNT, FeeRate(1_000)).unwrap();
    let tx = published(&parties, path, &claim);
    assert!(judge(&parties, AMOUNT, &claim.tx).is_err());
    assert_eq!(judge(&parties, AMOUNT, &tx), Ok(()));
    assert!(
        judge(&parties, AMOUNT + Amount::ONE_SAT, &tx).is_err(),
        "the value is signed"
    );
    assert_eq!(tx.0.len(), claim.tx.0.len());
    assert_eq!(tx::with_preimage(Coin::Btc, &tx, &parties.preimage), Ok(tx));

    let other = Preimage::from_bytes([0x45; 32]);
    let (want, got) = (parties.preimage.hash(), other.hash());
    let refused = tx::with_preimage(Coin::Btc, &claim.tx, &other);
    assert_eq!(refused, Err(TxError::WrongPreimage { want, got }));
}

#[test]
fn a_refund_has_no_place_for_a_preimage() {
    let parties = parties();
    for path in [parties.coop_path(), parties.csv_path()] {
        let claim = claim(&parties, path, AMOUNT, FeeRate(1_000)).unwrap();
        let refused = tx::with_preimage(Coin::Btc, &claim.tx, &parties.preimage);
        assert_eq!(refused, Err(TxError::NoPreimageSlot { txid: claim.txid }));
    }
}

#[test]
fn keys_that_the_script_does_not_name_sign_nothing() {
    let parties = parties();
    let (stranger, zero) = (secret(0x77), SwapSecret::from_bytes([0; 32]));
    let made = |path| claim(&parties, path, AMOUNT, FeeRate(1_000));
    let refused = made(ClaimPath::Preimage { taker_key: &stranger });
    let (want, got) = (Box::new(public(&parties.taker)), Box::new(public(&stranger)));
    assert_eq!(
        refused,
        Err(TxError::WrongKey {
            side: "taker",
            want,
            got
        })
    );
    let refused = made(ClaimPath::Csv { maker_key: &zero });
    assert_eq!(refused, Err(TxError::InvalidKey { side: "maker" }));
}

#[test]
fn a_claim_that_leaves_dust_is_not_made() {
    let parties = parties();
    let (fee, dust) = (Amount::from_sat(140), Amount::from_sat(294));
    assert_eq!(parties.payout(false).script.minimal_non_dust(), dust);
    let made = |amount| claim(&parties, parties.csv_path(), amount, FeeRate(1_000));
    assert!(made(fee + dust).is_ok());
    let amount = fee + dust - Amount::ONE_SAT;
    assert_eq!(made(amount), Err(TxError::Dust { amount, fee, dust }));
    let absurd = claim(&parties, parties.csv_path(), AMOUNT, FeeRate(u64::MAX));
    assert!(matches!(absurd, Err(TxError::Dust { .. })));
}

#[test]
fn a_replacement_pays_for_its_relay_too() {
    let parties = parties();
    let path = parties.preimage_path();
    let first = claim(&parties, path, AMOUNT, FeeRate(1_000)).unwrap();
    let least = tx::replacement_fee(Coin::Btc, &first.cost);
    assert_eq!(least, Amount::from_sat(148 + 148));
    let second = replacing(&parties, path, AMOUNT, FeeRate(1_000), Some(least)).unwrap();
    assert_eq!((second.cost.fee, second.cost.vsize), (least, first.cost.vsize));
    assert_ne!(second.txid, first.txid);
    assert_eq!(judge(&parties, AMOUNT, &published(&parties, path, &second)), Ok(()));
}

#[test]
fn a_spend_is_ours_only_if_all_of_it_comes_to_us() {
    let parties = parties();
    let claim = claim(&parties, parties.coop_path(), AMOUNT, FeeRate(1_000)).unwrap().tx;
    let payout = parties.payout(false).script;
    let seen = |tx: &Transaction, script: &ScriptBuf| {
        let (tx, opening) = (RawTx::from(serialize(tx)), spent(&parties, AMOUNT));
        tx::classify_spend(Coin::Btc, &tx, opening, script)
            .unwrap()
            .unwrap()
            .pays_payout
    };
    assert!(seen(&decode(&claim), &payout));
    assert!(!seen(&decode(&claim), &ScriptBuf::from_bytes(vec![0x51])));
    let mut crumbs = decode(&claim);
    crumbs
        .output
        .push(output(ScriptBuf::from_bytes(vec![0x51]), Amount::from_sat(500)));
    assert!(!seen(&crumbs, &payout));
    let elsewhere = OutPoint {
        vout: 0,
        ..spent(&parties, AMOUNT)
    };
    assert_eq!(tx::classify_spend(Coin::Btc, &claim, elsewhere, &payout), Ok(None));
}

#[test]
fn a_template_has_the_one_output_and_no_witness_marker() {
    let parties = parties();
    let wanted = OpeningOutput {
        script: tx::output_script(&parties.script()),
        blinding_key: None,
        amount: AMOUNT,
    };
    let template = tx::funding_template(&wanted);
    // version 2, no inputs, one output of 0x0f4240 sat to 34 bytes of script, no locktime
    let expected = format!(
        "02000000000140420f000000000022{}00000000",
        wanted.script.to_hex_string()
    );
    assert_eq!(hex::encode(&template.0), expected);
}

#[test]
fn an_output_is_found_by_its_script_and_a_fee_is_not_made_up() {
    let parties = parties();
    let (opening, script) = (opening_of(&parties, AMOUNT), tx::output_script(&parties.script()));
    assert_eq!(tx::find_output(Coin::Btc, &opening, &script), Ok(Some(VOUT)));
    assert_eq!(tx::find_output(Coin::Btc, &opening, &ScriptBuf::new()), Ok(None));
    assert_eq!(tx::cost_of(Coin::Btc, &opening), Err(TxError::FeeNotTold));
}
