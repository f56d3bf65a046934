//! Synchronous invocation, from admission to the answer, be it whole or piece by piece.
//!
//! On the warm path nothing is spawned and nothing waits but for the function itself: find the head (cached), take a
//! permit, take an idle environment, hand over the event, wait for the answer. A cold start runs in a task of its
//! own, because an invocation that was accepted goes on when its caller hangs up.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rushlight_environment::runtime::Resolved;
use rushlight_environment::{
    Config, Credentials, Environment, Finished, Initialization, IssueCredentials, ResponseStream, Running,
    StartError, Wanted, emulated, emulator,
};
use rushlight_model::arn::FunctionId;
use rushlight_model::function::{Code, FunctionConfiguration};
use rushlight_model::invocation::{Invocation, Outcome};
use rushlight_model::tenant::TenantId;
use rushlight_model::version::Version;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument;

use crate::address::Address;
use crate::admission::Permit;
use crate::assignment::{Assignment, assign};
use crate::function::{RoleCredentials, Target};
use crate::generation::{Generation, PooledEnvironment};
use crate::pool::Use;
use crate::tenants::Tenancy;
use crate::{Error, Inner, Invoker, recursion};

/// What a caller gets.
#[derive(Debug)]
pub struct Answer {
    /// The function's result or error.
    pub outcome: Outcome,
    /// The version that ran.
    pub executed_version: Version,
    /// The last 4 KB of the invocation's log, if asked for.
    pub log_tail: Option<Bytes>,
    /// Whether the trace is sampled.
    pub sampled: bool,
}

/// What a caller gets who takes the response as it comes.
#[derive(Debug)]
pub struct StreamingAnswer {
    /// The version that runs.
    pub executed_version: Version,
    /// The response piece by piece; closed without a value if it comes as a whole, with [`StreamingAnswer::outcome`].
    pub stream: oneshot::Receiver<ResponseStream>,
    /// How it ended, and the response itself if it was no stream.
    pub outcome: oneshot::Receiver<Outcome>,
    /// The end of the invocation with the last 4 KB of its log, if asked for.
    pub finished: Option<oneshot::Receiver<Finished>>,
    /// Whether the trace is sampled.
    pub sampled: bool,
}

/// An invocation that an environment has begun.
struct Begun {
    environment: PooledEnvironment,
    used: Use,
    running: Running,
}

