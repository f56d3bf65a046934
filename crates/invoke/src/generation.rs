//! One generation: the environments that serve one set of code and configuration of one function.
//!
//! Environments of different generations never mix: when an invocation arrives for a newer one, the older is closed
//! and drains, while its running invocations go on to their end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rushlight_environment::{Environment, Owner};
use rushlight_model::arn::FunctionId;
use rushlight_model::clock::Clock;
use rushlight_model::function::{FunctionConfiguration, FunctionHead};
use tokio_util::task::TaskTracker;

use crate::function::{Identity, share};
use crate::pool::{Member, Pool, idle_since};

/// An environment as a pool holds it.
#[derive(Debug, Clone)]
pub(crate) struct PooledEnvironment {
    pub(crate) environment: Arc<Environment>,
    tracker: TaskTracker,
}

impl Member for PooledEnvironment {
    fn key(&self) -> usize {
        Arc::as_ptr(&self.environment).addr()
    }

    fn retire(&self) {
        let environment = Arc::clone(&self.environment);
        self.tracker.spawn(async move { environment.shutdown().await });
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) function: FunctionId,
    pub(crate) configuration: Arc<FunctionConfiguration>,
    identity: Identity,
    pub(crate) pool: Arc<Pool<PooledEnvironment>>,
    clock: Clock,
    tracker: TaskTracker,
}

impl Generation {
    pub(crate) fn pooled(&self, environment: &Arc<Environment>) -> PooledEnvironment {
        PooledEnvironment { environment: Arc::clone(environment), tracker: self.tracker.clone() }
    }
}

impl Owner for Generation {
    fn idle(&self, environment: &Arc<Environment>) {
        self.pool.idle(&self.pooled(environment), self.clock.moment());
    }

    fn ended(&self, environment: &Arc<Environment>) {
        self.pool.ended(&self.pooled(environment));
    }
}

/// The current generation of every function that was invoked.
#[derive(Debug)]
pub(crate) struct Generations {
    current: RwLock<HashMap<FunctionId, Arc<Generation>>>,
    clock: Clock,
    tracker: TaskTracker,
    max_age: Duration,
}

impl Generations {
    pub(crate) fn new(clock: Clock, tracker: TaskTracker, max_age: Duration) -> Self {
        Self { current: RwLock::default(), clock, tracker, max_age }
    }

    /// The generation that serves `head`. An older one is closed.
    pub(crate) fn of(&self, head: &FunctionHead) -> Arc<Generation> {
        let is_current = |generation: &Generation| {
            generation.identity.is_served_by(head) || generation.identity.is_newer_than(head)
        };
        if let Some(generation) =
            self.current.read().get(&head.id).filter(|generation| is_current(generation))
        {
            return Arc::clone(generation);
        }
        let mut current = self.current.write();
        if let Some(generation) = current.get(&head.id).filter(|generation| is_current(generation)) {
            return Arc::clone(generation);
        }
        let generation = Arc::new(Generation {
            function: head.id.clone(),
            configuration: share(head.serving()),
            identity: Identity::of(head),
            pool: Arc::new(Pool::new(self.max_age)),
            clock: self.clock.clone(),
            tracker: self.tracker.clone(),
        });
        let former = current.insert(head.id.clone(), Arc::clone(&generation));
        drop(current);
        if let Some(former) = former {
            former.pool.close();
        }
        generation
    }

    /// Closes the generation of `function` unless `head` is still served by it.
    pub(crate) fn retire(&self, function: &FunctionId, head: Option<&FunctionHead>) {
        let mut current = self.current.write();
        let stale = current
            .get(function)
            .is_some_and(|generation| head.is_none_or(|head| !generation.identity.is_served_by(head)));
        let former = if stale { current.remove(function) } else { None };
        drop(current);
        if let Some(former) = former {
            former.pool.close();
        }
    }

    /// Environments to freeze, after retiring those idle for too long and forgetting functions without any.
    pub(crate) fn sweep(&self, freeze_after: Duration, idle_timeout: Duration) -> Vec<Arc<Environment>> {
        let now = self.clock.moment();
        let generations: Vec<_> = self.current.read().values().cloned().collect();
        let mut freezable = Vec::new();
        for generation in &generations {
            if let Some(before) = idle_since(now, idle_timeout) {
                generation.pool.retire_expired(before);
            }
            if let Some(before) = idle_since(now, freeze_after) {
                let ripe = generation.pool.take_freezable(before);
                freezable.extend(ripe.into_iter().map(|pooled| pooled.environment));
            }
        }
        freezable
    }

    /// Closes everything: idle environments shut down now, busy ones when they are done.
    pub(crate) fn close(&self) {
        let generations = std::mem::take(&mut *self.current.write());
        generations.values().for_each(|generation| generation.pool.close());
    }
}
