//! Plays a row: one swap from the order to its end on both sides, and the books after it.
//!
//! Both programs are asked for what both can tell; amounts and fees are read from the chain.

use anyhow::{Context, Result, bail, ensure};
use bitcoin::Amount;
use sluice::api::types::OutcomeKind;
use sluice::api::view::text::{grouped, sats};
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, Ppm, SwapId};

use super::Ending;
use super::ledger::{Balance, Facts, Ledger};
use super::row::Row;
use super::story::Story;
use crate::daemons::wait_for;
use crate::world::pair::{PATIENCE, Pair};
use crate::world::party::{Order, Party, Sight};
use crate::world::seen::Seen;
use crate::world::side::Side;

/// What the responder asks for.
const RATE: Ppm = Ppm(1_500);
/// What the initiator pays at most.
const LIMIT: Ppm = Ppm(2_000);
/// What it pays at most in a swap that shall be refused.
const LOW_LIMIT: Ppm = Ppm(1_000);
/// Blocks of a swap's life, by its asset (PeerSwap protocol version 7).
#[derive(Debug, Clone, Copy)]
struct Blocks {
    /// Until the maker may take an opening back alone.
    csv: u32,
    /// In which a taker may begin to pay; one more, as Go PeerSwap counts.
    window: u32,
    /// Confirmations of an opening and of its spend.
    depth: u32,
}

impl Blocks {
    fn of(asset: Asset) -> Blocks {
        match asset {
            Asset::Lbtc => Blocks {
                csv: 10_080,
                window: 60,
                depth: 2,
            },
            Asset::Btc => Blocks {
                csv: 1_008,
                window: 505,
                depth: 3,
            },
        }
    }
}

/// A row that is being played.
struct Play<'a> {
    pair: &'a mut Pair,
    row: &'a Row,
    story: &'a Story,
    before: [Balance; 2],
    id: SwapId,
}

/// Plays a swap to its end and settles the books. The channel is level again afterwards, and whoever was killed is back.
///
/// # Errors
/// If it does not come to that end, or a single satoshi is not accounted for.
pub async fn play(pair: &mut Pair, row: &Row, amount: Amount, story: &Story) -> Result<Ledger> {
    let responder = pair.party(row.initiator.other());
    responder.set_premium(row.asset, row.kind, RATE).await?;
    let before = balances(pair, row.asset).await?;
    let id = order(pair, row, amount, story).await?;
    let mut play = Play {
        pair,
        row,
        story,
        before,
        id,
    };
    let ledger = match row.ending {
        Ending::Cancel => play.cancelled(amount).await?,
        Ending::Paid | Ending::Coop | Ending::Csv => play.opened(amount).await?,
    };
    level(play.pair).await?;
    Ok(ledger)
}

async fn order(pair: &Pair, row: &Row, amount: Amount, story: &Story) -> Result<SwapId> {
    let limit = if row.ending == Ending::Cancel { LOW_LIMIT } else { LIMIT };
    let order = Order {
        kind: row.kind,
        asset: row.asset,
        channel: pair.channel,
        amount_sat: amount.to_sat(),
        limit,
    };
    let name = row.program(row.initiator).name();
    let verb = match row.kind {
        Kind::Out => "swap-out: Lightning balance for coins",
        Kind::In => "swap-in: coins for Lightning balance",
    };
    let text = format!("orders a {verb}, {}, through {name}", sats(amount.to_sat()));
    story.says(row.initiator, &text)?;
    pair.party(row.initiator).order(&order).await
}

