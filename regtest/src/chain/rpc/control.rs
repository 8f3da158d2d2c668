//! Methods about the node itself.

use super::args::usage;
use super::error::{INVALID_PARAMETER, RpcError};
use super::json::{Json, obj};
use super::methods;
use super::{Answer, Call, Shown};

/// Latest time that `setmocktime` takes, seconds since 1970.
const MAX_MOCK_TIME: u64 = 9_223_372_036;

pub fn help<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let wanted = call.args.text(0);
    if !wanted.is_empty() {
        return Ok(match methods::find::<L>(wanted, call.release) {
            Some(method) => usage(method.name, method.params).into(),
            None => format!("help: unknown command: {wanted}").into(),
        });
    }
    let mut text = String::new();
    let mut category = "";
    for method in methods::of::<L>(call.release) {
        if method.category != category {
            text.push_str(if category.is_empty() { "" } else { "\n" });
            text.push_str(&format!("== {} ==\n", method.category));
            category = method.category;
        }
        text.push_str(&usage(method.name, method.params));
        text.push('\n');
    }
    Ok(text.trim_end().into())
}

pub fn uptime<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    Ok(call
        .node
        .started
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_secs())
        .into())
}

pub fn get_rpc_info<L: Shown>(_: &mut Call<'_, L>) -> Answer {
    Ok(obj! { "active_commands" => Json::Arr(Vec::new()), "logpath" => "" })
}

pub fn ping<L: Shown>(_: &mut Call<'_, L>) -> Answer {
    Ok(Json::Null)
}

pub fn get_connection_count<L: Shown>(_: &mut Call<'_, L>) -> Answer {
    Ok(0.into())
}

pub fn echo<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let given = (0..4).map_while(|position| call.args.get(position));
    Ok(given.map(|value| Json::Raw(value.to_string())).collect())
}

pub fn set_mock_time<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let time = call.args.int(0, 0)?;
    let out_of_range = || {
        let text = format!("Mocktime must be in the range [0, {MAX_MOCK_TIME}], not {time}.");
        RpcError::new(INVALID_PARAMETER, text)
    };
    let time = u64::try_from(time)
        .ok()
        .filter(|time| *time <= MAX_MOCK_TIME)
        .ok_or_else(out_of_range)?;
    call.node.state.mock_time = (time > 0).then_some(time);
    Ok(Json::Null)
}

pub fn get_network_info<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let (version, subversion) = L::daemon_version(call.release);
    let network = |name: &str| {
        let reachable = name.starts_with("ipv");
        obj! {
            "name" => name,
            "limited" => !reachable,
            "reachable" => reachable,
            "proxy" => "",
            "proxy_randomize_credentials" => false,
        }
    };
    Ok(obj! {
        "version" => version,
        "subversion" => subversion,
        "protocolversion" => 70_016,
        "localservices" => L::SERVICES.0,
        "localservicesnames" => L::SERVICES.1.to_vec(),
        "localrelay" => true,
        "timeoffset" => 0,
        "networkactive" => true,
        "connections" => 0,
        "connections_in" => 0,
        "connections_out" => 0,
        "networks" => ["ipv4", "ipv6", "onion", "i2p", "cjdns"].map(network).into_iter().collect::<Json>(),
        "relayfee" => Json::btc(L::MIN_RELAY_FEE_RATE),
        "incrementalfee" => Json::btc(L::INCREMENTAL_RELAY_FEE_RATE),
        "localaddresses" => Json::Arr(Vec::new()),
        "warnings" => warnings::<L>(call.release),
    })
}

/// Nothing to warn of, in the form of the release.
pub fn warnings<L: Shown>(release: L::Release) -> Json {
    if L::is_modern(release) {
        Json::Arr(Vec::new())
    } else {
        Json::from("")
    }
}

pub fn validate_address<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let text = call.args.text(0);
    let Some(address) = L::read_address(text) else {
        return Ok(L::invalid_address(text));
    };
    let mut json = L::valid_address();
    L::describe_address(&mut json, &address);
    Ok(json)
}
