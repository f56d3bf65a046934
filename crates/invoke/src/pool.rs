//! The execution environments of one generation of one function version: which are idle, which are busy, who waits.
//!
//! ```text
//!            add                     answered                 idle
//!  (started) ────> Busy ───────────────────────> Finishing ─────────> Idle
//!                   ^ │                                                │ │
//!                   │ └── idle (answered or not) ──────────────────────┘ │
//!                   └────────────────── take, or handed to a waiter ─────┘
//!   any ── ended ──> (gone)
//! ```
//!
//! An environment is *finishing* between its answer and its call for the next event: a moment in which it is worth
//! waiting for it instead of starting another. Idle environments are reused most recently used first, so that those
//! not needed grow old and are retired.
//!
//! Generic over the environment so that the rules are tested without processes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rushlight_model::clock::Moment;
use tokio::sync::oneshot;

use crate::admission::{EnvironmentPermit, Permit};
use crate::sync::Mutex;

/// What a pool needs to know of an execution environment.
pub trait Member: Clone + Send + Sync + 'static {
    /// Unique among the members of one pool, for as long as one of them lives.
    fn key(&self) -> usize;

    /// Begins to shut the environment down; it has left its pool.
    fn retire(&self);
}

/// See the [module](self).
#[derive(Debug)]
pub struct Pool<E: Member> {
    state: Mutex<State<E>>,
    max_age: Duration,
}

#[derive(Debug)]
struct State<E: Member> {
    members: HashMap<usize, Record>,
    /// Oldest first; taken from the end.
    idle: VecDeque<Idle<E>>,
    waiters: VecDeque<oneshot::Sender<Lease<E>>>,
    finishing: usize,
    open: bool,
}

#[derive(Debug)]
struct Idle<E> {
    environment: E,
    since: Moment,
    frozen: bool,
}

#[derive(Debug)]
struct Record {
    phase: Phase,
    /// See [`Use`].
    uses: u64,
    born: Moment,
    /// Where the number of environments is limited.
    _permit: Option<EnvironmentPermit>,
}

#[derive(Debug)]
enum Phase {
    Busy(Option<Permit>),
    Finishing,
    Idle,
}

/// One use of an environment, from when it was idle until it is so again. A caller may say that it was answered when
/// the environment serves the next invocation already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use(u64);

/// What [`Pool::take`] found.
#[derive(Debug)]
pub enum Taken<E: Member> {
    /// An idle environment.
    Idle(Lease<E>),
    /// None is idle. The receiver gets the next that becomes so; `soon` says that one is about to. It fails if the pool
    /// is closed.
    Wait {
        /// Dropping it gives up the place in the queue; a lease already sent returns to the pool.
        next: oneshot::Receiver<Lease<E>>,
        /// One of the finishing environments is meant for this waiter.
        soon: bool,
    },
}

/// An environment set aside for one invocation. Dropped unused, it goes back to the idle ones.
#[derive(Debug)]
pub struct Lease<E: Member> {
    pool: Arc<Pool<E>>,
    environment: Option<E>,
    now: Moment,
}

impl<E: Member> Lease<E> {
    /// Uses the environment: `permit` is held until the invocation is answered.
    #[must_use]
    pub fn begin(mut self, permit: Permit) -> Option<(E, Use)> {
        let environment = self.environment.take()?;
        let begun = self.pool.state.lock().members.get_mut(&environment.key()).map(|member| {
            member.phase = Phase::Busy(Some(permit));
            Use(member.uses)
        });
        // One that has ended meanwhile has no uses, and refuses the invocation.
        Some((environment, begun.unwrap_or(Use(0))))
    }
}

impl<E: Member> Drop for Lease<E> {
    fn drop(&mut self) {
        if let Some(environment) = self.environment.take() {
            self.pool.idle(&environment, self.now);
        }
    }
}

impl<E: Member> Pool<E> {
    /// An empty pool whose members are retired, once idle, when they are older than `max_age`.
    #[must_use]
    pub fn new(max_age: Duration) -> Self {
        let state = State {
            members: HashMap::new(),
            idle: VecDeque::new(),
            waiters: VecDeque::new(),
            finishing: 0,
            open: true,
        };
        Self { state: Mutex::new(state), max_age }
    }

    /// Takes the most recently used idle environment, or a place in the queue for the next one.
    pub fn take(self: &Arc<Self>, now: Moment) -> Taken<E> {
        let mut state = self.state.lock();
        if let Some(idle) = state.idle.pop_back() {
            state.set_phase(&idle.environment, Phase::Busy(None));
            return Taken::Idle(self.lease(idle.environment, now));
        }
        let (sender, next) = oneshot::channel();
        if !state.open {
            return Taken::Wait { next, soon: false };
        }
        state.waiters.retain(|waiter| !waiter.is_closed());
        let soon = state.finishing > state.waiters.len();
        state.waiters.push_back(sender);
        Taken::Wait { next, soon }
    }

    /// A new environment joins, busy with the invocation that `permit` admits, or with its initialisation. If the pool
    /// was closed meanwhile the environment still serves that one.
    pub fn add(&self, environment: &E, permit: Option<Permit>, now: Moment) -> Use {
        self.add_limited(environment, permit, None, now)
    }

    /// As [`Pool::add`], for an environment that has a permit for itself, which it gives back when it leaves.
    pub fn add_limited(
        &self,
        environment: &E,
        permit: Option<Permit>,
        own: Option<EnvironmentPermit>,
        now: Moment,
    ) -> Use {
        let record = Record { phase: Phase::Busy(permit), uses: 1, born: now, _permit: own };
        self.state.lock().members.insert(environment.key(), record);
        Use(1)
    }

