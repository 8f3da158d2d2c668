//! Who listens to a kind of event. A listener that went away is forgotten with the next event.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The open streams of one kind.
pub(super) struct Subscribers<T>(Vec<UnboundedSender<T>>);

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Subscribers<T> {
    /// A stream of everything sent from now on.
    pub(super) fn add(&mut self) -> UnboundedReceiver<T> {
        self.add_after(None)
    }

    /// A stream of `backlog`, then of everything sent from now on.
    pub(super) fn add_after(&mut self, backlog: impl IntoIterator<Item = T>) -> UnboundedReceiver<T> {
        let (sender, receiver) = unbounded_channel();
        for item in backlog {
            sender.send(item).expect("the receiver is in this scope");
        }
        self.0.push(sender);
        receiver
    }

    /// Hands `item` to every listener.
    pub(super) fn send(&mut self, item: &T) {
        self.0.retain(|listener| listener.send(item.clone()).is_ok());
    }
}
