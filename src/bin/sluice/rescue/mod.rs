//! `sluice rescue`: a swap's coins from its rescue file, without daemon, database, peer or Lightning node.
//!
//! ```text
//!  FILE ─► Header ─► seed or words ─► Record ─► node: Standing ─► way ─► transaction ─► hex, or the network
//! ```

mod node;
mod words;

use std::path::Path;

use rand::rngs::OsRng;
use serde::Serialize;
use sluice::keys::Seed;
use sluice::rescue::{self, Facts, Header, Key, NoWay, Payment, Place, Record, Way};
use sluice::swap::Role;
use sluice::swap::event::SpendPath;
use sluice::swap::state::Claim;
use sluice::tx::{self, FeeBasis};
use sluice::units::{Asset, FeeRate, RawTx, TxId};

use crate::args::RescueArgs;
use crate::ask;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use node::{Node, Standing};

/// What `--json` prints of a file.
#[derive(Debug, Serialize)]
struct Answer {
    file: String,
    swap_id: String,
    role: Role,
    asset: Asset,
    opening_txid: TxId,
    /// As far as a node was asked.
    opening_height: Option<u32>,
    tip: Option<u32>,
    /// The first block that the maker's refund fits into, as far as that is known.
    refund_from: Option<u32>,
    /// `preimage`, `coop` or `csv`; None if there is nothing to take.
    way: Option<SpendPath>,
    txid: Option<TxId>,
    hex: Option<String>,
    fee_sat: Option<u64>,
    address: Option<String>,
    broadcast: bool,
    /// What there is to know, in a sentence.
    text: String,
}

pub async fn run(args: &RescueArgs, screen: Screen) -> Result<Exit, Failure> {
    let mut texts = Vec::new();
    for file in &args.files {
        let text = read(file)?;
        // a file that is none at all is told before anybody has typed twelve words
        Header::read(&text).map_err(|error| about(file, error))?;
        texts.push((file.as_path(), text));
    }
    let seed = match &args.seed_file {
        Some(file) => Seed::open(file).map_err(|error| Failure::Other(error.to_string()))?,
        None => ask::words()?.seed(),
    };
    let key = Key::of(&seed);
    let mut failed = None;
    for (file, text) in &texts {
        let opened = key.open(text).map_err(|error| about(file, error));
        let rescued = match opened {
            Ok(record) => {
                let case = Case {
                    file,
                    record,
                    seed: &seed,
                    args,
                    screen,
                };
                case.rescue().await
            }
            Err(failure) => Err(failure),
        };
        // the others may be rescued all the same
        if let Err(failure) = rescued
            && let Some(earlier) = failed.replace(failure)
        {
            screen.failure(&earlier);
        }
    }
    failed.map_or(Ok(Exit::Done), Err)
}

fn read(file: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(file).map_err(|error| about(file, error))?;
    String::from_utf8(bytes).map_err(|_| about(file, "it is no rescue file: it is no text"))
}

fn about(file: &Path, fact: impl std::fmt::Display) -> Failure {
    Failure::Other(format!("{}: {fact}", file.display()))
}

/// One file, opened.
struct Case<'a> {
    file: &'a Path,
    record: Record,
    seed: &'a Seed,
    args: &'a RescueArgs,
    screen: Screen,
}

