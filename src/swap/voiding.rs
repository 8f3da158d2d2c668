//! The maker that takes its opening back before it confirms: an input is spent to ourselves, and the chain decides.
//!
//! ```text
//!              ┌── another spends an input, final ─► closed            gone for the length of the timelock:
//!  Open ───────┤                                                       the invoice is cancelled, so that the
//!   ▲          ├── the opening, final ─► Opened, ClaimingCoop          channel is free; the operator may end it
//!   └─ Gone ◄──┘
//! ```

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::event::{ChainView, EffectKind, Event, InvoiceKind, InvoiceStatus, Made, OpeningView, PeerMessage, TxKind};
use super::maker::{broadcast, newly_opened};
use super::progress::Progress;
use super::refund;
use super::state::{Claim, Maker, Opened, Opening, Outcome, OwnInvoice, Party, State};
use super::step::Scene;
use super::terms::Deal;
use super::timelocks::is_final;
use crate::units::{Height, SwapSecret};

/// An opening that its maker takes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Voiding {
    /// The opening, which may still confirm.
    pub opening: Opening,
    /// Empty, or the newest child that pushed it: what takes the opening's place takes its, too.
    #[serde(default)]
    pub children: Vec<Claim>,
    /// The claim invoice, should the opening win.
    pub invoice: OwnInvoice,
    /// That invoice, as our node last stated it.
    #[serde(default)]
    pub status: InvoiceStatus,
    /// Empty, or the void, a spend of inputs to ourselves, as it was signed last: no other is kept. Records of earlier
    /// releases name no cost of theirs, which is then made once more.
    #[serde(default)]
    pub voids: Vec<Claim>,
    /// How the newest of them fares.
    #[serde(default)]
    pub progress: Progress,
    /// Why no void is made, or the network does not take it, as was said last.
    #[serde(default)]
    pub hindrance: Option<String>,
    /// Who is ahead.
    #[serde(default)]
    pub race: Race,
    /// The taker's private swap key, should it have given it away and the opening win: it says so only once.
    #[serde(default)]
    pub taker_key: Option<SwapSecret>,
    /// Why.
    pub reason: String,
}

/// What the chain shows of an opening and its void.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Race {
    /// Neither is in a block.
    #[default]
    Open,
    /// In the block at this height an input is spent by another transaction than the opening; as a rule, by the void.
    Void(Height),
    /// The opening is in the block at this height.
    Opening(Height),
    /// No input is there any more, nor spent in a block: a reorg has taken away what they are outputs of. It was so at
    /// this tip first, and at all that were seen since.
    Gone(Height),
    /// It has been so for as many blocks as the timelock has. It may still come back, after any time.
    LongGone,
}

/// Taking an opening back.
pub(super) fn begin(opened: &Opened, reason: &str) -> Voiding {
    Voiding {
        opening: opened.opening.clone(),
        children: opened.children.clone(),
        invoice: opened.invoice.clone(),
        status: opened.status,
        voids: Vec::new(),
        progress: Progress::Fresh,
        hindrance: None,
        race: Race::Open,
        taker_key: None,
        reason: reason.into(),
    }
}

