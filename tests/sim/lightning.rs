//! Two Lightning nodes and the channels between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{SECP256K1, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use rand::Rng;
use rand::rngs::StdRng;
use sluice::ports::{Channel, InvoiceSpec, PaymentSpec, PortError};
use sluice::swap::event::{Failure, InvoiceStatus, PaymentStatus};
use sluice::units::{CltvDelta, Msat, NodeId, PaymentHash, Preimage, Scid, Timestamp};
use tokio::time::sleep;

use crate::world::{State, Who, World};

/// What each side of a channel keeps.
const RESERVE: Msat = Msat(10_000_000);
/// Each side's balance at the beginning.
const BALANCE: Msat = Msat(20_000_000_000);
/// The final CLTV delta where the invoice's maker does not say.
const FINAL_CLTV: u32 = 80;
/// Blocks that a payer adds for luck (lnd: routing/payment_session.go).
const PADDING: u32 = 3;

pub struct Lightning {
    keys: [SecretKey; 2],
    ids: [NodeId; 2],
    channels: BTreeMap<Scid, [Msat; 2]>,
    invoices: BTreeMap<PaymentHash, Invoice>,
    payments: BTreeMap<PaymentHash, Payment>,
}

struct Invoice {
    preimage: Preimage,
    amount: Msat,
    final_cltv: u32,
    expires_at: Timestamp,
    status: InvoiceStatus,
    bolt11: String,
}

/// What a payer's node knows of a payment.
pub struct Payment {
    pub payer: Who,
    pub scid: Scid,
    pub amount: Msat,
    pub status: PaymentStatus,
    /// When each attempt began.
    pub begun: Vec<Duration>,
}

