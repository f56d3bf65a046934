//! Environments are [handed over](crate::pool) right under every race: to one invocation at a time, and to whoever
//! waits.

use std::sync::Arc;
use std::time::Duration;

use shuttle::{future, thread};

use super::fake::Fake;
use super::{at, check_all, check_some, free, function};
use crate::admission::{Admission, Permit};
use crate::pool::{Lease, Pool, Taken, Use};

/// A pool, what admits to it, and one environment in it that initialises.
#[derive(Clone)]
struct Subject {
    pool: Arc<Pool<Fake>>,
    admission: Arc<Admission>,
    environment: Fake,
}

const CONCURRENCY: u32 = 3;

impl Subject {
    fn new() -> Self {
        let pool = Arc::new(Pool::new(Duration::from_secs(1000)));
        let subject =
            Self { pool, admission: Arc::new(Admission::new(CONCURRENCY)), environment: Fake::default() };
        subject.pool.add(&subject.environment, None, at(0));
        subject
    }

    fn with_idle() -> Self {
        let subject = Self::new();
        subject.pool.idle(&subject.environment, at(0));
        subject
    }

    fn permit(&self) -> Permit {
        self.admission.admit_to(&function("f"), None).unwrap()
    }

    /// Begins an invocation, unless the environment has ended.
    fn begin(&self, lease: Lease<Fake>) -> Option<Use> {
        let (environment, used) = lease.begin(self.permit())?;
        if environment.invoke() {
            return Some(used);
        }
        self.pool.ended(&environment);
        None
    }

    /// As a runtime does: it is done with the invocation and asks for the next.
    fn finish(&self) {
        self.environment.finish();
        self.pool.idle(&self.environment, at(0));
    }

    /// Waits for the environment for as long as it takes.
    fn lease(&self) -> Option<Lease<Fake>> {
        match self.pool.take(at(0)) {
            Taken::Idle(lease) => Some(lease),
            Taken::Wait { next, .. } => future::block_on(next).ok(),
        }
    }

    /// One invocation from its assignment on.
    fn serve(&self) -> bool {
        let used = self.lease().and_then(|lease| self.begin(lease));
        if let Some(used) = used {
            self.pool.answered(&self.environment, used);
            self.finish();
        }
        used.is_some()
    }

    fn spawn<T: Send + 'static>(
        &self,
        run: impl FnOnce(Self) -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let subject = self.clone();
        thread::spawn(move || run(subject))
    }

    fn is_idle(&self) -> bool {
        matches!(self.pool.take(at(0)), Taken::Idle(_))
    }

    fn free(&self) -> usize {
        free(&self.admission, &function("f"), None)
    }
}

#[test]
fn who_waits_is_served() {
    let case = |invocations: usize| {
        let subject = Subject::new();
        let all: Vec<_> = (0..invocations).map(|_| subject.spawn(|subject| subject.serve())).collect();
        subject.pool.idle(&subject.environment, at(0));
        assert!(all.into_iter().all(|one| one.join().unwrap()));
        assert_eq!(subject.free(), CONCURRENCY as usize);
        assert!(subject.is_idle());
    };
    check_all(move || case(1));
    check_some(8_000, move || case(3));
}

#[test]
fn who_gives_up_keeps_nothing_from_the_others() {
    check_some(8_000, || {
        let subject = Subject::new();
        let gives_up = future::spawn({
            let subject = subject.clone();
            async move {
                let lease = match subject.pool.take(at(0)) {
                    Taken::Idle(lease) => lease,
                    Taken::Wait { next, .. } => next.await.unwrap(),
                };
                future::yield_now().await;
                drop(lease);
            }
        });
        let stays = subject.spawn(|subject| subject.serve());
        let becomes_idle = subject.spawn(|subject| subject.pool.idle(&subject.environment, at(0)));
        gives_up.abort();
        assert!(stays.join().unwrap());
        becomes_idle.join().unwrap();
        let _ = future::block_on(gives_up);
        assert!(subject.is_idle());
    });
}

#[test]
fn an_environment_is_taken_or_retired() {
    type Retires = fn(&Pool<Fake>);
    let ways: [Retires; 4] = [
        |pool| pool.retire_expired(at(1)),
        |pool| pool.retire_idle(1),
        |pool| pool.retire_aged(at(2000)),
        |pool| pool.close(),
    ];
    for retire in ways {
        check_all(move || {
            let subject = Subject::with_idle();
            let retires = subject.spawn(move |subject| retire(&subject.pool));
            let used = match subject.pool.take(at(0)) {
                Taken::Idle(lease) => subject.begin(lease),
                Taken::Wait { .. } => None,
            };
            if used.is_some() {
                subject.environment.finish();
                subject.pool.idle(&subject.environment, at(0));
            }
            retires.join().unwrap();
            retire(&subject.pool);
            assert_eq!(subject.environment.retired(), 1);
            assert!(subject.pool.is_empty());
            assert_eq!(subject.free(), CONCURRENCY as usize);
        });
    }
}

#[test]
fn waiters_of_a_pool_that_closes_are_told_or_served() {
    check_all(|| {
        let subject = Subject::new();
        let waits = subject.spawn(|subject| drop(subject.lease()));
        let becomes_idle = subject.spawn(|subject| subject.pool.idle(&subject.environment, at(0)));
        subject.pool.close();
        becomes_idle.join().unwrap();
        waits.join().unwrap();
        assert_eq!(subject.environment.retired(), 1);
    });
}

#[test]
fn an_environment_that_dies_while_it_is_assigned_gives_everything_back() {
    check_all(|| {
        let subject = Subject::with_idle();
        let death = subject.spawn(|subject| {
            subject.environment.end();
            subject.pool.ended(&subject.environment);
        });
        if let Taken::Idle(lease) = subject.pool.take(at(0)) {
            subject.begin(lease);
        }
        death.join().unwrap();
        assert_eq!(subject.free(), CONCURRENCY as usize);
        assert!(subject.pool.is_empty() && !subject.is_idle());
    });
}

#[test]
fn an_answer_frees_the_concurrency_of_its_own_invocation_only() {
    check_some(8_000, || {
        let subject = Subject::with_idle();
        let each: Vec<_> = (0..2)
            .map(|_| {
                subject.spawn(|subject| {
                    let used = subject.begin(subject.lease().unwrap()).unwrap();
                    // It runs, whatever the caller of the one before says meanwhile: its permit is out.
                    thread::yield_now();
                    let held = CONCURRENCY as usize - subject.free();
                    // This caller too hears of the answer whenever it comes to it.
                    let caller = subject.spawn(move |it| it.pool.answered(&it.environment, used));
                    subject.finish();
                    caller.join().unwrap();
                    held
                })
            })
            .collect();
        assert!(each.into_iter().all(|one| one.join().unwrap() == 1));
        assert_eq!(subject.free(), CONCURRENCY as usize);
        assert!(matches!(subject.pool.take(at(0)), Taken::Idle(_)));
        let _taken = subject.pool.take(at(0));
        assert!(matches!(subject.pool.take(at(0)), Taken::Wait { soon: false, .. }), "none is finishing");
    });
}
