//! The life of an execution environment as a pure state machine: what may happen in which phase, and what then has
//! to be done. It reads no clock, touches no process and holds no payload; [`Machine::step`] is told the time and
//! returns [`Effect`]s. What is not written here is refused.
//!
//! ```text
//!                        start
//!                          │ Spawn
//!                          v
//!        next     ┌──────────────────┐  init/error, exit, limit
//!      ┌──────────┤   Initializing   ├───────────────┐ Kill
//!      │          └──────────────────┘               │
//!      v                ^    │ next, an invocation   v
//!  ┌────────┐   Spawn   │    │ is pending      ┌───────────┐
//!  │  Idle  │<──┐       │    │                 │ Resetting │<──── exit while idle
//!  └┬──┬──^─┘   │       │    v                 └─┬──┬────^─┘
//!   │  │  │     │       │ ┌──────────┐  exit,    │  │    │
//!   │  │invoke──┼───────┼>│ Invoking ├──timeout──┼──┼────┘
//!   │  │        │       │ └────┬─────┘  Kill     │  │ killed, an invocation has failed
//! freeze        │       │      │ answered, next  │  │
//!   │  │        │       │      v                 │  v
//!   v  │  ┌─────┴─────────────────┐              │ (Finishing: END and REPORT are written,
//!  ┌───┴────┐ Finishing ──────────┼── no process─┼> then Idle or Stopped)
//!  │ Frozen │                     │              │
//!  └───┬────┘                     │              │ killed, no invocation
//!      │ invoke                   v              v
//!      v                     ┌─────────┐   ┌─────────┐
//!  ┌─────────┐ thawed        │ Stopped │<──┤         │   invoke: Initializing again, under the
//!  │ Thawing ├──> Invoking   └────┬────┘   └─────────┘   function's timeout ("suppressed init");
//!  └─────────┘                    └──> Initializing      /tmp was kept
//!
//!  shutdown, from anywhere: Ending ──destroyed──> (Finishing) ──> Ended
//! ```
//! Environments of functions with SnapStart stop between initialisation and the first event, until one is needed:
//! ```text
//!                restore/next                restore             next
//!  Initializing ──────────────> Parked ──────────────> Restoring ────> Idle
//!                               (frozen)                   │ exit, restore/error, limit
//!                                                          └──> Ending
//! ```
//! Extensions, if there are any, have to be ready too before an initialisation or an invocation is over: until then the
//! runtime that has asked for its next event waits for them.
//!
//! Documentation followed: "Understanding the Lambda execution environment lifecycle" in the AWS Lambda developer
//! guide.

mod effect;
mod input;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rushlight_model::clock::Moment;
use rushlight_model::request_id::RequestId;

pub use self::effect::{Delivery, Effect, Effects, InitPhase, Reason, Restored, Status, Summary};
pub use self::input::{Answer, Input, NotAllowed};
use crate::config::Initialization;

/// The limit of an init phase on demand.
pub const INIT_LIMIT: Duration = Duration::from_secs(10);
/// The least limit of an init phase ahead of any invocation.
const EARLY_INIT_LIMIT: Duration = Duration::from_secs(130);
/// The limit of a restore, with all that the runtime does after it.
const RESTORE_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `since` and `deadline` are those of the init phase, or of the invocation that the initialisation is part of.
    Initializing {
        phase: InitPhase,
        since: Moment,
        deadline: Moment,
        pending: bool,
        /// The runtime's request for an event is open, and the extensions are not ready.
        waiting: bool,
    },
    /// Initialised and frozen.
    Parked {
        at: Stop,
    },
    /// It is needed. `resumed`: since when its processes run again.
    Restoring {
        since: Moment,
        at: Stop,
        resumed: Option<Moment>,
    },
    /// `waiting`: the runtime's request for an event is open.
    Idle {
        waiting: bool,
    },
    Frozen {
        waiting: bool,
    },
    Thawing {
        waiting: bool,
    },
    Invoking {
        since: Moment,
        deadline: Moment,
        progress: Progress,
    },
    /// `pending`: an invocation arrived meanwhile, or the failure was that of the init phase before it.
    Resetting {
        ending: Option<Summary>,
        pending: bool,
        tell_owner: bool,
    },
    Finishing {
        then: Then,
    },
    Stopped,
    Ending {
        ending: Option<Summary>,
    },
    Ended,
}

