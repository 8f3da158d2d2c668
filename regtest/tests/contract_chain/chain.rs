//! The port `Chain`.

use std::collections::BTreeMap;
use std::time::Duration;

use bitcoin::Amount;
use sluice::ports::{Chain, Watch};
use sluice::units::{Asset, Blocks, Height, SwapId, TxId};

use crate::bench::{Adapter, Bench};
use crate::world::{World, await_tip, eventually, refusal, txid_of, watch};

const AMOUNT: Amount = Amount::from_sat(200_000);

pub async fn tells_what_the_node_is<B: Bench>(world: World<B>) {
    let info = world.adapter.info().await.unwrap();
    assert_eq!((info.chain.as_str(), info.unfit), (B::CHAIN, None));
    assert_eq!(info.genesis, world.miner.block_hash(Height(0)).await.unwrap());
    assert!(info.version.contains(B::RELEASE), "{}", info.version);
    let is_liquid = world.adapter.asset() == Asset::Lbtc;
    assert_eq!((info.policy_asset.is_some(), info.discount), (is_liquid, is_liquid));
    assert_eq!(Some(world.adapter.tip().await.unwrap()), *world.adapter.tips().borrow());
}

pub async fn a_tip_is_pushed_for_every_block<B: Bench>(world: World<B>) {
    let before = world.height().await;
    for number in 1..=3 {
        let hash = world.mine(1).await[0];
        let tip = world.await_tip(hash).await;
        assert_eq!(tip.height, before.plus(Blocks(number)));
        assert_eq!(world.adapter.tip().await.unwrap(), tip);
    }
}

pub async fn an_opening_is_seen_from_the_mempool_to_its_spend<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    let (maker, taker) = (
        watch(1, &script, &opening, since),
        Watch {
            inputs: vec![],
            ..watch(2, &script, &opening, since)
        },
    );

    let nothing = world.view(&maker).await;
    assert_eq!((nothing.opening, nothing.spend, nothing.conflict), (None, None, None));

    world.adapter.broadcast(&opening.tx).await.unwrap();
    world.await_mempool(&opening.tx).await;
    let pending = world
        .view(&taker)
        .await
        .opening
        .expect("first looked for while it is in the mempool");
    assert_eq!((pending.at, txid_of::<B>(&pending.tx)), (None, opening.outpoint.txid));

    let confirmed_at = world.await_tip(world.mine(1).await[0]).await.height;
    let spend = world.spend(&opening).await;
    world.adapter.broadcast(&spend).await.unwrap();
    for watch in [&maker, &taker] {
        let seen = world.view(watch).await;
        assert_eq!(seen.opening.as_ref().map(|found| found.at), Some(Some(confirmed_at)));
        assert_eq!(seen.opening.map(|found| found.tx), Some(opening.tx.clone()));
        assert_eq!(
            (seen.spend, seen.conflict),
            (None, None),
            "a spend counts once a block holds it"
        );
    }

    let tip = world.await_tip(world.mine(1).await[0]).await;
    for watch in [&maker, &taker] {
        let seen = world.view(watch).await;
        assert_eq!((seen.tip, seen.opening.unwrap().at), (tip, Some(confirmed_at)));
        let found = seen.spend.expect("spent");
        assert_eq!(
            (found.at, txid_of::<B>(&found.tx)),
            (Some(tip.height), txid_of::<B>(&spend))
        );
        assert_eq!(seen.conflict, None);
    }
}

pub async fn a_first_look_finds_what_happened_while_we_were_away<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (spent, spent_script) = world.opening(AMOUNT).await;
    let (unspent, unspent_script) = world.opening(AMOUNT).await;
    for opening in [&spent, &unspent] {
        world.adapter.broadcast(&opening.tx).await.unwrap();
    }
    world.mine(2).await;
    let spend = world.spend(&spent).await;
    world.adapter.broadcast(&spend).await.unwrap();
    world.mine(3).await;

    let fresh = B::connect(world.config.clone()).await.unwrap();
    await_tip::<B>(&fresh, world.adapter.tip().await.unwrap().hash).await;
    let (watches, opened_at) = (
        [
            watch(1, &spent_script, &spent, since),
            watch(2, &unspent_script, &unspent, since),
        ],
        since.plus(Blocks(1)),
    );
    let (first, second) = tokio::join!(fresh.view(&watches[0]), fresh.view(&watches[1]));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.opening.unwrap().at, Some(opened_at));
    let found = first.spend.expect("spent while away");
    assert_eq!(
        (found.at, txid_of::<B>(&found.tx)),
        (Some(since.plus(Blocks(3))), txid_of::<B>(&spend))
    );
    assert_eq!((second.opening.unwrap().at, second.spend), (Some(opened_at), None));
}

