//! Calls over HTTP/1.1, one after the other on a connection.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Fault, Way, for_ever};

/// What ends the head of a message.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// One side of a connection, with what came of its next message already.
struct Side {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Side {
    fn of(stream: TcpStream) -> Side {
        Side {
            stream,
            held: Vec::new(),
        }
    }

    /// The next message in full; None if the other end has closed the connection before it began.
    async fn message(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(length) = length(&self.held)?
                && self.held.len() >= length
            {
                let rest = self.held.split_off(length);
                return Ok(Some(std::mem::replace(&mut self.held, rest)));
            }
            if self.stream.read_buf(&mut self.held).await? == 0 {
                let torn = !self.held.is_empty();
                return if torn {
                    Err(ErrorKind::UnexpectedEof.into())
                } else {
                    Ok(None)
                };
            }
        }
    }
}

/// The length of the message that begins here, once its head is complete. Both kinds of nodes and their clients say how
/// long a body is.
fn length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes
        .windows(END_OF_HEAD.len())
        .position(|window| window == END_OF_HEAD)
    else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(Error::other)?;
    let mut lengths = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>())
    });
    let body = lengths.next().unwrap_or(Ok(0)).map_err(Error::other)?;
    Ok(Some(end + END_OF_HEAD.len() + body))
}

pub(super) async fn carry(client: TcpStream, way: &Way) -> Result<()> {
    let mut client = Side::of(client);
    let mut server: Option<Side> = None;
    let mut weather = way.weather.subscribe();
    while let Some(call) = client.message().await? {
        let before = weather.borrow_and_update().befalls(&call).cloned();
        if before.is_some() {
            way.befell();
        }
        match &before {
            Some(Fault::Refused) => return Ok(()),
            Some(Fault::Hanging) => return for_ever().await,
            Some(Fault::Lost) => {
                let mut server = Side::of(way.connect().await?);
                server.stream.write_all(&call).await?;
                // the server is not to notice that nobody listens
                tokio::spawn(async move { server.message().await });
                return Ok(());
            }
            Some(Fault::Status(status)) => {
                client.stream.write_all(&refusal(*status)).await?;
                continue;
            }
            Some(Fault::Held) => {
                let over = weather
                    .wait_for(|weather| weather.befalls(&call) != Some(&Fault::Held))
                    .await;
                over.map_err(Error::other)?;
            }
            Some(Fault::Cut(_) | Fault::Late(_) | Fault::Elsewhere(_)) | None => {}
        }
        let server = match &mut server {
            Some(server) => server,
            none => none.insert(Side::of(way.connect().await?)),
        };
        server.stream.write_all(&call).await?;
        let answer = server.message().await?.ok_or(ErrorKind::UnexpectedEof)?;
        // what comes in while the server works befalls the answer
        let after = weather.borrow_and_update().befalls(&call).cloned();
        if before.is_none() && after.is_some() {
            way.befell();
        }
        match after {
            Some(Fault::Hanging) => return for_ever().await,
            Some(Fault::Cut(bytes)) => return client.stream.write_all(&answer[..bytes.min(answer.len() - 1)]).await,
            Some(Fault::Late(late)) => tokio::time::sleep(late).await,
            Some(Fault::Refused | Fault::Lost | Fault::Status(_) | Fault::Held | Fault::Elsewhere(_)) | None => {}
        }
        client.stream.write_all(&answer).await?;
    }
    Ok(())
}

/// What the node's own HTTP server, or one before it, says instead of an RPC answer (httpserver.cpp, httprpc.cpp).
fn refusal(status: u16) -> Vec<u8> {
    let (reason, body) = match status {
        401 => ("Unauthorized", ""),
        403 => ("Forbidden", ""),
        503 => ("Service Unavailable", "Work queue depth exceeded"),
        _ => (
            "Internal Server Error",
            "<html><body>Internal Server Error</body></html>",
        ),
    };
    let length = body.len();
    format!("HTTP/1.1 {status} {reason}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}
