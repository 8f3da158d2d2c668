//! A daemon made of memory: the API's trait without an engine behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, stream};
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use jsonrpsee::server::PendingSubscriptionSink;
use sluice::api::SluiceApiServer;
use sluice::api::bump::{Scene, plan};
use sluice::api::cancel::advise;
use sluice::api::error::ApiError;
use sluice::api::server::forward;
use sluice::api::types::*;
use sluice::api::view::{has_reached, view};
use sluice::policy::PausedBy;
use sluice::swap::event::Now;
use sluice::swap::fees::{FeeRates, Wish};
use sluice::swap::{Kind, Role, State, Swap};
use sluice::trail::{Millis, Trail};
use sluice::units::{FeeRate, Height, SwapId, TxId};
use tokio::sync::watch;

use crate::fixtures::{MADE, channel, point, swap};
use crate::samples;

/// What the fake's only channel can send.
pub const SPENDABLE_SAT: u64 = 5_000_000;

#[derive(Default)]
struct Memory {
    swaps: BTreeMap<SwapId, (Swap, Trail)>,
    keys: BTreeMap<String, (SwapRequest, SwapId)>,
    rates: Vec<PremiumRate>,
    quarantine: Option<QuarantineView>,
    stopped: bool,
}

/// The daemon; clones are the same one.
#[derive(Clone)]
pub struct Fake {
    memory: Arc<Mutex<Memory>>,
    changed: watch::Sender<u64>,
}

