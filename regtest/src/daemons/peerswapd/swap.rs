//! A swap as Go PeerSwap prints it.

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer};
use sluice::swap::Role;
use sluice::units::{SwapId, TxId};

/// A swap, as `getswap` shows it: as it was last written to its database, so behind the truth while something is done.
#[derive(Debug, Clone, Deserialize)]
pub struct Swap {
    /// Its id.
    pub id: SwapId,
    /// The state's name, such as `State_ClaimedPreimage`.
    pub state: String,
    /// Why it was cancelled; empty otherwise.
    pub cancel_message: String,
    #[serde(rename = "type")]
    kind: String,
    role: String,
    opening_tx_id: String,
    claim_tx_id: String,
    #[serde(deserialize_with = "number")]
    premium_amount: i64,
}

impl Swap {
    /// Whether this daemon asked for it ("sender" on its side).
    #[must_use]
    pub fn is_initiator(&self) -> bool {
        self.role == "sender"
    }

    /// Its side of the opening.
    #[must_use]
    pub fn part(&self) -> Role {
        match (self.kind == "swap-in", self.is_initiator()) {
            (true, true) | (false, false) => Role::Maker,
            (true, false) | (false, true) => Role::Taker,
        }
    }

    /// The agreed premium; positive: the initiator pays. It turns the sign for who pays.
    #[must_use]
    pub fn premium_sat(&self) -> i64 {
        if self.is_initiator() {
            -self.premium_amount
        } else {
            self.premium_amount
        }
    }

    /// The opening transaction, once it knows of it.
    ///
    /// # Errors
    /// If what it says is no transaction id.
    pub fn opening(&self) -> Result<Option<TxId>> {
        transaction(&self.opening_tx_id)
    }

    /// The spend of the opening that it made.
    ///
    /// # Errors
    /// If what it says is no transaction id.
    pub fn spend(&self) -> Result<Option<TxId>> {
        transaction(&self.claim_tx_id)
    }
}

fn transaction(text: &str) -> Result<Option<TxId>> {
    if text.is_empty() {
        return Ok(None);
    }
    let id = text.parse().with_context(|| format!("transaction id {text}"))?;
    Ok(Some(TxId(id)))
}

/// It writes 64 bit numbers as text, as protobuf's JSON does.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// The answer to `swapout`, `swapin` and `getswap`.
#[derive(Deserialize)]
pub(super) struct Shown {
    pub(super) swap: Swap,
}

/// The answer to `listswaps`.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) swaps: Vec<Swap>,
}

#[cfg(test)]
mod tests {
    use super::*;

    // printed by pscli 7.0.0
    const SWAP: &str = r#"{"swap": {
        "id": "208ed7eb1a932c0f24d631f49208e9badf4ee3a62711611233241b3e3ecec486", "created_at": "1795240678",
        "asset": "lbtc", "type": "swap-out", "role": "sender", "state": "State_ClaimedPreimage",
        "initiator_node_id": "026965e61ec94707f2364b6fd6390623de7b20f45a66884f3aa1b071bb60318f0d",
        "peer_node_id": "03d0f14ef65d924c9f9e8b075b632180e092e9888f62b3945509275f173dca0f7a",
        "amount": "100000", "channel_id": "108:1:0",
        "opening_tx_id": "dd616ab125a8513b086ac31086afa05a9633a234611aa38f534baa1f63835983",
        "claim_tx_id": "", "cancel_message": "", "lnd_chan_id": "118747255865344", "premium_amount": "-100"}}"#;

    #[test]
    fn a_swap_is_read_with_the_premium_of_who_pays_it() {
        let Shown { swap } = serde_json::from_str(SWAP).expect("as pscli prints it");
        assert_eq!((swap.part(), swap.is_initiator()), (Role::Taker, true));
        assert_eq!(swap.premium_sat(), 100);
        let opening = swap.opening().expect("an id").expect("it was opened");
        assert!(opening.to_string().starts_with("dd616ab1"));
        assert_eq!(swap.spend().expect("nothing is no fault"), None);
    }
}
