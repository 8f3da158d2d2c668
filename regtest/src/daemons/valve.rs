//! A way to a JSON-RPC server on which the calls of one method can be held back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The method that is held back; None: all calls pass.
type Held = Option<&'static str>;

/// A listening port before a server. Dropped, it is closed, and what goes through it goes on.
#[derive(Debug)]
pub struct Valve {
    address: SocketAddr,
    held: Arc<watch::Sender<Held>>,
    accepting: JoinHandle<()>,
}

impl Drop for Valve {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Valve {
    /// Opens a port of 127.0.0.1 before the server at `host:port`.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn before(server: String) -> Result<Valve> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let held = Arc::new(watch::Sender::new(None));
        let watched = Arc::clone(&held);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(join(client, server.clone(), watched.subscribe()));
            }
        });
        Ok(Valve {
            address,
            held,
            accepting,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds back calls of a method that come from now on.
    pub fn hold(&self, method: &'static str) {
        self.held.send_replace(Some(method));
    }

    /// Lets everything pass, also what was held back.
    pub fn open(&self) {
        self.held.send_replace(None);
    }
}

async fn join(client: TcpStream, server: String, held: watch::Receiver<Held>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    // the end of either direction ends both, as with a plain connection
    tokio::select! {
        _ = pass_on(from_client, to_server, held) => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}

/// Passes on what a client sends. A request's method may come in two pieces.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut held: watch::Receiver<Held>,
) -> std::io::Result<()> {
    let (mut piece, mut end) = (vec![0; 64 << 10], Vec::new());
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        end.extend_from_slice(&piece[..length]);
        let passes = |held: &Held| {
            held.is_none_or(|method| !end.windows(method.len()).any(|window| window == method.as_bytes()))
        };
        if held.wait_for(passes).await.is_err() {
            return Ok(());
        }
        to.write_all(&piece[..length]).await?;
        end.drain(..end.len().saturating_sub(64));
    }
}
