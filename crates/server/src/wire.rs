//! The composition root: the only place that knows which store, which sandbox backend and which services are in use.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use anyhow::Context;
use rushlight_auth::sigv4::{Payload, Signer, Verifier};
use rushlight_auth::{AccessKey, Authorizer, Identities, NoIdentities, RoleSession, SessionKey};
use rushlight_control::{
    AnySource, CodeUrl, CodeUrls, Control, DataPlane, Initialized, Objects, OwnRuntimeVersion, Retirement,
    Runtimes, SnapshotFailure, code,
};
use rushlight_environment::runtime::{Catalogue, Settings as CatalogueSettings};
use rushlight_environment::{ContainerImage, Credentials, Forward, ServeEndpoint, Services, emulated};
use rushlight_gateway::{Authentication, CODE_SERVICE, Gateway, Limits, serve_connection};
use rushlight_invoke::{
    CodeSource, Dependencies as InvokeDependencies, InitFailure, Invoker, RoleCredentials, Settings,
};
use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::{Clock, Timestamp};
use rushlight_model::concurrency::Provision;
use rushlight_model::function::{Architecture, FunctionConfiguration};
use rushlight_model::function_url::UrlPlace;
use rushlight_model::invocation::Outcomes;
use rushlight_model::runtime_version::RuntimeVersion;
use rushlight_model::trace::TraceSink;
use rushlight_model::version::Version;
use rushlight_sandbox::{Backend, Egress, Isolation, LinuxBackend, Options, ProcessBackend};
use rushlight_services::iam::{Directory, Iam, Sts};
use rushlight_services::logs::{LogStore, LogStoreConfig, Logs};
use rushlight_store::table::{Table, function, version};
use rushlight_store::{BlobStore, BoxFuture, DataDirectory, Digest, PackageStore, Sqlite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{AuthMode, ClockMode, Config, EgressMode, IsolationMode, Pair, QuotaMode};
use crate::forward;
use crate::images::{FunctionImages, sweep_runtime_images};
use crate::keys::{KeyRing, operator_key, root_key, session_key};
use crate::log_destination::LogDestinations;
use crate::postbox::postboxes;
use crate::s3::S3Objects;
use crate::trace_destination::TraceDestination;

/// Heads of functions, and published versions, kept in memory.
const CACHED_FUNCTIONS: usize = 10_000;

/// How long the credentials of an execution environment are good for.
const CREDENTIALS_LIFETIME: Duration = Duration::from_secs(36 * 3600);

/// The age at which an execution environment is retired: well before its credentials end.
const ENVIRONMENT_MAX_AGE: Duration = Duration::from_secs(12 * 3600);

/// What URLs need not say.
const HTTPS_PORT: u16 = 443;

/// How long an environment is idle before it is frozen.
const FREEZE_AFTER: Duration = Duration::from_millis(100);

/// Starts the sandbox backend that the configuration asks for.
///
/// # Errors
/// One sentence saying what the machine does not offer, with the mend.
async fn start_backend(config: &Config, data: &DataDirectory) -> anyhow::Result<Arc<dyn Backend>> {
    let isolation = match config.isolation {
        IsolationMode::None => return Ok(Arc::new(ProcessBackend::start(data.path())?)),
        IsolationMode::Sandbox => Isolation::Sandbox,
        IsolationMode::Rootless => Isolation::Rootless,
    };
    let mut options = Options::new(data.path(), isolation);
    options.egress = config.egress == EgressMode::Translated;
    options.ahead = config.sandboxes_ahead.unwrap_or(options.ahead);
    Ok(Arc::new(LinuxBackend::start(options).await?))
}

/// Everything that runs.
pub struct Server {
    gateway: Arc<Gateway>,
    control: Control,
    invoker: Invoker,
    backend: Arc<dyn Backend>,
    logs: LogStore,
    log_destinations: LogDestinations,
    traces: Option<Arc<TraceDestination>>,
    tracker: TaskTracker,
    stop: CancellationToken,
    // Last: the store closes after all that writes to it, the lock on the directory after that.
    store: Arc<Sqlite>,
    _data: DataDirectory,
}

impl Server {
    /// Builds the server on its data directory. `address` is where it listens.
    ///
    /// # Errors
    /// One sentence saying what is wrong, with the mend.
    pub async fn build(config: &Config, data: DataDirectory, address: SocketAddr) -> anyhow::Result<Self> {
        let backend = start_backend(config, &data).await?;
        let clock = clock(config.clock);
        let root = root_key(data.path(), &config.region)?;
        let sessions = Arc::new(session_key(data.path())?);
        let store = Arc::new(Sqlite::open(&data)?);
        let rows: Arc<dyn rushlight_store::Backend> = store.clone();
        let directory = Arc::new(Directory::open(&rows, clock.clone()).await?);
        let authorizer = authorizer(config, &directory);
        let blobs = BlobStore::open(&data.join("blobs"))?;
        let packages = PackageStore::open(&data.join("packages"))?;
        let logs = LogStoreConfig::of(config.log_storage_bytes);
        let logs = LogStore::open(&data.join("logs"), logs, clock.clone())?;
        let log_destinations = LogDestinations::start(&config.log_destinations)?;
        let traces = trace_destination(config)?;
        let catalogue = Arc::new(catalogue(config, &data)?);
        let images = Arc::new(FunctionImages::open(&config.images, data.join("images"))?);
        let tracker = TaskTracker::new();
        let stop = CancellationToken::new();
        let endpoint = Arc::new(FunctionEndpoint { gateway: OnceLock::new(), stop: stop.clone() });
        let services = Services {
            availability_zone_id: config.availability_zone_id.clone(),
            backend: Arc::clone(&backend),
            clock: clock.clone(),
            traces: traces.clone().map(|traces| traces as Arc<dyn TraceSink>),
            logs: log_destinations.sink(Arc::new(logs.clone())),
            tracker: tracker.clone(),
            endpoint: Some(Arc::clone(&endpoint) as Arc<dyn ServeEndpoint>),
            forwards: forwards(config)?,
        };
        let heads = Table::new(store.clone(), function::HEADS, CACHED_FUNCTIONS);
        let versions = Table::new(store.clone(), version::VERSIONS, CACHED_FUNCTIONS);
        let (invoked_inactive, inactive) = mpsc::channel(64);
        let invoker = Invoker::new(
            InvokeDependencies {
                heads: heads.clone(),
                versions: versions.clone(),
                invoked_inactive,
                code: UnpackedCode::of(&blobs, &packages, &images),
                credentials: Arc::new(ExecutionRoles {
                    sessions: Arc::clone(&sessions),
                    directory: Arc::clone(&directory),
                    clock: clock.clone(),
                }),
                catalogue: Arc::clone(&catalogue),
                services,
            },
            invoke_settings(config),
        );
        let control = Control::open(rushlight_control::Dependencies {
            store: store.clone(),
            functions: heads,
            versions,
            blobs,
            packages,
            clock: clock.clone(),
            quotas: config.account_quotas,
            authorizer: authorizer.clone(),
            block_public_policies: config.block_public_policies,
            deprecation_policy: config.deprecation_policy,
            postboxes: postboxes(&config.notices)?,
            runtimes: Arc::new(MachineRuntimes(Arc::clone(&catalogue))),
            code_urls: Arc::new(PresignedCode { key: root.clone(), address, clock: clock.clone() }),
            url_place: url_place(config, address),
            data_plane: Arc::new(Invocations(invoker.clone())),
            objects: objects(config)?,
            images: Some(images),
            invoked_inactive: inactive,
            event_sources: Arc::new(AnySource),
        })
        .await?;
        // Those of versions that were published are known now.
        sweep_runtime_images(&catalogue, &data.join("runtimes")).await;
        let gateway = Arc::new(Gateway::new(rushlight_gateway::Dependencies {
            authentication: authentication(config, &root, &directory, &sessions),
            default_scope: Scope { account: config.account.clone(), region: config.region.clone() },
            control: control.clone(),
            invoker: invoker.clone(),
            logs: Logs::new(logs.clone(), authorizer.clone()),
            iam: Iam::new(Arc::clone(&directory), authorizer.clone(), tracker.clone()),
            sts: Sts::new(directory, authorizer, sessions),
            stream_bandwidth: config.stream_bandwidth,
            clock,
        }));
        let _ = endpoint.gateway.set(Arc::downgrade(&gateway));
        Ok(Self {
            gateway,
            control,
            invoker,
            backend,
            logs,
            log_destinations,
            traces,
            tracker,
            stop,
            store,
            _data: data,
        })
    }

    /// What connections are served with.
    pub fn gateway(&self) -> Arc<Gateway> {
        Arc::clone(&self.gateway)
    }

    /// Ends everything in the order of dependence. Requests have been answered or cut before.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.invoker.close();
        self.backend.shutdown().await;
        self.control.close().await;
        self.tracker.close();
        if tokio::time::timeout(Duration::from_secs(5), self.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tracker.len(), "server.shutdown.tasks_left");
        }
        if let Some(traces) = self.traces {
            traces.close().await;
        }
        let (logs, log_destinations) = (self.logs, self.log_destinations);
        let closing = tokio::task::spawn_blocking(move || {
            log_destinations.close();
            logs.close();
        });
        if closing.await.is_err() {
            tracing::error!("server.shutdown.logs_failed");
        }
        self.store.close();
    }
}

