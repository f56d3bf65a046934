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

use parking_lot::Mutex;
use rushlight_model::clock::Moment;
use tokio::sync::oneshot;

use crate::admission::Permit;

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
    born: Moment,
}

#[derive(Debug)]
enum Phase {
    Busy(Option<Permit>),
    Finishing,
    Idle,
}

/// What [`Pool::take`] found.
#[derive(Debug)]
pub enum Taken<E: Member> {
    /// An idle environment.
    Idle(Lease<E>),
    /// None is idle. The receiver gets the next that becomes so; `soon` says that one is about to.
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
    pub fn begin(mut self, permit: Permit) -> Option<E> {
        let environment = self.environment.take()?;
        if let Some(member) = self.pool.state.lock().members.get_mut(&environment.key()) {
            member.phase = Phase::Busy(Some(permit));
        }
        Some(environment)
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
        state.waiters.retain(|waiter| !waiter.is_closed());
        let soon = state.finishing > state.waiters.len();
        let (sender, next) = oneshot::channel();
        state.waiters.push_back(sender);
        Taken::Wait { next, soon }
    }

    /// A new environment joins, busy with the invocation that `permit` admits, or with its initialisation. If the pool
    /// was closed meanwhile the environment still serves that one.
    pub fn add(&self, environment: &E, permit: Option<Permit>, now: Moment) {
        let record = Record { phase: Phase::Busy(permit), born: now };
        self.state.lock().members.insert(environment.key(), record);
    }

    /// The caller of `environment`'s invocation has been answered: its concurrency is free again.
    pub fn answered(&self, environment: &E) {
        let mut state = self.state.lock();
        let Some(member) = state.members.get_mut(&environment.key()) else { return };
        if let Phase::Busy(permit) = &mut member.phase {
            drop(permit.take());
            member.phase = Phase::Finishing;
            state.finishing += 1;
        }
    }

    /// `environment` can take the next invocation: the first waiter gets it, or it joins the idle ones. A closed
    /// pool retires it.
    pub fn idle(self: &Arc<Self>, environment: &E, now: Moment) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(member) = state.members.get_mut(&environment.key()) else { return };
        if let Phase::Finishing = std::mem::replace(&mut member.phase, Phase::Busy(None)) {
            state.finishing -= 1;
        }
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
mod tests {
    use std::time::Duration;

    use rushlight_model::arn::{FunctionId, Scope};

    use super::*;
    use crate::admission::Admission;

    #[derive(Debug, Clone)]
    struct Fake(usize, Arc<Mutex<Vec<usize>>>);

    impl PartialEq for Fake {
        fn eq(&self, other: &Fake) -> bool {
            self.0 == other.0
        }
    }

    impl Member for Fake {
        fn key(&self) -> usize {
            self.0
        }

        fn retire(&self) {
            self.1.lock().push(self.0);
        }
    }

    fn fake(key: usize) -> Fake {
        Fake(key, Arc::default())
    }