/// Where a runtime stands that was initialised ahead of any invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It asked to be told of the restore.
    Restore,
    /// It knows nothing of snapshots, and asks for its first event.
    Next,
}

/// How far an invocation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The runtime has not asked for it yet.
    Waiting,
    /// The runtime has it.
    Running,
    /// The caller was served.
    Answered { failed: bool },
    /// The runtime is done as well, the extensions are not. `waiting`: its request for an event is open.
    Extensions { failed: bool, waiting: bool },
}

impl Progress {
    fn is_answered(self) -> bool {
        matches!(self, Self::Answered { .. } | Self::Extensions { .. })
    }
}

/// What follows when an invocation's lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Idle { waiting: bool },
    Reset,
    Stopped,
    End,
    Ended,
}

/// The state of one environment.
#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    timeout: Duration,
    initialization: Initialization,
    /// The invocation that the runtime may answer, or that waits for the runtime.
    current: Option<RequestId>,
    /// Time of a successful init phase until a report has named it.
    init_duration: Option<Duration>,
    /// Time of a restore until a report has named it.
    restored: Option<Restored>,
    initialized: bool,
    /// There has been an invocation.
    invoked: bool,
    /// Every extension waits for an event; so it is if there is none.
    extensions_ready: bool,
    /// What the runtime waits for while extensions initialise is the restore.
    stops_at_restore: bool,
}

impl Machine {
    /// A machine whose first effect, [`Effect::Spawn`], the caller carries out.
    #[must_use]
    pub fn new(now: Moment, timeout: Duration, initialization: Initialization) -> Self {
        let limit = match initialization {
            Initialization::OnDemand => INIT_LIMIT,
            Initialization::ProvisionedConcurrency | Initialization::SnapStart => {
                EARLY_INIT_LIMIT.max(timeout)
            }
        };
        Self {
            phase: Phase::Initializing {
                phase: InitPhase::Init,
                since: now,
                deadline: now + limit,
                pending: false,
                waiting: false,
            },
            timeout,
            initialization,
            current: None,
            init_duration: None,
            restored: None,
            initialized: false,
            invoked: false,
            extensions_ready: true,
            stops_at_restore: false,
        }
    }

    /// Extensions are about to be started, or have been told something: they are ready when
    /// [`Input::ExtensionsReady`] says so.
    pub fn extensions_are_busy(&mut self) {
        self.extensions_ready = false;
    }

    /// The processes are about to be started, and no extensions are among them.
    pub fn has_no_extensions(&mut self) {
        self.extensions_ready = true;
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.phase {
            Phase::Initializing { deadline, .. } | Phase::Invoking { deadline, .. } => Some(deadline),
            Phase::Restoring { since, .. } => Some(since + RESTORE_LIMIT),
            _ => None,
        }
    }

    /// Where the initialisation runs, if one does.
    #[must_use]
    pub fn init_phase(&self) -> Option<InitPhase> {
        match self.phase {
            Phase::Initializing { phase, .. } => Some(phase),
            _ => None,
        }
    }

    /// Whether a restore is under way.
    #[must_use]
    pub fn restores(&self) -> bool {
        matches!(self.phase, Phase::Restoring { .. })
    }

    /// Whether an initialisation has ever succeeded.
    #[must_use]
    pub fn initialized(&self) -> bool {
        self.initialized
    }

