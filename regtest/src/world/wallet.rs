//! What an operator's wallet holds, asked of the chain's node: for when the operator's `sluiced` cannot be asked.

use std::time::Duration;

use anyhow::Result;
use bitcoin::Amount;
use sluice::chain::elements_rpc::{Auth, Btc, ElementsRpc, Endpoint};

use super::PATIENCE;
use super::liquid::Liquid;

impl Liquid {
    /// Everything in the wallet of that name, whether confirmed, pending or locked. There is but one asset on these
    /// chains.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn wallet_total(&self, wallet: &str) -> Result<Amount> {
        let held = ElementsRpc::new(&self.endpoint(wallet))?.balances().await?.mine;
        let all = held.trusted.values().chain(held.untrusted_pending.values());
        Ok(all.map(|Btc(amount)| *amount).sum())
    }

    fn endpoint(&self, wallet: &str) -> Endpoint {
        let (url, auth) = match self {
            Liquid::Embedded(chain) => {
                let (user, password) = (chain.user().to_owned(), chain.password().to_owned().into());
                (chain.rpc_url(), Auth::Password { user, password })
            }
            Liquid::Elementsd(real) => (real.node().url(), Auth::Cookie(real.node().cookie())),
        };
        Endpoint {
            url,
            auth,
            wallet: wallet.to_owned(),
            timeout: PATIENCE,
            poll: Duration::from_secs(1),
        }
    }
}
