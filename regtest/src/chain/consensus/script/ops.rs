//! What each opcode does.

use bitcoin::hashes::{Hash, hash160, ripemd160, sha1, sha256, sha256d};
use bitcoin::opcodes::{Opcode, all};

use super::machine::Machine;
use super::{ScriptError, number, signature};

const SEQUENCE_DISABLE_FLAG: i64 = 1 << 31;
const SEQUENCE_TIME_FLAG: u32 = 1 << 22;
const SEQUENCE_MASK: u32 = 0xffff;
const LOCKTIME_THRESHOLD: i64 = 500_000_000;
const MAX_MULTISIG_KEYS: i64 = 20;

/// Executes one opcode that is neither a data push nor a conditional.
pub fn execute(m: &mut Machine<'_>, op: Opcode) -> Result<(), ScriptError> {
    let code = op.to_u8();
    match op {
        all::OP_PUSHNUM_NEG1 => m.push_number(-1),
        _ if (all::OP_PUSHNUM_1.to_u8()..=all::OP_PUSHNUM_16.to_u8()).contains(&code) => {
            m.push_number(i64::from(code - all::OP_PUSHNUM_1.to_u8()) + 1);
        }
        all::OP_NOP => {}
        all::OP_CLTV => check_lock_time(m)?,
        all::OP_CSV => check_sequence(m)?,
        _ if (all::OP_NOP1.to_u8()..=all::OP_NOP10.to_u8()).contains(&code) => {
            return if m.minimal() {
                Err(ScriptError::DiscourageUpgradableNops)
            } else {
                Ok(())
            };
        }
        all::OP_RETURN => return Err(ScriptError::OpReturn),
        all::OP_VERIFY => verify(m, ScriptError::Verify)?,
        all::OP_CHECKSIG => check_sig(m)?,
        all::OP_CHECKSIGVERIFY => {
            check_sig(m)?;
            verify(m, ScriptError::CheckSigVerify)?;
        }
        all::OP_CHECKMULTISIG => check_multisig(m)?,
        all::OP_CHECKMULTISIGVERIFY => {
            check_multisig(m)?;
            verify(m, ScriptError::CheckMultisigVerify)?;
        }
        all::OP_SHA256 | all::OP_HASH160 | all::OP_HASH256 | all::OP_RIPEMD160 | all::OP_SHA1 => hash(m, op)?,
        _ if is_stack_op(op) => rearrange(m, op)?,
        _ => arithmetic(m, op)?,
    }
    Ok(())
}

/// Takes the top item and fails with this error unless it is true.
fn verify(m: &mut Machine<'_>, error: ScriptError) -> Result<(), ScriptError> {
    let item = m.pop()?;
    if number::is_true(&item) { Ok(()) } else { Err(error) }
}

fn hash(m: &mut Machine<'_>, op: Opcode) -> Result<(), ScriptError> {
    let item = m.pop()?;
    m.stack.push(match op {
        all::OP_SHA256 => sha256::Hash::hash(&item).to_byte_array().to_vec(),
        all::OP_HASH160 => hash160::Hash::hash(&item).to_byte_array().to_vec(),
        all::OP_HASH256 => sha256d::Hash::hash(&item).to_byte_array().to_vec(),
        all::OP_RIPEMD160 => ripemd160::Hash::hash(&item).to_byte_array().to_vec(),
        _ => sha1::Hash::hash(&item).to_byte_array().to_vec(),
    });
    Ok(())
}

fn is_stack_op(op: Opcode) -> bool {
    matches!(
        op,
        all::OP_TOALTSTACK
            | all::OP_FROMALTSTACK
            | all::OP_IFDUP
            | all::OP_DEPTH
            | all::OP_DROP
            | all::OP_2DROP
            | all::OP_DUP
            | all::OP_2DUP
            | all::OP_NIP
            | all::OP_OVER
            | all::OP_ROT
            | all::OP_SWAP
            | all::OP_TUCK
            | all::OP_SIZE
    )
}

