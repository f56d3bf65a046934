//! An environment without processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::parked::InitFailure;
use crate::pool::Member;
use crate::provisioned::Prepared;

/// An environment that refuses what environments refuse, and fails the check when it is used as none may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fake(Arc<Behind>);

#[derive(Debug, Default)]
struct Behind {
    serves: AtomicBool,
    initialized: AtomicBool,
    ended: AtomicBool,
    retired: AtomicUsize,
}

impl Fake {
    /// Whether it takes the invocation; it does not once it has ended.
    pub(crate) fn invoke(&self) -> bool {
        let ended = self.0.ended.load(Ordering::SeqCst);
        assert!(ended || self.retired() == 0, "retired before it was assigned");
        assert!(ended || !self.0.serves.swap(true, Ordering::SeqCst), "assigned to two invocations");
        !ended
    }

    pub(crate) fn finish(&self) {
        self.0.serves.store(false, Ordering::SeqCst);
    }

    pub(crate) fn initialize(&self) {
        self.0.initialized.store(true, Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }

    pub(crate) fn retired(&self) -> usize {
        self.0.retired.load(Ordering::SeqCst)
    }
}

impl Member for Fake {
    fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn retire(&self) {
        self.0.retired.fetch_add(1, Ordering::SeqCst);
    }
}

impl Prepared for Fake {
    fn is_initialized(&self) -> bool {
        self.0.initialized.load(Ordering::SeqCst)
    }

    fn is_ended(&self) -> bool {
        self.0.ended.load(Ordering::SeqCst)
    }

    fn init_failure(&self) -> InitFailure {
        InitFailure::TimedOut
    }
}