impl Fake {
    pub fn new() -> Fake {
        Fake {
            memory: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Puts a swap there, or a newer state of one that is there.
    pub fn put(&self, swap: Swap) {
        let mut memory = self.memory.lock().unwrap();
        let at = Millis(MADE.0 * 1000 + 1000 * u64::try_from(memory.swaps.len()).unwrap());
        let trail = match memory.swaps.remove(&swap.id) {
            None => Trail::begin(&swap, at),
            Some((_, mut trail)) => {
                trail.note(&sluice::swap::Event::Tick, &swap, at);
                trail
            }
        };
        memory.swaps.insert(swap.id, (swap, trail));
        drop(memory);
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Says why the swaps that are there have the asset that they have.
    pub fn note_choice(&self, reason: &str) {
        let mut memory = self.memory.lock().unwrap();
        for (_, trail) in memory.swaps.values_mut() {
            trail.choice = Some(reason.into());
        }
    }

    pub fn was_stopped(&self) -> bool {
        self.memory.lock().unwrap().stopped
    }

    pub fn swap_ids(&self) -> Vec<SwapId> {
        self.memory.lock().unwrap().swaps.keys().copied().collect()
    }

    fn seen(&self, id: SwapId) -> Result<SwapView, ApiError> {
        let memory = self.memory.lock().unwrap();
        let (swap, trail) = memory.swaps.get(&id).ok_or(ApiError::UnknownSwap { swap_id: id })?;
        Ok(view(swap, trail, now()))
    }

    fn start(&self, kind: Kind, role: Role, request: SwapRequest) -> Result<SwapStarted, ApiError> {
        if request.channel != channel() {
            return Err(ApiError::UnknownChannel {
                channel: request.channel,
            });
        }
        if request.amount_sat > SPENDABLE_SAT {
            return Err(ApiError::ChannelBalance {
                channel: request.channel,
                direction: kind,
                needed_sat: request.amount_sat,
                available_sat: SPENDABLE_SAT,
            });
        }
        if let Some(key) = &request.idempotency_key {
            let known = self.memory.lock().unwrap().keys.get(key.as_str()).cloned();
            if let Some((earlier, swap_id)) = known {
                if earlier != request {
                    return Err(ApiError::KeyReused {
                        key: key.as_str().into(),
                        swap_id,
                        differs: "amount_sat".into(),
                    });
                }
                return Ok(SwapStarted {
                    swap_id,
                    repeated: true,
                    swap: self.seen(swap_id)?,
                });
            }
        }
        let deadline = MADE.plus_secs(120);
        let number = u8::try_from(self.swap_ids().len()).unwrap() + 0xa1;
        let new = swap(number, kind, role, State::Requested { sent: true, deadline });
        let swap_id = new.id;
        self.put(new);
        if let Some(key) = &request.idempotency_key {
            let mut memory = self.memory.lock().unwrap();
            memory.keys.insert(key.as_str().into(), (request.clone(), swap_id));
        }
        Ok(SwapStarted {
            swap_id,
            repeated: false,
            swap: self.seen(swap_id)?,
        })
    }

    fn peer(&self) -> PeerView {
        samples::peer(self.memory.lock().unwrap().quarantine.clone())
    }

    fn table(&self) -> PremiumTable {
        PremiumTable {
            rates: self.memory.lock().unwrap().rates.clone(),
        }
    }
}

fn now() -> Now {
    Now {
        time: MADE.plus_secs(90),
        tip: Some(Height(502)),
    }
}

#[async_trait]
impl SluiceApiServer for Fake {
    async fn info(&self) -> RpcResult<Info> {
        Ok(samples::info())
    }

    async fn swap_out(&self, request: SwapRequest) -> RpcResult<SwapStarted> {
        Ok(self.start(Kind::Out, Role::Taker, request)?)
    }

    async fn swap_in(&self, request: SwapRequest) -> RpcResult<SwapStarted> {
        Ok(self.start(Kind::In, Role::Maker, request)?)
    }

    async fn swap_cancel(&self, request: SwapRef) -> RpcResult<CancelAnswer> {
        let swap = self.seen(request.swap_id)?;
        let memory = self.memory.lock().unwrap();
        let advice = advise(&memory.swaps[&request.swap_id].0)?;
        Ok(CancelAnswer {
            swap_id: request.swap_id,
            action: advice.action,
            explanation: advice.explanation.into(),
            swap,
        })
    }

    async fn swap_bump(&self, request: BumpRequest) -> RpcResult<BumpAnswer> {
        let swap = self.seen(request.swap_id)?;
        let memory = self.memory.lock().unwrap();
        let (known, trail) = &memory.swaps[&request.swap_id];
        let scene = Scene {
            swap: known,
            trail,
            tip: Some(Height(510)),
            rates: FeeRates {
                asked: FeeRate(200),
                estimated: true,
                least: FeeRate(100),
                ceiling: FeeRate(10_000),
            },
            discounted: true,
        };
        let wish = Wish {
            rate: request.fee_rate_sat_per_kvb.map(FeeRate),
        };
        let plan = plan(&scene, wish)?;
        Ok(BumpAnswer {
            swap_id: request.swap_id,
            transaction: plan.transaction,
            txid: plan.txid,
            paid_fee_sat: plan.paid.0.to_sat(),
            paid_rate_sat_per_kvb: plan.paid.1.0,
            new_txid: None,
            new_fee_sat: plan.next.0.to_sat(),
            new_rate_sat_per_kvb: plan.next.1.0,
            ceiling_sat: plan.ceiling.to_sat(),
            explanation: "the claim is replaced".into(),
            swap,
        })
    }

    async fn swap_get(&self, request: SwapRef) -> RpcResult<SwapView> {
        Ok(self.seen(request.swap_id)?)
    }

    async fn swap_list(&self, filter: SwapFilter) -> RpcResult<SwapList> {
        let all = self.swap_ids();
        let prefix = filter.id_prefix.unwrap_or_default();
        let matching = all.iter().rev().filter(|id| id.to_string().starts_with(&prefix));
        let swaps: Vec<SwapView> = matching
            .map(|id| self.seen(*id))
            .filter(|seen| !filter.active_only || seen.as_ref().is_ok_and(|seen| seen.outcome.is_none()))
            .collect::<Result<_, _>>()?;
        let total = u64::try_from(swaps.len()).unwrap();
        let limit = usize::try_from(filter.limit).unwrap();
        let swaps = swaps.into_iter().take(limit).collect();
        Ok(SwapList { swaps, total })
    }

    async fn swap_wait(&self, request: SwapWait) -> RpcResult<SwapWaited> {
        let mut changed = self.changed.subscribe();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(request.timeout_secs);
        loop {
            changed.mark_unchanged();
            let swap = self.seen(request.swap_id)?;
            let reached = has_reached(&swap, request.until);
            if reached || tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                return Ok(SwapWaited { reached, swap });
            }
        }
    }

    async fn swap_subscribe(&self, pending: PendingSubscriptionSink, request: SwapTopic) -> SubscriptionResult {
        let Some(id) = request.swap_id else {
            pending
                .reject(ApiError::invalid("swap_id", (), "must be given to a fake"))
                .await;
            return Ok(());
        };
        if let Err(error) = self.seen(id) {
            pending.reject(error).await;
            return Ok(());
        }
        let fake = self.clone();
        let changes = tokio_stream::wrappers::WatchStream::new(self.changed.subscribe());
        let views = changes.filter_map(move |_| std::future::ready(fake.seen(id).ok()));
        let until_closed = stream::unfold((views.boxed(), false), |(mut views, over)| async move {
            if over {
                return None;
            }
            let seen = views.next().await?;
            let over = seen.outcome.is_some();
            Some((seen, (views, over)))
        });
        forward(pending, until_closed).await
    }

    async fn peer_list(&self) -> RpcResult<PeerList> {
        Ok(PeerList {
            peers: vec![self.peer()],
        })
    }

    async fn peer_get(&self, request: PeerRef) -> RpcResult<PeerView> {
        if request.peer != point(2) {
            return Err(ApiError::invalid("peer", request.peer.to_string(), "must be a peer with a channel").into());
        }
        Ok(self.peer())
    }

    async fn peer_quarantine(&self, request: PeerQuarantine) -> RpcResult<PeerView> {
        self.memory.lock().unwrap().quarantine = Some(samples::quarantine(&request));
        Ok(self.peer())
    }

    async fn peer_release(&self, _request: PeerRef) -> RpcResult<PeerView> {
        self.memory.lock().unwrap().quarantine = None;
        Ok(self.peer())
    }

    async fn chain_list(&self) -> RpcResult<ChainList> {
        Ok(ChainList {
            chains: self.info().await?.chains,
        })
    }

    async fn chain_pause(&self, request: ChainPause) -> RpcResult<ChainList> {
        let mut list = self.chain_list().await?;
        for chain in list.chains.iter_mut().filter(|chain| chain.asset == request.asset) {
            chain.new_swaps = false;
            chain.paused = Some(PauseView {
                by: PausedBy::Operator,
                since: 0,
                since_text: "1970-01-01T00:00:00Z".into(),
                note: request.note.clone(),
            });
        }
        Ok(list)
    }

    async fn chain_resume(&self, _request: ChainRef) -> RpcResult<ChainList> {
        self.chain_list().await
    }

    async fn policy_get(&self) -> RpcResult<PolicyView> {
        self.policy_set(PolicyChange::default()).await
    }

    async fn policy_set(&self, change: PolicyChange) -> RpcResult<PolicyView> {
        Ok(PolicyView {
            accept_new_swaps: change.accept_new_swaps.unwrap_or(true),
            accept_all_peers: change.accept_all_peers.unwrap_or(false),
            allowlist: change.allow,
            blocked: change.block,
            min_amount_sat: change.min_amount_sat.unwrap_or(100_000),
            max_amount_sat: change.max_amount_sat.unwrap_or(Some(16_000_000)),
        })
    }

    async fn premium_get(&self, _filter: PremiumFilter) -> RpcResult<PremiumTable> {
        Ok(self.table())
    }

    async fn premium_set(&self, change: PremiumChange) -> RpcResult<PremiumTable> {
        let mut memory = self.memory.lock().unwrap();
        let PremiumChange {
            peer,
            asset,
            direction,
            ppm,
        } = change;
        memory
            .rates
            .retain(|rate| (rate.peer, rate.asset, rate.direction) != (peer, asset, direction));
        memory.rates.extend(ppm.map(|ppm| PremiumRate {
            peer,
            asset,
            direction,
            ppm,
        }));
        drop(memory);
        Ok(self.table())
    }

    async fn wallet_address(&self, request: WalletRef) -> RpcResult<WalletAddress> {
        Ok(WalletAddress {
            asset: request.asset,
            address: "el1qexample".into(),
        })
    }

    async fn wallet_balance(&self, request: WalletRef) -> RpcResult<WalletBalanceView> {
        Ok(WalletBalanceView {
            asset: request.asset,
            spendable_sat: 2_345_678,
            pending_sat: 0,
            locked_sat: 1_000,
        })
    }

    async fn wallet_send(&self, request: SendRequest) -> RpcResult<SendAnswer> {
        if request.address != "el1qexample" {
            let rule = "must be an address of the chain of lbtc, of this network";
            return Err(ApiError::invalid("address", request.address, rule).into());
        }
        let txid: bitcoin::Txid = bitcoin::hashes::Hash::all_zeros();
        Ok(SendAnswer { txid: TxId(txid) })
    }

    async fn stop(&self) -> RpcResult<StopAnswer> {
        self.memory.lock().unwrap().stopped = true;
        Ok(StopAnswer { stopping: true })
    }
}
