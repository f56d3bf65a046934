//! What an environment is made of and what it is given to work with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rushlight_model::arn::FunctionId;
use rushlight_model::clock::{Clock, Timestamp};
use rushlight_model::function::FunctionConfiguration;
use rushlight_model::log::LogSink;
use rushlight_model::tenant::TenantId;
use rushlight_model::trace::TraceSink;
use rushlight_sandbox::{Backend, BoxFuture, Egress};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::Environment;
use crate::runtime::Resolved;

/// One execution environment of one version of a function.
#[derive(Debug, Clone)]
pub struct Config {
    /// The function.
    pub function: FunctionId,
    /// Its configuration, which carries the version.
    pub configuration: Arc<FunctionConfiguration>,
    /// The unpacked package: becomes `/var/task`. An image has its code in itself.
    pub code_directory: Option<PathBuf>,
    /// The unpacked layers in the order of merging: become `/opt`.
    pub layer_directories: Vec<PathBuf>,
    /// The runtime.
    pub runtime: Arc<Resolved>,
    /// Makes temporary credentials of the function's role.
    pub credentials: Arc<dyn IssueCredentials>,
    /// Variables set by the operator. Those of the function win over them, those that AWS reserves over both.
    pub additional_environment: Arc<BTreeMap<String, String>>,
    /// Why the environment is made.
    pub initialization: Initialization,
    /// The only tenant that it ever works for, if the function keeps its tenants apart.
    pub tenant_id: Option<TenantId>,
    /// Outbound network.
    pub egress: Egress,
}

/// Makes temporary credentials of one function's role.
pub trait IssueCredentials: Send + Sync + std::fmt::Debug {
    /// New ones; `None` if the role cannot be assumed.
    fn issue(&self) -> Option<Credentials>;
}

/// Always the same, or none.
impl IssueCredentials for Option<Credentials> {
    fn issue(&self) -> Option<Credentials> {
        self.clone()
    }
}

/// Temporary credentials.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
    /// When they end.
    pub expiration: Timestamp,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Why an environment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialization {
    /// An invocation needs it.
    OnDemand,
    /// It is kept ready.
    ProvisionedConcurrency,
    /// It is kept, initialised and frozen, for when one is needed.
    SnapStart,
}

impl Initialization {
    /// AWS' name, as in `AWS_LAMBDA_INITIALIZATION_TYPE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
            Self::SnapStart => "snap-start",
        }
    }
}

/// What every environment of a server shares.
#[derive(Clone)]
pub struct Services {
    /// Makes sandboxes.
    pub backend: Arc<dyn Backend>,
    /// Time.
    pub clock: Clock,
    /// Takes log events.
    pub logs: Arc<dyn LogSink>,
    /// Takes the traces of sampled invocations, if anybody wants them.
    pub traces: Option<Arc<dyn TraceSink>>,
    /// Owns the tasks of all environments.
    pub tracker: TaskTracker,
    /// Serves the AWS endpoint that functions call; `AWS_ENDPOINT_URL` is set only if it is there.
    pub endpoint: Option<Arc<dyn ServeEndpoint>>,
    /// The id of the zone that the server is in; without, the first of each function's region.
    pub availability_zone_id: Option<Arc<str>>,
    /// Other services that are offered on the loopback address inside every environment.
    pub forwards: Arc<[Forward]>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Services").field("backend", &self.backend).finish_non_exhaustive()
    }
}

/// A service that is offered inside every environment.
#[derive(Clone)]
pub struct Forward {
    /// The port on the environment's loopback address; none of [`RESERVED_PORTS`](crate::RESERVED_PORTS).
    pub port: u16,
    /// Serves the connections.
    pub serve: Arc<dyn ServeEndpoint>,
}

/// Serves connections that functions make to an endpoint inside their environment.
pub trait ServeEndpoint: Send + Sync {
    /// Serves one connection until it ends. The future is dropped when the environment ends.
    fn serve(&self, connection: TcpStream) -> BoxFuture<'static, ()>;
}

/// Who decides what an environment does next. Called at the moment itself, with no lock held:
/// [`Environment::invoke`] may be called from within.
pub trait Owner: Send + Sync {
    /// The environment can take an invocation now.
    fn idle(&self, environment: &Arc<Environment>);
    /// The environment is initialised and frozen, or its initialisation has failed: see [`Initialization::SnapStart`]
    /// and [`Environment::initialized`].
    fn parked(&self, environment: &Arc<Environment>);
    /// An invocation was answered.
    fn answered(&self, failed: bool);
    /// The environment will never take an invocation again.
    fn ended(&self, environment: &Arc<Environment>);
}
