//! Concurrency, counted in one place.
//!
//! A [`Permit`] is taken before any work of an invocation exists and given back by dropping it, so every kind of
//! death of an invocation gives back exactly what it took.
//!
//! See "Understanding Lambda function scaling" in the AWS Lambda developer guide: an account has a limit per region;
//! a function with reserved concurrency draws on its own reservation, environments that are kept ready count whether
//! they are used or not, and all else shares what is left.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rushlight_model::arn::{FunctionId, Scope};
use rushlight_model::function::FunctionHead;
use rushlight_model::quota;

use crate::sync::{AtomicU32, Mutex, RwLock};

/// Why an invocation is not admitted: the `Reason` of a TooManyRequestsException.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// The account's (unreserved) concurrency is used up.
    ConcurrentInvocationLimitExceeded,
    /// The function's reserved concurrency is used up.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// The account has had too many requests within a second.
    FunctionInvocationRateLimitExceeded,
    /// The function has had more requests within a second than its reservation stands for.
    ReservedFunctionInvocationRateLimitExceeded,
}

impl Throttle {
    /// AWS' spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionInvocationRateLimitExceeded => {
                "ReservedFunctionInvocationRateLimitExceeded"
            }
        }
    }
}

/// Counts the invocations that run, per account and per function with a reservation.
#[derive(Debug)]
pub struct Admission {
    concurrent_executions: u32,
    accounts: RwLock<HashMap<Scope, Arc<Account>>>,
    functions: Mutex<HashMap<FunctionId, Arc<Counter>>>,
    /// Environments, idle ones too, of functions with tenant isolation.
    environments: Mutex<HashMap<FunctionId, Arc<Counter>>>,
}

/// One account in one region.
#[derive(Debug, Default)]
struct Account {
    /// Invocations that draw on what nobody has claimed.
    unclaimed: Arc<Counter>,
    /// Concurrency that functions have claimed for themselves.
    claimed: AtomicU32,
}

/// How many invocations run, or environments exist, at this moment.
#[derive(Debug, Default)]
struct Counter(AtomicU32);

/// The right to run one invocation. Dropping it gives the concurrency back.
#[derive(Debug)]
pub struct Permit(Option<Arc<Counter>>);

impl Permit {
    /// The right to use an environment that is kept ready: its concurrency is claimed as long as it lives.
    #[must_use]
    pub fn provisioned() -> Self {
        Self(None)
    }
}

/// The right of one environment to exist, where AWS limits their number and not only that of invocations. Dropping it
/// makes room for another.
#[derive(Debug)]
pub struct EnvironmentPermit {
    _counted: Permit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(counter) = &self.0 {
            counter.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Counter {
    fn take(self: &Arc<Self>, limit: u32) -> Option<Permit> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| {
                (running < limit).then_some(running + 1)
            })
            .ok()
            .map(|_| Permit(Some(Arc::clone(self))))
    }
}

impl Admission {
    /// `concurrent_executions` is the limit of each account in each region.
    #[must_use]
    pub fn new(concurrent_executions: u32) -> Self {
        Self {
            concurrent_executions,
            accounts: RwLock::default(),
            functions: Mutex::default(),
            environments: Mutex::default(),
        }
    }

    /// Functions of this account and region have claimed so much concurrency for themselves.
    pub fn claim(&self, scope: &Scope, claimed: u32) {
        self.account(scope).claimed.store(claimed, Ordering::Release);
    }

    /// Admits one invocation that no environment is kept ready for, or says why not.
    ///
    /// # Errors
    /// The limit that is used up.
    pub fn admit(&self, head: &FunctionHead) -> Result<Permit, Throttle> {
        self.admit_to(
            &head.id,
            head.reserved_concurrency.map(|reserved| reserved.saturating_sub(head.provisioned_concurrency())),
        )
    }

    /// `reserved` is what is left of the function's reservation, if it has one.
    pub(crate) fn admit_to(&self, function: &FunctionId, reserved: Option<u32>) -> Result<Permit, Throttle> {
        match reserved {
            Some(limit) => counter(&self.functions, function)
                .take(limit)
                .ok_or(Throttle::ReservedFunctionConcurrentInvocationLimitExceeded),
            None => {
                let account = self.account(&function.scope);
                let limit =
                    self.concurrent_executions.saturating_sub(account.claimed.load(Ordering::Acquire));
                account.unclaimed.take(limit).ok_or(Throttle::ConcurrentInvocationLimitExceeded)
            }
        }
    }

    /// Admits one more environment of a function with tenant isolation, over all its tenants and versions, or says why
    /// not.
    ///
    /// # Errors
    /// The limit that is used up: that of environments follows from that of concurrency.
    pub fn admit_environment(&self, head: &FunctionHead) -> Result<EnvironmentPermit, Throttle> {
        self.admit_environment_of(&head.id, head.reserved_concurrency)
    }

