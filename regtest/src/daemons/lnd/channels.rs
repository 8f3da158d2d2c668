//! Channels between lnds, and payments over them.

use anyhow::{Context, Result};
use serde_json::Value;
use sluice::units::Scid;

use super::{CHANNEL_LIMIT, Lnd, START_LIMIT};
use crate::daemons::bitcoind::Bitcoind;
use crate::daemons::wait_for;

impl Lnd {
    /// Opens a channel, confirms it and waits until both ends use it. `push_sat` becomes the other end's.
    ///
    /// # Errors
    /// With lncli's or bitcoind's own, or when the channel does not become active.
    pub async fn open_channel(&self, bitcoind: &Bitcoind, to: &Lnd, sat: u64, push_sat: u64) -> Result<Scid> {
        self.open(bitcoind, to, sat, push_sat, &[]).await
    }

    /// Opens a private channel that goes by aliases (`option_scid_alias`), otherwise as [`Lnd::open_channel`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_alias_channel(&self, bitcoind: &Bitcoind, to: &Lnd, sat: u64, push_sat: u64) -> Result<Scid> {
        self.open(
            bitcoind,
            to,
            sat,
            push_sat,
            &["--private", "--channel_type=anchors", "--scid_alias"],
        )
        .await
    }

    /// Opens a channel that is used before a block holds it (`option_zeroconf`) and waits until both ends do; tells our
    /// alias of it. The other end needs a program that accepts it.
    ///
    /// # Errors
    /// With lncli's own, or when the channel does not become active.
    pub async fn open_unconfirmed_channel(&self, to: &Lnd, sat: u64, push_sat: u64) -> Result<Scid> {
        let how = ["--channel_type=anchors", "--zero_conf"];
        let txid = self.send_opening(to, sat, push_sat, &how).await?;
        let (alias, _) = tokio::try_join!(self.wait_active_channel(&txid), to.wait_active_channel(&txid))?;
        tokio::try_join!(self.wait_own_policy(alias), self.wait_synced(), to.wait_synced())?;
        Ok(alias)
    }

    /// Opens so many equal channels by one transaction, otherwise as [`Lnd::open_channel`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_channels(
        &self,
        bitcoind: &Bitcoind,
        to: &Lnd,
        count: usize,
        (sat, push_sat): (u64, u64),
    ) -> Result<Vec<Scid>> {
        self.connect(to).await?;
        self.request_channels(&to.id().await?, count, (sat, push_sat)).await?;
        // The sixth confirmation lets them announce it.
        bitcoind.mine(6).await?;
        let (scids, _) = tokio::try_join!(self.wait_all_active(count), to.wait_all_active(count))?;
        tokio::try_join!(self.wait_synced(), to.wait_synced())?;
        Ok(scids)
    }

    /// Sends one transaction that opens so many equal channels with a connected node of any kind.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn request_channels(&self, to: &str, count: usize, (sat, push_sat): (u64, u64)) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let channel = serde_json::json!({
            "node_pubkey": to, "local_funding_amount": sat, "push_sat": push_sat,
        });
        let channels = Value::from(vec![channel; count]).to_string();
        // The change of one call pays for the next.
        self.cli(&["batchopenchannel", "--sat_per_vbyte=2", "--min_confs=0", &channels])
            .await
            .map(drop)
    }

    /// Waits until it has so many channels, all of them in use, and knows its own policies of them.
    ///
    /// # Errors
    /// With lncli's own, or when it does not come to that.
    pub async fn wait_all_active(&self, count: usize) -> Result<Vec<Scid>> {
        let scids = wait_for("active channels", START_LIMIT, || async {
            let channels = self.cli(&["listchannels", "--active_only"]).await?;
            let numbers = channels["channels"].as_array().into_iter().flatten();
            let mut scids = numbers.filter_map(scid_of).collect::<Vec<Scid>>();
            scids.sort_unstable();
            Ok((scids.len() == count).then_some(scids))
        });
        let scids = scids.await?;
        for scid in &scids {
            self.wait_own_policy(*scid).await?;
        }
        Ok(scids)
    }

    /// What it has on its side of a channel, in satoshi as lnd counts them.
    ///
    /// # Errors
    /// With lncli's own, or if there is no such channel.
    pub async fn local_sat(&self, scid: Scid) -> Result<u64> {
        let channels = self.cli(&["listchannels"]).await?;
        let mut channels = channels["channels"].as_array().into_iter().flatten();
        let ours = channels.find(|channel| scid_of(channel) == Some(scid));
        let ours = ours.with_context(|| format!("{} has no channel {scid}", self.name))?;
        let balance = ours["local_balance"]
            .as_str()
            .context("listchannels without local_balance")?;
        Ok(balance.parse()?)
    }

    /// Makes an invoice.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn invoice(&self, sat: u64) -> Result<String> {
        let invoice = self.cli(&["addinvoice", &format!("--amt={sat}")]).await?;
        let invoice = invoice["payment_request"].as_str();
        invoice.map(str::to_owned).context("addinvoice without invoice")
    }

    /// Pays an invoice of the node at the other end of a channel, over it.
    ///
    /// # Errors
    /// With lncli's own: also what the payment failed for.
    pub async fn pay_over(&self, invoice: &str, scid: Scid) -> Result<()> {
        let channel = format!("--outgoing_chan_id={}", scid.0);
        self.cli(&["payinvoice", "--force", "--json", &channel, invoice])
            .await
            .map(drop)
    }

    async fn open(&self, bitcoind: &Bitcoind, to: &Lnd, sat: u64, push_sat: u64, more: &[&str]) -> Result<Scid> {
        let txid = self.send_opening(to, sat, push_sat, more).await?;
        let known = wait_for("the funding transaction", CHANNEL_LIMIT, || async {
            Ok(bitcoind
                .call::<Value>("getmempoolentry", jsonrpsee::rpc_params![&txid])
                .await
                .ok())
        });
        known.await?;
        bitcoind.mine(1).await?;
        let (scid, _) = tokio::try_join!(self.wait_active_channel(&txid), to.wait_active_channel(&txid))?;
        // The sixth confirmation lets them announce it.
        bitcoind.mine(5).await?;
        tokio::try_join!(self.wait_own_policy(scid), to.wait_own_policy(scid))?;
        tokio::try_join!(self.wait_synced(), to.wait_synced())?;
        Ok(scid)
    }

    /// Tells the id of the transaction.
    async fn send_opening(&self, to: &Lnd, sat: u64, push_sat: u64, more: &[&str]) -> Result<String> {
        self.connect(to).await?;
        let (amount, push) = (format!("--local_amt={sat}"), format!("--push_amt={push_sat}"));
        let node = format!("--node_key={}", to.id().await?);
        let mut arguments = vec!["openchannel", &node, &amount, &push, "--sat_per_vbyte=2"];
        arguments.extend(more);
        let opened = self.cli(&arguments).await?;
        let txid = opened["funding_txid"].as_str();
        txid.map(str::to_owned).context("openchannel without funding_txid")
    }

    async fn wait_active_channel(&self, funding_txid: &str) -> Result<Scid> {
        wait_for("an active channel", CHANNEL_LIMIT, || async {
            let channels = self.cli(&["listchannels"]).await?;
            let mut channels = channels["channels"].as_array().into_iter().flatten();
            let ours = channels.find(|channel| {
                let point = channel["channel_point"].as_str().unwrap_or_default();
                point.starts_with(funding_txid) && channel["active"] == true
            });
            Ok(ours.and_then(scid_of))
        })
        .await
    }

    /// Waits until the graph has a channel with our own policy, the first to come: without it no way is found, and a
    /// node killed before that knows the channel again only once it is announced.
    async fn wait_own_policy(&self, scid: Scid) -> Result<()> {
        wait_for("a channel's policy", CHANNEL_LIMIT, || async {
            let edge = self.cli(&["getchaninfo", &scid.0.to_string()]).await?;
            let known = edge["node1_policy"].is_object() || edge["node2_policy"].is_object();
            Ok(known.then_some(()))
        })
        .await
    }
}

/// lncli names the number `scid` and prints `chan_id` as the id of BOLT 2.
fn scid_of(channel: &Value) -> Option<Scid> {
    channel["scid"].as_str()?.parse().ok().map(Scid)
}
