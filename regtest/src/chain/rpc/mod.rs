//! The daemons' JSON-RPC over the node.
//!
//! One small function per method, listed by its chain in [`Shown::METHODS`]. Knows names, shapes and codes; what they mean
//! is the node's and the wallets' business.
//!
//! ```text
//!   server (HTTP, auth) ─▶ dialect (1.0 | 2.0) ─▶ args (by position | by name) ─▶ methods ─▶ node
//! ```

pub(crate) mod args;
mod auth;
pub(crate) mod blocks;
pub(crate) mod control;
pub(crate) mod decode;
pub(crate) mod descriptor;
mod dialect;
pub mod error;
mod gate;
pub mod json;
pub(crate) mod mempool;
pub(crate) mod methods;
pub(crate) mod mining;
pub(crate) mod rawtx;
mod server;
mod shown;
pub(crate) mod wallet;
pub(crate) mod wallet_admin;
pub(crate) mod wallet_tx;

use super::node::{FAUCET, Node};
use super::wallet::{View, Wallet};
use args::Args;
use error::{RpcError, WALLET_NOT_FOUND, WALLET_NOT_SPECIFIED};
use json::Json;

pub use auth::base64;
pub use gate::Gate;
pub use methods::{Method, Run, Until, Wait};
pub use server::{Endpoint, serve};
pub use shown::Shown;

/// What a method runs on.
pub struct Call<'a, L: Shown> {
    /// The node, locked for the length of the call.
    pub node: &'a mut Node<L>,
    /// Parameters.
    pub args: Args,
    /// The wallet that the path names.
    pub wallet_path: Option<&'a str>,
    /// The release that is imitated.
    pub release: L::Release,
    /// Seed of new wallets.
    pub seed: &'a [u8; 32],
}

/// What a method answers.
pub type Answer = Result<Json, RpcError>;

impl<L: Shown> Call<'_, L> {
    /// The name of the wallet that the call is for: the one in the path, or the only one loaded. The faucet is found by
    /// its path alone.
    pub fn wallet_name(&self) -> Result<String, RpcError> {
        let wallets = &self.node.state.wallets;
        if let Some(name) = self.wallet_path {
            return match wallets.contains_key(name) {
                true => Ok(name.to_owned()),
                false => Err(RpcError::new(
                    WALLET_NOT_FOUND,
                    "Requested wallet does not exist or is not loaded",
                )),
            };
        }
        let mut names = wallets.keys().filter(|name| *name != FAUCET);
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name.clone()),
            (None, _) => Err(RpcError::new(
                WALLET_NOT_FOUND,
                "No wallet is loaded. Load a wallet using loadwallet or create a new one with createwallet. \
                 (Note: A default wallet is no longer automatically created)",
            )),
            (Some(_), Some(_)) => Err(RpcError::new(
                WALLET_NOT_SPECIFIED,
                "Multiple wallets are loaded. Please select which wallet to use by requesting the RPC through the \
                 /wallet/<walletname> URI path.",
            )),
        }
    }

    /// The wallet that the call is for.
    pub fn wallet(&mut self) -> Result<&mut Wallet<L>, RpcError> {
        let name = self.wallet_name()?;
        Ok(self.node.wallet_mut(&name)?)
    }

    /// The wallet that the call is for, beside the node's state.
    pub fn view(&self) -> Result<View<'_, L>, RpcError> {
        Ok(self.node.view(&self.wallet_name()?)?)
    }
}
