//! Messages between the two daemons, through their Lightning nodes: lost, twice, late, out of order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use sluice::ports::{Incoming, PeerEvent, PeerMessenger, PortError};
use sluice::protocol::{self, Message};
use sluice::units::NodeId;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::port::{Manner, Port};
use crate::world::{Backend, State, Who, World};

/// coop_close.
const COOP_CLOSE: u16 = 42081;

pub struct SimMessenger {
    pub port: Port,
}

impl State {
    /// Hands a message to whoever listens at that node.
    fn deliver(&mut self, to: Who, incoming: Incoming) {
        if !self.connected || self.away.contains(&(to, Backend::Lightning)) {
            return;
        }
        if let Some(inbox) = self.inboxes.get(&to) {
            // Nobody listens there while the daemon is down.
            let _ = inbox.send(PeerEvent::Message(incoming));
        }
    }

    /// Connects the two nodes, or cuts their connection.
    pub fn connect(&mut self, connected: bool) {
        self.connected = connected;
        for who in Who::BOTH {
            let other = self.lightning.id(who.other());
            let event = if connected {
                PeerEvent::Online(other)
            } else {
                PeerEvent::Offline(other)
            };
            if let Some(inbox) = self.inboxes.get(&who) {
                let _ = inbox.send(event);
            }
        }
    }
}

fn post(world: &Arc<World>, state: &mut State, to: Who, incoming: Incoming) {
    let plan = &world.plan;
    if state.chance(plan.message_lost) {
        return;
    }
    if state.chance(plan.message_twice) {
        later(world, state, to, incoming.clone());
    }
    if state.chance(plan.message_late) {
        later(world, state, to, incoming);
    } else {
        state.deliver(to, incoming);
    }
}

fn later(world: &Arc<World>, state: &mut State, to: Who, incoming: Incoming) {
    let delay = state.stretch(Duration::from_millis(1), Duration::from_secs(600));
    let world = world.clone();
    tokio::spawn(async move {
        sleep(delay).await;
        world.lock().deliver(to, incoming);
    });
}

#[async_trait]
impl PeerMessenger for SimMessenger {
    async fn send(&self, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError> {
        self.port.life.lasts().await;
        let who = self.port.who;
        if kind == COOP_CLOSE
            && let Ok(Some(Message::CoopClose(close))) = protocol::decode(kind, &payload)
        {
            let at = self.port.world.elapsed();
            let committed = self.port.world.lock().key_leaves(at, who, close.swap_id);
            if let Err(fault) = committed {
                self.port.world.accuse(fault);
            }
        }
        let world = self.port.world.clone();
        let send = move |state: &mut State, _| {
            if !state.connected || state.lightning.id(who.other()) != to {
                return Err(PortError::Unreachable("send: the peer is not connected".into()));
            }
            let from = state.lightning.id(who);
            post(&world, state, who.other(), Incoming { from, kind, payload });
            Ok(())
        };
        self.port.call(Backend::Lightning, Manner::Acts, "send", send).await
    }

    async fn events(&self) -> Result<BoxStream<'static, PeerEvent>, PortError> {
        let who = self.port.who;
        let listen = move |state: &mut State, _| {
            let (inbox, received) = mpsc::unbounded_channel();
            state.inboxes.insert(who, inbox);
            Ok(UnboundedReceiverStream::new(received).boxed())
        };
        self.port
            .call(Backend::Lightning, Manner::Reads, "events", listen)
            .await
    }

    async fn connected(&self) -> Result<Vec<NodeId>, PortError> {
        let who = self.port.who;
        let read = move |state: &mut State, _| {
            let other = state.lightning.id(who.other());
            Ok(state.connected.then_some(other).into_iter().collect())
        };
        self.port
            .call(Backend::Lightning, Manner::Reads, "connected", read)
            .await
    }
}
