//! Lookups at a node that has pruned its older blocks, or fails in between, and a follower that dies.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, ScriptBuf};

use super::*;
use crate::units::{Height, OutPoint, RawTx};

const TIP: u32 = 10;
const OLDEST: u32 = 6;
/// A block at which following panics.
const DEADLY: Height = Height(200);

/// A transaction of one output, to the watched script.
#[derive(Debug, Clone)]
struct Tx(u8, Vec<OutPoint>);

impl ChainTx for Tx {
    fn txid(&self) -> TxId {
        txid(self.0)
    }
    fn spends(&self) -> Vec<OutPoint> {
        self.1.clone()
    }
    fn outputs_to(&self, _: &ScriptBuf) -> Vec<u32> {
        vec![0]
    }
    fn raw(&self) -> RawTx {
        RawTx::from(vec![self.0])
    }
}

fn txid(number: u8) -> TxId {
    TxId(bitcoin::Txid::from_byte_array([number; 32]))
}

fn hash(height: Height) -> BlockHash {
    BlockHash::from_byte_array([u8::try_from(height.0).expect("small"); 32])
}

/// Number 1 opens in block 7 and number 2 claims it in block 8; number 3 opened in block 4, and is spent.
#[derive(Debug)]
struct Pruned {
    tip: AtomicU32,
    /// The oldest block that the node still has.
    oldest: AtomicU32,
    moved: tokio::sync::Notify,
    /// The heights of the blocks that were asked for.
    asked: Mutex<Vec<u32>>,
    /// The block at this height is not answered: the first call is lost, or all wait while it is held.
    lost: AtomicU32,
    held: watch::Sender<Option<u32>>,
    /// So many looks into the mempool are lost.
    blind: AtomicU32,
    /// It says no to whoever asks for its mempool.
    secretive: AtomicBool,
    waiting: Mutex<HashSet<TxId>>,
}

impl Default for Pruned {
    fn default() -> Pruned {
        Pruned {
            tip: TIP.into(),
            oldest: OLDEST.into(),
            moved: tokio::sync::Notify::new(),
            asked: Mutex::default(),
            lost: AtomicU32::new(0),
            held: watch::Sender::new(None),
            blind: AtomicU32::new(0),
            secretive: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }
}

fn away() -> PortError {
    PortError::Unreachable("pruned is away".into())
}

impl Pruned {
    fn go_to(&self, tip: u32, oldest: u32) {
        self.oldest.store(oldest, Ordering::SeqCst);
        self.tip.store(tip, Ordering::SeqCst);
        self.moved.notify_one();
    }

    fn tip(&self) -> Tip {
        let height = Height(self.tip.load(Ordering::SeqCst));
        let hash = hash(height);
        Tip { height, hash }
    }
}

#[async_trait]
impl Source for Pruned {
    type Tx = Tx;

