//! Invoices and payments.

use bitcoin::Amount;
use futures::StreamExt;
use tracing::{debug, info};

use super::{Task, until_answered};
use crate::engine::admit::{self, Denial};
use crate::ports::{Channel, InvoiceSpec, PaymentSpec, PortError};
use crate::swap::event::{EffectKind, InvoiceKind, InvoiceStatus, Made, PaymentStatus};
use crate::swap::state::OwnInvoice;
use crate::swap::{Effect, Event, Payee, terms};
use crate::units::{CltvDelta, Height, Msat, PaymentHash};

pub(super) async fn make_invoice(
    task: &Task,
    kind: InvoiceKind,
    amount: Msat,
    expiry_secs: u64,
    final_cltv: Option<CltvDelta>,
) {
    let (shared, swap) = (&task.shared, task.swap());
    let secrets = shared.seed.secrets(&swap.keys.path, swap.role);
    let (preimage, word) = match kind {
        InvoiceKind::Fee => (secrets.fee_preimage.clone(), "fee"),
        InvoiceKind::Claim => (secrets.claim_preimage.clone(), "claim"),
    };
    let terms = &swap.terms;
    // The description of Go PeerSwap (swap/swap.go:190 at 816a5bb), which operators know from their nodes.
    let description = format!("peerswap {} {word} {} {}", terms.asset, terms.scid, swap.id);
    let spec = InvoiceSpec {
        preimage,
        amount,
        description,
        expiry_secs,
        final_cltv,
    };
    let made = until_answered(task, "make an invoice", || shared.node.ensure_invoice(&spec)).await;
    let event = made.and_then(|bolt11| {
        let read = crate::protocol::invoice::read_invoice(&bolt11, &shared.network);
        let invoice = read.map_err(|error| error.to_string())?;
        Ok(OwnInvoice {
            bolt11,
            hash: invoice.hash,
            expires_at: invoice.expires_at,
        })
    });
    task.yield_event(match event {
        Ok(invoice) => Event::Made(Made::Invoice(kind, invoice)),
        Err(reason) => Event::Refused(EffectKind::MakeInvoice, reason),
    })
    .await;
}

pub(super) async fn watch_invoice(task: &Task, kind: InvoiceKind, hash: PaymentHash) {
    let mut backoff = task.backoff();
    loop {
        match task.shared.node.watch_invoice(hash).await {
            Ok(mut states) => {
                while let Some(status) = states.next().await {
                    task.yield_event(Event::Invoice(kind, status)).await;
                    if status != InvoiceStatus::Open {
                        return;
                    }
                }
                backoff.pause().await;
            }
            Err(failure) => {
                if let Some(reason) = backoff.after("watch an invoice", failure).await {
                    debug!(reason, "the node refuses to watch the invoice; trying again");
                    backoff.pause().await;
                }
            }
        }
    }
}

pub(super) async fn cancel_invoice(task: &Task, hash: PaymentHash) {
    let cancelled = until_answered(task, "cancel an invoice", || task.shared.node.cancel_invoice(hash)).await;
    match cancelled {
        Ok(status) => task.yield_event(Event::Invoice(InvoiceKind::Claim, status)).await,
        Err(reason) => info!(reason, "the node does not cancel the invoice; waiting for the deadline"),
    }
}

/// Pays until that is certain, or no longer wanted: then whoever watches the payment tells what became of it.
pub(super) async fn pay(task: &Task, effect: &Effect, payee: &Payee) {
    let (shared, swap) = (&task.shared, task.swap());
    let invoice = &payee.invoice;
    let Some(amount) = invoice.amount else { return };
    let spec = PaymentSpec {
        bolt11: invoice.bolt11.clone(),
        hash: invoice.hash,
        amount,
        scid: swap.terms.scid,
        max_cltv: payee.max_cltv,
        time_limit: shared.pace.payment,
    };
    let mut backoff = task.backoff();
    while task.is_wanted(effect) {
        let failure = match attempt(task, effect, payee, &spec).await {
            Ok(Attempted::Certain(status)) => return task.yield_event(Event::Payment(payee.kind, status)).await,
            Ok(Attempted::TooLate) => Err(PortError::Refused("too late".into())),
            Ok(Attempted::Unwanted) => return,
            Ok(Attempted::InFlight) => {
                task.yield_event(Event::Payment(payee.kind, PaymentStatus::InFlight))
                    .await;
                shared.node.await_payment(invoice.hash).await
            }
            Err(failure) => Err(failure),
        };
        match failure {
            Ok(status @ (PaymentStatus::Paid(_) | PaymentStatus::Failed(_))) => {
                return task.yield_event(Event::Payment(payee.kind, status)).await;
            }
            Ok(PaymentStatus::InFlight | PaymentStatus::Absent) => backoff.pause().await,
            Err(failure) => {
                if let Some(reason) = backoff.after("pay an invoice", failure).await {
                    return task
                        .yield_event(Event::Refused(EffectKind::Pay(payee.kind), reason))
                        .await;
                }
            }
        }
    }
}

