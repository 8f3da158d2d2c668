//! The stage: a world, what both daemons say of the swap, and what the chain shows.
//!
//! ```text
//! sluiced alice ── swap_subscribe ──┐
//! sluiced bob ──── swap_subscribe ──┼──► until(…) ──► the narrator
//! the chain's mempool ── looked at ─┘
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sluice::api::SluiceApiClient;
use sluice::api::types::{SwapTopic, SwapView};
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::units::{Asset, TxId};
use tokio::sync::mpsc;

use super::narrator::Narrator;
use crate::world::operator::Operator;
use crate::world::seen::{Onlooker, Seen, bitcoin_rpc};
use crate::world::{PATIENCE, World};

pub use crate::world::side::Side;

/// How often the mempool is looked at while a spend of the opening is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A spend of the opening, as the mempool showed it.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The transaction.
    pub tx: Seen,
    /// When it was seen.
    pub at: Instant,
}

struct Change {
    at: Instant,
    side: Side,
    view: Box<SwapView>,
}

/// A world with an audience.
pub struct Stage {
    /// What everything happens in.
    pub world: World,
    /// What tells the story.
    pub narrator: Narrator,
    /// The opening as the chain showed it.
    pub opening: Option<Seen>,
    /// The opening's spend, once seen.
    pub spend: Option<Sighting>,
    /// A client of the Bitcoin chain, where BTC is swapped.
    bitcoin: Option<Arc<BitcoinRpc>>,
    views: [Option<SwapView>; 2],
    gone: [bool; 2],
    changes: mpsc::UnboundedReceiver<Change>,
}

impl Stage {
    /// Listens to both daemons.
    ///
    /// # Errors
    /// If one of them does not take the subscription.
    pub async fn new(world: World, narrator: Narrator) -> Result<Stage> {
        let (to, changes) = mpsc::unbounded_channel();
        for side in Side::BOTH {
            listen(operator(&world, side), side, to.clone()).await?;
        }
        let bitcoin = match narrator.terms().asset {
            Asset::Lbtc => None,
            Asset::Btc => Some(Arc::new(bitcoin_rpc(world.bitcoin_chain()?.access(), ""))),
        };
        Ok(Stage {
            world,
            bitcoin,
            narrator,
            opening: None,
            spend: None,
            views: [None, None],
            gone: [false; 2],
            changes,
        })
    }

    /// One of the operators.
    #[must_use]
    pub fn operator(&self, side: Side) -> &Operator {
        operator(&self.world, side)
    }

    /// The swap as that side sees it; None before it has heard of it.
    #[must_use]
    pub fn view(&self, side: Side) -> Option<&SwapView> {
        self.views[side.index()].as_ref()
    }

    /// Whether that side's daemon was killed.
    #[must_use]
    pub fn is_gone(&self, side: Side) -> bool {
        self.gone[side.index()]
    }

    /// Kills that side's daemon.
    pub fn kill(&mut self, side: Side) {
        self.gone[side.index()] = true;
        match side {
            Side::Alice => self.world.alice.daemon.kill(),
            Side::Bob => self.world.bob.daemon.kill(),
        }
    }

    /// Whether all that are there see it so.
    #[must_use]
    pub fn all_see(&self, wanted: impl Fn(&SwapView) -> bool) -> bool {
        let mut there = Side::BOTH.into_iter().filter(|side| !self.is_gone(*side));
        there.all(|side| self.view(side).is_some_and(&wanted))
    }

    /// Lets time pass until the stage is as wanted, and tells what happens meanwhile.
    ///
    /// # Errors
    /// After [`PATIENCE`], or when the swap has ended before; with both daemons' last lines.
    pub async fn until(&mut self, what: &str, reached: impl Fn(&Stage) -> bool) -> Result<()> {
        let failed = match tokio::time::timeout(PATIENCE, self.follow(&reached)).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => anyhow::anyhow!("the swap ended before {what}"),
            Ok(Err(error)) => error.context(format!("waiting for {what}")),
            Err(_) => anyhow::anyhow!("waited {PATIENCE:?} for {what}"),
        };
        let state = |side: Side| self.view(side).map_or("no swap", |view| view.state.as_str());
        Err(failed.context(format!(
            "alice: {}\nbob: {}\nalice's log:\n{}\nbob's log:\n{}",
            state(Side::Alice),
            state(Side::Bob),
            self.world.alice.tail(),
            self.world.bob.tail(),
        )))
    }

    /// False when everything has ended without what was waited for.
    async fn follow(&mut self, reached: &impl Fn(&Stage) -> bool) -> Result<bool> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if reached(self) {
                return Ok(true);
            }
            if self.has_ended() {
                return Ok(false);
            }
            let looking = self.opening.is_some() && self.spend.is_none();
            tokio::select! {
                change = self.changes.recv() => self.take(change.context("both daemons are gone")?)?,
                _ = looks.tick(), if looking => self.look().await?,
            }
        }
    }

    /// Whether all that know of the swap see it closed, and nothing more is to be heard.
    fn has_ended(&self) -> bool {
        let there = Side::BOTH.into_iter().filter(|side| !self.is_gone(*side));
        let mut known = there.filter_map(|side| self.view(side)).peekable();
        known.peek().is_some() && known.all(|view| view.outcome.is_some()) && self.changes.is_empty()
    }

    fn take(&mut self, change: Change) -> Result<()> {
        // what it said before it was killed may come after
        if self.is_gone(change.side) {
            return Ok(());
        }
        let before = self.views[change.side.index()].replace(*change.view);
        let now = self.views[change.side.index()].as_ref().expect("it was just put there");
        self.narrator.changed(change.at, change.side, before.as_ref(), now)
    }

    /// Looks for a spend of the opening in the mempool.
    async fn look(&mut self) -> Result<()> {
        let Some(opening) = &self.opening else {
            return Ok(());
        };
        if let Some(tx) = self.onlooker().spend_of(opening).await? {
            let at = Instant::now();
            self.spend = Some(Sighting { tx, at });
        }
        Ok(())
    }

    /// A transaction that the API named, as the chain's mempool holds it.
    ///
    /// # Errors
    /// If it does not.
    pub async fn waiting(&self, id: TxId) -> Result<Seen> {
        let onlooker = self.onlooker();
        if !onlooker.mempool().await?.contains(&id) {
            bail!("{id} is not in the mempool, though a daemon says that it was published");
        }
        onlooker.waiting(id).await
    }

    fn onlooker(&self) -> Onlooker<'_> {
        match &self.bitcoin {
            Some(client) => Onlooker::Bitcoin(client.clone()),
            None => Onlooker::Liquid(&self.world.liquid),
        }
    }
}

fn operator(world: &World, side: Side) -> &Operator {
    match side {
        Side::Alice => &world.alice,
        Side::Bob => &world.bob,
    }
}

/// Hands on every change of every swap of that daemon, until it is gone.
async fn listen(operator: &Operator, side: Side, to: mpsc::UnboundedSender<Change>) -> Result<()> {
    let socket = operator.daemon.socket().await?;
    let mut views = socket.swap_subscribe(SwapTopic::default()).await?;
    tokio::spawn(async move {
        // the subscription lives as long as its connection
        let _socket = socket;
        while let Some(Ok(view)) = views.next().await {
            let change = Change {
                at: Instant::now(),
                side,
                view: Box::new(view),
            };
            if to.send(change).is_err() {
                return;
            }
        }
    });
    Ok(())
}
