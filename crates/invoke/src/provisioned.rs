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

use rushlight_environment::{Environment, Initialization};
use rushlight_model::arn::FunctionId;
use rushlight_model::clock::{Clock, Moment};
use rushlight_model::concurrency::Provision;
use rushlight_model::version::Version;
use rushlight_store::table::function::head_key;

use crate::assignment::assign_ready;
use crate::generation::{Generation, PooledEnvironment};
use crate::pool::{Lease, Pool};
use crate::sync::Mutex;
use crate::{Inner, Invoker};

/// The environments of one version that are kept ready.
#[derive(Debug)]
pub(crate) struct Provisioned {
    pub(crate) pool: Arc<Pool<PooledEnvironment>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    wanted: usize,
    /// Being started: not members yet.
    starting: usize,
    members: Vec<Arc<Environment>>,
    failed: bool,
}

impl Provisioned {
    pub(crate) fn new(max_age: Duration) -> Self {
        Self { pool: Arc::new(Pool::new(max_age)), state: Mutex::default() }
    }

    /// From now on so many are wanted; a failure before is forgotten.
    fn want(&self, wanted: u32) {
        let mut state = self.state.lock();
        state.wanted = wanted as usize;
        state.failed = false;
    }

    pub(crate) fn close(&self) {
        self.want(0);
        self.pool.close();
    }

    fn provision(&self) -> Provision {
        let state = self.state.lock();
        let ready = state.members.iter().filter(|member| member.initialized()).count();
        Provision { ready: u32::try_from(ready).unwrap_or(u32::MAX), failed: state.failed }
    }

    /// An environment that is ready now or within a moment.
    pub(crate) async fn lease(&self, clock: &Clock) -> Option<Lease<PooledEnvironment>> {
        if self.state.lock().members.is_empty() {
            return None;
        }
        assign_ready(&self.pool, clock).await
    }

    /// The environment asks for an event, or its initialisation has failed.
    pub(crate) fn idle(&self, environment: &PooledEnvironment, now: Moment) {
        if environment.environment.initialized() {
            return self.pool.idle(environment, now);
        }
        self.state.lock().failed = true;
        self.pool.discard(environment);
    }

    pub(crate) fn ended(&self, environment: &PooledEnvironment) {
        self.pool.ended(environment);
        self.state.lock().members.retain(|member| !Arc::ptr_eq(member, &environment.environment));
    }

    /// Whether one more is to be started; it then counts as being started.
    fn begin_start(&self) -> bool {
        let mut state = self.state.lock();
        let missing = !state.failed && state.members.len() + state.starting < state.wanted;
        state.starting += usize::from(missing);
        missing
    }

    fn started(&self, environment: Option<&PooledEnvironment>, now: Moment) {
        let mut state = self.state.lock();
        state.starting -= 1;
        match environment {
            Some(environment) => {
                state.members.push(Arc::clone(&environment.environment));
                drop(state);
                self.pool.add(environment, None, now);
            }
            None => state.failed = true,
        }
    }

    /// Retires those that are too many or too old, as far as they are idle.
    pub(crate) fn trim(&self, now: Moment) {
        let surplus = {
            let state = self.state.lock();
            if state.members.is_empty() {
                return;
            }
            state.members.len().saturating_sub(state.wanted)
        };
        self.pool.retire_idle(surplus);
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
        // It may have been initialised, or have ended, before it was a member.
        let Some(pooled) = pooled else { return };
        if pooled.environment.is_ended() {
            provisioned.ended(&pooled);
        } else if pooled.environment.initialized() {
            provisioned.idle(&pooled, self.services.clock.moment());
        }
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
