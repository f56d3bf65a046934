//! One generation: the environments that serve one set of code and configuration of one version of a function.
//!
//! Environments of different generations never mix: when an invocation arrives for a newer one of `$LATEST`, the older
//! is closed and drains, while its running invocations go on to their end. A published version has another generation
//! only when it is given another version of its runtime.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rushlight_environment::{Environment, Initialization, NotAvailable, Owner};
use rushlight_model::arn::FunctionId;
use rushlight_model::clock::{Clock, Timestamp};
use rushlight_model::function::{FunctionConfiguration, FunctionHead, State};
use rushlight_model::invocation::Outcomes;
use rushlight_model::tenant::TenantId;
use rushlight_model::version::Version;
use tokio_util::task::TaskTracker;

use crate::Error;
use crate::function::{Identity, Target};
use crate::parked::{InitFailure, Parked};
use crate::pool::{Member, Pool, idle_since};
use crate::provisioned::{Prepared, Provisioned};
use crate::sampling::Sampler;
use crate::sync::RwLock;
use crate::tenants::Tenants;

/// An environment as a pool holds it.
#[derive(Debug, Clone)]
pub(crate) struct PooledEnvironment {
    pub(crate) environment: Arc<Environment>,
    tracker: TaskTracker,
}

impl PooledEnvironment {
    fn is_provisioned(&self) -> bool {
        self.environment.config().initialization == Initialization::ProvisionedConcurrency
    }
}

impl Member for PooledEnvironment {
    fn key(&self) -> usize {
        Arc::as_ptr(&self.environment).addr()
    }

    fn retire(&self) {
        let environment = Arc::clone(&self.environment);
        self.tracker.spawn(async move { environment.shutdown().await });
    }
}

impl Prepared for PooledEnvironment {
    fn is_initialized(&self) -> bool {
        self.environment.initialized()
    }

    fn is_ended(&self) -> bool {
        self.environment.is_ended()
    }

    fn init_failure(&self) -> InitFailure {
        match self.environment.failure_type() {
            Some(error_type) => InitFailure::Failed { error_type },
            None => InitFailure::TimedOut,
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) function: FunctionId,
    pub(crate) configuration: Arc<FunctionConfiguration>,
    incarnation: String,
    /// See [`Identity`].
    number: u64,
    environments: Environments,
    pub(crate) sampler: Sampler,
    outcomes: OutcomeCounts,
    /// Microseconds since 1970; zero: never. Of versions with `SnapStart` only.
    used_at: AtomicI64,
    clock: Clock,
    tracker: TaskTracker,
}

/// What became of the invocations of a generation.
#[derive(Debug, Default)]
struct OutcomeCounts {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl OutcomeCounts {
    fn count(&self, failed: bool) {
        let count = if failed { &self.failed } else { &self.succeeded };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn outcomes(&self) -> Outcomes {
        let failures = self.failed.load(Ordering::Relaxed);
        Outcomes { invocations: self.succeeded.load(Ordering::Relaxed) + failures, failures }
    }
}

/// Who may use which environment.
#[derive(Debug)]
enum Environments {
    /// Everybody each of them.
    Shared {
        on_demand: Arc<Pool<PooledEnvironment>>,
        provisioned: Provisioned<PooledEnvironment>,
        /// Where new ones on demand come from, if not out of nothing.
        parked: Option<Box<Parked<PooledEnvironment>>>,
    },
    /// One tenant each, for life. None is kept ready: for whom would it be?
    PerTenant(Tenants<PooledEnvironment>),
}

impl Environments {
    fn new(configuration: &FunctionConfiguration, max_age: Duration) -> Self {
        if configuration.tenant_isolation {
            return Self::PerTenant(Tenants::new(max_age));
        }
        let is_published = matches!(configuration.version, Version::Published(_));
        let starts_from_snapshot = configuration.snap_start_published_versions && is_published;
        Self::Shared {
            on_demand: Arc::new(Pool::new(max_age)),
            provisioned: Provisioned::new(max_age),
            parked: starts_from_snapshot.then(|| Box::new(Parked::new())),
        }
    }
}

impl Generation {
    /// Whether this is the one to serve the target with this identity: of the same generation, or of a later one
    /// because the reader of the head was overtaken by an update.
    fn serves(&self, identity: Identity<'_>) -> bool {
        self.incarnation == identity.incarnation && self.number >= identity.generation
    }

    /// The environments made on demand that an invocation may use which names this tenant, or none.
    ///
    /// # Errors
    /// The caller names a tenant and should not, or the other way round.
    pub(crate) fn on_demand(
        &self,
        tenant_id: Option<&TenantId>,
    ) -> Result<Arc<Pool<PooledEnvironment>>, Error> {
        match (&self.environments, tenant_id) {
            (Environments::Shared { on_demand, .. }, None) => Ok(Arc::clone(on_demand)),
            (Environments::PerTenant(tenants), Some(tenant_id)) => Ok(tenants.pool(tenant_id)),
            (Environments::Shared { .. }, Some(_)) => Err(Error::TenantIdNotSupported),
            (Environments::PerTenant(_), None) => Err(Error::TenantIdMissing),
        }
    }