fn rearrange(m: &mut Machine<'_>, op: Opcode) -> Result<(), ScriptError> {
    match op {
        all::OP_TOALTSTACK => {
            let item = m.pop()?;
            m.alt.push(item);
        }
        all::OP_FROMALTSTACK => {
            let item = m.alt.pop().ok_or(ScriptError::InvalidAltstackOperation)?;
            m.stack.push(item);
        }
        all::OP_IFDUP => {
            let item = m.peek(0)?.clone();
            if number::is_true(&item) {
                m.stack.push(item);
            }
        }
        all::OP_DEPTH => m.push_number(m.stack.len() as i64),
        all::OP_DROP => drop(m.pop()?),
        all::OP_2DROP => {
            m.pop()?;
            m.pop()?;
        }
        all::OP_DUP => m.stack.push(m.peek(0)?.clone()),
        all::OP_2DUP => {
            let pair = [m.peek(1)?.clone(), m.peek(0)?.clone()];
            m.stack.extend(pair);
        }
        all::OP_OVER => m.stack.push(m.peek(1)?.clone()),
        all::OP_SIZE => {
            let size = m.peek(0)?.len();
            m.push_number(size as i64);
        }
        _ => reorder(m, op)?,
    }
    Ok(())
}

fn reorder(m: &mut Machine<'_>, op: Opcode) -> Result<(), ScriptError> {
    let top = m.pop()?;
    let second = m.pop()?;
    match op {
        all::OP_NIP => m.stack.push(top),
        all::OP_SWAP => m.stack.extend([top, second]),
        all::OP_TUCK => m.stack.extend([top.clone(), second, top]),
        _ => {
            let third = m.pop()?;
            m.stack.extend([second, top, third]);
        }
    }
    Ok(())
}

fn arithmetic(m: &mut Machine<'_>, op: Opcode) -> Result<(), ScriptError> {
    match op {
        all::OP_EQUAL | all::OP_EQUALVERIFY => {
            let equal = m.pop()? == m.pop()?;
            m.push_bool(equal);
            if op == all::OP_EQUALVERIFY {
                verify(m, ScriptError::EqualVerify)?;
            }
            return Ok(());
        }
        all::OP_1ADD | all::OP_1SUB | all::OP_NEGATE | all::OP_ABS | all::OP_NOT | all::OP_0NOTEQUAL => {
            let a = m.pop_number()?;
            m.push_number(match op {
                all::OP_1ADD => a + 1,
                all::OP_1SUB => a - 1,
                all::OP_NEGATE => -a,
                all::OP_ABS => a.abs(),
                all::OP_NOT => i64::from(a == 0),
                _ => i64::from(a != 0),
            });
            return Ok(());
        }
        all::OP_WITHIN => {
            let (max, min, x) = (m.pop_number()?, m.pop_number()?, m.pop_number()?);
            m.push_bool(min <= x && x < max);
            return Ok(());
        }
        _ => {}
    }
    binary(m, op)
}

/// Two numbers in, one out.
fn binary(m: &mut Machine<'_>, op: Opcode) -> Result<(), ScriptError> {
    let known = all::OP_ADD.to_u8()..=all::OP_MAX.to_u8();
    let disabled = matches!(
        op,
        all::OP_MUL | all::OP_DIV | all::OP_MOD | all::OP_LSHIFT | all::OP_RSHIFT
    );
    if !known.contains(&op.to_u8()) || disabled {
        return Err(ScriptError::BadOpcode);
    }
    let (b, a) = (m.pop_number()?, m.pop_number()?);
    let value = match op {
        all::OP_ADD => a + b,
        all::OP_SUB => a - b,
        all::OP_BOOLAND => i64::from(a != 0 && b != 0),
        all::OP_BOOLOR => i64::from(a != 0 || b != 0),
        all::OP_NUMEQUAL | all::OP_NUMEQUALVERIFY => i64::from(a == b),
        all::OP_NUMNOTEQUAL => i64::from(a != b),
        all::OP_LESSTHAN => i64::from(a < b),
        all::OP_GREATERTHAN => i64::from(a > b),
        all::OP_LESSTHANOREQUAL => i64::from(a <= b),
        all::OP_GREATERTHANOREQUAL => i64::from(a >= b),
        all::OP_MIN => a.min(b),
        all::OP_MAX => a.max(b),
        _ => return Err(ScriptError::BadOpcode),
    };
    m.push_number(value);
    if op == all::OP_NUMEQUALVERIFY {
        verify(m, ScriptError::NumEqualVerify)
    } else {
        Ok(())
    }
}