impl Play<'_> {
    fn blocks(&self) -> Blocks {
        Blocks::of(self.row.asset)
    }

    fn maker(&self) -> Side {
        self.row.side(Role::Maker)
    }

    fn taker(&self) -> Side {
        self.row.side(Role::Taker)
    }

    async fn wait(&self, side: Side, what: &str, fits: impl Fn(&Sight) -> bool) -> Result<Sight> {
        self.pair.wait(side, self.id, what, fits).await
    }

    /// The responder asks for more than the initiator pays, and stores nothing.
    async fn cancelled(&self, amount: Amount) -> Result<Ledger> {
        let initiator = self.row.initiator;
        self.ended(initiator, OutcomeKind::Canceled).await?;
        let stored = self.pair.party(initiator.other()).sight(self.id).await?;
        ensure!(stored.is_none(), "who refused the swap has stored it: {stored:?}");
        self.settle(self.facts(amount)?).await
    }

    async fn opened(&mut self, amount: Amount) -> Result<Ledger> {
        let (maker, taker) = (self.maker(), self.taker());
        let mut facts = self.facts(amount)?;
        let opening = self.announced(&mut facts).await?;
        match self.row.ending {
            Ending::Paid => {
                self.mine(self.blocks().depth, "the opening has all its confirmations")
                    .await?
            }
            Ending::Coop => self.fail_to_pay(amount, &mut facts).await?,
            Ending::Csv => self.leave(&opening).await?,
            Ending::Cancel => bail!("a swap that was opened is not cancelled"),
        }
        let spend = self.pair.spend_of(self.row.asset, &opening).await?;
        facts.spend_fee = spend.fee_sat.try_into()?;
        let (spender, text) = match self.row.ending {
            Ending::Paid => (taker, "claims the coins"),
            Ending::Coop => (maker, "takes the coins back with the taker's key"),
            Ending::Csv | Ending::Cancel => (maker, "takes the coins back alone"),
        };
        self.story.published(spender, text, &spend)?;
        self.mine(self.blocks().depth, "the spend has all its confirmations")
            .await?;
        let (made, took) = match self.row.ending {
            Ending::Paid => (OutcomeKind::ClaimPaid, OutcomeKind::ClaimedByInvoice),
            Ending::Coop => (OutcomeKind::ClaimedByCoop, OutcomeKind::CoopClosed),
            Ending::Csv | Ending::Cancel => (OutcomeKind::ClaimedByCsv, OutcomeKind::CoopClosed),
        };
        self.ended(maker, made).await?;
        if self.row.ending == Ending::Csv {
            self.settle(facts).await?;
            self.come_back().await?;
        }
        self.ended(taker, took).await?;
        self.settle(facts).await
    }

    /// Until both know of the same opening; reads what it and its announcement cost.
    async fn announced(&self, facts: &mut Facts) -> Result<Seen> {
        let (maker, taker) = (self.maker(), self.taker());
        let published = |sight: &Sight| sight.opening.is_some();
        let made = self.wait(maker, "opened", published).await?;
        let heard = self.wait(taker, "opened", published).await?;
        ensure!(
            made.opening == heard.opening,
            "the maker opened {:?}, the taker knows {:?}",
            made.opening,
            heard.opening
        );
        for sight in [&made, &heard] {
            let found = sight.premium_sat;
            ensure!(
                found == Some(facts.premium),
                "the {:?} says that the premium is {found:?}; by the terms it is {}",
                sight.role,
                facts.premium
            );
        }
        let id = made.opening.context("an opening")?;
        let opening = self.pair.waiting(self.row.asset, id).await?;
        facts.opening_fee = opening.fee_sat.try_into()?;
        if self.row.kind == Kind::Out {
            let told = made.fee_invoice_sat.or(heard.fee_invoice_sat);
            facts.fee_invoice = told.context("nobody tells the fee invoice")?.try_into()?;
        }
        self.story.published(maker, "publishes the opening", &opening)?;
        Ok(opening)
    }

    /// The taker's node has too little left in the channel when the opening is confirmed.
    async fn fail_to_pay(&self, amount: Amount, facts: &mut Facts) -> Result<()> {
        let taker = self.taker();
        let local = self.pair.lightning.local(taker.index(), self.pair.channel).await?;
        let drained = (local.0 / 1000).saturating_sub(amount.to_sat() / 2);
        self.pair.pay_out(taker, Amount::from_sat(drained)).await?;
        facts.drained = i64::try_from(drained)?;
        let text = format!("spends {} of the channel on something else", sats(drained));
        self.story.says(taker, &text)?;
        self.mine(self.blocks().depth, "the opening has all its confirmations")
            .await?;
        if let Party::Go(gopher) = self.pair.party(taker) {
            // It tries for two minutes, or until it may not pay any more.
            let log = gopher.daemon.log_path();
            let id = self.id.to_string();
            wait_for("a payment that fails", PATIENCE, || async {
                let text = std::fs::read_to_string(&log)?;
                let since = text.find(&id).map(|at| &text[at..]).unwrap_or_default();
                Ok(since.contains("error trying to pay invoice").then_some(()))
            })
            .await?;
            self.mine(self.blocks().window, "the time to pay is over").await?;
        }
        Ok(())
    }

    /// The taker is gone when the opening is confirmed, and stays away until the coins are unlocked.
    async fn leave(&mut self, opening: &Seen) -> Result<()> {
        let taker = self.taker();
        self.pair.parties[taker.index()].kill();
        self.story.says(taker, "is gone: its daemon is killed")?;
        self.mine(1, "the opening is confirmed").await?;
        ensure!(
            !self.pair.is_waiting(self.row.asset, opening.id).await?,
            "the opening is in no block"
        );
        // the refund fits into the block after these
        let left = self.blocks().csv - 1;
        self.mine(left, &format!("{} blocks later, about a week", grouped(left)))
            .await
    }

    /// The taker is there again, with a swap whose coins were taken back.
    async fn come_back(&mut self) -> Result<()> {
        let (maker, taker) = (self.maker(), self.taker());
        self.pair.parties[taker.index()].begin().await?;
        self.story.says(taker, "is back")?;
        if let Party::Go(gopher) = self.pair.party(maker) {
            gopher.daemon.trust_again(self.pair.party(taker).id()).await?;
        }
        // It sees in one block that its coins are gone, and in another that this is for good.
        self.mine(1, "life goes on").await
    }

    async fn ended(&self, side: Side, outcome: OutcomeKind) -> Result<()> {
        let what = format!("ended as {outcome:?}");
        let sight = self.wait(side, &what, |sight| sight.outcome == Some(outcome)).await?;
        self.story.says(side, &sight.state)
    }

    async fn mine(&self, blocks: u32, text: &str) -> Result<()> {
        self.pair.mine(self.row.asset, blocks).await?;
        let height = self.pair.height(self.row.asset).await?;
        self.story.block(height, text)
    }

    fn facts(&self, amount: Amount) -> Result<Facts> {
        Ok(Facts {
            kind: self.row.kind,
            ending: self.row.ending,
            maker: self.maker(),
            amount: amount.to_sat().try_into()?,
            premium: premium(amount)?,
            fee_invoice: 0,
            opening_fee: 0,
            spend_fee: 0,
            drained: 0,
        })
    }

    async fn settle(&self, facts: Facts) -> Result<Ledger> {
        facts.settle(self.before, || balances(self.pair, self.row.asset)).await
    }
}

