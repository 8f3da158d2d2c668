//! The test vectors of the protocol that concern scripts and Liquid.
#![allow(clippy::unwrap_used)]

mod liquid_bench;

use bitcoin::{Amount, ScriptBuf};
use liquid_bench::{Content, Parties, coin, decode, opening_of, policy_asset, rng};
use sluice::swap::event::SpendPath;
use sluice::tx::{self, BadOpening, ClaimPath, ClaimRequest, Coin, FeeBasis, OpeningScript, TxError, WireAssetError};
use sluice::units::{Asset, Blocks, FeeRate, OutPoint, PaymentHash, Preimage, PubKey, RawTx};

const MAKER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";
const TAKER: &str = "02752e1beeeeb6472959117a0aa5d172900680c033ddf86b1a8318311e2b10223f";
const HASH: &str = "b94f26d422d5ce3a1e65dd4abb398d0d369aefe8f71d112c5591aa45eea1e75c";
const COMMON: &str = "2102c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8ac642102c30ff537639962f4\
                      93d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8ac6482012088a820b94f26d422d5ce3a1e65dd4abb398d\
                      0d369aefe8f71d112c5591aa45eea1e75c88682102752e1beeeeb6472959117a0aa5d172900680c033ddf86b1a8318\
                      311e2b10223fac67";

fn script(csv: u32) -> ScriptBuf {
    let (maker, taker): (PubKey, PubKey) = (MAKER.parse().unwrap(), TAKER.parse().unwrap());
    tx::opening_script(&maker, &taker, HASH.parse().unwrap(), Blocks(csv))
}

fn go_claim() -> RawTx {
    RawTx::from(hex::decode(include_str!("data/peerswap_claim.hex").trim()).unwrap())
}

fn go_claim_opening() -> OutPoint {
    let txid = "78fe321829f964edca4b6fb95d202afebe22ec01aaefe4d2d107f7068c10236c";
    OutPoint {
        txid: sluice::units::TxId(txid.parse().unwrap()),
        vout: 1,
    }
}

#[test]
fn v1_to_v4_opening_scripts_are_the_go_ones_byte_for_byte() {
    let vectors = [
        (
            0,
            "00b268",
            151,
            "00206652cf16cf363b264b86497b79f4e8c4ed78d6220eae0984e9ba573d4374b175",
        ),
        (
            60,
            "013cb268",
            152,
            "0020d09d5d1cee9b4085bed431671c30baa6b0145fcab4f3557d9c476ecd9ee501f1",
        ),
        (
            1008,
            "02f003b268",
            153,
            "002081b206e538d601cb6e43b31f18606357be77be85b46bf05ad71c09a24cb62878",
        ),
        (
            10080,
            "026027b268",
            153,
            "00200c6977eada0631ca41cda99fe409c4e466c38792451b5efa611ccdd84a983b0e",
        ),
    ];
    for (csv, tail, len, output) in vectors {
        let script = script(csv);
        assert_eq!(script.to_hex_string(), format!("{COMMON}{tail}"), "csv {csv}");
        assert_eq!(script.len(), len);
        assert_eq!(tx::output_script(&script).to_hex_string(), output);
    }
}

#[test]
fn v1_to_v4_addresses_are_those_of_every_network() {
    let liquid = |chain, csv| tx::address_of(coin(), chain, &tx::output_script(&script(csv)), None).unwrap();
    let expected = [
        (
            "liquidtestnet",
            0,
            "tex1qvefv79k0xcajvjuxf9ahna8gcnkh343zp6hqnp8fhftn6sm5k96s7uemrl",
        ),
        (
            "liquidregtest",
            60,
            "ert1q6zw4688wndqgt0k5x9n3cv9656cpgh72kne42lvugahvm8h9q8csevu3r4",
        ),
        (
            "liquidv1",
            60,
            "ex1q6zw4688wndqgt0k5x9n3cv9656cpgh72kne42lvugahvm8h9q8cswprn9z",
        ),
        (
            "liquidregtest",
            10080,
            "ert1qp35h06k6qccu5swd4x07gzwyu3nv8pujg5d4a7nprnxasj5c8v8qr7rqur",
        ),
        (
            "liquidv1",
            10080,
            "ex1qp35h06k6qccu5swd4x07gzwyu3nv8pujg5d4a7nprnxasj5c8v8q5nuz65",
        ),
        (
            "liquidtestnet",
            10080,
            "tex1qp35h06k6qccu5swd4x07gzwyu3nv8pujg5d4a7nprnxasj5c8v8q42w9tm",
        ),
    ];
    for (chain, csv, address) in expected {
        assert_eq!(liquid(chain, csv), address);
    }
    let bitcoin = |chain| tx::address_of(Coin::Btc, chain, &tx::output_script(&script(1008)), None);
    for (chain, address) in [
        (
            "regtest",
            "bcrt1qsxeqdefc6cqukmjrkv03scrr27l80059k34lqkkhrsy6yn9k9puq852sk3",
        ),
        ("main", "bc1qsxeqdefc6cqukmjrkv03scrr27l80059k34lqkkhrsy6yn9k9puqa9keey"),
        ("test", "tb1qsxeqdefc6cqukmjrkv03scrr27l80059k34lqkkhrsy6yn9k9puq2dqkrt"),
        (
            "testnet4",
            "tb1qsxeqdefc6cqukmjrkv03scrr27l80059k34lqkkhrsy6yn9k9puq2dqkrt",
        ),
        (
            "signet",
            "tb1qsxeqdefc6cqukmjrkv03scrr27l80059k34lqkkhrsy6yn9k9puq2dqkrt",
        ),
    ] {
        assert_eq!(bitcoin(chain).as_deref(), Some(address), "{chain}");
    }
    assert_eq!(bitcoin("liquidv1"), None);
}

