//! Bytes in both directions, whatever they mean.

use std::io::{Error, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{Fault, Way, for_ever};

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Calls,
    Answers,
}

pub(super) async fn carry(client: TcpStream, way: &Way) -> Result<()> {
    let (from_client, to_client) = client.into_split();
    if way.weather.borrow().fault == Some(Fault::Hanging) {
        way.befell();
        return for_ever().await;
    }
    let (from_server, to_server) = way.connect().await?.into_split();
    // the end of either direction ends both, as with a plain connection
    tokio::select! {
        ended = pass_on(from_client, to_server, way, Direction::Calls) => ended,
        ended = pass_on(from_server, to_client, way, Direction::Answers) => ended,
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: &Way, direction: Direction) -> Result<()> {
    let (mut piece, mut passed) = (vec![0; PIECE], 0);
    let mut weather = way.weather.subscribe();
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        let fault = weather.borrow_and_update().fault.clone();
        if fault.is_some() && direction == Direction::Answers {
            way.befell();
        }
        let mut bytes = &piece[..length];
        match (fault, direction) {
            (Some(Fault::Hanging), _) => return for_ever().await,
            (Some(Fault::Cut(most)), Direction::Answers) => {
                bytes = &bytes[..length.min(most.saturating_sub(passed))];
                passed += bytes.len();
                to.write_all(bytes).await?;
                if passed >= most {
                    return Ok(());
                }
                continue;
            }
            (Some(Fault::Late(late)), Direction::Answers) => tokio::time::sleep(late).await,
            (Some(Fault::Held), Direction::Calls) => {
                let over = weather.wait_for(|weather| weather.fault != Some(Fault::Held)).await;
                over.map_err(Error::other)?;
            }
            (Some(Fault::Status(status)), _) => {
                return Err(Error::other(format!("no status {status} where only bytes are seen")));
            }
            (Some(Fault::Cut(_) | Fault::Late(_)), Direction::Calls)
            | (Some(Fault::Held), Direction::Answers)
            | (Some(Fault::Refused | Fault::Lost | Fault::Elsewhere(_)) | None, _) => passed = 0,
        }
        to.write_all(bytes).await?;
    }
}
