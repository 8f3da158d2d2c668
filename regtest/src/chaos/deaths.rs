//! Daemons that end in a play: as they were told to, and in no other way.

use anyhow::{Result, bail, ensure};

use super::play::{Play, operator_mut};
use super::script::Manner;
use crate::world::side::Side;

impl Play<'_> {
    /// Who was struck and has not ended for it yet.
    pub(super) fn doomed(&self) -> Result<Option<Side>> {
        for side in Side::BOTH {
            if self.patients[side.index()].is_doomed()? {
                return Ok(Some(side));
            }
        }
        Ok(None)
    }

    /// Starts again who was cut; whoever ended otherwise is a failure.
    pub(super) fn tend(&mut self) -> Result<()> {
        for side in Side::BOTH {
            let patient = &mut self.patients[side.index()];
            let operator = operator_mut(self.world, side);
            let Some(end) = operator.daemon.ended().filter(|_| !patient.away) else {
                continue;
            };
            let cut = self.cut.filter(|cut| self.script.side(cut.role) == side);
            let cut = match cut {
                Some(cut) if patient.was_struck()? => cut,
                _ => bail!("{}'s daemon ended by itself: {end}", side.name()),
            };
            let first = !patient.cut;
            patient.cut = true;
            if cut.manner.refusal().is_some() {
                ensure!(end.contains("exit status: 1"), "with a failing disk {end}");
                let words = patient.last_words(operator)?;
                ensure!(
                    words.contains("sluice.redb") || words.contains("database"),
                    "its last words: {words}"
                );
            } else {
                ensure!(end.contains("SIGKILL"), "{end}");
            }
            patient.start_again(operator, Some(cut))?;
            if cut.manner == Manner::Both && first {
                let other = operator_mut(self.world, side.other());
                let patient = &mut self.patients[side.other().index()];
                if !patient.away {
                    other.daemon.kill();
                    patient.start_again(other, None)?;
                }
            }
        }
        Ok(())
    }
}