pub async fn blocks_missed_in_between_are_read<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    let watch = watch(1, &script, &opening, since);
    world.view(&watch).await;
    world.adapter.broadcast(&opening.tx).await.unwrap();
    // one call of the miner makes all of them: the follower wakes up several blocks behind
    let blocks = world.mine(5).await;
    let seen = world.view(&watch).await;
    assert_eq!((seen.tip.hash, seen.tip.height), (blocks[4], since.plus(Blocks(5))));
    assert_eq!(seen.opening.unwrap().at, Some(since.plus(Blocks(1))));
}

pub async fn what_a_reorg_undoes_is_no_longer_seen<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    let watch = watch(1, &script, &opening, since);
    world.view(&watch).await;
    world.adapter.broadcast(&opening.tx).await.unwrap();
    let undone = world.mine(1).await[0];
    assert_eq!(
        world.view(&watch).await.opening.unwrap().at,
        Some(since.plus(Blocks(1)))
    );

    world.invalidate(undone).await;
    world.mine_empty().await;
    let tip = world.mine_empty().await;
    world.await_tip(tip).await;
    let back = world.view(&watch).await.opening.expect("in the mempool again");
    assert_eq!(back.at, None);

    world.mine(1).await;
    assert_eq!(
        world.view(&watch).await.opening.unwrap().at,
        Some(since.plus(Blocks(3)))
    );
}

pub async fn a_reorg_to_the_same_height_is_noticed<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    let mut config = world.config.clone();
    config.endpoint.poll = Duration::from_millis(500);
    let adapter = B::connect(config).await.unwrap();
    await_tip::<B>(&adapter, world.adapter.tip().await.unwrap().hash).await;
    let watch = watch(1, &script, &opening, since);
    adapter.view(&watch).await.unwrap();
    adapter.broadcast(&opening.tx).await.unwrap();
    let undone = world.mine(1).await[0];
    await_tip::<B>(&adapter, undone).await;

    world.invalidate(undone).await;
    let other = world.mine_empty().await;
    let tip = await_tip::<B>(&adapter, other).await;
    assert_eq!(tip.height, since.plus(Blocks(1)));
    assert_eq!(
        adapter
            .view(&watch)
            .await
            .unwrap()
            .opening
            .expect("in the mempool again")
            .at,
        None
    );
}

pub async fn an_input_spent_elsewhere_is_a_conflict<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    let watch = watch(1, &script, &opening, since);
    world.view(&watch).await;
    let rival = world.wallet.void(&opening, None, B::RATE).await.unwrap().tx;
    world.adapter.broadcast(&rival).await.unwrap();
    let tip = world.await_tip(world.mine(1).await[0]).await;
    let seen = world.view(&watch).await;
    let found = seen.conflict.expect("the input is gone");
    assert_eq!(
        (found.at, txid_of::<B>(&found.tx)),
        (Some(tip.height), txid_of::<B>(&rival))
    );
    assert_eq!((seen.opening, seen.spend), (None, None));
    // and the same for one who looks only now
    let fresh = B::connect(world.config.clone()).await.unwrap();
    await_tip::<B>(&fresh, tip.hash).await;
    assert_eq!(fresh.view(&watch).await.unwrap().conflict.unwrap().at, Some(tip.height));
}

pub async fn broadcasting_twice_is_ok<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    world.view(&watch(1, &script, &opening, since)).await;
    for _ in 0..2 {
        world.adapter.broadcast(&opening.tx).await.expect("into the mempool");
    }
    world.mine(1).await;
    world.adapter.broadcast(&opening.tx).await.expect("it is in a block");
    let spend = world.spend(&opening).await;
    world.adapter.broadcast(&spend).await.unwrap();
    world.mine(1).await;
    world
        .adapter
        .broadcast(&opening.tx)
        .await
        .expect("it is in a block, and spent");
    world.adapter.broadcast(&spend).await.expect("it is in a block");
}

