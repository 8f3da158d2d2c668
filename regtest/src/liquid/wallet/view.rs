//! What a wallet has, given what is confirmed and spent now.

use std::collections::{BTreeMap, HashSet};

use elements::{AssetId, OutPoint, TxOutSecrets, Txid};

use super::super::node::State;
use super::super::params::COINBASE_MATURITY;
use super::{Wallet, WalletCoin};

/// A coin that exists now.
#[derive(Clone, Debug)]
pub struct Spendable {
    /// Where it is.
    pub outpoint: OutPoint,
    /// The coin.
    pub coin: WalletCoin,
    /// Confirmations, 0 in the mempool.
    pub confirmations: u32,
    /// Whether it is confirmed, or change of our own that nobody else can take back.
    pub trusted: bool,
    /// Whether it is a coinbase output that is too young.
    pub immature: bool,
}

/// A wallet beside the node's state.
pub struct View<'a> {
    /// The wallet.
    pub wallet: &'a Wallet,
    /// The node's state.
    pub state: &'a State,
}

/// Sums by asset, in sat.
pub type Balance = BTreeMap<AssetId, i128>;

impl View<'_> {
    /// Confirmations of a transaction; 0 in the mempool, `None` if it is nowhere.
    pub fn confirmations(&self, txid: &Txid) -> Option<u32> {
        let chain = &self.state.chain;
        match chain.block_of(txid) {
            Some(entry) => Some(chain.height() - entry.height() + 1),
            None => self.state.mempool.get(txid).map(|_| 0),
        }
    }

    /// Whether a transaction is confirmed or, with all it stands on, made by us alone.
    pub fn is_trusted(&self, txid: &Txid) -> bool {
        let mut seen = HashSet::new();
        let mut queue = vec![*txid];
        while let Some(txid) = queue.pop() {
            match self.confirmations(&txid) {
                None => return false,
                Some(0) if seen.insert(txid) => {}
                Some(_) => continue,
            }
            let Some(tx) = self.wallet.transaction(&txid) else {
                return false;
            };
            for input in &tx.tx.input {
                if self.wallet.coin(&input.previous_output).is_none() {
                    return false;
                }
                queue.push(input.previous_output.txid);
            }
        }
        true
    }

    /// All coins that nothing spends, in a stable order.
    pub fn unspent(&self) -> Vec<Spendable> {
        let mut coins: Vec<_> = self
            .wallet
            .coins
            .iter()
            .filter_map(|(at, coin)| self.spendable(*at, coin))
            .collect();
        coins.sort_unstable_by_key(|coin| coin.outpoint);
        coins
    }

    fn spendable(&self, outpoint: OutPoint, coin: &WalletCoin) -> Option<Spendable> {
        let (chain, mempool) = (&self.state.chain, &self.state.mempool);
        if mempool.spender(&outpoint).is_some() {
            return None;
        }
        let on_chain = chain.coin(&outpoint);
        if on_chain.is_none() && mempool.get(&outpoint.txid).is_none() {
            return None;
        }
        let confirmations = on_chain.map_or(0, |coin| chain.height() - coin.height + 1);
        let coinbase = on_chain.is_some_and(|coin| coin.coinbase);
        Some(Spendable {
            outpoint,
            coin: coin.clone(),
            confirmations,
            trusted: self.is_trusted(&outpoint.txid),
            immature: coinbase && confirmations <= COINBASE_MATURITY,
        })
    }

    /// Sum of the coins that pass, by asset.
    pub fn balance(&self, passes: impl Fn(&Spendable) -> bool) -> Balance {
        let mut sums = Balance::new();
        for coin in self.unspent().into_iter().filter(passes) {
            *sums.entry(coin.coin.secrets.asset).or_default() += i128::from(coin.coin.secrets.value);
        }
        sums
    }

    /// What is ours and safe to spend.
    pub fn trusted_balance(&self) -> Balance {
        self.balance(|coin| coin.trusted && !coin.immature)
    }

    /// What a transaction changed for us, by asset: received less spent. Fees of our own are part of what was spent.
    pub fn net(&self, txid: &Txid) -> Balance {
        let mut sums = Balance::new();
        let Some(tx) = self.wallet.transaction(txid) else {
            return sums;
        };
        let mut add = |secrets: &TxOutSecrets, sign: i128| {
            *sums.entry(secrets.asset).or_default() += sign * i128::from(secrets.value);
        };
        for vout in 0..tx.tx.output.len() as u32 {
            if let Some(coin) = self.wallet.coin(&OutPoint::new(*txid, vout)) {
                add(&coin.secrets, 1);
            }
        }
        for input in &tx.tx.input {
            if let Some(coin) = self.wallet.coin(&input.previous_output) {
                add(&coin.secrets, -1);
            }
        }
        sums
    }
}
