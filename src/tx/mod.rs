//! Transactions of a swap: the opening's script and its validation, the three claims, and what a spend tells.
//!
//! Knows scripts, blinding and signatures. Must not know time, I/O or where keys come from. Everything here is a
//! function of its arguments; randomness is one of them. Callers see only [`RawTx`] and units: the chains' own types
//! stay below.
//!
//! ```text
//! opening ──► verify_opening ──► build_claim ──► (with_preimage) ──► network ──► classify_spend
//! ```

mod bitcoin;
mod error;
mod liquid;
pub mod script;
mod signing;

use ::bitcoin::{Amount, Script, ScriptBuf};
use elements::AssetId;
use rand::{CryptoRng, RngCore};

use crate::swap::event::SpendPath;
use crate::swap::fees::Ceiling;
use crate::swap::state::{Claim, TxCost};
use crate::swap::terms::Payout;
use crate::units::{Asset, Blocks, FeeRate, OutPoint, PaymentHash, Preimage, PubKey, RawTx, SwapSecret, TxId};

pub use error::{BadOpening, TxError};
pub use liquid::asset::{WireAssetError, asset_from_wire, asset_to_wire};
pub use script::OpeningScript;

/// A coin that swaps are made of: a chain, and on Liquid the asset on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coin {
    /// L-BTC.
    Lbtc {
        /// Its asset id on its chain.
        policy_asset: AssetId,
    },
    /// BTC.
    Btc,
}

impl Coin {
    /// The coin of a swap's terms. Fails for L-BTC without its asset id.
    pub fn of(asset: Asset, policy_asset: Option<AssetId>) -> Result<Coin, TxError> {
        match asset {
            Asset::Lbtc => policy_asset
                .map(|policy_asset| Coin::Lbtc { policy_asset })
                .ok_or(TxError::NoPolicyAsset),
            Asset::Btc => Ok(Coin::Btc),
        }
    }
}

/// The output that an opening must have, for the wallet that funds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningOutput {
    /// Its script.
    pub script: ScriptBuf,
    /// On Liquid the key to blind it to.
    pub blinding_key: Option<PubKey>,
    /// Its value.
    pub amount: Amount,
}

/// What an opening must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningSpec<'a> {
    /// Of what it is made.
    pub coin: Coin,
    /// The witness script, as [`opening_script`] makes it.
    pub script: ScriptBuf,
    /// The exact value of its output.
    pub amount: Amount,
    /// On Liquid the key that opens a confidential output; an explicit one needs none.
    pub blinding_key: Option<&'a SwapSecret>,
}

/// The path of a claim, with the keys it is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimPath<'a> {
    /// The taker's, by the preimage, which is put in later: no signature depends on it.
    Preimage {
        /// The taker's swap key.
        taker_key: &'a SwapSecret,
    },
    /// The maker's, with the key that coop_close gave it.
    Coop {
        /// The maker's swap key.
        maker_key: &'a SwapSecret,
        /// The taker's swap key.
        taker_key: &'a SwapSecret,
    },
    /// The maker's, after the timelock.
    Csv {
        /// The maker's swap key.
        maker_key: &'a SwapSecret,
    },
}

/// By which size Liquid's nodes judge a fee. Bitcoin knows one size only.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum FeeBasis {
    /// The discounted virtual size (ELIP-200), as Liquid's nodes do.
    #[default]
    Discounted,
    /// The whole virtual size: a chain whose nodes do not accept the discount.
    Full,
}

/// A claim to be made.
#[derive(Debug, Clone)]
pub struct ClaimRequest<'a> {
    /// The opening transaction.
    pub opening: &'a RawTx,
    /// What it must be; verified again before anything is signed.
    pub spec: &'a OpeningSpec<'a>,
    /// How it is spent, and by whom.
    pub path: ClaimPath<'a>,
    /// Where everything but the fee goes: confidentially if it has a blinding key.
    pub payout: &'a Payout,
    /// The fee per size.
    pub rate: FeeRate,
    /// The size meant by that.
    pub basis: FeeBasis,
    /// The least fee whatever the size: what a replacement must pay ([`replacement_fee`]).
    pub min_fee: Option<Amount>,
    /// The most that it may pay; None: whatever the rate and `min_fee` ask for.
    pub ceiling: Option<Ceiling>,
}

