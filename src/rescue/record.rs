//! What a rescue file holds: all that is needed to take a swap's coins, besides the seed.

use bitcoin::{Amount, BlockHash, ScriptBuf, SignedAmount};
use serde::{Deserialize, Serialize};

use crate::swap::event::{InvoiceStatus, SpendPath};
use crate::swap::state::{Claim, TxCost};
use crate::swap::terms::{Deal, KeyPath, Kind, Payout, Role};
use crate::swap::{Maker, State, Swap, Taker};
use crate::tx::{Coin, OpeningScript, OpeningSpec, TxError};
use crate::units::{
    Asset, Blocks, Height, NodeId, OutPoint, PaymentHash, Preimage, PubKey, RawTx, SwapId, SwapSecret, Timestamp, TxId,
};

/// One swap's coins, and every way to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The swap.
    pub swap_id: SwapId,
    /// The Lightning node at the other end of the channel.
    pub peer: NodeId,
    /// The direction, as the initiator sees it.
    pub kind: Kind,
    /// Our side.
    pub role: Role,
    /// What was swapped.
    pub asset: Asset,
    /// The name that the chain's node gave its chain.
    pub chain: String,
    /// The hash of that chain's block 0.
    pub genesis: BlockHash,
    /// On Liquid the id of L-BTC on that chain.
    pub policy_asset: Option<elements::AssetId>,
    /// The amount swapped, without premium.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub amount: Amount,
    /// Positive: the initiator pays the responder.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub premium: SignedAmount,
    /// When the swap was made.
    pub created_at: Timestamp,
    /// The chain's tip when the swap was made: nothing of it is in an earlier block.
    pub anchor: Height,
    /// Where this side's keys are derived from the seed.
    pub path: KeyPath,
    /// The maker's key in the opening script.
    pub maker_key: PubKey,
    /// The taker's key in the opening script.
    pub taker_key: PubKey,
    /// What the opening script, and the claim invoice, is locked to.
    pub payment_hash: PaymentHash,
    /// Blocks between the opening's block and the maker's refund.
    pub csv: Blocks,
    /// The opening.
    pub opening: Opening,
    /// Maker: our node has said that the claim invoice is paid. The coins are the taker's then (decision 0006).
    #[serde(default)]
    pub paid: bool,
    /// Where our spend pays to, unless told otherwise.
    pub payout: Payout,
    /// The preimage, once known (taker), which opens the opening with the taker's key.
    pub preimage: Option<Preimage>,
    /// The taker's private key, once it has given it to us (maker), which opens the opening with the maker's key.
    pub revealed_key: Option<SwapSecret>,
    /// Our spends that are signed already, the newest last. A taker's lacks the preimage.
    pub signed: Vec<Signed>,
}

/// The transaction that locked the coins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its id.
    pub txid: TxId,
    /// The whole of it.
    pub tx: RawTx,
    /// What its swap output holds.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub amount: Amount,
    /// Maker: the outputs of our wallet that it spends.
    pub inputs: Vec<OutPoint>,
    /// Taker on Liquid: the key that the maker announced, which opens the output's amount. A maker's is derived.
    pub blinding_key: Option<SwapSecret>,
    /// The block that holds it, as last seen.
    pub confirmed_at: Option<Height>,
}

/// A spend of the opening, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// By which path.
    pub path: SpendPath,
    /// Its id, which a preimage put in later does not change.
    pub txid: TxId,
    /// What it pays to the network, and for which size.
    pub cost: TxCost,
    /// The whole of it.
    pub tx: RawTx,
}

/// What a state knows of the coins at stake.
struct Stake<'a> {
    deal: &'a Deal,
    hash: PaymentHash,
    opening: Opening,
    paid: bool,
    preimage: Option<&'a Preimage>,
    revealed_key: Option<&'a SwapSecret>,
    signed: (SpendPath, &'a [Claim]),
}

impl Signed {
    pub(super) fn of(path: SpendPath, claim: &Claim) -> Signed {
        Signed {
            path,
            txid: claim.txid,
            cost: claim.cost,
            tx: claim.tx.clone(),
        }
    }
}

impl Record {
    /// What a committed swap's file holds. None while, or once, none of our coins are at stake: before the opening is
    /// made (maker) or its payment begins (taker), and after the end. `chain` is the node's name of its chain.
    #[must_use]
    pub fn of(swap: &Swap, chain: &str) -> Option<Record> {
        let csv = swap.terms.timelocks()?.csv;
        let stake = match &swap.state {
            State::Maker(deal, maker) => of_maker(swap, deal, maker)?,
            State::Taker(deal, taker) => of_taker(swap, deal, taker)?,
            State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => return None,
        };
        let (ours, theirs) = (swap.keys.swap_key, stake.deal.peer_key);
        let (maker_key, taker_key) = match swap.role {
            Role::Maker => (ours, theirs),
            Role::Taker => (theirs, ours),
        };
        let (path, claims) = stake.signed;
        Some(Record {
            swap_id: swap.id,
            peer: swap.peer,
            kind: swap.kind,
            role: swap.role,
            asset: swap.terms.asset,
            chain: chain.to_owned(),
            genesis: swap.terms.genesis,
            policy_asset: swap.terms.policy_asset,
            amount: swap.terms.amount,
            premium: stake.deal.premium,
            created_at: swap.created_at,
            anchor: swap.anchor,
            path: swap.keys.path,
            maker_key,
            taker_key,
            payment_hash: stake.hash,
            csv,
            opening: stake.opening,
            paid: stake.paid,
            payout: swap.terms.payout.clone(),
            preimage: stake.preimage.cloned(),
            revealed_key: stake.revealed_key.cloned(),
            signed: claims.iter().map(|claim| Signed::of(path.clone(), claim)).collect(),
        })
    }