    /// How many environments it has, whatever they do.
    pub fn len(&self) -> usize {
        self.state.lock().members.len()
    }

    /// Whether it has no environment at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The caller of `environment`'s invocation has been answered: its concurrency is free again. If the environment
    /// has become idle before this was said, it was free again then.
    pub fn answered(&self, environment: &E, of: Use) {
        let mut state = self.state.lock();
        let Some(member) = state.members.get_mut(&environment.key()) else { return };
        if let (Phase::Busy(permit), true) = (&mut member.phase, of == Use(member.uses)) {
            drop(permit.take());
            member.phase = Phase::Finishing;
            state.finishing += 1;
        }
    }

    /// `environment` can take the next invocation: the first waiter gets it, or it joins the idle ones. A closed
    /// pool retires it. Nothing changes for one that is idle already.
    pub fn idle(self: &Arc<Self>, environment: &E, now: Moment) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(member) = state.members.get_mut(&environment.key()) else { return };
        match std::mem::replace(&mut member.phase, Phase::Busy(None)) {
            Phase::Idle => return member.phase = Phase::Idle,
            Phase::Finishing => state.finishing -= 1,
            Phase::Busy(_) => {}
        }
        member.uses += 1;
        if !state.open || now.since(member.born) >= self.max_age {
            state.members.remove(&environment.key());
            return environment.retire();
        }
        while let Some(waiter) = state.waiters.pop_front() {
            let Err(mut refused) = waiter.send(self.lease(environment.clone(), now)) else {
                return;
            };
            // Disarmed: dropping it would come back here.
            refused.environment = None;
        }
        state.set_phase(environment, Phase::Idle);
        state.idle.push_back(Idle { environment: environment.clone(), since: now, frozen: false });
    }

    /// `environment` is gone.
    pub fn ended(&self, environment: &E) {
        let mut state = self.state.lock();
        match state.members.remove(&environment.key()).map(|member| member.phase) {
            Some(Phase::Finishing) => state.finishing -= 1,
            Some(Phase::Idle) => state.idle.retain(|idle| idle.environment.key() != environment.key()),
            Some(Phase::Busy(_)) | None => {}
        }
    }

    /// Idle environments that have not been frozen and became idle before `before`; they count as frozen from now.
    pub fn take_freezable(&self, before: Moment) -> Vec<E> {
        let mut state = self.state.lock();
        let ripe =
            state.idle.iter_mut().rev().take_while(|idle| !idle.frozen).filter(|idle| idle.since <= before);
        ripe.map(|idle| {
            idle.frozen = true;
            idle.environment.clone()
        })
        .collect()
    }

    /// Retires the environments that have been idle since before `before`.
    pub fn retire_expired(&self, before: Moment) {
        let mut expired = Vec::new();
        let mut state = self.state.lock();
        while state.idle.front().is_some_and(|idle| idle.since <= before) {
            expired.extend(state.idle.pop_front().map(|idle| idle.environment));
        }
        for environment in &expired {
            state.members.remove(&environment.key());
        }
        drop(state);
        expired.iter().for_each(Member::retire);
    }

    /// Retires up to `count` idle environments, those used least recently first.
    pub fn retire_idle(&self, count: usize) {
        let mut state = self.state.lock();
        let count = count.min(state.idle.len());
        let retired: Vec<E> = state.idle.drain(..count).map(|idle| idle.environment).collect();
        state.forget_and_retire(&retired);
    }

    /// Retires the idle environments that are older than the greatest age.
    pub fn retire_aged(&self, now: Moment) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let aged = |environment: &E| {
            state.members.get(&environment.key()).is_some_and(|member| now.since(member.born) >= self.max_age)
        };
        let retired: Vec<E> = state.idle.iter().map(|idle| idle.environment.clone()).filter(aged).collect();
        state.idle.retain(|idle| retired.iter().all(|gone| gone.key() != idle.environment.key()));
        state.forget_and_retire(&retired);
    }

    /// Takes `environment` out, whatever it does, and retires it.
    pub fn discard(&self, environment: &E) {
        self.ended(environment);
        environment.retire();
    }

    /// Closes the pool: idle environments retire now, busy ones when they are done, and waiters are told (their
    /// receivers fail).
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.open = false;
        let waiters = std::mem::take(&mut state.waiters);
        let idle = std::mem::take(&mut state.idle);
        for idle in &idle {
            state.members.remove(&idle.environment.key());
        }
        drop(state);
        drop(waiters);
        idle.iter().for_each(|idle| idle.environment.retire());
    }

    fn lease(self: &Arc<Self>, environment: E, now: Moment) -> Lease<E> {
        Lease { pool: Arc::clone(self), environment: Some(environment), now }
    }
}

impl<E: Member> State<E> {
    fn forget_and_retire(&mut self, environments: &[E]) {
        for environment in environments {
            self.members.remove(&environment.key());
            environment.retire();
        }
    }

    fn set_phase(&mut self, environment: &E, phase: Phase) {
        if let Some(member) = self.members.get_mut(&environment.key()) {
            member.phase = phase;
        }
    }
}

/// Since when an environment must have been idle to be older than `age` at `now`; none if the clock is younger.
#[must_use]
pub fn idle_since(now: Moment, age: Duration) -> Option<Moment> {
    let zero = Moment::default();
    now.since(zero).checked_sub(age).map(|since| zero + since)
}

#[cfg(test)]
mod tests;
