//! `sluice peer`: a peer's quarantine, begun and ended by the operator.

use crate::cli::{code, json, out, sluice};
use crate::fixtures::point;
use crate::served::Served;

#[tokio::test]
async fn a_peer_is_quarantined_for_so_many_hours_and_released() {
    let served = Served::begin().await;
    let peer = point(2).to_string();
    let begun = [
        "peer",
        "quarantine",
        &peer,
        "--hours",
        "48",
        "--note",
        "floods us",
        "--json",
    ];
    let view = json(&sluice(&served, &begun).await);
    assert_eq!(view["quarantine"]["until"], 48 * 3_600);
    assert_eq!(view["quarantine"]["reason"], "floods us");
    assert_eq!(view["quarantine"]["cause"], "operator");
    for shown in [vec!["peer", "list"], vec!["peer", "get", &peer]] {
        let text = out(&sluice(&served, &shown).await);
        let line = "quarantined at 1970-01-01T00:00:00Z, until 172800 s later";
        assert!(text.contains(line) && text.contains("peer release"), "{text}");
    }
    let released = json(&sluice(&served, &["peer", "release", &peer, "--json"]).await);
    assert!(released["quarantine"].is_null(), "{released}");
    assert!(!out(&sluice(&served, &["peer", "list"]).await).contains("quarantined"));
}

#[tokio::test]
async fn a_quarantine_lasts_an_hour_at_least_and_a_year_at_most() {
    let served = Served::begin().await;
    let peer = point(2).to_string();
    for hours in ["0", "8761", "-1", "1.5"] {
        let refused = sluice(&served, &["peer", "quarantine", &peer, "--hours", hours]).await;
        assert_eq!(code(&refused), 2, "{hours}");
    }
    let unknown = sluice(&served, &["peer", "get", &point(3).to_string()]).await;
    assert_eq!(code(&unknown), 1);
}