    /// Whether nothing will ever happen again.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Takes one input.
    ///
    /// # Errors
    /// [`NotAllowed`] if the phase does not allow it; the machine is then unchanged.
    pub fn step(&mut self, now: Moment, input: Input) -> Result<Effects, NotAllowed> {
        match input {
            Input::Invoke(id) => self.invoke(now, id),
            Input::Next => self.next(now),
            Input::NextGone => self.next_gone(),
            Input::ExtensionsReady => self.extensions_ready(now),
            Input::AnswerBegins(id, answer) => self.check_answer(id, answer).map(|_| Effects::default()),
            Input::Answer(id, answer) => self.answer(id, answer),
            Input::InitErrorBegins => match self.phase {
                Phase::Initializing { .. } => Ok(Effects::default()),
                _ => Err(self.refuse("InitError")),
            },
            Input::InitError => match self.phase {
                Phase::Initializing { .. } => self.failed(now),
                _ => Err(self.refuse("InitError")),
            },
            Input::RestoreNext => self.restore_next(now),
            Input::RestoreErrorBegins | Input::RestoreError => match self.phase {
                Phase::Restoring { resumed: Some(_), .. } if input == Input::RestoreError => {
                    self.not_restored(now, Status::Error)
                }
                Phase::Restoring { resumed: Some(_), .. } => Ok(Effects::default()),
                _ => Err(self.refuse("RestoreError")),
            },
            Input::Restore => match self.phase {
                Phase::Parked { at } => {
                    let phase = Phase::Restoring { since: now, at, resumed: None };
                    self.enter(phase, [Effect::LogRestoreStart, Effect::Thaw])
                }
                Phase::Ending { .. } | Phase::Ended => Err(NotAllowed::Ended),
                _ => Err(NotAllowed::Meaningless),
            },
            Input::Failed => self.failed(now),
            Input::Tick => self.tick(now),
            Input::Killed => self.killed(now),
            Input::Finished => self.finished(),
            Input::Freeze => match self.phase {
                Phase::Idle { waiting } => self.enter(Phase::Frozen { waiting }, [Effect::Freeze]),
                _ => Err(NotAllowed::Meaningless),
            },
            Input::Thawed => match self.phase {
                Phase::Thawing { waiting } => self.begin(now, waiting),
                Phase::Restoring { since, at: Stop::Restore, .. } => {
                    let phase = Phase::Restoring { since, at: Stop::Restore, resumed: Some(now) };
                    self.enter(phase, [Effect::Resume])
                }
                Phase::Restoring { since, at: Stop::Next, .. } => self.restored(now, since, now),
                _ => Err(NotAllowed::Meaningless),
            },
            Input::Shutdown => self.shutdown(now),
            Input::Destroyed => match self.phase {
                Phase::Ending { ending: Some(summary) } => {
                    self.enter(Phase::Finishing { then: Then::Ended }, [Effect::Finish(summary)])
                }
                Phase::Ending { ending: None } => self.enter(Phase::Ended, [Effect::TellEnded]),
                _ => Err(NotAllowed::Meaningless),
            },
        }
    }

    fn enter<const N: usize>(&mut self, phase: Phase, effects: [Effect; N]) -> Result<Effects, NotAllowed> {
        self.phase = phase;
        Ok(Effects::of(effects))
    }

    fn invoke(&mut self, now: Moment, id: RequestId) -> Result<Effects, NotAllowed> {
        let is_snapshot = self.is_snapshot();
        let effects = match &mut self.phase {
            // It stops before its first event.
            Phase::Initializing { phase: InitPhase::Init, .. } if is_snapshot => Err(NotAllowed::Busy),
            Phase::Initializing { pending, .. } | Phase::Resetting { ending: None, pending, .. }
                if !*pending =>
            {
                *pending = true;
                Ok(Effects::default())
            }
            Phase::Idle { waiting } => {
                let waiting = *waiting;
                self.begin(now, waiting)
            }
            Phase::Frozen { waiting } => {
                let waiting = *waiting;
                self.enter(Phase::Thawing { waiting }, [Effect::Thaw])
            }
            Phase::Stopped => self.initialize_again(now),
            Phase::Ending { .. } | Phase::Ended => Err(NotAllowed::Ended),
            _ => Err(NotAllowed::Busy),
        };
        if effects.is_ok() {
            self.invoked = true;
            self.current = Some(id);
        }
        effects
    }

