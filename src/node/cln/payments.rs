//! Payments over one channel, in one part, at most one HTLC per hash.
//!
//! lightningd keeps a record of each attempt, told apart by a number (`groupid`), and refuses an attempt while one is
//! under way, after one is complete, and with a number that was used. An attempt is always made with the number after
//! the last that was seen: however often that call is made or repeated, one HTLC goes out. A call that breaks off says
//! nothing: the records are asked, and until they have answered nothing is known.

use std::time::Duration;

use lightning_invoice::Bolt11Invoice;
use tokio::time::Instant;

use crate::node::direct_payment::{BLOCK_PADDING, ceil, check, refused};
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

/// Waits until the end is certain; `Absent` at once if there is no record.
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
    // Before the call: it may be dropped at any moment.
    cln.doubts.begin(spec.hash, last);
    let sent = cln
        .connection
        .call("SendPay", patience, async |mut api| api.send_pay(request).await)
        .await;
    match sent {
        Ok(_) => join(cln, spec.hash, limit).await,
        Err(e) if e.kind == CallErrorKind::NoAnswer => Err(e.into()),
        Err(e) => match fault::code(&e.said) {
            // Another call was faster: there is one payment, and its record tells.
            Some(fault::PAY_IN_PROGRESS | fault::PAY_RHASH_ALREADY_USED) => {
                cln.doubts.end(spec.hash);
                join(cln, spec.hash, limit).await
            }
            // The channel has just become unusable. Nothing went out, and no record tells so: an earlier call of this
            // number may still come.
            Some(fault::PAY_TRY_OTHER_ROUTE) => Err(PortError::Unreachable(e.to_string())),
            Some(_) | None => Err(e.into()),
        },
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
    loop {
        let records = records(&cln.connection, hash).await?;
        let State::InFlight(groupid) = read(hash, &records)? else {
            return cln.judge(hash, &records).await;
        };
        cln.doubts.end(hash);
        let left = limit.saturating_duration_since(Instant::now()).min(WAIT);
        if left.is_zero() {
            return Ok(PaymentStatus::InFlight);
        }
        if let Outcome::Unknown(error) = outcome(&cln.connection, hash, groupid, left).await {
            return Err(error.into());
        }
    }
}

impl Cln {
    /// What records say, unless a call that got no answer may still add one.
    async fn judge(&self, hash: PaymentHash, records: &[Record]) -> Result<PaymentStatus, PortError> {
        let last = match read(hash, records)? {
            State::Absent => return Ok(PaymentStatus::Absent),
            State::InFlight(_) => {
                self.doubts.end(hash);
                return Ok(PaymentStatus::InFlight);
            }
            State::Paid(preimage) => {
                self.doubts.end(hash);
                return Ok(PaymentStatus::Paid(preimage));
            }
            State::Failed(last) => last,
        };
        if self.doubts.cover(hash, last, std::time::Instant::now()) {
            let why = "the last attempt got no answer and may not have been read yet";
            return Err(CallError::no_answer::<ClnConfig>("ListSendPays", why).into());
        }
        // The records do not hold why; asked about a failed attempt, `waitsendpay` tells at once.
        match outcome(&self.connection, hash, last, CALL_LIMIT).await {
            Outcome::Failed(failure) => Ok(PaymentStatus::Failed(failure)),
            Outcome::Unknown(error) if error.kind == CallErrorKind::NoAnswer => Err(error.into()),
            // One of several parts, paid by the operator, or a record deleted since.
            Outcome::Unknown(_) | Outcome::UnderWay | Outcome::Over => Ok(PaymentStatus::Failed(Failure::Temporary)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::cln::api::Amount as ClnAmount;

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
