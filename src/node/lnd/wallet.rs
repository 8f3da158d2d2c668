//! lnd's own wallet. Its locks are leases: each has an id that names the program, and an end.

use async_trait::async_trait;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::{Address, Amount, Psbt, ScriptBuf, Transaction, Txid};
use futures::future;
use tonic::Status;
use tonic::service::interceptor::InterceptedService;
use tracing::debug;

use crate::node::funds::{Coin, Holdings, Purse};
use crate::node::grpc::{self, CALL_LIMIT, CallError, CallErrorKind, Dialect};
use crate::ports::PortError;
use crate::units::{FeeRate, OutPoint, TxId};

use super::api::lnrpc;
use super::api::signrpc::TxOut;
use super::api::walletrpc::wallet_kit_client::WalletKitClient;
use super::api::walletrpc::{
    AddrRequest, AddressType, FinalizePsbtRequest, LeaseOutputRequest, ListLeasesRequest, ListUnspentRequest,
    ReleaseOutputRequest, RequiredReserveRequest, SendOutputsRequest, UtxoLease,
};
use super::connection::{ANSWER_LIMIT, Transport, transport};
use super::limits::sat;
use super::{LndConfig, error, permissions};

/// The id of our leases. One program of this kind serves a node: its peers' messages would reach each of several.
const LEASE_ID: [u8; 32] = *b"sluice: openings of its swaps\0\0\0";
/// How long a lease lasts: by far longer than any opening needs to be in a block or void (its window is 504 blocks), so
/// that none ends while it is needed, however long the daemon is away. Each start makes it anew.
const LEASE_SECS: u64 = 365 * 24 * 60 * 60;
/// The account whose keys lnd has; others may be watched only.
const ACCOUNT: &str = "default";

/// The wallet of an lnd node. Its connection is one of its own: another macaroon will do for it.
#[derive(Debug)]
pub struct LndWallet(grpc::Connection<WalletAccess>);

impl LndWallet {
    /// Says nothing to the node yet: the connection is made by the first call, and again whenever it broke.
    #[must_use]
    pub fn new(config: LndConfig) -> Self {
        Self(grpc::Connection::new(WalletAccess(config)))
    }
}

/// lnd as far as its wallet goes, with what the macaroon must allow for that.
#[derive(Debug)]
struct WalletAccess(LndConfig);

type Client = WalletKitClient<Transport>;

impl Dialect for WalletAccess {
    type Api = Client;
    const DAEMON: &'static str = "lnd";

    fn address(&self) -> &str {
        &self.0.address
    }

    async fn connect(&self) -> Result<Client, String> {
        let transport: InterceptedService<_, _> = transport(&self.0, permissions::WALLET).await?;
        Ok(WalletKitClient::new(transport).max_decoding_message_size(ANSWER_LIMIT))
    }

    fn judge(status: &Status) -> Option<(CallErrorKind, Option<&'static str>)> {
        error::judge(status)
    }
}

#[async_trait]
impl Purse for LndWallet {
    const DAEMON: &'static str = "lnd";

    async fn holdings(&self) -> Result<Holdings, PortError> {
        let (unspent, leases, kept) = future::try_join3(self.unspent(), self.leases(), self.reserve()).await?;
        let (confirmed, unconfirmed): (Vec<_>, Vec<_>) = unspent.into_iter().partition(|utxo| utxo.confirmations > 0);
        let free: Result<Vec<Coin>, PortError> = confirmed.iter().map(unspent_coin).collect();
        let ours = leases.iter().filter(|lease| lease.id == LEASE_ID);
        let ours: Result<Vec<Coin>, PortError> = ours.map(leased_coin).collect();
        let pending = unconfirmed.iter().map(|utxo| sat(utxo.amount_sat));
        Ok(Holdings {
            free: free?,
            ours: ours?,
            pending: pending.fold(Amount::ZERO, |sum, one| {
                sum.checked_add(one).unwrap_or(Amount::MAX_MONEY)
            }),
            kept,
        })
    }

    async fn lock(&self, coins: &[OutPoint]) -> Result<(), PortError> {
        for coin in coins {
            let request = LeaseOutputRequest {
                id: LEASE_ID.to_vec(),
                outpoint: Some(wire_outpoint(*coin)),
                expiration_seconds: LEASE_SECS,
            };
            self.call("LeaseOutput", async |mut api| api.lease_output(request).await)
                .await?;
        }
        Ok(())
    }

    async fn unlock(&self, coins: &[OutPoint]) -> Result<(), PortError> {
        for coin in coins {
            let request = ReleaseOutputRequest {
                id: LEASE_ID.to_vec(),
                outpoint: Some(wire_outpoint(*coin)),
            };
            let freed = self.call("ReleaseOutput", async |mut api| api.release_output(request).await);
            match freed.await {
                // another's lease, or spent in a block
                Err(error) if error.kind == CallErrorKind::Refused => debug!(%error, "lease left as it is"),
                answer => drop(answer?),
            }
        }
        Ok(())
    }