impl Invoker {
    /// Checks that who is at `address` could be invoked now, without invoking it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dry_run(&self, address: impl Into<Address<'_>>) -> Result<Version, Error> {
        let Address { function, tenant_id } = address.into();
        let target = self.inner.functions.resolve(function).await?;
        self.inner.generations.of(&target).on_demand(tenant_id)?;
        Ok(target.version())
    }

    /// Invokes a function and waits for its answer; for the end of the invocation too if the log's tail is wanted.
    /// Dropping the future abandons the answer, not the invocation.
    ///
    /// # Errors
    /// See [`Error`]. A failure of the function is not an error but an [`Outcome`].
    pub async fn request_response(
        &self,
        address: impl Into<Address<'_>>,
        mut invocation: Invocation,
        want_log_tail: bool,
    ) -> Result<Answer, Error> {
        let Address { function, tenant_id } = address.into();
        let target = self.inner.functions.resolve(function).await?;
        let generation = self.inner.generations.of(&target);
        let sampled = generation.sampler.trace(&mut invocation, &self.inner.services.clock);
        recursion::guard(&target, &mut invocation)?;
        let wanted = Wanted { log_tail: want_log_tail, stream: false };
        let begun = self.begin(&target, &generation, tenant_id, invocation, wanted).await?;
        let Begun { environment, used, running } = begun;
        let outcome = running.response.await.map_err(|_| Error::ShuttingDown)?;
        if let Some(pool) = generation.pool_of(&environment) {
            pool.answered(&environment, used);
        }
        let log_tail = match want_log_tail {
            true => running.finished.await.ok().and_then(|finished| finished.log_tail),
            false => None,
        };
        Ok(Answer { outcome, executed_version: target.version(), log_tail, sampled })
    }

    /// Invokes a function whose response may come piece by piece. Dropping what is returned abandons the answer, not
    /// the invocation.
    ///
    /// # Errors
    /// As [`Invoker::request_response`].
    pub async fn response_stream(
        &self,
        address: impl Into<Address<'_>>,
        mut invocation: Invocation,
        want_log_tail: bool,
    ) -> Result<StreamingAnswer, Error> {
        let Address { function, tenant_id } = address.into();
        let target = self.inner.functions.resolve(function).await?;
        let generation = self.inner.generations.of(&target);
        let sampled = generation.sampler.trace(&mut invocation, &self.inner.services.clock);
        recursion::guard(&target, &mut invocation)?;
        let wanted = Wanted { log_tail: want_log_tail, stream: true };
        let Begun { running, .. } = self.begin(&target, &generation, tenant_id, invocation, wanted).await?;
        let Running { response, stream, finished } = running;
        Ok(StreamingAnswer {
            executed_version: target.version(),
            stream,
            outcome: response,
            finished: want_log_tail.then_some(finished),
            sampled,
        })
    }

    /// Finds an environment, or makes one, and hands it the invocation.
    async fn begin(
        &self,
        target: &Target,
        generation: &Arc<Generation>,
        tenant_id: Option<&TenantId>,
        mut invocation: Invocation,
        wanted: Wanted,
    ) -> Result<Begun, Error> {
        let inner = &self.inner;
        let clock = &inner.services.clock;
        let pool = generation.on_demand(tenant_id)?;
        if let Some(rates) = &inner.rates {
            rates.request(target.head(), clock.moment()).map_err(Error::Throttled)?;
        }
        loop {
            let ready = match generation.provisioned() {
                Some(provisioned) => provisioned.lease(clock).await,
                None => None,
            };
            let (lease, permit) = match ready {
                Some(lease) => (lease, Permit::provisioned()),
                None => {
                    let permit = inner.admission.admit(target.head()).map_err(Error::Throttled)?;
                    match assign(&pool, &inner.turns, clock).await? {
                        Assignment::New(turn) => {
                            if let Some(rates) = &inner.rates {
                                rates.start(target.head(), clock.moment()).map_err(Error::Throttled)?;
                            }
                            let tenancy = inner.bind(target, tenant_id)?;
                            return inner
                                .begin_cold(generation, tenancy, invocation, wanted, permit, turn)
                                .await;
                        }
                        Assignment::Existing(lease) => (lease, permit),
                    }
                }
            };
            let Some((environment, used)) = lease.begin(permit) else { continue };
            match environment.environment.invoke(invocation, wanted) {
                Ok(running) => return Ok(Begun { environment, used, running }),
                // It ended between being taken and being used. Another will do.
                Err((refused, refusal)) => {
                    generation.refused(&environment, refusal);
                    invocation = refused;
                }
            }
        }
    }
}

impl Inner {
    /// What a new environment of `target` is bound to, if its tenants are kept apart.
    fn bind(&self, target: &Target, tenant_id: Option<&TenantId>) -> Result<Option<Tenancy>, Error> {
        let Some(tenant_id) = tenant_id.cloned() else { return Ok(None) };
        let permit = self.admission.admit_environment(target.head()).map_err(Error::Throttled)?;
        Ok(Some(Tenancy { tenant_id, permit }))
    }

    async fn begin_cold(
        self: &Arc<Self>,
        generation: &Arc<Generation>,
        tenancy: Option<Tenancy>,
        invocation: Invocation,
        wanted: Wanted,
        permit: Permit,
        turn: OwnedSemaphorePermit,
    ) -> Result<Begun, Error> {
        let mut turn = Some(turn);
        let (sender, receiver) = oneshot::channel();
        let (inner, generation) = (Arc::clone(self), Arc::clone(generation));
        let (tenant_id, own) = tenancy.map(|Tenancy { tenant_id, permit }| (tenant_id, permit)).unzip();
        let start = async move {
            let started = match generation.parked() {
                None => inner.start(&generation, Initialization::OnDemand, tenant_id).await,
                Some(parked) => {
                    // Whatever takes its place needs the turn.
                    drop(turn.take());
                    inner.restore(&generation, parked).await
                }
            };
            let begun = started.and_then(|environment| {
                // By what the environment itself says of its tenant, so that it gets into no other's pool.
                let pool = generation.on_demand(environment.config().tenant_id.as_ref())?;
                let environment = generation.pooled(&environment);
                let used = pool.add_limited(&environment, Some(permit), own, inner.services.clock.moment());
                match environment.environment.invoke(invocation, wanted) {
                    Ok(running) => Ok(Begun { environment, used, running }),
                    Err((_, refusal)) => {
                        generation.refused(&environment, refusal);
                        Err(Error::Environment(refusal.to_string()))
                    }
                }
            });
            drop(turn);
            // Nobody may be waiting any more; the invocation goes on all the same.
            let _ = sender.send(begun);
        };
        self.services.tracker.spawn(start.instrument(tracing::Span::current()));
        receiver.await.map_err(|_| Error::ShuttingDown)?
    }

