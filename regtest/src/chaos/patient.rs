//! A daemon under the knife, as the harness sees it: told when to die, found dead, started again.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jsonrpsee::core::ClientError;
use jsonrpsee::http_client::HttpClient;
use sluice::api::SluiceApiClient;
use sluice::api::error::Code;
use sluice::api::types::{SwapRef, SwapView};
use sluice::units::SwapId;

use super::knife::{Act, Death, Desk, DiskOrders, Entry, Orders};
use super::script::{Cut, Manner};
use crate::world::operator::Operator;

/// More boundaries than any start passes.
const MOST_RESTARTS: u32 = 60;
/// How long a daemon may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// What a daemon says of a swap.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// This.
    Known(Box<SwapView>),
    /// It knows of none.
    Unknown,
    /// It does not answer now.
    Silent,
}

impl Sight {
    pub(super) fn view(&self) -> Option<&SwapView> {
        match self {
            Sight::Known(view) => Some(view),
            Sight::Unknown | Sight::Silent => None,
        }
    }
}

/// What is known of one daemon during one swap.
pub(super) struct Patient {
    desk: Desk,
    orders: Orders,
    /// What it passed, without what it did before it was started again after a cut.
    epochs: Vec<u64>,
    client: Option<HttpClient>,
    log_from: u64,
    /// How often it was struck.
    strokes: usize,
    /// It got through a start that was cut short again and again.
    started: bool,
    /// Nobody starts it again for now.
    pub(super) away: bool,
    /// It was cut as ordered.
    pub(super) cut: bool,
}

impl Patient {
    /// Gives a running daemon its orders for a swap.
    pub(super) fn admit(operator: &Operator, epoch: u64, cut: Option<&Cut>) -> Result<Patient> {
        let desk = Desk::beside(&operator.daemon.data_dir());
        desk.clear()?;
        let mut orders = Orders::live(epoch, Act::First);
        if let Some(cut) = cut {
            order_cut(&mut orders, cut);
        }
        desk.give(&orders)?;
        Ok(Patient {
            desk,
            orders,
            epochs: vec![epoch],
            client: None,
            log_from: fs::metadata(operator.daemon.log_path()).map_or(0, |log| log.len()),
            strokes: 0,
            started: false,
            away: false,
            cut: false,
        })
    }

    /// What was passed while nothing was cut.
    pub(super) fn passed(&self) -> Result<Vec<Entry>> {
        let mut passed = Vec::new();
        for epoch in &self.epochs {
            passed.extend(self.desk.passed(*epoch)?);
        }
        Ok(passed)
    }

    /// Whether it was struck, and was not found dead since: also a disk that failed ends its daemon.
    pub(super) fn is_doomed(&self) -> Result<bool> {
        Ok(self.desk.strokes()? > self.strokes)
    }

    /// Whether the daemon, which has ended, ended by our hand.
    pub(super) fn was_struck(&mut self) -> Result<bool> {
        let known = std::mem::replace(&mut self.strokes, self.desk.strokes()?);
        Ok(self.strokes > known)
    }

