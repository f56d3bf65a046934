//! Provisioned concurrency: environments of a published version that are kept ready, whether they are used or not.
//!
//! ```text
//! wanted ──> started, one turn each ──> initialised: ready ──> serves ──> ready …
//!    ^                                        │ init fails               │ ends
//!    └── one is missing <──────────────────── │ ─────────────────────────┘
//!                                             v
//!                                  failed: no more until something changes
//! ```
//! An invocation that finds none ready is served on demand, like those of versions that have none.

use std::sync::Arc;
use std::time::Duration;

use rushlight_environment::Initialization;
use rushlight_model::arn::FunctionId;
use rushlight_model::clock::{Clock, Moment};
use rushlight_model::concurrency::Provision;
use rushlight_model::function::State as VersionState;
use rushlight_model::version::Version;
use rushlight_store::table::function::head_key;

use crate::assignment::assign_ready;
use crate::generation::Generation;
use crate::parked::{InitFailure, Parked};
use crate::pool::{Lease, Member, Pool};
use crate::sync::Mutex;
use crate::{Inner, Invoker};

/// What has to be known of an environment that is kept ready.
pub(crate) trait Prepared: Member {
    /// Whether its initialisation has succeeded.
    fn is_initialized(&self) -> bool;

    fn is_ended(&self) -> bool;

    /// Why its initialisation has failed, if it has.
    fn init_failure(&self) -> InitFailure;
}

/// The environments of one version that are kept ready.
#[derive(Debug)]
pub(crate) struct Provisioned<E: Prepared> {
    pub(crate) pool: Arc<Pool<E>>,
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    wanted: usize,
    /// Being started: not members yet.
    starting: usize,
    members: Vec<E>,
    /// Have said that their initialisation is over, and are not members yet. It is said once, and what an environment
    /// looks like later says nothing: it may serve an invocation then.
    early: Vec<E>,
    failed: bool,
}

impl<E: Prepared> Provisioned<E> {
    pub(crate) fn new(max_age: Duration) -> Self {
        let state = State { wanted: 0, starting: 0, members: Vec::new(), early: Vec::new(), failed: false };
        Self { pool: Arc::new(Pool::new(max_age)), state: Mutex::new(state) }
    }

    /// From now on so many are wanted; a failure before is forgotten.
    pub(crate) fn want(&self, wanted: u32) {
        let mut state = self.state.lock();
        state.wanted = wanted as usize;
        state.failed = false;
    }

    pub(crate) fn close(&self) {
        self.want(0);
        self.pool.close();
    }

    pub(crate) fn provision(&self) -> Provision {
        let state = self.state.lock();
        let ready = state.members.iter().filter(|member| member.is_initialized()).count();
        Provision { ready: u32::try_from(ready).unwrap_or(u32::MAX), failed: state.failed }
    }

    /// An environment that is ready now or within a moment.
    pub(crate) async fn lease(&self, clock: &Clock) -> Option<Lease<E>> {
        if self.state.lock().members.is_empty() {
            return None;
        }
        assign_ready(&self.pool, clock).await
    }

    /// The environment asks for an event, or its initialisation has failed.
    pub(crate) fn idle(&self, environment: &E, now: Moment) {
        let mut state = self.state.lock();
        if !state.members.iter().any(|member| member.key() == environment.key()) {
            return state.early.push(environment.clone());
        }
        drop(state);
        self.idle_member(environment, now);
    }

    fn idle_member(&self, environment: &E, now: Moment) {
        if environment.is_initialized() {
            return self.pool.idle(environment, now);
        }
        self.state.lock().failed = true;
        self.pool.discard(environment);
    }

    pub(crate) fn ended(&self, environment: &E) {
        self.pool.ended(environment);
        self.state.lock().members.retain(|member| member.key() != environment.key());
    }

    /// Whether one more is to be started; it then counts as being started.
    pub(crate) fn begin_start(&self) -> bool {
        let mut state = self.state.lock();
        let missing = !state.failed && state.members.len() + state.starting < state.wanted;
        state.starting += usize::from(missing);
        missing
    }

