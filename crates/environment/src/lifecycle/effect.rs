//! What the state machine has done, and in what words it tells of how things ended.

use std::time::Duration;

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Start the processes: those of the extensions, and that of the runtime.
    Spawn,
    /// End every process, then report [`Input::Killed`].
    Kill(Reason),
    /// Say that an initialisation is over; the INIT_REPORT line.
    LogInitReport {
        /// Where the initialisation ran.
        phase: InitPhase,
        /// How long it took.
        duration: Duration,
        /// How it ended.
        status: Status,
    },
    /// Say that a restore begins; the RESTORE_START line.
    LogRestoreStart,
    /// Let the runtime know that it was restored.
    Resume,
    /// Say that a restore is over; the RESTORE_REPORT line.
    LogRestoreReport {
        /// How long it took.
        duration: Duration,
        /// How it ended.
        status: Status,
    },
    /// Tell whoever asked for the restore.
    TellRestored(Status),
    /// Write the START line.
    LogStart,
    /// Give the event to the waiting runtime.
    HandOver,
    /// Serve the caller.
    Deliver(Delivery),
    /// Say that the runtime is done with the invocation, which goes on with the extensions. Where everything ends
    /// with the runtime this goes without saying.
    RuntimeDone(Status),
    /// Write END and REPORT, then report [`Input::Finished`].
    Finish(Summary),
    /// Tell the owner that an invocation can be taken.
    TellIdle,
    /// The same, before there was any invocation: of interest where nobody has one at hand.
    TellReady,
    /// Tell the owner that none will ever be taken.
    TellEnded,
    /// Freeze the processes.
    Freeze,
    /// Thaw the processes, then report [`Input::Thawed`].
    Thaw,
    /// Destroy the sandbox, then report [`Input::Destroyed`].
    Destroy,
}

/// Why processes end, as extensions are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A limit has passed.
    Timeout,
    /// The runtime or an extension has failed.
    Failure,
    /// The environment is not needed any more.
    Spindown,
}

impl Reason {
    /// AWS' name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Failure => "failure",
            Self::Spindown => "spindown",
        }
    }
}

/// What the caller is served with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// What the runtime posted.
    Answer,
    /// The function's timeout.
    Timeout,
    /// The failure of the runtime that was last noticed.
    Failure,
    /// The environment was shut down under the invocation.
    Cut,
}

/// Where an initialisation ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitPhase {
    /// Before any invocation, under the init limit.
    Init,
    /// Within an invocation, under the function's timeout.
    Invoke,
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As it should.
    Success,
    /// Its limit passed.
    Timeout,
    /// The runtime failed.
    Error,
}

/// The figures of a finished invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How it ended.
    pub status: Status,
    /// Time of the invoke phase.
    pub duration: Duration,
    /// Time of the init phase, the first time it is reported.
    pub init_duration: Option<Duration>,
    /// The restore, the first time it is reported.
    pub restored: Option<Restored>,
}

/// The figures of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// From when it was asked for until the runtime was ready.
    pub duration: Duration,
    /// The part of it in which the runtime ran.
    pub billed: Duration,
}

/// At most this many effects follow from one input.
const MOST_EFFECTS: usize = 4;

/// Effects in the order in which they have to be carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effects([Option<Effect>; MOST_EFFECTS]);

impl Effects {
    pub(super) fn of<const N: usize>(effects: [Effect; N]) -> Self {
        let mut all = [None; MOST_EFFECTS];
        for (slot, effect) in all.iter_mut().zip(effects) {
            *slot = Some(effect);
        }
        Self(all)
    }

    pub(super) fn and(mut self, effect: Effect) -> Self {
        if let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(effect);
        }
        self
    }

    pub(super) fn and_if(self, condition: bool, effect: Effect) -> Self {
        if condition { self.and(effect) } else { self }
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Effect>, MOST_EFFECTS>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}
