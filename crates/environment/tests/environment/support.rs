//! A function on a backend, and what a test needs to know of it.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rushlight_environment::runtime::{Catalogue, Settings};
use rushlight_environment::{
    Config, Environment, Finished, Initialization, NotAvailable, Owner, Running, Services, Wanted,
};
use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::{Clock, Timestamp};
use rushlight_model::function::{
    Architecture, Code, FunctionConfiguration, LogFormat, Logging, State, TracingMode,
};
use rushlight_model::invocation::{Invocation, Outcome};
use rushlight_model::log::{LogEvent, LogSink, LogStream};
use rushlight_model::request_id::RequestId;
use rushlight_model::version::Version;
use rushlight_sandbox::{Backend, Egress, Isolation, LinuxBackend, Options, ProcessBackend};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// Generous: the machine may be loaded.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Log events of one environment.
#[derive(Default)]
pub struct Log(Mutex<Vec<String>>);

impl LogSink for Log {
    fn push(&self, _stream: &Arc<LogStream>, event: LogEvent) {
        let mut events = self.0.lock();
        // A flood is counted, not kept.
        if events.len() < 100_000 {
            events.push(String::from_utf8_lossy(&event.message).into_owned());
        }
    }
}

impl Log {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    pub fn has(&self, text: &str) -> bool {
        self.0.lock().iter().any(|line| line.contains(text))
    }
}

/// Notes what the environment tells its owner.
#[derive(Default)]
pub struct Told {
    idle: Mutex<usize>,
    ended: Mutex<usize>,
    changed: Notify,
    /// Invocations to be given to the environment as soon as it is idle.
    queue: Mutex<VecDeque<(Invocation, tokio::sync::oneshot::Sender<Running>)>>,
}

impl Owner for Told {
    fn parked(&self, _environment: &Arc<Environment>) {}

    fn answered(&self, _failed: bool) {}

    fn idle(&self, environment: &Arc<Environment>) {
        *self.idle.lock() += 1;
        if let Some((invocation, sender)) = self.queue.lock().pop_front() {
            let _ = sender.send(environment.invoke(invocation, Wanted::default()).unwrap());
        }
        self.changed.notify_waiters();
    }

    fn ended(&self, _environment: &Arc<Environment>) {
        *self.ended.lock() += 1;
        self.changed.notify_waiters();
    }
}

impl Told {
    pub fn idle_count(&self) -> usize {
        *self.idle.lock()
    }

    pub fn ended_count(&self) -> usize {
        *self.ended.lock()
    }

    pub fn enqueue(&self, invocation: Invocation) -> tokio::sync::oneshot::Receiver<Running> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.queue.lock().push_back((invocation, sender));
        receiver
    }

    pub async fn wait_idle(&self, count: usize) {
        let reached = async {
            loop {
                let changed = self.changed.notified();
                if self.idle_count() >= count {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the environment does not become idle");
    }
}

/// What a test wants of a function.
pub struct Function {
    pub runtime: &'static str,
    pub handler: &'static str,
    pub files: Vec<(&'static str, Vec<u8>)>,
    pub timeout_seconds: u32,
    pub memory_size_mb: u32,
    pub environment: BTreeMap<String, String>,
    pub json_logs: bool,
    pub initialization: Initialization,
}

impl Function {
    pub fn new(runtime: &'static str, handler: &'static str, file: &'static str, content: &str) -> Self {
        Self {
            runtime,
            handler,
            files: vec![(file, content.as_bytes().to_vec())],
            timeout_seconds: 30,
            memory_size_mb: 256,
            environment: BTreeMap::new(),
            json_logs: false,
            initialization: Initialization::OnDemand,
        }
    }

    /// A shell script as `bootstrap`, with functions for the Runtime API before it.
    pub fn bash(script: &str) -> Self {
        let prelude = "#!/bin/bash\n\
            api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime\n\
            next() { event=$(curl -sS -D /tmp/head.$$ $api/invocation/next); \
              id=$(grep -i '^lambda-runtime-aws-request-id' /tmp/head.$$ | tr -d '\\r' | cut -d' ' -f2); }\n\
            respond() { curl -sS -X POST -d \"$1\" $api/invocation/$id/response > /dev/null; }\n";
        Self::new("provided.al2023", "x", "bootstrap", &format!("{prelude}{script}\n"))
    }

    pub fn python(code: &str) -> Option<Self> {
        let identifier = ["python3.12", "python3.13", "python3.11", "python3.10"]
            .into_iter()
            .find(|identifier| catalogue().resolve(identifier).is_ok());
        if identifier.is_none() {
            eprintln!("SKIPPED: this machine has no Python that a runtime accepts");
        }
        Some(Self::new(identifier?, "app.handler", "app.py", code))
    }

    pub fn node(code: &str) -> Option<Self> {
        let identifier = ["nodejs22.x", "nodejs20.x", "nodejs24.x", "nodejs18.x"]
            .into_iter()
            .find(|identifier| catalogue().resolve(identifier).is_ok());
        if identifier.is_none() {
            eprintln!("SKIPPED: this machine has no Node.js that a runtime accepts");
        }
        Some(Self::new(identifier?, "index.handler", "index.js", code))
    }

    pub fn timeout(mut self, seconds: u32) -> Self {
        self.timeout_seconds = seconds;
        self
    }
}

/// One catalogue for all tests of a process.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        // Named after its content and written once: runs of the tests share it and leave nothing more behind.
        let data_directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtimes");
        Catalogue::discover(Settings { data_directory, ..Settings::default() }).unwrap()
    })
}

