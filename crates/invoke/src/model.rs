//! Counting and handing over under every race: `shuttle` decides which thread goes on after each step of a lock or an
//! atomic, and so tries one interleaving after the other.
//!
//! Small cases are run under all there are. Larger ones are run under many at random, half of them with few changes
//! of the thread at any point (PCT), which is what it takes to find most races.
//!
//! `shuttle` prints the schedule of a failure, for [`shuttle::replay`]. It takes every atomic for sequentially
//! consistent; the counters do not depend on less, since each is changed by one read-modify-write.

mod admission;
mod assignment;
mod fake;
mod parked;
mod pool;
mod provisioned;
mod tenants;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::Moment;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Runner, thread};

use crate::admission::{Admission, EnvironmentPermit, Permit};
use crate::sync::AtomicU32;

/// More than any case here has; one that has more is too large for [`check_all`].
const MOST_SCHEDULES: usize = 100_000;

/// Runs `case` under every schedule that there is.
pub(crate) fn check_all(case: impl Fn() + Send + Sync + 'static) {
    let schedules = run(DfsScheduler::new(Some(MOST_SCHEDULES), false), case);
    assert!(schedules < MOST_SCHEDULES, "not all schedules were tried");
}

/// Runs `case` under `schedules` schedules at random.
pub(crate) fn check_some(schedules: usize, case: impl Fn() + Send + Sync + 'static) {
    let case = Arc::new(case);
    let same = Arc::clone(&case);
    run(RandomScheduler::new(schedules / 2), move || case());
    run(PctScheduler::new(3, schedules / 2), move || same());
}

fn run(scheduler: impl Scheduler + 'static, case: impl Fn() + Send + Sync + 'static) -> usize {
    let schedules = Runner::new(scheduler, shuttle::Config::new()).run(case);
    println!("{schedules} schedules");
    schedules
}

/// What a task that panics does to what it holds.
fn dies_with(held: impl Sized) {
    let death = catch_unwind(AssertUnwindSafe(|| {
        let _held = held;
        resume_unwind(Box::new("death"))
    }));
    assert!(death.is_err());
}

fn at(seconds: u64) -> Moment {
    Moment::default() + Duration::from_secs(seconds)
}

fn function(name: &str) -> FunctionId {
    let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
    FunctionId { scope, name: name.into() }
}

/// What is free, found out by taking all of it.
fn free(admission: &Admission, function: &FunctionId, reserved: Option<u32>) -> usize {
    let all: Vec<Permit> = std::iter::from_fn(|| admission.admit_to(function, reserved).ok()).collect();
    all.len()
}

fn free_environments(admission: &Admission, function: &FunctionId) -> usize {
    let admit = || admission.admit_environment_of(function, None).ok();
    std::iter::from_fn(admit).collect::<Vec<EnvironmentPermit>>().len()
}

/// Runs `each` of them in a thread, and waits for all.
pub(crate) fn race<T: Send + 'static>(
    each: impl IntoIterator<Item = impl FnOnce() -> T + Send + 'static>,
) -> Vec<T> {
    let threads: Vec<_> = each.into_iter().map(|one| thread::spawn(one)).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
#[should_panic(expected = "one was not counted")]
fn a_counter_that_is_read_and_then_written_is_found_out() {
    check_all(|| {
        let counter = Arc::new(AtomicU32::default());
        let count = |counter: &AtomicU32| counter.store(counter.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
        let other = Arc::clone(&counter);
        let thread = thread::spawn(move || count(&other));
        count(&counter);
        thread.join().unwrap();
        assert_eq!(counter.load(Ordering::SeqCst), 2, "one was not counted");
    });
}
