//! How a Lightning node of any kind is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sluice::node::cln::{Cln, ClnConfig};
use sluice::node::lnd::{Lnd, LndConfig};
use sluice::ports::{LightningNode, PeerMessenger};

/// Within what time the nodes of tests read what was sent to them: none waits long for it.
const READS_WITHIN: Duration = Duration::from_secs(1);

/// An adapter to a Lightning node.
pub trait Adapter: LightningNode + PeerMessenger {}

impl<T: LightningNode + PeerMessenger> Adapter for T {}

/// How a Lightning node is reached, and by which adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeAccess {
    /// As lnd is.
    Lnd(LndConfig),
    /// As Core Lightning is.
    Cln(ClnConfig),
}

impl NodeAccess {
    /// The name of the adapter, as `lightning.backend` has it.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        match self {
            NodeAccess::Lnd(_) => "lnd",
            NodeAccess::Cln(_) => "cln",
        }
    }

    /// Host and port of its gRPC.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            NodeAccess::Lnd(lnd) => &lnd.address,
            NodeAccess::Cln(cln) => &cln.address,
        }
    }

    /// The files that open the way, with the names of their keys in the configuration.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, PathBuf)> {
        match self {
            NodeAccess::Lnd(lnd) => vec![("tls_cert", lnd.tls_cert.clone()), ("macaroon", lnd.macaroon.clone())],
            NodeAccess::Cln(cln) => vec![
                ("ca_cert", cln.ca_cert.clone()),
                ("client_cert", cln.client_cert.clone()),
                ("client_key", cln.client_key.clone()),
            ],
        }
    }

    /// An adapter to it.
    #[must_use]
    pub fn adapter(&self) -> Arc<dyn Adapter> {
        match self {
            NodeAccess::Lnd(lnd) => Arc::new(Lnd::new(lnd.clone()).reading_within(READS_WITHIN)),
            NodeAccess::Cln(cln) => Arc::new(Cln::new(cln.clone()).reading_within(READS_WITHIN)),
        }
    }

    /// What makes a `sluiced` use it.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let backend = self.backend();
        let mut arguments = vec![
            format!("--set=lightning.backend={backend}"),
            format!("--set=lightning.{backend}.address={}", self.address()),
        ];
        let files = self.files().into_iter();
        arguments.extend(files.map(|(key, path)| format!("--set=lightning.{backend}.{key}={}", path.display())));
        arguments
    }
}

/// `{"address": …, "tls_cert": …}`: the keys of its section in the configuration.
impl Serialize for NodeAccess {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let address = ("address", self.address().to_owned());
        let files = self.files().into_iter();
        let files = files.map(|(key, path)| (key, path.display().to_string()));
        serializer.collect_map(std::iter::once(address).chain(files))
    }
}
