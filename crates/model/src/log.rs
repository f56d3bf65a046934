//! Log events on their way from an environment to wherever logs are kept.

use std::sync::Arc;

use bytes::Bytes;

/// One log stream of one log group. Shared by every event of an execution environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogStream {
    /// Twelve digits.
    pub account: String,
    /// E.g. `eu-west-1`.
    pub region: String,
    /// E.g. `/aws/lambda/hello`.
    pub group: String,
    /// E.g. `2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef`.
    pub stream: String,
}

/// One log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The text as the function or the platform wrote it, without a final newline. Need not be UTF-8.
    pub message: Bytes,
}

/// Takes log events. Implementations are bounded and never block: what cannot be kept is dropped, counted and
/// reported in the stream itself.
pub trait LogSink: Send + Sync {
    /// Hands over one event. Group and stream come into being with their first event.
    fn push(&self, stream: &Arc<LogStream>, event: LogEvent);
}
