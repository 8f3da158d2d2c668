//! What the adapter makes of a second node of its chain.

use sluice::ports::{Chain, PortError};

use crate::bench::{Adapter, Bench};
use crate::world::{World, endpoint, refusal};

async fn beside<B: Bench, W: Bench>(world: &World<B>, witness: &W) -> Result<Adapter<B>, PortError> {
    let mut config = world.config.clone();
    config.witness = Some(endpoint(witness, ""));
    B::connect(config).await
}

pub async fn a_witness_with_the_same_blocks_raises_no_doubt<B: Bench>(world: World<B>) {
    assert_eq!(world.adapter.doubt().await.unwrap(), None, "there is no witness");
    let adapter = beside(&world, &world.node).await.unwrap();
    assert_eq!(adapter.doubt().await.unwrap(), None);
    world.mine(7).await;
    assert_eq!(adapter.doubt().await.unwrap(), None);
}

pub async fn a_witness_with_other_blocks_is_told_with_both<B: Bench>(world: World<B>) {
    let Some(mut other) = World::<B>::start().await else {
        return;
    };
    let adapter = beside(&world, &other.node).await.unwrap();
    // blocks of its own below its tip; and no longer than ours, or that would be said
    other.mine(2).await;
    let (ours, theirs) = (world.height().await, other.height().await);
    world.mine(theirs.0.saturating_sub(ours.0) + 1).await;
    let doubt = adapter.doubt().await.unwrap().expect("the chains differ");
    let height = theirs.0 - 1;
    for node in [&world.miner, &other.miner] {
        let hash = node.block_hash(sluice::units::Height(height)).await.unwrap();
        assert!(doubt.contains(&hash.to_string()), "{doubt}");
    }
    assert!(doubt.contains(&format!("block {height} is")), "{doubt}");

    let ahead = world.height().await.0 - theirs.0 + 4;
    other.mine(ahead).await;
    let doubt = adapter.doubt().await.unwrap().expect("it is ahead");
    assert!(doubt.ends_with("4 blocks behind its witness"), "{doubt}");

    other.node.stop().await;
    let gone = adapter.doubt().await;
    assert!(matches!(gone, Err(PortError::Unreachable(_))), "{gone:?}");
}

pub async fn a_witness_of_another_chain_is_refused<B: Bench>(world: World<B>) {
    let (liquid, bitcoin) = (
        crate::liquid::Embedded::<false>::start().await.expect("it is embedded"),
        crate::bitcoin::Embedded::start().await.expect("it is embedded"),
    );
    let answers = [beside(&world, &liquid).await, beside(&world, &bitcoin).await];
    let refused: Vec<String> = answers
        .into_iter()
        .filter(Result::is_err)
        .map(|answer| refusal(answer.map(drop)))
        .collect();
    let [reason] = &refused[..] else {
        panic!("one of two is of another chain: {refused:?}");
    };
    assert!(reason.contains("is on another chain: its block 0 is"), "{reason}");
}