    async fn new_address(&self) -> Result<String, PortError> {
        let request = AddrRequest {
            account: ACCOUNT.into(),
            r#type: AddressType::WitnessPubkeyHash.into(),
            change: false,
        };
        let answer = self.call("NextAddr", async |mut api| api.next_addr(request).await);
        Ok(answer.await?.addr)
    }

    async fn sign(&self, psbt: &Psbt) -> Result<Psbt, PortError> {
        const METHOD: &str = "FinalizePsbt";
        let request = FinalizePsbtRequest {
            funded_psbt: psbt.serialize(),
        };
        let answer = self.call(METHOD, async |mut api| api.finalize_psbt(request).await);
        Psbt::deserialize(&answer.await?.signed_psbt)
            .map_err(|e| broken(METHOD, format_args!("answer is no PSBT: {e}")))
    }

    async fn pay(&self, address: &Address, amount: Amount, rate: FeeRate) -> Result<TxId, PortError> {
        const METHOD: &str = "SendOutputs";
        let output = TxOut {
            value: amount.to_sat().try_into().unwrap_or(i64::MAX),
            pk_script: address.script_pubkey().into_bytes(),
        };
        let request = SendOutputsRequest {
            // four weight units make a virtual byte
            sat_per_kw: rate.0.div_ceil(4).try_into().unwrap_or(i64::MAX),
            outputs: vec![output],
            label: "sluice".into(),
            min_confs: 1,
        };
        let answer = self
            .call(METHOD, async |mut api| api.send_outputs(request).await)
            .await?;
        let sent: Transaction =
            deserialize(&answer.raw_tx).map_err(|e| broken(METHOD, format_args!("answer is no transaction: {e}")))?;
        Ok(TxId(sent.compute_txid()))
    }

    /// lnwallet/chanfunding (`ErrInsufficientFunds`), btcwallet (`insufficient funds available to construct transaction`),
    /// walletrpc (`ErrInsufficientReserve`); all with the code `Unknown`.
    fn is_too_little(refusal: &str) -> bool {
        [
            "insufficient funds",
            "not enough witness outputs",
            "reserved wallet balance",
        ]
        .iter()
        .any(|text| refusal.contains(text))
    }
}

impl LndWallet {
    async fn call<T, F>(&self, method: &'static str, call: impl FnOnce(Client) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        self.0.call(method, CALL_LIMIT, call).await
    }

    async fn unspent(&self) -> Result<Vec<lnrpc::Utxo>, PortError> {
        let request = ListUnspentRequest {
            min_confs: 0,
            max_confs: 0,
            account: ACCOUNT.into(),
        };
        let answer = self.call("ListUnspent", async |mut api| api.list_unspent(request).await);
        Ok(answer.await?.utxos)
    }

    async fn leases(&self) -> Result<Vec<UtxoLease>, PortError> {
        let answer = self.call("ListLeases", async |mut api| {
            api.list_leases(ListLeasesRequest {}).await
        });
        Ok(answer.await?.locked_utxos)
    }

    /// What lnd keeps to bump the closing of its anchor channels.
    async fn reserve(&self) -> Result<Amount, PortError> {
        let request = RequiredReserveRequest {
            additional_public_channels: 0,
        };
        let answer = self.call("RequiredReserve", async |mut api| api.required_reserve(request).await);
        Ok(sat(answer.await?.required_reserve))
    }
}

fn unspent_coin(utxo: &lnrpc::Utxo) -> Result<Coin, PortError> {
    const METHOD: &str = "ListUnspent";
    let script = ScriptBuf::from_hex(&utxo.pk_script).map_err(|e| broken(METHOD, format_args!("a script: {e}")))?;
    Ok(Coin::new(
        outpoint(METHOD, utxo.outpoint.as_ref())?,
        sat(utxo.amount_sat),
        script,
    ))
}

fn leased_coin(lease: &UtxoLease) -> Result<Coin, PortError> {
    let outpoint = outpoint("ListLeases", lease.outpoint.as_ref())?;
    let script = ScriptBuf::from_bytes(lease.pk_script.clone());
    Ok(Coin::new(outpoint, Amount::from_sat(lease.value), script))
}

fn outpoint(method: &str, outpoint: Option<&lnrpc::OutPoint>) -> Result<OutPoint, PortError> {
    let missing = || broken(method, format_args!("an output without its place"));
    let outpoint = outpoint.ok_or_else(missing)?;
    let txid = Txid::from_slice(&outpoint.txid_bytes).map_err(|_| missing())?;
    Ok(OutPoint {
        txid: TxId(txid),
        vout: outpoint.output_index,
    })
}

fn wire_outpoint(outpoint: OutPoint) -> lnrpc::OutPoint {
    lnrpc::OutPoint {
        txid_bytes: outpoint.txid.0.to_byte_array().to_vec(),
        output_index: outpoint.vout,
    }
}

fn broken(method: &str, why: std::fmt::Arguments<'_>) -> PortError {
    PortError::Broken(format!("lnd {method}: {why}"))
}