enum Attempted {
    Certain(PaymentStatus),
    InFlight,
    TooLate,
    /// Nothing was begun, and nothing is to be.
    Unwanted,
}

/// While the chain is away nothing is begun, but what was begun before may have come to its end.
async fn begun_before(task: &Task, hash: PaymentHash, away: PortError) -> Result<Attempted, PortError> {
    match task.shared.node.payment_status(hash).await? {
        status @ PaymentStatus::Paid(_) => Ok(Attempted::Certain(status)),
        PaymentStatus::InFlight => Ok(Attempted::InFlight),
        PaymentStatus::Failed(_) | PaymentStatus::Absent => Err(away),
    }
}

/// The chain's height, unless a second node shows another chain: what is seen then is nothing to pay for.
async fn height(task: &Task) -> Result<Height, PortError> {
    let side = task.side_now()?;
    match side.ask_witness().await {
        Some(doubt) => Err(PortError::Unreachable(doubt)),
        None => Ok(side.chain.tip().await?.height),
    }
}

/// Why the channel cannot carry the claim after its fee, which is lost then.
async fn carries_too_little(task: &Task, fee: &PaymentSpec) -> Result<Option<Denial>, PortError> {
    let swap = task.swap();
    let channels = task.shared.node.channels().await?;
    let named = |channel: &&Channel| channel.scid == fee.scid || channel.aliases.contains(&fee.scid);
    let (Some(deal), Some(channel)) = (swap.deal(), channels.iter().find(named)) else {
        return Ok(None);
    };
    let amounts = terms::amounts(swap.kind, swap.terms.amount, deal.premium);
    let needed = amounts.and_then(|amounts| amounts.claim.checked_add(fee.amount.ceil()));
    Ok(admit::balance(channel, true, needed.unwrap_or(Amount::MAX_MONEY)).err())
}

/// One call. It begins a payment only before the tip that the effect names: after an outage the state's permission
/// to pay may be hours old. And none for a claim before the swap's rescue file is on the disk, nor once the swap, while
/// that was waited for, has given up paying.
async fn attempt(task: &Task, effect: &Effect, payee: &Payee, spec: &PaymentSpec) -> Result<Attempted, PortError> {
    let (shared, invoice) = (&task.shared, &payee.invoice);
    let expired = || shared.clock.now() >= invoice.expires_at;
    let in_time = match height(task).await {
        Ok(height) => height < payee.before,
        Err(away) if !expired() => return begun_before(task, invoice.hash, away).await,
        Err(_) => false,
    };
    let kept = payee.kind == InvoiceKind::Fee || task.is_kept().await;
    let late = !in_time || expired();
    let wanted = task.is_wanted(effect);
    let status = if late || !kept || !wanted {
        shared.node.payment_status(invoice.hash).await?
    } else {
        if payee.kind == InvoiceKind::Fee
            && let Some(denial) = carries_too_little(task, spec).await?
        {
            // it has less also once the fee is paid
            return match shared.node.payment_status(invoice.hash).await? {
                PaymentStatus::Absent | PaymentStatus::Failed(_) => {
                    Err(PortError::Refused(format!("{denial}, its fee included")))
                }
                PaymentStatus::InFlight => Ok(Attempted::InFlight),
                status @ PaymentStatus::Paid(_) => Ok(Attempted::Certain(status)),
            };
        }
        let called = shared.node.ensure_payment(spec).await;
        if matches!(called, Err(PortError::Unreachable(_) | PortError::Broken(_))) {
            task.yield_event(Event::CallLost(payee.kind)).await;
        }
        called?
    };
    Ok(match status {
        PaymentStatus::InFlight => Attempted::InFlight,
        PaymentStatus::Paid(_) => Attempted::Certain(status),
        PaymentStatus::Failed(_) | PaymentStatus::Absent if late => Attempted::TooLate,
        PaymentStatus::Failed(_) | PaymentStatus::Absent if !wanted => Attempted::Unwanted,
        PaymentStatus::Failed(_) | PaymentStatus::Absent if !kept => {
            return Err(PortError::Unreachable(
                "the swap's rescue file is not on the disk yet".into(),
            ));
        }
        PaymentStatus::Failed(_) => Attempted::Certain(status),
        PaymentStatus::Absent => {
            return Err(PortError::Unreachable(
                "the node knows nothing of the payment it was asked to make".into(),
            ));
        }
    })
}

pub(super) async fn watch_payment(task: &Task, kind: InvoiceKind, hash: PaymentHash) {
    let mut backoff = task.backoff();
    loop {
        match task.shared.node.await_payment(hash).await {
            Ok(status) => {
                let paid = matches!(status, PaymentStatus::Paid(_));
                task.yield_event(Event::Payment(kind, status)).await;
                if paid {
                    return;
                }
                // What is no proof yet may be one later: the same word counts for more when time has passed.
                tokio::time::sleep(task.shared.pace.ask_again).await;
            }
            Err(failure) => {
                if let Some(reason) = backoff.after("watch a payment", failure).await {
                    debug!(reason, "the node refuses to tell of the payment; trying again");
                    backoff.pause().await;
                }
            }
        }
    }
}