pub async fn a_double_spend_is_refused<B: Bench>(world: World<B>) {
    let (opening, _) = world.opening(AMOUNT).await;
    let rival = world.wallet.void(&opening, None, B::RATE).await.unwrap().tx;
    world.adapter.broadcast(&rival).await.unwrap();
    world.mine(1).await;
    let reason = refusal(world.adapter.broadcast(&opening.tx).await);
    assert!(
        reason.starts_with(&format!("{} sendrawtransaction: ", B::DAEMON)),
        "{reason}"
    );
    assert!(reason.ends_with("(-25)") || reason.ends_with("(-26)"), "{reason}");
}

/// Calls made since `before`, without those that were made before.
fn calls_since<B: Bench>(before: &BTreeMap<&'static str, u64>, adapter: &Adapter<B>) -> BTreeMap<&'static str, u64> {
    let mut calls = adapter.rpc().calls();
    for (method, count) in before {
        *calls.get_mut(method).expect("counts only grow") -= count;
    }
    calls.retain(|_, count| *count > 0);
    calls
}

pub async fn a_block_costs_the_same_calls_whatever_is_watched<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let (opening, script) = world.opening(AMOUNT).await;
    world.adapter.broadcast(&opening.tx).await.unwrap();
    world.mine(1).await;
    let mut costs = Vec::new();
    let mut watched = 0;
    let watch = |number: u8| Watch {
        swap: SwapId([number; 32]),
        script: script.clone(),
        // every third one's opening is in a block, every third one's was never seen, and one has not been announced
        opening: match number % 3 {
            0 => Some(opening.outpoint.txid),
            1 => Some(TxId(bitcoin::hashes::Hash::from_byte_array([number; 32]))),
            _ => None,
        },
        tx: None,
        inputs: vec![],
        since,
    };
    for wanted in [0, 1, 100] {
        while watched < wanted {
            world.view(&watch(watched)).await;
            watched += 1;
        }
        let before = world.adapter.rpc().calls();
        for _ in 0..3 {
            world.mine(1).await;
            for number in (0..watched).step_by(3) {
                assert!(world.view(&watch(number)).await.opening.is_some());
            }
        }
        costs.push(calls_since::<B>(&before, &world.adapter));
    }
    for (mut cost, watched) in costs.into_iter().zip([0, 1, 100]) {
        // every so many blocks, once for all that is watched; how high a chain begins decides whether one of these is such
        assert!(
            cost.remove("getrawmempool").unwrap_or_default() <= 1,
            "{watched} watches"
        );
        assert_eq!(
            cost.keys().copied().collect::<Vec<_>>(),
            ["getblock", "waitforblockheight"],
            "{watched} watches"
        );
        assert_eq!(cost["getblock"], 3, "each block is read once with {watched} watches");
        // the one that waits for the next block is counted as it begins, which may be just before or just after
        assert!(
            (2..=4).contains(&cost["waitforblockheight"]),
            "{cost:?} with {watched} watches"
        );
    }
}

pub async fn between_blocks_nothing_is_called_but_the_long_poll<B: Bench>(world: World<B>) {
    let mut config = world.config.clone();
    config.endpoint.poll = Duration::from_millis(300);
    let adapter = B::connect(config).await.unwrap();
    let tip = await_tip::<B>(&adapter, world.adapter.tip().await.unwrap().hash).await;
    let (opening, script) = world.opening(AMOUNT).await;
    adapter.view(&watch(1, &script, &opening, tip.height)).await.unwrap();
    let before = adapter.rpc().calls();
    let polls = |calls: &BTreeMap<_, u64>| calls.get("waitforblockheight").copied().unwrap_or_default();
    eventually(async || (polls(&calls_since::<B>(&before, &adapter)) >= 3).then_some(())).await;
    let calls = calls_since::<B>(&before, &adapter);
    assert_eq!(calls.keys().copied().collect::<Vec<_>>(), ["waitforblockheight"]);
}

pub async fn the_fee_rate_costs_no_call_per_swap<B: Bench>(world: World<B>) {
    assert_eq!(world.adapter.fee_rate().await.unwrap(), B::RATE);
    let rates = world.adapter.fee_rates().await.unwrap();
    assert_eq!((rates.asked, rates.ceiling), (B::RATE, world.config.fee_ceiling));
    assert!(!rates.estimated, "a test's chain has not seen enough");
    let before = world.adapter.rpc().calls();
    for _ in 0..10 {
        world.adapter.fee_rate().await.unwrap();
    }
    assert_eq!(calls_since::<B>(&before, &world.adapter), BTreeMap::new());
    world.mine(1).await;
    world.adapter.fee_rate().await.unwrap();
    assert_eq!(calls_since::<B>(&before, &world.adapter)["estimatesmartfee"], 1);
}
