//! Payments over one channel, in one part, at most one HTLC per hash.
//!
//! lightningd keeps a record of each attempt, told apart by a number (`groupid`), and refuses an attempt while one is
//! under way, after one is complete, and with a number that was used. An attempt is always made with the number after
//! the last that was seen: however often that call is made or repeated, one HTLC goes out. A call that breaks off says
//! nothing: the records are asked, and until they have answered nothing is known. That all attempts failed, or that
//! there was none, counts only once lightningd has surely read every call that may make one.

use std::time::Duration;

use lightning_invoice::Bolt11Invoice;
use tokio::time::Instant;

use crate::node::direct_payment::{BLOCK_PADDING, ceil, check, refused};
use crate::node::doubts::Doubts;
use crate::node::grpc::{CALL_LIMIT, CallError, CallErrorKind};
use crate::ports::{PaymentSpec, PortError};
use crate::swap::event::{Failure, PaymentStatus};
use crate::swap::state::GivenInvoice;
use crate::units::{CltvDelta, PaymentHash, Timestamp};

use super::api::{Amount, ListpeerchannelsChannels, ListsendpaysPayments as Record, SendpayRequest, SendpayRoute};
use super::attempts::{Outcome, State, outcome, read, records};
use super::connection::Connection;
use super::{Cln, ClnConfig, channels, fault};

const PAY: &str = "cln SendPay";
/// One `waitsendpay` waits no longer; then the next does.
const WAIT: Duration = Duration::from_secs(60);
/// Blocks that lightningd adds to a route's delay (lightningd/pay.c `base_expiry`, v25.12.1).
const ADDED_BY_NODE: u32 = 1;

/// What lightningd's records say now.
pub(super) async fn status(cln: &Cln, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
    let records = records(&cln.connection, hash).await?;
    cln.judge(hash, &records).await
}

/// Waits until the end is certain; `Absent` without waiting if there is no record.
pub(super) async fn wait(cln: &Cln, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
    loop {
        match join(cln, hash, Instant::now() + WAIT).await? {
            PaymentStatus::InFlight => {}
            end @ (PaymentStatus::Absent | PaymentStatus::Paid(_) | PaymentStatus::Failed(_)) => return Ok(end),
        }
    }
}

/// Makes a payment unless one of this hash is under way or settled.
pub(super) async fn ensure(cln: &Cln, spec: &PaymentSpec) -> Result<PaymentStatus, PortError> {
    let limit = Instant::now() + spec.time_limit;
    let before = records(&cln.connection, spec.hash).await?;
    match read(spec.hash, &before)? {
        State::Paid(preimage) => return Ok(PaymentStatus::Paid(preimage)),
        State::InFlight(_) => return join(cln, spec.hash, limit).await,
        State::Failed(_) | State::Absent => {}
    }
    let invoice = check(PAY, spec)?;
    // lightningd lets `sendpay` pay what has expired.
    let now = Timestamp::now();
    if invoice.expires_at <= now {
        let late = now.since(invoice.expires_at);
        return Err(refused(PAY, format_args!("the invoice expired {late:?} ago")));
    }
    let channel = usable_channel(&cln.connection, spec, &invoice).await?;
    match send(cln, spec, &invoice, &channel, &before, limit).await? {
        // lightningd's record tells only that the channel did not take it.
        PaymentStatus::Failed(Failure::Temporary) => {
            let now = channels::with_peer(&cln.connection, invoice.payee, spec.scid).await;
            let lacks = now
                .ok()
                .flatten()
                .is_some_and(|c| channels::is_active(&c) && channels::spendable(&c) < ceil(spec));
            let failure = if lacks { Failure::NoBalance } else { Failure::Temporary };
            Ok(PaymentStatus::Failed(failure))
        }
        end => Ok(end),
    }
}

async fn usable_channel(
    cln: &Connection,
    spec: &PaymentSpec,
    invoice: &GivenInvoice,
) -> Result<ListpeerchannelsChannels, PortError> {
    let (payee, scid) = (invoice.payee, spec.scid);
    let channel = channels::with_peer(cln, payee, scid).await?.ok_or_else(|| {
        let why = format_args!("no channel {scid} with the invoice's payee {payee}");
        refused(PAY, why)
    })?;
    if channels::is_active(&channel) {
        Ok(channel)
    } else {
        Err(PortError::Unreachable(format!(
            "{PAY}: the channel {scid} is not active now"
        )))
    }
}

