//! One swap, cut at most once by order, brought to its end by whoever is there.
//!
//! ```text
//! every few milliseconds:  tend: who is dead? ─► start again
//!                          look: what do both say, what does the chain show?
//!                          act:  order | mine | spend the channel | send the taker away | let time pass
//! ```
//!
//! Nothing here waits for one daemon in particular: any may be dead at any moment.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bitcoin::Amount;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, Stage, SwapRequest, SwapView};
use sluice::swap::{Kind, Role};
use sluice::units::{Scid, SwapId};

use super::books;
use super::knife::Entry;
use super::patient::{Patient, Sight};
use super::script::{Cut, Ending, Script};
use crate::world::World;
use crate::world::operator::Operator;
use crate::world::seen::{Onlooker, Seen};
use crate::world::side::Side;

/// The amount of every swap, without premium.
pub(super) const AMOUNT: Amount = Amount::from_sat(1_000_000);
/// What alice pays at most, in millionths.
const LIMIT_PPM: i64 = 2_000;
/// What she pays at most in a swap that shall be refused.
const LOW_LIMIT_PPM: i64 = 1_000;
/// How long nothing may happen before the end, such as while ten thousand blocks are read, and how many times as long as it
/// takes to be sure that nothing goes on; the whole may take so many times as long.
const PATIENCE: Duration = Duration::from_secs(120);
const CALMS: u32 = 60;
const STAGES: u32 = 5;
/// Blocks after which a spend is surely final.
const FINAL: u32 = 6;
/// How long an order may take to be answered.
const ORDER: Duration = Duration::from_secs(10);

/// How fast a world is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tempo {
    /// How often both are looked at.
    pub(super) look: Duration,
    /// Nothing has changed for so long: nothing will without a block.
    pub(super) calm: Duration,
}

/// What became of it.
pub(super) struct Played {
    /// What alice and bob passed.
    pub(super) passed: [Vec<Entry>; 2],
    /// Whether the daemon was cut where it was to be.
    pub(super) met: bool,
    /// The longest time in which nothing was to be seen.
    pub(super) longest_wait: Duration,
}

/// A swap that is being played.
pub(super) struct Play<'a> {
    pub(super) world: &'a mut World,
    pub(super) script: Script,
    pub(super) cut: Option<&'a Cut>,
    pub(super) tempo: Tempo,
    pub(super) patients: [Patient; 2],
    pub(super) channel: Scid,
    key: String,
    id: Option<SwapId>,
    refusal: String,
    pub(super) opening: Option<Seen>,
    pub(super) spend: Option<Seen>,
    pub(super) drained_sat: u64,
    /// The request went nowhere, and its time has passed.
    pub(super) expired: bool,
    pub(super) left: bool,
    /// The time is over in which the opening could have been paid for.
    pub(super) ran_out: bool,
    pub(super) idle_blocks: u32,
    blocks_since_spend: u32,
    pub(super) skips: usize,
    pub(super) shown: String,
    shown_since: Instant,
    longest_wait: Duration,
    began: Instant,
}

/// Plays a swap and settles the books.
pub(super) async fn play(
    world: &mut World,
    epoch: &mut u64,
    script: Script,
    cut: Option<&Cut>,
    tempo: Tempo,
) -> Result<Played> {
    *epoch += 1;
    let before = books::balances(world, script.asset).await?;
    let theirs = |side: Side| cut.filter(|cut| script.side(cut.role) == side);
    let patients = [
        Patient::admit(&world.alice, *epoch, theirs(Side::Alice))?,
        Patient::admit(&world.bob, *epoch, theirs(Side::Bob))?,
    ];
    let channel = *world.channels.first().context("a world without channels")?;
    let mut play = Play {
        world,
        script,
        cut,
        tempo,
        patients,
        channel,
        key: format!("chaos-{epoch}"),
        id: None,
        refusal: String::new(),
        opening: None,
        spend: None,
        drained_sat: 0,
        expired: false,
        left: false,
        ran_out: false,
        idle_blocks: 0,
        blocks_since_spend: 0,
        skips: 0,
        shown: String::new(),
        shown_since: Instant::now(),
        longest_wait: Duration::ZERO,
        began: Instant::now(),
    };
    let ended = play.run(before).await;
    *epoch = play.patients.iter().map(Patient::next_epoch).max().unwrap_or(*epoch);
    ended.map_err(|error| anyhow!("{error:#}\n{}", play.scene()))?;
    let met = cut.is_none_or(|cut| play.patients[script.side(cut.role).index()].cut);
    let [alice, bob] = &play.patients;
    Ok(Played {
        passed: [alice.passed()?, bob.passed()?],
        met,
        longest_wait: play.longest_wait,
    })
}