    /// The environments that are kept ready, where that may be.
    pub(crate) fn provisioned(&self) -> Option<&Provisioned<PooledEnvironment>> {
        match &self.environments {
            Environments::Shared { provisioned, .. } => Some(provisioned),
            Environments::PerTenant(_) => None,
        }
    }

    /// The environments that are parked, where there are such.
    pub(crate) fn parked(&self) -> Option<&Parked<PooledEnvironment>> {
        match &self.environments {
            Environments::Shared { parked, .. } => parked.as_deref(),
            Environments::PerTenant(_) => None,
        }
    }

    /// When a version with `SnapStart` was invoked last.
    pub(crate) fn last_used(&self) -> Option<Timestamp> {
        let used_at = self.used_at.load(Ordering::Relaxed);
        (used_at > 0).then(|| Timestamp::from_micros(used_at))
    }

    /// The pool that an environment of this generation belongs to.
    pub(crate) fn pool_of(&self, environment: &PooledEnvironment) -> Option<Arc<Pool<PooledEnvironment>>> {
        let config = environment.environment.config();
        match config.initialization {
            Initialization::OnDemand | Initialization::SnapStart => {
                self.on_demand(config.tenant_id.as_ref()).ok()
            }
            Initialization::ProvisionedConcurrency => {
                self.provisioned().map(|provisioned| Arc::clone(&provisioned.pool))
            }
        }
    }

    /// The environment has not taken an invocation. One that serves another is used as before: it would live on
    /// unseen if it were forgotten.
    pub(crate) fn refused(&self, environment: &PooledEnvironment, refusal: NotAvailable) {
        if refusal == NotAvailable::Ended {
            self.ended(&environment.environment);
        }
    }

    fn close(&self) {
        match &self.environments {
            Environments::Shared { on_demand, provisioned, parked } => {
                on_demand.close();
                provisioned.close();
                parked.iter().for_each(|parked| parked.close());
            }
            Environments::PerTenant(tenants) => tenants.close(),
        }
    }

    pub(crate) fn pooled(&self, environment: &Arc<Environment>) -> PooledEnvironment {
        PooledEnvironment { environment: Arc::clone(environment), tracker: self.tracker.clone() }
    }
}

impl Owner for Generation {
    fn parked(&self, environment: &Arc<Environment>) {
        if let Some(parked) = self.parked() {
            parked.parked(&self.pooled(environment));
        }
    }

    fn answered(&self, failed: bool) {
        self.outcomes.count(failed);
        if self.parked().is_some() {
            self.used_at.store(self.clock.now().as_micros(), Ordering::Relaxed);
        }
    }

    fn idle(&self, environment: &Arc<Environment>) {
        let (environment, now) = (self.pooled(environment), self.clock.moment());
        match self.provisioned() {
            Some(provisioned) if environment.is_provisioned() => provisioned.idle(&environment, now),
            _ => {
                if let Some(pool) = self.pool_of(&environment) {
                    pool.idle(&environment, now);
                }
            }
        }
    }

    fn ended(&self, environment: &Arc<Environment>) {
        let environment = self.pooled(environment);
        if let Some(parked) = self.parked() {
            parked.ended(&environment);
        }
        match self.provisioned() {
            Some(provisioned) if environment.is_provisioned() => provisioned.ended(&environment),
            _ => {
                if let Some(pool) = self.pool_of(&environment) {
                    pool.ended(&environment);
                }
            }
        }
    }
}

/// The current generations of a function that was invoked.
#[derive(Debug, Default)]
struct OfFunction {
    latest: Option<Arc<Generation>>,
    published: HashMap<u64, Arc<Generation>>,
}

impl OfFunction {
    fn get(&self, version: Version) -> Option<&Arc<Generation>> {
        match version {
            Version::Latest => self.latest.as_ref(),
            Version::Published(number) => self.published.get(&number),
        }
    }

    fn insert(&mut self, version: Version, generation: Arc<Generation>) -> Option<Arc<Generation>> {
        match version {
            Version::Latest => self.latest.replace(generation),
            Version::Published(number) => self.published.insert(number, generation),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.latest.iter().chain(self.published.values())
    }

    /// Takes out what `head` is no longer served by.
    fn take_stale(&mut self, head: Option<&FunctionHead>) -> Vec<Arc<Generation>> {
        let of = |generation: &Generation| head.filter(|head| head.incarnation == generation.incarnation);
        let serves_latest = |generation: &mut Arc<Generation>| {
            of(generation).is_some_and(|head| head.serving().generation == generation.number)
        };
        let latest = self.latest.take_if(|generation| !serves_latest(generation));
        let published = self.published.extract_if(|number, generation| {
            let version = of(generation).and_then(|head| head.versions.get(number));
            version.is_none_or(|version| {
                matches!(
                    version.state,
                    State::Deactivating | State::Deactivated | State::Inactive(_) | State::Failed(_)
                ) || version.generation != generation.number
            })
        });
        latest.into_iter().chain(published.map(|(_, generation)| generation)).collect()
    }
}

/// The current generations of every function that was invoked.
#[derive(Debug)]
pub(crate) struct Generations {
    current: RwLock<HashMap<FunctionId, OfFunction>>,
    clock: Clock,
    tracker: TaskTracker,
    max_age: Duration,
}

impl Generations {
    pub(crate) fn new(clock: Clock, tracker: TaskTracker, max_age: Duration) -> Self {
        Self { current: RwLock::default(), clock, tracker, max_age }
    }

