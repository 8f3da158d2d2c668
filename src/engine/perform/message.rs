//! Messages to the peer.

use super::Task;
use crate::ports::PortError;
use crate::protocol::{self, Agreement, Cancel, CoopClose, Message, OpeningTxBroadcasted, Request, RequestChain};
use crate::swap::event::{EffectKind, MessageKind};
use crate::swap::state::{Maker, Opened};
use crate::swap::{Effect, Event, Kind, Outgoing, State, Swap};
use crate::tx;
use crate::units::Asset;

/// A refusal is heard only while the message is wanted: one of a request must not be taken for one of its cancel.
pub(super) async fn send(task: &Task, effect: &Effect, outgoing: &Outgoing, repeat: bool) {
    let swap = task.swap();
    let Some(message) = compose(task, &swap, outgoing) else {
        let reason = "the message cannot be composed from the swap's state".to_owned();
        return task
            .yield_answer(effect, Event::Refused(EffectKind::Send, reason))
            .await;
    };
    let (kind, payload) = protocol::encode(&message);
    let once = matches!(outgoing, Outgoing::Request);
    let mut backoff = task.backoff();
    let mut told = false;
    loop {
        match task.shared.messenger.send(swap.peer, kind, payload.clone()).await {
            Ok(()) => {
                if !told {
                    told = true;
                    task.yield_event(Event::Sent(kind_of(outgoing))).await;
                }
                if !repeat {
                    return;
                }
                tokio::time::sleep(task.shared.pace.resend).await;
            }
            // A request is tried once: whether it arrived is not known, and a second one is worse than none.
            Err(PortError::Unreachable(reason) | PortError::Broken(reason)) if once => {
                return task
                    .yield_answer(effect, Event::Refused(EffectKind::Send, reason))
                    .await;
            }
            Err(failure) => {
                if let Some(reason) = backoff.after("send a message", failure).await {
                    if !repeat {
                        return task
                            .yield_answer(effect, Event::Refused(EffectKind::Send, reason))
                            .await;
                    }
                    tokio::time::sleep(task.shared.pace.resend).await;
                }
            }
        }
    }
}

fn kind_of(outgoing: &Outgoing) -> MessageKind {
    match outgoing {
        Outgoing::Request => MessageKind::Request,
        Outgoing::Agreement(_) => MessageKind::Agreement,
        Outgoing::Opening => MessageKind::Opening,
        Outgoing::Cancel(_) => MessageKind::Cancel,
        Outgoing::CoopClose(_) => MessageKind::CoopClose,
    }
}

fn compose(task: &Task, swap: &Swap, outgoing: &Outgoing) -> Option<Message> {
    Some(match outgoing {
        Outgoing::Request => request(task, swap)?,
        Outgoing::Agreement(fee) => {
            let deal = swap.deal()?;
            let agreement = Agreement {
                version: swap.terms.version,
                swap_id: swap.id,
                pubkey: swap.keys.swap_key,
                premium: deal.premium,
            };
            match fee {
                None => Message::SwapInAgreement(agreement),
                Some(fee) => Message::SwapOutAgreement(agreement, fee.bolt11.clone()),
            }
        }
        Outgoing::Opening => opening(task, swap)?,
        Outgoing::Cancel(reason) => Message::Cancel(Cancel {
            swap_id: Some(swap.id),
            message: reason.clone(),
        }),
        Outgoing::CoopClose(reason) => {
            let privkey = task.shared.seed.secrets(&swap.keys.path, swap.role).swap_key.clone();
            Message::CoopClose(CoopClose {
                swap_id: swap.id,
                message: reason.clone(),
                privkey,
            })
        }
    })
}

fn request(task: &Task, swap: &Swap) -> Option<Message> {
    let terms = &swap.terms;
    let chain = match (terms.asset, terms.policy_asset) {
        (Asset::Lbtc, Some(asset)) => RequestChain::Liquid(tx::asset_to_wire(asset)),
        (Asset::Lbtc, None) => return None,
        (Asset::Btc, _) => RequestChain::Bitcoin(task.shared.network.clone()),
    };
    let request = Request {
        version: terms.version,
        swap_id: swap.id,
        chain,
        scid: terms.scid,
        amount: terms.amount,
        pubkey: swap.keys.swap_key,
        acceptable_premium: terms.premium_limit,
    };
    Some(match swap.kind {
        Kind::In => Message::SwapInRequest(request),
        Kind::Out => Message::SwapOutRequest(request),
    })
}

fn opening(task: &Task, swap: &Swap) -> Option<Message> {
    let State::Maker(_, Maker::Opened(Opened { opening, invoice, .. })) = &swap.state else {
        return None;
    };
    let secrets = task.shared.seed.secrets(&swap.keys.path, swap.role);
    Some(Message::OpeningTxBroadcasted(OpeningTxBroadcasted {
        swap_id: swap.id,
        payreq: invoice.bolt11.clone(),
        txid: opening.outpoint.txid,
        script_out: opening.outpoint.vout,
        blinding_key: swap.keys.blinding_key.map(|_| secrets.blinding_key.clone()),
    }))
}