impl ClaimRequest<'_> {
    /// What a claim of that size pays.
    fn fee_for(&self, size: u64) -> Result<Amount, TxError> {
        let (fee, min_fee) = (self.rate.fee(size), self.min_fee.unwrap_or(Amount::ZERO));
        let Some(most) = self.ceiling.map(|ceiling| ceiling.fee(size)) else {
            return Ok(fee.max(min_fee));
        };
        if min_fee > most {
            return Err(TxError::AboveCeiling { fee: min_fee, most });
        }
        Ok(fee.max(min_fee).min(most))
    }
}

/// What a transaction that spends an opening tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendSeen {
    /// By which path of the script.
    pub path: SpendPath,
    /// The preimage, which the preimage path shows to everyone.
    pub preimage: Option<Preimage>,
    /// Every output but the fee (and unspendable ones) goes to the payout script: it is a version of our own claim.
    pub pays_payout: bool,
}

/// The witness script of an opening.
#[must_use]
pub fn opening_script(maker: &PubKey, taker: &PubKey, hash: PaymentHash, csv: Blocks) -> ScriptBuf {
    let script = OpeningScript {
        maker: *maker,
        taker: *taker,
        hash,
        csv,
    };
    script.to_script()
}

/// The output script of an opening: pay to the hash of its witness script (P2WSH).
#[must_use]
pub fn output_script(script: &Script) -> ScriptBuf {
    script.to_p2wsh()
}

/// The id of a transaction.
pub fn txid_of(coin: Coin, tx: &RawTx) -> Result<TxId, TxError> {
    match coin {
        Coin::Lbtc { .. } => Ok(liquid::txid(&liquid::decode(tx)?)),
        Coin::Btc => Ok(bitcoin::txid(&bitcoin::decode(tx)?)),
    }
}

/// The outputs that a transaction spends, in its order.
pub fn inputs_of(coin: Coin, tx: &RawTx) -> Result<Vec<OutPoint>, TxError> {
    match coin {
        Coin::Lbtc { .. } => Ok(liquid::inputs(&liquid::decode(tx)?)),
        Coin::Btc => Ok(bitcoin::inputs(&bitcoin::decode(tx)?)),
    }
}

/// The first output with that output script; None if there is none.
pub fn find_output(coin: Coin, tx: &RawTx, output_script: &Script) -> Result<Option<u32>, TxError> {
    match coin {
        Coin::Lbtc { .. } => Ok(liquid::outputs_with(&liquid::decode(tx)?, output_script).next()),
        Coin::Btc => Ok(bitcoin::outputs_with(&bitcoin::decode(tx)?, output_script).next()),
    }
}

/// The fee and sizes of a transaction. On Bitcoin a transaction does not tell its fee: that is an error.
pub fn cost_of(coin: Coin, tx: &RawTx) -> Result<TxCost, TxError> {
    match coin {
        Coin::Lbtc { policy_asset } => Ok(liquid::cost(&liquid::decode(tx)?, policy_asset)),
        Coin::Btc => Err(TxError::FeeNotTold),
    }
}

/// Judges an opening and returns the index of its output, which is found by script: an announced index is not asked,
/// a Go maker always says 0 on Liquid.
///
/// On Liquid the output may be explicit, or confidential: then asset and value are what the blinding key discloses,
/// and both commitments are made again from that. More than one output with the script is refused rather than one
/// of them chosen: no honest wallet makes two, and whoever watches the chain without the blinding key could not tell
/// which of them is meant.
pub fn verify_opening(tx: &RawTx, spec: &OpeningSpec<'_>) -> Result<u32, TxError> {
    match spec.coin {
        Coin::Lbtc { policy_asset } => {
            let tx = liquid::decode(tx)?;
            let verified = liquid::opening::verify(&tx, spec, policy_asset)?;
            Ok(verified.vout)
        }
        Coin::Btc => Ok(bitcoin::verify(&bitcoin::decode(tx)?, spec)?),
    }
}

