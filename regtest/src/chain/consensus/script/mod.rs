//! Runs the scripts that guard outputs: bare `OP_TRUE`-like scripts, P2WPKH and P2WSH, on the chain's own signature hash.
//!
//! Knows the opcodes that scripts of Lightning, swaps and multisig wallets use; any other opcode, legacy signatures,
//! taproot and P2SH are refused rather than guessed. Rules are those of `script/interpreter.cpp` for `WITNESS_V0`.

mod error;
mod machine;
mod number;
mod ops;
mod signature;

use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::opcodes::all;
use bitcoin::script::{Builder, PushBytes, Script};

use super::super::Ledger;
use super::Reject;
pub use error::ScriptError;
use machine::Machine;

/// Largest script, in bytes.
pub const MAX_SCRIPT_SIZE: usize = 10_000;

/// Which rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those of blocks: what a miner may do.
    Mandatory,
    /// Those of relay on top: minimal encodings, low S, empty failed signatures, nothing left on the stack.
    Standard,
}

/// What opcodes that look outside of the script see of the input.
pub struct InputContext<'a> {
    /// Version of the spending transaction.
    pub version: u32,
    /// Its lock time.
    pub lock_time: u32,
    /// Sequence number of the input.
    pub sequence: u32,
    /// Rules of encodings.
    pub rules: Rules,
    /// What a signature of this hash type over this script commits to.
    pub sighash: &'a dyn Fn(&Script, u8) -> [u8; 32],
}

/// Checks that every input satisfies the script of the output it spends.
///
/// # Errors
/// With the reason that the release gives.
pub fn verify_inputs<L: Ledger>(tx: &L::Transaction, spent: &[L::TxOut], release: L::Release) -> Result<(), Reject> {
    for (index, output) in spent.iter().enumerate() {
        let Err(standard) = verify_input::<L>(tx, index, output, Rules::Standard) else {
            continue;
        };
        let previous = L::inputs(tx)[index].previous;
        let place = format!(
            "input {index} of {} (wtxid {}), spending {}:{}",
            L::txid(tx),
            L::wtxid(tx),
            L::outpoint_txid(&previous),
            L::outpoint_vout(&previous)
        );
        let mandatory = verify_input::<L>(tx, index, output, Rules::Mandatory).err();
        let mandatory = mandatory.map(|error| error.to_string());
        return Err(L::script_reject(
            release,
            &standard.to_string(),
            mandatory.as_deref(),
            place,
        ));
    }
    Ok(())
}

/// Checks what a block requires: that every input satisfies the script of the output it spends, by the mandatory rules.
///
/// # Errors
/// `mandatory-script-verify-flag-failed (…)`.
pub fn verify_inputs_for_block<L: Ledger>(tx: &L::Transaction, spent: &[L::TxOut]) -> Result<(), Reject> {
    for (index, output) in spent.iter().enumerate() {
        verify_input::<L>(tx, index, output, Rules::Mandatory)
            .map_err(|error| Reject::new(format!("mandatory-script-verify-flag-failed ({error})")))?;
    }
    Ok(())
}

/// Checks one input against the output that it spends.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_input<L: Ledger>(
    tx: &L::Transaction,
    index: usize,
    spent: &L::TxOut,
    rules: Rules,
) -> Result<(), ScriptError> {
    let inputs = L::inputs(tx);
    let input = &inputs[index];
    let context = InputContext {
        version: L::version(tx),
        lock_time: L::lock_time(tx),
        sequence: input.sequence,
        rules,
        sighash: &|code, hash_type| L::sighash(tx, index, code, spent, hash_type),
    };
    let witness: Vec<Vec<u8>> = input.witness.iter().map(|item| item.to_vec()).collect();
    let program = L::script(spent);
    if program.is_witness_program() && !input.script_sig.is_empty() {
        return Err(ScriptError::WitnessMalleated);
    }
    if program.is_p2wpkh() {
        verify_key_hash(&program.as_bytes()[2..], witness, &context)
    } else if program.is_p2wsh() {
        verify_script_hash(&program.as_bytes()[2..], witness, &context)
    } else if program.is_witness_program() || program.is_p2sh() {
        Err(ScriptError::Unsupported)
    } else if !witness.is_empty() {
        Err(ScriptError::WitnessUnexpected)
    } else {
        verify_bare(input.script_sig, program, &context)
    }
}

fn verify_key_hash(hash: &[u8], witness: Vec<Vec<u8>>, context: &InputContext<'_>) -> Result<(), ScriptError> {
    if witness.len() != 2 || hash160::Hash::hash(&witness[1]).as_ref() as &[u8] != hash {
        return Err(ScriptError::WitnessProgramMismatch);
    }
    run_witness_script(&key_hash_code(hash), witness, context)
}

/// The script of a P2WPKH program: what P2PKH is for the same hash (BIP 143).
pub fn key_hash_code(hash: &[u8]) -> bitcoin::ScriptBuf {
    let hash: &PushBytes = hash.try_into().expect("a hash of 20 bytes can be pushed");
    Builder::new()
        .push_opcode(all::OP_DUP)
        .push_opcode(all::OP_HASH160)
        .push_slice(hash)
        .push_opcode(all::OP_EQUALVERIFY)
        .push_opcode(all::OP_CHECKSIG)
        .into_script()
}

fn verify_script_hash(hash: &[u8], mut witness: Vec<Vec<u8>>, context: &InputContext<'_>) -> Result<(), ScriptError> {
    let script = witness.pop().ok_or(ScriptError::WitnessProgramEmpty)?;
    if sha256::Hash::hash(&script).as_ref() as &[u8] != hash {
        return Err(ScriptError::WitnessProgramMismatch);
    }
    run_witness_script(Script::from_bytes(&script), witness, context)
}

/// A witness script must leave exactly one true item: for witnesses a clean stack is consensus.
fn run_witness_script(script: &Script, stack: Vec<Vec<u8>>, context: &InputContext<'_>) -> Result<(), ScriptError> {
    if stack.iter().any(|item| item.len() > machine::MAX_ELEMENT_SIZE) {
        return Err(ScriptError::PushSize);
    }
    let left = Machine::new(script, stack, context)?.run()?;
    match left.as_slice() {
        [top] if number::is_true(top) => Ok(()),
        [_] => Err(ScriptError::EvalFalse),
        _ => Err(ScriptError::CleanStack),
    }
}

fn verify_bare(script_sig: &Script, program: &Script, context: &InputContext<'_>) -> Result<(), ScriptError> {
    if context.rules == Rules::Standard && !machine::is_push_only(script_sig) {
        return Err(ScriptError::SigPushOnly);
    }
    let stack = Machine::new(script_sig, Vec::new(), context)?.bare().run()?;
    let left = Machine::new(program, stack, context)?.bare().run()?;
    match left.last() {
        Some(top) if number::is_true(top) => {}
        _ => return Err(ScriptError::EvalFalse),
    }
    if context.rules == Rules::Standard && left.len() != 1 {
        return Err(ScriptError::CleanStack);
    }
    Ok(())
}