    fn daemon(&self) -> &'static str {
        "pruned"
    }
    fn read(&self, tx: &RawTx) -> Result<Tx, PortError> {
        Err(PortError::Refused(format!("{tx:?}")))
    }
    async fn verify(&self) -> Result<(), PortError> {
        Ok(())
    }
    async fn wait_for(&self, height: Height) -> Result<Tip, PortError> {
        while self.tip().height < height {
            self.moved.notified().await;
        }
        assert!(self.tip().height < DEADLY, "a bug of the follower");
        Ok(self.tip())
    }
    async fn block(&self, asked: BlockHash) -> Result<Block<Tx>, PortError> {
        let height = Height(u32::from(asked.to_byte_array()[0]));
        self.asked.lock().expect("no holder panics").push(height.0);
        let lost = self
            .lost
            .compare_exchange(height.0, 0, Ordering::SeqCst, Ordering::SeqCst);
        if lost.is_ok() {
            return Err(away());
        }
        let mut held = self.held.subscribe();
        held.wait_for(|held| *held != Some(height.0)).await.expect("we hold it");
        if height.0 < self.oldest.load(Ordering::SeqCst) {
            return Err(PortError::Refused(format!("block {} is pruned", height.0)));
        }
        let txs = match height.0 {
            7 => vec![Tx(1, Vec::new())],
            8 => vec![Tx(2, vec![OutPoint { txid: txid(1), vout: 0 }])],
            _ => Vec::new(),
        };
        Ok(Block {
            previous: hash(Height(height.0 - 1)),
            txs,
        })
    }
    async fn block_hash(&self, height: Height) -> Result<BlockHash, PortError> {
        Ok(hash(height))
    }
    async fn unspent(&self, output: OutPoint) -> Result<Option<UnspentOutput>, PortError> {
        Ok((output == OutPoint { txid: txid(5), vout: 0 }).then(|| UnspentOutput {
            script: ScriptBuf::new(),
            best: self.tip().hash,
            confirmations: 7,
        }))
    }
    async fn confirmed_tx(&self, _: TxId, block: BlockHash) -> Result<Tx, PortError> {
        Err(PortError::Refused(format!(
            "block {} is pruned",
            block.to_byte_array()[0]
        )))
    }
    async fn mempool_tx(&self, txid: TxId) -> Result<Option<Tx>, PortError> {
        let waits = self.waiting.lock().expect("no holder panics").contains(&txid);
        Ok(waits.then(|| Tx(txid.0.to_byte_array()[0], Vec::new())))
    }
    async fn mempool(&self) -> Result<HashSet<TxId>, PortError> {
        if self.secretive.load(Ordering::SeqCst) {
            return Err(PortError::Refused("forbidden".into()));
        }
        let less = |left: u32| left.checked_sub(1);
        if self
            .blind
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            return Err(away());
        }
        Ok(self.waiting.lock().expect("no holder panics").clone())
    }
}

fn watch(swap: u8, opening: u8, since: u32) -> Watch {
    Watch {
        swap: SwapId([swap; 32]),
        script: ScriptBuf::new(),
        opening: Some(txid(opening)),
        tx: None,
        inputs: Vec::new(),
        since: Height(since),
    }
}

async fn follow() -> Watcher<Pruned> {
    let watcher = Watcher::start(Pruned::default());
    let mut tips = watcher.tips();
    tips.wait_for(Option::is_some).await.expect("it runs");
    watcher
}

#[tokio::test]
async fn a_swap_whose_blocks_are_pruned_is_told_so_and_keeps_no_other_waiting() {
    let watcher = follow().await;
    for _again in 1..=2 {
        let lost = watcher.view(&watch(3, 3, 4)).await;
        assert_eq!(lost, Err(PortError::Broken("block 4 is pruned".into())));
        let seen = watcher.view(&watch(1, 1, 6)).await.expect("its blocks are there");
        let heights = [seen.opening, seen.spend].map(|found| found.and_then(|found| found.at));
        assert_eq!(heights, [Some(Height(7)), Some(Height(8))]);
    }
}

#[tokio::test]
async fn an_unspent_opening_in_a_pruned_block_is_told_as_such_and_not_as_a_moving_chain() {
    let watcher = follow().await;
    let lost = watcher.view(&watch(5, 5, 1)).await;
    assert_eq!(lost, Err(PortError::Broken("block 4 is pruned".into())));
}

#[tokio::test]
async fn whoever_waits_for_blocks_is_told_when_nobody_follows_the_chain_any_more() {
    let watcher = follow().await;
    let mut tips = watcher.tips();
    watcher.source().go_to(DEADLY.0, OLDEST);
    assert!(tips.changed().await.is_err());
}

#[tokio::test]
async fn a_node_that_has_pruned_what_was_missed_is_followed_on_and_only_swaps_from_before_are_lost() {
    let watcher = follow().await;
    watcher.view(&watch(1, 1, 6)).await.expect("its blocks are there");
    watcher.source().go_to(150, 140);
    let mut tips = watcher.tips();
    let followed = tips.wait_for(|tip| tip.is_some_and(|tip| tip.height == Height(150)));
    followed.await.expect("it runs");
    let lost = watcher.view(&watch(1, 1, 6)).await;
    assert_eq!(lost, Err(PortError::Broken("block 6 is pruned".into())));
    let seen = watcher.view(&watch(4, 4, 145)).await.expect("its blocks are there");
    assert_eq!((seen.tip.height, seen.opening), (Height(150), None));
}

