//! The port [`Wallet`].

mod pushing;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bitcoin::{Address, Amount, Network, TxOut};
use tokio::sync::{Mutex, oneshot};
use tracing::debug;

use super::selection::{self, CHANGE_SCRIPT, DUST, Selection, Wanted};
use super::signing::{Signed, Unsigned};
use super::{Coin, Holdings, Purse};
use crate::ports::untaken::{Frees, Untaken};
use crate::ports::{Chain, PortError, SendError, Wallet, WalletBalance};
use crate::swap::fees::{fee_of_child, least_fee_of_void};
use crate::swap::state::{Claim, Opening, TxCost};
use crate::swap::terms::Payout;
use crate::tx::OpeningOutput;
use crate::units::{FeeRate, OutPoint, TxId};

/// How often coins are chosen anew because another program was faster.
const ATTEMPTS: usize = 3;
/// What a replacement pays on top for its own relay: Bitcoin Core's before 30, and 30 asks for less
/// (src/policy/policy.h, `DEFAULT_INCREMENTAL_RELAY_FEE`).
const INCREMENTAL: FeeRate = FeeRate(1_000);

/// The wallet of a Lightning node, for BTC.
pub struct NodeWallet<P> {
    funder: Arc<Funder<P>>,
    chain: Arc<dyn Chain>,
    network: Network,
}

impl<P: Purse> NodeWallet<P> {
    /// A wallet on `network`, which pays what `chain` asks for. Says nothing to the node yet.
    #[must_use]
    pub fn new(purse: P, chain: Arc<dyn Chain>, network: Network) -> Self {
        let funder = Arc::new(Funder {
            purse,
            network,
            choosing: Mutex::default(),
        });
        Self { funder, chain, network }
    }
}

#[async_trait]
impl<P: Purse> Wallet for NodeWallet<P> {
    fn holder(&self) -> String {
        P::DAEMON.into()
    }

    async fn balance(&self) -> Result<WalletBalance, PortError> {
        Ok(balance_of(&self.funder.holdings().await?))
    }

    async fn new_address(&self, _: &str) -> Result<Payout, PortError> {
        self.funder.new_address().await
    }

    async fn fund(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let (funder, wanted) = (Arc::clone(&self.funder), output.clone());
        let (done, made) = oneshot::channel();
        // a task of its own: a caller that goes away in the middle must not leave coins locked
        tokio::spawn(async move {
            let opening = funder.open(&wanted, rate).await;
            // nobody to take it: dropped here or in the channel, it frees its coins
            drop(done.send(opening.map(|opening| Untaken::new(opening, funder))));
        });
        match made.await {
            Ok(opening) => Ok(opening?.take()),
            Err(_) => Err(broken::<P>("funding ended without a result")),
        }
    }

    async fn keep_only(&self, openings: &[Opening]) -> Result<(), PortError> {
        let purse = &self.funder.purse;
        let wanted: HashSet<OutPoint> = openings
            .iter()
            .flat_map(|opening| opening.inputs.iter().copied())
            .collect();
        let ours = purse.holdings().await?.ours;
        let forgotten: Vec<OutPoint> = ours.iter().map(|coin| coin.outpoint).collect();
        let forgotten: Vec<OutPoint> = forgotten.into_iter().filter(|coin| !wanted.contains(coin)).collect();
        purse.unlock(&forgotten).await?;
        for kept in wanted {
            match purse.lock(&[kept]).await {
                // it is spent: the opening is in a block, or can be in none
                Err(PortError::Refused(reason)) => debug!(reason, "lock left as it is"),
                answer => answer?,
            }
        }
        Ok(())
    }

    async fn void(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        let replaced = replaced.map(|void| &void.cost);
        let fee = |vsize| {
            let least = least_fee_of_void(&opening.cost, replaced, vsize, INCREMENTAL);
            least.unwrap_or(Amount::MAX).max(rate.fee(vsize))
        };
        Ok(self.funder.reclaim(&opening.inputs, fee).await?.into())
    }

    async fn push(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        if !self.chain.has_in_mempool(&opening.tx).await? {
            let reason = "the opening was not in the mempool when that was looked at after the newest block; the next look comes with the next block";
            return Err(PortError::Refused(reason.into()));
        }
        let change = selection::change_of(opening).map_err(|reason| broken::<P>(&reason))?;
        let Some(change) = change else {
            let reason = "the opening has no change of this wallet to push it with";
            return Err(PortError::Refused(reason.into()));
        };
        match replaced {
            Some(replaced) => self.check_undone(replaced).await?,
            None => self.lock_change(&change).await?,
        }
        let fee = |vsize| {
            let child = TxCost {
                fee: Amount::ZERO,
                vsize,
                discount_vsize: vsize,
            };
            let replaced = replaced.map(|replaced| &replaced.cost);
            fee_of_child(&opening.cost, &child, false, replaced, (rate, INCREMENTAL)).unwrap_or(Amount::MAX)
        };
        Ok(self.funder.return_to_wallet(change, fee).await?.into())
    }

