//! What keeps [tenants](super) apart, without processes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::clock::{Clock, Moment};

use super::*;
use crate::admission::{Admission, Throttle};
use crate::pool::Taken;

/// An environment that remembers whom it was made for.
#[derive(Debug, Clone)]
struct Fake {
    key: usize,
    tenant_id: TenantId,
    retired: Arc<Mutex<Vec<usize>>>,
}

impl Member for Fake {
    fn key(&self) -> usize {
        self.key
    }

    fn retire(&self) {
        self.retired.lock().push(self.key);
    }
}

/// A generation with tenants, and what it would be admitted by.
struct Subject {
    tenants: Tenants<Fake>,
    admission: Admission,
    function: FunctionId,
    made: AtomicUsize,
    retired: Arc<Mutex<Vec<usize>>>,
}

impl Subject {
    fn new(concurrency: u32) -> Self {
        let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        Self {
            tenants: Tenants::new(Duration::from_secs(1000)),
            admission: Admission::new(concurrency),
            function: FunctionId { scope, name: "f".into() },
            made: AtomicUsize::new(0),
            retired: Arc::default(),
        }
    }

    /// Assigns an invocation of this tenant as the data plane does, and returns its environment, which is then busy.
    fn begin(&self, tenant: &TenantId) -> Result<Fake, Throttle> {
        let permit = self.admission.admit_to(&self.function, None)?;
        let pool = self.tenants.pool(tenant);
        match pool.take(at(1)) {
            Taken::Idle(lease) => Ok(lease.begin(permit).unwrap().0),
            Taken::Wait { .. } => {
                let own = self.admission.admit_environment_of(&self.function, None)?;
                let key = self.made.fetch_add(1, Ordering::Relaxed);
                let new = Fake { key, tenant_id: tenant.clone(), retired: Arc::clone(&self.retired) };
                self.tenants.pool(&new.tenant_id).add_limited(&new, Some(permit), Some(own), at(1));
                Ok(new)
            }
        }
    }

    fn end(&self, environment: &Fake) {
        self.tenants.pool(&environment.tenant_id).idle(environment, at(2));
    }

    fn known(&self) -> usize {
        self.tenants.state.read().pools.len()
    }
}

fn at(seconds: u64) -> Moment {
    Moment::default() + Duration::from_secs(seconds)
}

fn tenant(name: impl ToString) -> TenantId {
    TenantId::parse(&name.to_string()).unwrap()
}

#[test]
fn an_idle_environment_serves_its_tenant_only() {
    let subject = Subject::new(10);
    let first = subject.begin(&tenant("a")).unwrap();
    subject.end(&first);
    let other = subject.begin(&tenant("b")).unwrap();
    assert_ne!(other.key, first.key);
    assert_eq!(subject.begin(&tenant("a")).unwrap().key, first.key);
    let lookalikes = ["A", "a ", " a", "aa"].map(|name| subject.begin(&tenant(name)).unwrap().key);
    assert!(!lookalikes.contains(&first.key) && !lookalikes.contains(&other.key));
}

#[test]
fn who_waits_is_not_handed_what_another_tenant_gives_back() {
    let subject = Subject::new(10);
    let (of_a, of_b) = (subject.begin(&tenant("a")).unwrap(), subject.begin(&tenant("b")).unwrap());
    let pool = subject.tenants.pool(&tenant("a"));
    let Taken::Wait { mut next, .. } = pool.take(at(1)) else { panic!("nothing of a is idle") };
    subject.end(&of_b);
    assert!(next.try_recv().is_err());
    subject.end(&of_a);
    assert!(next.try_recv().is_ok());
}

#[test]
fn concurrency_and_environments_count_over_all_tenants() {
    let subject = Subject::new(2);
    let busy = [subject.begin(&tenant(1)).unwrap(), subject.begin(&tenant(2)).unwrap()];
    assert_eq!(subject.begin(&tenant(3)).unwrap_err(), Throttle::ConcurrentInvocationLimitExceeded);
    busy.iter().for_each(|environment| subject.end(environment));
    for name in 3..=5 {
        subject.end(&subject.begin(&tenant(name)).unwrap());
    }
    let throttle = subject.begin(&tenant(6)).unwrap_err();
    assert_eq!(
        throttle,
        Throttle::ConcurrentInvocationLimitExceeded,
        "five exist, all idle, none of this tenant"
    );
    let mine = subject.begin(&tenant(5)).unwrap();
    subject.tenants.pool(&tenant(5)).ended(&mine);
    assert!(subject.begin(&tenant(6)).is_ok(), "an end makes room, whosever it was");
}

