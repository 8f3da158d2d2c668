//! What a peer can do to Go PeerSwap: to learn what it may not, to hold channels, and to spoil swaps by messages.

use anyhow::{Context, Result, ensure};
use bitcoin::Amount;
use sluice::api::types::OutcomeKind;
use sluice::protocol::MessageType;
use sluice::swap::Kind;
use sluice::units::SwapId;
use sluice_regtest::lightning::ChannelSpec;
use sluice_regtest::world::World;

use super::griefing::{agreed, pay};
use super::messages::{REQUESTS, all_is_well, id, public, request, secret, swaps_of_alice, with_mallory};
use super::orders::{chain, finish, look, network, node, order, outcome};

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_only_that_it_may_not_ask() -> Result<()> {
    let (world, mallory) = with_mallory(false).await?;
    ensure!(
        mallory.greet().await?.get("peer_allowed").is_none(),
        "the poll allows her"
    );
    let scid = mallory.scid.to_string();
    let asked: [&[(&str, &str)]; 6] = [
        &[],
        &[("scid", "\"1x1x1\"")],
        &[("amount", "1")],
        &[("amount", "9000000000000")],
        &[("protocol_version", "3")],
        &[("acceptable_premium", "-5")],
    ];
    let mut number = 0;
    for kind in REQUESTS {
        for replaced in asked {
            number += 1;
            mallory.say(kind, request(&id(number), &scid, replaced)).await?;
            let said = mallory.hear_of(MessageType::Cancel, &id(number)).await?;
            let only = format!("peer {} not allowed to request swaps", mallory.id());
            assert_eq!(said["message"], only);
        }
        // What cannot even be read is not answered at all.
        mallory
            .say(kind, request(&id(1000), &scid, &[("pubkey", "\"x\"")]))
            .await?;
    }
    mallory.greet().await?;
    assert_eq!(mallory.count(MessageType::Cancel, &id(1000)), 0);
    assert_eq!(swaps_of_alice(&world).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_channel_carries_one_swap_however_its_id_is_written_and_whoever_repeats_it() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let scid = mallory.scid.to_string();
    let colons = scid.replace('x', ":");
    mallory
        .say(MessageType::SwapInRequest, request(&id(1), &colons, &[]))
        .await?;
    mallory.hear_of(MessageType::SwapInAgreement, &id(1)).await?;
    mallory
        .say(MessageType::SwapInRequest, request(&id(1), &colons, &[]))
        .await?;
    for (number, scid) in [(2, &scid), (3, &colons)] {
        mallory
            .say(MessageType::SwapOutRequest, request(&id(number), scid, &[]))
            .await?;
        let said = mallory.hear_of(MessageType::Cancel, &id(number)).await?;
        let said = said["message"].as_str().unwrap_or_default();
        ensure!(said.contains("another swap is active on channel"), "{said}");
    }
    assert_eq!(mallory.count(MessageType::Cancel, &id(1)), 0);
    assert_eq!(swaps_of_alice(&world).await?, 1);
    let cancel = format!("{{\"swap_id\":{:?},\"message\":\"enough\"}}", id(1));
    mallory.say(MessageType::Cancel, &cancel).await?;
    mallory.say(MessageType::Cancel, &cancel).await?;
    all_is_well(&world, &mallory, 99).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_id_holds_no_channel() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let good = request(&id(1), &mallory.scid.to_string(), &[]);
    for kind in REQUESTS {
        for spoiled in ["null", "\"\"", "0", "[]"] {
            let named = format!("\"swap_id\":{:?}", id(1));
            let without = good.replace(&named, &format!("\"swap_id\":{spoiled}"));
            ensure!(without != good, "the id is replaced");
            mallory.say(kind, without).await?;
        }
        mallory.say(kind, good.replace("\"swap_id\"", "\"swap\"")).await?;
    }
    mallory.greet().await?;
    assert_eq!(swaps_of_alice(&world).await?, 0);
    all_is_well(&world, &mallory, 99).await
}

/// What an order or a request has settled for a swap.
async fn settled(world: &World, swap: SwapId) -> Result<String> {
    let view = look(&world.alice, swap).await.context("the swap is known")?;
    Ok(format!(
        "{:?}",
        (view.peer, view.role, view.direction, view.channel, view.amount_sat)
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_belongs_to_the_swap_that_had_it_first() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let spec = ChannelSpec::new(Amount::from_sat(2_000_000), Amount::from_sat(1_000_000));
    let other = network(&world).open_channel(&mallory.node, node(&world, 0), &spec)?;
    let own = id(1);
    let asked = request(&own, &mallory.scid.to_string(), &[]);
    mallory.say(MessageType::SwapInRequest, asked).await?;
    mallory.hear_of(MessageType::SwapInAgreement, &own).await?;
    let bobs = order(&world.alice, Kind::Out, world.channels[0], 400_000).await?;
    let before = [settled(&world, own.parse()?).await?, settled(&world, bobs).await?];
    for swap_id in [&own, &bobs.to_string()] {
        for kind in REQUESTS {
            for scid in [mallory.scid, other] {
                let again = request(swap_id, &scid.to_string(), &[("amount", "300000")]);
                mallory.say(kind, again).await?;
            }
        }
    }
    mallory.greet().await?;
    assert_eq!(
        before,
        [settled(&world, own.parse()?).await?, settled(&world, bobs).await?]
    );
    assert_eq!(swaps_of_alice(&world).await?, 2);
    finish(&world, &[bobs]).await?;
    let view = look(&world.alice, bobs).await.context("the swap is known")?;
    assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByInvoice));
    let cancel = format!("{{\"swap_id\":{own:?},\"message\":\"enough\"}}");
    mallory.say(MessageType::Cancel, cancel).await?;
    all_is_well(&world, &mallory, 99).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_that_is_told_nonsense_and_a_cancel_is_paid_all_the_same() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let swap_id = id(1);
    let fee = agreed(&mallory, mallory.scid, &swap_id).await?;
    let pubkey = public(&secret());
    let opening = format!(
        "{{\"swap_id\":{swap_id:?},\"payreq\":{fee:?},\"tx_id\":{:?},\"script_out\":0,\"blinding_key\":{:?}}}",
        id(7),
        String::from(secret())
    );
    let agreement = format!(
        "{{\"protocol_version\":7,\"swap_id\":{swap_id:?},\"pubkey\":{pubkey:?},\"Payreq\":{fee:?},\"premium\":-9}}"
    );
    let nonsense = [
        (MessageType::OpeningTxBroadcasted, opening),
        (MessageType::SwapOutAgreement, agreement.clone()),
        (MessageType::SwapInAgreement, agreement),
        (
            MessageType::CoopClose,
            format!("{{\"swap_id\":{swap_id:?},\"privkey\":7}}"),
        ),
    ];
    let cancel = [(
        MessageType::Cancel,
        format!("{{\"swap_id\":{swap_id:?},\"message\":\"no more\"}}"),
    )];
    for (kind, body) in &nonsense {
        mallory.say(*kind, body).await?;
    }
    pay(&mallory, mallory.scid, fee).await?;
    let opened = mallory.hear_of(MessageType::OpeningTxBroadcasted, &swap_id).await?;
    for (kind, body) in nonsense.iter().chain(&cancel) {
        mallory.say(*kind, body).await?;
    }
    mallory.greet().await?;
    let claim = opened["payreq"].as_str().context("a claim invoice")?;
    pay(&mallory, mallory.scid, claim.to_owned()).await?;
    for (kind, body) in nonsense.iter().chain(&cancel) {
        mallory.say(*kind, body).await?;
    }
    let swap = swap_id.parse()?;
    world
        .wait_for_swap(&world.alice, swap, "paid", |view| view.state.starts_with("paid, "))
        .await?;
    ensure!(
        chain(&world).mempool().len() == 1,
        "nothing spends what is the taker's now"
    );
    let bobs = order(&world.alice, Kind::Out, world.channels[0], 300_000).await?;
    finish(&world, &[bobs]).await
}