/// An environment under test.
pub struct Subject {
    pub environment: Arc<Environment>,
    pub told: Arc<Told>,
    pub log: Arc<Log>,
    pub backend: Arc<dyn Backend>,
    pub tracker: TaskTracker,
    _directory: tempfile::TempDir,
}

/// Starts `function` on `backend`.
pub async fn start(function: Function, backend: Arc<dyn Backend>, directory: tempfile::TempDir) -> Subject {
    let code = directory.path().join("code");
    std::fs::create_dir(&code).unwrap();
    readable(directory.path(), 0o755);
    readable(&code, 0o755);
    for (name, content) in &function.files {
        let path = code.join(name);
        std::fs::write(&path, content).unwrap();
        readable(&path, 0o755);
    }
    let told = Arc::new(Told::default());
    let log = Arc::new(Log::default());
    let tracker = TaskTracker::new();
    let services = Services {
        availability_zone_id: None,
        backend: backend.clone(),
        clock: Clock::real(),
        logs: log.clone(),
        traces: None,
        tracker: tracker.clone(),
        endpoint: None,
        forwards: Arc::default(),
    };
    let config = Config {
        function: FunctionId {
            scope: Scope { account: "000000000000".to_owned(), region: "eu-west-1".to_owned() },
            name: "hello".to_owned(),
        },
        runtime: catalogue().resolve(function.runtime).unwrap(),
        code_directory: Some(code),
        layer_directories: Vec::new(),
        credentials: Arc::new(None),
        additional_environment: Arc::default(),
        initialization: function.initialization,
        tenant_id: None,
        egress: Egress::None,
        configuration: Arc::new(configuration(function)),
    };
    let owner: Arc<dyn Owner> = told.clone();
    let environment = Environment::start(config, services, Arc::downgrade(&owner)).await.unwrap();
    Subject { environment, told, log, backend, tracker, _directory: directory }
}

fn configuration(function: Function) -> FunctionConfiguration {
    FunctionConfiguration {
        version: Version::Latest,
        generation: 1,
        code: Code::Zip {
            runtime: function.runtime.to_owned(),
            handler: function.handler.to_owned(),
            sha256: String::new(),
            size: 0,
            unpacked_size: 0,
        },
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        description: String::new(),
        timeout_seconds: function.timeout_seconds,
        memory_size_mb: function.memory_size_mb,
        ephemeral_storage_mb: 512,
        architecture: Architecture::X86_64,
        environment: Some(function.environment),
        layers: Vec::new(),
        logging: Logging {
            format: if function.json_logs { LogFormat::Json } else { LogFormat::Text },
            group: "/aws/lambda/hello".to_owned(),
            application_level: None,
            system_level: None,
        },
        tracing_mode: TracingMode::PassThrough,
        runtime_version_arn: None,
        source_kms_key_arn: None,
        referenced_object: None,
        kms_key_arn: None,
        dead_letter_target_arn: None,
        vpc: None,
        file_systems: Vec::new(),
        snap_start_published_versions: false,
        tenant_isolation: false,
        managed_instances: None,
        last_modified: Timestamp::default(),
        revision_id: String::new(),
        state: State::Active,
        last_update: None,
    }
}

