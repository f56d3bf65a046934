//! What the state machine is told.

use rushlight_model::request_id::RequestId;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The owner hands over an invocation.
    Invoke(RequestId),
    /// The runtime asks for the next event.
    Next,
    /// The runtime has done what comes before a snapshot, and asks to be told of the restore.
    RestoreNext,
    /// The owner needs an environment that was parked.
    Restore,
    /// The runtime begins to report that what follows a restore failed: refused early where [`Input::RestoreError`] would be.
    RestoreErrorBegins,
    /// The runtime reports that what follows a restore failed.
    RestoreError,
    /// The connection on which the runtime was waiting for an event has closed.
    NextGone,
    /// Every extension waits for an event.
    ExtensionsReady,
    /// The runtime begins to post an answer: nothing changes, but it is refused early where [`Input::Answer`] would
    /// be.
    AnswerBegins(RequestId, Answer),
    /// The runtime has posted an answer.
    Answer(RequestId, Answer),
    /// The runtime begins to report that its initialisation failed: refused early where [`Input::InitError`] would be.
    InitErrorBegins,
    /// The runtime reports that its initialisation failed.
    InitError,
    /// The runtime's process has ended, or could not be started.
    Failed,
    /// Time has passed.
    Tick,
    /// Every process of the environment is gone.
    Killed,
    /// The END and REPORT lines of the invocation are written.
    Finished,
    /// The owner lets the idle environment be frozen.
    Freeze,
    /// Frozen processes run again.
    Thawed,
    /// The environment shall end.
    Shutdown,
    /// The sandbox is gone.
    Destroyed,
}

/// The kind of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// `/response`.
    Response,
    /// `/error`.
    Error,
    /// `/response` that was not accepted (too large, cut short, of an unknown mode): the invocation has failed.
    Rejected,
}

/// The input is not allowed in this phase; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAllowed {
    /// The request id is not that of the invocation being served.
    InvalidRequestId,
    /// The runtime may not do this now. The names are those of AWS' runtime states, as error answers print them.
    Transition {
        /// The runtime's state.
        from: &'static str,
        /// The state that it asked for.
        to: &'static str,
    },
    /// An invocation is being served already.
    Busy,
    /// The environment is ending or has ended.
    Ended,
    /// An input that only the environment itself gives, at a time when it means nothing (for example a process that
    /// ends while all are being killed).
    Meaningless,
}
