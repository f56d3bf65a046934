//! An invocation as whoever asked for it sees it.

use bytes::Bytes;
use rushlight_model::invocation::{Outcome, Report};
use tokio::sync::{mpsc, oneshot};

/// An invocation on its way. It belongs to the environment: dropping this cancels nothing.
#[derive(Debug)]
pub struct Running {
    /// What the caller is to be served with, as soon as it is known. Where [`Running::stream`] has begun, only whether
    /// it has ended well.
    pub response: oneshot::Receiver<Outcome>,
    /// The response piece by piece, if the runtime sends it so and it was [wanted](Wanted::stream); closed without a
    /// value otherwise.
    pub stream: oneshot::Receiver<ResponseStream>,
    /// The end of the phase, when the log lines are written. Closed without a value only if the environment was torn
    /// down before the invocation began.
    pub finished: oneshot::Receiver<Finished>,
}

/// What a caller wants beside the response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The last 4 KB of the log.
    pub log_tail: bool,
    /// The response as it comes, if the runtime sends it piece by piece.
    pub stream: bool,
}

/// A response on its way.
#[derive(Debug)]
pub struct ResponseStream {
    /// As the runtime gave it.
    pub content_type: Option<String>,
    /// What the function has written. It waits for whoever reads; dropping this lets it run on unread. The end comes
    /// before that of [`Running::response`].
    pub pieces: mpsc::Receiver<Bytes>,
}

/// The end of an invocation.
#[derive(Debug)]
pub struct Finished {
    /// The figures.
    pub report: Report,
    /// The last 4 KB of the log, if they were asked for.
    pub log_tail: Option<Bytes>,
}

/// The environment could not be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRestored {
    /// Not within its limit.
    #[error("the execution environment was not restored within the limit")]
    TimedOut,
    /// Its runtime has failed, or it has ended.
    #[error("the execution environment could not be restored")]
    Failed,
}

/// The environment does not take the invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAvailable {
    /// It serves another one.
    #[error("the execution environment is serving another invocation")]
    Busy,
    /// It ends or has ended.
    #[error("the execution environment has ended")]
    Ended,
}
