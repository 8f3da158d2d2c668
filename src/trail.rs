//! What a swap leaves behind: facts that its state forgets once it has moved on, and when each thing happened.
//!
//! Folded from the steps of a swap, in their order, and kept beside it. Nothing decides by it: it is for people, for
//! the API and for measurements. Holds no secret and no transaction.

use bitcoin::{Amount, ScriptBuf};
use serde::{Deserialize, Serialize};

use crate::swap::event::{Event, InvoiceStatus, OpeningView, Spend, SpendPath, TxKind, Verdict};
use crate::swap::state::{Attempt, Claim, Maker, Opened, Opening, Paying, State, Swap, Taker, TxCost, Voiding};
use crate::swap::terms::Deal;
use crate::tx::{self, Coin};
use crate::units::{Asset, Height, Msat, RawTx, TxId};

/// Milliseconds since 1970, UTC: finer than [`crate::units::Timestamp`], because swaps are measured with it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(pub u64);

impl Millis {
    /// What the system's clock says.
    #[must_use]
    pub fn now() -> Millis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Millis(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The opening, as far as this side knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningFacts {
    /// Its id.
    pub txid: TxId,
    /// Its output that holds the swap's coins.
    pub vout: Option<u32>,
    /// Its fee and sizes.
    pub cost: Option<TxCost>,
    /// Whether that output hides amount and asset.
    pub confidential: Option<bool>,
    /// The block that holds it, as last seen.
    pub confirmed_at: Option<Height>,
}

/// Our own spend of the opening, once its publication is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimFacts {
    /// Its id.
    pub txid: TxId,
    /// Its fee and sizes.
    pub cost: TxCost,
    /// By which path.
    pub path: SpendPath,
}

/// A transaction that another one took the place of, or that pushed one into a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its id.
    pub txid: TxId,
    /// Its fee and sizes.
    pub cost: TxCost,
}

impl From<&Claim> for Version {
    fn from(made: &Claim) -> Version {
        Version {
            txid: made.txid,
            cost: made.cost,
        }
    }
}

/// When each thing happened first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Terms and premium were agreed.
    pub agreed: Option<Millis>,
    /// The opening was with the network (maker), or announced (taker).
    pub opening_published: Option<Millis>,
    /// The opening had the confirmations it needs.
    pub confirmed: Option<Millis>,
    /// The claim payment began.
    pub payment_started: Option<Millis>,
    /// The claim invoice was paid.
    pub paid: Option<Millis>,
    /// Our spend of the opening was with the network.
    pub spend_published: Option<Millis>,
    /// The swap closed.
    pub closed: Option<Millis>,
}

/// The trail of one swap.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trail {
    /// When the swap was stored.
    pub created: Millis,
    /// Why this asset, where the choice was ours.
    pub choice: Option<String>,
    /// What was agreed.
    pub deal: Option<Deal>,
    /// What the fee invoice asks for (swap-out).
    #[serde(with = "bitcoin::amount::serde::as_sat::opt")]
    pub fee_invoice: Option<Amount>,
    /// The opening.
    pub opening: Option<OpeningFacts>,
    /// The children that were to push it, each in the place of the one before it.
    pub pushes: Vec<Version>,
    /// Our own spend of it.
    pub claim: Option<ClaimFacts>,
    /// The versions of that spend before the newest.
    pub replaced: Vec<Version>,
    /// The spend that the chain showed last.
    pub spend: Option<Spend>,
    /// When each thing happened.
    pub marks: Marks,
}

impl Trail {
    /// The trail of a swap that is being stored now, in whatever state it begins.
    #[must_use]
    pub fn begin(swap: &Swap, at: Millis) -> Trail {
        let mut trail = Trail {
            created: at,
            ..Trail::default()
        };
        trail.note_state(swap, at);
        trail
    }

    /// Adds one committed step: what was observed, and the swap after it.
    pub fn note(&mut self, event: &Event, next: &Swap, at: Millis) {
        match event {
            Event::Chain(view) => {
                self.spend.clone_from(&view.spend);
                if let OpeningView::Confirmed {
                    at: height,
                    verdict: Verdict::Good(_),
                } = &view.opening
                {
                    let needed = next.terms.timelocks().map(|limits| limits.confirmations);
                    if height.confirmations_at(view.tip) >= needed {
                        self.marks.confirmed.get_or_insert(at);
                    }
                }
            }
            Event::Accepted(TxKind::Claim) => {
                self.marks.spend_published.get_or_insert(at);
            }
            Event::Started
            | Event::Peer(_)
            | Event::Invoice(..)
            | Event::Payment(..)
            | Event::CallLost(_)
            | Event::Made(_)
            | Event::Sent(_)
            | Event::Accepted(TxKind::Opening | TxKind::Void | TxKind::Push)
            | Event::Refused(..)
            | Event::Tick
            | Event::Abort(_)
            | Event::Bump(_) => {}
        }
        self.note_state(next, at);
    }

    /// Our claim reached the network without a step of the machine: it learns nothing from that, people do.
    pub fn note_published(&mut self, at: Millis) {
        self.marks.spend_published.get_or_insert(at);
    }

    fn note_state(&mut self, swap: &Swap, at: Millis) {
        match &swap.state {
            State::Requested { .. } | State::Canceling { .. } => {}
            State::Maker(deal, maker) => {
                self.agreed(deal, at);
                self.note_maker(swap, maker, at);
            }
            State::Taker(deal, taker) => {
                self.agreed(deal, at);
                self.note_taker(swap, deal, taker, at);
            }
            State::Closed(_) => {
                self.marks.closed.get_or_insert(at);
            }
        }
    }

