//! The stack machine: decoding, conditionals, limits. Each opcode's own work is in `ops`.

use bitcoin::opcodes::Opcode;
use bitcoin::opcodes::all::{self, OP_PUSHNUM_16};
use bitcoin::script::{Instruction, Script};

use super::{InputContext, MAX_SCRIPT_SIZE, Rules, ScriptError, number, ops};

/// Largest item of the stack, in bytes.
pub const MAX_ELEMENT_SIZE: usize = 520;
const MAX_OPS: usize = 201;
const MAX_STACK: usize = 1_000;

/// One run of one script.
pub struct Machine<'a> {
    pub(super) script: &'a Script,
    pub(super) context: &'a InputContext<'a>,
    pub(super) stack: Vec<Vec<u8>>,
    pub(super) alt: Vec<Vec<u8>>,
    pub(super) witness: bool,
    pub(super) ops: usize,
    conditions: Vec<bool>,
}

impl<'a> Machine<'a> {
    /// A machine before its first opcode.
    pub fn new(script: &'a Script, stack: Vec<Vec<u8>>, context: &'a InputContext<'a>) -> Result<Self, ScriptError> {
        if script.len() > MAX_SCRIPT_SIZE {
            return Err(ScriptError::ScriptSize);
        }
        Ok(Self {
            script,
            context,
            stack,
            alt: Vec::new(),
            witness: true,
            ops: 0,
            conditions: Vec::new(),
        })
    }

    /// Outside a witness: signature opcodes are refused (they need the legacy signature hash), IF takes any item.
    pub fn bare(mut self) -> Self {
        self.witness = false;
        self
    }

    /// Runs to the end and hands back the stack.
    pub fn run(mut self) -> Result<Vec<Vec<u8>>, ScriptError> {
        for instruction in self.script.instructions() {
            match instruction.map_err(|_| ScriptError::BadOpcode)? {
                Instruction::PushBytes(bytes) => self.push_data(bytes.as_bytes())?,
                Instruction::Op(op) => self.step(op)?,
            }
            if self.stack.len() + self.alt.len() > MAX_STACK {
                return Err(ScriptError::StackSize);
            }
        }
        if self.conditions.is_empty() {
            Ok(self.stack)
        } else {
            Err(ScriptError::UnbalancedConditional)
        }
    }

    fn executing(&self) -> bool {
        self.conditions.iter().all(|taken| *taken)
    }

    pub(super) fn minimal(&self) -> bool {
        self.context.rules == Rules::Standard
    }

    fn push_data(&mut self, bytes: &[u8]) -> Result<(), ScriptError> {
        if bytes.len() > MAX_ELEMENT_SIZE {
            return Err(ScriptError::PushSize);
        }
        if !self.executing() {
            return Ok(());
        }
        if self.minimal() && has_opcode_of_its_own(bytes) {
            return Err(ScriptError::MinimalData);
        }
        self.stack.push(bytes.to_vec());
        Ok(())
    }

    fn step(&mut self, op: Opcode) -> Result<(), ScriptError> {
        if op.to_u8() > OP_PUSHNUM_16.to_u8() {
            self.count_ops(1)?;
        }
        match op {
            all::OP_IF | all::OP_NOTIF => self.open_condition(op == all::OP_IF),
            all::OP_ELSE => {
                let last = self.conditions.last_mut().ok_or(ScriptError::UnbalancedConditional)?;
                *last = !*last;
                Ok(())
            }
            all::OP_ENDIF => self
                .conditions
                .pop()
                .map(drop)
                .ok_or(ScriptError::UnbalancedConditional),
            // These two fail even where they are not executed.
            all::OP_VERIF | all::OP_VERNOTIF => Err(ScriptError::BadOpcode),
            _ if !self.executing() => Ok(()),
            _ => ops::execute(self, op),
        }
    }

    pub(super) fn count_ops(&mut self, more: usize) -> Result<(), ScriptError> {
        self.ops += more;
        if self.ops > MAX_OPS {
            Err(ScriptError::OpCount)
        } else {
            Ok(())
        }
    }

    fn open_condition(&mut self, wanted: bool) -> Result<(), ScriptError> {
        if !self.executing() {
            self.conditions.push(false);
            return Ok(());
        }
        let item = self.stack.pop().ok_or(ScriptError::UnbalancedConditional)?;
        if self.minimal() && !(item.is_empty() || item == [1]) && self.witness {
            return Err(ScriptError::MinimalIf);
        }
        self.conditions.push(number::is_true(&item) == wanted);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Vec<u8>, ScriptError> {
        self.stack.pop().ok_or(ScriptError::InvalidStackOperation)
    }

    /// The item `depth` below the top, which is 0.
    pub(super) fn peek(&self, depth: usize) -> Result<&Vec<u8>, ScriptError> {
        self.stack
            .iter()
            .rev()
            .nth(depth)
            .ok_or(ScriptError::InvalidStackOperation)
    }

    pub(super) fn pop_number(&mut self) -> Result<i64, ScriptError> {
        let item = self.pop()?;
        number::read(&item, 4, self.minimal())
    }

    pub(super) fn push_number(&mut self, value: i64) {
        self.stack.push(number::write(value));
    }

    pub(super) fn push_bool(&mut self, value: bool) {
        self.push_number(i64::from(value));
    }
}

/// Small numbers have opcodes; pushing them as data is malleable. Longer pushes cannot be told apart here: the
/// decoder yields the bytes alone, and witness scripts are committed to by their hash.
fn has_opcode_of_its_own(bytes: &[u8]) -> bool {
    matches!(bytes, [1..=16] | [0x81])
}

/// Whether a script only pushes.
pub fn is_push_only(script: &Script) -> bool {
    script.instructions().all(|instruction| match instruction {
        Ok(Instruction::PushBytes(_)) => true,
        Ok(Instruction::Op(op)) => op.to_u8() <= OP_PUSHNUM_16.to_u8(),
        Err(_) => false,
    })
}
