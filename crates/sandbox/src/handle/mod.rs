//! The server's side: handles of the jailer and of the sandboxes that it made, at whichever level of isolation.

mod channel;
mod jailer;
mod measures;
mod sandbox;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use self::jailer::JailerHandle;
pub(crate) use self::sandbox::SandboxHandle;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