#[test]
fn tenants_without_environments_are_forgotten() {
    let subject = Subject::new(10);
    for name in 0..100 {
        drop(subject.tenants.pool(&tenant(name)));
    }
    let (used, begun) = (subject.begin(&tenant("used")).unwrap(), subject.tenants.pool(&tenant("begun")));
    assert_eq!(subject.known(), 102);
    subject.tenants.sweep(|_| {});
    assert_eq!(subject.known(), 2, "one has an environment, of one somebody holds the pool");
    assert!(Arc::ptr_eq(&begun, &subject.tenants.pool(&tenant("begun"))));
    drop(begun);
    subject.end(&used);
    subject.tenants.sweep(|pool| pool.retire_expired(at(1)));
    assert_eq!(subject.known(), 1, "not idle for long enough");
    subject.tenants.sweep(|pool| pool.retire_expired(at(2)));
    assert_eq!(subject.known(), 0);
    assert_eq!(*subject.retired.lock(), [used.key]);
}

#[test]
fn closing_retires_the_environments_of_every_tenant() {
    let subject = Subject::new(10);
    let (idle, busy) = (subject.begin(&tenant("a")).unwrap(), subject.begin(&tenant("b")).unwrap());
    subject.end(&idle);
    subject.tenants.close();
    assert_eq!(*subject.retired.lock(), [idle.key]);
    subject.end(&busy);
    assert_eq!(*subject.retired.lock(), [idle.key, busy.key]);
    // Who found this generation before it was closed still gets an environment, once.
    let late = subject.begin(&tenant("late")).unwrap();
    subject.end(&late);
    assert_eq!(*subject.retired.lock(), [idle.key, busy.key, late.key]);
}

#[test]
fn racing_tenants_never_share_and_lose_nothing() {
    const TENANTS: usize = 40;
    let subject = Subject::new(1000);
    let stop = AtomicBool::new(false);
    let in_use: Vec<_> = (0..100_000).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (subject, in_use) = (&subject, &in_use);
                scope.spawn(move || {
                    for round in 0..3000 {
                        let tenant = tenant((round * 7 + worker * 13) % TENANTS);
                        let environment = subject.begin(&tenant).unwrap();
                        assert_eq!(environment.tenant_id, tenant);
                        assert_eq!(
                            in_use[environment.key].fetch_add(1, Ordering::SeqCst),
                            0,
                            "one at a time"
                        );
                        in_use[environment.key].fetch_sub(1, Ordering::SeqCst);
                        if round % 5 == 0 {
                            subject.tenants.pool(&tenant).ended(&environment);
                        } else {
                            subject.end(&environment);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                subject.tenants.sweep(|pool| pool.retire_expired(at(2)));
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    subject.tenants.sweep(|pool| pool.retire_expired(at(3)));
    assert_eq!(subject.known(), 0);
    let all = std::iter::from_fn(|| subject.admission.admit_environment_of(&subject.function, None).ok());
    assert_eq!(all.take(3000).collect::<Vec<_>>().len(), 2500, "every permit came back");
}

#[test]
fn a_tenant_among_thousands_is_found_at_once() {
    let subject = Subject::new(1000);
    let tenants: Vec<_> = (0..2500).map(tenant).collect();
    for tenant in &tenants {
        subject.end(&subject.begin(tenant).unwrap());
    }
    let clock = Clock::real();
    let begun = clock.moment();
    for _ in 0..10 {
        for tenant in &tenants {
            subject.end(&subject.begin(tenant).unwrap());
        }
    }
    let each = clock.moment().since(begun) / 25_000;
    assert!(each < Duration::from_micros(100), "{each:?} for one");
    assert_eq!(subject.made.load(Ordering::Relaxed), 2500);
}
