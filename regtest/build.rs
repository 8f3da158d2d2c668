//! Generates LND's gRPC, servers for the embedded nodes and clients for the tests; `protox` needs no `protoc`.

use std::error::Error;

/// Messages that carry preimages: their `Debug` must not print them.
const SECRET: [&str; 3] = ["lnrpc.Invoice", "lnrpc.Payment", "lnrpc.HTLCAttempt"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../proto");
    let definitions = protox::compile(["routerrpc.proto", "invoicesrpc.proto"], ["../proto"])?;
    tonic_prost_build::configure()
        .skip_debug(SECRET)
        .include_file("lnd.rs")
        .compile_fds(definitions)?;
    Ok(())
}
