//! The books: what everybody had before and has after, and that every satoshi of the difference is accounted for.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sluice::api::view::text::{grouped, sats};
use sluice::swap::Kind;
use sluice::units::Msat;

use super::ending::Ending;
use super::page::{NO_BREAK, Page, Tone};
use crate::daemons::wait_for;
use crate::world::side::Side;

/// How long the nodes may take to write the last payment and the last of a thousand blocks into their balances.
const SETTLING: Duration = Duration::from_secs(60);

/// Columns that name an account.
const HEAD: usize = 18;
/// Why money moved that has nothing to do with the swap.
const ELSEWHERE: &str = "for something else";

/// What an operator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// In the wallet, whether confirmed or not.
    pub chain_sat: u64,
    /// On this side of the channel.
    pub channel: Msat,
}

/// A reason for a balance to have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    sat: i64,
    what: &'static str,
}

/// A place where money is, and what must have happened to it.
#[derive(Debug)]
struct Account {
    side: Side,
    place: &'static str,
    before_msat: i64,
    after_msat: i64,
    entries: Vec<Entry>,
}

/// All four accounts of a swap that is over.
#[derive(Debug)]
pub struct Ledger {
    accounts: Vec<Account>,
    mined_sat: i64,
}

/// What the balances depend on, in satoshi.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The direction, as the initiator sees it.
    pub kind: Kind,
    /// How the swap ended.
    pub ending: Ending,
    /// Who funded the opening.
    pub maker: Side,
    /// The amount, without premium.
    pub amount: i64,
    /// The premium; positive: the initiator pays.
    pub premium: i64,
    /// What was paid in advance for the opening.
    pub fee_invoice: i64,
    /// The opening's fee.
    pub opening_fee: i64,
    /// The fee of the opening's spend.
    pub spend_fee: i64,
    /// What the taker paid over the channel for something else.
    pub drained: i64,
}

impl Facts {
    /// Compares what everybody has with what these facts say, until it is the same.
    ///
    /// # Errors
    /// If a single satoshi is not accounted for.
    pub async fn settle<F>(&self, before: [Balance; 2], look: impl Fn() -> F) -> Result<Ledger>
    where
        F: Future<Output = Result<[Balance; 2]>>,
    {
        wait_for("balances that are as the terms say", SETTLING, || async {
            let ledger = self.ledger(before, look().await?)?;
            ledger.check()?;
            Ok(Some(ledger))
        })
        .await
    }

    fn ledger(&self, before: [Balance; 2], after: [Balance; 2]) -> Result<Ledger> {
        let mut accounts = Vec::new();
        for side in Side::BOTH {
            let (before, after) = (before[side.index()], after[side.index()]);
            let chain = |sat: u64| {
                i64::try_from(sat)?
                    .checked_mul(1000)
                    .context("more than any money there is")
            };
            accounts.push(Account {
                side,
                place: "on chain",
                before_msat: chain(before.chain_sat)?,
                after_msat: chain(after.chain_sat)?,
                entries: self.on_chain(side),
            });
            accounts.push(Account {
                side,
                place: "in channel",
                before_msat: i64::try_from(before.channel.0)?,
                after_msat: i64::try_from(after.channel.0)?,
                entries: self.in_channel(side),
            });
        }
        for account in &mut accounts {
            account.entries.retain(|entry| entry.sat != 0);
        }
        let mined_sat = self.opening_fee + self.spend_fee;
        Ok(Ledger { accounts, mined_sat })
    }

    fn on_chain(&self, side: Side) -> Vec<Entry> {
        let is_maker = side == self.maker;
        let premium = if self.kind == Kind::In { self.premium } else { 0 };
        let opening_fee = entry(-self.opening_fee, "fee of the opening");
        match (self.ending, is_maker) {
            (Ending::Paid, true) => vec![entry(-self.amount, "amount"), entry(-premium, "premium"), opening_fee],
            (Ending::Paid, false) => vec![
                entry(self.amount, "amount"),
                entry(premium, "premium"),
                entry(-self.spend_fee, "fee of the claim"),
            ],
            // the coins went out and came back
            (Ending::Coop | Ending::Csv, true) => vec![opening_fee, entry(-self.spend_fee, "fee of the refund")],
            (Ending::Coop | Ending::Csv, false) | (Ending::Cancel, _) => Vec::new(),
        }
    }

    fn in_channel(&self, side: Side) -> Vec<Entry> {
        // what the taker pays, the maker gets
        let sign = if side == self.maker { 1 } else { -1 };
        let paid = i64::from(self.ending == Ending::Paid);
        let premium = if self.kind == Kind::Out { self.premium } else { 0 };
        vec![
            entry(sign * paid * self.amount, "amount"),
            entry(sign * paid * premium, "premium"),
            entry(sign * self.fee_invoice, "paid ahead for the opening"),
            entry(sign * self.drained, ELSEWHERE),
        ]
    }
}

fn entry(sat: i64, what: &'static str) -> Entry {
    Entry { sat, what }
}

impl Account {
    fn change_msat(&self) -> i64 {
        self.after_msat - self.before_msat
    }

    fn explained_sat(&self) -> i64 {
        self.entries.iter().map(|entry| entry.sat).sum()
    }