    /// The invocation's time begins.
    fn begin(&mut self, now: Moment, waiting: bool) -> Result<Effects, NotAllowed> {
        let deadline = now + self.timeout;
        if waiting {
            let progress = Progress::Running;
            self.enter(
                Phase::Invoking { since: now, deadline, progress },
                [Effect::LogStart, Effect::HandOver],
            )
        } else {
            let progress = Progress::Waiting;
            self.enter(Phase::Invoking { since: now, deadline, progress }, [])
        }
    }

    fn initialize_again(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        self.enter(
            Phase::Initializing {
                phase: InitPhase::Invoke,
                since: now,
                deadline: now + self.timeout,
                pending: true,
                waiting: false,
            },
            [Effect::Spawn],
        )
    }

    fn next(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        if !self.extensions_ready {
            match &mut self.phase {
                Phase::Initializing { waiting, .. }
                | Phase::Invoking { progress: Progress::Extensions { waiting, .. }, .. } => {
                    *waiting = true;
                    return Ok(Effects::default());
                }
                Phase::Invoking { progress, .. } => {
                    if let Progress::Answered { failed } = *progress {
                        *progress = Progress::Extensions { failed, waiting: true };
                        let status = if failed { Status::Error } else { Status::Success };
                        return Ok(Effects::of([Effect::RuntimeDone(status)]));
                    }
                }
                _ => {}
            }
        }
        match self.phase {
            Phase::Initializing { phase: InitPhase::Init, since, .. } if self.is_snapshot() => {
                self.park(now, since, Stop::Next)
            }
            Phase::Restoring { since, resumed: Some(resumed), .. } => self.restored(now, since, resumed),
            Phase::Initializing { phase: InitPhase::Init, since, pending, .. } => {
                let duration = now.since(since);
                self.initialized = true;
                let status = Status::Success;
                let report =
                    Effects::of([Effect::LogInitReport { phase: InitPhase::Init, duration, status }]);
                if self.initialization == Initialization::OnDemand {
                    self.init_duration = Some(duration);
                }
                if pending {
                    self.begin(now, true)?;
                    Ok(report.and(Effect::LogStart).and(Effect::HandOver))
                } else {
                    self.phase = Phase::Idle { waiting: true };
                    Ok(report.and(Effect::TellReady))
                }
            }
            Phase::Initializing { phase: InitPhase::Invoke, since, deadline, .. } => {
                self.initialized = true;
                let progress = Progress::Running;
                let (phase, status) = (InitPhase::Invoke, Status::Success);
                let report = Effect::LogInitReport { phase, duration: now.since(since), status };
                self.enter(
                    Phase::Invoking { since, deadline, progress },
                    [report, Effect::LogStart, Effect::HandOver],
                )
            }
            Phase::Invoking { since, deadline, progress: Progress::Waiting } => {
                let progress = Progress::Running;
                self.enter(
                    Phase::Invoking { since, deadline, progress },
                    [Effect::LogStart, Effect::HandOver],
                )
            }
            Phase::Invoking { since, progress: Progress::Answered { failed }, .. } => {
                self.finish_invocation(now, since, failed, true)
            }
            Phase::Idle { .. } => self.enter(Phase::Idle { waiting: true }, []),
            Phase::Frozen { .. } => self.enter(Phase::Frozen { waiting: true }, []),
            Phase::Thawing { .. } => self.enter(Phase::Thawing { waiting: true }, []),
            Phase::Finishing { then: Then::Idle { .. } } => {
                let then = Then::Idle { waiting: true };
                self.enter(Phase::Finishing { then }, [])
            }
            _ => Err(self.refuse("Ready")),
        }
    }

    fn is_snapshot(&self) -> bool {
        self.initialization == Initialization::SnapStart
    }

