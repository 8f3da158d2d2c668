//! lightningd's own wallet. Its locks are reservations, which are nobody's: only their end tells ours from others'.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::hashes::Hash;
use bitcoin::{Address, Amount, Psbt, ScriptBuf, Txid};
use futures::future;

use crate::node::funds::{Coin, Holdings, Purse, naming};
use crate::node::grpc::CALL_LIMIT;
use crate::ports::PortError;
use crate::units::{FeeRate, OutPoint, TxId};

use super::api::listfunds_outputs::ListfundsOutputsStatus as Status;
use super::api::newaddr_request::NewaddrAddresstype;
use super::api::{
    self, AmountOrAll, Feerate, ListfundsOutputs, ListfundsRequest, ListpeerchannelsRequest, NewaddrRequest,
    ReserveinputsRequest, SignpsbtRequest, UnreserveinputsRequest, WithdrawRequest, amount_or_all, feerate,
};
use super::connection::Connection;
use super::{ClnConfig, fault};

/// For how many blocks we reserve: 800 years, and in that no number that another program would choose for "long" (the
/// node's own reserve for 72 to 2016). lightningd does not say who reserved an output, but it adds: what ends at least so
/// many blocks from now has us among those who reserved it, and taking off as many gives the others back theirs. Nothing
/// ends while it is needed, however long the daemon is away.
const RESERVE: u32 = 42_069_000;
/// Until when a reservation of ours ends at the earliest and the latest: made at a height from 0 to this.
const HEIGHTS: u32 = 10_000_000;
/// What lightningd keeps to bump the closing of its anchor channels, unless the operator has set `min-emergency-msat`
/// (lightningd/options.c, v25.12.1), which cln-grpc does not tell.
const EMERGENCY: Amount = Amount::from_sat(25_000);

/// The wallet of a lightningd.
#[derive(Debug)]
pub struct ClnWallet(Arc<Connection>);

impl ClnWallet {
    /// Says nothing to the node yet: the connection is made by the first call, and again whenever it broke.
    #[must_use]
    pub fn new(config: ClnConfig) -> Self {
        Self(Arc::new(Connection::new(config)))
    }
}

#[async_trait]
impl Purse for ClnWallet {
    const DAEMON: &'static str = "cln";

    async fn holdings(&self) -> Result<Holdings, PortError> {
        let (outputs, kept) = future::try_join(self.outputs(), self.emergency()).await?;
        let mut held = Holdings {
            free: Vec::new(),
            ours: Vec::new(),
            pending: Amount::ZERO,
            kept,
        };
        for output in &outputs {
            let coin = coin(output)?;
            match output.status() {
                _ if is_ours(output) => held.ours.push(coin),
                Status::Confirmed if !output.reserved => held.free.push(coin),
                Status::Unconfirmed if !output.reserved => {
                    held.pending = held.pending.checked_add(coin.value()).unwrap_or(Amount::MAX_MONEY);
                }
                Status::Confirmed | Status::Unconfirmed | Status::Immature | Status::Spent => {}
            }
        }
        Ok(held)
    }

    async fn lock(&self, coins: &[OutPoint]) -> Result<(), PortError> {
        let outputs = self.outputs().await?;
        let is_locked = |coin: &OutPoint| outputs.iter().any(|output| is_ours(output) && is_at(output, *coin));
        let known = |coin: &OutPoint| outputs.iter().any(|output| is_at(output, *coin));
        if let Some(gone) = coins.iter().find(|coin| !known(coin)) {
            // lightningd would pass over it
            let reason = format!("it does not hold the output {}:{}", gone.txid, gone.vout);
            return Err(PortError::Refused(format!("cln ListFunds: {reason}")));
        }
        let open: Vec<OutPoint> = coins.iter().copied().filter(|coin| !is_locked(coin)).collect();
        if open.is_empty() {
            return Ok(());
        }
        let request = ReserveinputsRequest {
            psbt: encode(&naming(&open)),
            exclusive: Some(true),
            reserve: Some(RESERVE),
        };
        self.0
            .call("ReserveInputs", CALL_LIMIT, async |mut api| {
                api.reserve_inputs(request).await
            })
            .await?;
        Ok(())
    }

    async fn unlock(&self, coins: &[OutPoint]) -> Result<(), PortError> {
        if coins.is_empty() {
            return Ok(());
        }
        let outputs = self.outputs().await?;
        let is_locked = |coin: &OutPoint| outputs.iter().any(|output| is_ours(output) && is_at(output, *coin));
        let ours: Vec<OutPoint> = coins.iter().copied().filter(is_locked).collect();
        if ours.is_empty() {
            return Ok(());
        }
        let request = UnreserveinputsRequest {
            psbt: encode(&naming(&ours)),
            reserve: Some(RESERVE),
        };
        self.0
            .call("UnreserveInputs", CALL_LIMIT, async |mut api| {
                api.unreserve_inputs(request).await
            })
            .await?;
        Ok(())
    }

