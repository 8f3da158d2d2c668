//! What the fake tells of itself and of its only peer.

use sluice::api::types::*;
use sluice::policy::Cause;
use sluice::policy::limits::Offence;
use sluice::swap::Kind;
use sluice::units::Asset;

use crate::fake::SPENDABLE_SAT;
use crate::fixtures::{channel, point};

pub fn info() -> Info {
    Info {
        version: "0.1.0".into(),
        protocol_version: 7,
        pid: 4711,
        uptime_secs: 3_661,
        node: NodeStatus {
            node_id: point(1),
            alias: "alice".into(),
            network: "regtest".into(),
            version: "lnd 0.20.0".into(),
            block_height: 1_234,
            problem: None,
        },
        chains: vec![ChainStatus {
            asset: Asset::Lbtc,
            chain: Some("liquidregtest".into()),
            version: Some("23.3.4".into()),
            wallet: Some("elementsd (`sluice`)".into()),
            height: Some(502),
            new_swaps: true,
            problem_since: None,
            paused: None,
            problem: Some("still syncing".into()),
        }],
        rescue: RescueStatus {
            dir: "/home/alice/.sluice/rescue".into(),
            problem: None,
            copy_dir: Some("/mnt/usb".into()),
            copy_problem: Some("/mnt/usb: No such file or directory (os error 2)".into()),
        },
        accept_new_swaps: true,
        active_swaps: 1,
        total_swaps: 2,
    }
}

pub fn peer(quarantine: Option<QuarantineView>) -> PeerView {
    PeerView {
        node_id: point(2),
        alias: Some("bob".into()),
        online: true,
        protocol_version: Some(6),
        allowed: true,
        allows_us: None,
        problem: Some("speaks PeerSwap 6, this node 7".into()),
        quarantine,
        conduct: ConductView {
            running_swaps: 3,
            most_running_swaps: 256,
            pending_swaps: 1,
            most_pending_swaps: 128,
            dropped_messages: 12_345,
            offences: vec![OffenceView {
                offence: Offence::Refused,
                count: 7,
                threshold: 100,
                within_secs: 3_600,
            }],
        },
        offers: vec![Offer {
            asset: Asset::Lbtc,
            direction: Kind::Out,
            premium_ppm: Some(-1_500),
            problem: Some("no swaps in lbtc before version 7".into()),
        }],
        channels: vec![ChannelView {
            channel: channel(),
            active: true,
            capacity_sat: 10_000_000,
            local_sat: 5_100_000,
            remote_sat: 4_900_000,
            spendable_sat: SPENDABLE_SAT,
            receivable_sat: 4_800_000,
            busy_with: None,
        }],
    }
}

/// As long as was asked for, from the beginning of time.
pub fn quarantine(request: &PeerQuarantine) -> QuarantineView {
    QuarantineView {
        cause: Cause::Operator,
        reason: request.note.clone(),
        since: 0,
        since_text: "1970-01-01T00:00:00Z".into(),
        until: request.duration_secs,
        until_text: format!("{} s later", request.duration_secs),
    }
}
