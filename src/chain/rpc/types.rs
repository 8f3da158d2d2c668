//! What the node answers, as far as it is used. Amounts are read digit by digit, never through a float.

use std::fmt;

use bitcoin::{Amount, BlockHash, Denomination, ScriptBuf};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::ports::Tip;
use crate::units::{FeeRate, Height, OutPoint, PubKey, TxId};

/// An amount as the node writes it: a decimal number of bitcoin with up to eight places. Sent as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Btc(pub Amount);

impl<'de> Deserialize<'de> for Btc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = Box::<RawValue>::deserialize(deserializer)?;
        Amount::from_str_in(digits.get().trim_matches('"'), Denomination::Bitcoin)
            .map(Btc)
            .map_err(|e| serde::de::Error::custom(format!("amount `{}`: {e}", digits.get())))
    }
}

impl Serialize for Btc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = format!("{}.{:08}", self.0.to_sat() / 100_000_000, self.0.to_sat() % 100_000_000);
        serializer.serialize_str(&digits)
    }
}

/// Bytes in hex. A block is read without a copy of its text.
#[derive(Clone, PartialEq, Eq)]
pub struct HexBytes(pub Vec<u8>);

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HexBytes({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = HexBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes in hex")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HexBytes, E> {
                hex::decode(text).map(HexBytes).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl From<Btc> for FeeRate {
    /// Rates come as bitcoin per 1000 virtual bytes.
    fn from(rate: Btc) -> FeeRate {
        FeeRate(rate.0.to_sat())
    }
}

impl From<FeeRate> for Btc {
    fn from(rate: FeeRate) -> Btc {
        Btc(Amount::from_sat(rate.0))
    }
}

/// `getblockchaininfo`.
#[derive(Debug, Clone, Deserialize)]
pub struct BlockchainInfo {
    /// Name of the chain.
    pub chain: String,
    /// Height of the newest block that is verified.
    pub blocks: u32,
    /// Height of the best header.
    pub headers: u32,
    /// Hash of the newest block that is verified.
    pub bestblockhash: BlockHash,
    /// Whether the node still catches up with its chain.
    pub initialblockdownload: bool,
    /// The time in the newest verified block, in Unix seconds.
    pub time: Option<u64>,
    /// On a node that throws old blocks away, the height of the oldest it has.
    #[serde(default)]
    pub pruneheight: Option<u32>,
}

impl BlockchainInfo {
    /// The newest verified block.
    #[must_use]
    pub fn tip(&self) -> Tip {
        Tip {
            height: Height(self.blocks),
            hash: self.bestblockhash,
        }
    }
}

/// `getnetworkinfo`.
#[derive(Debug, Clone, Deserialize)]
pub struct NetworkInfo {
    /// The release as a number: 230304 is 23.3.4.
    pub version: u32,
    /// The release as it tells its peers.
    pub subversion: String,
    /// What a replacement must pay on top, per 1000 virtual bytes of its own.
    pub incrementalfee: Btc,
}

/// `waitforblockheight`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TipAnswer {
    pub(super) hash: BlockHash,
    pub(super) height: u32,
}

impl From<TipAnswer> for Tip {
    fn from(answer: TipAnswer) -> Tip {
        Tip {
            height: Height(answer.height),
            hash: answer.hash,
        }
    }
}

/// `gettxout`.
#[derive(Debug, Clone, Deserialize)]
pub struct TxOutInfo {
    /// The tip that it holds for.
    pub bestblock: BlockHash,
    /// Blocks on it, its own included.
    pub confirmations: u32,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    pub script: ScriptInfo,
}

/// A script in an answer.
#[derive(Debug, Clone, Deserialize)]
pub struct ScriptInfo {
    /// Its bytes.
    pub hex: ScriptBuf,
}

/// `getmempoolinfo`.
#[derive(Debug, Clone, Deserialize)]
pub struct MempoolInfo {
    /// The least rate that is taken now.
    pub mempoolminfee: Btc,
    /// The least rate that is ever relayed.
    pub minrelaytxfee: Btc,
}

/// `getmempoolentry`.
#[derive(Debug, Clone, Deserialize)]
pub struct MempoolEntry {
    /// Transactions in the mempool that stand on it, itself included.
    pub descendantcount: u32,
}

/// `estimatesmartfee`.
#[derive(Debug, Clone, Deserialize)]
pub struct FeeEstimate {
    /// The rate; None while the node has seen too little.
    pub feerate: Option<Btc>,
}

/// `getrawtransaction`, verbose.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawTransaction {
    pub(super) hex: HexBytes,
    pub(super) blockhash: Option<BlockHash>,
}