    /// The witness script of the opening's output.
    #[must_use]
    pub fn script(&self) -> ScriptBuf {
        let script = OpeningScript {
            maker: self.maker_key,
            taker: self.taker_key,
            hash: self.payment_hash,
            csv: self.csv,
        };
        script.to_script()
    }

    /// What the opening is made of.
    ///
    /// # Errors
    /// L-BTC without its id.
    pub fn coin(&self) -> Result<Coin, TxError> {
        Coin::of(self.asset, self.policy_asset)
    }

    /// What the opening's output must be. A maker's own blinding key is given with it.
    ///
    /// # Errors
    /// As [`Record::coin`].
    pub fn spec<'a>(&'a self, own_blinding_key: &'a SwapSecret) -> Result<OpeningSpec<'a>, TxError> {
        let blinding_key = match (self.role, self.asset) {
            (_, Asset::Btc) => None,
            (Role::Maker, Asset::Lbtc) => Some(own_blinding_key),
            (Role::Taker, Asset::Lbtc) => self.opening.blinding_key.as_ref(),
        };
        Ok(OpeningSpec {
            coin: self.coin()?,
            script: self.script(),
            amount: self.opening.amount,
            blinding_key,
        })
    }

    /// Whether a file with `self` brings back the coins of a swap whose file should hold `other`: the rest, such as a
    /// preimage or a height, makes it easier.
    #[must_use]
    pub fn rescues(&self, other: &Record) -> bool {
        let facts = |record: &Record| (record.swap_id, record.path, record.opening.txid, record.genesis);
        facts(self) == facts(other) && self.script() == other.script()
    }
}

fn of_maker<'a>(swap: &Swap, deal: &'a Deal, maker: &'a Maker) -> Option<Stake<'a>> {
    let made = maker.opening()?;
    let (revealed_key, signed) = match maker {
        Maker::ClaimingCoop { taker_key, refund, .. } => (Some(taker_key), (SpendPath::Coop, &refund.claims[..])),
        Maker::ClaimingCsv { refund, .. } => (None, (SpendPath::Csv, &refund.claims[..])),
        Maker::Voiding(voiding) => (voiding.taker_key.as_ref(), (SpendPath::Csv, &[][..])),
        Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } | Maker::Opened(_) => {
            (None, (SpendPath::Csv, &[][..]))
        }
    };
    let status = match maker {
        Maker::Voiding(voiding) => Some(voiding.status),
        Maker::AwaitingFee { .. }
        | Maker::Funding { .. }
        | Maker::Publishing { .. }
        | Maker::Opened(_)
        | Maker::ClaimingCoop { .. }
        | Maker::ClaimingCsv { .. } => maker.opened().map(|opened| opened.status),
    };
    Some(Stake {
        deal,
        paid: status == Some(InvoiceStatus::Paid),
        hash: swap.keys.claim_hash?,
        opening: Opening {
            txid: made.outpoint.txid,
            tx: made.tx.clone(),
            amount: swap.terms.opening_amount(swap.kind, deal)?,
            inputs: made.inputs.clone(),
            blinding_key: None,
            confirmed_at: maker.opened().and_then(|opened| opened.confirmed_at),
        },
        preimage: None,
        revealed_key,
        signed,
    })
}

fn of_taker<'a>(swap: &Swap, deal: &'a Deal, taker: &'a Taker) -> Option<Stake<'a>> {
    let (offer, tx, confirmed_at, preimage, claims) = match taker {
        Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. } => {
            let claims = paying.claim.as_slice();
            (&paying.offer, &paying.opening, Some(paying.confirmed_at), None, claims)
        }
        Taker::ClaimingInvoice {
            offer,
            opening,
            preimage,
            claims,
            confirmed_at,
            ..
        } => (offer, opening, *confirmed_at, Some(preimage), &claims[..]),
        Taker::PayingFee { .. }
        | Taker::AwaitingOpening
        | Taker::AwaitingConfirmation { .. }
        | Taker::CoopClosing { .. } => return None,
    };
    Some(Stake {
        deal,
        paid: false,
        hash: offer.invoice.hash,
        opening: Opening {
            txid: offer.txid,
            tx: tx.clone(),
            amount: swap.terms.opening_amount(swap.kind, deal)?,
            inputs: Vec::new(),
            blinding_key: offer.blinding_key.clone(),
            confirmed_at,
        },
        preimage,
        revealed_key: None,
        signed: (SpendPath::Preimage, claims),
    })
}