pub(super) fn step(scene: &Scene, deal: &Deal, state: &Voiding, event: &Event) -> Option<State> {
    let mut next = state.clone();
    match event {
        Event::Made(Made::Void(void)) => {
            next.progress.made(&mut next.voids, void);
            next.hindrance = None;
        }
        Event::Refused(EffectKind::MakeVoid, reason) => {
            next.progress = scene.refused();
            next.hindrance = Some(reason.clone());
        }
        Event::Refused(EffectKind::Broadcast(TxKind::Void), reason) => next.hindrance = Some(reason.clone()),
        Event::Accepted(TxKind::Void) => next.hindrance = None,
        Event::Bump(wish) if state.race == Race::Open => next.progress.wished(!state.voids.is_empty(), *wish),
        Event::Invoice(InvoiceKind::Claim, status) => next.status = state.status.then(*status),
        Event::Peer(PeerMessage::CoopClose { key, key_of, .. }) if *key_of == deal.peer_key => {
            next.taker_key = Some(key.clone());
        }
        Event::Abort(_) if may_be_given_up(state) => {
            let reason = "an input of its opening has vanished from the chain".into();
            return Some(State::Closed(Outcome::GivenUp { reason }));
        }
        Event::Chain(view) => {
            next.race = state.race.after(scene, view);
            if let Some(over) = over(scene, deal, &next, view) {
                return Some(over);
            }
            next.progress = state
                .progress
                .of_void(next.race == Race::Open, &state.voids, view, scene.limits);
        }
        Event::Started
        | Event::Peer(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Tick
        | Event::Abort(_)
        | Event::Bump(_) => return None,
    }
    Some(State::Maker(*deal, Maker::Voiding(next)))
}

/// Whether the operator may end it: an input has been gone for so long that nobody knows of a way back, and our node has
/// said that nobody can pay for the opening.
#[must_use]
pub fn may_be_given_up(state: &Voiding) -> bool {
    state.race == Race::LongGone && state.status == InvoiceStatus::Closed
}

impl Race {
    /// What is known with another view of the chain.
    fn after(self, scene: &Scene, view: &ChainView) -> Race {
        if let Some(at) = view.conflict {
            return Race::Void(at);
        }
        match view.opening {
            OpeningView::Confirmed { at, .. } => Race::Opening(at),
            OpeningView::Mempool => Race::Open,
            // A node that reads its chain anew does not have yet what was there when the swap began.
            OpeningView::Unseen if !view.gone || view.tip < scene.swap.anchor => Race::Open,
            OpeningView::Unseen => self.gone_at(scene, view.tip),
        }
    }

    fn gone_at(self, scene: &Scene, tip: Height) -> Race {
        match self {
            Race::LongGone => Race::LongGone,
            Race::Gone(since) if tip >= since.plus(scene.limits.csv) => Race::LongGone,
            Race::Gone(since) if tip >= since => Race::Gone(since),
            Race::Gone(_) | Race::Open | Race::Void(_) | Race::Opening(_) => Race::Gone(tip),
        }
    }
}

/// Whichever of the two transactions becomes final decides.
fn over(scene: &Scene, deal: &Deal, state: &Voiding, view: &ChainView) -> Option<State> {
    match state.race {
        Race::Void(at) if is_final(view.tip, at, scene.limits) => Some(State::Closed(Outcome::Canceled {
            by: Party::Us,
            reason: state.reason.clone(),
        })),
        Race::Opening(at) if is_final(view.tip, at, scene.limits) => {
            let opened = Opened {
                announce: state.status == InvoiceStatus::Open,
                status: state.status,
                children: state.children.clone(),
                ..newly_opened(&state.opening, &state.invoice, Some(at))
            };
            Some(State::Maker(
                *deal,
                match &state.taker_key {
                    Some(key) => refund::with_key(scene, &opened, key),
                    None => Maker::Opened(opened),
                },
            ))
        }
        Race::Open | Race::Void(_) | Race::Opening(_) | Race::Gone(_) | Race::LongGone => None,
    }
}

pub(super) fn wants(state: &Voiding) -> Vec<Effect> {
    let publish = state.voids.last().map(|void| broadcast(TxKind::Void, &void.tx));
    let make = state.progress.making(&state.voids).filter(|_| state.race == Race::Open);
    let is_payable = state.race == Race::LongGone && state.status == InvoiceStatus::Open;
    let close = is_payable.then(|| Effect::CancelInvoice(state.invoice.hash));
    [Effect::WatchChain]
        .into_iter()
        .chain(publish)
        .chain(make.map(Effect::MakeVoid))
        .chain(close)
        .collect()
}