fn readable(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub fn invocation(payload: impl Into<Bytes>) -> Invocation {
    Invocation {
        request_id: RequestId::random(),
        invoked_function_arn: "arn:aws:lambda:eu-west-1:000000000000:function:hello".to_owned(),
        payload: payload.into(),
        content_type: None,
        client_context: None,
        cognito_identity: None,
        trace_header: Some("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
        segments: None,
    }
}

impl Subject {
    /// Invokes and waits for both the answer and the end.
    pub async fn invoke(&self, payload: impl Into<Bytes>) -> (Outcome, Finished) {
        settle(self.begin(invocation(payload)).await).await
    }

    /// Gives the environment an invocation as soon as it takes one.
    pub async fn begin(&self, mut invocation: Invocation) -> Running {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            match self.environment.invoke(invocation, Wanted { log_tail: true, stream: false }) {
                Ok(running) => return running,
                Err((back, NotAvailable::Busy)) if std::time::Instant::now() < deadline => invocation = back,
                Err((_, reason)) => panic!("{reason}"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Invokes, expects success and gives the result as text.
    pub async fn result(&self, payload: &'static str) -> String {
        let (outcome, _) = self.invoke(payload).await;
        match outcome {
            Outcome::Success(payload) => String::from_utf8_lossy(&payload).into_owned(),
            Outcome::Error(error) => panic!("{error:?}\n{:#?}", self.log.lines()),
        }
    }

    /// Invokes, expects an error and gives its type and message.
    pub async fn failure(&self, payload: &'static str) -> (String, String) {
        let (outcome, _) = self.invoke(payload).await;
        error(&outcome)
    }

    /// Ends everything and checks that nothing is left.
    pub async fn end(self) {
        tokio::time::timeout(PATIENCE, self.environment.shutdown()).await.expect("shutdown hangs");
        assert_eq!(self.told.ended_count(), 1);
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait()).await.expect("tasks are left");
        self.backend.shutdown().await;
    }
}

pub async fn settle(running: Running) -> (Outcome, Finished) {
    let both = async { (running.response.await.unwrap(), running.finished.await.unwrap()) };
    tokio::time::timeout(PATIENCE, both).await.expect("the invocation does not end")
}

pub fn error(outcome: &Outcome) -> (String, String) {
    let Outcome::Error(error) = outcome else { panic!("{outcome:?}") };
    let value: serde_json::Value = serde_json::from_slice(&error.payload).unwrap();
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    (text("errorType"), text("errorMessage"))
}

/// The package's own small program, which becomes the jailer.
const JAILER: &str = env!("CARGO_BIN_EXE_rushlight-environment-jailer");

fn process_backend(directory: &Path) -> ProcessBackend {
    ProcessBackend::start_with(directory, Some(Path::new(JAILER))).unwrap()
}

/// The backends of this machine, by name.
pub async fn backends(directory: &Path) -> Vec<(&'static str, Arc<dyn Backend>)> {
    let mut backends: Vec<(_, Arc<dyn Backend>)> = vec![("process", Arc::new(process_backend(directory)))];
    if rustix::process::geteuid().is_root() {
        let options = Options { helper: Some(JAILER.into()), ..Options::new(directory, Isolation::Sandbox) };
        backends.push(("linux", Arc::new(LinuxBackend::start(options).await.unwrap())));
    } else {
        eprintln!("SKIPPED on the Linux backend: this needs root");
    }
    backends
}

/// Runs a scenario once on every backend.
pub async fn everywhere<F: Future<Output = ()>>(
    function: impl Fn() -> Option<Function>,
    scenario: impl Fn(Subject, Isolation) -> F,
) {
    let data = tempfile::tempdir().unwrap();
    for (name, backend) in backends(data.path()).await {
        let Some(function) = function() else { return };
        eprintln!("on the {name} backend");
        let isolation = backend.isolation();
        let subject = start(function, backend, tempfile::tempdir().unwrap()).await;
        scenario(subject, isolation).await;
    }
}

/// Runs a scenario on the backend without isolation, whose listeners a test can reach.
pub async fn in_reach<F: Future<Output = ()>>(
    function: impl Fn() -> Option<Function>,
    scenario: impl Fn(Subject, Isolation) -> F,
) {
    let data = tempfile::tempdir().unwrap();
    let backend = Arc::new(process_backend(data.path()));
    let Some(function) = function() else { return };
    scenario(start(function, backend, tempfile::tempdir().unwrap()).await, Isolation::None).await;
}