/// One attempt, with the number after the last one's.
async fn send(
    cln: &Cln,
    spec: &PaymentSpec,
    invoice: &GivenInvoice,
    channel: &ListpeerchannelsChannels,
    before: &[Record],
    limit: Instant,
) -> Result<PaymentStatus, PortError> {
    let last = before.iter().map(|record| record.groupid).max();
    let request = request(spec, invoice, channel, last.unwrap_or(0).saturating_add(1))?;
    let patience = limit.saturating_duration_since(Instant::now()).min(CALL_LIMIT);
    if patience.is_zero() {
        return Err(CallError::no_answer::<ClnConfig>("SendPay", "no answer within the time limit").into());
    }
    let call = cln.doubts.begin(spec.hash);
    let sent = cln
        .connection
        .call("SendPay", patience, async |mut api| api.send_pay(request).await)
        .await;
    let error = match sent {
        Ok(_) => {
            call.recorded();
            // Of this attempt the records are certain: a call that was lost before had no higher number.
            return cln.follow(spec.hash, limit).await;
        }
        Err(e) if e.kind == CallErrorKind::NoAnswer => return Err(e.into()),
        Err(e) => e,
    };
    match fault::code(&error.said) {
        // Another call was faster: there is one payment, and its record tells.
        Some(fault::PAY_IN_PROGRESS | fault::PAY_RHASH_ALREADY_USED) => {
            call.recorded();
            join(cln, spec.hash, limit).await
        }
        // The channel has just become unusable. Nothing went out, and no record tells so: an earlier call of this
        // number may still come.
        Some(fault::PAY_TRY_OTHER_ROUTE) => {
            call.refused();
            Err(PortError::Unreachable(error.to_string()))
        }
        Some(_) => {
            call.refused();
            Err(error.into())
        }
        None => Err(error.into()),
    }
}

fn request(
    spec: &PaymentSpec,
    invoice: &GivenInvoice,
    channel: &ListpeerchannelsChannels,
    groupid: u64,
) -> Result<SendpayRequest, PortError> {
    let parsed: Bolt11Invoice = spec.bolt11.parse().map_err(|e| refused(PAY, format!("{e:?}")))?;
    let name = channels::own_name(channel).ok_or_else(|| refused(PAY, "the channel has no name of ours"))?;
    let CltvDelta(final_cltv) = invoice.final_cltv;
    let amount = Some(Amount { msat: spec.amount.0 });
    let hop = SendpayRoute {
        id: invoice.payee.serialize().to_vec(),
        delay: final_cltv.saturating_add(BLOCK_PADDING.saturating_sub(ADDED_BY_NODE)),
        channel: name,
        amount_msat: amount,
    };
    Ok(SendpayRequest {
        route: vec![hop],
        payment_hash: spec.hash.0.to_vec(),
        bolt11: Some(spec.bolt11.clone()),
        payment_secret: Some(parsed.payment_secret().0.to_vec()),
        groupid: Some(groupid),
        amount_msat: amount,
        payment_metadata: parsed.payment_metadata().cloned(),
    })
}

/// Waits for the end of a payment that is there, until the limit.
async fn join(cln: &Cln, hash: PaymentHash, limit: Instant) -> Result<PaymentStatus, PortError> {
    let records = cln.ended(hash, limit).await?;
    cln.judge(hash, &records).await
}

impl Cln {
    /// Waits for the end of the attempt that this process has just made, until the limit.
    async fn follow(&self, hash: PaymentHash, limit: Instant) -> Result<PaymentStatus, PortError> {
        let records = self.ended(hash, limit).await?;
        self.tell(hash, read(hash, &records)?).await
    }

    /// The records once no attempt is under way, or at the limit.
    async fn ended(&self, hash: PaymentHash, limit: Instant) -> Result<Vec<Record>, PortError> {
        loop {
            let records = records(&self.connection, hash).await?;
            let State::InFlight(groupid) = read(hash, &records)? else {
                return Ok(records);
            };
            let left = limit.saturating_duration_since(Instant::now()).min(WAIT);
            if left.is_zero() {
                return Ok(records);
            }
            if let Outcome::Unknown(error) = outcome(&self.connection, hash, groupid, left).await {
                return Err(error.into());
            }
        }
    }

    /// What records that were just read say, unless a call that lightningd may not have read yet can still add one.
    async fn judge(&self, hash: PaymentHash, records: &[Record]) -> Result<PaymentStatus, PortError> {
        let state = certain(&self.doubts, hash, records, std::time::Instant::now())?;
        self.tell(hash, state).await
    }

    /// What a payment's state is to others.
    async fn tell(&self, hash: PaymentHash, state: State) -> Result<PaymentStatus, PortError> {
        let last = match state {
            State::Absent => return Ok(PaymentStatus::Absent),
            State::InFlight(_) => return Ok(PaymentStatus::InFlight),
            State::Paid(preimage) => return Ok(PaymentStatus::Paid(preimage)),
            State::Failed(last) => last,
        };
        // The records do not hold why; asked about a failed attempt, `waitsendpay` tells at once.
        match outcome(&self.connection, hash, last, CALL_LIMIT).await {
            Outcome::Failed(failure) => Ok(PaymentStatus::Failed(failure)),
            Outcome::Unknown(error) if error.kind == CallErrorKind::NoAnswer => Err(error.into()),
            // One of several parts, paid by the operator, or a record deleted since.
            Outcome::Unknown(_) | Outcome::UnderWay | Outcome::Over => Ok(PaymentStatus::Failed(Failure::Temporary)),
        }
    }
}

