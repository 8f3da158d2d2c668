//! The token: who has it is the operator. Checked before a request's body is looked at.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use jsonrpsee::server::HttpBody;
use rand::RngCore;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq;
use tower::{Layer, Service};
use zeroize::Zeroizing;

/// Code of the error in a 401's body.
pub const UNAUTHORIZED: i32 = -32040;

/// The secret that every request must carry: 32 random bytes in hex. Does not print.
#[derive(Clone)]
pub struct Token(Arc<Zeroizing<String>>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("token file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("token file {path} has mode {mode:04o}, must be 0600: others could take it")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It does not hold a token.
    #[error("token file {path} must hold 64 hex digits; remove it, and the daemon makes a new one")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the token of that file.
    ///
    /// # Errors
    /// The file is not there, others may read it, or it holds something else.
    pub fn load(path: &Path) -> Result<Token, TokenError> {
        let io = |source| TokenError::Io {
            path: path.into(),
            source,
        };
        let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenError::Open {
                path: path.into(),
                mode,
            });
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(io)?);
        let text = text.trim();
        let well_formed = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !well_formed {
            return Err(TokenError::Malformed { path: path.into() });
        }
        Ok(Token(Arc::new(Zeroizing::new(text.to_owned()))))
    }

    /// Reads the token of that file, or makes one, mode 0600.
    ///
    /// # Errors
    /// As [`Token::load`], or the file cannot be written.
    pub fn load_or_create(path: &Path) -> Result<Token, TokenError> {
        if let Ok(false) = fs::exists(path) {
            Token::create(path).map_err(|source| TokenError::Io {
                path: path.into(),
                source,
            })?;
        }
        Token::load(path)
    }

    /// Complete or not there: a crash half-way leaves the file beside, which the next start overwrites.
    fn create(path: &Path) -> std::io::Result<()> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        OsRng.fill_bytes(bytes.as_mut());
        let text = Zeroizing::new(hex::encode(*bytes));
        let beside = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    }

    /// The value of the `Authorization` header that carries it.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        let mut value = HeaderValue::from_str(&text).expect("hex digits are allowed in a header");
        value.set_sensitive(true);
        value
    }

    /// Whether a request carries it. Takes the same time for every wrong token of the right length.
    fn opens(&self, authorization: Option<&HeaderValue>) -> bool {
        let given = authorization.map_or(&b""[..], HeaderValue::as_bytes);
        let (scheme, given) = given.split_at_checked(7).unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(given.ct_eq(self.0.as_bytes()))
    }
}

/// Lets only requests with the token through, and notes when one was.
#[derive(Debug, Clone)]
pub struct RequireToken {
    token: Token,
    known: Arc<AtomicBool>,
}

impl RequireToken {
    /// `known` becomes true with the first request that carries the token.
    #[must_use]
    pub fn new(token: Token, known: Arc<AtomicBool>) -> RequireToken {
        RequireToken { token, known }
    }
}

impl<S> Layer<S> for RequireToken {
    type Service = TokenGuard<S>;
    fn layer(&self, inner: S) -> Self::Service {
        TokenGuard {
            guard: self.clone(),
            inner,
        }
    }
}

/// The service that [`RequireToken`] makes.
#[derive(Debug, Clone)]
pub struct TokenGuard<S> {
    guard: RequireToken,
    inner: S,
}

impl<S, B> Service<Request<B>> for TokenGuard<S>
where
    S: Service<Request<B>, Response = Response<HttpBody>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<HttpBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.guard.token.opens(request.headers().get(AUTHORIZATION)) {
            self.guard.known.store(true, Ordering::Relaxed);
            // the library writes the requests that it reads into a log of level trace, with their headers
            request.headers_mut().remove(AUTHORIZATION);
            return Box::pin(self.inner.call(request));
        }
        let given = request.headers().contains_key(AUTHORIZATION);
        Box::pin(async move { Ok(unauthorized(given)) })
    }
}

fn unauthorized(given: bool) -> Response<HttpBody> {
    let what = if given {
        "the token is wrong"
    } else {
        "there is no token"
    };
    let body = serde_json::json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": {
            "code": UNAUTHORIZED,
            "message": format!(
                "{what}; send the header `Authorization: Bearer TOKEN`, where TOKEN is the content of the file \
                 api.token in the daemon's data folder"
            ),
            "data": { "error": "unauthorized" },
        },
    });
    let mut response = Response::new(HttpBody::from(body.to_string()));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