    /// Makes a new environment; it initialises while this returns.
    pub(crate) async fn start(
        &self,
        generation: &Arc<Generation>,
        initialization: Initialization,
        tenant_id: Option<TenantId>,
    ) -> Result<Arc<Environment>, Error> {
        let configuration = &generation.configuration;
        let packages = packages(configuration);
        let _starting: Vec<_> = packages.iter().map(|package| self.packages.starting(package)).collect();
        let Program { code_directory, layer_directories, runtime } = self.program(configuration).await?;
        let config = Config {
            function: generation.function.clone(),
            configuration: Arc::clone(configuration),
            code_directory,
            layer_directories,
            runtime,
            credentials: Arc::new(Role {
                credentials: Arc::clone(&self.credentials),
                function: generation.function.clone(),
                role: configuration.role.clone(),
            }),
            additional_environment: Arc::clone(&self.settings.function_environment),
            initialization,
            tenant_id,
            egress: self.settings.egress,
        };
        let owner = Arc::downgrade(generation);
        let environment = Environment::start(config, self.services.clone(), owner).await;
        let environment = environment.map_err(|error: StartError| {
            tracing::error!(function = %generation.function.name, %error, "environment.start.failed");
            Error::Environment(error.to_string())
        })?;
        packages.iter().for_each(|package| self.packages.mounted(package, &environment));
        Ok(environment)
    }

    /// Makes ready what an environment of a function is made of.
    async fn program(&self, configuration: &FunctionConfiguration) -> Result<Program, Error> {
        let (runtime, sha256) = match &configuration.code {
            Code::Zip { runtime, sha256, .. } => (runtime, sha256),
            Code::Image { .. } => {
                let architecture = configuration.architecture;
                if emulated(architecture).is_some_and(|processor| emulator(processor).is_none()) {
                    return Err(Error::RuntimeMissing(format!(
                        "the image is for {}, which is not this machine's architecture, and there is no emulator for it; \
                         install qemu-user-static",
                        architecture.as_str()
                    )));
                }
                let image = self.code.image(configuration).await.map_err(Error::Code)?;
                let runtime = Arc::new(Resolved::image(image));
                return Ok(Program { code_directory: None, layer_directories: Vec::new(), runtime });
            }
        };
        let code_directory = Some(self.code.directory(sha256).await.map_err(Error::Code)?);
        let mut layer_directories = Vec::new();
        for layer in layers(configuration) {
            layer_directories.push(self.code.directory(layer).await.map_err(Error::Code)?);
        }
        let catalogue = Arc::clone(&self.catalogue);
        let (identifier, architecture) = (runtime.clone(), configuration.architecture);
        let version = configuration.runtime_version_arn.clone();
        let resolve = move || catalogue.resolve_for(&identifier, architecture, version.as_deref());
        let runtime = tokio::task::spawn_blocking(resolve)
            .await
            .map_err(|_| Error::ShuttingDown)?
            .map_err(|missing| Error::RuntimeMissing(missing.to_string()))?;
        Ok(Program { code_directory, layer_directories, runtime })
    }
}

/// The execution role of a function.
struct Role {
    credentials: Arc<dyn RoleCredentials>,
    function: FunctionId,
    role: String,
}

impl std::fmt::Debug for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Role").field("role", &self.role).finish_non_exhaustive()
    }
}

impl IssueCredentials for Role {
    fn issue(&self) -> Option<Credentials> {
        self.credentials.issue(&self.function, &self.role)
    }
}

/// What runs in an environment.
struct Program {
    code_directory: Option<PathBuf>,
    layer_directories: Vec<PathBuf>,
    runtime: Arc<Resolved>,
}

/// The archives that an environment has mounted.
fn packages(configuration: &FunctionConfiguration) -> Vec<&str> {
    let code = match &configuration.code {
        Code::Zip { sha256, .. } => Some(sha256.as_str()),
        Code::Image { .. } => None,
    };
    layers(configuration).into_iter().chain(code).collect()
}

/// The archives of the layers in the order of merging, each once: of two that are the same the later one covers the
/// earlier.
fn layers(configuration: &FunctionConfiguration) -> Vec<&str> {
    let all: Vec<&str> = configuration.layers.iter().map(|layer| layer.content.sha256.as_str()).collect();
    let is_last = |(index, layer): &(usize, &&str)| !all[index + 1..].contains(layer);
    all.iter().enumerate().filter(is_last).map(|(_, layer)| *layer).collect()
}
