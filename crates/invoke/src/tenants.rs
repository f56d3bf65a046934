//! The environments of a generation of a function with tenant isolation: a pool for each tenant.
//!
//! An environment is made for one tenant, says so in its configuration, and is only ever a member of that tenant's
//! pool, whatever becomes of it: there is no way from one pool to another. So a tenant is found by one look into a
//! hash table, and an invocation waits for no other tenant's lock for longer than that.
//!
//! Pools come with the first call of a tenant and go when the last environment has: what callers can name is not
//! bounded, what is remembered of it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rushlight_model::tenant::TenantId;

use crate::admission::EnvironmentPermit;
use crate::pool::{Member, Pool};
use crate::sync::RwLock;

/// What a new environment of a function with tenant isolation is bound to.
#[derive(Debug)]
pub(crate) struct Tenancy {
    pub(crate) tenant_id: TenantId,
    pub(crate) permit: EnvironmentPermit,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Tenants<E: Member> {
    state: RwLock<State<E>>,
    max_age: Duration,
}

#[derive(Debug)]
struct State<E: Member> {
    pools: HashMap<TenantId, Arc<Pool<E>>>,
    open: bool,
}

impl<E: Member> Tenants<E> {
    /// No tenants yet; their environments are retired, once idle, when they are older than `max_age`.
    pub(crate) fn new(max_age: Duration) -> Self {
        Self { state: RwLock::new(State { pools: HashMap::new(), open: true }), max_age }
    }

    /// The pool of a tenant, which is closed if all are.
    pub(crate) fn pool(&self, tenant_id: &TenantId) -> Arc<Pool<E>> {
        if let Some(pool) = self.state.read().pools.get(tenant_id) {
            return Arc::clone(pool);
        }
        let mut state = self.state.write();
        if let Some(pool) = state.pools.get(tenant_id) {
            return Arc::clone(pool);
        }
        let pool = Arc::new(Pool::new(self.max_age));
        if !state.open {
            pool.close();
        }
        state.pools.insert(tenant_id.clone(), Arc::clone(&pool));
        pool
    }

    /// Does something with each pool, and then forgets those that are empty and that nobody is about to use.
    pub(crate) fn sweep(&self, mut each: impl FnMut(&Arc<Pool<E>>)) {
        // Who holds no pool can get one from here only, so none begins to be used while this is locked for writing.
        let unused = |pool: &Arc<Pool<E>>| Arc::strong_count(pool) == 1 && pool.is_empty();
        let mut any_unused = false;
        for pool in self.state.read().pools.values() {
            each(pool);
            any_unused |= unused(pool);
        }
        if any_unused {
            self.state.write().pools.retain(|_, pool| !unused(pool));
        }
    }

    /// Closes every pool, now and to come.
    pub(crate) fn close(&self) {
        let mut state = self.state.write();
        state.open = false;
        let pools: Vec<_> = state.pools.values().map(Arc::clone).collect();
        drop(state);
        pools.iter().for_each(|pool| pool.close());
    }
}

#[cfg(test)]
mod tests;
