//! What holds a secret does not print it: a panic's message, an error or a log line may print anything.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bitcoin::hashes::Hash;
use clap::Parser;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::BodyExt;
use jsonrpsee::server::HttpBody;
use sluice::api::token::{RequireToken, Token};
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::chain::elements_rpc::ElementsRpc;
use sluice::chain::rpc::{Auth, Endpoint};
use sluice::config::{Config, RpcAuth, Sources};
use sluice::daemon;
use sluice::keys::{Seed, Words};
use sluice::ports::Incoming;
use sluice::protocol::{CoopClose, Message, OpeningTxBroadcasted};
use sluice::rescue::Key;
use sluice::swap::event::PaymentStatus;
use sluice::swap::terms::{KeyPath, Role};
use sluice::units::{Preimage, SwapId, SwapSecret, TxId};
use tower::{Layer, Service};
use zeroize::Zeroizing;

const BYTES: [u8; 32] = [
    0xd1, 0x5e, 0xa5, 0xed, 0xba, 0x5e, 0xba, 0x11, 0xca, 0xfe, 0xf0, 0x0d, 0xde, 0xad, 0xbe, 0xef, 0x0b, 0x57, 0xac,
    0x1e, 0xfa, 0xce, 0xb0, 0x0c, 0xc0, 0xff, 0xee, 0x5c, 0xa1, 0xab, 0x1e, 0x01,
];
const PASSWORD: &str = "correct-horse-battery";

/// What a secret of these bytes may look like in a text.
fn shapes(bytes: &[u8]) -> Vec<String> {
    let list = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    let pretty = bytes[..8].iter().map(u8::to_string).collect::<Vec<_>>().join(",\n");
    vec![hex::encode(&bytes[..8]), list(&bytes[..8]), pretty]
}

/// What a form of Debug shows of the secrets, or of the password.
fn shown(value: &dyn Debug, secrets: &[&[u8]]) -> Option<String> {
    let texts = [format!("{value:?}"), format!("{value:#?}").replace(' ', "")];
    let texts = texts.map(|text| text.to_lowercase());
    let mut shapes = secrets
        .iter()
        .flat_map(|secret| shapes(secret))
        .chain([PASSWORD.into()]);
    shapes.find(|shape| texts.iter().any(|text| text.contains(shape)))
}

#[track_caller]
fn assert_hidden(value: &dyn Debug, secrets: &[&[u8]]) {
    assert_eq!(shown(value, secrets), None, "{value:?}");
}

#[test]
fn what_prints_itself_is_noticed() {
    let open: [&dyn Debug; 3] = [&BYTES, &hex::encode(BYTES), &PASSWORD];
    for value in open {
        assert!(shown(value, &[&BYTES]).is_some(), "{value:?}");
    }
    assert!(shown(&[Some(BYTES)], &[&[0; 32]]).is_none());
}

/// A type with such a field may derive Debug: the crate hides what is in it.
#[test]
fn what_is_erased_after_use_does_not_print_itself() {
    assert_hidden(&Zeroizing::new(BYTES), &[&BYTES]);
    assert_hidden(&Zeroizing::new(PASSWORD.to_owned()), &[]);
}

#[test]
fn keys_and_preimages_do_not_print_themselves() {
    let (key, preimage) = (SwapSecret::from_bytes(BYTES), Preimage::from_bytes(BYTES));
    assert_hidden(&key, &[&BYTES]);
    assert_hidden(&preimage, &[&BYTES]);
    assert_hidden(&PaymentStatus::Paid(preimage), &[&BYTES]);
    // what is no key may be most of one
    let text = hex::encode(BYTES);
    for wrong in [&text[1..], &format!("{text}0"), &text.replace('0', "o")] {
        let (key, preimage) = (SwapSecret::from_str(wrong), Preimage::from_str(wrong));
        let errors = [key.unwrap_err(), preimage.unwrap_err()];
        assert!(errors.iter().all(|error| !error.to_string().contains(&wrong[2..18])));
        assert_hidden(&errors, &[&BYTES, &BYTES[1..]]);
    }
}

#[test]
fn the_seed_its_words_and_all_that_comes_of_it_do_not_print_themselves() {
    let entropy: [u8; 16] = BYTES[..16].try_into().unwrap();
    let seed = Seed::from_entropy(&entropy);
    let rescue_key = seed.rescue_key();
    assert_hidden(&seed, &[&entropy, &rescue_key[..]]);
    assert_hidden(&Key::of(&seed), &[&entropy, &rescue_key[..]]);
    let words = Words::parse("legal winner thank year wave sausage worth useful legal winner thank yellow").unwrap();
    let shown = format!("{words:?} {:?}", words.seed());
    assert!(!words.list().iter().any(|word| shown.contains(word)), "{shown}");
    let secrets = seed.secrets(&KeyPath([1, 2, 3, 4, 5]), Role::Maker);
    let own: [&[u8]; 4] = [
        secrets.swap_key.expose(),
        secrets.blinding_key.expose(),
        secrets.claim_preimage.expose(),
        secrets.fee_preimage.expose(),
    ];
    assert_hidden(&secrets, &own);
}

