//! The chains: how each does, and the operator's switch.

use super::{Service, broken};
use crate::api::error::ApiError;
use crate::api::types::{ChainList, ChainPause, ChainRef, ChainStatus, PauseView};
use crate::api::view::text::rfc3339;
use crate::engine::{Absence, Engine};
use crate::policy::{MAX_NOTE, Pause};
use crate::units::Asset;

/// Why nothing new begins while the operator wants it so.
pub(super) const SWITCHED_OFF: &str = "new swaps are switched off by the policy (accept_new_swaps)";

impl Service {
    pub(super) fn chains(&self) -> Result<ChainList, ApiError> {
        Ok(ChainList {
            chains: statuses(self.engine()?),
        })
    }

    pub(super) fn pause_chain(&self, request: &ChainPause) -> Result<ChainList, ApiError> {
        check_note(&request.note)?;
        self.configured(request.asset)?;
        self.engine()?.pause(request.asset, &request.note).map_err(broken)?;
        self.chains()
    }

    pub(super) fn resume_chain(&self, request: &ChainRef) -> Result<ChainList, ApiError> {
        self.configured(request.asset)?;
        self.engine()?.resume(request.asset).map_err(broken)?;
        self.chains()
    }

    fn configured(&self, asset: Asset) -> Result<(), ApiError> {
        match self.side(asset) {
            Ok(_) | Err(ApiError::BackendAway { .. }) => Ok(()),
            Err(absence) => Err(absence),
        }
    }
}

/// Refuses a note that lists could not show.
pub(super) fn check_note(note: &str) -> Result<(), ApiError> {
    if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
        let rule = format!("must have at most {MAX_NOTE} characters and no line breaks");
        return Err(ApiError::invalid("note", note, rule));
    }
    Ok(())
}

pub(super) fn statuses(engine: &Engine) -> Vec<ChainStatus> {
    engine.configured().map(|asset| status(engine, asset)).collect()
}

fn status(engine: &Engine, asset: Asset) -> ChainStatus {
    let (side, awaited) = match engine.side(asset) {
        Ok(side) => (Some(side), None),
        Err(Absence::Awaited(awaited)) => (None, Some(awaited)),
        Err(Absence::NotConfigured) => (None, None),
    };
    let info = side.as_ref().map(|side| side.info());
    let since = side.as_ref().and_then(|side| side.problem().and(side.problem_since()));
    let switched_off = || (!engine.policy().accept_new_swaps).then(|| SWITCHED_OFF.to_owned());
    let problem = engine.problem(asset).or_else(switched_off);
    let pauses = engine.pauses();
    let paused = pauses.of(asset).map(pause_view);
    ChainStatus {
        asset,
        chain: info.as_ref().map(|info| info.chain.clone()),
        version: info.map(|info| info.version),
        wallet: side.map(|side| side.wallet.holder()),
        height: engine.tip(asset).map(|tip| tip.0),
        new_swaps: problem.is_none() && paused.is_none(),
        problem_since: since.or(awaited.map(|awaited| awaited.since)).map(|since| since.0),
        problem,
        paused,
    }
}

fn pause_view(pause: &Pause) -> PauseView {
    PauseView {
        by: pause.by,
        since: pause.since.0,
        since_text: rfc3339(pause.since),
        note: pause.note.clone(),
    }
}
