//! An invocation is [assigned](crate::assignment) exactly one environment, and what it does not take goes back.

use std::sync::Arc;
use std::time::Duration;

use rushlight_model::clock::Clock;
use shuttle::{future, thread};
use tokio::sync::Semaphore;

use super::fake::Fake;
use super::{at, check_some};
use crate::admission::Permit;
use crate::assignment::{Assignment, assign};
use crate::pool::{Pool, Taken};

#[derive(Clone)]
struct Subject {
    pool: Arc<Pool<Fake>>,
    turns: Arc<Semaphore>,
}

impl Subject {
    /// One environment that initialises, and one start at a time.
    fn new() -> (Self, Fake) {
        let pool = Arc::new(Pool::new(Duration::from_secs(1000)));
        let environment = Fake::default();
        pool.add(&environment, None, at(0));
        (Self { pool, turns: Arc::new(Semaphore::new(1)) }, environment)
    }

    async fn serve(self) {
        let environment = match assign(&self.pool, &self.turns, &Clock::real()).await.unwrap() {
            Assignment::Existing(lease) => lease.begin(Permit::provisioned()).unwrap().0,
            Assignment::New(turn) => {
                let environment = Fake::default();
                future::yield_now().await;
                self.pool.add(&environment, None, at(0));
                drop(turn);
                environment
            }
        };
        assert!(environment.invoke());
        future::yield_now().await;
        environment.finish();
        self.pool.idle(&environment, at(0));
    }

    fn idle(&self) -> usize {
        let take = || match self.pool.take(at(0)) {
            Taken::Idle(lease) => Some(lease),
            Taken::Wait { .. } => None,
        };
        std::iter::from_fn(take).collect::<Vec<_>>().len()
    }
}

#[test]
fn an_environment_a_turn_and_a_caller_that_hangs_up() {
    check_some(8_000, || {
        let (subject, environment) = Subject::new();
        let served: Vec<_> = (0..2).map(|_| future::spawn(subject.clone().serve())).collect();
        let hangs_up = future::spawn({
            let subject = subject.clone();
            async move { drop(assign(&subject.pool, &subject.turns, &Clock::real()).await) }
        });
        let becomes_idle = {
            let pool = Arc::clone(&subject.pool);
            thread::spawn(move || pool.idle(&environment, at(0)))
        };
        hangs_up.abort();
        served.into_iter().for_each(|one| future::block_on(one).unwrap());
        let _ = future::block_on(hangs_up);
        becomes_idle.join().unwrap();
        assert_eq!(subject.turns.available_permits(), 1);
        assert_eq!(subject.idle(), subject.pool.len(), "all of them, once each");
    });
}

#[test]
fn an_end_of_the_server_leaves_nobody_waiting() {
    check_some(4_000, || {
        let (subject, environment) = Subject::new();
        let _starting = subject.turns.clone().try_acquire_owned().unwrap();
        let assigned = future::spawn({
            let subject = subject.clone();
            async move { assign(&subject.pool, &subject.turns, &Clock::real()).await.map(drop) }
        });
        let becomes_idle = {
            let pool = Arc::clone(&subject.pool);
            let environment = environment.clone();
            thread::spawn(move || pool.idle(&environment, at(0)))
        };
        subject.turns.close();
        subject.pool.close();
        let _ = future::block_on(assigned).unwrap();
        becomes_idle.join().unwrap();
        assert_eq!(environment.retired(), 1);
    });
}
