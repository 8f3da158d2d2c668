//! Messages that meet no swap: it was given up before they came, or there never was one.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapFilter, SwapRef};
use sluice::protocol::MessageType;
use sluice::swap::Kind;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::peer::RawPeer;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::golike::GoMaker;
use super::messages::{id, public, request, secret, with_mallory};
use super::orders::{look, network, node, order, outcome};

fn cancel(swap_id: &str) -> String {
    format!("{{\"swap_id\":{swap_id:?},\"message\":\"never mind\"}}")
}

fn agreement(swap_id: &str) -> String {
    let pubkey = public(&secret());
    format!("{{\"protocol_version\":7,\"swap_id\":{swap_id:?},\"pubkey\":{pubkey:?},\"premium\":0}}")
}

fn coop_close(swap_id: &str) -> String {
    let key = String::from(secret());
    format!("{{\"swap_id\":{swap_id:?},\"message\":\"no more\",\"privkey\":{key:?}}}")
}

/// Says a message and waits for one more answer of a kind.
async fn answered(peer: &RawPeer, kind: MessageType, said: String, answer: MessageType, swap_id: &str) -> Result<()> {
    let before = peer.count(answer, swap_id);
    peer.say(kind, said).await?;
    let what = format!("{answer} as the answer to {kind}");
    wait_for(&what, PATIENCE, || async {
        Ok((peer.count(answer, swap_id) > before).then_some(()))
    })
    .await?;
    peer.greet().await?;
    ensure!(peer.count(answer, swap_id) == before + 1, "{what}, more than once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_taken_back_while_it_is_judged_leaves_the_channel_free() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let scid = mallory.scid.to_string();
    for (number, kind) in [(1, MessageType::SwapOutRequest), (2, MessageType::SwapInRequest)] {
        let swap_id = id(number);
        mallory.say(kind, request(&swap_id, &scid, &[])).await?;
        mallory.say(MessageType::Cancel, cancel(&swap_id)).await?;
    }
    let open = || async {
        let filter = SwapFilter {
            active_only: true,
            ..SwapFilter::default()
        };
        anyhow::Ok(world.alice.client()?.swap_list(filter).await?.total)
    };
    let mut number = 10;
    // A request that comes while the others are judged may find the channel held by one of them.
    loop {
        number += 1;
        let swap_id = id(number);
        mallory
            .say(MessageType::SwapInRequest, request(&swap_id, &scid, &[]))
            .await?;
        let answers = [MessageType::SwapInAgreement, MessageType::Cancel];
        mallory
            .hear("an answer", |heard| {
                answers.contains(&heard.kind) && heard.swap_id() == swap_id
            })
            .await?;
        if mallory.count(MessageType::SwapInAgreement, &swap_id) > 0 {
            break;
        }
        ensure!(number < 50, "the channel stays held");
    }
    ensure!(open().await? == 1, "only the last swap is open");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_swap_that_is_canceled_or_unknown_is_answered_by_a_cancel_and_a_cancel_by_nothing() -> Result<()>
{
    let (world, mallory) = with_mallory(true).await?;
    let swap = order(&world.alice, Kind::In, mallory.scid, 500_000).await?;
    let swap_id = swap.to_string();
    mallory.hear_of(MessageType::SwapInRequest, &swap_id).await?;
    world.alice.client()?.swap_cancel(SwapRef { swap_id: swap }).await?;
    mallory.hear_of(MessageType::Cancel, &swap_id).await?;
    world
        .wait_for_swap(&world.alice, swap, "canceled", |view| view.outcome.is_some())
        .await?;
    let told = MessageType::Cancel;
    answered(
        &mallory,
        MessageType::SwapInAgreement,
        agreement(&swap_id),
        told,
        &swap_id,
    )
    .await?;
    answered(&mallory, MessageType::CoopClose, coop_close(&swap_id), told, &swap_id).await?;
    // Eve has a channel too, but the swap is none of hers; and nobody allowed her to ask.
    let eve = RawPeer::join(network(&world), "eve", node(&world, 0)).await?;
    eve.say(MessageType::SwapInAgreement, agreement(&swap_id)).await?;
    eve.greet().await?;
    assert_eq!(eve.count(told, &swap_id), 0);
    for peer in [&mallory, &eve] {
        let nobodys = id(77);
        answered(peer, MessageType::SwapInAgreement, agreement(&nobodys), told, &nobodys).await?;
        answered(peer, MessageType::CoopClose, coop_close(&nobodys), told, &nobodys).await?;
        peer.say(told, cancel(&nobodys)).await?;
        peer.greet().await?;
        assert_eq!(peer.count(told, &nobodys), 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_gave_up_ends_when_its_maker_says_that_there_will_be_no_opening() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let maker = GoMaker::join(&world).await?;
    let swap = order(&world.alice, Kind::Out, maker.peer.scid, 500_000).await?;
    let swap_id = swap.to_string();
    maker.peer.hear_of(MessageType::SwapOutRequest, &swap_id).await?;
    maker.agree(&swap_id).await?;
    world
        .wait_for_swap(&world.alice, swap, "waiting for the opening", |view| {
            view.state.contains("waiting for the peer's opening")
        })
        .await?;
    world.alice.client()?.swap_cancel(SwapRef { swap_id: swap }).await?;
    maker.peer.hear_of(MessageType::CoopClose, &swap_id).await?;
    let view = look(&world.alice, swap).await.context("the swap is known")?;
    ensure!(view.outcome.is_none(), "{}", view.state);
    maker.peer.say(MessageType::Cancel, cancel(&swap_id)).await?;
    let view = world
        .wait_for_swap(&world.alice, swap, "closed", |view| view.outcome.is_some())
        .await?;
    assert_eq!(outcome(&view), Some(OutcomeKind::CoopClosed));
    Ok(())
}
