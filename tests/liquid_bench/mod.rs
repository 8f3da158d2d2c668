//! Openings of every kind, honest and forged, and a judge of claims that is independent of the code that makes them.
// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code, clippy::unwrap_used)]

pub mod interpreter;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf};
use elements::confidential::{Asset, AssetBlindingFactor, Nonce, Value, ValueBlindingFactor};
use elements::secp256k1_zkp::{Generator, SECP256K1, SecretKey};
use elements::{AssetId, LockTime, RangeProof, RangeProofMessage, Sequence, Transaction, TxIn, TxOut, TxOutWitness};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sluice::swap::terms::Payout;
use sluice::tx::{ClaimPath, Coin, OpeningSpec, opening_script, output_script};
use sluice::units::{Blocks, Preimage, PubKey, RawTx, SwapSecret};

/// L-BTC of liquidregtest, in the byte order that people see.
pub const REGTEST_LBTC: &str = "5ac9f65c0efcc4775e0baec4ec03abdde22473cd3cf33c0419ca290e0751b225";

pub fn policy_asset() -> AssetId {
    REGTEST_LBTC.parse().unwrap()
}

pub fn coin() -> Coin {
    Coin::Lbtc {
        policy_asset: policy_asset(),
    }
}

pub fn secret(byte: u8) -> SwapSecret {
    SwapSecret::from_bytes([byte; 32])
}

pub fn secret_key(secret: &SwapSecret) -> SecretKey {
    SecretKey::from_slice(secret.expose()).unwrap()
}

pub fn public(secret: &SwapSecret) -> PubKey {
    PubKey::from_secret_key(SECP256K1, &secret_key(secret))
}

/// Two peers, their secrets, and where their claims go.
pub struct Parties {
    pub maker: SwapSecret,
    pub taker: SwapSecret,
    pub blinding: SwapSecret,
    pub preimage: Preimage,
    pub payout_blinding: SwapSecret,
    pub csv: Blocks,
}

impl Parties {
    pub fn new() -> Self {
        Self {
            maker: secret(0x11),
            taker: secret(0x22),
            blinding: secret(0x33),
            preimage: Preimage::from_bytes([0x44; 32]),
            payout_blinding: secret(0x55),
            csv: Blocks(10080),
        }
    }

    pub fn script(&self) -> ScriptBuf {
        let (maker, taker) = (public(&self.maker), public(&self.taker));
        opening_script(&maker, &taker, self.preimage.hash(), self.csv)
    }

    pub fn spec(&self, amount: Amount) -> OpeningSpec<'_> {
        OpeningSpec {
            coin: coin(),
            script: self.script(),
            amount,
            blinding_key: Some(&self.blinding),
        }
    }

    /// A P2WPKH address of a wallet.
    pub fn payout(&self, confidential: bool) -> Payout {
        let program = bitcoin::WPubkeyHash::from_byte_array([0x66; 20]);
        Payout {
            address: String::new(),
            script: ScriptBuf::new_p2wpkh(&program),
            blinding_key: confidential.then(|| public(&self.payout_blinding)),
        }
    }

    pub fn preimage_path(&self) -> ClaimPath<'_> {
        ClaimPath::Preimage { taker_key: &self.taker }
    }

    pub fn coop_path(&self) -> ClaimPath<'_> {
        ClaimPath::Coop {
            maker_key: &self.maker,
            taker_key: &self.taker,
        }
    }

    pub fn csv_path(&self) -> ClaimPath<'_> {
        ClaimPath::Csv { maker_key: &self.maker }
    }

    pub fn all_paths(&self) -> [ClaimPath<'_>; 3] {
        [self.preimage_path(), self.coop_path(), self.csv_path()]
    }

    /// The opening's output with what is committed to, and what its range proof says.
    pub fn confidential_output(&self, committed: Content, disclosed: Content) -> TxOut {
        let script = elements::Script::from(output_script(&self.script()).into_bytes());
        let asset = committed.generator();
        let value_bf = ValueBlindingFactor::from_slice(&scalar(4)).unwrap();
        let value = Value::new_confidential(SECP256K1, committed.value, asset, value_bf);
        let ephemeral = SecretKey::from_slice(&scalar(5)).unwrap();
        let (nonce, shared) = Nonce::with_ephemeral_sk(SECP256K1, ephemeral, &public(&self.blinding));
        let message = RangeProofMessage::new(disclosed.asset, disclosed.asset_bf()).to_byte_array();
        let commitment = value.commitment().unwrap();
        let factor = value_bf.into_inner();
        let rangeproof = RangeProof::new(
            SECP256K1,
            1,
            commitment,
            committed.value,
            factor,
            &message,
            script.as_bytes(),
            shared,
            0,
            52,
            asset,
        );
        TxOut {
            asset: Asset::Confidential(asset),
            value,
            nonce,
            script_pubkey: script,
            witness: TxOutWitness {
                rangeproof: rangeproof.unwrap(),
                ..TxOutWitness::empty()
            },
        }
    }

    pub fn explicit_output(&self, asset: AssetId, sat: u64) -> TxOut {
        TxOut {
            asset: Asset::Explicit(asset),
            value: Value::Explicit(sat),
            nonce: Nonce::Null,
            script_pubkey: elements::Script::from(output_script(&self.script()).into_bytes()),
            witness: TxOutWitness::empty(),
        }
    }

    /// An honest opening's output.
    pub fn honest_output(&self, confidential: bool, amount: Amount) -> TxOut {
        if confidential {
            let content = Content::lbtc(amount.to_sat());
            self.confidential_output(content, content)
        } else {
            self.explicit_output(policy_asset(), amount.to_sat())
        }
    }
}

/// What an output commits to, or says that it does.
#[derive(Clone, Copy)]
pub struct Content {
    pub asset: AssetId,
    pub asset_scalar: u8,
    pub value: u64,
}

impl Content {
    pub fn lbtc(value: u64) -> Self {
        Self {
            asset: policy_asset(),
            asset_scalar: 1,
            value,
        }
    }

    fn asset_bf(&self) -> AssetBlindingFactor {
        AssetBlindingFactor::from_byte_array(scalar(self.asset_scalar)).unwrap()
    }

    fn generator(&self) -> Generator {
        Generator::new_blinded(SECP256K1, self.asset.into_tag(), self.asset_bf().into_inner())
    }
}

fn scalar(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = value;
    bytes
}

/// A transaction of these outputs after a change output, so that the opening's index is 1 as Go never says.
pub fn opening_of(outputs: impl IntoIterator<Item = TxOut>) -> RawTx {
    let change = TxOut {
        asset: Asset::Explicit(policy_asset()),
        value: Value::Explicit(77_000),
        nonce: Nonce::Null,
        script_pubkey: elements::Script::from(vec![0x51]),
        witness: TxOutWitness::empty(),
    };
    let tx = Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: elements::OutPoint::new(elements::Txid::from_byte_array([9; 32]), 3),
            sequence: Sequence(0xffff_fffd),
            ..TxIn::default()
        }],
        output: std::iter::once(change).chain(outputs).collect(),
    };
    RawTx::from(elements::encode::serialize(&tx))
}

pub fn decode(tx: &RawTx) -> Transaction {
    elements::encode::deserialize(&tx.0).unwrap()
}

pub fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Whether a chain would take this spend of `output`, `age` blocks after it confirmed.
pub fn judge(claim: &Transaction, output: &TxOut, age: u32) -> Result<(), String> {
    claim
        .verify_tx_amt_proofs(SECP256K1, std::slice::from_ref(output))
        .map_err(|error| format!("amounts: {error:?}"))?;
    interpreter::execute(claim, output, age)
}
