//! Timelocks: a table by (asset, protocol version), and the one inequality that everything rests on.

use crate::units::{Asset, Blocks, CltvDelta, Height, Timestamp};

/// The time limits of a swap. Heights and blocks are the swap's own chain; CLTV deltas count Bitcoin blocks.
///
/// Source: peer-protocol.md "CSV Times and Confirmations" and swap/timelock.go of ElementsProject/peerswap at 816a5bb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timelocks {
    /// Blocks until the maker may refund (BIP 68).
    pub csv: Blocks,
    /// Blocks from the anchor in which a claim payment may start.
    pub window: Blocks,
    /// Confirmations after which the opening is paid for and a spend is final.
    pub confirmations: Blocks,
    /// The largest final CLTV delta of a claim invoice, and the one a maker asks for.
    pub final_cltv: CltvDelta,
    /// The HTLC's expiry must be less than this many Bitcoin blocks away.
    pub total_cltv: CltvDelta,
    /// Own blocks that may pass during one Bitcoin block; on Liquid 10, doubled against slow Bitcoin blocks.
    pub blocks_per_cltv: u32,
    /// Own blocks that may pass between the decision to pay and the HTLC's start.
    pub pay_call: Blocks,
    /// Own blocks to resolve a force-closed HTLC and claim, with the operator's allowed outage.
    pub claim_margin: Blocks,
    /// Own blocks in a day.
    pub day: Blocks,
    /// Own blocks that a claim may wait for its block before one with a higher fee replaces it.
    pub replace_after: Blocks,
    /// How long a claim invoice lives, in seconds.
    pub invoice_expiry_secs: u64,
    /// How long after the swap was made a claim payment may start by the clock, in seconds: much longer than an honest
    /// maker's invoice can be paid, and much shorter than [`Timelocks::claimable_blocks`] take. A chain node that
    /// catches up after an outage answers by a height inside the window; the clock tells that the window is over.
    pub pay_within_secs: u64,
}

const BITCOIN: Timelocks = Timelocks {
    csv: Blocks(1008),
    window: Blocks(504),
    confirmations: Blocks(3),
    final_cltv: CltvDelta(503),
    total_cltv: CltvDelta(507),
    blocks_per_cltv: 1,
    pay_call: Blocks(3),
    claim_margin: Blocks(144),
    day: Blocks(144),
    replace_after: Blocks(3),
    invoice_expiry_secs: 86_400,
    pay_within_secs: 129_600,
};

const LIQUID_V7: Timelocks = Timelocks {
    csv: Blocks(10_080),
    window: Blocks(60),
    confirmations: Blocks(2),
    final_cltv: CltvDelta(29),
    total_cltv: CltvDelta(33),
    blocks_per_cltv: 20,
    pay_call: Blocks(15),
    claim_margin: Blocks(2880),
    day: Blocks(1440),
    replace_after: Blocks(10),
    invoice_expiry_secs: 3600,
    pay_within_secs: 14_400,
};

/// The rows of the table that are safe to swap by. L-BTC before version 7 is not: its CSV of 60 blocks is shorter
/// than an HTLC may take.
const TABLE: [(Asset, u8, Timelocks); 4] = [
    (Asset::Btc, 5, BITCOIN),
    (Asset::Btc, 6, BITCOIN),
    (Asset::Btc, 7, BITCOIN),
    (Asset::Lbtc, 7, LIQUID_V7),
];

impl Timelocks {
    /// The limits of `asset` in protocol `version`; None where that pair is not safe or not known.
    #[must_use]
    pub fn of(asset: Asset, version: u8) -> Option<&'static Timelocks> {
        TABLE
            .iter()
            .find(|(a, v, _)| *a == asset && *v == version)
            .map(|(_, _, timelocks)| timelocks)
    }

    /// The HTLC's whole lifetime in blocks of the swap's own chain.
    #[must_use]
    pub fn cltv_in_blocks(&self) -> Blocks {
        Blocks(self.total_cltv.0.saturating_mul(self.blocks_per_cltv))
    }

    /// The first tip at which a claim payment must not start any more, for an opening confirmed at `confirmed_at`:
    /// the end of the payment window, or the last block from which the claim surely precedes a refund.
    #[must_use]
    pub fn pay_before(&self, anchor: Height, confirmed_at: Height) -> Height {
        anchor.plus(self.window).min(confirmed_at.plus(self.claimable_blocks()))
    }

    /// Blocks after the opening's in which a payment may start and our claim surely precedes a refund.
    #[must_use]
    pub fn claimable_blocks(&self) -> Blocks {
        let needed = [self.pay_call, self.cltv_in_blocks(), self.claim_margin];
        let needed = needed.iter().fold(0u32, |sum, blocks| sum.saturating_add(blocks.0));
        Blocks(self.csv.0.saturating_sub(needed))
    }

    /// The first moment at which a claim payment must not start any more, whatever height the chain's node states.
    #[must_use]
    pub fn pay_until(&self, created_at: Timestamp) -> Timestamp {
        created_at.plus_secs(self.pay_within_secs)
    }
}

/// Whether an HTLC started now is surely settled and claimed before the maker can refund:
/// the last block our claim may need comes before the first block a refund fits in (BIP 68).
#[must_use]
pub fn may_pay(tip: Height, anchor: Height, confirmed_at: Height, timelocks: &Timelocks) -> bool {
    tip < timelocks.pay_before(anchor, confirmed_at)
}

/// Whether a maker's refund fits into the next block: BIP 68 counts from the block that confirmed the opening.
#[must_use]
pub fn may_refund(tip: Height, confirmed_at: Height, timelocks: &Timelocks) -> bool {
    tip.0.saturating_add(1) >= confirmed_at.plus(timelocks.csv).0
}

/// Whether it is too late for a maker to publish an opening: the taker could not pay within its window any more.
#[must_use]
pub fn too_late_to_open(tip: Height, anchor: Height, timelocks: &Timelocks) -> bool {
    tip.plus(timelocks.confirmations).plus(Blocks(5)) >= anchor.plus(timelocks.window)
}

/// Whether a spend confirmed at `confirmed_at` is deep enough to count as final.
#[must_use]
pub fn is_final(tip: Height, confirmed_at: Height, timelocks: &Timelocks) -> bool {
    confirmed_at
        .confirmations_at(tip)
        .is_some_and(|depth| depth >= timelocks.confirmations)
}