    async fn new_address(&self) -> Result<String, PortError> {
        let request = NewaddrRequest {
            addresstype: Some(NewaddrAddresstype::Bech32.into()),
        };
        let answer = self
            .0
            .call("NewAddr", CALL_LIMIT, async |mut api| api.new_addr(request).await)
            .await?;
        answer.bech32.ok_or_else(|| broken("NewAddr", "answer has no address"))
    }

    async fn sign(&self, psbt: &Psbt) -> Result<Psbt, PortError> {
        const METHOD: &str = "SignPsbt";
        let request = SignpsbtRequest {
            psbt: encode(psbt),
            signonly: (0..).take(psbt.inputs.len()).collect(),
        };
        let answer = self
            .0
            .call(METHOD, CALL_LIMIT, async |mut api| api.sign_psbt(request).await)
            .await?;
        let bytes = STANDARD.decode(&answer.signed_psbt).ok();
        let signed = bytes.and_then(|bytes| Psbt::deserialize(&bytes).ok());
        signed.ok_or_else(|| broken(METHOD, "answer is no PSBT"))
    }

    async fn pay(&self, address: &Address, amount: Amount, rate: FeeRate) -> Result<TxId, PortError> {
        let amount = api::Amount {
            msat: amount.to_sat().saturating_mul(1000),
        };
        let request = WithdrawRequest {
            destination: address.to_string(),
            satoshi: Some(AmountOrAll {
                value: Some(amount_or_all::Value::Amount(amount)),
            }),
            minconf: Some(1),
            feerate: Some(Feerate {
                // four weight units make a virtual byte; lightningd rounds rates by size down
                style: Some(feerate::Style::Perkw(rate.0.div_ceil(4).try_into().unwrap_or(u32::MAX))),
            }),
        };
        let answer = self
            .0
            .call("Withdraw", CALL_LIMIT, async |mut api| api.withdraw(request).await)
            .await?;
        read_txid("Withdraw", &answer.txid)
    }

    fn is_too_little(refusal: &str) -> bool {
        [fault::FUND_CANNOT_AFFORD, fault::FUND_CANNOT_AFFORD_WITH_EMERGENCY]
            .iter()
            .any(|code| refusal.ends_with(&format!(" ({code})")))
    }
}

impl ClnWallet {
    async fn outputs(&self) -> Result<Vec<ListfundsOutputs>, PortError> {
        let answer = self
            .0
            .call("ListFunds", CALL_LIMIT, async |mut api| {
                api.list_funds(ListfundsRequest {}).await
            })
            .await?;
        Ok(answer.outputs)
    }

    /// What must stay for closing channels; of an anchor kind they are all, but for old ones.
    async fn emergency(&self) -> Result<Amount, PortError> {
        let request = ListpeerchannelsRequest { id: None };
        let answer = self
            .0
            .call("ListPeerChannels", CALL_LIMIT, async |mut api| {
                api.list_peer_channels(request).await
            })
            .await?;
        Ok(if answer.channels.is_empty() {
            Amount::ZERO
        } else {
            EMERGENCY
        })
    }
}

/// Whether we are among those who reserved it.
fn is_ours(output: &ListfundsOutputs) -> bool {
    let end = output.reserved_to_block.filter(|_| output.reserved);
    end.is_some_and(|end| (RESERVE..RESERVE + HEIGHTS).contains(&end))
}

fn is_at(output: &ListfundsOutputs, place: OutPoint) -> bool {
    output.output == place.vout && read_txid("ListFunds", &output.txid).is_ok_and(|txid| txid == place.txid)
}

fn coin(output: &ListfundsOutputs) -> Result<Coin, PortError> {
    let outpoint = OutPoint {
        txid: read_txid("ListFunds", &output.txid)?,
        vout: output.output,
    };
    let msat = output.amount_msat.map_or(0, |amount| amount.msat);
    let script = ScriptBuf::from_bytes(output.scriptpubkey.clone());
    Ok(Coin::new(outpoint, Amount::from_sat(msat / 1000), script))
}

/// lightningd writes ids of transactions in the order in which they are shown.
fn read_txid(method: &str, shown: &[u8]) -> Result<TxId, PortError> {
    let mut bytes: [u8; 32] = shown.try_into().map_err(|_| {
        let length = shown.len();
        broken(method, &format!("a transaction's id has {length} bytes, wanted 32"))
    })?;
    bytes.reverse();
    Ok(TxId(Txid::from_byte_array(bytes)))
}

fn encode(psbt: &Psbt) -> String {
    STANDARD.encode(psbt.serialize())
}

fn broken(method: &str, why: &str) -> PortError {
    PortError::Broken(format!("cln {method}: {why}"))
}
