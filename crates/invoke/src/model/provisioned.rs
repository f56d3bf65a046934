//! [Environments that are kept ready](crate::provisioned) are as many as are wanted, and used by one invocation at a
//! time, whenever they say that they are ready, fail or end.

use std::sync::Arc;
use std::time::Duration;

use shuttle::{future, thread};

use super::fake::Fake;
use super::{at, check_all, check_some, race};
use crate::admission::Permit;
use crate::pool::Taken;
use crate::provisioned::Provisioned;

type Subject = Arc<Provisioned<Fake>>;

fn wanting(wanted: u32) -> Subject {
    let subject = Provisioned::new(Duration::from_secs(1000));
    subject.want(wanted);
    Arc::new(subject)
}

/// Starts an environment that begins to live, in a thread of its own, before it is known to have been started.
fn start(
    subject: &Subject,
    live: impl FnOnce(&Subject, &Fake) + Send + 'static,
) -> (Fake, thread::JoinHandle<()>) {
    assert!(subject.begin_start());
    let environment = Fake::default();
    let lives = {
        let (subject, environment) = (Arc::clone(subject), environment.clone());
        thread::spawn(move || live(&subject, &environment))
    };
    subject.started(Some(&environment), at(0));
    (environment, lives)
}

fn initialize(subject: &Subject, environment: &Fake) {
    environment.initialize();
    subject.idle(environment, at(0));
}

/// One invocation, which waits for a ready environment.
fn serve(subject: &Subject) {
    let lease = match subject.pool.take(at(0)) {
        Taken::Idle(lease) => lease,
        Taken::Wait { next, .. } => future::block_on(next).unwrap(),
    };
    let (environment, _) = lease.begin(Permit::provisioned()).unwrap();
    assert!(environment.invoke());
    thread::yield_now();
    environment.finish();
    subject.idle(&environment, at(0));
}

#[test]
fn one_that_is_ready_before_it_is_known_serves_one_invocation_at_a_time() {
    check_some(8_000, || {
        let subject = wanting(1);
        let invocations: Vec<_> = (0..2)
            .map(|_| {
                let subject = Arc::clone(&subject);
                thread::spawn(move || serve(&subject))
            })
            .collect();
        let (_environment, lives) = start(&subject, initialize);
        lives.join().unwrap();
        invocations.into_iter().for_each(|invocation| invocation.join().unwrap());
        assert_eq!(subject.provision().ready, 1);
        let only = subject.pool.take(at(0));
        assert!(matches!(only, Taken::Idle(_)) && matches!(subject.pool.take(at(0)), Taken::Wait { .. }));
    });
}

#[test]
fn a_failed_initialisation_is_noticed_whenever_it_fails() {
    check_all(|| {
        let subject = wanting(1);
        let (environment, lives) = start(&subject, |subject, environment| subject.idle(environment, at(0)));
        lives.join().unwrap();
        assert!(
            subject.provision().failed && !subject.begin_start(),
            "none is started until something changes"
        );
        assert!(subject.pool.is_empty());
        assert_eq!(environment.retired(), 1);
    });
}

#[test]
fn one_that_ends_is_replaced_whenever_it_ends() {
    check_all(|| {
        let subject = wanting(1);
        let (_environment, lives) = start(&subject, |subject, environment| {
            initialize(subject, environment);
            environment.end();
            subject.ended(environment);
        });
        lives.join().unwrap();
        assert_eq!(subject.provision().ready, 0);
        assert!(subject.pool.is_empty() && subject.begin_start());
    });
}

#[test]
fn no_more_are_started_than_are_missing() {
    check_all(|| {
        let subject = wanting(2);
        let started = race((0..2).map(|_| {
            let subject = Arc::clone(&subject);
            move || std::iter::repeat_with(|| subject.begin_start()).take_while(|begun| *begun).count()
        }));
        assert_eq!(started.iter().sum::<usize>(), 2);
    });
}

#[test]
fn no_more_are_retired_than_are_too_many() {
    check_all(|| {
        let subject = wanting(2);
        let both = [(); 2].map(|()| {
            assert!(subject.begin_start());
            let environment = Fake::default();
            environment.initialize();
            subject.started(Some(&environment), at(0));
            environment
        });
        subject.idle(&both[0], at(0));
        let becomes_idle = {
            let (subject, environment) = (Arc::clone(&subject), both[1].clone());
            thread::spawn(move || subject.idle(&environment, at(0)))
        };
        subject.want(1);
        // Again and again until the one has ended, which takes a while.
        subject.trim(at(0));
        subject.trim(at(0));
        becomes_idle.join().unwrap();
        subject.trim(at(0));
        assert_eq!(both.iter().map(Fake::retired).sum::<usize>(), 1);
        assert_eq!(subject.pool.len(), 1);
    });
}

#[test]
fn none_survives_the_end_of_its_generation() {
    check_all(|| {
        let subject = wanting(1);
        let closes = {
            let subject = Arc::clone(&subject);
            thread::spawn(move || subject.close())
        };
        if subject.begin_start() {
            let environment = Fake::default();
            subject.started(Some(&environment), at(0));
            initialize(&subject, &environment);
            closes.join().unwrap();
            assert_eq!(environment.retired(), 1);
        }
    });
}