    /// What was to be started is a member from now on, or could not be started.
    pub(crate) fn started(&self, environment: Option<&E>, now: Moment) {
        let mut state = self.state.lock();
        state.starting -= 1;
        let Some(environment) = environment else {
            state.failed = true;
            return;
        };
        self.pool.add(environment, None, now);
        state.members.push(environment.clone());
        let is_early = state.early.extract_if(.., |early| early.key() == environment.key()).count() > 0;
        drop(state);
        if environment.is_ended() {
            // Maybe before it was a member.
            self.ended(environment);
        } else if is_early {
            self.idle_member(environment, now);
        }
    }

    /// Retires those that are too many or too old, as far as they are idle.
    pub(crate) fn trim(&self, now: Moment) {
        let wanted = {
            let mut state = self.state.lock();
            // One that was forgotten since it was about to end may have said once more that it is idle.
            state.early.retain(|early| !early.is_ended());
            if state.members.is_empty() {
                return;
            }
            state.wanted
        };
        // Members that were retired already are none of the pool's.
        self.pool.retire_idle(self.pool.len().saturating_sub(wanted));
        self.pool.retire_aged(now);
    }
}

impl Inner {
    /// Starts what is missing, in turn with other starts.
    pub(crate) fn fill(self: &Arc<Self>, generation: &Arc<Generation>) {
        while generation.provisioned().is_some_and(Provisioned::begin_start) {
            let (inner, generation) = (Arc::clone(self), Arc::clone(generation));
            self.services.tracker.spawn(async move { inner.start_provisioned(&generation).await });
        }
    }

    async fn start_provisioned(&self, generation: &Arc<Generation>) {
        let Some(provisioned) = generation.provisioned() else { return };
        // The turn is held until the environment is there. There are none any more when the server is ending.
        let turn = self.turns.acquire().await;
        let started = match &turn {
            Ok(_) => self.start(generation, Initialization::ProvisionedConcurrency, None).await.ok(),
            Err(_) => None,
        };
        let pooled = started.map(|environment| generation.pooled(&environment));
        provisioned.started(pooled.as_ref(), self.services.clock.moment());
    }
}

impl Invoker {
    /// The provisioned concurrency of `function` changed, or what its aliases lead to.
    pub fn provision(&self, function: &FunctionId) {
        let (invoker, function) = (self.clone(), function.clone());
        self.inner.services.tracker.spawn(async move {
            if let Err(error) = invoker.reconcile(&function).await {
                tracing::warn!(function = %function.arn(), %error, "provision.failed");
            }
        });
    }

    async fn reconcile(&self, function: &FunctionId) -> Result<(), crate::Error> {
        let Inner { functions, generations, .. } = &*self.inner;
        let key = head_key(&function.scope.account, &function.scope.region, &function.name);
        let head = functions.heads.get(&key).await?.map(|entry| entry.value);
        let wanted = head.as_ref().map(|head| head.provisioned_versions()).unwrap_or_default();
        for (number, generation) in generations.published(function) {
            if let Some(provisioned) = generation.provisioned().filter(|_| !wanted.contains_key(&number)) {
                provisioned.want(0);
            }
        }
        let Some(head) = head else { return Ok(()) };
        for (number, version) in &head.versions {
            if version.snapshot.is_none() || version.state != VersionState::Active {
                continue;
            }
            let target = functions.target(&head, Version::Published(*number)).await?;
            if let Some(target) = target {
                generations.of(&target).parked().into_iter().for_each(Parked::open);
            }
        }
        for (number, count) in wanted {
            let Some(target) = functions.target(&head, Version::Published(number)).await? else { continue };
            if let Some(provisioned) = generations.of(&target).provisioned() {
                provisioned.want(count);
            }
        }
        Ok(())
    }

    /// What there is of the provisioned concurrency of a published version.
    #[must_use]
    pub fn provisioned(&self, function: &FunctionId, version: u64) -> Provision {
        let generations = self.inner.generations.published(function);
        let generation = generations.iter().find(|(number, _)| *number == version);
        let provisioned = generation.and_then(|(_, generation)| generation.provisioned());
        provisioned.map(Provisioned::provision).unwrap_or_default()
    }
}
