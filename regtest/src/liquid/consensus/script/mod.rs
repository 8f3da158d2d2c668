//! Runs the scripts that guard outputs: bare `OP_TRUE`-like scripts, P2WPKH and P2WSH, on Elements' own signature hash.
//!
//! Knows the opcodes that scripts of Lightning, swaps and multisig wallets use; any other opcode, legacy signatures,
//! taproot and P2SH are refused rather than guessed. Rules are those of `script/interpreter.cpp` for `WITNESS_V0`.

mod error;
mod machine;
mod number;
mod ops;
mod signature;

use elements::confidential::Value;
use elements::hashes::{hash160, sha256};
use elements::opcodes::all;
use elements::script::Builder;
use elements::sighash::SighashCache;
use elements::{OutPoint, Script, Transaction, TxOut};

use super::super::Release;
use super::Reject;
pub use error::ScriptError;
use machine::Machine;

/// Largest script, in bytes.
const MAX_SCRIPT_SIZE: usize = 10_000;

/// Which rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those of blocks: what a miner may do.
    Mandatory,
    /// Those of relay on top: minimal encodings, low S, empty failed signatures, nothing left on the stack.
    Standard,
}

/// What the signature checks of one input look at.
pub struct InputContext<'a> {
    /// The spending transaction.
    pub tx: &'a Transaction,
    /// Which of its inputs.
    pub index: usize,
    /// The spent output's value: the signature commits to it as it is serialised, hidden or not.
    pub value: Value,
    /// Rules of encodings.
    pub rules: Rules,
}

/// Checks that every input satisfies the script of the output it spends.
///
/// # Errors
/// With the reason that the release gives. 23.3: `mempool-script-verify-flag-failed (…)`. Newer:
/// `mandatory-script-verify-flag-failed (…)` where blocks refuse too, else `non-mandatory-script-verify-flag (…)`.
pub fn verify_inputs(tx: &Transaction, spent: &[TxOut], release: Release) -> Result<(), Reject> {
    for (index, output) in spent.iter().enumerate() {
        let Err(standard) = verify_input(tx, index, output, Rules::Standard) else {
            continue;
        };
        if release == Release::V23 {
            return Err(Reject::new(format!("mempool-script-verify-flag-failed ({standard})")));
        }
        let OutPoint { txid, vout } = tx.input[index].previous_output;
        let detail = format!(
            "input {index} of {} (wtxid {}), spending {txid}:{vout}",
            tx.txid(),
            tx.wtxid()
        );
        return Err(match verify_input(tx, index, output, Rules::Mandatory) {
            Ok(()) => Reject::with(format!("non-mandatory-script-verify-flag ({standard})"), detail),
            Err(mandatory) => Reject::with(format!("mandatory-script-verify-flag-failed ({mandatory})"), detail),
        });
    }
    Ok(())
}

/// Checks what a block requires: that every input satisfies the script of the output it spends, by the mandatory rules.
///
/// # Errors
/// `mandatory-script-verify-flag-failed (…)`.
pub fn verify_inputs_for_block(tx: &Transaction, spent: &[TxOut]) -> Result<(), Reject> {
    for (index, output) in spent.iter().enumerate() {
        verify_input(tx, index, output, Rules::Mandatory)
            .map_err(|error| Reject::new(format!("mandatory-script-verify-flag-failed ({error})")))?;
    }
    Ok(())
}

/// Checks one input against the output that it spends.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_input(tx: &Transaction, index: usize, spent: &TxOut, rules: Rules) -> Result<(), ScriptError> {
    let input = &tx.input[index];
    let context = InputContext {
        tx,
        index,
        value: spent.value,
        rules,
    };
    let witness: Vec<Vec<u8>> = input.witness.script_witness.iter().map(<[u8]>::to_vec).collect();
    let program = &spent.script_pubkey;
    if program.is_witness_program() && !input.script_sig.is_empty() {
        return Err(ScriptError::WitnessMalleated);
    }
    if program.is_v0_p2wpkh() {
        verify_key_hash(&program.as_bytes()[2..], witness, &context)
    } else if program.is_v0_p2wsh() {
        verify_script_hash(&program.as_bytes()[2..], witness, &context)
    } else if program.is_witness_program() || program.is_p2sh() {
        Err(ScriptError::Unsupported)
    } else if !witness.is_empty() {
        Err(ScriptError::WitnessUnexpected)
    } else {
        verify_bare(&input.script_sig, program, &context)
    }
}

fn verify_key_hash(hash: &[u8], witness: Vec<Vec<u8>>, context: &InputContext<'_>) -> Result<(), ScriptError> {
    if witness.len() != 2 || hash160::Hash::hash(&witness[1]).as_ref() as &[u8] != hash {
        return Err(ScriptError::WitnessProgramMismatch);
    }
    let script = Builder::new()
        .push_opcode(all::OP_DUP)
        .push_opcode(all::OP_HASH160)
        .push_slice(hash)
        .push_opcode(all::OP_EQUALVERIFY)
        .push_opcode(all::OP_CHECKSIG)
        .into_script();
    run_witness_script(&script, witness, context)
}

fn verify_script_hash(hash: &[u8], mut witness: Vec<Vec<u8>>, context: &InputContext<'_>) -> Result<(), ScriptError> {
    let script = witness.pop().ok_or(ScriptError::WitnessProgramEmpty)?;
    if sha256::Hash::hash(&script).as_ref() as &[u8] != hash {
        return Err(ScriptError::WitnessProgramMismatch);
    }
    run_witness_script(&Script::from(script), witness, context)
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

impl InputContext<'_> {
    fn sighash(&self, script_code: &Script, hash_type: elements::EcdsaSighashType) -> [u8; 32] {
        let mut cache = SighashCache::new(self.tx);
        cache
            .segwitv0_sighash(self.index, script_code, self.value, hash_type)
            .to_byte_array()
    }
}
