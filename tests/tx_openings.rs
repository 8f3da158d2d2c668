//! Which openings a taker pays for, and which it refuses.
#![allow(clippy::unwrap_used)]

mod liquid_bench;

use bitcoin::{Amount, ScriptBuf};
use elements::confidential::{Asset, Nonce, Value};
use liquid_bench::{Content, Parties, coin, decode, opening_of, policy_asset, public, secret};
use proptest::prelude::*;
use sluice::tx::{self, BadOpening, TxError};
use sluice::units::{RawTx, SwapSecret};

const AMOUNT: Amount = Amount::from_sat(1_000_000);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_forged_opening_is_always_refused(
        sat in 1_000_u64..2_100_000_000_000_000,
        asset in any::<[u8; 32]>(),
        more in 1_u64..1_000,
        scalar in 2_u8..=255,
        forgery in 0_usize..5,
    ) {
        let parties = Parties::new();
        let honest = Content::lbtc(sat);
        let other_asset = Content { asset: elements::AssetId::from_byte_array(asset), ..honest };
        let dearer = Content { value: sat - more.min(sat - 1), ..honest };
        let other_commitment = decode(&opening_of([parties.honest_output(true, Amount::from_sat(sat + more))]));
        let mut output = parties.confidential_output(honest, honest);
        match forgery {
            0 => output = parties.confidential_output(other_asset, honest),
            1 => output = parties.confidential_output(other_asset, other_asset),
            2 => output = parties.confidential_output(dearer, honest),
            3 => output = parties.confidential_output(honest, Content { asset_scalar: scalar, ..honest }),
            _ => output.value = other_commitment.output[1].value,
        }
        let refused = tx::verify_opening(&opening_of([output]), &parties.spec(Amount::from_sat(sat))).unwrap_err();
        let fits = matches!(
            (&refused, forgery),
            (TxError::BadOpening(BadOpening::AssetCommitment { .. }), 0 | 3)
                | (TxError::BadOpening(BadOpening::Asset { .. }), 1)
                | (TxError::BadOpening(BadOpening::Value { .. }), 2)
                | (TxError::BadOpening(BadOpening::Unblindable { .. }), 4)
        );
        prop_assert!(fits, "forgery {} was refused with: {}", forgery, refused);
    }

    #[test]
    fn garbage_is_never_a_transaction_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let parties = Parties::new();
        let tx = RawTx::from(bytes);
        if let Err(error) = tx::verify_opening(&tx, &parties.spec(AMOUNT)) {
            let expected = matches!(error, TxError::Undecodable { .. } | TxError::BadOpening(_));
            prop_assert!(expected, "{}", error);
        }
        let _ = tx::with_preimage(coin(), &tx, &parties.preimage);
    }
}

#[test]
fn an_opening_is_found_by_its_script_alone() {
    let parties = Parties::new();
    let opening = opening_of([parties.honest_output(true, AMOUNT)]);
    let script = tx::output_script(&parties.script());
    assert_eq!(tx::find_output(coin(), &opening, &script), Ok(Some(1)));
    assert_eq!(tx::find_output(coin(), &opening, &ScriptBuf::new()), Ok(None));

    let refused = tx::verify_opening(&opening_of([]), &parties.spec(AMOUNT)).unwrap_err();
    assert!(
        matches!(refused, TxError::BadOpening(BadOpening::NoOutput { .. })),
        "{refused}"
    );
    assert!(refused.to_string().contains(&script.to_hex_string()));
}

#[test]
fn two_outputs_with_the_script_are_one_too_many() {
    let parties = Parties::new();
    let (good, bad) = (
        parties.honest_output(true, AMOUNT),
        parties.honest_output(false, Amount::ONE_SAT),
    );
    for outputs in [[good.clone(), bad.clone()], [bad, good]] {
        let opening = opening_of(outputs);
        let txid = tx::txid_of(coin(), &opening).unwrap();
        let refused = tx::verify_opening(&opening, &parties.spec(AMOUNT));
        assert_eq!(refused, Err(BadOpening::Ambiguous { txid, count: 2 }.into()));
    }
}

#[test]
fn a_confidential_opening_needs_its_blinding_key() {
    let parties = Parties::new();
    let opening = opening_of([parties.honest_output(true, AMOUNT)]);
    let (zero, other) = (SwapSecret::from_bytes([0; 32]), secret(0x34));
    let judged = |blinding_key| {
        let spec = tx::OpeningSpec {
            blinding_key,
            ..parties.spec(AMOUNT)
        };
        tx::verify_opening(&opening, &spec).unwrap_err().to_string()
    };
    assert!(judged(None).ends_with("the blinding key is missing"));
    assert!(judged(Some(&zero)).ends_with("the blinding key is not a private key"));
    assert!(judged(Some(&other)).contains("does not open with the blinding key"));
}

#[test]
fn an_opening_that_hides_half_is_refused() {
    let parties = Parties::new();
    let honest = parties.honest_output(true, AMOUNT);
    let mut open_asset = honest.clone();
    open_asset.asset = Asset::Explicit(policy_asset());
    let mut open_value = honest;
    open_value.value = Value::Explicit(AMOUNT.to_sat());
    for output in [open_asset, open_value] {
        let refused = tx::verify_opening(&opening_of([output]), &parties.spec(AMOUNT));
        assert_eq!(refused, Err(BadOpening::HalfBlinded { vout: 1 }.into()));
    }
}

#[test]
fn an_opening_without_proof_or_nonce_is_refused() {
    let parties = Parties::new();
    let mut no_proof = parties.honest_output(true, AMOUNT);
    no_proof.witness = elements::TxOutWitness::empty();
    let mut no_nonce = parties.honest_output(true, AMOUNT);
    no_nonce.nonce = Nonce::Null;
    for output in [no_proof, no_nonce] {
        let refused = tx::verify_opening(&opening_of([output]), &parties.spec(AMOUNT));
        let unblindable = matches!(refused, Err(TxError::BadOpening(BadOpening::Unblindable { .. })));
        assert!(unblindable, "{refused:?}");
    }
}

/// Elements leaves it so with explicit coins and no change.
#[test]
fn an_opening_that_its_wallet_left_explicit_is_good_with_the_blinding_key_in_it() {
    let parties = Parties::new();
    let left = elements::TxOut {
        nonce: Nonce::Confidential(public(&parties.blinding)),
        ..parties.honest_output(false, AMOUNT)
    };
    assert_eq!(tx::verify_opening(&opening_of([left]), &parties.spec(AMOUNT)), Ok(1));
}
