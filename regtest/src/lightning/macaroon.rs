//! The admin macaroon: libmacaroons' binary format, version 2, as LND writes it.

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use tonic::Status;
use tonic::metadata::MetadataMap;

/// The binary format's version and fields.
const VERSION: u8 = 2;
const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;
const SIGNATURE: u8 = 6;
const END: u8 = 0;

/// What a caller must show.
#[derive(Clone)]
pub(super) struct Macaroon(Vec<u8>);

impl Macaroon {
    /// A new one, signed by a root key that nobody else has.
    pub(super) fn generate() -> Macaroon {
        let root_key: [u8; 32] = rand::random();
        let nonce: [u8; 16] = rand::random();
        // Version 3 of the bakery's identifiers: a protobuf of the nonce and the root key's name, "0".
        let mut identifier = vec![3, 0x0a, 16];
        identifier.extend(nonce);
        identifier.extend([0x12, 1, b'0']);
        let key = hmac(b"macaroons-key-generator", &root_key);
        let signature = hmac(&key, &identifier);
        let mut bytes = vec![VERSION];
        field(&mut bytes, LOCATION, b"lnd");
        field(&mut bytes, IDENTIFIER, &identifier);
        bytes.extend([END, END]);
        field(&mut bytes, SIGNATURE, &signature);
        Macaroon(bytes)
    }

    /// What the file holds.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lets only this macaroon pass, as LND does (macaroons/service.go).
    pub(super) fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let shown: Vec<_> = metadata.get_all("macaroon").iter().collect();
        let [shown] = shown[..] else {
            return Err(Status::unknown(format!("expected 1 macaroon, got {}", shown.len())));
        };
        let shown = hex::decode(shown.as_bytes()).map_err(|error| Status::unknown(format!("encoding/hex: {error}")))?;
        match shown.first() {
            Some(_) if shown == self.0 => Ok(()),
            Some(&VERSION) => Err(Status::unknown(
                "verification failed: signature mismatch after caveat verification",
            )),
            Some(_) => Err(Status::unknown(
                "cannot determine data format of binary-encoded macaroon",
            )),
            None => Err(Status::unknown("empty macaroon data")),
        }
    }
}

fn field(bytes: &mut Vec<u8>, kind: u8, data: &[u8]) {
    let length = u8::try_from(data.len()).expect("no field is longer than 127 bytes");
    bytes.extend([kind, length]);
    bytes.extend(data);
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    engine.input(data);
    Hmac::from_engine(engine).to_byte_array()
}
