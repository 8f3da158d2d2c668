//! One node's gRPC server: its port, which it keeps while the node is away, and connections that can be cut.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::service::Routes;
use tonic::transport::server::Connected;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use super::certificate::Certificate;
use super::network::NetworkError;

/// A port of 127.0.0.1 that stays ours: a bound socket that does not listen refuses callers, and nobody else gets it.
pub(super) struct Port {
    address: SocketAddr,
    _reserved: TcpSocket,
}

impl Port {
    /// Takes a free port.
    pub(super) fn reserve() -> Result<Port, NetworkError> {
        let socket = shared(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let reserved = socket.map_err(NetworkError::io("a port of 127.0.0.1"))?;
        let address = reserved.local_addr().map_err(NetworkError::io("a port of 127.0.0.1"))?;
        Ok(Port {
            address,
            _reserved: reserved,
        })
    }

    /// Its address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Several sockets of ours may be bound to the address; the one that listens gets the callers.
fn shared(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A server that runs. Dropped, it is gone at once, as a killed process is: callers are refused, connections reset.
pub(super) struct Running {
    listener: Listener,
    cut: CancellationToken,
    accepting: JoinHandle<()>,
}

/// The listening socket, which can be closed from outside of the task that accepts: ending a task takes a moment.
type Listener = Arc<Mutex<Option<TcpListener>>>;

impl Drop for Running {
    fn drop(&mut self) {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.cut.cancel();
        self.accepting.abort();
    }
}

/// Serves `routes` at `port`.
pub(super) fn serve(port: &Port, certificate: &Certificate, routes: Routes) -> Result<Running, NetworkError> {
    let identity = Identity::from_pem(&certificate.certificate, &certificate.key);
    let mut server = Server::builder()
        // As lnd (grpc-go, `defaultServerOptions`); hyper's 200 would stop the calls of a daemon with a hundred swaps,
        // each of which holds subscriptions open.
        .max_concurrent_streams(u32::MAX)
        .tls_config(ServerTlsConfig::new().identity(identity))
        .map_err(|error| NetworkError::Tls(error.to_string()))?;
    let address = port.address();
    let socket = shared(address).map_err(NetworkError::io(address.to_string()))?;
    let listener = socket.listen(1024).map_err(NetworkError::io(address.to_string()))?;
    let listener = Arc::new(Mutex::new(Some(listener)));
    let cut = CancellationToken::new();
    let incoming = Incoming {
        listener: Arc::clone(&listener),
        cut: cut.clone(),
    };
    let router = server.add_routes(routes);
    let accepting = tokio::spawn(async move {
        if let Err(error) = router.serve_with_incoming(incoming).await {
            tracing::error!(%address, %error, "embedded lightning node stopped serving");
        }
    });
    Ok(Running {
        listener,
        cut,
        accepting,
    })
}

/// The callers, until the socket is closed.
struct Incoming {
    listener: Listener,
    cut: CancellationToken,
}

impl Stream for Incoming {
    type Item = io::Result<Cuttable>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listener) = listener.as_ref() else {
            return Poll::Ready(None);
        };
        listener.poll_accept(context).map(|accepted| {
            let accepted = accepted.and_then(|(stream, _)| {
                stream.set_nodelay(true)?;
                let cut = Box::pin(self.cut.clone().cancelled_owned());
                Ok(Cuttable { stream, cut })
            });
            Some(accepted)
        })
    }
}

/// A connection that ends when the node does.
struct Cuttable {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cuttable {
    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(context).is_ready()
    }
}

impl Connected for Cuttable {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