#[test]
fn an_opening_script_reads_back_and_nothing_else_does() {
    for csv in [0, 1, 16, 17, 60, 127, 128, 1008, 10080, 32768, 65535] {
        let parsed = OpeningScript::parse(&script(csv)).unwrap();
        assert_eq!(parsed.csv, Blocks(csv));
        assert_eq!(parsed.maker.to_string(), MAKER);
        assert_eq!(parsed.taker.to_string(), TAKER);
        assert_eq!(parsed.hash, HASH.parse::<PaymentHash>().unwrap());
    }
    assert_eq!(OpeningScript::parse(&script(65536)), None, "BIP 68 has 16 bits");
    let whole = script(10080).into_bytes();
    for at in 0..whole.len() {
        let cut = ScriptBuf::from_bytes(whole[..at].to_vec());
        assert_eq!(OpeningScript::parse(&cut), None, "cut at {at}");
    }
    let longer = ScriptBuf::from_bytes([&whole[..], &[0x51]].concat());
    assert_eq!(OpeningScript::parse(&longer), None);
}

#[test]
fn v5_the_claim_of_a_go_taker_is_understood() {
    let claim = go_claim();
    assert_eq!(claim.0.len(), 4729);
    let txid = tx::txid_of(coin(), &claim).unwrap();
    assert_eq!(
        txid.to_string(),
        "772ddda8691212a113768239aad5da0e724fa48516c93e0123664298ad11c99b"
    );
    assert_eq!(tx::inputs_of(coin(), &claim).unwrap(), [go_claim_opening()]);

    let payout = ScriptBuf::from_bytes(decode(&claim).output[0].script_pubkey.to_bytes());
    let seen = tx::classify_spend(coin(), &claim, go_claim_opening(), &payout)
        .unwrap()
        .unwrap();
    let preimage: Preimage = "ad242337ddfa53bf5f7a45e57081df397448a6f264974d9ef7a244c822f176e2"
        .parse()
        .unwrap();
    assert_eq!(seen.path, SpendPath::Preimage);
    assert_eq!(seen.preimage, Some(preimage.clone()));
    assert!(seen.pays_payout);
    assert_eq!(tx::with_preimage(coin(), &claim, &preimage).unwrap(), claim);
}

#[test]
fn v5_the_script_of_a_go_taker_is_made_again_from_its_parts() {
    let (maker, taker): (PubKey, PubKey) = (
        "03a8a6534ae8f64380045b9cedb905092c3dd8ca9cdc688d3d0fa10abdd33cc89b"
            .parse()
            .unwrap(),
        "032c55b7188b53495231b14410dff0bf273dd76715957e67b26224737c85a0dddc"
            .parse()
            .unwrap(),
    );
    let hash: PaymentHash = "a9605068a7f8deb691a1c23beb072abbd396e615ad50864ea8b5653e1a82b5ac"
        .parse()
        .unwrap();
    let made = tx::opening_script(&maker, &taker, hash, Blocks(60));
    let witness = decode(&go_claim()).input[0].witness.script_witness.to_vec();
    assert_eq!(made.as_bytes(), &witness[4][..]);
    assert_eq!(
        tx::output_script(&made).to_hex_string(),
        "002046d710837d920046c626104353e8c367bec13747cfa185e3b441e16393f34d53"
    );
}

#[test]
fn v5_v22_the_claim_of_a_go_taker_weighs_what_elements_says() {
    let cost = tx::cost_of(coin(), &go_claim()).unwrap();
    assert_eq!(
        (cost.fee, cost.vsize, cost.discount_vsize),
        (Amount::from_sat(33), 1346, 229)
    );
    let parsed = decode(&go_claim());
    assert_eq!((parsed.weight(), parsed.discount_weight()), (5383, 916));
}

