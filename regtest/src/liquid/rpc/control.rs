//! Methods about the node itself.

use elements::hex::{Case, DisplayHex};
use elements::{Address, address::Payload};

use super::super::Release;
use super::super::params::{ADDRESS_PARAMS, INCREMENTAL_RELAY_FEE_RATE, MIN_RELAY_FEE_RATE, policy_asset};
use super::args::usage;
use super::error::{INVALID_PARAMETER, RpcError};
use super::json::{Json, obj};
use super::methods;
use super::{Answer, Call};

/// Latest time that `setmocktime` takes, seconds since 1970.
const MAX_MOCK_TIME: u64 = 9_223_372_036;

pub fn help(call: &mut Call<'_>) -> Answer {
    let wanted = call.args.text(0);
    if !wanted.is_empty() {
        return Ok(match methods::find(wanted, call.release) {
            Some(method) => usage(method.name, method.params).into(),
            None => format!("help: unknown command: {wanted}").into(),
        });
    }
    let mut text = String::new();
    let mut category = "";
    for method in methods::of(call.release) {
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

pub fn uptime(call: &mut Call<'_>) -> Answer {
    Ok(call
        .node
        .started
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_secs())
        .into())
}

pub fn get_rpc_info(_: &mut Call<'_>) -> Answer {
    Ok(obj! { "active_commands" => Json::Arr(Vec::new()), "logpath" => "" })
}

pub fn ping(_: &mut Call<'_>) -> Answer {
    Ok(Json::Null)
}

pub fn get_connection_count(_: &mut Call<'_>) -> Answer {
    Ok(0.into())
}

pub fn echo(call: &mut Call<'_>) -> Answer {
    let given = (0..4).map_while(|position| call.args.get(position));
    Ok(given.map(|value| Json::Raw(value.to_string())).collect())
}

pub fn dump_asset_labels(_: &mut Call<'_>) -> Answer {
    Ok(obj! { "bitcoin" => Json::text(policy_asset()) })
}

pub fn set_mock_time(call: &mut Call<'_>) -> Answer {
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

pub fn get_network_info(call: &mut Call<'_>) -> Answer {
    let (version, name) = call.release.version();
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
        "subversion" => format!("/Elements Core:{name}/"),
        "protocolversion" => 70_016,
        "localservices" => "0000000000000409",
        "localservicesnames" => vec!["NETWORK", "WITNESS", "NETWORK_LIMITED"],
        "localrelay" => true,
        "timeoffset" => 0,
        "networkactive" => true,
        "connections" => 0,
        "connections_in" => 0,
        "connections_out" => 0,
        "networks" => ["ipv4", "ipv6", "onion", "i2p", "cjdns"].map(network).into_iter().collect::<Json>(),
        "relayfee" => Json::btc(MIN_RELAY_FEE_RATE),
        "incrementalfee" => Json::btc(INCREMENTAL_RELAY_FEE_RATE),
        "localaddresses" => Json::Arr(Vec::new()),
        "warnings" => match call.release {
            Release::V23 => Json::from(""),
            Release::V28 => Json::Arr(Vec::new()),
        },
    })
}

pub fn validate_address(call: &mut Call<'_>) -> Answer {
    let text = call.args.text(0);
    let Ok(address) = Address::parse_with_params(text, ADDRESS_PARAMS) else {
        return Ok(obj! {
            "isvalid" => false,
            "isvalid_parent" => false,
            "error_locations" => Json::Arr(Vec::new()),
            "error" => "Invalid checksum or length of Base58 address",
            "error_parent" => "Invalid checksum or length of Base58 address",
        });
    };
    let mut json = obj! { "isvalid" => true, "isvalid_parent" => false };
    describe_address(&mut json, &address);
    Ok(json)
}

/// What an address says by itself.
pub fn describe_address(json: &mut Json, address: &Address) {
    json.push("address", address.to_string());
    json.push(
        "scriptPubKey",
        address.script_pubkey().as_bytes().to_hex_string(Case::Lower),
    );
    json.push(
        "isscript",
        address.script_pubkey().is_p2sh() || address.script_pubkey().is_v0_p2wsh(),
    );
    if let Payload::WitnessProgram { version, program } = &address.payload {
        json.push("iswitness", true);
        json.push("witness_version", u32::from(version.to_u8()));
        json.push("witness_program", hex::encode(program));
    } else {
        json.push("iswitness", false);
    }
    let key = address
        .blinding_pubkey
        .map(|key| hex::encode(key.serialize()))
        .unwrap_or_default();
    json.push("confidential_key", key);
    json.push("unconfidential", address.to_unconfidential().to_string());
}
