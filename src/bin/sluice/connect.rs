//! The way to the daemon.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderMap, header::AUTHORIZATION};
use jsonrpsee::core::ClientError;
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder, transport::Error as HttpError};
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde_json::json;
use sluice::api::SluiceApiClient;
use sluice::api::error::Code;
use sluice::api::token::Token;
use sluice::api::types::SwapFilter;
use sluice::config::{DEFAULT_DATA_DIR, expand_home};
use sluice::units::SwapId;

use crate::args::Global;
use crate::exit::Failure;

/// Answers come at once; a wallet that sends may take its time.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Where the daemon is, and what opens it.
pub struct Daemon {
    url: String,
    token_file: PathBuf,
    headers: HeaderMap,
}

/// The daemon's data folder.
pub fn data_dir(global: &Global) -> Result<PathBuf, Failure> {
    expanded(global.data_dir.as_deref().unwrap_or(Path::new(DEFAULT_DATA_DIR)))
}

/// A path in which `~` stands for the home folder: no shell has put it out where a variable, a service's unit or
/// `--flag=~/…` gave it.
fn expanded(path: &Path) -> Result<PathBuf, Failure> {
    let Some(text) = path.to_str() else {
        return Ok(path.to_owned());
    };
    let home = std::env::home_dir();
    expand_home(text, home.as_deref())
        .ok_or_else(|| Failure::Usage(format!("{text}: there is no home folder: give --data-dir")))
}

impl Daemon {
    pub fn find(global: &Global) -> Result<Daemon, Failure> {
        let token_file = match &global.token_file {
            Some(file) => expanded(file)?,
            None => data_dir(global)?.join("api.token"),
        };
        let token = Token::load(&token_file).map_err(|error| Failure::NoToken(error.to_string()))?;
        Ok(Daemon {
            url: global.rpc_url.trim_end_matches('/').to_owned(),
            token_file,
            headers: HeaderMap::from_iter([(AUTHORIZATION, token.header())]),
        })
    }

    /// Where it is looked for.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn client(&self) -> Result<HttpClient, Failure> {
        HttpClientBuilder::new()
            .set_headers(self.headers.clone())
            .request_timeout(ANSWER_WITHIN)
            .build(&self.url)
            .map_err(|error| Failure::Usage(format!("--rpc-url {}: {error}", self.url)))
    }

    /// For subscriptions.
    pub async fn socket(&self) -> Result<WsClient, Failure> {
        let url = match self.url.split_once("://") {
            Some(("http", rest)) => format!("ws://{rest}"),
            Some(("https", rest)) => format!("wss://{rest}"),
            _ => self.url.clone(),
        };
        WsClientBuilder::new()
            .set_headers(self.headers.clone())
            .connection_timeout(Duration::from_secs(10))
            .build(url)
            .await
            .map_err(|error| self.failure(error))
    }

    /// What a failed call means to the one who typed the command.
    pub fn failure(&self, error: ClientError) -> Failure {
        let error = match error {
            ClientError::Call(error) => {
                return Failure::Refused {
                    code: error.code(),
                    message: error.message().to_owned(),
                    data: error.data().and_then(|data| serde_json::from_str(data.get()).ok()),
                };
            }
            other => other,
        };
        if rejected_as_unauthorized(&error) {
            return Failure::WrongToken {
                url: self.url.clone(),
                file: self.token_file.display().to_string(),
            };
        }
        Failure::Away {
            url: self.url.clone(),
            reason: root_cause(&error),
        }
    }

    /// The full id of the one swap that begins so.
    pub async fn resolve(&self, client: &HttpClient, prefix: &str) -> Result<SwapId, Failure> {
        if let Ok(id) = prefix.parse() {
            return Ok(id);
        }
        let filter = SwapFilter {
            id_prefix: Some(prefix.to_owned()),
            limit: 2,
            ..SwapFilter::default()
        };
        let found = client.swap_list(filter).await.map_err(|error| self.failure(error))?;
        match &found.swaps[..] {
            [one] => Ok(one.swap_id),
            [] => Err(Failure::Refused {
                code: Code::UnknownSwap.number(),
                message: format!("there is no swap whose id begins with {prefix}"),
                data: Some(json!({"error": "unknown_swap", "swap_id": prefix})),
            }),
            _ => Err(Failure::Other(format!(
                "{} swaps have ids that begin with {prefix}: give more digits",
                found.total
            ))),
        }
    }
}

fn rejected_as_unauthorized(error: &ClientError) -> bool {
    use jsonrpsee::client_transport::ws::WsHandshakeError;
    let ClientError::Transport(cause) = error else {
        return false;
    };
    let status = match (
        cause.downcast_ref::<HttpError>(),
        cause.downcast_ref::<WsHandshakeError>(),
    ) {
        (Some(HttpError::Rejected { status_code }), _) | (_, Some(WsHandshakeError::Rejected { status_code })) => {
            Some(*status_code)
        }
        _ => None,
    };
    status == Some(http::StatusCode::UNAUTHORIZED.as_u16())
}

/// The innermost cause: `Connection refused` says more than `client error (Connect)`.
fn root_cause(error: &ClientError) -> String {
    let outer: &dyn std::error::Error = match error {
        ClientError::Transport(cause) => &**cause,
        other => other,
    };
    std::iter::successors(Some(outer), |error| error.source())
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
