//! A port before a server, on whose way everything goes wrong that may.
//!
//! ```text
//!  client ──▶ Proxy ──▶ server
//!             │  Http:   call by call; statuses, and faults of one method alone
//!             └─ Opaque: byte by byte, since TLS passes through
//! ```
//!
//! Knows connections, and of HTTP as much as tells calls apart. Must not know what is called.

mod http;
mod opaque;

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What goes wrong between a client and its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens, and the connections that there were are broken.
    Refused,
    /// Connections and calls are taken and nothing is answered, calls under way included.
    Hanging,
    /// A connection breaks after so many bytes of an answer, which the server has given in full.
    Cut(usize),
    /// Calls over HTTP reach the server, and nobody hears its answer: the connection is broken while it works.
    Lost,
    /// Every call is answered with this HTTP status; the server does not hear of it.
    Status(u16),
    /// Every answer comes late by so much.
    Late(Duration),
    /// Calls wait, and reach the server once the fault is over.
    Held,
    /// The server is another one, `host:port`; connections to the former are broken.
    Elsewhere(String),
}

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// Calls over HTTP/1.1, in the clear.
    Http,
    /// Bytes. There are no statuses to answer with, and no methods to tell apart.
    Opaque,
}

/// What is wrong now.
#[derive(Debug, Clone, Default)]
struct Weather {
    fault: Option<Fault>,
    /// Only in calls that name this method.
    method: Option<&'static str>,
    /// Connections of an earlier one are broken.
    epoch: u64,
}

impl Weather {
    /// What befalls a call with this body.
    fn befalls(&self, call: &[u8]) -> Option<&Fault> {
        let meant = |method: &str| call.windows(method.len()).any(|window| window == method.as_bytes());
        self.fault.as_ref().filter(|_| self.method.is_none_or(meant))
    }

    fn is_refused(&self) -> bool {
        self.fault == Some(Fault::Refused)
    }
}

/// The way through the proxy, as each of its connections knows it.
#[derive(Debug)]
struct Way {
    server: String,
    speech: Speech,
    weather: watch::Sender<Weather>,
    /// Calls, or pieces of bytes, that the present fault has befallen.
    befallen: watch::Sender<u64>,
}

impl Way {
    fn befell(&self) {
        self.befallen.send_modify(|befallen| *befallen += 1);
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let elsewhere = match &self.weather.borrow().fault {
            Some(Fault::Elsewhere(server)) => Some(server.clone()),
            _ => None,
        };
        TcpStream::connect(elsewhere.as_ref().unwrap_or(&self.server)).await
    }
}

/// A listening port before a server. Dropped, it is closed, and what goes through it is broken.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.way.weather.send_modify(|weather| weather.epoch += 1);
    }
}

impl Proxy {
    /// Opens a port of 127.0.0.1 before the server at `host:port`.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn before(server: String, speech: Speech) -> Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let way = Arc::new(Way {
            server,
            speech,
            weather: watch::Sender::default(),
            befallen: watch::Sender::default(),
        });
        let accepting = tokio::spawn(accept(listener, address, Arc::clone(&way)));
        Ok(Proxy {
            address,
            way,
            accepting,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server behind it, `host:port`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.way.server
    }

    /// Everything goes wrong this way from now on, until [`Proxy::heal`].
    pub fn suffer(&self, fault: Fault) {
        self.set(Some(fault), None);
    }

    /// Calls of one method go wrong this way from now on, until [`Proxy::heal`].
    pub fn suffer_in(&self, method: &'static str, fault: Fault) {
        self.set(Some(fault), Some(method));
    }

    /// All is well again. What was never answered never will be: its connection breaks.
    pub fn heal(&self) {
        self.set(None, None);
    }

    fn set(&self, fault: Option<Fault>, method: Option<&'static str>) {
        self.way.befallen.send_replace(0);
        self.way.weather.send_modify(|weather| {
            let breaks = |fault: &Option<Fault>| matches!(fault, Some(Fault::Refused | Fault::Elsewhere(_)));
            let swallowed = weather.fault == Some(Fault::Hanging);
            if breaks(&fault) || breaks(&weather.fault) || swallowed {
                weather.epoch += 1;
            }
            (weather.fault, weather.method) = (fault, method);
        });
    }

    /// How many calls, or pieces of bytes, the present fault has befallen.
    #[must_use]
    pub fn befallen(&self) -> u64 {
        *self.way.befallen.borrow()
    }

    /// Waits until the present fault has befallen so many calls, or pieces of bytes. Connections that are refused are not
    /// counted: nobody hears of them.
    ///
    /// # Errors
    /// With the number so far, if that takes longer than `limit`.
    pub async fn wait_for_befallen(&self, calls: u64, limit: Duration) -> Result<()> {
        let mut befallen = self.way.befallen.subscribe();
        let enough = tokio::time::timeout(limit, befallen.wait_for(|befallen| *befallen >= calls)).await;
        let found = self.befallen();
        enough.with_context(|| format!("{found} of {calls} calls went wrong within {limit:?}"))??;
        Ok(())
    }
}

/// Listens whenever connections are not to be refused.
async fn accept(listener: TcpListener, address: SocketAddr, way: Arc<Way>) {
    let (mut weather, mut listener) = (way.weather.subscribe(), Some(listener));
    loop {
        let Some(open) = &listener else {
            if weather.wait_for(|weather| !weather.is_refused()).await.is_err() {
                return;
            }
            match TcpListener::bind(address).await {
                Ok(bound) => listener = Some(bound),
                Err(error) => return tracing::error!(%address, %error, "the port was taken while nothing listened"),
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(carry(client, Arc::clone(&way)));
            },
            refused = weather.wait_for(|weather| weather.is_refused()) => {
                if refused.is_err() { return }
                drop(refused);
                listener = None;
            }
        }
    }
}

/// One connection, until either side ends it or it is broken.
async fn carry(client: TcpStream, way: Arc<Way>) {
    let mut weather = way.weather.subscribe();
    let began = weather.borrow_and_update().epoch;
    let carried = async {
        let ended = match way.speech {
            Speech::Http => http::carry(client, &way).await,
            Speech::Opaque => opaque::carry(client, &way).await,
        };
        if let Err(error) = ended {
            tracing::trace!(%error, "a connection ended");
        }
    };
    tokio::select! {
        () = carried => {}
        _ = weather.wait_for(|weather| weather.epoch != began) => {}
    }
}

/// Until the connection is broken from outside.
async fn for_ever<T>() -> T {
    pending().await
}
