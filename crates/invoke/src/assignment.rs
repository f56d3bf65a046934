//! Which environment serves an invocation: an idle one, one that is about to be idle, or a new one.
//!
//! Starts of new environments take turns: more at a time than the machine can work on make all of them slow. Who
//! waits for its turn takes an environment that becomes idle meanwhile.

use std::sync::Arc;
use std::time::Duration;

use rushlight_model::clock::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;
use crate::pool::{Lease, Member, Pool, Taken};

/// How long a finishing environment is waited for: far longer than a runtime needs from its answer to its call for
/// the next event, and about what a cold start costs.
const FINISHING_GRACE: Duration = Duration::from_millis(10);

/// What an invocation is assigned to.
#[derive(Debug)]
pub(crate) enum Assignment<E: Member> {
    /// An environment that exists.
    Existing(Lease<E>),
    /// A new one, to be started while holding the turn.
    New(OwnedSemaphorePermit),
}

/// An environment that is idle, or about to be; none is started. Cancel-safe.
pub(crate) async fn assign_ready<E: Member>(pool: &Arc<Pool<E>>, clock: &Clock) -> Option<Lease<E>> {
    match pool.take(clock.moment()) {
        Taken::Idle(lease) => Some(lease),
        Taken::Wait { next, soon: true } => tokio::time::timeout(FINISHING_GRACE, next).await.ok()?.ok(),
        Taken::Wait { .. } => None,
    }
}

/// Assigns one invocation. Cancel-safe: a lease or a turn that is not taken goes back.
pub(crate) async fn assign<E: Member>(
    pool: &Arc<Pool<E>>,
    turns: &Arc<Semaphore>,
    clock: &Clock,
) -> Result<Assignment<E>, Error> {
    let (mut next, soon) = match pool.take(clock.moment()) {
        Taken::Idle(lease) => return Ok(Assignment::Existing(lease)),
        Taken::Wait { next, soon } => (next, soon),
    };
    // A failed receiver means that the pool was closed: whoever was assigned to it still gets an environment of
    // the generation that was current when the request came.
    if soon && let Ok(Ok(lease)) = tokio::time::timeout(FINISHING_GRACE, &mut next).await {
        return Ok(Assignment::Existing(lease));
    }
    let turn = Arc::clone(turns).acquire_owned();
    tokio::pin!(turn);
    let turn = loop {
        tokio::select! {
            biased;
            lease = &mut next, if !next.is_terminated() => match lease {
                Ok(lease) => return Ok(Assignment::Existing(lease)),
                Err(_) => continue,
            },
            turn = &mut turn => break turn.map_err(|_| Error::ShuttingDown)?,
        }
    };
    // An environment may have been handed over in the instant before the turn came.
    next.close();
    match next.try_recv() {
        Ok(lease) => Ok(Assignment::Existing(lease)),
        Err(_) => Ok(Assignment::New(turn)),
    }
}