/// What the responder asks for, in satoshi.
///
/// # Errors
/// If there is no such amount of money.
pub fn premium(amount: Amount) -> Result<i64> {
    Ok(RATE.of(amount).context("there are no such amounts")?.to_sat())
}

/// What both have, asked of the nodes: so a daemon may be away, and each program is measured alike.
async fn balances(pair: &Pair, asset: Asset) -> Result<[Balance; 2]> {
    let look = |side: Side| async move {
        Ok::<_, anyhow::Error>(Balance {
            chain_sat: pair.holdings(side, asset).await?.to_sat(),
            channel: pair.lightning.local(side.index(), pair.channel).await?,
        })
    };
    Ok([look(Side::Alice).await?, look(Side::Bob).await?])
}

/// Brings the channel back to half on either side, for the next swap.
async fn level(pair: &Pair) -> Result<()> {
    let [alice, bob] = sides(pair).await?;
    let from = if alice > bob { Side::Alice } else { Side::Bob };
    let difference = alice.abs_diff(bob) / 2;
    if difference == 0 {
        return Ok(());
    }
    pair.pay_out(from, Amount::from_sat(difference)).await?;
    // Who pays knows before the other has written it down.
    wait_for("a level channel", PATIENCE, || async {
        let [alice, bob] = sides(pair).await?;
        Ok((alice.abs_diff(bob) <= 1).then_some(()))
    })
    .await
}

/// What both have in the channel, in satoshi.
async fn sides(pair: &Pair) -> Result<[u64; 2]> {
    let (nodes, channel) = (&pair.lightning, pair.channel);
    let (alice, bob) = (nodes.local(0, channel).await?, nodes.local(1, channel).await?);
    Ok([alice, bob].map(|local| local.0 / 1000))
}
