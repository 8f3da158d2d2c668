//! The rescue files of both daemons: there before coins are at stake, up to date soon after, able to bring the coins
//! back, and gone when their swap is over.
//!
//! They are read as `sluice rescue` reads them, with the seed and nothing of the daemon's. What comes of them is judged by
//! the ledger's rules. What is wrong with one does not end the run: what follows from it is to show as well.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use sluice::keys::Seed;
use sluice::rescue::{self, Folder, Key, Opening, Payment, Record, Way};
use sluice::store::{Store, StoreError};
use sluice::swap::state::{Claim, Outcome, State as At, Swap};
use sluice::swap::terms::Role;
use sluice::tx::FeeBasis;
use sluice::units::{FeeRate, OutPoint, SwapId, TxId};
use tokio::time::sleep;

use crate::chain;
use crate::plan::Plan;
use crate::prices::{floor, usual_price};
use crate::txs;
use crate::world::{State, Who, World};

/// How often files are held against what is committed. A file may be as old as the slowest answer that its keeper waits
/// for: 50 s.
const LOOK: Duration = Duration::from_secs(61);
/// Of so many swaps one has a spend made of its file where none is signed yet: signing is what costs time.
const FRESH_EVERY: u8 = 8;

/// A daemon's folder of rescue files, and what opens them.
pub struct Vault {
    folder: Folder,
    seed: Arc<Seed>,
    key: Key,
    /// The files of open swaps, as they were read last.
    files: BTreeMap<SwapId, File>,
    /// Each open swap as it was at the last look, and whether its file was up to date with that.
    seen: BTreeMap<SwapId, (Arc<Swap>, bool)>,
}

struct File {
    text: String,
    record: Arc<Record>,
    /// The spends that the chain would take.
    judged: Vec<TxId>,
}

