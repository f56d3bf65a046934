//! [Concurrency](crate::admission) is counted right under every race and after every kind of death.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shuttle::{future, thread};

use super::{check_all, check_some, dies_with, free, free_environments, function, race};
use crate::admission::{Admission, Throttle};

/// Counts what runs, beside the admission and without a turn of its own.
#[derive(Default)]
struct Running {
    now: AtomicU32,
    most: AtomicU32,
}

/// One that runs by a permit, until it is dropped.
struct Runs<P> {
    running: Arc<Running>,
    // Given back after it no longer counts as running.
    _permit: P,
}

impl Running {
    fn begin<P>(self: &Arc<Self>, permit: P) -> Runs<P> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Runs { running: Arc::clone(self), _permit: permit }
    }

    fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }
}

impl<P> Drop for Runs<P> {
    fn drop(&mut self) {
        self.running.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn two_invocations_and_a_limit_of_one() {
    check_all(|| {
        let (admission, running) = (Arc::new(Admission::new(1)), Arc::<Running>::default());
        // Not the first of their account: that is another case.
        admission.claim(&function("a").scope, 0);
        race((0..2).map(|_| {
            let (admission, running) = (Arc::clone(&admission), Arc::clone(&running));
            move || drop(admission.admit_to(&function("a"), None).map(|permit| running.begin(permit)))
        }));
        assert_eq!(running.most(), 1, "one at least, and one at most");
        assert_eq!(free(&admission, &function("a"), None), 1);
    });
}

#[test]
fn the_first_two_invocations_of_a_function_share_its_counter() {
    check_all(|| {
        let admission = Arc::new(Admission::new(0));
        let permits = race((0..2).map(|_| {
            let admission = Arc::clone(&admission);
            move || admission.admit_to(&function("a"), Some(1))
        }));
        assert_eq!(permits.iter().flatten().count(), 1);
        let refused = permits.into_iter().find_map(Result::err).unwrap();
        assert_eq!(refused, Throttle::ReservedFunctionConcurrentInvocationLimitExceeded);
    });
}

#[test]
fn the_first_two_invocations_of_an_account_share_its_counter() {
    check_all(|| {
        let admission = Arc::new(Admission::new(1));
        let permits = race(["a", "b"].map(|name| {
            let admission = Arc::clone(&admission);
            move || admission.admit_to(&function(name), None)
        }));
        assert_eq!(permits.iter().flatten().count(), 1);
        let refused = permits.into_iter().find_map(Result::err).unwrap();
        assert_eq!(refused, Throttle::ConcurrentInvocationLimitExceeded);
    });
}

#[test]
fn every_death_gives_back_what_was_taken_and_no_more() {
    check_some(4_000, || {
        let (admission, running) = (Arc::new(Admission::new(2)), Arc::<Running>::default());
        let begin = {
            let (admission, running) = (Arc::clone(&admission), Arc::clone(&running));
            move || admission.admit_to(&function("a"), None).ok().map(|permit| running.begin(permit))
        };
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let begin = begin.clone();
                thread::spawn(move || {
                    drop(begin());
                    dies_with(begin());
                    // Goes on elsewhere, and ends there.
                    let held = begin();
                    thread::spawn(move || drop(held))
                })
            })
            .collect();
        // A caller that hangs up: the future is dropped wherever it has come to.
        let cancelled = future::spawn({
            let begin = begin.clone();
            async move {
                let first = begin();
                future::yield_now().await;
                let second = begin();
                future::yield_now().await;
                drop((first, second));
            }
        });
        thread::yield_now();
        cancelled.abort();
        for thread in threads {
            thread.join().unwrap().join().unwrap();
        }
        let _ = future::block_on(cancelled);
        assert!((1..=2).contains(&running.most()));
        assert_eq!(free(&admission, &function("a"), None), 2);
    });
}

#[test]
fn a_claim_that_changes_while_invocations_are_admitted() {
    check_some(4_000, || {
        let (admission, running) = (Arc::new(Admission::new(3)), Arc::<Running>::default());
        let scope = function("a").scope;
        let claims = {
            let (admission, scope) = (Arc::clone(&admission), scope.clone());
            thread::spawn(move || {
                for claimed in [2, 0, 1] {
                    admission.claim(&scope, claimed);
                }
            })
        };
        let counted = Arc::clone(&admission);
        let all = (0..3).map(|_| {
            let (admission, running) = (Arc::clone(&counted), Arc::clone(&running));
            move || {
                for name in ["a", "b"] {
                    drop(admission.admit_to(&function(name), None).map(|permit| running.begin(permit)));
                }
            }
        });
        race(all);
        claims.join().unwrap();
        assert!((1..=3).contains(&running.most()));
        assert_eq!(free(&admission, &function("a"), None), 2, "the last claim counts");
        admission.claim(&scope, 3);
        assert_eq!(free(&admission, &function("a"), None), 0);
    });
}

#[test]
fn once_a_claim_is_made_nobody_new_gets_what_it_took() {
    check_all(|| {
        let admission = Arc::new(Admission::new(1));
        let scope = function("a").scope;
        let held = admission.admit_to(&function("a"), None).unwrap();
        let other = {
            let admission = Arc::clone(&admission);
            thread::spawn(move || drop(admission.admit_to(&function("b"), None)))
        };
        drop(held);
        admission.claim(&scope, 1);
        assert!(admission.admit_to(&function("a"), None).is_err());
        other.join().unwrap();
        admission.claim(&scope, 0);
        assert_eq!(free(&admission, &function("a"), None), 1);
    });
}

#[test]
fn a_reservation_and_what_is_shared_take_nothing_from_each_other() {
    check_some(4_000, || {
        let admission = Arc::new(Admission::new(2));
        admission.claim(&function("a").scope, 1);
        let kinds = [("reserved", Some(1)), ("a", None)];
        let running = [Arc::<Running>::default(), Arc::default()];
        let each = (0..4).map(|thread| {
            let (name, reserved) = kinds[thread % 2];
            let (admission, running) = (Arc::clone(&admission), Arc::clone(&running[thread % 2]));
            move || {
                let first = admission.admit_to(&function(name), reserved).map(|permit| running.begin(permit));
                dies_with(first);
                drop(admission.admit_to(&function(name), reserved).map(|permit| running.begin(permit)));
            }
        });
        race(each);
        for ((name, reserved), running) in kinds.iter().zip(&running) {
            assert_eq!(running.most(), 1, "{name}");
            assert_eq!(free(&admission, &function(name), *reserved), 1, "{name}");
        }
    });
}

#[test]
fn environments_of_tenants_are_never_more_than_the_limit() {
    check_some(4_000, || {
        // Five environments for a concurrency of two.
        let (admission, running) = (Arc::new(Admission::new(2)), Arc::<Running>::default());
        let each = (0..3).map(|_| {
            let (admission, running) = (Arc::clone(&admission), Arc::clone(&running));
            move || {
                let begin = || {
                    let permit = admission.admit_environment_of(&function("a"), None);
                    permit.ok().map(|permit| running.begin(permit))
                };
                let (first, second) = (begin(), begin());
                dies_with(first);
                drop((begin(), second));
            }
        });
        race(each);
        assert!((2..=5).contains(&running.most()));
        assert_eq!(free_environments(&admission, &function("a")), 5);
        assert_eq!(free(&admission, &function("a"), None), 2, "no concurrency is taken");
    });
}