impl Lightning {
    pub fn new(channels: u32, rng: &mut StdRng) -> Lightning {
        let key = |rng: &mut StdRng| SecretKey::from_slice(&rng.r#gen::<[u8; 32]>()).unwrap();
        let scids = (1..=u64::from(channels)).map(|n| Scid(100 << 40 | n << 16));
        let keys = [key(rng), key(rng)];
        Lightning {
            keys,
            ids: keys.map(|key| key.public_key(SECP256K1)),
            channels: scids.map(|scid| (scid, [BALANCE; 2])).collect(),
            invoices: BTreeMap::new(),
            payments: BTreeMap::new(),
        }
    }

    pub fn id(&self, who: Who) -> NodeId {
        self.ids[who.index()]
    }

    pub fn scids(&self) -> Vec<Scid> {
        self.channels.keys().copied().collect()
    }

    pub fn payment(&self, hash: PaymentHash) -> Option<&Payment> {
        self.payments.get(&hash)
    }

    /// Whether an HTLC is out.
    pub fn is_paying(&self) -> bool {
        self.payments
            .values()
            .any(|payment| payment.status == PaymentStatus::InFlight)
    }

    /// Whether an invoice was paid.
    pub fn is_paid(&self, hash: PaymentHash) -> bool {
        self.invoices
            .get(&hash)
            .is_some_and(|invoice| invoice.status == InvoiceStatus::Paid)
    }

    /// The preimage of an invoice, which its payer's node knows once it is paid.
    pub fn preimage(&self, hash: PaymentHash) -> Option<Preimage> {
        self.invoices.get(&hash).map(|invoice| invoice.preimage.clone())
    }

    /// What a side has in all channels, more or less than in the beginning.
    pub fn gain(&self, who: Who) -> i64 {
        let gain = |balances: &[Msat; 2]| balances[who.index()].0 as i64 - BALANCE.0 as i64;
        self.channels.values().map(gain).sum()
    }

    /// Takes something out of a side's balance that nobody asked for.
    pub fn lose(&mut self, who: Who, scid: Scid, amount: Msat) {
        self.channels.get_mut(&scid).unwrap()[who.index()].0 -= amount.0;
    }

    pub fn channels(&self, who: Who, active: bool) -> Vec<Channel> {
        let channel = |(scid, balances): (&Scid, &[Msat; 2])| {
            let (local, remote) = (balances[who.index()], balances[who.other().index()]);
            let usable = |balance: Msat| Msat(balance.0.saturating_sub(RESERVE.0)).floor();
            Channel {
                scid: *scid,
                aliases: Vec::new(),
                peer: self.id(who.other()),
                active,
                capacity: local.floor() + remote.floor(),
                local: local.floor(),
                remote: remote.floor(),
                spendable: usable(local),
                receivable: usable(remote),
            }
        };
        self.channels.iter().map(channel).collect()
    }

    pub fn ensure_invoice(&mut self, who: Who, spec: &InvoiceSpec, now: Timestamp) -> String {
        let hash = spec.preimage.hash();
        let key = self.keys[who.index()];
        let made = self.invoices.entry(hash).or_insert_with(|| {
            let final_cltv = spec.final_cltv.map_or(FINAL_CLTV, |CltvDelta(blocks)| blocks);
            let invoice = InvoiceBuilder::new(Currency::Regtest)
                .description(spec.description.clone())
                .payment_hash(sha256::Hash::from_byte_array(hash.0))
                .payment_secret(PaymentSecret(hash.0))
                .duration_since_epoch(Duration::from_secs(now.0))
                .expiry_time(Duration::from_secs(spec.expiry_secs))
                .min_final_cltv_expiry_delta(u64::from(final_cltv))
                .amount_milli_satoshis(spec.amount.0)
                .build_signed(|digest| SECP256K1.sign_ecdsa_recoverable(digest, &key));
            Invoice {
                preimage: spec.preimage.clone(),
                amount: spec.amount,
                final_cltv,
                expires_at: now.plus_secs(spec.expiry_secs),
                status: InvoiceStatus::Open,
                bolt11: invoice.unwrap().to_string(),
            }
        });
        made.bolt11.clone()
    }

    pub fn invoice_status(&mut self, hash: PaymentHash, now: Timestamp) -> InvoiceStatus {
        let Some(invoice) = self.invoices.get_mut(&hash) else {
            return InvoiceStatus::Closed;
        };
        if invoice.status == InvoiceStatus::Open && now >= invoice.expires_at {
            invoice.status = InvoiceStatus::Closed;
        }
        invoice.status
    }

    pub fn expires_at(&self, hash: PaymentHash) -> Option<Timestamp> {
        self.invoices.get(&hash).map(|invoice| invoice.expires_at)
    }

    pub fn cancel_invoice(&mut self, hash: PaymentHash, now: Timestamp) -> InvoiceStatus {
        let status = self.invoice_status(hash, now);
        if let Some(invoice) = self.invoices.get_mut(&hash)
            && status == InvoiceStatus::Open
        {
            invoice.status = InvoiceStatus::Closed;
        }
        self.invoice_status(hash, now)
    }

    pub fn status(&self, who: Who, hash: PaymentHash) -> PaymentStatus {
        let payment = self.payments.get(&hash).filter(|payment| payment.payer == who);
        payment.map_or(PaymentStatus::Absent, |payment| payment.status.clone())
    }

    /// Locks in an HTLC, unless there is one of this hash. True: its course begins.
    fn begin(&mut self, who: Who, spec: &PaymentSpec, at: Duration, now: Timestamp) -> Result<bool, PortError> {
        if matches!(
            self.status(who, spec.hash),
            PaymentStatus::InFlight | PaymentStatus::Paid(_)
        ) {
            return Ok(false);
        }
        let refused = |reason: &str| PortError::Refused(reason.into());
        let invoice = self
            .invoices
            .get(&spec.hash)
            .ok_or_else(|| refused("no such invoice"))?;
        let cltv = CltvDelta(invoice.final_cltv + PADDING);
        if invoice.amount != spec.amount || now >= invoice.expires_at {
            return Err(refused("the invoice asks for something else, or has expired"));
        }
        if spec.max_cltv.is_some_and(|limit| cltv >= limit) {
            return Err(refused("the HTLC would last too long"));
        }
        let balances = self
            .channels
            .get_mut(&spec.scid)
            .ok_or_else(|| refused("no such channel"))?;
        let ours = &mut balances[who.index()];
        let enough = ours.0 >= spec.amount.0 + RESERVE.0;
        let payment = self.payments.entry(spec.hash).or_insert_with(|| Payment {
            payer: who,
            scid: spec.scid,
            amount: spec.amount,
            status: PaymentStatus::Absent,
            begun: Vec::new(),
        });
        if !enough {
            payment.status = PaymentStatus::Failed(Failure::NoBalance);
            return Ok(false);
        }
        ours.0 -= spec.amount.0;
        payment.status = PaymentStatus::InFlight;
        payment.begun.push(at);
        Ok(true)
    }

    /// The HTLC arrives: taken if the invoice is open.
    fn arrive(&mut self, hash: PaymentHash, now: Timestamp, lucky: bool) -> Result<Preimage, Failure> {
        if !lucky {
            return Err(Failure::Temporary);
        }
        if self.invoice_status(hash, now) != InvoiceStatus::Open {
            return Err(Failure::WrongDetails);
        }
        let payment = &self.payments[&hash];
        let balances = self.channels.get_mut(&payment.scid).unwrap();
        balances[payment.payer.other().index()].0 += payment.amount.0;
        let invoice = self.invoices.get_mut(&hash).unwrap();
        invoice.status = InvoiceStatus::Paid;
        Ok(invoice.preimage.clone())
    }

    /// The payer's node hears of it.
    fn end(&mut self, hash: PaymentHash, ended: Result<Preimage, Failure>) {
        let payment = self.payments.get_mut(&hash).unwrap();
        payment.status = match ended {
            Ok(preimage) => PaymentStatus::Paid(preimage),
            Err(failure) => {
                let balances = self.channels.get_mut(&payment.scid).unwrap();
                balances[payment.payer.index()].0 += payment.amount.0;
                PaymentStatus::Failed(failure)
            }
        };
    }
}

/// Begins a payment and lets it take its course, whoever listens.
pub fn pay(world: &Arc<World>, state: &mut State, who: Who, spec: &PaymentSpec) -> Result<(), PortError> {
    let (at, now) = (world.elapsed(), world.now());
    if !state.connected {
        return Err(PortError::Unreachable("the channel's peer is not connected".into()));
    }
    if !state.lightning.begin(who, spec, at, now)? {
        return Ok(());
    }
    state
        .evidence
        .note(at, format!("{who:?} pays {}: HTLC out", spec.hash.short()));
    let slow = state.chance(world.plan.payment_slow);
    let longest = if slow {
        world.plan.longest_outage
    } else {
        Duration::from_secs(5)
    };
    let way = state.stretch(Duration::from_millis(20), longest);
    let back = state.stretch(Duration::from_millis(20), longest);
    let lucky = !state.chance(world.plan.payment_fails);
    let (world, hash) = (world.clone(), spec.hash);
    tokio::spawn(async move {
        sleep(way).await;
        world.connected().await;
        let ended = world.lock().lightning.arrive(hash, world.now(), lucky);
        world.tell();
        sleep(back).await;
        world.connected().await;
        world.note(|| {
            format!(
                "payment {}: {}",
                hash.short(),
                if ended.is_ok() { "settled" } else { "failed" }
            )
        });
        world.lock().lightning.end(hash, ended);
        world.tell();
    });
    Ok(())
}

impl World {
    /// Waits until the two nodes are connected.
    pub async fn connected(&self) {
        while !self.lock().connected {
            sleep(Duration::from_secs(10)).await;
        }
    }
}
