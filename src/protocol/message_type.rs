//! The custom-message types of the protocol.

use std::fmt;

/// Which message; its number is the type of the custom message (BOLT 1) that carries it.
///
/// Source: messages/types.go of ElementsProject/peerswap at 816a5bb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// swap_in_request.
    SwapInRequest = 42069,
    /// swap_out_request.
    SwapOutRequest = 42071,
    /// swap_in_agreement.
    SwapInAgreement = 42073,
    /// swap_out_agreement.
    SwapOutAgreement = 42075,
    /// opening_tx_broadcasted.
    OpeningTxBroadcasted = 42077,
    /// cancel.
    Cancel = 42079,
    /// coop_close.
    CoopClose = 42081,
    /// poll.
    Poll = 42083,
    /// request_poll.
    RequestPoll = 42085,
}

impl MessageType {
    /// Every type, by rising number.
    pub const ALL: [MessageType; 9] = [
        MessageType::SwapInRequest,
        MessageType::SwapOutRequest,
        MessageType::SwapInAgreement,
        MessageType::SwapOutAgreement,
        MessageType::OpeningTxBroadcasted,
        MessageType::Cancel,
        MessageType::CoopClose,
        MessageType::Poll,
        MessageType::RequestPoll,
    ];

    /// The type of that number; None if it is not one of this protocol.
    #[must_use]
    pub fn from_code(code: u16) -> Option<MessageType> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Its number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Its name in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            MessageType::SwapInRequest => "swap_in_request",
            MessageType::SwapOutRequest => "swap_out_request",
            MessageType::SwapInAgreement => "swap_in_agreement",
            MessageType::SwapOutAgreement => "swap_out_agreement",
            MessageType::OpeningTxBroadcasted => "opening_tx_broadcasted",
            MessageType::Cancel => "cancel",
            MessageType::CoopClose => "coop_close",
            MessageType::Poll => "poll",
            MessageType::RequestPoll => "request_poll",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
