//! Making an environment: the sandbox, its listeners, the tasks.

use std::net::TcpListener as StdListener;
use std::sync::{Arc, Weak};

use rushlight_model::function::Architecture;
use rushlight_model::log::LogStream;
use rushlight_model::quota;
use rushlight_sandbox::{Error, Limits, Processor, Spec, probe};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::config::{Config, Owner, ServeEndpoint, Services};
use crate::lifecycle::InitPhase;
use crate::logs::Logs;
use crate::report::{Event, InitStart};
use crate::variables::Addresses;
use crate::{Environment, runtime_api, supervisor};

/// Where the Runtime API listens in the sandbox.
const RUNTIME_API_PORT: u16 = 9001;
/// Where the AWS endpoint listens in the sandbox.
const ENDPOINT_PORT: u16 = 9002;
/// The ports of every environment's loopback address at which the server itself listens.
pub const RESERVED_PORTS: [u16; 2] = [RUNTIME_API_PORT, ENDPOINT_PORT];
/// Connections to one of the listeners at a time; more wait in the kernel.
const MOST_CONNECTIONS: usize = 64;

/// The environment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The sandbox could not be made.
    #[error("cannot make a sandbox for {function}: {source}")]
    Sandbox {
        /// The function's name.
        function: String,
        /// What the backend says.
        source: Error,
    },
    /// The sandbox has no usable listener.
    #[error("cannot listen inside the sandbox of {function}: {source}")]
    Listen {
        /// The function's name.
        function: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
}

impl Environment {
    /// Makes a sandbox and begins to start the runtime in it. Does not wait for the runtime.
    ///
    /// # Errors
    /// [`StartError`] if the sandbox cannot be made. What fails later fails the first invocation.
    pub async fn start(
        config: Config,
        services: Services,
        owner: Weak<dyn Owner>,
    ) -> Result<Arc<Self>, StartError> {
        let function = config.function.name.clone();
        let id = Uuid::new_v4().simple().to_string();
        let spec = spec(&config, &services, &id);
        let sandbox = services.backend.create(spec).await;
        let sandbox = sandbox.map_err(|source| StartError::Sandbox { function: function.clone(), source })?;
        let listeners: Result<Vec<_>, _> = sandbox.take_listeners().into_iter().map(listen).collect();
        let listeners =
            listeners.map_err(|source| StartError::Listen { function: function.clone(), source })?;
        let mut taken = RESERVED_PORTS.to_vec();
        taken.extend(listeners.iter().filter_map(|(listener, _)| Some(listener.local_addr().ok()?.port())));
        let mut listeners = listeners.into_iter();
        let Some((api, runtime_api)) = listeners.next() else {
            return Err(StartError::Listen { function, source: std::io::ErrorKind::NotConnected.into() });
        };
        let endpoint = services.endpoint.clone().and_then(|endpoint| Some((listeners.next()?, endpoint)));
        let forwards: Vec<_> = listeners.zip(services.forwards.iter().cloned()).collect();
        let addresses = Addresses {
            runtime_api,
            endpoint: endpoint.as_ref().map(|((_, address), _)| address.clone()),
            metadata_token: Uuid::new_v4().simple().to_string(),
            credentials_token: Uuid::new_v4().simple().to_string(),
            taken,
        };
        let logging = &config.configuration.logging;
        let stream = Arc::new(log_stream(&config, &services, &id));
        let logs = Arc::new(Logs::new(stream, services.logs.clone(), services.clock.clone(), logging));
        let tracker = services.tracker.clone();
        let environment = Arc::new(Self::new(config, services, owner, sandbox, addresses, logs));
        environment.logs.platform(&Event::InitStart(&environment.init_start(InitPhase::Init)));
        let mut servers = vec![tracker.spawn(serve_runtime_api(environment.clone(), api)).abort_handle()];
        if let Some(((listener, _), endpoint)) = endpoint {
            servers.push(tracker.spawn(serve_endpoint(endpoint, listener)).abort_handle());
        }
        for ((listener, _), forward) in forwards {
            servers.push(tracker.spawn(serve_endpoint(forward.serve, listener)).abort_handle());
        }
        tracker.spawn(supervisor::supervise(environment.clone(), servers));
        Ok(environment)
    }