    /// Nodes label transactions, not addresses: there is nothing to write down.
    async fn label(&self, _: &str, _: &str) -> Result<(), PortError> {
        Ok(())
    }

    async fn send(&self, address: &str, amount: Amount) -> Result<TxId, SendError> {
        let parsed = address.parse::<Address<_>>().ok();
        let parsed = parsed.and_then(|address| address.require_network(self.network).ok());
        let address = parsed.ok_or(SendError::Address)?;
        let too_little = |available| SendError::TooLittle {
            available,
            wanted: amount,
        };
        let available = self.balance().await?.spendable;
        if amount > available {
            return Err(too_little(available));
        }
        let rate = self.chain.fee_rate().await?;
        match self.funder.purse.pay(&address, amount, rate).await {
            Ok(txid) => Ok(txid),
            Err(PortError::Refused(reason)) if P::is_too_little(&reason) => Err(too_little(available)),
            Err(refused @ PortError::Refused(_)) => Err(SendError::Port(refused)),
            Err(lost @ (PortError::Unreachable(_) | PortError::Broken(_))) => Err(SendError::Unknown(lost)),
        }
    }
}

/// What it takes to make transactions of a node's coins.
pub(super) struct Funder<P> {
    purse: P,
    network: Network,
    /// One chooses at a time: two at once would choose the same coins.
    choosing: Mutex<()>,
}

impl<P: Purse> Funder<P> {
    /// An opening with that output, its inputs locked.
    async fn open(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let chosen = self.choose(output, rate).await?;
        let inputs: Vec<OutPoint> = chosen.coins.iter().map(|coin| coin.outpoint).collect();
        match self.fund(chosen, output).await {
            Ok(signed) => Ok(Opening {
                // change comes after it: a Go taker takes the first output with the opening's value for the opening
                outpoint: OutPoint {
                    txid: signed.txid,
                    vout: 0,
                },
                tx: signed.tx,
                inputs,
                cost: signed.cost,
            }),
            Err(error) => {
                self.free(&inputs).await?;
                Err(error)
            }
        }
    }

    /// What the node holds, as far as openings may spend it.
    async fn holdings(&self) -> Result<Holdings, PortError> {
        let mut held = self.purse.holdings().await?;
        held.free
            .retain(|coin| selection::is_usable(&coin.output.script_pubkey));
        Ok(held)
    }

