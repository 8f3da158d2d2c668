//! What a macaroon allows, read from the macaroon itself: lnd writes it into the identifier and signs it.
//!
//! A permission that is missing is named before the call that needs it fails in the middle of a swap. docs/nodes.md
//! has the list for operators.

use prost::Message;

use super::api::lnrpc::{MacaroonId, Op};

/// A call, and what lnd wants for it: entity and action (`MainRPCServerPermissions` in rpcserver.go and `macPermissions` of
/// the subservers, v0.20.0-beta).
pub(super) type Needed = (&'static str, &'static str, &'static str);

/// Each call that Sluice makes to the node.
pub(super) const NODE: &[Needed] = &[
    ("/lnrpc.Lightning/GetInfo", "info", "read"),
    ("/lnrpc.Lightning/GetChanInfo", "info", "read"),
    ("/lnrpc.Lightning/ListPeers", "peers", "read"),
    ("/lnrpc.Lightning/SubscribePeerEvents", "peers", "read"),
    ("/lnrpc.Lightning/ListChannels", "offchain", "read"),
    ("/lnrpc.Lightning/SubscribeCustomMessages", "offchain", "read"),
    ("/lnrpc.Lightning/SendCustomMessage", "offchain", "write"),
    ("/routerrpc.Router/TrackPaymentV2", "offchain", "read"),
    ("/routerrpc.Router/SendPaymentV2", "offchain", "write"),
    ("/lnrpc.Lightning/AddInvoice", "invoices", "write"),
    ("/invoicesrpc.Invoices/LookupInvoiceV2", "invoices", "write"),
    ("/invoicesrpc.Invoices/SubscribeSingleInvoice", "invoices", "read"),
    ("/invoicesrpc.Invoices/CancelInvoice", "invoices", "write"),
];

/// Each call that Sluice makes to the node's wallet, if that has the money for openings.
pub(super) const WALLET: &[Needed] = &[
    ("/walletrpc.WalletKit/ListUnspent", "onchain", "read"),
    ("/walletrpc.WalletKit/ListLeases", "onchain", "read"),
    ("/walletrpc.WalletKit/RequiredReserve", "onchain", "read"),
    ("/walletrpc.WalletKit/NextAddr", "address", "read"),
    ("/walletrpc.WalletKit/LeaseOutput", "onchain", "write"),
    ("/walletrpc.WalletKit/ReleaseOutput", "onchain", "write"),
    ("/walletrpc.WalletKit/FinalizePsbt", "onchain", "write"),
    ("/walletrpc.WalletKit/SendOutputs", "onchain", "write"),
];

// libmacaroons' binary format, version 2.
const VERSION: u8 = 2;
const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;
/// The version of the bakery's identifiers.
const IDENTIFIER_VERSION: u8 = 3;

/// Names what a macaroon lacks for calls. One that does not tell what it allows passes: lnd will say.
pub(super) fn check(macaroon: &[u8], needed: &[Needed]) -> Result<(), String> {
    let Some(ops) = operations(macaroon) else {
        return Ok(());
    };
    let has = |entity: &str, action: &str| {
        let of_entity = ops.iter().filter(|op| op.entity == entity);
        of_entity.flat_map(|op| &op.actions).any(|held| held == action)
    };
    let mut missing: Vec<String> = Vec::new();
    for &(method, entity, action) in needed {
        let permission = format!("{entity}:{action}");
        if !has(entity, action) && !has("uri", method) && !missing.contains(&permission) {
            missing.push(permission);
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("lacks the permissions {}", missing.join(", ")))
    }
}

/// What it allows; None if it does not tell in a way that is known here.
fn operations(macaroon: &[u8]) -> Option<Vec<Op>> {
    let mut rest = macaroon.strip_prefix(&[VERSION])?;
    loop {
        let (&kind, after) = rest.split_first()?;
        let (length, after) = length(after)?;
        let (content, after) = after.split_at_checked(length)?;
        match kind {
            LOCATION => rest = after,
            IDENTIFIER => {
                let identifier = MacaroonId::decode(content.strip_prefix(&[IDENTIFIER_VERSION])?).ok()?;
                return Some(identifier.ops).filter(|ops| !ops.is_empty());
            }
            _ => return None,
        }
    }
}

/// A number of at most two bytes, seven bits in each: identifiers are short.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [low, ref rest @ ..] if low < 0x80 => Some((low.into(), rest)),
        [low, high, ref rest @ ..] if high < 0x80 => Some((usize::from(low & 0x7f) | usize::from(high) << 7, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn macaroon(ops: &[(&str, &[&str])]) -> Vec<u8> {
        let ops = ops.iter().map(|(entity, actions)| Op {
            entity: (*entity).into(),
            actions: actions.iter().map(|action| (*action).into()).collect(),
        });
        let mut identifier = vec![IDENTIFIER_VERSION];
        identifier.extend(MacaroonId { ops: ops.collect() }.encode_to_vec());
        let mut bytes = vec![VERSION, LOCATION, 3];
        bytes.extend(b"lnd");
        bytes.push(IDENTIFIER);
        let (low, high) = (identifier.len() & 0x7f, identifier.len() >> 7);
        bytes.push(u8::try_from(low).unwrap() | 0x80);
        bytes.push(u8::try_from(high).unwrap());
        bytes.extend(identifier);
        bytes.extend([0, 0, 6, 0]);
        bytes
    }

    #[test]
    fn the_documented_permissions_are_enough() {
        let broad: [(&str, &[&str]); 4] = [
            ("info", &["read"]),
            ("invoices", &["read", "write"]),
            ("offchain", &["read", "write"]),
            ("peers", &["read"]),
        ];
        assert_eq!(check(&macaroon(&broad), NODE), Ok(()));
        let wallet: [(&str, &[&str]); 2] = [("address", &["read"]), ("onchain", &["read", "write"])];
        assert_eq!(check(&macaroon(&wallet), WALLET), Ok(()));
        for needed in [NODE, WALLET] {
            let methods: Vec<&str> = needed.iter().map(|(method, _, _)| *method).collect();
            assert_eq!(check(&macaroon(&[("uri", &methods)]), needed), Ok(()));
        }
    }

    #[test]
    fn what_is_missing_is_named_once() {
        let read_only: [(&str, &[&str]); 4] = [
            ("info", &["read"]),
            ("invoices", &["read"]),
            ("offchain", &["read"]),
            ("peers", &["read"]),
        ];
        assert_eq!(
            check(&macaroon(&read_only), NODE),
            Err("lacks the permissions offchain:write, invoices:write".into())
        );
        assert_eq!(
            check(&macaroon(&read_only), WALLET),
            Err("lacks the permissions onchain:read, address:read, onchain:write".into())
        );
    }

    #[test]
    fn a_macaroon_that_does_not_tell_is_for_lnd_to_judge() {
        for odd in [&b""[..], b"nonsense", &macaroon(&[]), &[2, 2, 0x80], &[2, 1, 200, 1]] {
            assert_eq!(check(odd, NODE), Ok(()), "{odd:?}");
        }
    }
}
