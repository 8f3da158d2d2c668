//! Executes the opcodes that the opening script has, with real signature checks.

use bitcoin::hashes::{Hash, sha256};
use elements::opcodes::all as op;
use elements::script::Instruction;
use elements::secp256k1_zkp::{Message, PublicKey, SECP256K1, ecdsa};
use elements::sighash::SighashCache;
use elements::{EcdsaSighashType, Script, Transaction, TxOut};

type Stack = Vec<Vec<u8>>;

struct Machine<'a> {
    tx: &'a Transaction,
    output: &'a TxOut,
    script: &'a Script,
    age: u32,
    stack: Stack,
    branches: Vec<bool>,
}

/// Spends `output` by the first input of `tx`, by the rules of version 0 witnesses and Elements' policy.
pub fn execute(tx: &Transaction, output: &TxOut, age: u32) -> Result<(), String> {
    let mut stack = tx.input[0].witness.script_witness.to_vec();
    let script = Script::from(stack.pop().ok_or("no witness")?);
    if script.to_v0_p2wsh() != output.script_pubkey {
        return Err("another script".into());
    }
    let mut machine = Machine {
        tx,
        output,
        script: &script,
        age,
        stack,
        branches: Vec::new(),
    };
    for instruction in script.instructions_minimal() {
        machine.step(&instruction.map_err(|error| error.to_string())?)?;
    }
    match &machine.stack[..] {
        [top] if truth(top) => Ok(()),
        [_] => Err("false".into()),
        stack => Err(format!("{} elements left", stack.len())),
    }
}

fn truth(element: &[u8]) -> bool {
    element.iter().any(|byte| *byte != 0)
}

impl Machine<'_> {
    fn pop(&mut self) -> Result<Vec<u8>, String> {
        self.stack.pop().ok_or_else(|| "stack is empty".into())
    }

    fn step(&mut self, instruction: &Instruction<'_>) -> Result<(), String> {
        let runs = self.branches.iter().all(|taken| *taken);
        match instruction {
            Instruction::Op(op::OP_NOTIF) => {
                let taken = runs && !truth(&self.pop()?);
                self.branches.push(taken);
            }
            Instruction::Op(op::OP_ELSE) => {
                let last = self.branches.last_mut().ok_or("else without if")?;
                *last = !*last;
            }
            Instruction::Op(op::OP_ENDIF) => drop(self.branches.pop().ok_or("endif without if")?),
            _ if !runs => {}
            Instruction::PushBytes(bytes) => self.stack.push(bytes.to_vec()),
            Instruction::Op(opcode) => self.operate(*opcode)?,
        }
        Ok(())
    }

    fn operate(&mut self, opcode: elements::opcodes::All) -> Result<(), String> {
        match opcode {
            op::OP_CHECKSIG => {
                let (key, signature) = (self.pop()?, self.pop()?);
                let valid = self.check_signature(&key, &signature)?;
                self.stack.push(if valid { vec![1] } else { vec![] });
            }
            op::OP_SIZE => {
                let len = self.stack.last().ok_or("size of nothing")?.len();
                self.stack
                    .push(vec![u8::try_from(len).map_err(|error| error.to_string())?]);
            }
            op::OP_EQUALVERIFY => {
                if self.pop()? != self.pop()? {
                    return Err("not equal".into());
                }
            }
            op::OP_SHA256 => {
                let hash = sha256::Hash::hash(&self.pop()?);
                self.stack.push(hash.to_byte_array().to_vec());
            }
            op::OP_CSV => self.check_sequence()?,
            other => return Err(format!("opcode {other:?}")),
        }
        Ok(())
    }

    fn check_sequence(&self) -> Result<(), String> {
        let lock = self.stack.last().ok_or("no lock")?;
        let lock = bitcoin::script::read_scriptint(lock).map_err(|error| error.to_string())?;
        let sequence = i64::from(self.tx.input[0].sequence.0);
        if self.tx.version < 2 || sequence < lock || i64::from(self.age) < sequence {
            return Err(format!("locked for {lock}, sequence {sequence}, age {}", self.age));
        }
        Ok(())
    }

    /// Elements' policy: a signature that is not valid must be empty; low R and S are not asked here.
    fn check_signature(&self, key: &[u8], signature: &[u8]) -> Result<bool, String> {
        let Some((sighash_type, der)) = signature.split_last() else {
            return Ok(false);
        };
        if *sighash_type != 1 {
            return Err(format!("sighash type {sighash_type}"));
        }
        let hash =
            SighashCache::new(self.tx).segwitv0_sighash(0, self.script, self.output.value, EcdsaSighashType::All);
        let message = Message::from_digest(hash.to_byte_array());
        let key = PublicKey::from_slice(key).map_err(|error| error.to_string())?;
        let signature = ecdsa::Signature::from_der(der).map_err(|error| error.to_string())?;
        let valid = SECP256K1.verify_ecdsa(&message, &signature, &key);
        valid.map(|()| true).map_err(|error| error.to_string())
    }
}