#[test]
fn v6_assets_are_written_as_in_requests() {
    let chains = [
        (
            "6f0279e9ed041c3d710a9f57d0c02928416460c4b722ae3457a11eec381c526d",
            "016d521c38ec1ea15734ae22b7c46064412829c0d0579f0a713d1c04ede979026f",
        ),
        (
            "144c654344aa716d6f3abcc1ca90e5641e4e2a7f633bc09fe3baf64585819a49",
            "01499a818545f6bae39fc03b637f2a4e1e64e590cac1bc3a6f6d71aa4443654c14",
        ),
        (
            liquid_bench::REGTEST_LBTC,
            "0125b251070e29ca19043cf33ccd7324e2ddab03ecc4ae0b5e77c4fc0e5cf6c95a",
        ),
    ];
    for (shown, wire) in chains {
        let asset = shown.parse().unwrap();
        assert_eq!(hex::encode(tx::asset_to_wire(asset)), wire);
        assert_eq!(tx::asset_from_wire(&tx::asset_to_wire(asset)), Ok(asset));
    }
    assert_eq!(tx::asset_from_wire(&[0x0a; 33]), Err(WireAssetError(0x0a)));
}

fn claim_at(parties: &Parties, path: ClaimPath<'_>, rate: FeeRate) -> sluice::swap::state::Claim {
    let amount = Amount::from_sat(1_000_000);
    let opening = opening_of([parties.honest_output(true, amount)]);
    let request = ClaimRequest {
        opening: &opening,
        spec: &parties.spec(amount),
        path,
        payout: &parties.payout(true),
        rate,
        basis: FeeBasis::Discounted,
        min_fee: None,
        ceiling: None,
    };
    tx::build_claim(&request, &mut rng(1)).unwrap()
}

#[test]
fn v15_v22_a_claim_costs_its_true_size_where_go_pays_for_337() {
    let parties = Parties::new();
    let fees = |path| [100, 110, 1000].map(|rate| claim_at(&parties, path, FeeRate(rate)).cost.fee.to_sat());
    // Go at the same rates: preimage and CSV 33, 37, 337; cooperative 34, 37, 340.
    assert_eq!(fees(parties.preimage_path()), [23, 26, 230]);
    assert_eq!(fees(parties.csv_path()), [23, 25, 221]);
    assert_eq!(fees(parties.coop_path()), [24, 27, 239]);
}

/// The vector's signatures have 72 bytes; ours are made with 71.
#[test]
fn v21_witnesses_have_the_size_of_their_path() {
    let parties = Parties::new();
    let size = |path| {
        let claim = claim_at(&parties, path, FeeRate(100));
        let stack = decode(&claim.tx).input[0].witness.script_witness.to_vec();
        1 + stack.iter().map(|element| 1 + element.len()).sum::<usize>()
    };
    assert_eq!(size(parties.preimage_path()), 263 - 1);
    assert_eq!(size(parties.csv_path()), 228 - 1);
    assert_eq!(size(parties.coop_path()), 302 - 2);
}

const V19_AMOUNT: Amount = Amount::from_sat(5000);

fn judged(parties: &Parties, output: elements::TxOut) -> Result<u32, BadOpening> {
    let opening = opening_of([output]);
    let verdict = tx::verify_opening(&opening, &parties.spec(V19_AMOUNT));
    verdict.map_err(|error| match error {
        TxError::BadOpening(bad) => bad,
        other => panic!("{other}"),
    })
}

#[test]
fn v19_honest_openings_are_accepted_confidential_and_explicit() {
    let parties = Parties::new();
    for confidential in [true, false] {
        assert_eq!(judged(&parties, parties.honest_output(confidential, V19_AMOUNT)), Ok(1));
    }
}

#[test]
fn v19_an_attackers_asset_is_refused_disclosed_or_not() {
    let parties = Parties::new();
    let asset = elements::AssetId::from_byte_array([0x42; 32]);
    let attacker = Content {
        asset,
        asset_scalar: 2,
        value: 5000,
    };
    let refused = judged(&parties, parties.confidential_output(attacker, attacker));
    let want = policy_asset();
    assert_eq!(
        refused,
        Err(BadOpening::Asset {
            vout: 1,
            want,
            got: asset
        })
    );
    let refused = judged(&parties, parties.explicit_output(asset, 5000));
    assert_eq!(
        refused,
        Err(BadOpening::Asset {
            vout: 1,
            want,
            got: asset
        })
    );

    let forged = Content {
        asset_scalar: 3,
        ..Content::lbtc(5000)
    };
    let refused = judged(&parties, parties.confidential_output(attacker, forged));
    assert!(
        matches!(refused, Err(BadOpening::AssetCommitment { vout: 1, .. })),
        "{refused:?}"
    );
}

#[test]
fn v19_another_value_is_refused_with_both() {
    let parties = Parties::new();
    let [want, got] = [5000, 5001].map(Amount::from_sat);
    for confidential in [true, false] {
        let refused = judged(&parties, parties.honest_output(confidential, got)).unwrap_err();
        assert_eq!(refused, BadOpening::Value { vout: 1, want, got });
        assert_eq!(
            refused.to_string(),
            "opening output 1 holds 0.00005001 BTC, terms say 0.00005000 BTC"
        );
    }
}

#[test]
fn only_lbtc_needs_an_asset_id() {
    assert_eq!(Coin::of(Asset::Btc, None), Ok(Coin::Btc));
    assert_eq!(Coin::of(Asset::Lbtc, None), Err(TxError::NoPolicyAsset));
    assert_eq!(Coin::of(Asset::Lbtc, Some(policy_asset())), Ok(coin()));
}