    pub(crate) fn admit_environment_of(
        &self,
        function: &FunctionId,
        reserved: Option<u32>,
    ) -> Result<EnvironmentPermit, Throttle> {
        let (concurrency, throttle) = match reserved {
            Some(reserved) => (reserved, Throttle::ReservedFunctionConcurrentInvocationLimitExceeded),
            None => (self.concurrent_executions, Throttle::ConcurrentInvocationLimitExceeded),
        };
        let permit = counter(&self.environments, function).take(quota::tenant_environments(concurrency));
        permit.map(|counted| EnvironmentPermit { _counted: counted }).ok_or(throttle)
    }

    fn account(&self, scope: &Scope) -> Arc<Account> {
        if let Some(account) = self.accounts.read().get(scope) {
            return Arc::clone(account);
        }
        Arc::clone(self.accounts.write().entry(scope.clone()).or_default())
    }
}

fn counter(counters: &Mutex<HashMap<FunctionId, Arc<Counter>>>, function: &FunctionId) -> Arc<Counter> {
    let mut counters = counters.lock();
    if let Some(counter) = counters.get(function) {
        return Arc::clone(counter);
    }
    Arc::clone(counters.entry(function.clone()).or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn function(name: &str) -> FunctionId {
        let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        FunctionId { scope, name: name.into() }
    }

    #[test]
    fn the_account_limit_is_shared_and_given_back() {
        let admission = Admission::new(2);
        let first = admission.admit_to(&function("a"), None).unwrap();
        let _second = admission.admit_to(&function("b"), None).unwrap();
        let throttle = admission.admit_to(&function("c"), None).unwrap_err();
        assert_eq!(throttle, Throttle::ConcurrentInvocationLimitExceeded);
        drop(first);
        assert!(admission.admit_to(&function("c"), None).is_ok());
    }

    #[test]
    fn a_reservation_is_a_limit_of_its_own() {
        let admission = Admission::new(1);
        let _account = admission.admit_to(&function("a"), None).unwrap();
        let _reserved = admission.admit_to(&function("b"), Some(1)).unwrap();
        let throttle = admission.admit_to(&function("b"), Some(1)).unwrap_err();
        assert_eq!(throttle, Throttle::ReservedFunctionConcurrentInvocationLimitExceeded);
        assert!(admission.admit_to(&function("c"), Some(0)).is_err(), "a reservation of 0 admits nothing");
    }

    #[test]
    fn what_functions_claim_is_not_for_others() {
        let admission = Admission::new(3);
        admission.claim(&function("a").scope, 2);
        let first = admission.admit_to(&function("a"), None).unwrap();
        assert_eq!(
            admission.admit_to(&function("b"), None).unwrap_err(),
            Throttle::ConcurrentInvocationLimitExceeded
        );
        let _own = [admission.admit_to(&function("c"), Some(2)), admission.admit_to(&function("c"), Some(2))];
        drop((first, Permit::provisioned()));
        admission.claim(&function("a").scope, 0);
        assert_eq!([(); 4].map(|()| admission.admit_to(&function("b"), None)).iter().flatten().count(), 3);
    }

    #[test]
    fn environments_of_tenants_are_limited_in_proportion_to_concurrency() {
        let admission = Admission::new(4);
        let admitted = |name: &str, reserved| {
            let admit = || admission.admit_environment_of(&function(name), reserved);
            std::iter::from_fn(|| admit().ok()).take(100).collect::<Vec<_>>()
        };
        let mut all = admitted("a", None);
        assert_eq!(all.len(), 10);
        let throttle = admission.admit_environment_of(&function("a"), None).unwrap_err();
        assert_eq!(throttle, Throttle::ConcurrentInvocationLimitExceeded);
        assert_eq!(admitted("b", Some(3)).len(), 7, "each function has a limit of its own");
        let throttle = admission.admit_environment_of(&function("a"), Some(2)).unwrap_err();
        assert_eq!(throttle, Throttle::ReservedFunctionConcurrentInvocationLimitExceeded);
        assert_eq!(admitted("c", Some(0)).len(), 0);
        assert!(admission.admit_to(&function("a"), None).is_ok(), "no concurrency is taken");
        all.pop();
        assert_eq!(admitted("a", None).len(), 1, "what is dropped makes room");
    }

    #[test]
    fn racing_threads_never_exceed_the_limit() {
        let admission = Admission::new(3);
        let most = AtomicU32::new(0);
        let running = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        if let Ok(permit) = admission.admit_to(&function("a"), None) {
                            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now, Ordering::SeqCst);
                            running.fetch_sub(1, Ordering::SeqCst);
                            drop(permit);
                        }
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert_eq!(admission.account(&function("a").scope).unclaimed.0.load(Ordering::SeqCst), 0);
    }
}
