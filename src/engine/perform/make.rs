//! Transactions: made and signed here, published only by a later state.

use bitcoin::Amount;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Task, until_answered};
use crate::engine::Side;
use crate::engine::sight;
use crate::keys::SwapSecrets;
use crate::ports::{Entropy, PortError};
use crate::swap::event::{EffectKind, Made, SpendPath};
use crate::swap::state::{Claim, Maker};
use crate::swap::{Effect, Event, State, Swap, Taker};
use crate::tx::{self, ClaimPath, ClaimRequest, FeeBasis, OpeningOutput};
use crate::units::{FeeRate, PaymentHash, RawTx};

pub(super) async fn opening(task: &Task, effect: &Effect, hash: PaymentHash) {
    let swap = task.swap();
    let State::Maker(deal, _) = &swap.state else { return };
    let output = sight::script(&swap, deal, hash)
        .zip(swap.terms.opening_amount(swap.kind, deal))
        .map(|(script, amount)| OpeningOutput {
            script: script.to_p2wsh(),
            blinding_key: swap.keys.blinding_key,
            amount,
        });
    let (Some(output), Some(side)) = (output, task.side()) else {
        return;
    };
    let shared = &task.shared;
    let made = until_answered(task, "fund the opening", || async {
        if !task.is_wanted(effect) {
            return Err(PortError::Refused("the swap has ended".into()));
        }
        let rate = side.chain.fee_rate().await?;
        let fund = || shared.openings.fund(side.wallet.as_ref(), &output, rate);
        match fund().await {
            Err(PortError::Refused(reason)) if may_be_funded_soon(task, &side).await? => {
                Err(PortError::Unreachable(reason))
            }
            // Coins may have come free between the two answers.
            Err(PortError::Refused(_)) => fund().await,
            funded => funded,
        }
    })
    .await;
    task.yield_event(match made {
        Ok(opening) => Event::Made(Made::Opening(opening)),
        Err(reason) => Event::Refused(EffectKind::MakeOpening, reason),
    })
    .await;
}

/// Whether the wallet has coins locked for other openings: their change is there once those are published. The machine
/// says when it is too late to wait for that.
async fn may_be_funded_soon(task: &Task, side: &Side) -> Result<bool, PortError> {
    let wanted = matches!(task.swap().state, State::Maker(_, Maker::Funding { .. }));
    Ok(wanted && side.wallet.balance().await?.locked > Amount::ZERO)
}

pub(super) async fn claim(task: &Task, path: &SpendPath) {
    let (swap, Some(side)) = (task.swap(), task.side()) else {
        return;
    };
    let basis = if side.info().discount {
        FeeBasis::Discounted
    } else {
        FeeBasis::Full
    };
    let made = until_answered(task, "make a claim", || async {
        let rate = side.chain.fee_rate().await?;
        let (swap, path, shared) = (swap.clone(), path.clone(), task.shared.clone());
        let built = aside(move || {
            let secrets = shared.seed.secrets(&swap.keys.path, swap.role);
            sign(&swap, &path, &secrets, (rate, basis), shared.entropy.as_ref())
        });
        built.await?.map_err(PortError::Refused)
    })
    .await;
    task.yield_event(match made {
        Ok(claim) => Event::Made(Made::Claim(claim)),
        Err(reason) => Event::Refused(EffectKind::MakeClaim, reason),
    })
    .await;
}

/// Runs what takes tens of milliseconds of a core, as blinding does, beside the tasks. A runtime of one thread has no
/// beside: there it runs at once, and a simulation's order of events is its own.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PortError> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| PortError::Broken(error.to_string()))
}

fn sign(
    swap: &Swap,
    path: &SpendPath,
    secrets: &SwapSecrets,
    (rate, basis): (FeeRate, FeeBasis),
    entropy: &dyn Entropy,
) -> Result<Claim, String> {
    let sought = sight::sought(swap).ok_or("no opening is known")?;
    let mut spec = sight::spec(swap, &sought)?;
    let blinding_key = swap.keys.blinding_key.map(|_| &secrets.blinding_key);
    spec.blinding_key = spec.blinding_key.or(blinding_key);
    let opening = opening_of(swap).ok_or("the opening is not known yet")?;
    let path = match path {
        SpendPath::Preimage => ClaimPath::Preimage {
            taker_key: &secrets.swap_key,
        },
        SpendPath::Coop => {
            let taker_key = taker_key_of(swap).ok_or("the taker has not given its key")?;
            ClaimPath::Coop {
                maker_key: &secrets.swap_key,
                taker_key,
            }
        }
        SpendPath::Csv => ClaimPath::Csv {
            maker_key: &secrets.swap_key,
        },
    };
    let payout = &swap.terms.payout;
    let request = ClaimRequest {
        opening,
        spec: &spec,
        path,
        payout,
        rate,
        basis,
        // What is stuck in the network is replaced, which costs more than it did.
        min_fee: swap
            .newest_claim()
            .map(|stuck| tx::replacement_fee(spec.coin, &stuck.cost)),
    };
    tx::build_claim(&request, &mut entropy.rng()).map_err(|error| error.to_string())
}

fn opening_of(swap: &Swap) -> Option<&RawTx> {
    match &swap.state {
        State::Taker(_, Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. }) => {
            Some(&paying.opening)
        }
        State::Taker(_, Taker::ClaimingInvoice { opening, .. }) => Some(opening),
        State::Maker(_, maker) => maker.opening().map(|opening| &opening.tx),
        State::Taker(..) | State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => None,
    }
}

fn taker_key_of(swap: &Swap) -> Option<&crate::units::SwapSecret> {
    match &swap.state {
        State::Maker(_, Maker::ClaimingCoop { taker_key, .. }) => Some(taker_key),
        _ => None,
    }
}

pub(super) async fn void(task: &Task) {
    let (swap, Some(side)) = (task.swap(), task.side()) else {
        return;
    };
    let State::Maker(_, Maker::Voiding { opening, .. }) = &swap.state else {
        return;
    };
    let mut backoff = task.backoff();
    loop {
        let made = async {
            let rate = side.chain.fee_rate().await?;
            side.wallet.void(opening, rate).await
        };
        match made.await {
            Ok(tx) => return task.yield_event(Event::Made(Made::Void(tx))).await,
            // Refused now is not refused for ever: a conflict may leave the mempool, money may come in.
            Err(PortError::Refused(reason)) => {
                tracing::warn!(reason, "the opening cannot be voided now; trying again");
                backoff.pause().await;
            }
            Err(failure) => {
                backoff.after("void the opening", failure).await;
            }
        }
    }
}