fn clock(mode: ClockMode) -> Clock {
    match mode {
        ClockMode::Real => Clock::real(),
        ClockMode::Virtual => Clock::new_virtual(),
    }
}

/// How it is made sure who calls.
fn authentication(
    config: &Config,
    root: &AccessKey,
    directory: &Arc<Directory>,
    sessions: &Arc<SessionKey>,
) -> Authentication {
    match config.auth {
        AuthMode::Enforce => {
            let keys = KeyRing::new(root, &config.account, Arc::clone(directory), Arc::clone(sessions));
            Authentication::Enforce(Verifier::new(Box::new(keys)))
        }
        AuthMode::Permissive => Authentication::Permissive,
    }
}

/// Where traces go, if the operator said where.
fn trace_destination(config: &Config) -> anyhow::Result<Option<Arc<TraceDestination>>> {
    let destination = config.trace_destination.as_ref();
    destination.map(|Pair { key, value }| TraceDestination::start(key, value).map(Arc::new)).transpose()
}

/// Where function URLs lead: to our own TLS, if it is served, else to what is in front.
fn url_place(config: &Config, address: SocketAddr) -> UrlPlace {
    let tls_port = config.tls.as_ref().map(|tls| tls.listen.port()).filter(|port| *port != HTTPS_PORT);
    match &config.url_domain {
        Some(UrlPlace::Domain { name, .. }) => UrlPlace::Domain { name: name.clone(), port: tls_port },
        Some(UrlPlace::Localhost(_)) | None => UrlPlace::Localhost(address.port()),
    }
}

