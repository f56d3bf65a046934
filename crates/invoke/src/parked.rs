//! `SnapStart`: environments of a published version that were initialised ahead, and are frozen until one is needed.
//!
//! ```text
//! wanted ──> started, one turn each ──> initialised, frozen: parked ──> taken, restored: one of the pool's
//!    ^                                        │ init fails                 │
//!    └── one is missing <──────────────────── │ ───────────────────────────┘
//!                                             v
//!                          failed: no more until somebody needs one
//! ```
//! Whoever finds none parked waits for the next one. One is kept parked at rest, and more while they are taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rushlight_environment::{Environment, Initialization};
use rushlight_model::arn::FunctionId;
use rushlight_model::clock::Moment;
use rushlight_model::version::Version;
use rushlight_store::table::function::head_key;
use tokio::sync::oneshot;

use crate::generation::{Generation, PooledEnvironment};
use crate::provisioned::Prepared;
use crate::sync::Mutex;
use crate::{Error, Inner, Invoker};

/// For so long it counts that one was taken.
const DEMAND: Duration = Duration::from_secs(10);
/// At most so many are kept parked.
const MOST: usize = 8;

/// The environments of one version that are parked.
#[derive(Debug)]
pub(crate) struct Parked<E: Prepared> {
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    /// They are kept: the version can be invoked, or is about to be.
    open: bool,
    /// Being started, or initialising.
    starting: usize,
    parked: Vec<E>,
    waiters: VecDeque<oneshot::Sender<Result<E, InitFailure>>>,
    /// Who waits to hear that there is one.
    watchers: Vec<oneshot::Sender<Result<(), InitFailure>>>,
    /// When some were taken of late.
    taken: VecDeque<Moment>,
    failed: bool,
}

/// Why an environment could not be initialised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitFailure {
    /// It takes too long.
    TimedOut,
    /// It has failed.
    Failed {
        /// E.g. `Runtime.ExitError`.
        error_type: String,
    },
    /// It could not be begun, or was given up.
    NotStarted,
}

/// What [`Parked::take`] found.
pub(crate) enum Taken<E> {
    /// One that was parked.
    Now(E),
    /// None; the next is sent.
    Soon(oneshot::Receiver<Result<E, InitFailure>>),
}

impl<E> Taken<E> {
    /// Waits for it.
    pub(crate) async fn environment(self) -> Result<E, InitFailure> {
        match self {
            Self::Now(environment) => Ok(environment),
            Self::Soon(next) => next.await.unwrap_or(Err(InitFailure::NotStarted)),
        }
    }
}

impl<E: Prepared> Parked<E> {
    pub(crate) fn new() -> Self {
        let state = State {
            open: false,
            starting: 0,
            parked: Vec::new(),
            waiters: VecDeque::new(),
            watchers: Vec::new(),
            taken: VecDeque::new(),
            failed: false,
        };
        Self { state: Mutex::new(state) }
    }

    /// From now on one is kept; a failure before is forgotten.
    pub(crate) fn open(&self) {
        let mut state = self.state.lock();
        state.open = true;
        state.failed = false;
    }

