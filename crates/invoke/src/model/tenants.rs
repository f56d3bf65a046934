//! Pools of [tenants](crate::tenants) come and go under every race, and no environment is lost with one.

use std::sync::Arc;
use std::time::Duration;

use rushlight_model::tenant::TenantId;
use shuttle::thread;

use super::fake::Fake;
use super::{at, check_all, check_some, free_environments, function, race};
use crate::admission::Admission;
use crate::pool::Taken;
use crate::tenants::Tenants;

fn tenants() -> Arc<Tenants<Fake>> {
    Arc::new(Tenants::new(Duration::from_secs(1000)))
}

fn tenant() -> TenantId {
    TenantId::parse("a").unwrap()
}

#[test]
fn the_first_two_calls_of_a_tenant_share_its_pool() {
    check_all(|| {
        let tenants = tenants();
        let pools = race((0..2).map(|_| {
            let tenants = Arc::clone(&tenants);
            move || tenants.pool(&tenant())
        }));
        assert!(Arc::ptr_eq(&pools[0], &pools[1]));
    });
}

#[test]
fn a_pool_that_is_about_to_be_used_is_not_forgotten() {
    check_all(|| {
        let tenants = tenants();
        let sweeps = {
            let tenants = Arc::clone(&tenants);
            thread::spawn(move || tenants.sweep(|_| {}))
        };
        let pool = tenants.pool(&tenant());
        let environment = Fake::default();
        pool.add(&environment, None, at(0));
        drop(pool);
        tenants.pool(&tenant()).idle(&environment, at(0));
        sweeps.join().unwrap();
        assert!(matches!(tenants.pool(&tenant()).take(at(0)), Taken::Idle(_)));
    });
}

#[test]
fn closing_reaches_the_pools_that_come_meanwhile() {
    check_all(|| {
        let tenants = tenants();
        let closes = {
            let tenants = Arc::clone(&tenants);
            thread::spawn(move || tenants.close())
        };
        let environment = Fake::default();
        let pool = tenants.pool(&tenant());
        pool.add(&environment, None, at(0));
        pool.idle(&environment, at(0));
        closes.join().unwrap();
        assert_eq!(environment.retired(), 1);
    });
}

#[test]
fn every_end_of_an_environment_makes_room_for_another() {
    check_some(8_000, || {
        let (tenants, admission) = (tenants(), Arc::new(Admission::new(2)));
        let limit = free_environments(&admission, &function("a"));
        let sweeps = {
            let tenants = Arc::clone(&tenants);
            thread::spawn(move || tenants.sweep(|pool| pool.retire_expired(at(1))))
        };
        race((0..2).map(|_| {
            let (tenants, admission) = (Arc::clone(&tenants), Arc::clone(&admission));
            move || {
                let permit = admission.admit_to(&function("a"), None).unwrap();
                let pool = tenants.pool(&tenant());
                let environment = match pool.take(at(0)) {
                    Taken::Idle(lease) => lease.begin(permit).unwrap().0,
                    Taken::Wait { .. } => {
                        let own = admission.admit_environment_of(&function("a"), None).unwrap();
                        let environment = Fake::default();
                        pool.add_limited(&environment, Some(permit), Some(own), at(0));
                        environment
                    }
                };
                assert!(environment.invoke());
                environment.finish();
                pool.idle(&environment, at(0));
            }
        }));
        // One is killed, whether it was retired or not; the others are retired.
        if let Taken::Idle(lease) = tenants.pool(&tenant()).take(at(0)) {
            let permit = admission.admit_to(&function("a"), None).unwrap();
            let (environment, _) = lease.begin(permit).unwrap();
            tenants.pool(&tenant()).ended(&environment);
        }
        sweeps.join().unwrap();
        tenants.sweep(|pool| pool.retire_expired(at(1)));
        assert_eq!(free_environments(&admission, &function("a")), limit);
        assert_eq!(super::free(&admission, &function("a"), None), 2);
    });
}
