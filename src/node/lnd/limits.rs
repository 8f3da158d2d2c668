//! The largest HTLC that each end of a channel can offer now, as lnd counts it (lnwallet/channel.go `availableBalance`,
//! v0.20.0-beta).
//!
//! The reserve stays; who opened the channel keeps twice the fee of a commitment with two more HTLCs; who did not can
//! send no more than dust if the opener could not pay for one more output; no more may be pending than the other end
//! allows. Where lnd's numbers leave room, the smaller result is taken: lnd counts again before it sends.

use bitcoin::Amount;

use super::api::lnrpc::{Channel, ChannelConstraints, CommitmentType};

/// Weight of one HTLC output on a commitment (input/size.go `HTLCWeight`).
const HTLC_WEIGHT: u64 = 172;

/// What our end and the other end can offer, in this order.
pub(super) fn sendable(channel: &Channel) -> (Amount, Amount) {
    let (ours, theirs) = (Side::of(channel, true), Side::of(channel, false));
    (
        ours.sendable(theirs.free(), channel),
        theirs.sendable(ours.free(), channel),
    )
}

/// One end of a channel, as a sender over it.
#[derive(Debug, Clone, Copy)]
struct Side {
    /// Its balance, the commitment's fee not taken off.
    balance: Amount,
    reserve: Amount,
    dust: Amount,
    /// It pays the commitment's fee.
    opener: bool,
    /// What it may have pending at most, and has.
    max_pending: Amount,
    pending: Amount,
    /// HTLCs it may have pending at most, and has.
    max_htlcs: u64,
    htlcs: u64,
}

impl Side {
    fn of(channel: &Channel, ours: bool) -> Side {
        let (balance, constraints) = if ours {
            (channel.local_balance, channel.local_constraints.as_ref())
        } else {
            (channel.remote_balance, channel.remote_constraints.as_ref())
        };
        let opener = channel.initiator == ours;
        // What lnd shows as the fee holds dust HTLCs and rounding as well, which are not the opener's to spend.
        let fee_paid = if opener {
            sat(channel.commit_fee).min(fee(channel, 0))
        } else {
            Amount::ZERO
        };
        let no_limits = ChannelConstraints::default();
        let limits = constraints.unwrap_or(&no_limits);
        let offered = || channel.pending_htlcs.iter().filter(move |htlc| htlc.incoming != ours);
        Side {
            balance: plus(sat(balance), fee_paid),
            reserve: Amount::from_sat(limits.chan_reserve_sat),
            dust: Amount::from_sat(limits.dust_limit_sat),
            opener,
            max_pending: match limits.max_pending_amt_msat {
                0 => Amount::MAX_MONEY,
                msat => Amount::from_sat(msat / 1000),
            },
            pending: offered().map(|htlc| sat(htlc.amount)).fold(Amount::ZERO, plus),
            max_htlcs: match limits.max_accepted_htlcs {
                0 => u64::MAX,
                number => number.into(),
            },
            htlcs: count(offered()),
        }
    }

    /// What it has above its reserve.
    fn free(&self) -> Amount {
        minus(self.balance, self.reserve)
    }

    fn sendable(&self, other_free: Amount, channel: &Channel) -> Amount {
        if self.htlcs >= self.max_htlcs {
            return Amount::ZERO;
        }
        let balance = if self.opener {
            let fee = fee(channel, 2);
            minus(self.free(), plus(fee, fee))
        } else if other_free < fee(channel, 1) {
            self.free().min(self.dust)
        } else {
            self.free()
        };
        balance.min(minus(self.max_pending, self.pending))
    }
}