impl Case<'_> {
    async fn rescue(&self) -> Result<(), Failure> {
        self.say(&words::story(&self.record));
        let node = match &self.args.node.node_url {
            Some(_) => Some(Node::connect(&self.args.node, &self.record).await?),
            None => None,
        };
        let standing = match &node {
            Some(node) => {
                let standing = node.look(&self.record).await?;
                self.say(&words::standing(&self.record, &standing));
                Some(standing)
            }
            None => {
                self.say(&words::unseen(&self.record));
                None
            }
        };
        let facts = match &standing {
            None => None,
            Some(Standing::Open { facts, .. }) => Some(*facts),
            Some(Standing::Voided { at, .. }) => {
                let opening = self.record.opening.txid;
                return Err(about(self.file, NoWay::Voided { opening, at: *at }));
            }
            Some(Standing::Spent(spent)) if spent.ours => {
                return self.answer(&standing, None, false, words::taken(&self.record, spent));
            }
            Some(Standing::Spent(spent)) => return Err(about(self.file, words::taken(&self.record, spent))),
        };
        let way = self.way(facts)?;
        if node.is_none() && !self.args.hex {
            let text = "with --node-url the coins are looked for and taken, with --hex the transaction is printed";
            return self.answer(&standing, None, false, text.into());
        }
        let claim = self.claim(&way, node.as_ref()).await?;
        self.say(&words::transaction(&self.record, &way, &claim, self.address()));
        if self.args.hex {
            return self.answer(&standing, Some((&way, &claim)), false, hex::encode(&claim.tx.0));
        }
        let node = node.as_ref().expect("it is asked for above unless --hex is given");
        self.agree()?;
        if let Some(Facts {
            opening: Place::Nowhere,
            ..
        }) = facts
        {
            node.broadcast(&self.record.opening.tx).await?;
        }
        node.broadcast(&claim.tx).await?;
        let text = format!("broadcast: {}", claim.txid);
        self.answer(&standing, Some((&way, &claim)), true, text)
    }

    /// How the coins are taken. One that is not possible yet may be printed.
    fn way(&self, facts: Option<Facts>) -> Result<Way, Failure> {
        let given = self.args.preimage.as_ref();
        match rescue::way(&self.record, given, facts) {
            Err(later @ (NoWay::Immature { .. } | NoWay::Unconfirmed { .. })) if self.args.hex => {
                eprintln!("{}: {later}", self.file.display());
                Ok(rescue::coop_or_refund(&self.record))
            }
            found => found.map_err(|why| about(self.file, why)),
        }
    }

    fn address(&self) -> &str {
        self.args.to.as_deref().unwrap_or(&self.record.payout.address)
    }

    /// The transaction: fresh, or where nothing is known that could change it, the one in the file.
    async fn claim(&self, way: &Way, node: Option<&Node>) -> Result<Claim, Failure> {
        let refused = |why: NoWay| about(self.file, why);
        let coin = self.record.coin().map_err(|error| refused(NoWay::Build(error)))?;
        let payout = match &self.args.to {
            Some(address) => tx::payout_to(coin, address, &self.record.payout.address)
                .map_err(|error| refused(NoWay::Address(error)))?,
            None => self.record.payout.clone(),
        };
        let rate = match (self.args.fee_rate, node) {
            (Some(rate), _) => FeeRate(rate),
            (None, Some(node)) => node.fee_rate().await?,
            (None, None) => {
                let signed = self.args.to.is_none().then(|| rescue::signed_ahead(&self.record, way));
                return signed.flatten().ok_or_else(|| {
                    Failure::Usage("without a node's estimate the transaction needs --fee-rate".into())
                });
            }
        };
        let basis = node.map_or(FeeBasis::Discounted, Node::basis);
        let payment = Payment { payout, rate, basis };
        rescue::build(&self.record, self.seed, way, &payment, &mut OsRng).map_err(refused)
    }

    fn agree(&self) -> Result<(), Failure> {
        if self.args.yes {
            return Ok(());
        }
        if self.screen.json || !ask::is_possible() {
            return Err(Failure::Usage(
                "nothing was broadcast, since there is nobody to ask: --yes broadcasts, --hex prints".into(),
            ));
        }
        if ask::is_yes("Broadcast it?")? {
            return Ok(());
        }
        Err(Failure::Other("nothing was broadcast".into()))
    }

    /// For people; programs, and whoever wants the transaction alone, do not get it on standard output.
    fn say(&self, text: &str) {
        if self.args.hex {
            eprintln!("{text}");
        } else if !self.screen.json {
            // a reader that has gone ends the command
            let _ = self.screen.line(text);
        }
    }

    fn answer(
        &self,
        standing: &Option<Standing>,
        made: Option<(&Way, &Claim)>,
        broadcast: bool,
        text: String,
    ) -> Result<(), Failure> {
        let record = &self.record;
        let (tip, height) = standing.as_ref().map_or((None, None), Standing::heights);
        let hex = |RawTx(bytes): &RawTx| hex::encode(bytes);
        let answer = Answer {
            file: self.file.display().to_string(),
            swap_id: record.swap_id.to_string(),
            role: record.role,
            asset: record.asset,
            opening_txid: record.opening.txid,
            opening_height: height.map(|height| height.0),
            tip: tip.map(|tip| tip.0),
            refund_from: record.refund_from(height).map(|height| height.0),
            way: made.map(|(way, _)| way.path()),
            txid: made.map(|(_, claim)| claim.txid),
            hex: made.map(|(_, claim)| hex(&claim.tx)),
            fee_sat: made.map(|(_, claim)| claim.cost.fee.to_sat()),
            address: made.map(|_| self.address().to_owned()),
            broadcast,
            text,
        };
        self.screen.answer(&answer, |answer| answer.text.clone())
    }
}