    pub(super) fn client(&mut self, operator: &Operator) -> Result<HttpClient> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = operator.client()?;
        self.client = Some(client.clone());
        Ok(client)
    }

    /// How the daemon sees a swap.
    pub(super) async fn sight(&mut self, operator: &Operator, swap_id: SwapId) -> Result<Sight> {
        let Ok(client) = self.client(operator) else {
            return Ok(Sight::Silent);
        };
        let Ok(asked) = tokio::time::timeout(ANSWER, client.swap_get(SwapRef { swap_id })).await else {
            return Ok(Sight::Silent);
        };
        let sight = match asked {
            Ok(view) => Sight::Known(Box::new(view)),
            Err(ClientError::Call(error)) if Code::of(error.code()) == Some(Code::UnknownSwap) => Sight::Unknown,
            Err(_) => return Ok(Sight::Silent),
        };
        if matches!(self.orders.death, Some(Death::Nth(_))) {
            // It got through its start: the swap goes on, also if it has just been struck once more.
            self.started = true;
            self.orders = Orders {
                epoch: self.orders.epoch + 1,
                death: None,
                ..self.orders.clone()
            };
            self.desk.give(&self.orders)?;
            // what it says once it knows these orders counts
            return Ok(Sight::Silent);
        }
        Ok(sight)
    }

    /// Starts it again after a cut. `cut`: what it was cut by, if it is this one's turn.
    pub(super) fn start_again(&mut self, operator: &mut Operator, cut: Option<&Cut>) -> Result<()> {
        let death = match (&self.orders.death, cut.map(|cut| cut.manner)) {
            _ if self.started => None,
            (Some(Death::Nth(nth)), _) => {
                ensure!(*nth < MOST_RESTARTS, "a start that passes {nth} boundaries and more");
                Some(Death::Nth(nth + 1))
            }
            (_, Some(Manner::Startup)) => Some(Death::Nth(1)),
            _ => None,
        };
        self.orders = Orders {
            epoch: self.orders.epoch + 1,
            act: Act::Again,
            death,
            disk: DiskOrders::Sound,
            ..self.orders
        };
        self.launch(operator)
    }

    /// Starts it after it was away by the script: what it passes now is part of the script.
    pub(super) fn come_back(&mut self, operator: &mut Operator, cut: Option<&Cut>) -> Result<()> {
        self.orders = Orders {
            ahead_secs: self.orders.ahead_secs,
            ..Orders::live(self.orders.epoch + 1, Act::Again)
        };
        if let Some(cut) = cut {
            order_cut(&mut self.orders, cut);
        }
        self.epochs.push(self.orders.epoch);
        self.away = false;
        self.launch(operator)
    }

    fn launch(&mut self, operator: &mut Operator) -> Result<()> {
        self.client = None;
        self.desk.give(&self.orders)?;
        operator.daemon.launch()
    }

    /// The swap is over: nothing is cut any more.
    pub(super) fn spare(&mut self) -> Result<()> {
        self.orders.death = None;
        if let DiskOrders::Refuses { .. } = self.orders.disk {
            self.orders.disk = DiskOrders::Sound;
        }
        self.desk.give(&self.orders)
    }

    /// Sets its clock ahead by so much more.
    pub(super) fn set_ahead(&mut self, secs: u64) -> Result<()> {
        self.orders.ahead_secs += secs;
        self.desk.give(&self.orders)
    }

    /// Fails if what it printed since the swap began tells of a panic, or of an alarm where there is no reason for one.
    pub(super) fn check_log(&self, operator: &Operator, alarm_expected: bool) -> Result<()> {
        let printed = fs::read(operator.daemon.log_path())?;
        let from = usize::try_from(self.log_from)?.min(printed.len());
        let text = String::from_utf8_lossy(&printed[from..]).into_owned();
        for line in text.lines() {
            let panicked = line.contains("panicked");
            if panicked || (line.contains("ALARM") && !alarm_expected) {
                bail!("{} printed: {line}", operator.name);
            }
        }
        Ok(())
    }

    /// The sentence with which it ended, after its disk had failed.
    pub(super) fn last_words(&self, operator: &Operator) -> Result<String> {
        let text = fs::read_to_string(operator.daemon.log_path())?;
        let last = text.lines().last().unwrap_or_default();
        let (_, sentence) = last
            .split_once("ERROR")
            .with_context(|| format!("the last line of {} is no error: {last}", operator.name))?;
        Ok(sentence.trim().to_owned())
    }

    /// The next count that is free.
    pub(super) fn next_epoch(&self) -> u64 {
        self.orders.epoch + 1
    }
}

fn order_cut(orders: &mut Orders, cut: &Cut) {
    if cut.at.act != orders.act {
        return;
    }
    match cut.manner.refusal() {
        Some(with) => {
            orders.disk = DiskOrders::Refuses {
                from: cut.at.clone(),
                with,
            };
        }
        None => {
            orders.death = Some(Death::At(cut.at.clone()));
            if cut.manner == Manner::Power {
                orders.disk = DiskOrders::Volatile;
            }
        }
    }
}