    /// Gives up those that there are. Whoever waits for one still gets it.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.open = false;
        state.watchers.clear();
        let parked = std::mem::take(&mut state.parked);
        drop(state);
        parked.iter().for_each(|environment| environment.retire());
    }

    /// Takes one.
    pub(crate) fn take(&self, now: Moment) -> Taken<E> {
        let mut state = self.state.lock();
        state.taken.push_back(now);
        if let Some(environment) = state.parked.pop() {
            return Taken::Now(environment);
        }
        let (sender, receiver) = oneshot::channel();
        state.waiters.retain(|waiter| !waiter.is_closed());
        state.waiters.push_back(sender);
        Taken::Soon(receiver)
    }

    /// Hears when one is parked, or cannot be.
    pub(crate) fn watch(&self) -> oneshot::Receiver<Result<(), InitFailure>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        if state.parked.is_empty() {
            state.watchers.push(sender);
        } else {
            let _ = sender.send(Ok(()));
        }
        receiver
    }

    /// Whether one more is to be started; it then counts as being started.
    pub(crate) fn begin_start(&self, now: Moment) -> bool {
        let mut state = self.state.lock();
        while state.taken.front().is_some_and(|taken| now.since(*taken) > DEMAND) {
            state.taken.pop_front();
        }
        state.waiters.retain(|waiter| !waiter.is_closed());
        let kept = match state.open && !state.failed {
            true => (1 + state.taken.len()).min(MOST),
            false => 0,
        };
        let missing = state.parked.len() + state.starting < kept + state.waiters.len();
        state.starting += usize::from(missing);
        missing
    }

    /// What was to be started could not be.
    pub(crate) fn not_started(&self, failure: InitFailure) {
        let mut state = self.state.lock();
        state.starting -= 1;
        state.failed = true;
        for watcher in state.watchers.drain(..) {
            // Nobody may wait for it any more; so it is below.
            let _ = watcher.send(Err(failure.clone()));
        }
        if let Some(waiter) = state.waiters.pop_front() {
            let _ = waiter.send(Err(failure));
        }
    }

    /// One has come to be parked, or its initialisation has failed: then it ends, which is [told](Parked::ended) too.
    pub(crate) fn parked(&self, environment: &E) {
        let mut state = self.state.lock();
        if !environment.is_initialized() {
            drop(state);
            return environment.retire();
        }
        state.starting -= 1;
        state.failed = false;
        for watcher in state.watchers.drain(..) {
            let _ = watcher.send(Ok(()));
        }
        while let Some(waiter) = state.waiters.pop_front() {
            if waiter.send(Ok(environment.clone())).is_ok() {
                return;
            }
        }
        if state.open {
            return state.parked.push(environment.clone());
        }
        drop(state);
        environment.retire();
    }

    /// One has ended.
    pub(crate) fn ended(&self, environment: &E) {
        if !environment.is_initialized() {
            return self.not_started(environment.init_failure());
        }
        self.state.lock().parked.retain(|parked| parked.key() != environment.key());
    }

    /// Retires those that are too many.
    pub(crate) fn trim(&self, now: Moment) {
        let mut state = self.state.lock();
        let recent = state.taken.iter().filter(|taken| now.since(**taken) <= DEMAND).count();
        let kept = (1 + recent).min(MOST).min(state.parked.len());
        let surplus = state.parked.split_off(kept);
        drop(state);
        surplus.iter().for_each(|environment| environment.retire());
    }
}

impl Inner {
    /// Starts what is missing, in turn with other starts.
    pub(crate) fn park(self: &Arc<Self>, generation: &Arc<Generation>) {
        while generation.parked().is_some_and(|parked| parked.begin_start(self.services.clock.moment())) {
            let (inner, generation) = (Arc::clone(self), Arc::clone(generation));
            self.services.tracker.spawn(async move {
                let turn = inner.turns.acquire().await;
                let started = match &turn {
                    Ok(_) => inner.start(&generation, Initialization::SnapStart, None).await.ok(),
                    Err(_) => None,
                };
                if let (None, Some(parked)) = (started, generation.parked()) {
                    parked.not_started(InitFailure::NotStarted);
                }
            });
        }
    }

    /// An environment that was parked, restored.
    pub(crate) async fn restore(
        self: &Arc<Self>,
        generation: &Arc<Generation>,
        parked: &Parked<PooledEnvironment>,
    ) -> Result<Arc<Environment>, Error> {
        loop {
            let taken = parked.take(self.services.clock.moment());
            // Another takes its place.
            self.park(generation);
            let PooledEnvironment { environment, .. } = taken.environment().await.map_err(|_| {
                Error::Environment("the function could not be initialised; its log says why".to_owned())
            })?;
            if environment.is_ended() {
                // Killed while it was parked, most likely for want of memory.
                continue;
            }
            environment.restore().await.map_err(Error::NotRestored)?;
            return Ok(environment);
        }
    }
}

impl Invoker {
    /// Initialises a published version with `SnapStart` ahead of its first invocation.
    ///
    /// # Errors
    /// The initialisation has failed.
    pub async fn snapshot(&self, function: &FunctionId, version: u64) -> Result<(), InitFailure> {
        let inner = &self.inner;
        let key = head_key(&function.scope.account, &function.scope.region, &function.name);
        let lost = InitFailure::NotStarted;
        let head = inner.functions.heads.get(&key).await.ok().flatten().ok_or(lost.clone())?.value;
        let target = inner.functions.target(&head, Version::Published(version)).await.ok().flatten();
        let generation = inner.generations.of(&target.ok_or(lost)?);
        let Some(parked) = generation.parked() else { return Ok(()) };
        parked.open();
        let parked = parked.watch();
        inner.park(&generation);
        parked.await.unwrap_or(Err(InitFailure::NotStarted))
    }
}