    /// The runtime has done what comes before a snapshot.
    fn restore_next(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        if !self.is_snapshot() {
            return Err(self.refuse("RestoreReady"));
        }
        match &mut self.phase {
            Phase::Initializing { phase: InitPhase::Init, since, waiting, .. } => {
                if self.extensions_ready {
                    let since = *since;
                    return self.park(now, since, Stop::Restore);
                }
                *waiting = true;
                self.stops_at_restore = true;
                Ok(Effects::default())
            }
            // It was started anew after a failure, or asks again: there is nothing to wait for.
            Phase::Initializing { .. } | Phase::Restoring { resumed: Some(_), .. } => {
                Ok(Effects::of([Effect::Resume]))
            }
            Phase::Parked { at: Stop::Restore } | Phase::Restoring { at: Stop::Restore, .. } => {
                Ok(Effects::default())
            }
            _ => Err(self.refuse("RestoreReady")),
        }
    }

    /// Initialised ahead of any invocation: frozen until one needs it.
    fn park(&mut self, now: Moment, since: Moment, at: Stop) -> Result<Effects, NotAllowed> {
        self.initialized = true;
        let (phase, duration, status) = (InitPhase::Init, now.since(since), Status::Success);
        let report = Effect::LogInitReport { phase, duration, status };
        self.enter(Phase::Parked { at }, [report, Effect::Freeze, Effect::TellReady])
    }

    fn restored(&mut self, now: Moment, since: Moment, resumed: Moment) -> Result<Effects, NotAllowed> {
        let restored = Restored { duration: now.since(since), billed: now.since(resumed) };
        self.restored = Some(restored);
        let (duration, status) = (restored.duration, Status::Success);
        let report = Effect::LogRestoreReport { duration, status };
        self.enter(Phase::Idle { waiting: true }, [report, Effect::TellRestored(status)])
    }

    /// What cannot be restored is of no use.
    fn not_restored(&mut self, now: Moment, status: Status) -> Result<Effects, NotAllowed> {
        let Phase::Restoring { since, .. } = self.phase else { return Err(NotAllowed::Meaningless) };
        let report = Effect::LogRestoreReport { duration: now.since(since), status };
        let phase = Phase::Ending { ending: None };
        self.enter(phase, [report, Effect::TellRestored(status), Effect::Destroy])
    }

    /// The invocation is over: everyone is done.
    fn finish_invocation(
        &mut self,
        now: Moment,
        since: Moment,
        failed: bool,
        waiting: bool,
    ) -> Result<Effects, NotAllowed> {
        let status = if failed { Status::Error } else { Status::Success };
        let summary = self.summary(now, since, status);
        self.current = None;
        self.enter(Phase::Finishing { then: Then::Idle { waiting } }, [Effect::Finish(summary)])
    }

    /// The runtime may have waited for this.
    fn extensions_ready(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        self.extensions_ready = true;
        match self.phase {
            Phase::Initializing { waiting: true, .. } if self.stops_at_restore => self.restore_next(now),
            Phase::Initializing { waiting: true, .. } => self.next(now),
            Phase::Invoking { since, progress: Progress::Extensions { failed, waiting }, .. } => {
                self.finish_invocation(now, since, failed, waiting)
            }
            _ => Ok(Effects::default()),
        }
    }

    fn next_gone(&mut self) -> Result<Effects, NotAllowed> {
        match &mut self.phase {
            Phase::Initializing { waiting, .. }
            | Phase::Invoking { progress: Progress::Extensions { waiting, .. }, .. }
            | Phase::Idle { waiting }
            | Phase::Frozen { waiting }
            | Phase::Thawing { waiting }
            | Phase::Finishing { then: Then::Idle { waiting } } => {
                *waiting = false;
                Ok(Effects::default())
            }
            _ => Err(NotAllowed::Meaningless),
        }
    }