    fn permit(admission: &Admission) -> Permit {
        let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        admission.admit_to(&FunctionId { scope, name: "f".into() }, None).unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    fn with_idle(environments: &[usize]) -> (Arc<Pool<Fake>>, Admission) {
        let (pool, admission) = (Arc::new(Pool::new(Duration::from_secs(1000))), Admission::new(1000));
        for key in environments {
            pool.add(&fake(*key), Some(permit(&admission)), at(0));
        }
        for key in environments {
            pool.answered(&fake(*key));
            pool.idle(&fake(*key), at(*key as u64));
        }
        (pool, admission)
    }

    fn take_idle(pool: &Arc<Pool<Fake>>, admission: &Admission) -> Option<Fake> {
        match pool.take(at(100)) {
            Taken::Idle(lease) => lease.begin(permit(admission)),
            Taken::Wait { .. } => None,
        }
    }

    #[test]
    fn most_recently_used_first() {
        let (pool, admission) = with_idle(&[1, 2, 3]);
        assert_eq!(take_idle(&pool, &admission), Some(fake(3)));
        assert_eq!(take_idle(&pool, &admission), Some(fake(2)));
        pool.idle(&fake(3), at(9));
        assert_eq!(take_idle(&pool, &admission), Some(fake(3)));
        assert_eq!(take_idle(&pool, &admission), Some(fake(1)));
        assert_eq!(take_idle(&pool, &admission), None);
    }

    #[test]
    fn a_lease_dropped_unused_goes_back() {
        let (pool, admission) = with_idle(&[1]);
        drop(pool.take(at(5)));
        assert_eq!(take_idle(&pool, &admission), Some(fake(1)));
        let Taken::Wait { next, .. } = pool.take(at(5)) else { panic!("nothing is idle") };
        pool.idle(&fake(1), at(6));
        drop(next);
        assert_eq!(take_idle(&pool, &admission), Some(fake(1)), "handed over but never received");
    }

    #[test]
    fn waiting_is_worth_while_only_for_finishing_environments() {
        let (pool, admission) = with_idle(&[1]);
        assert!(take_idle(&pool, &admission).is_some());
        assert!(matches!(pool.take(at(5)), Taken::Wait { soon: false, .. }));
        pool.answered(&fake(1));
        let first = pool.take(at(5));
        assert!(matches!(first, Taken::Wait { soon: true, .. }));
        assert!(matches!(pool.take(at(5)), Taken::Wait { soon: false, .. }), "it is promised to the first");
    }

    #[test]
    fn a_waiter_that_gave_up_is_passed_over() {
        let (pool, _admission) = with_idle(&[]);
        pool.add(&fake(1), Some(permit(&_admission)), at(0));
        let Taken::Wait { next: first, .. } = pool.take(at(1)) else { panic!() };
        let Taken::Wait { next: mut second, .. } = pool.take(at(1)) else { panic!() };
        drop(first);
        pool.idle(&fake(1), at(2));
        assert!(second.try_recv().is_ok());
    }

    #[test]
    fn an_answer_frees_the_concurrency_before_the_environment_is_idle() {
        let (pool, admission) = (Arc::new(Pool::new(Duration::from_secs(1000))), Admission::new(1));
        pool.add(&fake(1), Some(permit(&admission)), at(0));
        let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        let function = FunctionId { scope, name: "f".into() };
        assert!(admission.admit_to(&function, None).is_err());
        pool.answered(&fake(1));
        assert!(admission.admit_to(&function, None).is_ok());
        pool.idle(&fake(1), at(1));
        assert_eq!(take_idle(&pool, &admission), Some(fake(1)));
        pool.ended(&fake(1));
        assert!(admission.admit_to(&function, None).is_ok(), "death gives back too");
        assert!(pool.state.lock().members.is_empty());
    }

    #[test]
    fn a_closed_pool_drains() {
        let (pool, admission) = (Arc::new(Pool::new(Duration::from_secs(1000))), Admission::new(1000));
        let environments = [1, 2, 3].map(|key| Fake(key, Arc::default()));
        for environment in &environments {
            pool.add(environment, Some(permit(&admission)), at(0));
            pool.idle(environment, at(1));
        }
        let retired = |index: usize| !environments[index].1.lock().is_empty();
        assert_eq!(take_idle(&pool, &admission).unwrap().0, 3);
        let Taken::Idle(lease) = pool.take(at(4)) else { panic!() };
        pool.close();
        assert!(retired(0) && !retired(1) && !retired(2));
        drop(lease);
        assert!(retired(1), "set aside when the pool closed, never used");
        pool.idle(&environments[2], at(5));
        assert!(retired(2), "busy when the pool closed");
        assert!(pool.state.lock().members.is_empty());
    }

    #[test]
    fn an_old_environment_retires_instead_of_idling() {
        let (pool, admission) = (Arc::new(Pool::new(Duration::from_secs(10))), Admission::new(1000));
        let environment = fake(1);
        pool.add(&environment, Some(permit(&admission)), at(0));
        pool.idle(&environment, at(9));
        assert!(take_idle(&pool, &admission).is_some());
        pool.idle(&environment, at(10));
        assert!(pool.state.lock().members.is_empty() && !environment.1.lock().is_empty());
    }

    #[test]
    fn closing_tells_the_waiters() {
        let (pool, _admission) = with_idle(&[]);
        let Taken::Wait { next: mut waiter, .. } = pool.take(at(4)) else { panic!() };
        pool.close();
        assert!(waiter.try_recv().is_err());
    }

    #[test]
    fn old_idle_environments_freeze_and_expire() {
        let (pool, admission) = with_idle(&[1, 2, 3]);
        assert_eq!(pool.take_freezable(at(2)), vec![fake(2), fake(1)]);
        assert_eq!(pool.take_freezable(at(2)), vec![]);
        assert_eq!(pool.take_freezable(at(3)), vec![fake(3)]);
        pool.retire_expired(at(2));
        assert_eq!(pool.state.lock().members.len(), 1);
        assert_eq!(take_idle(&pool, &admission), Some(fake(3)));
        pool.idle(&fake(3), at(8));
        assert_eq!(pool.take_freezable(at(8)), vec![fake(3)], "used again, frozen again");
        assert_eq!(idle_since(at(5), Duration::from_secs(9)), None);
    }
}