/// The fee of a commitment with some HTLCs more. Each HTLC counts as an output, though dust makes none.
fn fee(channel: &Channel, more_htlcs: u64) -> Amount {
    // lnwallet/commitment.go `CommitWeight`; for a type that is not known the heaviest.
    let base: u64 = match CommitmentType::try_from(channel.commitment_type) {
        Ok(CommitmentType::Legacy | CommitmentType::StaticRemoteKey) => 724,
        Ok(CommitmentType::SimpleTaproot | CommitmentType::SimpleTaprootOverlay) => 968,
        Ok(CommitmentType::Anchors | CommitmentType::ScriptEnforcedLease | CommitmentType::UnknownCommitmentType)
        | Err(_) => 1124,
    };
    let htlcs = count(channel.pending_htlcs.iter()).saturating_add(more_htlcs);
    let weight = base.saturating_add(htlcs.saturating_mul(HTLC_WEIGHT));
    let rate = u64::try_from(channel.fee_per_kw).unwrap_or(0);
    Amount::from_sat(rate.saturating_mul(weight) / 1000)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |number: u64, _| number.saturating_add(1))
}

fn plus(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).unwrap_or(Amount::MAX_MONEY)
}

fn minus(a: Amount, b: Amount) -> Amount {
    a.checked_sub(b).unwrap_or(Amount::ZERO)
}

/// lnd's amounts are signed and never negative.
pub(super) fn sat(amount: i64) -> Amount {
    Amount::from_sat(amount.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lnd::api::lnrpc::Htlc;

    fn limits() -> Option<ChannelConstraints> {
        Some(ChannelConstraints {
            chan_reserve_sat: 10_000,
            dust_limit_sat: 354,
            max_pending_amt_msat: 990_000_000,
            max_accepted_htlcs: 483,
            ..ChannelConstraints::default()
        })
    }

    /// As lnd shows a fresh anchor channel of 1,000,000 sat at 2500 sat/kw.
    fn channel() -> Channel {
        Channel {
            capacity: 1_000_000,
            local_balance: 596_530,
            remote_balance: 400_000,
            commit_fee: 2810,
            fee_per_kw: 2500,
            commitment_type: CommitmentType::Anchors.into(),
            initiator: true,
            local_constraints: limits(),
            remote_constraints: limits(),
            ..Channel::default()
        }
    }

    fn sat(amount: u64) -> Amount {
        Amount::from_sat(amount)
    }

    #[test]
    fn the_opener_keeps_its_reserve_and_the_fee_buffer() {
        // 2500 sat/kw for 1124 + 344 weight units are 3670 sat.
        let spendable = sat(596_530 + 2810 - 10_000 - 2 * 3670);
        assert_eq!(sendable(&channel()), (spendable, sat(390_000)));
    }

    #[test]
    fn who_did_not_open_it_keeps_only_the_reserve() {
        let turned = Channel {
            initiator: false,
            ..channel()
        };
        assert_eq!(
            sendable(&turned),
            (sat(586_530), sat(400_000 + 2810 - 10_000 - 2 * 3670))
        );
    }

    #[test]
    fn less_than_the_reserve_is_nothing() {
        let drained = Channel {
            local_balance: 9_000,
            commit_fee: 0,
            ..channel()
        };
        assert_eq!(sendable(&drained).0, Amount::ZERO);
    }

    #[test]
    fn an_opener_without_money_for_fees_can_be_sent_dust_only() {
        let drained = Channel {
            local_balance: 7_000,
            remote_balance: 900_000,
            ..channel()
        };
        assert_eq!(sendable(&drained).1, sat(354));
    }

    #[test]
    fn pending_htlcs_count_against_the_limit_of_their_sender() {
        let htlc = |incoming, amount| Htlc {
            incoming,
            amount,
            ..Htlc::default()
        };
        let mut busy = channel();
        busy.pending_htlcs = vec![htlc(false, 100_000), htlc(true, 700_000)];
        busy.local_constraints.as_mut().unwrap().max_pending_amt_msat = 150_000_999;
        busy.remote_constraints.as_mut().unwrap().max_pending_amt_msat = 710_000_000;
        assert_eq!(sendable(&busy), (sat(50_000), sat(10_000)));
        busy.local_constraints.as_mut().unwrap().max_accepted_htlcs = 1;
        assert_eq!(sendable(&busy).0, Amount::ZERO);
    }
}