#[tokio::test]
async fn a_call_that_fails_costs_no_block_that_was_read_before_it() {
    let watcher = follow().await;
    let node = watcher.source();
    node.lost.store(8, Ordering::SeqCst);
    let failed = watcher.view(&watch(1, 1, 6)).await;
    assert_eq!(failed, Err(away()));
    let seen = watcher.view(&watch(1, 1, 6)).await.expect("it answers again");
    let heights = [seen.opening, seen.spend].map(|found| found.and_then(|found| found.at));
    assert_eq!(heights, [Some(Height(7)), Some(Height(8))]);
    let asked = node.asked.lock().expect("no holder panics");
    let times = [6, 7, 8].map(|height| asked.iter().filter(|asked| **asked == height).count());
    assert_eq!(times, [1, 1, 2], "{asked:?}");
}

#[tokio::test]
async fn a_call_that_fails_costs_no_block_either_where_another_swaps_blocks_are_pruned() {
    let watcher = follow().await;
    let node = watcher.source();
    node.lost.store(8, Ordering::SeqCst);
    assert_eq!(watcher.view(&watch(1, 1, 6)).await, Err(away()));
    let lost = watcher.view(&watch(3, 3, 4)).await;
    assert_eq!(lost, Err(PortError::Broken("block 4 is pruned".into())));
    watcher.view(&watch(1, 1, 6)).await.expect("it answers again");
    let asked = node.asked.lock().expect("no holder panics");
    let times = [6, 7].map(|height| asked.iter().filter(|asked| **asked == height).count());
    assert_eq!(times, [1, 1], "{asked:?}");
}

#[tokio::test]
async fn whose_blocks_are_read_keeps_nobody_waiting_who_needs_none() {
    let watcher = Arc::new(follow().await);
    let node = watcher.source();
    node.held.send_replace(Some(7));
    let reads = tokio::spawn({
        let watcher = watcher.clone();
        async move { watcher.view(&watch(1, 1, 6)).await }
    });
    while !node.asked.lock().expect("no holder panics").contains(&7) {
        tokio::task::yield_now().await;
    }
    node.waiting.lock().expect("no holder panics").insert(txid(9));
    let quick = tokio::time::timeout(Duration::from_secs(10), watcher.view(&watch(9, 9, 1))).await;
    let seen = quick.expect("it does not wait").expect("it is in the mempool");
    assert_eq!(seen.opening.map(|found| found.at), Some(None));
    assert!(!reads.is_finished(), "its blocks are held");
    node.held.send_replace(None);
    let seen = reads.await.expect("no panic").expect("its blocks are there");
    assert_eq!(seen.spend.and_then(|found| found.at), Some(Height(8)));
}

#[tokio::test]
async fn a_look_into_the_mempool_that_fails_is_repeated() {
    let watcher = follow().await;
    let seen = watcher.view(&watch(4, 4, 6)).await.expect("its blocks are there");
    assert_eq!(seen.opening, None);
    let node = watcher.source();
    node.waiting.lock().expect("no holder panics").insert(txid(4));
    node.blind.store(1, Ordering::SeqCst);
    let mut tips = watcher.tips();
    node.go_to(30, OLDEST);
    while node.blind.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    // at this height nobody would look for its own sake
    node.go_to(31, OLDEST);
    let followed = tips.wait_for(|tip| tip.is_some_and(|tip| tip.height == Height(31)));
    followed.await.expect("it runs");
    let seen = watcher.view(&watch(4, 4, 6)).await.expect("it is known");
    assert_eq!(seen.opening.map(|found| found.at), Some(None));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_show_its_mempool_shows_its_blocks_all_the_same() {
    let watcher = follow().await;
    let seen = watcher.view(&watch(4, 4, 6)).await.expect("its blocks are there");
    assert_eq!(seen.opening, None);
    let node = watcher.source();
    node.secretive.store(true, Ordering::SeqCst);
    let mut tips = watcher.tips();
    node.go_to(30, OLDEST);
    tips.changed().await.expect("it runs");
    assert_eq!(tips.borrow().map(|tip| tip.height), Some(Height(30)));
}
