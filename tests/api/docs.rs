//! What docs/api.md promises is what the code does.

use std::collections::{BTreeMap, BTreeSet};

use sluice::api::SluiceApiServer;
use sluice::api::error::{ApiError, Code};

use crate::fake::Fake;

fn api_md() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap()
}

/// Rows of the error table: `| -32020 | unknown_swap | … |`.
fn documented_codes() -> BTreeMap<i32, String> {
    let text = api_md();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split('|').map(str::trim);
        let code = cells.next()?.parse().ok().filter(|code| *code < 0)?;
        Some((code, cells.next()?.trim_matches('`').to_owned()))
    });
    rows.collect()
}

/// Errors that come before any method: in the body of an answer that is not 200.
fn of_http() -> [(i32, &'static str); 3] {
    [
        (sluice::api::token::UNAUTHORIZED, "unauthorized"),
        (sluice::api::server::TOO_MANY_CONNECTIONS, "too_many_connections"),
        (sluice::api::server::TOO_SLOW, "too_slow"),
    ]
}

#[test]
fn the_error_table_lists_every_code_and_no_other() {
    let documented: BTreeSet<i32> = documented_codes().into_keys().collect();
    let known: BTreeSet<i32> = Code::ALL.iter().map(|code| code.number()).collect();
    assert_eq!(
        documented,
        known.into_iter().chain(of_http().map(|(code, _)| code)).collect()
    );
}

/// serde tells the names: of a tag that it does not know it lists all that it does.
#[test]
fn the_error_table_has_the_names_that_are_sent() {
    let error = serde_json::from_str::<ApiError>(r#"{"error":"?"}"#)
        .unwrap_err()
        .to_string();
    let names: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
    let documented = documented_codes();
    let mut listed: BTreeSet<&str> = documented.values().map(String::as_str).collect();
    for (_, name) in of_http() {
        assert!(listed.remove(name), "{name}");
    }
    assert_eq!(listed, names);
}

#[test]
fn codes_are_unique_and_leave_the_librarys_alone() {
    let numbers: BTreeSet<i32> = Code::ALL.iter().map(|code| code.number()).collect();
    assert_eq!(numbers.len(), Code::ALL.len());
    for number in numbers {
        let standard = [-32602, -32603].contains(&number);
        assert!(standard || (-32039..=-32020).contains(&number), "{number}");
    }
}

#[test]
fn every_method_has_its_section_and_its_curl() {
    let text = api_md();
    let module = Fake::new().into_rpc();
    for method in module.method_names().filter(|name| *name != "swap_unsubscribe") {
        let head = format!("\n### `{method}`\n");
        let section = text
            .split_once(&head)
            .unwrap_or_else(|| panic!("no section for {method}"))
            .1;
        let section = section.split("\n### ").next().unwrap();
        assert!(
            section.contains(&format!("\"method\":\"{method}\"")),
            "no example of {method}"
        );
    }
}

/// A curl example that does not work is worse than none: each request of the page is read by the real checks.
#[tokio::test]
async fn the_examples_of_the_page_are_taken() {
    let module = Fake::new().into_rpc();
    let text = api_md();
    let requests = text.lines().filter_map(|line| {
        let start = line.find("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\"")?;
        let end = line.rfind('}')?;
        line.get(start..=end)
    });
    let mut seen = 0;
    for request in requests {
        let request: serde_json::Value = serde_json::from_str(request).unwrap_or_else(|e| panic!("{request}: {e}"));
        let method = request["method"].as_str().unwrap();
        assert!(module.method(method).is_some(), "{method}");
        let params = request.get("params").cloned().unwrap_or(serde_json::json!({}));
        sluice::api::check_params(method, &params).unwrap_or_else(|error| panic!("{method}: {error}"));
        seen += 1;
    }
    assert_eq!(
        seen,
        module.method_names().filter(|name| *name != "swap_unsubscribe").count()
    );
}

/// A method that the checks have not heard of would take its parameters as the library does: misspelt limits are none.
#[test]
fn every_method_refuses_a_parameter_that_it_does_not_know() {
    let module = Fake::new().into_rpc();
    for method in module.method_names().filter(|name| *name != "swap_unsubscribe") {
        let refused = sluice::api::check_params(method, &serde_json::json!({"no_such_thing": 1}));
        assert!(refused.is_err(), "{method} takes anything");
    }
}
