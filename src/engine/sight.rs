//! What a chain shows, in the machine's words. Pure: from a swap to what to look for, from what was found to a view.

use bitcoin::ScriptBuf;

use crate::ports::{Found, Sighting, Watch};
use crate::swap::event::{ChainView, OpeningView, Spend, Verdict};
use crate::swap::state::Opening;
use crate::swap::terms::Deal;
use crate::swap::{Role, State, Swap};
use crate::tx::{self, Coin, OpeningSpec};
use crate::units::{OutPoint, PaymentHash, RawTx, SwapSecret, TxId};

/// What a swap's opening is, as far as its state tells.
pub(super) struct Sought<'a> {
    deal: &'a Deal,
    hash: PaymentHash,
    txid: TxId,
    tx: Option<&'a RawTx>,
    blinding_key: Option<&'a SwapSecret>,
    own: Option<&'a Opening>,
}

/// The opening that a swap's state knows of.
pub(super) fn sought(swap: &Swap) -> Option<Sought<'_>> {
    match &swap.state {
        State::Maker(deal, maker) => {
            let (opening, hash) = (maker.opening()?, swap.keys.claim_hash?);
            Some(Sought {
                deal,
                hash,
                txid: opening.outpoint.txid,
                tx: Some(&opening.tx),
                blinding_key: None,
                own: Some(opening),
            })
        }
        State::Taker(deal, taker) => {
            let offer = taker.offer()?;
            let blinding_key = offer.blinding_key.as_ref();
            Some(Sought {
                deal,
                hash: offer.invoice.hash,
                txid: offer.txid,
                tx: taker.opening(),
                blinding_key,
                own: None,
            })
        }
        State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => None,
    }
}

/// The witness script of a swap's opening output.
pub(super) fn script(swap: &Swap, deal: &Deal, hash: PaymentHash) -> Option<ScriptBuf> {
    let (ours, theirs) = (&swap.keys.swap_key, &deal.peer_key);
    let (maker, taker) = match swap.role {
        Role::Maker => (ours, theirs),
        Role::Taker => (theirs, ours),
    };
    Some(tx::opening_script(maker, taker, hash, swap.terms.timelocks()?.csv))
}

/// What to look for on the chain; None while no opening is known.
pub(super) fn watch(swap: &Swap) -> Option<Watch> {
    let sought = sought(swap)?;
    Some(Watch {
        swap: swap.id,
        script: script(swap, sought.deal, sought.hash)?.to_p2wsh(),
        opening: Some(sought.txid),
        tx: sought.tx.cloned(),
        inputs: sought.own.map(|opening| opening.inputs.clone()).unwrap_or_default(),
        since: swap.anchor,
    })
}

/// Judges openings, and remembers the last verdict: unblinding costs milliseconds, and a view comes at every block.
#[derive(Default)]
pub(super) struct Judge {
    last: Option<(RawTx, Verdict)>,
}

impl Judge {
    /// What was found, in the machine's words.
    pub(super) fn view(&mut self, swap: &Swap, sighting: &Sighting) -> ChainView {
        let opening = match &sighting.opening {
            None => OpeningView::Unseen,
            Some(Found { at: None, .. }) => OpeningView::Mempool,
            Some(Found { at: Some(at), tx }) => OpeningView::Confirmed {
                at: *at,
                verdict: self.judge(swap, tx),
            },
        };
        ChainView {
            tip: sighting.tip.height,
            opening,
            spend: spend(swap, sighting),
            conflict: sighting.conflict.as_ref().and_then(|found| found.at),
            gone: false,
        }
    }

    fn judge(&mut self, swap: &Swap, tx: &RawTx) -> Verdict {
        if let Some((judged, verdict)) = &self.last
            && judged == tx
        {
            return verdict.clone();
        }
        let verdict = match verify(swap, tx) {
            Ok(()) => Verdict::Good(tx.clone()),
            Err(reason) => Verdict::Bad(reason),
        };
        self.last = Some((tx.clone(), verdict.clone()));
        verdict
    }
}

fn verify(swap: &Swap, tx: &RawTx) -> Result<(), String> {
    let sought = sought(swap).ok_or("no opening is known")?;
    if sought.own.is_some() {
        return Ok(());
    }
    let spec = spec(swap, &sought)?;
    tx::verify_opening(tx, &spec).map(|_| ()).map_err(|bad| bad.to_string())
}

/// What a swap's opening is made of.
pub(super) fn coin(swap: &Swap) -> Result<Coin, String> {
    Coin::of(swap.terms.asset, swap.terms.policy_asset).map_err(|error| error.to_string())
}

/// What the opening output must be.
pub(super) fn spec<'a>(swap: &Swap, sought: &Sought<'a>) -> Result<OpeningSpec<'a>, String> {
    let nothing = "the terms name no output";
    Ok(OpeningSpec {
        coin: coin(swap)?,
        script: script(swap, sought.deal, sought.hash).ok_or(nothing)?,
        amount: swap.terms.opening_amount(swap.kind, sought.deal).ok_or(nothing)?,
        blinding_key: sought.blinding_key,
    })
}

fn spend(swap: &Swap, sighting: &Sighting) -> Option<Spend> {
    let (found, opening) = (sighting.spend.as_ref()?, sighting.opening.as_ref()?);
    let (sought, coin) = (sought(swap)?, coin(swap).ok()?);
    let script = script(swap, sought.deal, sought.hash)?.to_p2wsh();
    let vout = tx::find_output(coin, &opening.tx, &script).ok()??;
    let outpoint = OutPoint {
        txid: sought.txid,
        vout,
    };
    let seen = tx::classify_spend(coin, &found.tx, outpoint, &swap.terms.payout.script).ok()??;
    Some(Spend {
        at: found.at?,
        path: seen.path,
        ours: seen.pays_payout,
    })
}
