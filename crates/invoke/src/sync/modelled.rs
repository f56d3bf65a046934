//! The locks and atomics of production, and before each of their steps, within a check, a turn that `shuttle` gives.
//! Outside of one, in all other tests, nothing is added.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use shuttle::sync as turns;

fn is_checked() -> bool {
    shuttle::current::try_get_current_task().is_some()
}

/// A value that is locked, and the turn of whoever locked it.
#[derive(Debug)]
pub(crate) struct Guard<V, T> {
    // Dropped first: who gets the turn next finds the lock free.
    value: V,
    _turn: Option<T>,
}

impl<V: Deref, T> Deref for Guard<V, T> {
    type Target = V::Target;

    fn deref(&self) -> &V::Target {
        &self.value
    }
}

impl<V: DerefMut, T> DerefMut for Guard<V, T> {
    fn deref_mut(&mut self) -> &mut V::Target {
        &mut self.value
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    turn: turns::Mutex<()>,
    value: parking_lot::Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { turn: turns::Mutex::new(()), value: parking_lot::Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> Guard<parking_lot::MutexGuard<'_, T>, turns::MutexGuard<'_, ()>> {
        let turn = is_checked().then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        Guard { value: self.value.lock(), _turn: turn }
    }
}

#[derive(Debug, Default)]
pub(crate) struct RwLock<T> {
    turn: turns::RwLock<()>,
    value: parking_lot::RwLock<T>,
}

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { turn: turns::RwLock::new(()), value: parking_lot::RwLock::new(value) }
    }

    pub(crate) fn read(&self) -> Guard<parking_lot::RwLockReadGuard<'_, T>, turns::RwLockReadGuard<'_, ()>> {
        let turn = is_checked().then(|| self.turn.read().unwrap_or_else(PoisonError::into_inner));
        Guard { value: self.value.read(), _turn: turn }
    }

    pub(crate) fn write(
        &self,
    ) -> Guard<parking_lot::RwLockWriteGuard<'_, T>, turns::RwLockWriteGuard<'_, ()>> {
        let turn = is_checked().then(|| self.turn.write().unwrap_or_else(PoisonError::into_inner));
        Guard { value: self.value.write(), _turn: turn }
    }
}

/// Every operation comes after a turn, and one that the standard library makes of several is several here too.
#[derive(Debug, Default)]
pub(crate) struct AtomicU32 {
    turn: turns::atomic::AtomicBool,
    value: std::sync::atomic::AtomicU32,
}

impl AtomicU32 {
    fn in_turn(&self) -> &std::sync::atomic::AtomicU32 {
        if is_checked() {
            self.turn.load(Ordering::SeqCst);
        }
        &self.value
    }

    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.in_turn().load(order)
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.in_turn().store(value, order);
    }

    pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.in_turn().fetch_sub(value, order)
    }

    pub(crate) fn fetch_update(
        &self,
        set_order: Ordering,
        fetch_order: Ordering,
        mut change: impl FnMut(u32) -> Option<u32>,
    ) -> Result<u32, u32> {
        let mut current = self.load(fetch_order);
        while let Some(next) = change(current) {
            match self.in_turn().compare_exchange(current, next, set_order, fetch_order) {
                Ok(previous) => return Ok(previous),
                Err(changed) => current = changed,
            }
        }
        Err(current)
    }
}