    fn check_answer(&self, id: RequestId, answer: Answer) -> Result<(Moment, Moment), NotAllowed> {
        match self.phase {
            _ if self.current != Some(id) => Err(NotAllowed::InvalidRequestId),
            Phase::Invoking { since, deadline, progress: Progress::Running } => Ok((since, deadline)),
            Phase::Invoking { progress: Progress::Answered { .. }, .. } => Err(self.refuse(match answer {
                Answer::Response | Answer::Rejected => "InvocationResponse",
                Answer::Error => "InvocationErrorResponse",
            })),
            // The event has not been handed over: the runtime cannot know this id.
            _ => Err(NotAllowed::InvalidRequestId),
        }
    }

    fn answer(&mut self, id: RequestId, answer: Answer) -> Result<Effects, NotAllowed> {
        let (since, deadline) = self.check_answer(id, answer)?;
        let failed = answer == Answer::Rejected;
        let progress = Progress::Answered { failed };
        self.enter(Phase::Invoking { since, deadline, progress }, [Effect::Deliver(Delivery::Answer)])
    }

    fn failed(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        match self.phase {
            Phase::Initializing { .. } | Phase::Invoking { .. } => self.reset(now, Status::Error),
            Phase::Idle { .. } | Phase::Frozen { .. } => {
                let phase = Phase::Resetting { ending: None, pending: false, tell_owner: false };
                self.enter(phase, [Effect::Kill(Reason::Failure)])
            }
            Phase::Parked { .. } => self.enter(Phase::Ending { ending: None }, [Effect::Destroy]),
            Phase::Restoring { .. } => self.not_restored(now, Status::Error),
            Phase::Thawing { .. } => {
                let phase = Phase::Resetting { ending: None, pending: true, tell_owner: false };
                self.enter(phase, [Effect::Kill(Reason::Failure)])
            }
            Phase::Finishing { then: Then::Idle { .. } } => {
                self.enter(Phase::Finishing { then: Then::Reset }, [])
            }
            _ => Err(NotAllowed::Meaningless),
        }
    }

    fn tick(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        match self.deadline() {
            Some(deadline) if now >= deadline && matches!(self.phase, Phase::Restoring { .. }) => {
                self.not_restored(now, Status::Timeout)
            }
            Some(deadline) if now >= deadline => self.reset(now, Status::Timeout),
            _ => Err(NotAllowed::Meaningless),
        }
    }

    /// An init or invoke phase has failed: all processes go, `/tmp` stays.
    fn reset(&mut self, now: Moment, status: Status) -> Result<Effects, NotAllowed> {
        let (delivery, reason) = match status {
            Status::Timeout => (Delivery::Timeout, Reason::Timeout),
            Status::Success | Status::Error => (Delivery::Failure, Reason::Failure),
        };
        match self.phase {
            Phase::Initializing { phase: InitPhase::Init, since, pending, .. } => {
                let phase = InitPhase::Init;
                let duration = now.since(since);
                self.enter(
                    Phase::Resetting { ending: None, pending, tell_owner: !pending },
                    [Effect::LogInitReport { phase, duration, status }, Effect::Kill(reason)],
                )
            }
            Phase::Initializing { phase: InitPhase::Invoke, since, .. } => {
                let summary = self.summary(now, since, status);
                self.current = None;
                let phase = InitPhase::Invoke;
                let duration = summary.duration;
                self.enter(
                    Phase::Resetting { ending: Some(summary), pending: false, tell_owner: true },
                    [
                        Effect::LogInitReport { phase, duration, status },
                        Effect::LogStart,
                        Effect::Deliver(delivery),
                        Effect::Kill(reason),
                    ],
                )
            }
            Phase::Invoking { since, progress, .. } => {
                let summary = self.summary(now, since, status);
                self.current = None;
                self.phase = Phase::Resetting { ending: Some(summary), pending: false, tell_owner: true };
                Ok(Effects::default()
                    .and_if(progress == Progress::Waiting, Effect::LogStart)
                    .and_if(!progress.is_answered(), Effect::Deliver(delivery))
                    .and(Effect::Kill(reason)))
            }
            _ => Err(NotAllowed::Meaningless),
        }
    }