    /// What is told of an initialisation that begins; the log has only the first.
    pub(crate) fn init_start(&self, phase: InitPhase) -> InitStart<'_> {
        let config = &self.config;
        InitStart {
            phase,
            initialization: config.initialization,
            function_name: &config.function.name,
            function_version: config.configuration.version.to_string(),
            runtime_version: config.runtime.version(),
            runtime_version_arn: config.runtime.version_arn(&config.function.scope.region),
            instance_id: self.id(),
            memory_size_mb: config.configuration.memory_size_mb,
        }
    }
}

fn spec(config: &Config, services: &Services, id: &str) -> Spec {
    let configuration = &config.configuration;
    let mut mounts = config.runtime.mounts();
    let code = config.code_directory.clone();
    mounts.extend(code.map(|source| rushlight_sandbox::Mount { source, target: "/var/task".into() }));
    let mut listener_ports = vec![RUNTIME_API_PORT];
    if services.endpoint.is_some() {
        listener_ports.push(ENDPOINT_PORT);
    }
    listener_ports.extend(services.forwards.iter().map(|forward| forward.port));
    Spec {
        id: id.to_owned(),
        root: config.runtime.root(),
        mounts,
        opt_layers: config.layer_directories.clone(),
        limits: Limits {
            memory_bytes: u64::from(configuration.memory_size_mb) * 1024 * 1024,
            cpus: configuration.cpus(),
            processes: quota::PROCESSES,
            descriptors: quota::DESCRIPTORS,
            tmp_bytes: u64::from(configuration.ephemeral_storage_mb) * 1024 * 1024,
        },
        egress: config.egress,
        listener_ports,
        hostname: "sandbox".to_owned(),
        emulator: emulated(configuration.architecture).and_then(probe::emulator),
    }
}

/// The processor that programs for this architecture have to be emulated on, if this machine has another.
#[must_use]
pub fn emulated(architecture: Architecture) -> Option<Processor> {
    let processor = match architecture {
        Architecture::X86_64 => Processor::X86_64,
        Architecture::Arm64 => Processor::Arm64,
    };
    (Processor::of_this_machine() != Some(processor)).then_some(processor)
}

/// `YYYY/MM/DD/[<version>]<id>`; in a group that functions may share, the function's name comes before the version.
fn log_stream(config: &Config, services: &Services, id: &str) -> LogStream {
    let function = &config.function;
    let group = &config.configuration.logging.group;
    let shared = *group != format!("/aws/lambda/{}", function.name);
    LogStream {
        account: function.scope.account.clone(),
        region: function.scope.region.clone(),
        group: group.clone(),
        stream: format!(
            "{}/{}[{}]{id}",
            services.clock.now().format("%Y/%m/%d"),
            if shared { function.name.as_str() } else { "" },
            config.configuration.version
        ),
    }
}

fn listen(listener: StdListener) -> std::io::Result<(TcpListener, String)> {
    let address = listener.local_addr()?.to_string();
    Ok((TcpListener::from_std(listener)?, address))
}

async fn serve_runtime_api(environment: Arc<Environment>, listener: TcpListener) {
    accept(listener, |connection| runtime_api::serve(environment.clone(), connection)).await;
}

async fn serve_endpoint(endpoint: Arc<dyn ServeEndpoint>, listener: TcpListener) {
    accept(listener, |connection| endpoint.serve(connection)).await;
}

/// Accepts connections for ever; the tasks that serve them end with this future.
async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F,
) {
    let mut connections = JoinSet::new();
    loop {
        // Both branches are cancel-safe.
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((connection, _)) => {
                    // Heads and payloads go out whole: waiting for more to send would only delay them.
                    let _ = connection.set_nodelay(true);
                    connections.spawn(serve(connection));
                }
                Err(error) => {
                    // Out of descriptors, most likely. Waiting lets others give some back.
                    tracing::warn!(%error, "environment.accept_failed");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
        }
    }
}
