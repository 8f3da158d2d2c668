//! Places for connections. Whoever has shown the token keeps its own; the others make room for newcomers, whoever came
//! first first, so that sockets that say nothing never lock the operator out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

/// Refusals that are being told; more are not told.
const REFUSALS: usize = 16;
/// How long a client may take to hear one.
const REFUSAL: Duration = Duration::from_secs(1);

/// The connections that are open.
#[derive(Clone)]
pub(super) struct Places {
    most: usize,
    open: Arc<Mutex<Open>>,
    refusals: Arc<Semaphore>,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// In the order of their coming.
    places: BTreeMap<u64, Place>,
}

#[derive(Clone, Default)]
struct Place {
    known: Arc<AtomicBool>,
    evicted: Arc<Notify>,
}

/// A place that a connection has. It is free again when this is dropped.
pub(super) struct Taken {
    number: u64,
    place: Place,
    places: Places,
}

impl Places {
    pub(super) fn new(most: u32) -> Places {
        Places {
            most: usize::try_from(most).unwrap_or(usize::MAX),
            open: Arc::default(),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer. If all are taken, the connection that came first of those without a token ends; None:
    /// all have shown it.
    pub(super) fn take(&self) -> Option<Taken> {
        let mut open = self.open();
        if open.places.len() >= self.most {
            let unknown = |(_, place): &(&u64, &Place)| !place.known.load(Ordering::Relaxed);
            let first = open.places.iter().find(unknown).map(|(number, _)| *number)?;
            if let Some(place) = open.places.remove(&first) {
                place.evicted.notify_one();
            }
        }
        let (number, place) = (open.next, Place::default());
        open.next += 1;
        open.places.insert(number, place.clone());
        Some(Taken {
            number,
            place,
            places: self.clone(),
        })
    }

    /// Tells a newcomer that there is no place, and hears it out: an answer on a socket that is closed with something
    /// unread in it is lost.
    pub(super) fn refuse(&self, mut socket: TcpStream) {
        let Ok(turn) = self.refusals.clone().try_acquire_owned() else {
            return;
        };
        let body = serde_json::json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": {
                "code": super::TOO_MANY_CONNECTIONS,
                "message": format!("{} connections are open, which is the most there may be", self.most),
                "data": { "error": "too_many_connections", "most": self.most },
            },
        })
        .to_string();
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        tokio::spawn(async move {
            let _turn = turn;
            let told = async {
                socket.write_all(answer.as_bytes()).await?;
                socket.shutdown().await?;
                let mut unread = [0; 1024];
                while socket.read(&mut unread).await? > 0 {}
                std::io::Result::Ok(())
            };
            // it has gone, or is too slow: either way that is all
            let _ = tokio::time::timeout(REFUSAL, told).await;
        });
    }
}

impl Taken {
    /// Becomes true once the connection has shown the token.
    pub(super) fn known(&self) -> Arc<AtomicBool> {
        self.place.known.clone()
    }

    /// Comes when somebody else has been given this place.
    pub(super) fn evicted(&self) -> impl Future<Output = ()> + use<> {
        let evicted = self.place.evicted.clone();
        async move { evicted.notified().await }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.places.open().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_no_token_makes_room_in_the_order_of_coming_and_who_has_it_stays() {
        let places = Places::new(3);
        let [first, second, third] = [places.take(), places.take(), places.take()].map(Option::unwrap);
        first.known().store(true, Ordering::Relaxed);
        let fourth = places.take().unwrap();
        second.evicted().await;
        third.known().store(true, Ordering::Relaxed);
        fourth.known().store(true, Ordering::Relaxed);
        assert!(places.take().is_none(), "all are known");
        drop(second);
        assert!(places.take().is_none(), "its place had been taken already");
        drop(first);
        assert!(places.take().is_some());
        drop((third, fourth));
        assert!(places.open().places.is_empty());
    }
}
