//! Generates the clients of the nodes' gRPC; `protox` compiles the definitions, so that no `protoc` is needed.

use std::error::Error;

/// Messages that carry preimages: their `Debug` must not print them.
const SECRET: [&str; 7] = [
    "lnrpc.Invoice",
    "lnrpc.Payment",
    "lnrpc.HTLCAttempt",
    "cln.InvoiceRequest",
    "cln.WaitsendpayResponse",
    "cln.ListsendpaysPayments",
    "cln.ListsendpaysResponse",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let clients = || tonic_prost_build::configure().build_server(false).skip_debug(SECRET);
    let lnd = protox::compile(["routerrpc.proto", "invoicesrpc.proto", "walletrpc.proto"], ["proto"])?;
    clients().include_file("lnd.rs").compile_fds(lnd)?;
    // Its package gives the file its name, cln.rs.
    clients().compile_fds(protox::compile(["cln.proto"], ["proto"])?)?;
    Ok(())
}