/// Decides what callers may do. Where signatures are not verified, everybody is the root of an account.
fn authorizer(config: &Config, directory: &Arc<Directory>) -> Authorizer {
    match config.auth {
        AuthMode::Enforce => Authorizer::new(Arc::clone(directory) as Arc<dyn Identities>),
        AuthMode::Permissive => Authorizer::new(Arc::new(NoIdentities)),
    }
}

/// Where code named by bucket and key is fetched from, if the operator said where.
fn objects(config: &Config) -> anyhow::Result<Option<Arc<dyn Objects>>> {
    let Some(url) = config.endpoints.get("s3") else { return Ok(None) };
    Ok(Some(Arc::new(S3Objects::new(url, operator_key()?)?)))
}

/// The runtimes of this machine.
///
/// # Errors
/// If the files that environments need cannot be written.
pub fn catalogue(config: &Config, data: &DataDirectory) -> anyhow::Result<Catalogue> {
    let settings =
        CatalogueSettings { data_directory: data.join("runtimes"), interpreters: config.runtimes.clone() };
    Catalogue::discover(settings).context("cannot prepare the runtimes")
}

fn invoke_settings(config: &Config) -> Settings {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Settings {
        concurrent_executions: config.account_quotas.concurrent_executions,
        aws_pace: config.quotas == QuotaMode::Aws,
        concurrent_starts: cores * 2,
        freeze_after: FREEZE_AFTER,
        idle_timeout: config.idle_timeout,
        max_age: ENVIRONMENT_MAX_AGE,
        function_environment: Arc::new(function_environment(config)),
        egress: match config.egress {
            EgressMode::Translated => Egress::Translated,
            EgressMode::None => Egress::None,
        },
    }
}

