//! An asset's id as PeerSwap's requests carry it.

use elements::AssetId;

/// Bytes that name no explicit asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an asset begins with 01 (explicit), not {0:02x}")]
pub struct WireAssetError(
    /// The first byte.
    pub u8,
);

/// 01 and the asset id in the byte order of transactions, the reverse of the one that people see
/// (peerswap onchain/liquid.go:43-50 at 816a5bb).
#[must_use]
pub fn asset_to_wire(asset: AssetId) -> [u8; 33] {
    let mut wire = [1; 33];
    wire[1..].copy_from_slice(&asset.to_byte_array());
    wire
}

/// The asset that these bytes name.
pub fn asset_from_wire(wire: &[u8; 33]) -> Result<AssetId, WireAssetError> {
    let [1, id @ ..] = wire else {
        return Err(WireAssetError(wire[0]));
    };
    Ok(AssetId::from_byte_array(*id))
}
