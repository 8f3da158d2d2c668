//! The program, in a runtime folder of its own, and what a developer has beside it: a way to post JSON.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_regtest::chain::rpc::base64;
use tempfile::TempDir;

/// Where worlds of one test find each other, and nobody else's.
pub struct Runtime(TempDir);

impl Runtime {
    pub fn new() -> Runtime {
        Runtime(TempDir::with_prefix("up-").unwrap())
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-regtest"));
        command.args(arguments).env("XDG_RUNTIME_DIR", self.0.path());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that must succeed, with `--json`.
    pub fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail, with one sentence.
    pub fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        let sentence = text.lines().next().unwrap_or_default().to_owned();
        // clap adds where help is.
        let rest: Vec<&str> = text.lines().skip(1).filter(|line| !line.is_empty()).collect();
        assert!(
            rest.is_empty() || rest == ["For more information, try '--help'."],
            "{text}"
        );
        sentence
    }

    /// Starts `up` or `liquid` and waits until it is ready.
    pub fn start(&self, arguments: &[&str]) -> Up {
        let began = Instant::now();
        let arguments = [arguments, &["--json"]].concat();
        let mut child = self.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let site = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Up {
            child,
            output,
            site,
            took: began.elapsed(),
        }
    }
}

/// A world that is up.
pub struct Up {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// What it said when it was ready.
    pub site: Value,
    /// From the start of its process until then.
    pub took: Duration,
}

impl Up {
    /// Asks it to end; tells how long that took. It must have said nothing more.
    pub fn end(mut self) -> Duration {
        let began = Instant::now();
        self.terminate();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(self.child.wait().unwrap().success());
        began.elapsed()
    }

    /// Ends it without a chance to save or to clean up. Only for `liquid`: daemons would stay behind.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Calls the Liquid chain as curl would.
    pub fn liquid(&self, path: &str, method: &str, params: Value) -> Value {
        let liquid = &self.site["liquid"];
        let text = |name: &str| liquid[name].as_str().unwrap();
        let credentials = base64(format!("{}:{}", text("user"), text("password")).as_bytes());
        post(text("rpc_url"), path, &format!("Basic {credentials}"), method, params)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // A test that failed leaves it running: it ends its daemons when it is asked, not when it is killed.
        if let Ok(None) = self.child.try_wait() {
            self.terminate();
            drop(self.child.wait());
        }
    }
}

/// Posts a JSON-RPC call and returns its result.
pub fn post(url: &str, path: &str, authorization: &str, method: &str, params: Value) -> Value {
    let address = url.strip_prefix("http://").unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: {authorization}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, text) = answer.split_once("\r\n\r\n").unwrap();
    let reply: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert!(reply["error"].is_null(), "{method}: {reply}");
    reply["result"].clone()
}
