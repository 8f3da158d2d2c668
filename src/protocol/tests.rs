//! Golden payloads were printed by Go's `encoding/json` from the structs of ElementsProject/peerswap at 816a5bb.

use bitcoin::{Amount, SignedAmount};

use super::*;
use crate::units::{Asset, Ppm, SwapSecret};

const GO: &str = include_str!("../../tests/data/messages-go.txt");
const MAKER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";
const TAKER: &str = "02752e1beeeeb6472959117a0aa5d172900680c033ddf86b1a8318311e2b10223f";
const REGTEST_ASSET: &str = "0125b251070e29ca19043cf33ccd7324e2ddab03ecc4ae0b5e77c4fc0e5cf6c95a";
const TXID: &str = "772ddda8691212a113768239aad5da0e724fa48516c93e0123664298ad11c99b";

/// The line of the golden file with that name.
fn golden(name: &str) -> &'static str {
    GO.lines()
        .find_map(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')))
        .unwrap()
}

fn id() -> SwapId {
    SwapId(std::array::from_fn(|i| u8::try_from(i).unwrap() + 0xa0))
}

fn key() -> SwapSecret {
    SwapSecret::from_bytes([1; 32])
}

fn liquid() -> RequestChain {
    RequestChain::Liquid(hex::decode(REGTEST_ASSET).unwrap().try_into().unwrap())
}

fn request(chain: RequestChain, amount: u64, pubkey: &str, limit: i64) -> Request {
    Request {
        version: 7,
        swap_id: id(),
        chain,
        scid: "539268x845x1".parse().unwrap(),
        amount: Amount::from_sat(amount),
        pubkey: pubkey.parse().unwrap(),
        acceptable_premium: SignedAmount::from_sat(limit),
    }
}

fn agreement(pubkey: &str, premium: i64) -> Agreement {
    Agreement {
        version: 7,
        swap_id: id(),
        pubkey: pubkey.parse().unwrap(),
        premium: SignedAmount::from_sat(premium),
    }
}

fn opening(script_out: u32, blinding_key: Option<SwapSecret>) -> Message {
    Message::OpeningTxBroadcasted(OpeningTxBroadcasted {
        swap_id: id(),
        payreq: "lnbcrt10u1pexample".into(),
        txid: TxId(TXID.parse().unwrap()),
        script_out,
        blinding_key,
    })
}

fn capability() -> Capability {
    Capability {
        version: 7,
        assets: vec![Asset::Btc, Asset::Lbtc],
        peer_allowed: true,
        rates: Rates {
            btc_in: Ppm(-5),
            btc_out: Ppm(2000),
            lbtc_in: Ppm(0),
            lbtc_out: Ppm(1000),
        },
    }
}

/// Every message with the golden line that it must print.
fn examples() -> Vec<(&'static str, u16, Message)> {
    let canceled = |swap_id, message: &str| {
        let message = message.to_owned();
        Message::Cancel(Cancel { swap_id, message })
    };
    let too_late = "claim payment deadline exceeded: current height 160, deadline 160";
    vec![
        (
            "in_req",
            42069,
            Message::SwapInRequest(request(liquid(), 1_000_000, MAKER, -1500)),
        ),
        (
            "out_req",
            42071,
            Message::SwapOutRequest(request(liquid(), 1_000_000, TAKER, 2000)),
        ),
        ("in_agr", 42073, Message::SwapInAgreement(agreement(TAKER, -150))),
        (
            "out_agr",
            42075,
            Message::SwapOutAgreement(agreement(MAKER, 1000), "lnbcrt500n1pexample".into()),
        ),
        ("open", 42077, opening(0, Some(key()))),
        ("open_btc", 42077, opening(u32::MAX, None)),
        (
            "cancel",
            42079,
            canceled(Some(id()), "premium amt too high: 5000, limit : 2000 <&>"),
        ),
        ("cancel_null", 42079, canceled(None, "")),
        (
            "coop",
            42081,
            Message::CoopClose(CoopClose {
                swap_id: id(),
                message: too_late.into(),
                privkey: key(),
            }),
        ),
        ("poll", 42083, Message::Poll(capability())),
        ("poll_empty", 42083, Message::Poll(Capability::default())),
        ("poll", 42085, Message::RequestPoll(capability())),
    ]
}

fn refusal(kind: MessageType, payload: &str) -> DecodeError {
    decode(kind.code(), payload.as_bytes()).expect_err(payload)
}

#[test]
fn every_message_prints_byte_for_byte_as_go_prints_it() {
    for (name, code, message) in examples() {
        let (kind, payload) = encode(&message);
        assert_eq!(
            (kind, String::from_utf8(payload).unwrap().as_str()),
            (code, golden(name)),
            "{name}"
        );
    }
}