    /// Coins that pay for an output, locked.
    async fn choose(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Selection, PortError> {
        let _alone = self.choosing.lock().await;
        let mut taken = None;
        for _ in 0..ATTEMPTS {
            let held = self.holdings().await?;
            let wanted = Wanted {
                amount: output.amount,
                script: output.script.len(),
                rate,
                kept: held.kept,
            };
            let Some(chosen) = selection::select(&held.free, &wanted) else {
                return Err(too_little::<P>(&held, output.amount));
            };
            let coins: Vec<OutPoint> = chosen.coins.iter().map(|coin| coin.outpoint).collect();
            match self.purse.lock(&coins).await {
                Ok(()) => return Ok(chosen),
                Err(error) => {
                    // some of them may be locked, or all, if only the answer was lost
                    self.free(&coins).await?;
                    let PortError::Refused(_) = error else {
                        return Err(error);
                    };
                    taken = Some(error);
                }
            }
        }
        Err(taken.expect("there was an attempt"))
    }

    async fn fund(&self, chosen: Selection, output: &OpeningOutput) -> Result<Signed, PortError> {
        let mut outputs = vec![TxOut {
            value: output.amount,
            script_pubkey: output.script.clone(),
        }];
        if let Some(value) = chosen.change {
            let script_pubkey = self.new_address().await?.script;
            outputs.push(TxOut { value, script_pubkey });
        }
        if outputs
            .iter()
            .filter(|made| made.script_pubkey == output.script)
            .count()
            != 1
        {
            return Err(broken::<P>("its change address is the opening's"));
        }
        self.sign(chosen.coins, outputs, (chosen.fee, chosen.vsize)).await
    }

    /// A spend of as few of these coins as can pay for it, which are ours, to the wallet itself. Its fee is what `fee` says
    /// of its virtual size.
    async fn reclaim(&self, from: &[OutPoint], fee: impl Fn(u64) -> Amount) -> Result<Signed, PortError> {
        let mut coins = self.ours(from).await?;
        coins.sort_by_key(|coin| std::cmp::Reverse(coin.value()));
        let (mut spent, mut paid) = (Vec::new(), None);
        for coin in coins {
            spent.push(coin);
            paid = pay_back(&spent, &fee);
            if paid.is_some() {
                break;
            }
        }
        self.pay_back(spent, paid).await
    }

    /// A spend of a coin to the wallet itself. Its fee is what `fee` says of its virtual size.
    async fn return_to_wallet(&self, coin: Coin, fee: impl Fn(u64) -> Amount) -> Result<Signed, PortError> {
        let spent = vec![coin];
        let paid = pay_back(&spent, &fee);
        self.pay_back(spent, paid).await
    }

    async fn pay_back(&self, spent: Vec<Coin>, paid: Option<(Amount, Amount, u64)>) -> Result<Signed, PortError> {
        let Some((value, fee, vsize)) = paid else {
            let held = selection::sum(spent.iter()).unwrap_or(Amount::MAX).to_sat();
            let reason = format!(
                "{} coins with {held} sat do not pay for a spend of their own",
                spent.len()
            );
            return Err(PortError::Refused(format!("{}'s wallet: {reason}", P::DAEMON)));
        };
        let script_pubkey = self.new_address().await?.script;
        self.sign(spent, vec![TxOut { value, script_pubkey }], (fee, vsize))
            .await
    }

    /// Coins by their places, locked by us.
    async fn ours(&self, places: &[OutPoint]) -> Result<Vec<Coin>, PortError> {
        self.purse.lock(places).await?;
        let mut ours = self.purse.holdings().await?.ours;
        ours.retain(|coin| places.contains(&coin.outpoint));
        Ok(ours)
    }

    async fn sign(
        &self,
        spent: Vec<Coin>,
        outputs: Vec<TxOut>,
        (fee, vsize): (Amount, u64),
    ) -> Result<Signed, PortError> {
        let unsigned = Unsigned::new(spent, outputs, fee, vsize)
            .ok_or_else(|| broken::<P>("inputs, outputs and fee do not add up"))?;
        let answer = self.purse.sign(&unsigned.psbt()).await?;
        unsigned.finish(answer).map_err(|reason| broken::<P>(&reason))
    }

    async fn new_address(&self) -> Result<Payout, PortError> {
        let address = self.purse.new_address().await?;
        let parsed: Result<Address<_>, _> = address.parse();
        let script = parsed
            .ok()
            .and_then(|parsed| parsed.require_network(self.network).ok())
            .map(|parsed| parsed.script_pubkey())
            .filter(|script| script.is_p2wpkh());
        let wanted = format!(
            "the address `{address}` is none of a version 0 witness on {}",
            self.network
        );
        Ok(Payout {
            script: script.ok_or_else(|| broken::<P>(&wanted))?,
            address,
            blinding_key: None,
        })
    }
}

#[async_trait]
impl<P: Purse> Frees for Funder<P> {
    async fn free(&self, coins: &[OutPoint]) -> Result<(), PortError> {
        match self.purse.unlock(coins).await {
            // another program's, perhaps
            Err(PortError::Refused(reason)) => debug!(reason, "locks left as they are"),
            answer => answer?,
        }
        Ok(())
    }
}

impl From<Signed> for Claim {
    fn from(signed: Signed) -> Claim {
        Claim {
            tx: signed.tx,
            txid: signed.txid,
            cost: signed.cost,
        }
    }
}

/// What comes back of coins that are spent to the wallet itself, at which fee for which size.
fn pay_back(spent: &[Coin], fee: &impl Fn(u64) -> Amount) -> Option<(Amount, Amount, u64)> {
    let vsize = selection::vsize(spent.iter(), &[CHANGE_SCRIPT])?;
    let fee = fee(vsize);
    let value = selection::sum(spent.iter())?.checked_sub(fee)?;
    (value >= DUST).then_some((value, fee, vsize))
}

fn balance_of(held: &Holdings) -> WalletBalance {
    let sum = |coins: &[Coin]| selection::sum(coins.iter()).unwrap_or(Amount::MAX_MONEY);
    WalletBalance {
        spendable: sum(&held.free).checked_sub(held.kept).unwrap_or(Amount::ZERO),
        pending: held.pending,
        locked: sum(&held.ours),
    }
}

fn too_little<P: Purse>(held: &Holdings, wanted: Amount) -> PortError {
    let balance = balance_of(held);
    PortError::Refused(format!(
        "{}'s wallet has {} sat to spend ({} sat unconfirmed, {} sat locked, {} sat kept for its channels), wanted {} sat and a fee",
        P::DAEMON,
        balance.spendable.to_sat(),
        balance.pending.to_sat(),
        balance.locked.to_sat(),
        held.kept.to_sat(),
        wanted.to_sat(),
    ))
}

fn broken<P: Purse>(reason: &str) -> PortError {
    PortError::Broken(format!("{}'s wallet: {reason}", P::DAEMON))
}
