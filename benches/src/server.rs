//! The server under test: `rushlight serve` as users run it, in a data directory of its own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rushlight_auth::{AccessKey, Profile};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::function::{Function, MEMORY_MB};
use crate::load::Connection;
use crate::process::{Tree, end};
use crate::request::{Caller, Repeated};
use crate::settings::Settings;

/// What the functions are invoked with, and answer. A string, since languages differ in the blanks of an object.
pub const EVENT: &[u8] = br#""24 bytes both ways, 24 B""#;

const PATIENCE: Duration = Duration::from_secs(120);

/// A running server; dropping it ends it and removes its data.
#[derive(Debug)]
pub struct Server {
    child: Child,
    caller: Caller,
    log: PathBuf,
    /// From before the spawn to the first answer.
    pub started_in: Duration,
}

impl Server {
    /// Starts the server with an empty data directory.
    ///
    /// # Errors
    /// When it does not come up; the end of its log is part of the message.
    pub async fn start(settings: &Settings, functions: &[&Function]) -> anyhow::Result<Self> {
        let data = tempfile::Builder::new().prefix("data-").tempdir_in(settings.scratch.path())?;
        // The whole scratch directory is removed in the end.
        Self::start_in(settings, &data.keep(), functions).await
    }

    /// Starts the server with the data of an earlier one.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_in(settings: &Settings, data: &Path, functions: &[&Function]) -> anyhow::Result<Self> {
        let address = free_address()?;
        let log = data.with_extension("log");
        let mut command = Command::new(&settings.server);
        command.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(data);
        for function in functions {
            if let Some(interpreter) = &function.interpreter {
                command.arg("--runtime").arg(format!("{}={}", function.runtime, interpreter.display()));
            }
        }
        command.args(&settings.serve);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        let before = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", settings.server.display()))?;
        // The key is the server's to make; until it has, there is none to sign with.
        let key = AccessKey::new("", "");
        let mut server = Self { child, caller: Caller { address, key }, log, started_in: Duration::ZERO };
        server.wait_for_answer(&data.join("credentials")).await.with_context(|| server.end_of_log())?;
        server.started_in = before.elapsed();
        Ok(server)
    }

    async fn wait_for_answer(&mut self, credentials: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // The port may be open before the server has made its key.
        let (mut connection, key) = loop {
            if let (Ok(connection), Some(key)) =
                (Connection::open(self.caller.address).await, key_in(credentials))
            {
                break (connection, key);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            ensure!(Instant::now() < deadline, "the server does not listen, or has written no credentials");
            tokio::time::sleep(Duration::from_micros(200)).await;
        };
        self.caller.key = key;
        let request = self.caller.request("GET", "/2016-08-19/account-settings", b"")?;
        let answer = connection.exchange(&request).await?;
        ensure!(answer.status == 200, "the server answered {}", answer.text());
        Ok(())
    }

    /// The end of its log, for a message.
    pub fn end_of_log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("the server's log ends with:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    /// Its processes.
    pub fn tree(&self) -> Tree {
        Tree::of(self.child.id())
    }

    /// Creates functions that differ in their names alone, and waits until all are active.
    ///
    /// # Errors
    /// When the server refuses one, or one does not become active.
    pub async fn create(&self, function: &Function, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            self.call("POST", "/2015-03-31/functions", &new_function(function, name)).await?;
        }
        for name in names {
            self.wait_until_active(name).await.with_context(|| format!("waiting for {name}"))?;
        }
        Ok(())
    }

    /// As [`Server::create`], all at a time, without waiting until they are active.
    ///
    /// # Errors
    /// When the server refuses one.
    pub async fn create_at_once(&self, function: &Function, names: &[String]) -> anyhow::Result<()> {
        let mut creating = JoinSet::new();
        for name in names {
            let body = serde_json::to_vec(&new_function(function, name))?;
            let request = self.caller.request("POST", "/2015-03-31/functions", &body)?;
            let address = self.caller.address;
            creating.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let answer = connection.exchange(&request).await?;
                ensure!(answer.status == 201, "CreateFunction was answered {}", answer.text());
                Ok(())
            });
        }
        creating.join_all().await.into_iter().collect()
    }

    async fn wait_until_active(&self, name: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let path = format!("/2015-03-31/functions/{name}/configuration");
            let configuration = self.call("GET", &path, &Value::Null).await?;
            match configuration["State"].as_str() {
                Some("Active") if configuration["LastUpdateStatus"] != "InProgress" => return Ok(()),
                Some("Pending" | "Active") if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                _ => bail!("the state is {}: {}", configuration["State"], configuration["StateReason"]),
            }
        }
    }

    /// Publishes a version of each function that starts from a snapshot, and waits until all can be invoked.
    ///
    /// # Errors
    /// When the server refuses one, or one does not become active.
    pub async fn publish_snapshots(&self, names: &[String]) -> anyhow::Result<()> {
        let snap_start = json!({ "SnapStart": { "ApplyOn": "PublishedVersions" } });
        for name in names {
            self.call("PUT", &format!("/2015-03-31/functions/{name}/configuration"), &snap_start).await?;
            self.wait_until_active(name).await?;
            self.call("POST", &format!("/2015-03-31/functions/{name}/versions"), &json!({})).await?;
        }
        for name in names {
            self.wait_until_active(&format!("{name}:1")).await?;
        }
        Ok(())
    }

    /// Deletes functions, and with them their environments.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn delete(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            self.call("DELETE", &format!("/2015-03-31/functions/{name}"), &Value::Null).await?;
        }
        Ok(())
    }

    /// Calls an operation, over a connection of its own.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let request = self.caller.request(method, path, &body)?;
        let mut connection = Connection::open(self.caller.address).await?;
        let answer = connection.exchange(&request).await.with_context(|| format!("{method} {path}"))?;
        ensure!((200..300).contains(&answer.status), "{method} {path} was answered {}", answer.text());
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(answer.body)?)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.caller.address
    }

    /// A request without a body, signed now.
    ///
    /// # Errors
    /// When the path is no path.
    pub fn request(&self, method: &str, path: &str) -> anyhow::Result<bytes::Bytes> {
        self.caller.request(method, path, b"")
    }

    /// The invocation of a function, to be sent over and over.
    ///
    /// # Errors
    /// See [`Caller::invocation`].
    pub fn invocation(&self, name: &str) -> anyhow::Result<Repeated> {
        self.caller.invocation(name, EVENT)
    }

    /// Invokes a function once, over a connection of its own.
    ///
    /// # Errors
    /// When the answer is not the event.
    pub async fn invoke(&self, name: &str) -> anyhow::Result<Duration> {
        let request = self.invocation(name)?.now()?;
        let mut connection = Connection::open(self.caller.address).await?;
        let sent = Instant::now();
        let answer = connection.exchange(&request).await.with_context(|| format!("invoking {name}"))?;
        let took = sent.elapsed();
        ensure!(answer.status == 200 && answer.body == EVENT, "{name} answered {}", answer.text());
        Ok(took)
    }
}

fn new_function(function: &Function, name: &str) -> Value {
    json!({
        "FunctionName": name,
        "Role": "arn:aws:iam::000000000000:role/bench",
        "Runtime": function.runtime,
        "Handler": function.handler,
        "Architectures": [if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
        "Timeout": 60,
        "MemorySize": MEMORY_MB,
        "Code": { "ZipFile": STANDARD.encode(&function.zip) },
    })
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child, Duration::from_secs(40));
    }
}

fn key_in(credentials: &Path) -> Option<AccessKey> {
    let text = fs::read_to_string(credentials).ok()?;
    Some(Profile::parse(&text).ok()?.into_iter().next()?.access_key)
}

/// The port is free again when the server gets it; nothing else asks for that very one in between.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