impl Play<'_> {
    async fn run(&mut self, before: books::Balances) -> Result<()> {
        let mut sights = self.drive().await?;
        for patient in &mut self.patients {
            patient.spare()?;
        }
        if self.doomed()?.is_some() {
            // struck by what is done once a swap has ended
            sights = self.drive().await?;
        }
        books::settle(self, before, &sights).await?;
        for side in Side::BOTH {
            let alarmed = self.has_failing_disk(side);
            self.patients[side.index()].check_log(operator(self.world, side), alarmed)?;
        }
        books::at_rest(self.world, self.script.asset, self.channel).await
    }

    pub(super) fn has_failing_disk(&self, side: Side) -> bool {
        let theirs = self.cut.filter(|cut| self.script.side(cut.role) == side);
        theirs.is_some_and(|cut| cut.manner.refusal().is_some())
    }

    /// Until the swap is over on both sides.
    async fn drive(&mut self) -> Result<[Sight; 2]> {
        loop {
            self.tend()?;
            let sights = self.look().await?;
            let doomed = self.doomed()?;
            if doomed.is_none() && self.is_over(&sights) {
                return Ok(sights);
            }
            self.act(&sights).await?;
            let patience = PATIENCE + self.tempo.calm * CALMS;
            if self.shown_since.elapsed() > patience || self.began.elapsed() > patience * STAGES {
                if let Some(side) = doomed {
                    bail!("{} was struck and lives after {patience:?}", side.name());
                }
                bail!("the swap is not over after {patience:?}: {sights:#?}{}", self.refusal);
            }
            tokio::time::sleep(self.tempo.look).await;
        }
    }

    async fn look(&mut self) -> Result<[Sight; 2]> {
        let Some(id) = self.id else {
            return Ok([Sight::Unknown, Sight::Unknown]);
        };
        let mut sights = [Sight::Silent, Sight::Silent];
        for side in Side::BOTH {
            let patient = &mut self.patients[side.index()];
            if !patient.away {
                sights[side.index()] = patient.sight(operator(self.world, side), id).await?;
            }
        }
        Ok(sights)
    }

    fn is_over(&self, [alice, bob]: &[Sight; 2]) -> bool {
        let outcome = |view: &SwapView| view.outcome.as_ref().map(|outcome| outcome.kind);
        let Some(ordered) = alice.view().and_then(outcome) else {
            return false;
        };
        match bob {
            Sight::Known(view) => view.outcome.is_some(),
            Sight::Unknown => ordered == OutcomeKind::Canceled,
            Sight::Silent => false,
        }
    }

    async fn act(&mut self, sights: &[Sight; 2]) -> Result<()> {
        if self.id.is_none() {
            return self.order().await;
        }
        self.watch_the_chain(sights).await?;
        let calm = self.calm_for(sights);
        let there = |side: Side| self.patients[side.index()].away || !matches!(sights[side.index()], Sight::Silent);
        if !Side::BOTH.into_iter().all(there) {
            return Ok(());
        }
        let announced = |role| {
            self.view(sights, role)
                .is_some_and(|view| view.timings_ms.opening_published.is_some())
        };
        let announced = announced(Role::Maker) && announced(Role::Taker);
        match self.script.ending {
            Ending::Coop if self.drained_sat == 0 && self.opening.is_some() => return self.drain().await,
            Ending::Csv | Ending::Void if !self.left && announced && calm >= self.tempo.calm => {
                return self.leave().await;
            }
            Ending::Csv | Ending::Void if !self.left => {}
            Ending::Csv | Ending::Void if self.is_refunded(sights) => return self.come_back().await,
            Ending::Void if !self.ran_out && self.is_refunding(sights) => return self.run_out().await,
            Ending::Paid | Ending::Coop | Ending::Csv | Ending::Void | Ending::Cancel => {}
        }
        let waits_for_leaving = self.script.is_left() && !self.left && announced;
        if !waits_for_leaving && self.needs_block(sights, calm) && self.all_know_the_tip().await? {
            self.blocks_since_spend += u32::from(self.spend.is_some());
            return self.mine(1).await;
        }
        self.pass_time(sights, calm).await
    }

    /// Alice orders, with the same key every time.
    async fn order(&mut self) -> Result<()> {
        let Ok(client) = self.patients[0].client(&self.world.alice) else {
            return Ok(());
        };
        let cancelled = self.script.ending == Ending::Cancel;
        let request = SwapRequest {
            channel: self.channel,
            amount_sat: AMOUNT.to_sat(),
            asset: self.script.asset.into(),
            max_premium_ppm: if cancelled { LOW_LIMIT_PPM } else { LIMIT_PPM },
            idempotency_key: Some(self.key.clone().try_into()?),
        };
        let ordered = async {
            match self.script.kind() {
                Kind::Out => client.swap_out(request).await,
                Kind::In => client.swap_in(request).await,
            }
        };
        match tokio::time::timeout(ORDER, ordered).await {
            Ok(Ok(started)) => self.id = Some(started.swap_id),
            // it is dead, or starting, or has not heard of bob yet
            Ok(Err(error)) => self.refusal = format!("\nthe order was answered by: {error}"),
            Err(_) => self.refusal = "\nthe order was not answered".into(),
        }
        Ok(())
    }

    /// Takes down what the opening and its spend are and cost, while they wait for a block.
    async fn watch_the_chain(&mut self, sights: &[Sight; 2]) -> Result<()> {
        let named = [Role::Maker, Role::Taker].into_iter().find_map(|role| {
            let opening = self.view(sights, role)?.opening.as_ref()?;
            Some(opening.txid)
        });
        let onlooker = onlooker(self.world, self.script.asset)?;
        let Some(opening) = &self.opening else {
            if let Some(id) = named
                && onlooker.mempool().await?.contains(&id)
            {
                self.opening = Some(onlooker.waiting(id).await?);
            }
            return Ok(());
        };
        let spend = match self.script.ending {
            // what takes its place, of which another version may take the place
            Ending::Void if self.ran_out => {
                let waiting = onlooker.mempool().await?;
                match waiting.into_iter().find(|id| *id != opening.id) {
                    Some(id) => Some(onlooker.waiting(id).await?),
                    None => None,
                }
            }
            _ => onlooker.spend_of(opening).await?,
        };
        self.spend = spend.or(self.spend.take());
        Ok(())
    }

    pub(super) fn view<'s>(&self, sights: &'s [Sight; 2], role: Role) -> Option<&'s SwapView> {
        sights[self.script.side(role).index()].view()
    }

    /// Since when everything is as it is.
    fn calm_for(&mut self, sights: &[Sight; 2]) -> Duration {
        let gist = sights.each_ref().map(|sight| match sight {
            Sight::Known(view) => format!("{} {} {:?}", view.state, view.confirmations, view.timings_ms),
            Sight::Unknown | Sight::Silent => format!("{sight:?}"),
        });
        let shown = format!("{gist:?}{:?}{:?}", self.opening, self.spend);
        let waited = self.shown_since.elapsed();
        if shown == self.shown {
            return waited;
        }
        if !self.shown.is_empty() {
            self.longest_wait = self.longest_wait.max(waited);
        }
        self.shown = shown;
        self.shown_since = Instant::now();
        Duration::ZERO
    }

    /// Whether nothing but a block can bring the swap further.
    fn needs_block(&self, sights: &[Sight; 2], calm: Duration) -> bool {
        let (maker, taker) = (self.view(sights, Role::Maker), self.view(sights, Role::Taker));
        if self.ran_out {
            let is_out = self.spend.is_some() && calm >= self.tempo.calm;
            return is_out && self.blocks_since_spend < FINAL && maker.is_some_and(|view| view.outcome.is_none());
        }
        let published = |view: Option<&SwapView>| view.is_some_and(|view| view.timings_ms.spend_published.is_some());
        if self.spend.is_some() {
            // one that has been away reads a thousand blocks first: more of them in that time is none's need
            return self.blocks_since_spend < FINAL && (published(maker) || published(taker));
        }
        let opened = |view: Option<&SwapView>| view.is_some_and(|view| view.timings_ms.opening_published.is_some());
        let confirming = |view: &SwapView| {
            let stage = matches!(view.stage, Stage::OpeningPublished | Stage::Confirming);
            stage && view.confirmations < view.confirmations_needed
        };
        self.opening.is_some() && opened(maker) && opened(taker) && taker.is_some_and(confirming)
    }

    async fn all_know_the_tip(&mut self) -> Result<bool> {
        let tip = self.world.chains().height(self.script.asset).await?;
        for side in Side::BOTH {
            if self.patients[side.index()].away {
                continue;
            }
            let client = self.patients[side.index()].client(operator(self.world, side))?;
            let Ok(info) = client.info().await else {
                return Ok(false);
            };
            let mut chains = info.chains.iter();
            let chain = chains.find(|chain| chain.asset == self.script.asset);
            if chain.and_then(|chain| chain.height).is_none_or(|height| height < tip) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What both said last.
    fn scene(&self) -> String {
        let tail = |side: Side| format!("{}'s log:\n{}", side.name(), operator(self.world, side).tail());
        Side::BOTH.map(tail).join("\n")
    }
}

/// One of the operators.
pub(super) fn operator(world: &World, side: Side) -> &Operator {
    match side {
        Side::Alice => &world.alice,
        Side::Bob => &world.bob,
    }
}

pub(super) fn operator_mut(world: &mut World, side: Side) -> &mut Operator {
    match side {
        Side::Alice => &mut world.alice,
        Side::Bob => &mut world.bob,
    }
}

pub(super) fn onlooker(world: &World, asset: sluice::units::Asset) -> Result<Onlooker<'_>> {
    use sluice::units::Asset;
    Ok(match asset {
        Asset::Lbtc => Onlooker::Liquid(&world.liquid),
        Asset::Btc => {
            let client = crate::world::seen::bitcoin_rpc(world.bitcoin_chain()?.access(), "");
            Onlooker::Bitcoin(std::sync::Arc::new(client))
        }
    })
}
