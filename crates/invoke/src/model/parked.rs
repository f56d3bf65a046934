//! [Environments that are parked](crate::parked) are each taken by one invocation or retired, whoever comes first, and
//! whoever waits for one gets one or hears that there will be none.

use std::sync::Arc;

use shuttle::{future, thread};

use super::fake::Fake;
use super::{at, check_some};
use crate::parked::{InitFailure, Parked};

type Subject = Arc<Parked<Fake>>;

fn open() -> Subject {
    let subject = Parked::new();
    subject.open();
    Arc::new(subject)
}

/// What the data plane does: starts what is missing, each of which lives in a thread of its own.
fn fill(subject: &Subject, succeeds: bool) -> Vec<(Fake, thread::JoinHandle<()>)> {
    let mut started = Vec::new();
    while subject.begin_start(at(0)) {
        let environment = Fake::default();
        let lives = {
            let (subject, environment) = (Arc::clone(subject), environment.clone());
            thread::spawn(move || {
                if succeeds {
                    environment.initialize();
                    return subject.parked(&environment);
                }
                subject.parked(&environment);
                assert_eq!(environment.retired(), 1, "what has failed is of no use");
                environment.end();
                subject.ended(&environment);
            })
        };
        started.push((environment, lives));
    }
    started
}

/// An invocation that needs one: it starts what takes its place.
fn take(subject: &Subject, succeeds: bool) -> (Result<Fake, InitFailure>, Vec<Fake>) {
    let taken = subject.take(at(0));
    let started = fill(subject, succeeds);
    let environment = future::block_on(taken.environment());
    let started = started.into_iter().map(|(environment, lives)| {
        lives.join().unwrap();
        environment
    });
    (environment, started.collect())
}

fn taking(subject: &Subject, succeeds: bool) -> thread::JoinHandle<(Result<Fake, InitFailure>, Vec<Fake>)> {
    let subject = Arc::clone(subject);
    thread::spawn(move || take(&subject, succeeds))
}

#[test]
fn each_is_taken_once() {
    check_some(8_000, || {
        let subject = open();
        let invocations: Vec<_> = (0..2).map(|_| taking(&subject, true)).collect();
        for invocation in invocations {
            let (environment, _) = invocation.join().unwrap();
            let environment = environment.unwrap();
            assert!(environment.invoke(), "used by this invocation alone");
        }
    });
}

#[test]
fn none_is_left_behind_when_they_are_given_up() {
    check_some(8_000, || {
        let subject = open();
        let invocation = taking(&subject, true);
        let closing = {
            let subject = Arc::clone(&subject);
            thread::spawn(move || subject.close())
        };
        let (environment, started) = invocation.join().unwrap();
        closing.join().unwrap();
        let environment = environment.unwrap();
        assert!(environment.invoke());
        let retired = started.iter().filter(|environment| environment.retired() == 1).count();
        assert_eq!(retired, started.len() - 1, "all but the one that was taken");
        assert!(!subject.begin_start(at(0)));
    });
}

#[test]
fn whoever_waits_hears_of_a_failure() {
    check_some(4_000, || {
        let subject = open();
        let (environment, _) = taking(&subject, false).join().unwrap();
        assert_eq!(environment.unwrap_err(), InitFailure::TimedOut);
        // No more are started for nobody.
        assert!(!subject.begin_start(at(0)));
    });
}

#[test]
fn a_watcher_hears_of_the_first() {
    check_some(4_000, || {
        let subject = open();
        let watched = subject.watch();
        let started = fill(&subject, true);
        assert_eq!(started.len(), 1, "watching needs none");
        assert_eq!(future::block_on(watched).unwrap(), Ok(()));
        started.into_iter().for_each(|(_, lives)| lives.join().unwrap());
        assert_eq!(future::block_on(subject.watch()).unwrap(), Ok(()));
    });
}