/// What the operator sets in every environment. The SDKs find services by `AWS_ENDPOINT_URL_<SERVICE ID>`.
fn function_environment(config: &Config) -> BTreeMap<String, String> {
    let endpoints = config.endpoints.iter().map(|(service, url)| {
        let id = match service.as_str() {
            "logs" => "CLOUDWATCH_LOGS".to_owned(),
            "events" => "EVENTBRIDGE".to_owned(),
            "dynamodbstreams" => "DYNAMODB_STREAMS".to_owned(),
            "secretsmanager" => "SECRETS_MANAGER".to_owned(),
            "states" => "SFN".to_owned(),
            other => other.to_uppercase().replace('-', "_"),
        };
        let own_loopback = config.isolation != IsolationMode::None;
        (format!("AWS_ENDPOINT_URL_{id}"), if own_loopback { forward::inside(url) } else { url.clone() })
    });
    endpoints.chain(config.function_env.clone()).collect()
}

/// What environments reach on a loopback of their own; without isolation they share the host's.
fn forwards(config: &Config) -> anyhow::Result<Arc<[Forward]>> {
    match config.isolation {
        IsolationMode::None => Ok(Arc::default()),
        IsolationMode::Sandbox | IsolationMode::Rootless => Ok(forward::forwards(&config.endpoints)?.into()),
    }
}

/// The AWS endpoint as functions see it: the gateway, on connections that come from within a sandbox.
struct FunctionEndpoint {
    gateway: OnceLock<Weak<Gateway>>,
    stop: CancellationToken,
}

impl ServeEndpoint for FunctionEndpoint {
    fn serve(&self, connection: tokio::net::TcpStream) -> BoxFuture<'static, ()> {
        let gateway = self.gateway.get().and_then(Weak::upgrade);
        let stop = self.stop.clone();
        Box::pin(async move {
            if let Some(gateway) = gateway {
                serve_connection(connection, gateway, Limits::default(), stop).await;
            }
        })
    }
}

/// Unpacked packages, unpacked again from the blob when they are gone.
struct UnpackedCode {
    blobs: BlobStore,
    packages: PackageStore,
    images: Arc<FunctionImages>,
}

impl UnpackedCode {
    fn of(blobs: &BlobStore, packages: &PackageStore, images: &Arc<FunctionImages>) -> Arc<Self> {
        Arc::new(Self { blobs: blobs.clone(), packages: packages.clone(), images: Arc::clone(images) })
    }
}

impl CodeSource for UnpackedCode {
    fn directory<'a>(&'a self, sha256: &'a str) -> BoxFuture<'a, Result<PathBuf, String>> {
        Box::pin(async move {
            let digest: Digest = sha256.parse().map_err(|_| format!("'{sha256}' is not a SHA-256"))?;
            if let Some(path) = self.packages.path(&digest) {
                return Ok(path);
            }
            let archive = self.blobs.read(&digest).await.map_err(|error| error.to_string())?;
            let archive = archive.ok_or_else(|| format!("the package {sha256} is not in the blob store"))?;
            let unpack = move |into: &std::path::Path| code::unpack(&archive, into).map(drop);
            self.packages.ensure(&digest, unpack).await.map_err(|error| error.to_string())
        })
    }

    fn image<'a>(
        &'a self,
        configuration: &'a FunctionConfiguration,
    ) -> BoxFuture<'a, Result<ContainerImage, String>> {
        Box::pin(self.images.run(configuration))
    }
}

/// Credentials for execution roles.
struct ExecutionRoles {
    sessions: Arc<SessionKey>,
    directory: Arc<Directory>,
    clock: Clock,
}