/// Makes and signs a spend of the opening to the payout: one input, one output and the fee.
///
/// The fee is exactly what the rate asks for the finished transaction's size, rounded up, unless `min_fee` is more or
/// the ceiling less; a `min_fee` above the ceiling is an error.
/// A preimage claim has 32 zero bytes where [`with_preimage`] puts the preimage.
pub fn build_claim(request: &ClaimRequest<'_>, rng: &mut (impl RngCore + CryptoRng)) -> Result<Claim, TxError> {
    match request.spec.coin {
        Coin::Lbtc { policy_asset } => liquid::claim::build(request, policy_asset, rng),
        Coin::Btc => bitcoin::claim::build(request),
    }
}

/// A taker's claim with its preimage in it. Id and size stay what they are. A claim that has this preimage already
/// comes back as it is.
pub fn with_preimage(coin: Coin, claim: &RawTx, preimage: &Preimage) -> Result<RawTx, TxError> {
    match coin {
        Coin::Lbtc { .. } => liquid::claim::with_preimage(claim, preimage),
        Coin::Btc => bitcoin::claim::with_preimage(claim, preimage),
    }
}

/// The one output with an opening's script.
fn only_output(txid: TxId, mut vouts: impl Iterator<Item = u32>, script: &Script) -> Result<u32, BadOpening> {
    match (vouts.next(), vouts.count()) {
        (Some(vout), 0) => Ok(vout),
        (Some(_), others) => Err(BadOpening::Ambiguous {
            txid,
            count: others.saturating_add(1),
        }),
        (None, _) => Err(BadOpening::NoOutput {
            txid,
            script: script.to_hex_string(),
        }),
    }
}

/// What a spend of `opening` tells; None if the transaction does not spend it. `payout_script` is the output script
/// that our own claim pays to.
pub fn classify_spend(
    coin: Coin,
    spend: &RawTx,
    opening: OutPoint,
    payout_script: &Script,
) -> Result<Option<SpendSeen>, TxError> {
    match coin {
        Coin::Lbtc { .. } => Ok(liquid::spend::classify(&liquid::decode(spend)?, opening, payout_script)),
        Coin::Btc => Ok(bitcoin::classify(&bitcoin::decode(spend)?, opening, payout_script)),
    }
}

/// The least fee of a transaction that replaces one of the same shape: nodes ask for their incremental relay fee on the
/// virtual size (Elements: the undiscounted one) on top of the replaced fee (BIP 125, rule 4).
#[must_use]
pub fn replacement_fee(coin: Coin, replaced: &TxCost) -> Amount {
    match coin {
        Coin::Lbtc { .. } => liquid::replacement_fee(replaced),
        Coin::Btc => bitcoin::replacement_fee(replaced),
    }
}

/// A transaction of Bitcoin without inputs whose one output is the opening's, for the wallet to fund. It is in the
/// encoding without witnesses: BIP 144 has none for a transaction without inputs.
#[must_use]
pub fn funding_template(output: &OpeningOutput) -> RawTx {
    bitcoin::funding_template(output)
}

/// The address of an output script, for people; confidential if a blinding key is given. `chain` is the name that the
/// chain's node gives it. None for a script that has no address.
#[must_use]
pub fn address_of(coin: Coin, chain: &str, output_script: &Script, blinding_key: Option<PubKey>) -> Option<String> {
    match coin {
        Coin::Lbtc { .. } => liquid::address(chain, output_script, blinding_key),
        Coin::Btc => bitcoin::address(chain, output_script),
    }
}

/// What to pay to for an address that a person has typed. It must be of the same network as `like`, an address that
/// the chain's wallet gave.
pub fn payout_to(coin: Coin, address: &str, like: &str) -> Result<Payout, TxError> {
    let payout = match coin {
        Coin::Lbtc { .. } => liquid::payout_to(address, like),
        Coin::Btc => bitcoin::payout_to(address, like),
    };
    payout.map_err(|reason| TxError::Address {
        address: address.chars().take(120).collect(),
        reason,
    })
}
