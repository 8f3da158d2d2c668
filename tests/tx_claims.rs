//! Openings and their claims, from the output to what a watcher of the chain reads.
#![allow(clippy::unwrap_used)]

mod liquid_bench;

use bitcoin::{Amount, ScriptBuf};
use elements::confidential::Value;
use elements::secp256k1_zkp::SECP256K1;
use liquid_bench::{Parties, coin, decode, judge, opening_of, policy_asset, rng, secret, secret_key};
use proptest::prelude::*;
use sluice::swap::event::SpendPath;
use sluice::swap::fees::Ceiling;
use sluice::swap::state::Claim;
use sluice::tx::{self, ClaimPath, ClaimRequest, FeeBasis, TxError};
use sluice::units::{FeeRate, OutPoint, Preimage, RawTx, SwapSecret};

const AMOUNT: Amount = Amount::from_sat(1_000_000);
const RATE: FeeRate = FeeRate(100);

/// A claim to be made of an honest opening; the fields are what tests vary.
struct Wish<'a> {
    parties: &'a Parties,
    path: ClaimPath<'a>,
    amount: Amount,
    opening_confidential: bool,
    payout_confidential: bool,
    rate: FeeRate,
    basis: FeeBasis,
    min_fee: Option<Amount>,
    ceiling: Option<Ceiling>,
}

impl<'a> Wish<'a> {
    fn of(parties: &'a Parties, path: ClaimPath<'a>) -> Self {
        Self {
            parties,
            path,
            amount: AMOUNT,
            opening_confidential: true,
            payout_confidential: true,
            rate: RATE,
            basis: FeeBasis::Discounted,
            min_fee: None,
            ceiling: None,
        }
    }

    fn output(&self) -> elements::TxOut {
        self.parties.honest_output(self.opening_confidential, self.amount)
    }

    fn opening(&self) -> RawTx {
        opening_of([self.output()])
    }

    fn made(&self) -> Result<Claim, TxError> {
        let request = ClaimRequest {
            opening: &self.opening(),
            spec: &self.parties.spec(self.amount),
            path: self.path,
            payout: &self.parties.payout(self.payout_confidential),
            rate: self.rate,
            basis: self.basis,
            min_fee: self.min_fee,
            ceiling: self.ceiling,
        };
        tx::build_claim(&request, &mut rng(7))
    }

    /// As it goes to the network.
    fn published(&self) -> RawTx {
        let claim = self.made().unwrap().tx;
        match self.path {
            ClaimPath::Preimage { .. } => tx::with_preimage(coin(), &claim, &self.parties.preimage).unwrap(),
            _ => claim,
        }
    }

    fn spent(&self) -> OutPoint {
        OutPoint {
            txid: tx::txid_of(coin(), &self.opening()).unwrap(),
            vout: 1,
        }
    }
}