impl RoleCredentials for ExecutionRoles {
    fn issue(&self, function: &FunctionId, role: &str) -> Option<Credentials> {
        let expiration = self.clock.now() + CREDENTIALS_LIFETIME;
        let session = RoleSession {
            // Where roles are only names, one of another account does not lead into that account.
            account: function.scope.account.clone(),
            role: role.split_once(":role/").map_or(role, |(_, name)| name).to_owned(),
            role_id: self.directory.role_id(role),
            session: function.name.clone(),
            source_function_arn: Some(function.arn()),
            expires_at: expiration.as_seconds(),
        };
        let key = self.sessions.issue(&session).ok()?;
        Some(Credentials {
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key.expose().to_owned(),
            session_token: key.session_token.unwrap_or_default(),
            expiration,
        })
    }
}

/// What this machine can run, for the control plane.
struct MachineRuntimes(Arc<Catalogue>);

impl Runtimes for MachineRuntimes {
    fn check(&self, identifier: &str, architecture: Architecture) -> Result<String, String> {
        // What this machine's interpreters are is of no matter to functions for another architecture.
        if let (false, Some((_, hash))) = (self.is_native(architecture), self.0.own_version(identifier)) {
            return Ok(hash);
        }
        let resolved = self.0.resolve(identifier).map_err(|missing| missing.to_string())?;
        Ok(resolved.version_hash().to_owned())
    }

    fn own(&self, identifier: &str) -> Option<OwnRuntimeVersion> {
        let (text, hash) = self.0.own_version(identifier)?;
        Some(OwnRuntimeVersion { text: text.to_owned(), hash })
    }

    fn is_native(&self, architecture: Architecture) -> bool {
        emulated(architecture).is_none()
    }

    fn add(&self, version: &RuntimeVersion) -> Result<(), String> {
        self.0.publish(version).map_err(|missing| missing.to_string())
    }
}

/// URLs of packages, presigned with the root key.
struct PresignedCode {
    key: AccessKey,
    address: SocketAddr,
    clock: Clock,
}

impl CodeUrls for PresignedCode {
    fn presign(&self, url: CodeUrl<'_>) -> String {
        let here = self.address.to_string();
        let Scope { account, region } = url.scope;
        let path = format!("/_rushlight/code/{account}/{region}/{}", url.package);
        let now = self.clock.now().as_seconds();
        let signer = Signer { access_key: &self.key, region, service: CODE_SERVICE, now };
        let expires = u32::try_from(url.valid.as_secs()).unwrap_or(600);
        let presign = |host: &str| {
            let signed = signer.presign("GET", host, &path, None, expires, Payload::Unsigned).ok()?;
            Some(format!("{}://{host}{signed}", if url.is_encrypted { "https" } else { "http" }))
        };
        // A host that cannot be signed for is not one that a client can come back by.
        url.host.and_then(presign).or_else(|| presign(&here)).unwrap_or_default()
    }
}

/// The data plane, as the control plane tells it of changes.
struct Invocations(Invoker);

impl DataPlane for Invocations {
    fn retire(&self, function: &FunctionId, _retirement: Retirement<'_>) {
        // The new head has been committed: what it no longer serves is closed.
        self.0.retire(function);
    }

    fn in_use(&self, package: &Digest) -> bool {
        self.0.uses_package(&package.to_string())
    }

    fn claim_concurrency(&self, scope: &Scope, claimed: u32) {
        self.0.claim_concurrency(scope, claimed);
    }

    fn provision(&self, function: &FunctionId) {
        self.0.provision(function);
    }

    fn outcomes(&self, function: &FunctionId, version: Version) -> Outcomes {
        self.0.outcomes(function, version)
    }

    fn snapshot<'a>(&'a self, function: &'a FunctionId, version: u64) -> Initialized<'a> {
        Box::pin(async move {
            self.0.snapshot(function, version).await.map_err(|failure| match failure {
                InitFailure::TimedOut => SnapshotFailure::TimedOut,
                InitFailure::Failed { error_type } => SnapshotFailure::Failed { error_type },
                InitFailure::NotStarted => SnapshotFailure::Unavailable,
            })
        })
    }

    fn last_used(&self, function: &FunctionId, version: u64) -> Option<Timestamp> {
        self.0.last_used(function, version)
    }

    fn provisioned(&self, function: &FunctionId, version: u64) -> Provision {
        self.0.provisioned(function, version)
    }
}
