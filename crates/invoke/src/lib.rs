//! The data plane: the only way in to running a function.
//!
//! ```text
//!  request ─> resolve ─────> admit ─────> assign ───────────────> environment ─> answer
//!             function.rs    admission.rs assignment.rs, pool.rs  request_response.rs
//!             head (cached)  permit       idle, soon idle or new
//! ```
//!
//! Knows no wire types and no protocol of callers; does not know how sandboxes or stores are made.

#![forbid(unsafe_code)]

mod address;
pub mod admission;
mod assignment;
mod error;
mod function;
mod generation;
#[cfg(test)]
mod model;
mod packages;
mod parked;
mod pool;
mod provisioned;
mod rates;
mod recursion;
mod request_response;
mod sampling;
mod sync;
mod tenants;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rushlight_environment::runtime::Catalogue;
use rushlight_environment::{Egress, Services};
use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::Timestamp;
use rushlight_model::function::FunctionHead;
use rushlight_model::invocation::Outcomes;
use rushlight_model::version::{PublishedConfiguration, Version};
use rushlight_store::table::{Table, function as keys};
use tokio::sync::{Semaphore, mpsc};

pub use crate::address::Address;
use crate::admission::Admission;
pub use crate::error::Error;
use crate::function::Functions;
pub use crate::function::{CodeSource, RoleCredentials};
use crate::generation::Generations;
use crate::packages::PackageUses;
pub use crate::parked::InitFailure;
use crate::rates::Rates;
pub use crate::request_response::{Answer, StreamingAnswer};
pub use rushlight_environment::{Finished, NotRestored, ResponseStream};

/// How often idle environments are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_millis(50);

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Invocations of one account in one region that may run at a time.
    pub concurrent_executions: u32,
    /// Whether functions take requests, and get environments, at AWS' pace only.
    pub aws_pace: bool,
    /// How many environments are started at a time.
    pub concurrent_starts: usize,
    /// An environment idle for this long is frozen. Not zero: a busy function's next event comes sooner than a
    /// freeze and a thaw take.
    pub freeze_after: Duration,
    /// An environment idle for this long is retired.
    pub idle_timeout: Duration,
    /// An environment older than this is retired when it is idle.
    pub max_age: Duration,
    /// Variables set in every environment.
    pub function_environment: Arc<BTreeMap<String, String>>,
    /// Outbound network of functions.
    pub egress: Egress,
}

/// What the data plane works with.
pub struct Dependencies {
    /// Heads of all functions, with their cache.
    pub heads: Table<FunctionHead>,
    /// Configurations of published versions, with their cache.
    pub versions: Table<PublishedConfiguration>,
    /// Hears of versions with `SnapStart` that were invoked although they were given up.
    pub invoked_inactive: mpsc::Sender<(FunctionId, u64)>,
    /// Unpacked code.
    pub code: Arc<dyn CodeSource>,
    /// Credentials of execution roles.
    pub credentials: Arc<dyn RoleCredentials>,
    /// Runtimes of this machine.
    pub catalogue: Arc<Catalogue>,
    /// What environments are made with.
    pub services: Services,
}

/// Runs functions. Clones share everything.
#[derive(Clone)]
pub struct Invoker {
    inner: Arc<Inner>,
}

struct Inner {
    functions: Functions,
    code: Arc<dyn CodeSource>,
    credentials: Arc<dyn RoleCredentials>,
    catalogue: Arc<Catalogue>,
    services: Services,
    settings: Settings,
    admission: Admission,
    rates: Option<Rates>,
    generations: Generations,
    packages: PackageUses,
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Invoker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Invoker").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Invoker {
    /// Makes the data plane and starts the task that looks after idle environments, on the tracker in `services`.
    #[must_use]
    pub fn new(dependencies: Dependencies, settings: Settings) -> Self {
        let Dependencies { heads, versions, invoked_inactive, code, credentials, catalogue, services } =
            dependencies;
        let generations =
            Generations::new(services.clock.clone(), services.tracker.clone(), settings.max_age);
        let admission = Admission::new(settings.concurrent_executions);
        let rates = settings.aws_pace.then(|| Rates::new(settings.concurrent_executions));
        let turns = Arc::new(Semaphore::new(settings.concurrent_starts));
        let inner = Inner {
            functions: Functions { heads, versions, invoked_inactive },
            code,
            credentials,
            catalogue,
            services,
            settings,
            admission,
            rates,
            generations,
            packages: PackageUses::default(),
            turns,
        };
        let invoker = Self { inner: Arc::new(inner) };
        let sweeping = invoker.clone();
        invoker.inner.services.tracker.spawn(async move { sweeping.sweep().await });
        invoker
    }

    /// Code or configuration of `function` changed, or it is gone: environments of the former generation drain.
    pub fn retire(&self, function: &FunctionId) {
        let key = keys::head_key(&function.scope.account, &function.scope.region, &function.name);
        let entry = self.inner.functions.heads.cached(&key);
        self.inner.generations.retire(function, entry.as_ref().map(|entry| &*entry.value));
    }

    /// Functions of this account and region have claimed so much of its concurrency for themselves.
    pub fn claim_concurrency(&self, scope: &Scope, claimed: u32) {
        self.inner.admission.claim(scope, claimed);
    }

    /// What became of the invocations that a version has served since it was last changed.
    #[must_use]
    pub fn outcomes(&self, function: &FunctionId, version: Version) -> Outcomes {
        self.inner.generations.outcomes(function, version)
    }

    /// When a published version with `SnapStart` was invoked last.
    #[must_use]
    pub fn last_used(&self, function: &FunctionId, version: u64) -> Option<Timestamp> {
        let generations = self.inner.generations.published(function);
        let generation = generations.iter().find(|(number, _)| *number == version);
        generation.and_then(|(_, generation)| generation.last_used())
    }

    /// Whether an environment has the package with this SHA-256 (lower-case hex) mounted, or is about to.
    #[must_use]
    pub fn uses_package(&self, sha256: &str) -> bool {
        self.inner.packages.is_used(sha256)
    }

    /// Takes no new cold starts, shuts down idle environments now and busy ones when they are done.
    pub fn close(&self) {
        self.inner.turns.close();
        self.inner.generations.close();
    }

    async fn sweep(&self) {
        let Inner { generations, settings, turns, .. } = &*self.inner;
        while !turns.is_closed() {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let all = generations.all();
            for generation in &all {
                self.inner.fill(generation);
                self.inner.park(generation);
            }
            for environment in generations.sweep(&all, settings.freeze_after, settings.idle_timeout) {
                environment.freeze().await;
            }
        }
    }
}
