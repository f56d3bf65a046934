//! The rules of the [pool](super), without processes.

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
    let added = |key: &usize| (*key, pool.add(&fake(*key), Some(permit(&admission)), at(0)));
    for (key, used) in &environments.iter().map(added).collect::<Vec<_>>() {
        pool.answered(&fake(*key), *used);
        pool.idle(&fake(*key), at(*key as u64));
    }
    (pool, admission)
}

fn take_idle(pool: &Arc<Pool<Fake>>, admission: &Admission) -> Option<Fake> {
    use_idle(pool, admission).map(|(environment, _)| environment)
}

fn use_idle(pool: &Arc<Pool<Fake>>, admission: &Admission) -> Option<(Fake, Use)> {
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
    let (_, used) = use_idle(&pool, &admission).unwrap();
    assert!(matches!(pool.take(at(5)), Taken::Wait { soon: false, .. }));
    pool.answered(&fake(1), used);
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
    let used = pool.add(&fake(1), Some(permit(&admission)), at(0));
    let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
    let function = FunctionId { scope, name: "f".into() };
    assert!(admission.admit_to(&function, None).is_err());
    pool.answered(&fake(1), used);
    assert!(admission.admit_to(&function, None).is_ok());
    pool.idle(&fake(1), at(1));
    assert_eq!(take_idle(&pool, &admission), Some(fake(1)));
    pool.ended(&fake(1));
    assert!(admission.admit_to(&function, None).is_ok(), "death gives back too");
    assert!(pool.state.lock().members.is_empty());
}

#[test]
fn an_answer_that_is_heard_of_late_frees_nothing_of_the_next_invocation() {
    let (pool, admission) = (Arc::new(Pool::new(Duration::from_secs(1000))), Admission::new(1));
    let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
    let function = FunctionId { scope, name: "f".into() };
    let first = pool.add(&fake(1), Some(permit(&admission)), at(0));
    pool.idle(&fake(1), at(1));
    let Taken::Idle(lease) = pool.take(at(1)) else { panic!("one is idle") };
    pool.answered(&fake(1), first);
    let (_, second) = lease.begin(permit(&admission)).unwrap();
    pool.answered(&fake(1), first);
    assert!(admission.admit_to(&function, None).is_err());
    assert!(matches!(pool.take(at(1)), Taken::Wait { soon: false, .. }));
    pool.answered(&fake(1), second);
    assert!(admission.admit_to(&function, None).is_ok());
}

#[test]
fn an_environment_is_idle_once_however_often_it_is_said() {
    let (pool, admission) = with_idle(&[1]);
    pool.idle(&fake(1), at(2));
    assert_eq!(take_idle(&pool, &admission), Some(fake(1)));
    assert_eq!(take_idle(&pool, &admission), None);
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