#[test]
fn every_message_of_go_is_read() {
    for (name, code, message) in examples() {
        assert_eq!(decode(code, golden(name).as_bytes()), Ok(Some(message)), "{name}");
    }
    // an initiator on lnd parts the channel's id by colons
    let bitcoin = request(RequestChain::Bitcoin("testnet3".into()), 100_000, MAKER, 0);
    let read = decode(42069, golden("in_req_btc").as_bytes());
    assert_eq!(read, Ok(Some(Message::SwapInRequest(bitcoin))));
}

#[test]
fn what_go_tolerates_is_tolerated() {
    let agreed = Ok(Some(Message::SwapOutAgreement(
        agreement(MAKER, 1000),
        "lnbcrt500n1pexample".into(),
    )));
    let go = golden("out_agr");
    let id = id().to_string();
    for payload in [
        go.replace("Payreq", "payreq"),
        go.replace("pubkey", "PubKey")
            .replace("protocol_version", "PROTOCOL_VERSION"),
        go.replace("swap_id", "\u{17f}wap_id"),
        go.replace(&id, &id.to_uppercase())
            .replace(MAKER, &MAKER.to_uppercase()),
        go.replace('{', r#"{"future":{"deep":[1e999,null]},"premium":5,"#),
        go.replace('}', r#","premium":null}"#),
        format!(" \n{go}\t"),
    ] {
        assert_eq!(decode(42075, payload.as_bytes()), agreed, "{payload}");
    }
    let polls =
        r#"{"version":5,"assets":[" lbtc","Btc","BTC"],"peer_allowed":false,"lbtc_swap_in_premium_rate_ppm":0}"#;
    let old = Capability {
        version: 5,
        assets: vec![Asset::Lbtc, Asset::Btc],
        ..Capability::default()
    };
    assert_eq!(decode(42083, polls.as_bytes()), Ok(Some(Message::Poll(old))));
}

#[test]
fn a_type_of_another_protocol_is_not_ours() {
    for kind in [0, 42068, 42070, 42087, u16::MAX] {
        assert_eq!(decode(kind, b"null"), Ok(None));
    }
}

#[test]
fn null_and_other_json_is_refused_for_every_message() {
    for kind in MessageType::ALL {
        for payload in ["null", "1", "\"text\"", "[]", "", "{", "{}x", "\u{feff}{}"] {
            assert_eq!(refusal(kind, payload).field, "payload", "{kind} {payload}");
        }
        let deep = format!("{{\"x\":{}", "[".repeat(50_000));
        assert_eq!(refusal(kind, &deep).field, "payload");
    }
}

#[test]
fn a_payload_beyond_a_hundred_kibibytes_is_refused_unread() {
    let fits = format!("{{\"x\":\"{}\"}}", "a".repeat(MAX_PAYLOAD - 8));
    assert_eq!(fits.len(), MAX_PAYLOAD);
    assert!(decode(42083, fits.as_bytes()).is_ok());
    let error = refusal(MessageType::Poll, &format!("{fits} "));
    assert_eq!(
        error.to_string(),
        "poll: payload is 102401 bytes, must be at most 102400 bytes"
    );
}

#[test]
fn a_request_is_refused_for_each_member_that_is_wrong() {
    let go = golden("out_req");
    for (field, from, to) in [
        ("protocol_version", ":7,", ":256,"),
        ("protocol_version", ":7,", ":\"7\","),
        ("swap_id", "a0a1", "zza1"),
        ("swap_id", "a0a1", "a0"),
        (
            "swap_id",
            "\"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf\"",
            "null",
        ),
        ("asset", REGTEST_ASSET, ""),
        ("asset", REGTEST_ASSET, "01"),
        ("asset", "\"network\":\"\"", "\"network\":\"regtest\""),
        ("scid", "539268x845x1", "539268x845"),
        ("scid", "539268x845x1", "539268x845x65536"),
        ("amount", "1000000", "1000000.0"),
        ("amount", "1000000", "1e6"),
        ("amount", "1000000", "-1"),
        ("amount", "1000000", "9223372036854775808"),
        ("amount", "1000000", "true"),
        ("pubkey", TAKER, "02"),
        // x = 5 is on no point of the curve
        (
            "pubkey",
            TAKER,
            "020000000000000000000000000000000000000000000000000000000000000005",
        ),
        ("acceptable_premium", ":2000", ":9223372036854775808"),
        ("acceptable_premium", ":2000", ":1.5"),
    ] {
        let payload = go.replace(from, to);
        assert_ne!(payload, go, "{from}");
        let error = refusal(MessageType::SwapOutRequest, &payload);
        assert_eq!(error.field, field, "{from} -> {to}");
        assert_eq!(error.swap_id, if field == "swap_id" { None } else { Some(id()) });
    }
    let both_empty = go.replace(&format!("\"asset\":\"{REGTEST_ASSET}\""), "\"asset\":null");
    assert_eq!(refusal(MessageType::SwapOutRequest, &both_empty).field, "asset");
    let elsewhere = both_empty.replace("\"network\":\"\"", "\"network\":\"mainnet2\"");
    assert_eq!(
        refusal(MessageType::SwapOutRequest, &elsewhere).to_string(),
        "swap_out_request: network is `mainnet2`, must be mainnet, testnet3, testnet4, signet or regtest"
    );
}

#[test]
fn an_announcement_without_an_invoice_or_with_a_false_number_is_refused() {
    let go = golden("open");
    let endless = "l".repeat(7090);
    for (field, from, to) in [
        ("payreq", "lnbcrt10u1pexample", ""),
        ("payreq", "lnbcrt10u1pexample", endless.as_str()),
        ("tx_id", TXID, "77"),
        ("script_out", ":0,", ":4294967296,"),
        ("script_out", ":0,", ":-1,"),
        ("blinding_key", "\"blinding_key\":\"01", "\"blinding_key\":1,\"x\":\"01"),
    ] {
        let error = refusal(MessageType::OpeningTxBroadcasted, &go.replace(from, to));
        assert_eq!((error.field, error.swap_id), (field, Some(id())));
    }
}

#[test]
fn a_key_that_is_none_is_refused_without_showing_it() {
    let good = "01".repeat(32);
    for bad in [
        "00".repeat(32),
        "ff".repeat(32),
        "c0ffee".repeat(11),
        format!("{good}c0"),
    ] {
        for (kind, name) in [
            (MessageType::CoopClose, "coop"),
            (MessageType::OpeningTxBroadcasted, "open"),
        ] {
            let error = refusal(kind, &golden(name).replace(&good, &bad));
            assert_eq!(error.rule, "must be 64 hex digits that are a private key");
            assert_eq!(error.value, format!("a string of {} bytes", bad.len()));
        }
    }
    assert_eq!(
        refusal(MessageType::CoopClose, &golden("coop").replace(&good, "")).field,
        "privkey"
    );
}

#[test]
fn a_rate_beyond_a_million_ppm_or_an_unknown_asset_spoils_a_poll() {
    let rated = |ppm: i64| format!("{{\"lbtc_swap_out_premium_rate_ppm\":{ppm}}}");
    assert!(decode(42083, rated(-1_000_000).as_bytes()).is_ok());
    for kind in [MessageType::Poll, MessageType::RequestPoll] {
        for ppm in [1_000_001, -1_000_001, i64::MIN, i64::MAX] {
            assert_eq!(refusal(kind, &rated(ppm)).value, ppm.to_string());
        }
        assert_eq!(refusal(kind, r#"{"assets":["LBTC","USDT"]}"#).value, "`USDT`");
        assert_eq!(refusal(kind, r#"{"assets":"LBTC"}"#).field, "assets");
        assert_eq!(refusal(kind, r#"{"peer_allowed":1}"#).field, "peer_allowed");
    }
}

#[test]
fn a_peers_reason_is_cut_and_cannot_steer_a_terminal() {
    let hostile = format!(r#"{{"message":"\u001b[2J{}"}}"#, "x".repeat(90_000));
    let Ok(Some(Message::Cancel(cancel))) = decode(42079, hostile.as_bytes()) else {
        panic!("a cancel without an id is read");
    };
    assert_eq!(cancel.swap_id, None);
    assert!(cancel.message.starts_with("[2Jxxx") && cancel.message.chars().count() == 1001);
    // nor does an error repeat it
    let error = refusal(
        MessageType::SwapInRequest,
        &golden("in_req").replace("539268x845x1", "\\u001b[2J"),
    );
    assert_eq!(error.value, "`[2J`");
}

#[test]
fn bytes_that_are_no_utf8_spoil_the_reason_only() {
    let payload = [b"{\"message\":\"no ".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
    let read = decode(42079, &payload).unwrap();
    assert!(matches!(read, Some(Message::Cancel(cancel)) if cancel.message == "no \u{fffd}\u{fffd}"));
}

#[test]
fn a_peer_inside_the_window_is_spoken_to_in_its_own_version() {
    assert_eq!([5, 6, 7].map(version_with), [Some(5), Some(6), Some(7)]);
}

#[test]
fn a_peer_outside_the_window_hears_its_nearest_end_and_one_without_a_version_nothing() {
    assert_eq!(
        [1, 4, 8, u64::MAX].map(version_with),
        [Some(5), Some(5), Some(7), Some(7)]
    );
    assert_eq!(version_with(0), None);
}