/// OP_CHECKLOCKTIMEVERIFY (BIP 65).
fn check_lock_time(m: &mut Machine<'_>) -> Result<(), ScriptError> {
    let wanted = number::read(m.peek(0)?, 5, m.minimal())?;
    if wanted < 0 {
        return Err(ScriptError::NegativeLocktime);
    }
    let actual = i64::from(m.context.lock_time);
    let same_kind = (actual < LOCKTIME_THRESHOLD) == (wanted < LOCKTIME_THRESHOLD);
    if same_kind && wanted <= actual && m.context.sequence != u32::MAX {
        Ok(())
    } else {
        Err(ScriptError::UnsatisfiedLocktime)
    }
}

/// OP_CHECKSEQUENCEVERIFY (BIP 112): the input's own relative lock must be at least the wanted one, of the same kind.
fn check_sequence(m: &mut Machine<'_>) -> Result<(), ScriptError> {
    let wanted = number::read(m.peek(0)?, 5, m.minimal())?;
    if wanted < 0 {
        return Err(ScriptError::NegativeLocktime);
    }
    if wanted & SEQUENCE_DISABLE_FLAG != 0 {
        return Ok(());
    }
    let sequence = m.context.sequence;
    let wanted = (wanted & 0xffff_ffff) as u32 & (SEQUENCE_TIME_FLAG | SEQUENCE_MASK);
    let actual = sequence & (SEQUENCE_TIME_FLAG | SEQUENCE_MASK);
    let enabled = m.context.version >= 2 && i64::from(sequence) & SEQUENCE_DISABLE_FLAG == 0;
    let same_kind = wanted & SEQUENCE_TIME_FLAG == actual & SEQUENCE_TIME_FLAG;
    if enabled && same_kind && wanted <= actual {
        Ok(())
    } else {
        Err(ScriptError::UnsatisfiedLocktime)
    }
}

fn check_sig(m: &mut Machine<'_>) -> Result<(), ScriptError> {
    if !m.witness {
        return Err(ScriptError::Unsupported);
    }
    let key = m.pop()?;
    let sig = m.pop()?;
    let good = signature::check(&sig, &key, m.script, m.context)?;
    m.push_bool(good);
    Ok(())
}

fn check_multisig(m: &mut Machine<'_>) -> Result<(), ScriptError> {
    if !m.witness {
        return Err(ScriptError::Unsupported);
    }
    let key_count = m.pop_number()?;
    if !(0..=MAX_MULTISIG_KEYS).contains(&key_count) {
        return Err(ScriptError::PubkeyCount);
    }
    m.count_ops(key_count as usize)?;
    let keys = (0..key_count).map(|_| m.pop()).collect::<Result<Vec<_>, _>>()?;
    let sig_count = m.pop_number()?;
    if !(0..=key_count).contains(&sig_count) {
        return Err(ScriptError::SigCount);
    }
    let sigs = (0..sig_count).map(|_| m.pop()).collect::<Result<Vec<_>, _>>()?;
    let good = all_signed(m, &sigs, &keys)?;
    if !good && m.minimal() && sigs.iter().any(|sig| !sig.is_empty()) {
        return Err(ScriptError::SigNullFail);
    }
    // The historical extra item: since BIP 147 it must be empty in witness scripts, by consensus.
    if !m.pop()?.is_empty() {
        return Err(ScriptError::SigNullDummy);
    }
    m.push_bool(good);
    Ok(())
}

/// Signatures must come in the order of their keys; both lists are top of stack first.
fn all_signed(m: &Machine<'_>, sigs: &[Vec<u8>], keys: &[Vec<u8>]) -> Result<bool, ScriptError> {
    let (mut sigs, mut keys) = (sigs, keys);
    while let ([sig, more_sigs @ ..], [key, more_keys @ ..]) = (sigs, keys) {
        signature::check_encoding(sig, m.context.rules)?;
        signature::check_key(key, m.context.rules)?;
        if signature::is_valid(sig, key, m.script, m.context) {
            sigs = more_sigs;
        }
        keys = more_keys;
        if sigs.len() > keys.len() {
            return Ok(false);
        }
    }
    Ok(sigs.is_empty())
}