#[test]
fn messages_do_not_print_the_keys_that_they_carry() {
    let (swap_id, key) = (SwapId([7; 32]), SwapSecret::from_bytes(BYTES));
    let closing = CoopClose {
        swap_id,
        message: "why".into(),
        privkey: key.clone(),
    };
    let opening = OpeningTxBroadcasted {
        swap_id,
        payreq: "lnbcrt1".into(),
        txid: TxId(bitcoin::Txid::all_zeros()),
        script_out: 0,
        blinding_key: Some(key),
    };
    assert_hidden(&Message::CoopClose(closing), &[&BYTES]);
    assert_hidden(&Message::OpeningTxBroadcasted(opening), &[&BYTES]);
    let payload = format!(r#"{{"privkey":"{}"}}"#, hex::encode(BYTES)).into_bytes();
    let from = bitcoin::secp256k1::SecretKey::from_slice(&[1; 32]).unwrap();
    let incoming = Incoming {
        from: from.public_key(bitcoin::secp256k1::SECP256K1),
        kind: 42081,
        payload: payload.clone(),
    };
    assert_hidden(&incoming, &[&BYTES, &payload, &payload[12..]]);
}

#[test]
fn the_token_does_not_print_itself_nor_does_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.token");
    let token = Token::load_or_create(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let bytes = hex::decode(&text).unwrap();
    assert_hidden(&token, &[&bytes, text.as_bytes()]);
    assert_hidden(&token.header(), &[&bytes, text.as_bytes()]);
    fs::write(&path, format!("{text}0")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let error = Token::load(&path).unwrap_err();
    assert!(!error.to_string().contains(&text[..16]), "{error}");
    assert_hidden(&error, &[&bytes, text.as_bytes()]);
}

/// The library behind the guard writes the requests that it reads into a log of level trace.
#[tokio::test]
async fn nothing_behind_the_guard_of_the_api_sees_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let token = Token::load_or_create(&folder.path().join("api.token")).unwrap();
    let known = Arc::new(AtomicBool::new(false));
    let behind = tower::service_fn(|request: Request<()>| async move {
        let headers = format!("{:?}", request.headers());
        Ok::<_, Infallible>(Response::new(HttpBody::from(headers)))
    });
    let mut guard = RequireToken::new(token.clone(), known.clone()).layer(behind);
    let request = Request::builder()
        .header(AUTHORIZATION, token.header())
        .header("accept", "x");
    let answer = guard.call(request.body(()).unwrap()).await.unwrap();
    assert!(known.load(Ordering::Relaxed), "the guard has let it through");
    let seen = answer.into_body().collect().await.unwrap().to_bytes();
    let seen = String::from_utf8(seen.to_vec()).unwrap();
    assert!(seen.contains("accept") && !seen.contains("authorization"), "{seen}");
}

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: daemon::Args,
}

#[test]
fn passwords_do_not_print_themselves_wherever_they_are_held() {
    let password = Zeroizing::new(PASSWORD.to_owned());
    let user = "user".to_owned();
    let auth = Auth::Password {
        user: user.clone(),
        password: password.clone(),
    };
    let endpoint = Endpoint {
        url: "http://127.0.0.1:1".into(),
        auth: auth.clone(),
        wallet: "sluice".into(),
        timeout: Duration::from_secs(1),
        poll: Duration::from_secs(1),
    };
    // as a header has it
    let basic = [b"user:", PASSWORD.as_bytes()].concat();
    assert_hidden(&auth, &[&basic]);
    assert_hidden(&endpoint, &[&basic]);
    assert_hidden(&RpcAuth::Password { user, password }, &[&basic]);
    assert_hidden(&BitcoinRpc::new(&endpoint), &[&basic]);
    assert_hidden(&ElementsRpc::new(&endpoint).unwrap(), &[&basic]);

    let flag = format!("--set=liquid.password={PASSWORD}");
    let line = Line::try_parse_from(["sluiced", "--set=liquid.user=user", &flag]).unwrap();
    assert_hidden(&line, &[]);
    assert!(format!("{line:?}").contains("liquid.password"), "{line:?}");
    let sources = Sources {
        file: None,
        environment: vec![
            ("HOME".into(), "/nowhere".into()),
            ("SLUICE_BITCOIN__PASSWORD".into(), PASSWORD.into()),
            ("SLUICE_BITCOIN__USER".into(), "user".into()),
        ],
        overrides: line.args.overrides,
    };
    assert_hidden(&sources, &[]);
    let config = Config::load(&sources).unwrap();
    assert!(config.liquid.is_some() && config.bitcoin.is_some());
    assert_hidden(&config, &[]);
}
