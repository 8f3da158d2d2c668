//! What goes over the API: requests and answers.
//!
//! Units are in the names: `_sat`, `_ppm`, `_secs`, `_ms`. A request refuses names it does not know; an answer may
//! grow, so who reads one must ignore what it does not know.

mod peer;
mod request;
mod settings;
mod swap;

pub use peer::{ChannelView, ConductView, OffenceView, Offer, PeerList, PeerView, QuarantineView};
pub use request::{
    BumpRequest, ChainPause, ChainRef, IdempotencyKey, NoParams, PeerQuarantine, PeerRef, PolicyChange, PremiumChange,
    PremiumFilter, SendRequest, SwapFilter, SwapRef, SwapRequest, SwapTopic, SwapWait, Until, WalletRef,
};
pub use settings::{
    ChainList, ChainStatus, Info, NodeStatus, PauseView, PolicyView, PremiumRate, PremiumTable, RescueStatus,
    SendAnswer, StopAnswer, WalletAddress, WalletBalanceView,
};
pub use swap::{
    BumpAnswer, CancelAction, CancelAnswer, ChoiceKind, ChoiceView, Deadline, NextView, OpeningSummary, OutcomeKind,
    OutcomeView, SpendSummary, Stage, SwapList, SwapStarted, SwapView, SwapWaited, Timings, VersionSummary,
};
