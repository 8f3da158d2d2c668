//! `kill -9` of either `sluiced`, or of both, in every state.

use anyhow::Result;
use sluice_regtest::world::World;

use super::books::Books;
use super::moments::Moments;

#[derive(Clone, Copy)]
enum Victim {
    Alice,
    Bob,
    Both,
}

fn kill(world: &mut World, victim: Victim) {
    if matches!(victim, Victim::Alice | Victim::Both) {
        world.alice.daemon.kill();
    }
    if matches!(victim, Victim::Bob | Victim::Both) {
        world.bob.daemon.kill();
    }
}

async fn start_again(world: &mut World, victim: Victim) -> Result<()> {
    let (alice, bob) = (world.alice.id, world.bob.id);
    if matches!(victim, Victim::Alice | Victim::Both) {
        world.alice.daemon.begin().await?;
        world.alice.wait_for_peer(bob, |peer| peer.online).await?;
    }
    if matches!(victim, Victim::Bob | Victim::Both) {
        world.bob.daemon.begin().await?;
        world.bob.wait_for_peer(alice, |peer| peer.online).await?;
    }
    Ok(())
}

/// Kills with a swap in every moment. `meanwhile`: what is held and stuck goes on, and blocks come, while nobody is
/// there to see it.
async fn survive(victim: Victim, meanwhile: bool) -> Result<()> {
    let mut moments = Moments::reach().await?;
    let books = Books::open(&moments.world).await?;
    moments.begin().await?;
    kill(&mut moments.world, victim);
    if meanwhile {
        moments.let_go();
        moments.world.liquid.mine(3).await?;
    }
    start_again(&mut moments.world, victim).await?;
    moments.let_go();
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_initiator_is_killed_in_every_state_and_every_swap_ends_as_it_should() -> Result<()> {
    survive(Victim::Alice, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_responder_is_killed_in_every_state_and_every_swap_ends_as_it_should() -> Result<()> {
    survive(Victim::Bob, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_killed_in_every_state_and_come_back_to_what_happened_meanwhile() -> Result<()> {
    survive(Victim::Both, true).await
}