    /// The generation that serves `target`. An older one is closed.
    pub(crate) fn of(&self, target: &Target) -> Arc<Generation> {
        let (function, version) = (&target.head().id, target.version());
        let find = |current: &HashMap<FunctionId, OfFunction>| {
            let generation = current.get(function)?.get(version)?;
            generation.serves(target.identity()).then(|| Arc::clone(generation))
        };
        if let Some(generation) = find(&self.current.read()) {
            return generation;
        }
        let mut current = self.current.write();
        if let Some(generation) = find(&current) {
            return generation;
        }
        let Identity { incarnation, generation: number } = target.identity();
        let configuration = target.configuration();
        let generation = Arc::new(Generation {
            function: function.clone(),
            environments: Environments::new(&configuration, self.max_age),
            sampler: Sampler::new(configuration.tracing_mode),
            outcomes: OutcomeCounts::default(),
            used_at: AtomicI64::new(0),
            configuration: Arc::new(configuration),
            incarnation: incarnation.to_owned(),
            number,
            clock: self.clock.clone(),
            tracker: self.tracker.clone(),
        });
        let former = current.entry(function.clone()).or_default().insert(version, Arc::clone(&generation));
        drop(current);
        if let Some(former) = former {
            former.close();
        }
        generation
    }

    /// Closes the generations of `function` that `head` is no longer served by.
    pub(crate) fn retire(&self, function: &FunctionId, head: Option<&FunctionHead>) {
        let mut current = self.current.write();
        let Some(of_function) = current.get_mut(function) else { return };
        let stale = of_function.take_stale(head);
        if of_function.all().next().is_none() {
            current.remove(function);
        }
        drop(current);
        stale.iter().for_each(|generation| generation.close());
    }

    /// The generations of the published versions of `function` that there are environments of, by number.
    pub(crate) fn published(&self, function: &FunctionId) -> Vec<(u64, Arc<Generation>)> {
        let current = self.current.read();
        let published = current.get(function).into_iter().flat_map(|of_function| &of_function.published);
        published.map(|(number, generation)| (*number, Arc::clone(generation))).collect()
    }

    /// What became of the invocations that the current generation of a version has served.
    pub(crate) fn outcomes(&self, function: &FunctionId, version: Version) -> Outcomes {
        let current = self.current.read();
        let generation = current.get(function).and_then(|of_function| of_function.get(version));
        generation.map(|generation| generation.outcomes.outcomes()).unwrap_or_default()
    }

    /// All current generations.
    pub(crate) fn all(&self) -> Vec<Arc<Generation>> {
        self.current.read().values().flat_map(OfFunction::all).cloned().collect()
    }

    /// Environments of these generations to freeze, after retiring those idle for too long.
    pub(crate) fn sweep(
        &self,
        generations: &[Arc<Generation>],
        freeze_after: Duration,
        idle_timeout: Duration,
    ) -> Vec<Arc<Environment>> {
        let now = self.clock.moment();
        let (freeze_before, retire_before) = (idle_since(now, freeze_after), idle_since(now, idle_timeout));
        let mut freezable = Vec::new();
        let mut freeze = |pool: &Pool<PooledEnvironment>| {
            let ripe = freeze_before.map(|before| pool.take_freezable(before));
            freezable.extend(ripe.into_iter().flatten().map(|pooled| pooled.environment));
        };
        let retire = |pool: &Pool<PooledEnvironment>| {
            if let Some(before) = retire_before {
                pool.retire_expired(before);
            }
        };
        for generation in generations {
            match &generation.environments {
                Environments::Shared { on_demand, provisioned, parked } => {
                    parked.iter().for_each(|parked| parked.trim(now));
                    provisioned.trim(now);
                    freeze(&provisioned.pool);
                    retire(on_demand);
                    freeze(on_demand);
                }
                Environments::PerTenant(tenants) => tenants.sweep(|pool| {
                    retire(pool);
                    freeze(pool);
                }),
            }
        }
        freezable
    }

    /// Closes everything: idle environments shut down now, busy ones when they are done.
    pub(crate) fn close(&self) {
        let generations = std::mem::take(&mut *self.current.write());
        generations.values().flat_map(OfFunction::all).for_each(|generation| generation.close());
    }
}