/// `getaddressinfo`.
#[derive(Debug, Clone, Deserialize)]
pub struct AddressInfo {
    /// Its output script.
    #[serde(rename = "scriptPubKey")]
    pub script: ScriptBuf,
    /// Whether the wallet can spend what it is paid.
    #[serde(default)]
    pub ismine: bool,
    /// The key that outputs to it are blinded with; None for an unblinded address.
    #[serde(default, deserialize_with = "key_or_nothing")]
    pub confidential_key: Option<PubKey>,
}

/// The node writes an absent key as an empty string.
fn key_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PubKey>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| {
        text.parse()
            .map_err(|e| serde::de::Error::custom(format!("key `{text}`: {e}")))
    })
    .transpose()
}

/// `fundrawtransaction`.
#[derive(Debug, Clone, Deserialize)]
pub struct Funded {
    /// The transaction with inputs, change and fee.
    pub hex: HexBytes,
    /// Its fee.
    pub fee: Btc,
    /// Index of the change output; −1: there is none.
    pub changepos: i32,
}

/// `signrawtransactionwithwallet`.
#[derive(Debug, Clone, Deserialize)]
pub struct Signed {
    /// The transaction with what could be signed.
    pub hex: HexBytes,
    /// Whether every input is signed.
    pub complete: bool,
}

/// An output as the wallet's calls name it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct WalletOutPoint {
    /// The transaction.
    pub txid: bitcoin::Txid,
    /// Its output's index.
    pub vout: u32,
}

impl From<WalletOutPoint> for OutPoint {
    fn from(output: WalletOutPoint) -> OutPoint {
        OutPoint {
            txid: TxId(output.txid),
            vout: output.vout,
        }
    }
}

impl From<OutPoint> for WalletOutPoint {
    fn from(output: OutPoint) -> WalletOutPoint {
        WalletOutPoint {
            txid: output.txid.0,
            vout: output.vout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_in_both_directions() {
        for (text, sat) in [
            ("0.00000001", 1),
            ("0.10000000", 10_000_000),
            ("\"0.00000100\"", 100),
            ("20999999.99999999", 2_099_999_999_999_999),
            ("0", 0),
        ] {
            let amount: Btc = serde_json::from_str(text).unwrap();
            assert_eq!(amount.0.to_sat(), sat, "{text}");
        }
        let written = serde_json::to_string(&Btc(Amount::from_sat(2_099_999_999_999_999))).unwrap();
        assert_eq!(written, "\"20999999.99999999\"");
    }

    #[test]
    fn amounts_that_are_none_are_refused() {
        for text in ["-0.1", "0.000000001", "null", "{}", "\"much\""] {
            assert!(serde_json::from_str::<Btc>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn warnings_of_either_form_are_no_hindrance() {
        for warnings in [r#""old form""#, r#"["new","form"]"#] {
            let text =
                format!(r#"{{"version":230304,"subversion":"/x/","incrementalfee":0.00000100,"warnings":{warnings}}}"#);
            assert_eq!(serde_json::from_str::<NetworkInfo>(&text).unwrap().version, 230_304);
        }
    }
}