fn paid(claim: &RawTx, parties: &Parties) -> u64 {
    let output = decode(claim).output[0].clone();
    match output.value {
        Value::Explicit(sat) => sat,
        _ => {
            let secrets = output.unblind(SECP256K1, secret_key(&parties.payout_blinding)).unwrap();
            assert_eq!(secrets.asset, policy_asset());
            secrets.value
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_opened_is_claimed_whole_by_every_path(
        sat in 100_000_u64..2_100_000_000_000_000,
        opening_confidential: bool,
        payout_confidential: bool,
        path in 0_usize..3,
        rate in 100_u64..5_000,
    ) {
        let parties = Parties::new();
        let wish = Wish {
            amount: Amount::from_sat(sat),
            opening_confidential,
            payout_confidential,
            rate: FeeRate(rate),
            ..Wish::of(&parties, parties.all_paths()[path])
        };
        prop_assert_eq!(tx::verify_opening(&wish.opening(), &parties.spec(wish.amount)), Ok(1));
        let claim = wish.made().unwrap();
        let published = wish.published();
        prop_assert_eq!(judge(&decode(&published), &wish.output(), 10080), Ok(()));
        prop_assert_eq!(paid(&published, &parties) + claim.cost.fee.to_sat(), sat);
        prop_assert_eq!(claim.cost, tx::cost_of(coin(), &published).unwrap());
        prop_assert_eq!(claim.cost.fee, FeeRate(rate).fee(claim.cost.discount_vsize));

        let payout = parties.payout(payout_confidential).script;
        let seen = tx::classify_spend(coin(), &published, wish.spent(), &payout).unwrap().unwrap();
        let paths = [SpendPath::Preimage, SpendPath::Coop, SpendPath::Csv];
        prop_assert_eq!(&seen.path, &paths[path]);
        prop_assert_eq!(seen.preimage, (path == 0).then(|| parties.preimage.clone()));
        prop_assert!(seen.pays_payout);
    }
}

#[test]
fn the_fee_is_exact_at_every_rate_by_either_size() {
    let parties = Parties::new();
    for path in parties.all_paths() {
        for rate in [100, 101, 110, 333, 1000, 12_345] {
            let rate = FeeRate(rate);
            let discounted = Wish {
                rate,
                ..Wish::of(&parties, path)
            }
            .made()
            .unwrap()
            .cost;
            assert_eq!(discounted.fee, rate.fee(discounted.discount_vsize));
            let full = Wish {
                rate,
                basis: FeeBasis::Full,
                ..Wish::of(&parties, path)
            };
            let full = full.made().unwrap().cost;
            assert_eq!(full.fee, rate.fee(full.vsize));
            assert!(full.vsize > 5 * full.discount_vsize);
        }
    }
}

#[test]
fn a_claim_looks_like_any_wallets_payment() {
    let parties = Parties::new();
    let claim = decode(&Wish::of(&parties, parties.preimage_path()).published());
    let [payout, fee] = &claim.output[..] else {
        panic!("{} outputs", claim.output.len());
    };
    assert_eq!((claim.version, claim.lock_time.to_consensus_u32()), (2, 0));
    assert!(payout.asset.is_confidential() && payout.value.is_confidential() && fee.is_fee());
    // The lengths of the Go taker's proofs (vector V5).
    assert_eq!(payout.witness.surjectionproof_len(), 67);
    assert_eq!(payout.witness.rangeproof_len(), 4174);
    assert_eq!(payout.minimum_value(), 1);
}

#[test]
fn every_path_has_its_sequence() {
    let parties = Parties::new();
    let sequence = |path| decode(&Wish::of(&parties, path).published()).input[0].sequence.0;
    assert_eq!(parties.all_paths().map(sequence), [0, 0, 0x2760]);
}

#[test]
fn a_refund_waits_for_its_block() {
    let parties = Parties::new();
    let wish = Wish::of(&parties, parties.csv_path());
    let refund = decode(&wish.published());
    assert_eq!(judge(&refund, &wish.output(), 10080), Ok(()));
    assert!(
        judge(&refund, &wish.output(), 10079)
            .unwrap_err()
            .contains("locked for 10080")
    );
}

#[test]
fn a_preimage_changes_neither_id_nor_size_and_no_claim_works_without() {
    let parties = Parties::new();
    let wish = Wish::of(&parties, parties.preimage_path());
    let claim = wish.made().unwrap();
    let published = wish.published();
    assert_eq!(tx::txid_of(coin(), &published), Ok(claim.txid));
    assert_eq!(published.0.len(), claim.tx.0.len());
    assert_eq!(judge(&decode(&claim.tx), &wish.output(), 1), Err("not equal".into()));
    assert_eq!(judge(&decode(&published), &wish.output(), 1), Ok(()));
    assert_eq!(tx::with_preimage(coin(), &published, &parties.preimage), Ok(published));
}

#[test]
fn a_preimage_of_another_payment_is_refused() {
    let parties = Parties::new();
    let claim = Wish::of(&parties, parties.preimage_path()).made().unwrap().tx;
    let other = Preimage::from_bytes([0x45; 32]);
    let refused = tx::with_preimage(coin(), &claim, &other);
    let want = parties.preimage.hash();
    assert_eq!(
        refused,
        Err(TxError::WrongPreimage {
            want,
            got: other.hash()
        })
    );
}

#[test]
fn a_refund_has_no_place_for_a_preimage() {
    let parties = Parties::new();
    for path in [parties.coop_path(), parties.csv_path()] {
        let claim = Wish::of(&parties, path).made().unwrap();
        let refused = tx::with_preimage(coin(), &claim.tx, &parties.preimage);
        assert_eq!(refused, Err(TxError::NoPreimageSlot { txid: claim.txid }));
    }
}

#[test]
fn keys_that_the_script_does_not_name_sign_nothing() {
    let parties = Parties::new();
    let (stranger, zero) = (secret(0x77), SwapSecret::from_bytes([0; 32]));
    let (maker, taker) = (&parties.maker, &parties.taker);
    let wrong = [
        (ClaimPath::Preimage { taker_key: maker }, "taker"),
        (ClaimPath::Csv { maker_key: &stranger }, "maker"),
        (
            ClaimPath::Coop {
                maker_key: taker,
                taker_key: taker,
            },
            "maker",
        ),
        (
            ClaimPath::Coop {
                maker_key: maker,
                taker_key: &stranger,
            },
            "taker",
        ),
    ];
    for (path, whose) in wrong {
        let refused = Wish::of(&parties, path).made();
        assert!(
            matches!(refused, Err(TxError::WrongKey { side, .. }) if side == whose),
            "{refused:?}"
        );
    }
    let refused = Wish::of(&parties, ClaimPath::Csv { maker_key: &zero }).made();
    assert_eq!(refused, Err(TxError::InvalidKey { side: "maker" }));
}

#[test]
fn a_claim_that_leaves_dust_is_not_made() {
    let parties = Parties::new();
    let least = {
        let wish = Wish {
            amount: Amount::from_sat(300),
            ..Wish::of(&parties, parties.csv_path())
        };
        let Err(TxError::Dust { dust, .. }) = wish.made() else {
            panic!("300 sat were claimed");
        };
        dust
    };
    let fee = Wish::of(&parties, parties.csv_path()).made().unwrap().cost.fee;
    let holding = |amount| Wish {
        amount,
        ..Wish::of(&parties, parties.csv_path())
    };
    let enough = least + fee;
    assert!(holding(enough).made().is_ok());
    let short = enough - Amount::ONE_SAT;
    let refused = holding(short).made();
    assert_eq!(
        refused,
        Err(TxError::Dust {
            amount: short,
            fee,
            dust: least
        })
    );
    let absurd = Wish {
        rate: FeeRate(u64::MAX),
        ..Wish::of(&parties, parties.csv_path())
    };
    assert!(matches!(absurd.made(), Err(TxError::Dust { .. })));
}

#[test]
fn a_replacement_pays_for_its_relay_too() {
    let parties = Parties::new();
    let first = Wish::of(&parties, parties.preimage_path()).made().unwrap();
    let least = tx::replacement_fee(coin(), &first.cost);
    // 1346 vB at Elements' incremental 0.1 sat/vB on top of 23 sat.
    assert_eq!((first.cost.vsize, least), (1346, Amount::from_sat(23 + 135)));
    let wish = Wish {
        min_fee: Some(least),
        ..Wish::of(&parties, parties.preimage_path())
    };
    let second = wish.made().unwrap();
    assert_eq!(second.cost.fee, least);
    assert_ne!(second.txid, first.txid);
    assert_eq!(judge(&decode(&wish.published()), &wish.output(), 1), Ok(()));
}

#[test]
fn a_claim_pays_no_more_than_its_ceiling_and_a_replacement_above_it_is_not_made() {
    let parties = Parties::new();
    let first = Wish::of(&parties, parties.preimage_path()).made().unwrap();
    let with_ceiling = |rate: u64, min_fee: Option<Amount>, most: u64| {
        let ceiling = Ceiling {
            rate: FeeRate(0),
            share: Amount::from_sat(most),
            most: Amount::MAX,
        };
        let wish = Wish {
            rate: FeeRate(rate),
            min_fee,
            ceiling: Some(ceiling),
            ..Wish::of(&parties, parties.preimage_path())
        };
        wish.made()
    };
    assert_eq!(with_ceiling(100, None, 500).unwrap().cost.fee, first.cost.fee);
    assert_eq!(with_ceiling(10_000, None, 500).unwrap().cost.fee, Amount::from_sat(500));
    let least = tx::replacement_fee(coin(), &first.cost);
    assert_eq!(with_ceiling(100, Some(least), least.to_sat()).unwrap().cost.fee, least);
    let refused = with_ceiling(100, Some(least), least.to_sat() - 1);
    let most = least - Amount::ONE_SAT;
    assert_eq!(refused, Err(TxError::AboveCeiling { fee: least, most }));
}

#[test]
fn a_spend_is_ours_only_if_all_of_it_comes_to_us() {
    let parties = Parties::new();
    let wish = Wish::of(&parties, parties.coop_path());
    let claim = wish.published();
    let stranger = ScriptBuf::from_bytes(vec![0x51]);
    let seen = |tx: &RawTx, script: &ScriptBuf| tx::classify_spend(coin(), tx, wish.spent(), script).unwrap();
    assert!(!seen(&claim, &stranger).unwrap().pays_payout);

    let mut crumbs = decode(&claim);
    crumbs.output.insert(0, parties.explicit_output(policy_asset(), 500));
    let crumbs = RawTx::from(elements::encode::serialize(&crumbs));
    assert!(!seen(&crumbs, &parties.payout(true).script).unwrap().pays_payout);
}

#[test]
fn a_path_is_told_by_the_length_of_its_witness() {
    let parties = Parties::new();
    let wish = Wish::of(&parties, parties.coop_path());
    let mut tampered = decode(&wish.published());
    // Policy wants the failing signature empty; a miner need not.
    let mut stack = tampered.input[0].witness.script_witness.to_vec();
    stack[2] = vec![0x30; 9];
    tampered.input[0].witness.script_witness = elements::Witness::from_slice(&stack);
    let tampered = RawTx::from(elements::encode::serialize(&tampered));
    let seen = tx::classify_spend(coin(), &tampered, wish.spent(), &parties.payout(true).script).unwrap();
    assert_eq!(seen.unwrap().path, SpendPath::Coop);
}

#[test]
fn a_spend_of_something_else_tells_nothing() {
    let parties = Parties::new();
    let wish = Wish::of(&parties, parties.csv_path());
    let elsewhere = OutPoint {
        vout: 0,
        ..wish.spent()
    };
    let seen = tx::classify_spend(coin(), &wish.published(), elsewhere, &parties.payout(true).script);
    assert_eq!(seen, Ok(None));
}