impl Vault {
    pub fn new(path: &Path, seed: Arc<Seed>) -> Vault {
        Vault {
            folder: Folder::own(path.into()),
            key: Key::of(&seed),
            seed,
            files: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What is in a swap's file; that it brings back the coins at stake is certain.
    fn open(&mut self, wanted: &Record) -> Result<Arc<Record>, String> {
        let id = wanted.swap_id;
        let text = self.folder.read(id).map_err(|error| error.to_string())?;
        let text = text.ok_or("there is none")?;
        let before = self.files.remove(&id);
        if let Some(file) = before.filter(|file| file.text == text) {
            let record = file.record.clone();
            self.files.insert(id, file);
            return Ok(record);
        }
        let record = Arc::new(self.key.open(&text).map_err(|error| error.to_string())?);
        if settled(&record) != settled(wanted) {
            return Err("it tells of other coins than are at stake".into());
        }
        let file = File {
            text,
            record: record.clone(),
            judged: Vec::new(),
        };
        self.files.insert(id, file);
        Ok(record)
    }
}

/// What no later version of a file changes.
fn settled(record: &Record) -> Record {
    Record {
        opening: Opening {
            confirmed_at: None,
            ..record.opening.clone()
        },
        paid: false,
        preimage: None,
        revealed_key: None,
        signed: Vec::new(),
        ..record.clone()
    }
}

/// What a swap's file should hold; None while nothing of it is at stake.
fn wanted(swap: &Swap) -> Option<Record> {
    Record::of(swap, &chain::info(swap.terms.asset).chain)
}

/// Whether a maker's node always tells the fee rate, so that the refund is signed ahead in time.
fn signs_ahead(plan: &Plan) -> bool {
    plan.lost == 0 && plan.outage_every.is_none()
}

/// Whether a file holds all that is committed. A maker's holds its refund as well, signed ahead.
fn is_current(found: &Record, wanted: &Record, plan: &Plan) -> bool {
    let ahead = wanted.role == Role::Maker && !wanted.paid && wanted.signed.is_empty();
    let signed = if ahead { Vec::new() } else { found.signed.clone() };
    let rest = Record {
        signed,
        ..found.clone()
    };
    rest == *wanted && !(ahead && found.signed.is_empty() && signs_ahead(plan))
}

impl State {
    /// Whether the file of a swap that is about to act brings its coins back, whatever becomes of the daemon.
    pub fn judge_file(&mut self, at: Duration, who: Who, swap: &Swap) {
        let judged = self.try_file(who, swap).map(drop);
        self.complain_of(at, who, swap.id, judged);
    }

    /// Whether the file of a swap that has not changed for a while says all that is committed.
    fn judge_file_in_time(&mut self, at: Duration, who: Who, swap: &Swap, plan: &Plan) {
        let judged = self.try_file(who, swap).and_then(|found| match found {
            Some((found, wanted)) if !is_current(&found, &wanted, plan) => {
                Err("it is not what has been committed for a minute".into())
            }
            Some(_) | None => Ok(()),
        });
        self.complain_of(at, who, swap.id, judged);
    }

    /// What a swap's file holds, and what it should hold, if it brings the coins back; None while none are at stake.
    fn try_file(&mut self, who: Who, swap: &Swap) -> Result<Option<(Arc<Record>, Record)>, String> {
        let Some(wanted) = wanted(swap) else { return Ok(None) };
        let vault = self.vaults.get_mut(&who).unwrap();
        let found = vault.open(&wanted)?;
        if !found.paid {
            // A file from before the payment has no preimage: the Lightning node knows it.
            let known = self.lightning.preimage(found.payment_hash);
            let way = rescue::way(&found, known.as_ref(), None).map_err(|error| error.to_string())?;
            if way == Way::Coop {
                self.judge_spend(who, swap, &found, &Way::Csv)?;
            }
            self.judge_spend(who, swap, &found, &way)?;
        }
        Ok(Some((found, wanted)))
    }

    fn complain_of(&mut self, at: Duration, who: Who, id: SwapId, judged: Result<(), String>) {
        if let Err(reason) = judged {
            let what = format!("{who:?}'s rescue file of {}: {reason}", id.short());
            self.evidence.complain(at, what);
        }
    }

    /// Whether a way that a file knows is a transaction that the chain takes, once its time has come: the one that is
    /// signed already or, where there is none, one that is made of the file.
    fn judge_spend(&mut self, who: Who, swap: &Swap, found: &Record, way: &Way) -> Result<(), String> {
        let vault = self.vaults.get_mut(&who).unwrap();
        let judged = &mut vault.files.get_mut(&swap.id).unwrap().judged;
        let claim = match rescue::signed_ahead(found, way) {
            Some(signed) if judged.contains(&signed.txid) => return Ok(()),
            Some(signed) => signed,
            None if !swap.id.0[0].is_multiple_of(FRESH_EVERY) || !judged.is_empty() => return Ok(()),
            None => {
                let rate = FeeRate(usual_price(found.asset).0 * 2);
                let payment = Payment {
                    payout: found.payout.clone(),
                    rate,
                    basis: FeeBasis::Discounted,
                };
                let made = rescue::build(found, &vault.seed, way, &payment, &mut StdRng::seed_from_u64(0));
                made.map_err(|error| error.to_string())?
            }
        };
        judged.push(claim.txid);
        self.would_be_taken(swap, found, way, &claim)
    }

    fn would_be_taken(&self, swap: &Swap, found: &Record, way: &Way, claim: &Claim) -> Result<(), String> {
        let asset = found.asset;
        let tx = txs::decode(asset, &claim.tx)?;
        let opening = txs::decode(asset, &found.opening.tx)?;
        // Outputs of the chain, where it has them: the file is not believed.
        let opening = self.ledgers[&asset].held(opening.id).map_or(&opening, |held| &held.tx);
        let script = found.script().to_p2wsh();
        let vout = opening.outputs.iter().position(|output| output.script == script);
        let vout = vout.ok_or("its opening has no output of its script")?;
        let output = &opening.outputs[vout];
        if output.value.is_some_and(|value| value != found.opening.amount) {
            return Err(format!("its opening holds {:?}", output.value));
        }
        let point = OutPoint {
            txid: found.opening.txid,
            vout: vout as u32,
        };
        let age = if *way == Way::Csv { found.csv.0 } else { 0 };
        if opening.id != point.txid || tx.inputs.iter().any(|input| input.point != point || input.age != age) {
            return Err(format!("its {way:?} does not spend that opening {age} blocks after it"));
        }
        if tx.outputs[0].script != swap.terms.payout.script {
            return Err(format!("its {way:?} pays to another script"));
        }
        let fee = self.ledgers[&asset].fee(&tx, std::slice::from_ref(output))?;
        if fee < floor(asset).fee(tx.size) {
            return Err(format!("its {way:?} pays too little to be relayed"));
        }
        txs::judge(asset, &tx, std::slice::from_ref(output), &[found.csv.0])
    }

    /// Holds the files of swaps that have not changed for a while against what is committed.
    fn look_at_files(&mut self, at: Duration, plan: &Plan) {
        for who in Who::BOTH {
            let open = self.open_swaps(who);
            let mut seen = std::mem::take(&mut self.vaults.get_mut(&who).unwrap().seen);
            seen.retain(|id, _| open.iter().any(|swap| swap.id == *id));
            for swap in open {
                let before = seen.get(&swap.id).filter(|(before, _)| Arc::ptr_eq(before, &swap));
                match before.map(|(_, is_judged)| *is_judged) {
                    Some(true) => continue,
                    Some(false) => self.judge_file_in_time(at, who, &swap, plan),
                    None => {}
                }
                let is_unchanged = before.is_some();
                seen.insert(swap.id, (swap, is_unchanged));
            }
            let vault = self.vaults.get_mut(&who).unwrap();
            vault.files.retain(|id, _| seen.contains_key(id));
            vault.seen = seen;
        }
    }

    /// What is left in the folders when a run is over: nothing but what went wrong.
    pub fn files_left(&self, stores: [&Store; 2]) -> Result<Vec<String>, StoreError> {
        let mut faults = Vec::new();
        for (who, store) in Who::BOTH.into_iter().zip(stores) {
            // What the swaps that are not over say of their files is said already.
            for id in self.vaults[&who].folder.swaps().unwrap_or_default() {
                let swap = store.swap(id)?;
                let stays = swap.is_some_and(|swap| match swap.state {
                    At::Closed(outcome) => matches!(outcome, Outcome::GivenUp { .. } | Outcome::Lost { .. }),
                    At::Requested { .. } | At::Canceling { .. } | At::Maker(..) | At::Taker(..) => true,
                });
                if !stays {
                    faults.push(format!(
                        "{who:?}'s rescue file of {} stays, its swap is over",
                        id.short()
                    ));
                }
            }
        }
        Ok(faults)
    }
}

/// Looks at the files of both daemons for as long as the run lasts.
pub async fn inspect(world: Arc<World>) {
    loop {
        sleep(LOOK).await;
        world.lock().look_at_files(world.elapsed(), &world.plan);
    }
}