fn certain(
    doubts: &Doubts,
    hash: PaymentHash,
    records: &[Record],
    now: std::time::Instant,
) -> Result<State, PortError> {
    let state = read(hash, records)?;
    match state {
        State::Failed(_) | State::Absent => doubts.check::<ClnConfig>("ListSendPays", hash, now)?,
        State::InFlight(_) | State::Paid(_) => {}
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::node::cln::api::Amount as ClnAmount;
    use crate::node::cln::api::listsendpays_payments::ListsendpaysPaymentsStatus as RecordStatus;
    use crate::node::doubts::READ_WITHIN;
    use crate::units::Preimage;

    fn hash() -> PaymentHash {
        Preimage::from_bytes([7; 32]).hash()
    }

    fn record(status: RecordStatus) -> Record {
        Record {
            groupid: 1,
            status: status.into(),
            payment_preimage: Some(vec![7; 32]),
            ..Record::default()
        }
    }

    /// Shown every second, records without a payment are no word until the time is over, and then they are.
    fn assert_waits(doubts: &Doubts, now: Instant, records: &[Record]) {
        let ask = |sec| certain(doubts, hash(), records, now + Duration::from_secs(sec));
        for sec in 0..READ_WITHIN.as_secs() {
            assert!(matches!(ask(sec), Err(PortError::Unreachable(_))), "after {sec} s");
        }
        assert_eq!(ask(READ_WITHIN.as_secs()).unwrap(), read(hash(), records).unwrap());
    }

    #[test]
    fn that_there_is_no_payment_counts_only_once_an_unanswered_call_was_read() {
        for records in [&[][..], &[record(RecordStatus::Failed)]] {
            let (doubts, now) = (Doubts::long_after_start(), Instant::now());
            drop(doubts.begin(hash()));
            assert_waits(&doubts, now, records);
        }
    }

    #[test]
    fn after_a_start_that_there_is_no_payment_counts_only_after_a_while() {
        for records in [&[][..], &[record(RecordStatus::Failed)]] {
            assert_waits(&Doubts::new(READ_WITHIN), Instant::now(), records);
        }
    }

    #[test]
    fn a_payment_that_comes_after_all_is_told_at_once() {
        let (doubts, now) = (Doubts::new(READ_WITHIN), Instant::now());
        assert!(certain(&doubts, hash(), &[], now).is_err());
        let came = |status| certain(&doubts, hash(), &[record(status)], now).unwrap();
        assert_eq!(came(RecordStatus::Pending), State::InFlight(1));
        assert_eq!(came(RecordStatus::Complete), State::Paid(Preimage::from_bytes([7; 32])));
    }

    #[test]
    fn a_payment_that_was_never_begun_is_absent_at_once() {
        let doubts = Doubts::long_after_start();
        assert_eq!(certain(&doubts, hash(), &[], Instant::now()).unwrap(), State::Absent);
    }

    #[test]
    fn the_htlc_lives_as_long_as_lnd_would_make_it() {
        // Claim invoice of protocol.md's annex V10: final delta 29, 32 blocks in all.
        let invoice = GivenInvoice {
            bolt11: COFFEE.into(),
            hash: PaymentHash([7; 32]),
            amount: Some(crate::units::Msat(250_000_000)),
            payee: "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8"
                .parse()
                .unwrap(),
            our_network: true,
            final_cltv: CltvDelta(29),
            expires_at: Timestamp(0),
        };
        let spec = PaymentSpec {
            bolt11: COFFEE.into(),
            hash: PaymentHash([7; 32]),
            amount: crate::units::Msat(250_000_000),
            scid: crate::units::Scid(1),
            max_cltv: None,
            time_limit: WAIT,
        };
        let channel = ListpeerchannelsChannels {
            short_channel_id: Some("103x1x0".into()),
            ..ListpeerchannelsChannels::default()
        };
        let made = request(&spec, &invoice, &channel, 5).unwrap();
        let [hop] = &made.route[..] else {
            panic!("{:?}", made.route)
        };
        assert_eq!(hop.delay + ADDED_BY_NODE, 32);
        assert_eq!(hop.channel, "103x1x0");
        assert_eq!(hop.amount_msat, Some(ClnAmount { msat: 250_000_000 }));
        assert_eq!(made.payment_secret, Some(vec![0x11; 32]));
        assert_eq!(made.groupid, Some(5));
    }

    // BOLT 11, "Examples": 2500 µBTC for a cup of coffee; its payment secret is 32 times 0x11.
    const COFFEE: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";
}
