//! gRPC as every node adapter uses it.
//!
//! Knows connections, TLS, deadlines and statuses. Must not know any daemon's calls; what is particular to a daemon it
//! is told by a [`Dialect`]. The rule throughout: no answer is never an answer.

mod connection;
mod error;
mod subscription;
mod tls;

pub(super) use connection::{CALL_LIMIT, Connection, Dialect, endpoint, read_file};
pub(super) use error::{CallError, CallErrorKind};
pub(super) use subscription::{started, subscription};
pub(super) use tls::Pinned;
