//! What stands between an operator's `sluiced` and its backends, where faults are wanted there.

use anyhow::{Context, Result};

use super::access::NodeAccess;
use super::bitcoin::Bitcoin;
use super::liquid::Liquid;
use crate::daemons::proxy::{Proxy, Speech};

/// A proxy before each backend of one operator.
#[derive(Debug)]
pub struct Ways {
    /// Before the node of the Liquid chain.
    pub liquid: Proxy,
    /// Before the node of the Bitcoin chain, if that is swapped on.
    pub bitcoin: Option<Proxy>,
    /// Before the operator's Lightning node.
    pub lightning: Proxy,
}

impl Ways {
    pub(super) async fn before(liquid: &Liquid, bitcoin: Option<&Bitcoin>, node: &NodeAccess) -> Result<Ways> {
        let rpc = async |url: &str| {
            let server = url
                .strip_prefix("http://")
                .with_context(|| format!("{url} is no address of a node"))?;
            Proxy::before(server.to_owned(), Speech::Http).await
        };
        Ok(Ways {
            liquid: rpc(&liquid.access()?.rpc_url).await?,
            bitcoin: match bitcoin {
                Some(bitcoin) => Some(rpc(&bitcoin.access().rpc_url).await?),
                None => None,
            },
            lightning: Proxy::before(node.address().to_owned(), Speech::Opaque).await?,
        })
    }

    fn all(&self) -> impl Iterator<Item = &Proxy> {
        [&self.liquid, &self.lightning].into_iter().chain(&self.bitcoin)
    }

    /// Makes arguments of a `sluiced` lead through the proxies.
    pub(super) fn redirect(&self, arguments: &mut [String]) {
        for argument in arguments {
            let through = self.all().find_map(|proxy| {
                let key = argument.strip_suffix(proxy.server())?;
                Some(format!("{key}{}", proxy.address()))
            });
            *argument = through.unwrap_or_else(|| std::mem::take(argument));
        }
    }

    /// All is well with every backend.
    pub fn heal(&self) {
        self.all().for_each(Proxy::heal);
    }
}
