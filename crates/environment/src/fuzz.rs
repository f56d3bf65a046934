//! Entry for fuzzing: any bytes as a connection to the Runtime API of an environment without processes.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::Clock;
use rushlight_model::function::FunctionConfiguration;
use rushlight_model::invocation::Invocation;
use rushlight_model::log::{LogEvent, LogSink, LogStream};
use rushlight_model::request_id::RequestId;
use rushlight_sandbox::{
    Backend, BoxFuture, Command, Egress, Error, Exit, Isolation, Process, Sandbox, Signal, Spec, Usage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::runtime::Resolved;
use crate::{Config, Environment, Initialization, Owner, Services, Wanted};

/// The request id of the invocation that is being served, so that inputs can name it.
const REQUEST_ID: &str = "8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11";
/// After this the connection must have been dealt with, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Feeds `data` as one connection to the Runtime API of an environment that waits with an invocation, and checks that
/// the connection and the environment both come to an end.
///
/// # Panics
/// If they do not: that is a finding.
#[allow(clippy::expect_used)]
pub fn fuzz_runtime_api(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("no event loop");
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, one_connection(data)).await.expect("the connection does not end");
    });
}

#[allow(clippy::expect_used)]
async fn one_connection(data: &[u8]) {
    let tracker = TaskTracker::new();
    let services = Services {
        availability_zone_id: None,
        backend: Arc::new(Nothing),
        clock: Clock::real(),
        logs: Arc::new(Nothing),
        traces: None,
        tracker: tracker.clone(),
        endpoint: None,
        forwards: Arc::default(),
    };
    let owner: Arc<dyn Owner> = Arc::new(Nothing);
    let environment =
        Environment::start(config(), services, Arc::downgrade(&owner)).await.expect("no sandbox");
    let request_id: RequestId = REQUEST_ID.parse().expect("no UUID");
    let invocation = Invocation {
        request_id,
        invoked_function_arn: "arn".to_owned(),
        payload: Bytes::from_static(b"{}"),
        content_type: None,
        client_context: None,
        cognito_identity: None,
        trace_header: None,
        segments: None,
    };
    let running = environment.invoke(invocation, Wanted { log_tail: true, stream: false });
    if let Ok(mut stream) = TcpStream::connect(environment.runtime_api()).await {
        // The server may close before it has read everything.
        let _ = stream.write_all(data).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    environment.shutdown().await;
    drop(running);
    tracker.close();
    tracker.wait().await;
}

#[allow(clippy::expect_used)]
fn config() -> Config {
    let configuration = serde_json::json!({
        "version": "Latest", "generation": 1,
        "code": { "package_type": "Zip", "runtime": "provided", "handler": "x", "sha256": "", "size": 0,
                  "unpacked_size": 0 },
        "role": "", "description": "", "timeout_seconds": 900, "memory_size_mb": 128, "ephemeral_storage_mb": 512,
        "architecture": "x86_64", "layers": [],
        "logging": { "format": "Text", "group": "g" }, "tracing_mode": "PassThrough", "file_systems": [],
        "snap_start_published_versions": false, "tenant_isolation": false, "last_modified": 0, "revision_id": "",
        "state": "Active"
    });
    let configuration: FunctionConfiguration =
        serde_json::from_value(configuration).expect("the configuration is out of date");
    Config {
        function: FunctionId {
            scope: Scope { account: "000000000000".to_owned(), region: "eu-west-1".to_owned() },
            name: "fuzz".to_owned(),
        },
        configuration: Arc::new(configuration),
        code_directory: Some("/".into()),
        layer_directories: Vec::new(),
        runtime: Arc::new(Resolved::for_fuzzing()),
        credentials: Arc::new(None),
        additional_environment: Arc::default(),
        initialization: Initialization::OnDemand,
        tenant_id: None,
        egress: Egress::None,
    }
}

/// A backend, log and owner that do nothing.
#[derive(Debug)]
struct Nothing;

impl LogSink for Nothing {
    fn push(&self, _: &Arc<LogStream>, _: LogEvent) {}
}

impl Owner for Nothing {
    fn parked(&self, _environment: &Arc<Environment>) {}
    fn answered(&self, _failed: bool) {}
    fn idle(&self, _: &Arc<Environment>) {}
    fn ended(&self, _: &Arc<Environment>) {}
}

impl Backend for Nothing {
    fn isolation(&self) -> Isolation {
        Isolation::None
    }

    fn create(&self, spec: Spec) -> BoxFuture<'_, Result<Box<dyn Sandbox>, Error>> {
        Box::pin(async move {
            let setup = |source| Error::Setup { step: "listen".to_owned(), source };
            let listener = TcpListener::bind("127.0.0.1:0").map_err(setup)?;
            listener.set_nonblocking(true).map_err(setup)?;
            let listener = Mutex::new(Some(listener));
            Ok(Box::new(Empty { id: spec.id, listener, processes: Mutex::default() }) as Box<dyn Sandbox>)
        })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A sandbox whose processes do nothing and never end.
#[derive(Debug)]
struct Empty {
    id: String,
    listener: Mutex<Option<TcpListener>>,
    processes: Mutex<Vec<(oneshot::Sender<Exit>, OwnedFd, OwnedFd)>>,
}

impl Sandbox for Empty {
    fn id(&self) -> &str {
        &self.id
    }

    fn take_listeners(&self) -> Vec<TcpListener> {
        self.listener.lock().take().into_iter().collect()
    }

    fn spawn(&self, _: Command) -> BoxFuture<'_, Result<Process, Error>> {
        Box::pin(async {
            let setup = |source: std::io::Error| Error::Setup { step: "make a pipe".to_owned(), source };
            let (stdout, stdout_writer) = std::io::pipe().map_err(setup)?;
            let (stderr, stderr_writer) = std::io::pipe().map_err(setup)?;
            let (sender, exit) = oneshot::channel();
            self.processes.lock().push((sender, stdout_writer.into(), stderr_writer.into()));
            Ok(Process {
                number: 0,
                host_pid: None,
                stdout: stdout.into(),
                stderr: stderr.into(),
                log: None,
                exit,
            })
        })
    }

    fn signal(&self, _: u64, _: Signal) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn connect(&self, _: u16) -> BoxFuture<'_, Result<tokio::net::TcpStream, Error>> {
        Box::pin(async { Err(Error::Destroyed) })
    }

    fn kill_all(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.processes.lock().clear();
        Box::pin(async { Ok(()) })
    }

    fn freeze(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn thaw(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    fn reset_peak(&self) {}

    fn destroy(&self) -> BoxFuture<'_, ()> {
        self.processes.lock().clear();
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Requests that go deep, and the same cut and mangled.
    fn seeds() -> Vec<Vec<u8>> {
        let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";
        let post = format!("POST /2018-06-01/runtime/invocation/{REQUEST_ID}/response HTTP/1.1\r\n");
        [
            format!("{next}{post}Content-Length: 2\r\n\r\n{{}}{next}"),
            format!("{next}{post}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nX: y\r\n\r\n{next}"),
            format!("{next}{post}Content-Length: 99999999\r\n\r\nxx"),
            format!(
                "{next}{post}Lambda-Runtime-Function-Response-Mode: strange\r\nContent-Length: 1\r\n\r\nx"
            ),
            "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
            format!("{next}{next}{next}"),
            format!(
                "PUT /2022-07-01/telemetry HTTP/1.1\r\nLambda-Extension-Identifier: {REQUEST_ID}\r\n\
                 Content-Length: 2\r\n\r\n{{}}{next}"
            ),
        ]
        .map(String::into_bytes)
        .to_vec()
    }

    #[test]
    fn seeds_as_they_are() {
        for seed in seeds() {
            fuzz_runtime_api(&seed);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn mangled_requests(
            seed in prop::sample::select(seeds()),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut data = seed;
            for (place, byte) in changes {
                let place = place.index(data.len());
                data[place] = byte;
            }
            data.truncate(keep.index(data.len()) + 1);
            fuzz_runtime_api(&data);
        }
    }
}
