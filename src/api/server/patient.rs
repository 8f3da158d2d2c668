//! A socket whose other end must read on: while it does not, nothing more is read from it either, and after a while it
//! is closed. Without that, answers and changes would pile up for a client that has stopped to read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::places::Taken;

/// The socket, and the place that it takes for as long as it is open.
pub(super) struct Patient<S> {
    socket: S,
    patience: Duration,
    /// Runs while the other end does not read.
    stuck: Option<Pin<Box<Sleep>>>,
    /// Who waits to read meanwhile.
    reader: Option<Waker>,
    /// It did not read for too long.
    given_up: bool,
    _place: Option<Taken>,
}

impl<S> Patient<S> {
    pub(super) fn new(socket: S, patience: Duration, place: Taken) -> Patient<S> {
        Patient {
            socket,
            patience,
            stuck: None,
            reader: None,
            given_up: false,
            _place: Some(place),
        }
    }

    /// Gives a write that cannot go on its time.
    fn bound<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            self.wake_reader();
            return written;
        }
        let until = Instant::now() + self.patience;
        let stuck = self
            .stuck
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(stuck.as_mut().poll(context));
        self.given_up = true;
        self.wake_reader();
        Poll::Ready(Err(self.too_slow()))
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn too_slow(&self) -> io::Error {
        let patience = self.patience;
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the client has not read for {patience:?}"),
        )
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given_up {
            return Poll::Ready(Err(self.too_slow()));
        }
        if self.stuck.is_some() {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.given_up {
            return Poll::Ready(Err(self.too_slow()));
        }
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.bound(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

    use super::*;

    fn patient<S>(socket: S) -> Patient<S> {
        Patient {
            socket,
            patience: Duration::from_secs(30),
            stuck: None,
            reader: None,
            given_up: false,
            _place: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_not_read_from_and_let_go_after_a_while() {
        let (mut client, server) = duplex(8);
        client.write_all(b"more").await.unwrap();
        let (mut read, mut write) = split(patient(server));
        assert_eq!(
            read.read_u8().await.unwrap(),
            b'm',
            "it is read from as long as it reads"
        );
        let began = Instant::now();
        let refused = write.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(30));
        assert!(write.write_all(&[0]).await.is_err(), "nor is it given anything more");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_on_however_slowly_is_served_and_read_from_again() {
        let (mut client, server) = duplex(8);
        let (mut read, mut write) = split(patient(server));
        let writing = tokio::spawn(async move { write.write_all(&[7; 64]).await });
        let reading = tokio::spawn(async move { read.read_u8().await });
        client.write_all(b"x").await.unwrap();
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_secs(29)).await;
            let mut eight = [0; 8];
            client.read_exact(&mut eight).await.unwrap();
        }
        writing.await.unwrap().unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), b'x');
    }
}
