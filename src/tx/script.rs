//! The opening script: who may spend an opening, and when.
//!
//! ```text
//! maker CHECKSIG NOTIF                                      maker's signature alone: the CSV path below
//!   maker CHECKSIG NOTIF                                    a second one: the cooperative path, no preimage asked
//!     SIZE 32 EQUALVERIFY SHA256 hash EQUALVERIFY           none: the preimage path
//!   ENDIF
//!   taker CHECKSIG
//! ELSE
//!   csv CHECKSEQUENCEVERIFY
//! ENDIF
//! ```
//!
//! The same on both chains (peerswap onchain/utils.go:28-50 at 816a5bb). The length of a path's witness alone tells
//! which path it is, because a version 0 witness must leave exactly one element on the stack.

use bitcoin::opcodes::all as op;
use bitcoin::script::{Builder, Instruction, Script, ScriptBuf, read_scriptint};

use crate::units::{Blocks, PaymentHash, PubKey};

/// What an opening script says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningScript {
    /// The maker's swap key.
    pub maker: PubKey,
    /// The taker's swap key.
    pub taker: PubKey,
    /// The hash of the claim invoice.
    pub hash: PaymentHash,
    /// Blocks between the opening's confirmation and the maker's refund (BIP 112); below 65536.
    pub csv: Blocks,
}

/// Bytes before the hash: two times key and two opcodes, then SIZE 32 EQUALVERIFY SHA256 and the hash's length.
const HASH_AT: usize = 78;
/// Bytes before the taker's key: EQUALVERIFY, ENDIF and the key's length follow the hash.
const TAKER_AT: usize = HASH_AT + 32 + 3;
/// Bytes before the timelock: CHECKSIG and ELSE follow the taker's key.
const CSV_AT: usize = TAKER_AT + 33 + 2;

impl OpeningScript {
    /// The witness script's bytes.
    #[must_use]
    pub fn to_script(&self) -> ScriptBuf {
        let maker = self.maker.serialize();
        Builder::new()
            .push_slice(maker)
            .push_opcode(op::OP_CHECKSIG)
            .push_opcode(op::OP_NOTIF)
            .push_slice(maker)
            .push_opcode(op::OP_CHECKSIG)
            .push_opcode(op::OP_NOTIF)
            .push_opcode(op::OP_SIZE)
            .push_int(32)
            .push_opcode(op::OP_EQUALVERIFY)
            .push_opcode(op::OP_SHA256)
            .push_slice(self.hash.0)
            .push_opcode(op::OP_EQUALVERIFY)
            .push_opcode(op::OP_ENDIF)
            .push_slice(self.taker.serialize())
            .push_opcode(op::OP_CHECKSIG)
            .push_opcode(op::OP_ELSE)
            .push_int(i64::from(self.csv.0))
            .push_opcode(op::OP_CSV)
            .push_opcode(op::OP_ENDIF)
            .into_script()
    }

    /// Reads a witness script. None unless it is, byte for byte, one that [`Self::to_script`] makes with a timelock
    /// that an input's sequence can express.
    #[must_use]
    pub fn parse(script: &Script) -> Option<Self> {
        let bytes = script.as_bytes();
        let parsed = Self {
            maker: PubKey::from_slice(bytes.get(1..34)?).ok()?,
            taker: PubKey::from_slice(bytes.get(TAKER_AT..TAKER_AT + 33)?).ok()?,
            hash: PaymentHash(bytes.get(HASH_AT..HASH_AT + 32)?.try_into().ok()?),
            csv: read_csv(bytes.get(CSV_AT..)?)?,
        };
        (parsed.to_script().as_script() == script).then_some(parsed)
    }

    /// The timelock as an input's sequence (BIP 68, in blocks).
    #[must_use]
    pub fn refund_sequence(&self) -> u32 {
        self.csv.0
    }
}

fn read_csv(tail: &[u8]) -> Option<Blocks> {
    let number = match Script::from_bytes(tail).instructions().next()?.ok()? {
        Instruction::PushBytes(bytes) => read_scriptint(bytes.as_bytes()).ok()?,
        Instruction::Op(opcode) => {
            let small = opcode.to_u8().checked_sub(op::OP_PUSHNUM_1.to_u8())?;
            i64::from(small) + 1
        }
    };
    u16::try_from(number).ok().map(|blocks| Blocks(blocks.into()))
}
