//! What a wallet has, given what is confirmed and spent now.

use std::collections::{BTreeMap, HashSet};

use super::super::Ledger;
use super::super::consensus::COINBASE_MATURITY;
use super::super::node::State;
use super::{Wallet, WalletCoin};

/// A coin that exists now.
#[derive(Clone, Debug)]
pub struct Spendable<L: Ledger> {
    /// Where it is.
    pub outpoint: L::OutPoint,
    /// The coin.
    pub coin: WalletCoin<L>,
    /// Confirmations, 0 in the mempool.
    pub confirmations: u32,
    /// Whether it is confirmed, or change of our own that nobody else can take back.
    pub trusted: bool,
    /// Whether it is a coinbase output that is too young.
    pub immature: bool,
}

/// A wallet beside the node's state.
pub struct View<'a, L: Ledger> {
    /// The wallet.
    pub wallet: &'a Wallet<L>,
    /// The node's state.
    pub state: &'a State<L>,
}

/// Sums by asset, in sat.
pub type Balance<L> = BTreeMap<<L as Ledger>::Asset, i128>;

impl<L: Ledger> View<'_, L> {
    /// Confirmations of a transaction; 0 in the mempool, `None` if it is nowhere.
    pub fn confirmations(&self, txid: &L::Txid) -> Option<u32> {
        let chain = &self.state.chain;
        match chain.block_of(txid) {
            Some(entry) => Some(chain.height() - entry.height + 1),
            None => self.state.mempool.get(txid).map(|_| 0),
        }
    }

    /// Whether a transaction is confirmed or, with all it stands on, made by us alone.
    pub fn is_trusted(&self, txid: &L::Txid) -> bool {
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
            for input in L::inputs(&tx.tx) {
                if self.wallet.coin(&input.previous).is_none() {
                    return false;
                }
                queue.push(L::outpoint_txid(&input.previous));
            }
        }
        true
    }

    /// All coins that nothing spends, in a stable order.
    pub fn unspent(&self) -> Vec<Spendable<L>> {
        let mut coins: Vec<_> = self
            .wallet
            .coins
            .iter()
            .filter_map(|(at, coin)| self.spendable(*at, coin))
            .collect();
        coins.sort_unstable_by_key(|coin| coin.outpoint);
        coins
    }

    fn spendable(&self, outpoint: L::OutPoint, coin: &WalletCoin<L>) -> Option<Spendable<L>> {
        let (chain, mempool) = (&self.state.chain, &self.state.mempool);
        if mempool.spender(&outpoint).is_some() {
            return None;
        }
        let on_chain = chain.coin(&outpoint);
        if on_chain.is_none() && mempool.get(&L::outpoint_txid(&outpoint)).is_none() {
            return None;
        }
        let confirmations = on_chain.map_or(0, |coin| chain.height() - coin.height + 1);
        let coinbase = on_chain.is_some_and(|coin| coin.coinbase);
        Some(Spendable {
            outpoint,
            coin: coin.clone(),
            confirmations,
            trusted: self.is_trusted(&L::outpoint_txid(&outpoint)),
            immature: coinbase && confirmations <= COINBASE_MATURITY,
        })
    }

    /// Sum of the coins that pass, by asset.
    pub fn balance(&self, passes: impl Fn(&Spendable<L>) -> bool) -> Balance<L> {
        let mut sums = BTreeMap::new();
        for coin in self.unspent().into_iter().filter(passes) {
            let contents = &coin.coin.contents;
            *sums.entry(L::asset(contents)).or_default() += i128::from(L::sat(contents));
        }
        sums
    }

    /// What is ours and safe to spend.
    pub fn trusted_balance(&self) -> Balance<L> {
        self.balance(|coin| coin.trusted && !coin.immature)
    }

    /// What a transaction changed for us, by asset: received less spent. Fees of our own are part of what was spent.
    pub fn net(&self, txid: &L::Txid) -> Balance<L> {
        let mut sums = BTreeMap::new();
        let Some(tx) = self.wallet.transaction(txid) else {
            return sums;
        };
        let mut add = |contents: &L::Contents, sign: i128| {
            *sums.entry(L::asset(contents)).or_default() += sign * i128::from(L::sat(contents));
        };
        for vout in 0..L::outputs(&tx.tx).len() as u32 {
            if let Some(coin) = self.wallet.coin(&L::outpoint(*txid, vout)) {
                add(&coin.contents, 1);
            }
        }
        for input in L::inputs(&tx.tx) {
            if let Some(coin) = self.wallet.coin(&input.previous) {
                add(&coin.contents, -1);
            }
        }
        sums
    }
}
