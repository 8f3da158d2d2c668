//! Which coins are chosen, and a node that fails, or does something else than it was asked for.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Psbt, ScriptBuf, TxOut, Txid, WPubkeyHash, Witness};

use super::Coin;
use super::selection::{Wanted, is_usable, select};
use super::signing::Unsigned;
use crate::units::{FeeRate, OutPoint, TxId};

const RATE: FeeRate = FeeRate(1_234);

fn script() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros())
}

fn coin(number: u8, sat: u64) -> Coin {
    let outpoint = OutPoint {
        txid: TxId(Txid::from_byte_array([number; 32])),
        vout: 0,
    };
    Coin::new(outpoint, Amount::from_sat(sat), script())
}

fn wanted(sat: u64, kept: u64) -> Wanted {
    Wanted {
        amount: Amount::from_sat(sat),
        script: 34,
        rate: RATE,
        kept: Amount::from_sat(kept),
    }
}

fn values(coins: &[Coin]) -> Vec<u64> {
    coins.iter().map(|coin| coin.value().to_sat()).collect()
}

#[test]
fn the_smallest_coin_that_suffices_is_taken_else_as_few_as_possible() {
    let free = [coin(1, 50_000), coin(2, 900_000), coin(3, 120_000), coin(4, 400_000)];
    assert_eq!(values(&select(&free, &wanted(100_000, 0)).unwrap().coins), [120_000]);
    assert_eq!(
        values(&select(&free, &wanted(1_000_000, 0)).unwrap().coins),
        [400_000, 900_000]
    );
    assert_eq!(select(&free, &wanted(1_470_000, 0)), None);
}

#[test]
fn fee_and_change_are_exact() {
    let chosen = select(&[coin(1, 200_000)], &wanted(100_000, 0)).unwrap();
    // one key's input, an opening and a change: 153 virtual bytes with the longest signature
    assert_eq!((chosen.vsize, chosen.fee), (153, RATE.fee(153)));
    assert_eq!(chosen.change, Some(Amount::from_sat(100_000) - chosen.fee));
}

#[test]
fn change_that_would_be_dust_goes_to_the_fee() {
    let least = RATE.fee(122).to_sat();
    let chosen = select(&[coin(1, 100_000 + least + 200)], &wanted(100_000, 0)).unwrap();
    assert_eq!((chosen.change, chosen.fee), (None, Amount::from_sat(least + 200)));
    assert_eq!(select(&[coin(1, 100_000 + least - 1)], &wanted(100_000, 0)), None);
}

#[test]
fn what_the_node_keeps_for_its_channels_stays() {
    let free = [coin(1, 200_000), coin(2, 30_000)];
    assert!(select(&free, &wanted(170_000, 50_000)).is_some());
    assert_eq!(select(&free, &wanted(180_000, 50_000)), None);
}

#[test]
fn a_coin_that_costs_more_than_it_holds_is_left() {
    let free = [coin(1, 100), coin(2, 100_000), coin(3, 100_000)];
    assert_eq!(
        values(&select(&free, &wanted(150_000, 0)).unwrap().coins),
        [100_000, 100_000]
    );
}

#[test]
fn only_outputs_whose_spending_fixes_the_id_are_used() {
    assert!(is_usable(&script()));
    assert!(!is_usable(&ScriptBuf::new_p2sh(&script().script_hash())));
    assert!(!is_usable(&ScriptBuf::new_p2wsh(&script().wscript_hash())));
}

fn unsigned() -> Unsigned {
    let output = TxOut {
        value: Amount::from_sat(99_000),
        script_pubkey: script(),
    };
    Unsigned::new(vec![coin(1, 100_000)], vec![output], Amount::from_sat(1_000), 110).unwrap()
}

fn signed(length: usize) -> Psbt {
    let mut psbt = unsigned().psbt();
    psbt.inputs[0].final_script_witness = Some(Witness::from_slice(&[vec![1; length], vec![2; 33]]));
    psbt
}

#[test]
fn amounts_that_do_not_add_up_are_never_signed() {
    assert_eq!(
        Unsigned::new(vec![coin(1, 100_000)], vec![], Amount::from_sat(1_000), 110),
        None
    );
}

#[test]
fn what_the_node_signed_is_what_it_was_asked_to_sign() {
    let done = unsigned().finish(signed(72)).unwrap();
    assert_eq!((done.cost.fee, done.cost.vsize), (Amount::from_sat(1_000), 110));
    let mut other = signed(72);
    other.unsigned_tx.output[0].value = Amount::from_sat(98_000);
    assert!(unsigned().finish(other).unwrap_err().contains("was asked to sign"));
    assert_eq!(
        unsigned().finish(unsigned().psbt()).unwrap_err(),
        "it did not sign input 0"
    );
    let large = unsigned().finish(signed(90)).unwrap_err();
    assert_eq!(
        large,
        "the signed transaction has 114 virtual bytes, 109 to 110 were reckoned with"
    );
}