    fn agreed(&mut self, deal: &Deal, at: Millis) {
        self.deal = Some(*deal);
        self.marks.agreed.get_or_insert(at);
    }

    fn note_maker(&mut self, swap: &Swap, maker: &Maker, at: Millis) {
        match maker {
            Maker::AwaitingFee { .. } => self.fee_invoice = Some(swap.terms.fees.fee_invoice),
            Maker::Funding { .. } => {}
            Maker::Publishing { opening, .. } | Maker::Voiding(Voiding { opening, .. }) => self.made(swap, opening),
            Maker::Opened(opened) => self.opened(swap, opened, at),
            Maker::ClaimingCoop { opened, refund, .. } => {
                self.opened(swap, opened, at);
                self.claims(&refund.claims, SpendPath::Coop);
            }
            Maker::ClaimingCsv { opened, refund } => {
                self.opened(swap, opened, at);
                self.claims(&refund.claims, SpendPath::Csv);
            }
        }
    }

    fn made(&mut self, swap: &Swap, opening: &Opening) {
        if self.opening.is_none() {
            let vout = opening.outpoint.vout;
            self.opening = Some(OpeningFacts {
                txid: opening.outpoint.txid,
                vout: Some(vout),
                cost: Some(opening.cost),
                confidential: is_confidential(swap.terms.asset, &opening.tx, vout),
                confirmed_at: None,
            });
        }
    }

    fn opened(&mut self, swap: &Swap, opened: &Opened, at: Millis) {
        self.made(swap, &opened.opening);
        let newest = opened.children.last().map(Version::from);
        self.pushes
            .extend(newest.filter(|newest| self.pushes.last() != Some(newest)));
        self.confirmed_at(opened.confirmed_at);
        self.marks.opening_published.get_or_insert(at);
        if opened.status == InvoiceStatus::Paid {
            self.marks.paid.get_or_insert(at);
        }
    }

    fn confirmed_at(&mut self, height: Option<Height>) {
        if let Some(opening) = &mut self.opening {
            opening.confirmed_at = height;
        }
    }

    fn claims(&mut self, claims: &[Claim], path: SpendPath) {
        if let Some(claim) = claims.last() {
            let before = self.claim.as_ref().filter(|before| before.txid != claim.txid);
            self.replaced.extend(before.map(|before| Version {
                txid: before.txid,
                cost: before.cost,
            }));
            self.claim = Some(ClaimFacts {
                txid: claim.txid,
                cost: claim.cost,
                path,
            });
        }
    }

    fn note_taker(&mut self, swap: &Swap, deal: &Deal, taker: &Taker, at: Millis) {
        match taker {
            Taker::PayingFee { fee, .. } => self.fee_invoice = fee.amount.map(Msat::floor),
            Taker::AwaitingOpening => {}
            Taker::AwaitingConfirmation { offer, confirmed_at } => {
                self.announced(offer.txid, at);
                self.confirmed_at(*confirmed_at);
            }
            Taker::PayingClaim { paying, attempt } => {
                self.announced(paying.offer.txid, at);
                self.verified(swap, deal, paying);
                self.confirmed_at(Some(paying.confirmed_at));
                if matches!(attempt, Attempt::Calling(_)) {
                    self.marks.payment_started.get_or_insert(at);
                }
            }
            Taker::AbandoningPayment { paying, .. } => self.confirmed_at(Some(paying.confirmed_at)),
            Taker::ClaimingInvoice { claims, .. } => {
                self.marks.paid.get_or_insert(at);
                self.claims(claims, SpendPath::Preimage);
            }
            Taker::CoopClosing { offer, .. } => {
                if let Some(offer) = offer {
                    self.announced(offer.txid, at);
                }
            }
        }
    }

    fn announced(&mut self, txid: TxId, at: Millis) {
        self.marks.opening_published.get_or_insert(at);
        self.opening.get_or_insert(OpeningFacts {
            txid,
            vout: None,
            cost: None,
            confidential: None,
            confirmed_at: None,
        });
    }

    fn verified(&mut self, swap: &Swap, deal: &Deal, paying: &Paying) {
        let Some(opening) = self.opening.as_mut().filter(|opening| opening.cost.is_none()) else {
            return;
        };
        let tx = &paying.opening;
        // what cannot be read is not shown; the machine has judged the transaction by its own reading
        if let Ok(coin) = Coin::of(swap.terms.asset, swap.terms.policy_asset) {
            opening.cost = tx::cost_of(coin, tx).ok();
            let script = output_script(swap, deal, paying);
            opening.vout = script.and_then(|script| tx::find_output(coin, tx, &script).ok().flatten());
        }
        let vout = opening.vout;
        opening.confidential = vout.and_then(|vout| is_confidential(swap.terms.asset, tx, vout));
    }
}

/// The output script of an opening that this node pays for.
fn output_script(swap: &Swap, deal: &Deal, paying: &Paying) -> Option<ScriptBuf> {
    let (maker, taker) = (&deal.peer_key, &swap.keys.swap_key);
    let csv = swap.terms.timelocks()?.csv;
    let script = tx::opening_script(maker, taker, paying.offer.invoice.hash, csv);
    Some(tx::output_script(&script))
}

fn is_confidential(asset: Asset, tx: &RawTx, vout: u32) -> Option<bool> {
    match asset {
        Asset::Lbtc => {
            let tx: elements::Transaction = elements::encode::deserialize(&tx.0).ok()?;
            let output = tx.output.get(usize::try_from(vout).ok()?)?;
            Some(output.value.is_confidential() && output.asset.is_confidential())
        }
        Asset::Btc => Some(false),
    }
}
