//! The chains: how each does, and the operator's switch.

use super::{Service, broken};
use crate::api::error::ApiError;
use crate::api::types::{ChainList, ChainPause, ChainRef, ChainStatus, PauseView};
use crate::api::view::text::rfc3339;
use crate::engine::Engine;
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
        self.side(asset).map(drop)
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
    let all = Asset::ALL.into_iter();
    all.filter_map(|asset| status(engine, asset)).collect()
}

fn status(engine: &Engine, asset: Asset) -> Option<ChainStatus> {
    let side = engine.side(asset)?;
    let info = side.info();
    let switched_off = || (!engine.policy().accept_new_swaps).then(|| SWITCHED_OFF.to_owned());
    let problem = engine.problem(asset).or_else(switched_off);
    let pauses = engine.pauses();
    let paused = pauses.of(asset).map(pause_view);
    Some(ChainStatus {
        asset,
        chain: info.chain,
        version: info.version,
        wallet: side.wallet.holder(),
        height: engine.tip(asset).map(|tip| tip.0),
        new_swaps: problem.is_none() && paused.is_none(),
        problem_since: side.problem().and_then(|_| side.problem_since()).map(|since| since.0),
        problem,
        paused,
    })
}

fn pause_view(pause: &Pause) -> PauseView {
    PauseView {
        by: pause.by,
        since: pause.since.0,
        since_text: rfc3339(pause.since),
        note: pause.note.clone(),
    }
}
