//! A gate before the server, so that tests can have a daemon that hangs or is gone.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the daemon answers, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// As it should.
    Open,
    /// Connections are accepted and calls not answered, as by a daemon that is stuck.
    Hanging,
    /// Nothing listens, as when the daemon is down.
    Away,
}

/// A listener whose connections break when the gate goes away.
pub struct Gated {
    listener: TcpListener,
    gate: watch::Receiver<Gate>,
}

impl Gated {
    /// Puts the gate before a listener.
    pub fn new(listener: TcpListener, gate: watch::Receiver<Gate>) -> Self {
        Self { listener, gate }
    }
}

impl axum::serve::Listener for Gated {
    type Io = GatedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        let mut gate = self.gate.clone();
        let away = async move { drop(gate.wait_for(|gate| *gate == Gate::Away).await) }.boxed();
        (
            GatedStream {
                stream,
                away,
                broken: false,
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that breaks when the gate goes away.
pub struct GatedStream {
    stream: TcpStream,
    away: BoxFuture<'static, ()>,
    broken: bool,
}

impl GatedStream {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.broken = self.broken || self.away.poll_unpin(context).is_ready();
        if self.broken {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

impl AsyncRead for GatedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for GatedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
