//! An opening: which chain in one byte, then the transaction, as a peer names it. What passes pays to the script.

use bitcoin::Amount;
use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use sluice::tx::{self, Coin, OpeningSpec};
use sluice::units::{Blocks, OutPoint, Preimage, RawTx, SwapSecret};

/// The amount that the corpus's openings hold.
const AMOUNT: Amount = Amount::from_sat(1_000_000);

pub fn run(data: &[u8]) {
    let Some((chain, bytes)) = data.split_first() else {
        return;
    };
    let coin = match chain % 2 {
        0 => Coin::Btc,
        _ => Coin::Lbtc {
            policy_asset: elements::AssetId::LIQUID_BTC,
        },
    };
    let tx = RawTx::from(bytes.to_vec());
    let secret = SecretKey::from_slice(&[7; 32]).expect("a key");
    let point = PublicKey::from_secret_key(SECP256K1, &secret);
    let hash = Preimage::from_bytes([9; 32]).hash();
    let script = tx::opening_script(&point, &point, hash, Blocks(1008));
    let blinding = SwapSecret::from_bytes([7; 32]);
    for blinding_key in [None, Some(&blinding)] {
        let spec = OpeningSpec {
            coin,
            script: script.clone(),
            amount: AMOUNT,
            blinding_key,
        };
        let Ok(vout) = tx::verify_opening(&tx, &spec) else {
            continue;
        };
        let found = tx::find_output(coin, &tx, &script.to_p2wsh()).expect("it was read");
        assert_eq!(found, Some(vout));
        assert_eq!(
            tx::cost_of(coin, &tx).is_ok(),
            coin != Coin::Btc,
            "only Liquid tells fees"
        );
    }
    if let Ok(id) = tx::txid_of(coin, &tx) {
        let inputs = tx::inputs_of(coin, &tx).expect("it was read");
        let output = inputs.first().copied().unwrap_or(OutPoint { txid: id, vout: 0 });
        tx::classify_spend(coin, &tx, output, &script).expect("it was read");
    }
}