    fn killed(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        match self.phase {
            Phase::Resetting { ending: Some(summary), .. } => {
                self.enter(Phase::Finishing { then: Then::Stopped }, [Effect::Finish(summary)])
            }
            Phase::Resetting { ending: None, pending: true, .. } => self.initialize_again(now),
            Phase::Resetting { ending: None, pending: false, tell_owner } => {
                self.phase = Phase::Stopped;
                let effect = if self.invoked { Effect::TellIdle } else { Effect::TellReady };
                Ok(Effects::default().and_if(tell_owner, effect))
            }
            _ => Err(NotAllowed::Meaningless),
        }
    }

    fn finished(&mut self) -> Result<Effects, NotAllowed> {
        let Phase::Finishing { then } = self.phase else {
            return Err(NotAllowed::Meaningless);
        };
        match then {
            Then::Idle { waiting } => self.enter(Phase::Idle { waiting }, [Effect::TellIdle]),
            Then::Stopped => self.enter(Phase::Stopped, [Effect::TellIdle]),
            Then::Reset => {
                let phase = Phase::Resetting { ending: None, pending: false, tell_owner: true };
                self.enter(phase, [Effect::Kill(Reason::Failure)])
            }
            Then::End => self.enter(Phase::Ending { ending: None }, [Effect::Destroy]),
            Then::Ended => self.enter(Phase::Ended, [Effect::TellEnded]),
        }
    }

    fn shutdown(&mut self, now: Moment) -> Result<Effects, NotAllowed> {
        let cut = Effect::Deliver(Delivery::Cut);
        match self.phase {
            Phase::Ending { .. } | Phase::Ended => Err(NotAllowed::Ended),
            Phase::Finishing { then: Then::End | Then::Ended } => Err(NotAllowed::Ended),
            Phase::Finishing { .. } => self.enter(Phase::Finishing { then: Then::End }, []),
            Phase::Resetting { ending, pending: false, .. } => {
                self.enter(Phase::Ending { ending }, [Effect::Destroy])
            }
            Phase::Invoking { since, progress, .. } => {
                let ending = Some(self.summary(now, since, Status::Error));
                self.current = None;
                self.phase = Phase::Ending { ending };
                Ok(Effects::default()
                    .and_if(progress == Progress::Waiting, Effect::LogStart)
                    .and_if(!progress.is_answered(), cut)
                    .and(Effect::Destroy))
            }
            Phase::Initializing { pending: true, .. }
            | Phase::Resetting { pending: true, .. }
            | Phase::Thawing { .. } => {
                let ending = Some(self.summary(now, now, Status::Error));
                self.current = None;
                self.enter(Phase::Ending { ending }, [Effect::LogStart, cut, Effect::Destroy])
            }
            Phase::Restoring { .. } => self.not_restored(now, Status::Error),
            Phase::Initializing { .. }
            | Phase::Parked { .. }
            | Phase::Idle { .. }
            | Phase::Frozen { .. }
            | Phase::Stopped => self.enter(Phase::Ending { ending: None }, [Effect::Destroy]),
        }
    }

    fn summary(&mut self, now: Moment, since: Moment, status: Status) -> Summary {
        Summary {
            status,
            duration: now.since(since),
            init_duration: self.init_duration.take(),
            restored: self.restored.take(),
        }
    }

    fn refuse(&self, to: &'static str) -> NotAllowed {
        NotAllowed::Transition { from: self.runtime_state(), to }
    }

    /// AWS' name of the state that the runtime is in.
    fn runtime_state(&self) -> &'static str {
        match self.phase {
            Phase::Initializing { .. } => "Started",
            Phase::Parked { .. } | Phase::Restoring { .. } => "RestoreReady",
            Phase::Resetting { ending: None, .. } => "InitError",
            Phase::Invoking { progress: Progress::Running, .. } => "Running",
            Phase::Invoking { progress: Progress::Answered { .. }, .. } => "RuntimeResponseSentState",
            _ => "Ready",
        }
    }
}
