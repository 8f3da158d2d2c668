//! Whatever is sent can be read back, and whatever is received can be survived.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, SignedAmount};
use proptest::prelude::*;

use super::*;
use crate::units::{Asset, Ppm, SwapSecret};

prop_compose! {
    fn any_request()(
        version: u8, id: [u8; 32], asset in proptest::option::of(any::<[u8; 32]>()), network in 0usize..5,
        scid: u64, amount in 0..=i64::MAX.unsigned_abs(), limit: i64, secret in 1u8..0xff
    ) -> Request {
        Request {
            version,
            swap_id: SwapId(id),
            chain: match asset {
                Some(asset) => RequestChain::Liquid(std::array::from_fn(|i| if i == 0 { 1 } else { asset[i - 1] })),
                None => RequestChain::Bitcoin(["mainnet", "testnet3", "testnet4", "signet", "regtest"][network].into()),
            },
            scid: Scid(scid),
            amount: Amount::from_sat(amount),
            pubkey: point(secret),
            acceptable_premium: SignedAmount::from_sat(limit),
        }
    }
}

fn point(secret: u8) -> PubKey {
    let secret = bitcoin::secp256k1::SecretKey::from_slice(&[secret; 32]).unwrap();
    secret.public_key(&bitcoin::secp256k1::Secp256k1::new())
}

fn any_capability() -> impl Strategy<Value = Capability> {
    let rate = || (-1_000_000i64..=1_000_000).prop_map(Ppm);
    let assets = prop::sample::subsequence(vec![Asset::Btc, Asset::Lbtc], 0..=2);
    let rates = (rate(), rate(), rate(), rate());
    (any::<u64>(), assets, any::<bool>(), rates).prop_map(|(version, assets, peer_allowed, rates)| {
        let (btc_in, btc_out, lbtc_in, lbtc_out) = rates;
        let rates = Rates {
            btc_in,
            btc_out,
            lbtc_in,
            lbtc_out,
        };
        Capability {
            version,
            assets,
            peer_allowed,
            rates,
        }
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let agreement = || {
        any_request().prop_map(|request| Agreement {
            version: request.version,
            swap_id: request.swap_id,
            pubkey: request.pubkey,
            premium: request.acceptable_premium,
        })
    };
    let id = || any::<[u8; 32]>().prop_map(SwapId);
    let secret = || (1u8..0xff).prop_map(|byte| SwapSecret::from_bytes([byte; 32]));
    // what `plain` keeps as it is
    let reason = "[ -~äß€<>&\"]{0,200}";
    prop_oneof![
        any_request().prop_map(Message::SwapInRequest),
        any_request().prop_map(Message::SwapOutRequest),
        agreement().prop_map(Message::SwapInAgreement),
        (agreement(), "ln[a-z0-9]{1,500}").prop_map(|(agreement, payreq)| Message::SwapOutAgreement(agreement, payreq)),
        (
            id(),
            "ln[a-z0-9]{1,500}",
            any::<[u8; 32]>(),
            any::<u32>(),
            proptest::option::of(secret())
        )
            .prop_map(|(swap_id, payreq, txid, script_out, blinding_key)| {
                let txid = TxId(bitcoin::Txid::from_byte_array(txid));
                Message::OpeningTxBroadcasted(OpeningTxBroadcasted {
                    swap_id,
                    payreq,
                    txid,
                    script_out,
                    blinding_key,
                })
            }),
        (proptest::option::of(id()), reason)
            .prop_map(|(swap_id, message)| Message::Cancel(Cancel { swap_id, message })),
        (id(), reason, secret()).prop_map(|(swap_id, message, privkey)| Message::CoopClose(CoopClose {
            swap_id,
            message,
            privkey
        })),
        any_capability().prop_map(Message::Poll),
        any_capability().prop_map(Message::RequestPoll),
    ]
}

proptest! {
    #[test]
    fn what_is_sent_is_what_is_read(message in any_message()) {
        let (kind, payload) = encode(&message);
        prop_assert!(payload.len() < 65_533, "a custom message holds 65533 bytes beside its type");
        prop_assert_eq!(decode(kind, &payload), Ok(Some(message)));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(index in 0usize..9, payload: Vec<u8>) {
        let _ = decode(MessageType::ALL[index].code(), &payload);
    }

    #[test]
    fn no_change_of_a_true_payload_makes_the_reader_panic(
        message in any_message(), at in any::<prop::sample::Index>(), cut in 0usize..4, put: Vec<u8>
    ) {
        let (kind, mut payload) = encode(&message);
        let from = at.index(payload.len());
        let to = (from + cut).min(payload.len());
        payload.splice(from..to, put);
        if let Err(error) = decode(kind, &payload) {
            prop_assert!(error.value.chars().count() <= 81);
        }
    }
}
