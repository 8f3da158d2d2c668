//! How the command ends: exit codes that scripts can use, and one clear sentence.

use std::process::ExitCode;

use serde_json::{Value, json};
use sluice::api::error::Code;
use sluice::api::types::{OutcomeKind, SwapView};

/// The exit codes. A promise: `sluice --help` and docs/api.md list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The daemon said no, or something went wrong.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The swap was canceled: nothing was opened.
    Canceled = 3,
    /// The swap was not paid: the coins went back.
    NotPaid = 4,
    /// The daemon, or the node that was named, does not answer, or does not take the credentials.
    Unreachable = 5,
    /// The time is over; the swap goes on.
    Timeout = 6,
    /// Coins were lost.
    Lost = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// What the end of a swap means to a script; a swap that is not closed yet has done nothing wrong.
    pub fn of(swap: &SwapView) -> Exit {
        match swap.outcome.as_ref().map(|outcome| outcome.kind) {
            None | Some(OutcomeKind::ClaimPaid | OutcomeKind::ClaimedByInvoice) => Exit::Done,
            Some(OutcomeKind::Canceled) => Exit::Canceled,
            Some(OutcomeKind::ClaimedByCoop | OutcomeKind::ClaimedByCsv | OutcomeKind::CoopClosed) => Exit::NotPaid,
            Some(OutcomeKind::Lost) => Exit::Lost,
        }
    }
}

/// Why the command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The daemon's answer is an error.
    #[error("{message}")]
    Refused {
        /// Its code.
        code: i32,
        /// Its sentence.
        message: String,
        /// Its facts.
        data: Option<Value>,
    },
    /// No answer.
    #[error("the daemon does not answer at {url}: {reason} (is sluiced running?)")]
    Away {
        /// Where it was looked for.
        url: String,
        /// What was seen.
        reason: String,
    },
    /// No answer to what may have been done.
    #[error(
        "it is not known whether it was sent: the daemon at {url} has not answered ({reason}); look at the wallet's \
         transactions before you send again"
    )]
    SentUnknown {
        /// Where the daemon is.
        url: String,
        /// What was seen.
        reason: String,
    },
    /// The token is wrong.
    #[error("the daemon at {url} does not take the token of {file}: is it another daemon's?")]
    WrongToken {
        /// The daemon.
        url: String,
        /// The token file.
        file: String,
    },
    /// The token cannot be read.
    #[error("{0} (has sluiced run with this data folder? see --data-dir and --token-file)")]
    NoToken(String),
    /// A chain's node does not answer.
    #[error("the node at {url} does not answer: {reason}")]
    NoNode {
        /// Where it was looked for.
        url: String,
        /// What was seen.
        reason: String,
    },
    /// An argument that only now proves wrong.
    #[error("{0}")]
    Usage(String),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// What the failure of a call means by which coins are sent.
    pub fn after_sending(self) -> Failure {
        match self {
            Failure::Away { url, reason } => Failure::SentUnknown { url, reason },
            other => other,
        }
    }

    /// The exit code it ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Refused { .. } | Failure::Other(_) => Exit::Failed,
            Failure::Usage(_) => Exit::Usage,
            Failure::Away { .. }
            | Failure::SentUnknown { .. }
            | Failure::NoNode { .. }
            | Failure::WrongToken { .. }
            | Failure::NoToken(_) => Exit::Unreachable,
        }
    }

    /// As `--json` prints it.
    pub fn json(&self) -> Value {
        let (code, data) = match self {
            Failure::Refused { code, data, .. } => (Some(*code), data.clone()),
            Failure::Away { .. } | Failure::NoNode { .. } => (None, Some(json!({"error": "unreachable"}))),
            Failure::SentUnknown { .. } => (Some(Code::SentUnknown.number()), Some(json!({"error": "sent_unknown"}))),
            Failure::WrongToken { .. } | Failure::NoToken(_) => (None, Some(json!({"error": "unauthorized"}))),
            Failure::Usage(_) => (None, Some(json!({"error": "usage"}))),
            Failure::Other(_) => (None, None),
        };
        json!({"error": {"code": code, "message": self.to_string(), "data": data}})
    }
}

/// The first paragraph of clap's text as a sentence: what follows is usage and help.
pub fn one_sentence(text: &str) -> String {
    let paragraph = text.trim_start().split("\n\n").next().unwrap_or_default();
    let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
    let sentence = lines.join(" ");
    match sentence.strip_prefix("error: ") {
        Some(sentence) => sentence.to_owned(),
        // without an error it is the help: a command was left out
        None => "a command is missing; `--help` lists them".to_owned(),
    }
}