    /// The entries as a sum, each of them in one piece.
    fn explanation(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            let sign = match (text.is_empty(), entry.sat < 0) {
                (true, true) => "-".to_owned(),
                (true, false) => String::new(),
                (false, true) => format!(" -{NO_BREAK}"),
                (false, false) => format!(" +{NO_BREAK}"),
            };
            let term = format!("{} {}", grouped(entry.sat.unsigned_abs()), entry.what);
            text.push_str(&format!("{sign}{}", term.replace(' ', &NO_BREAK.to_string())));
        }
        text
    }

    fn check(&self) -> Result<()> {
        let explained = self.explained_sat();
        if self.change_msat() != explained * 1000 {
            bail!(
                "{} {}: {} msat before, {} msat after, a change of {} msat; explained are {} sat: {}",
                self.side.name(),
                self.place,
                self.before_msat,
                self.after_msat,
                self.change_msat(),
                explained,
                self.explanation().replace(NO_BREAK, " "),
            );
        }
        Ok(())
    }
}

impl Ledger {
    fn check(&self) -> Result<()> {
        self.accounts.iter().try_for_each(Account::check)?;
        let change: i64 = self.accounts.iter().map(Account::change_msat).sum();
        if change != -self.mined_sat * 1000 {
            bail!(
                "both together changed by {change} msat, but {} sat went to miners",
                self.mined_sat
            );
        }
        Ok(())
    }

    /// Shows balances, changes and their reasons.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn show(&self, page: &Page) -> Result<()> {
        let head = format!("{:18}{:>14}{:>14}{:>14}", "Balances (sat)", "before", "after", "change");
        page.heading(&head)?;
        for account in &self.accounts {
            page.line(&format!(
                "{}{:>14}{:>14}{:>14}",
                account.head(page),
                grouped(account.before_msat / 1000),
                grouped(account.after_msat / 1000),
                signed(account.change_msat() / 1000),
            ))?;
        }
        let mut changed = self
            .accounts
            .iter()
            .filter(|account| !account.entries.is_empty())
            .peekable();
        if changed.peek().is_some() {
            page.heading("Why")?;
        } else {
            page.line("")?;
        }
        for account in changed {
            let head = format!("{}{:>12} = ", account.head(page), signed(account.explained_sat()));
            page.hanging(&head, HEAD + 15, &account.explanation())?;
        }
        page.line(&page.paint("Checked to the satoshi.", Tone::Good))?;
        page.hanging("", 0, &self.summary())
    }

    fn summary(&self) -> String {
        if self.accounts.iter().all(|account| account.entries.is_empty()) {
            return "Nothing was paid, nothing is locked.".into();
        }
        let nets = Side::BOTH.map(|side| {
            let net = self.net_sat(side);
            let did = if net < 0 { "paid" } else { "earned" };
            format!("{} {did} {}", side.name(), sats(net.unsigned_abs()))
        });
        let [alice, bob] = nets;
        format!("In all {alice}, {bob}; the chain's fees were {}.", sats(self.mined_sat))
    }

    /// What the swap left a side with, beside what it swapped.
    fn net_sat(&self, side: Side) -> i64 {
        let accounts = self.accounts.iter().filter(|account| account.side == side);
        let entries = accounts.flat_map(|account| &account.entries);
        entries
            .filter(|entry| entry.what != ELSEWHERE)
            .map(|entry| entry.sat)
            .sum()
    }
}

impl Account {
    /// Whose it is and where: [`HEAD`] columns.
    fn head(&self, page: &Page) -> String {
        let (name, tone) = match self.side {
            Side::Alice => ("alice", Tone::Alice),
            Side::Bob => ("bob", Tone::Bob),
        };
        format!("{}  {:<11}", page.paint(&format!("{name:<5}"), tone), self.place)
    }
}

fn signed(sat: i64) -> String {
    let plus = if sat > 0 { "+" } else { "" };
    format!("{plus}{}", grouped(sat))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: Kind, ending: Ending) -> Facts {
        Facts {
            kind,
            ending,
            maker: Side::Bob,
            amount: 1_000_000,
            premium: 1_500,
            fee_invoice: 80,
            opening_fee: 78,
            spend_fee: 23,
            drained: 0,
        }
    }

    fn balance(chain_sat: u64, channel_sat: u64) -> Balance {
        Balance {
            chain_sat,
            channel: Msat(channel_sat * 1000),
        }
    }

    #[test]
    fn a_paid_swap_out_adds_up() {
        let before = [balance(0, 5_000_000), balance(2_000_000, 5_000_000)];
        let after = [balance(999_977, 3_998_420), balance(999_922, 6_001_580)];
        let ledger = facts(Kind::Out, Ending::Paid)
            .ledger(before, after)
            .expect("small numbers");
        ledger.check().expect("the books are right");
        let why = "-1,000,000 amount - 1,500 premium - 80 paid ahead for the opening";
        assert_eq!(ledger.accounts[1].explanation().replace(NO_BREAK, " "), why);
        let summary = "In all alice paid 1,603 sat, bob earned 1,502 sat; the chain's fees were 101 sat.";
        assert_eq!(ledger.summary(), summary);
    }

    #[test]
    fn a_missing_satoshi_is_found() {
        let before = [balance(0, 5_000_000), balance(2_000_000, 5_000_000)];
        let after = [balance(999_976, 3_998_420), balance(999_922, 6_001_580)];
        let ledger = facts(Kind::Out, Ending::Paid)
            .ledger(before, after)
            .expect("small numbers");
        let error = ledger.check().expect_err("one is missing").to_string();
        assert!(
            error.starts_with("alice on chain: 0 msat before, 999976000 msat after"),
            "{error}"
        );
    }
}
