//! A function's response on its way to whoever called, piece by piece.
//!
//! The function is never further ahead of its caller than a few pieces, and a caller who hangs up leaves it running.
//! A response that the runtime posts as a whole is one piece. See "Bandwidth limits for response streaming" in [Response
//! streaming for Lambda functions](https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html).

use std::future::poll_fn;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use rushlight_invoke::ResponseStream;
use rushlight_model::invocation::Outcome;
use rushlight_model::quota;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};

/// The pieces of one response, to be polled by whoever writes them.
#[derive(Debug)]
pub struct Pieces {
    /// To come before all else.
    held: Option<Bytes>,
    source: Source,
    pace: Pace,
}

#[derive(Debug)]
enum Source {
    /// Pieces come; the outcome is gone once it was seen to be good.
    Stream(mpsc::Receiver<Bytes>, Option<oneshot::Receiver<Outcome>>),
    /// All pieces have come.
    Ending(oneshot::Receiver<Outcome>),
    /// The response has ended, well or with this error.
    Ended(Option<Bytes>),
}

/// How a response comes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// As the runtime writes it, with the content type that the runtime has given it.
    Stream { content_type: Option<String> },
    /// As the runtime has posted it.
    Whole,
}

/// What a response consists of.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Some bytes.
    Bytes(Bytes),
    /// The end, with the error if it is a bad one: JSON, or empty if the server shuts down.
    End(Option<Bytes>),
}

impl Pieces {
    /// Waits until a response begins. Beyond 6 MB at most `bandwidth` bytes of it are let through in a second.
    pub(crate) async fn begin(
        stream: oneshot::Receiver<ResponseStream>,
        mut outcome: oneshot::Receiver<Outcome>,
        bandwidth: Option<NonZeroU64>,
    ) -> (Kind, Self) {
        let pace = Pace { bandwidth, passed: 0, due: None };
        tokio::select! {
            // A stream begins before it ends.
            biased;
            Ok(ResponseStream { content_type, pieces }) = stream => {
                let source = Source::Stream(pieces, Some(outcome));
                (Kind::Stream { content_type }, Self { held: None, source, pace })
            }
            outcome = &mut outcome => {
                let (held, error) = match outcome {
                    Ok(Outcome::Success(payload)) => (Some(payload), None),
                    Ok(Outcome::Error(error)) => (None, Some(error.payload)),
                    // The server shuts down.
                    Err(_) => (None, Some(Bytes::new())),
                };
                (Kind::Whole, Self { held, source: Source::Ended(error), pace })
            }
        }
    }

    /// The next piece. Not to be called after the end.
    pub(crate) async fn next(&mut self) -> Piece {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Lets `bytes` come next, of the piece that was next before.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        debug_assert!(self.held.is_none(), "one piece at a time");
        self.held = Some(bytes);
    }

    /// See [`Pieces::next`].
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Piece::Bytes(held));
        }
        ready!(self.pace.poll_due(context));
        loop {
            match &mut self.source {
                Source::Stream(pieces, outcome) => match pieces.poll_recv(context) {
                    Poll::Ready(Some(piece)) => {
                        self.pace.passed(piece.len());
                        return Poll::Ready(Piece::Bytes(piece));
                    }
                    Poll::Ready(None) => {
                        self.source = match outcome.take() {
                            Some(outcome) => Source::Ending(outcome),
                            None => Source::Ended(None),
                        }
                    }
                    // A failure ends the response although whoever writes it has not let go of it.
                    Poll::Pending => {
                        let Some(receiver) = outcome else { return Poll::Pending };
                        match ready!(poll_outcome(receiver, context)) {
                            None => *outcome = None,
                            error => self.source = Source::Ended(error),
                        }
                    }
                },
                Source::Ending(outcome) => {
                    self.source = Source::Ended(ready!(poll_outcome(outcome, context)));
                }
                Source::Ended(error) => return Poll::Ready(Piece::End(error.take())),
            }
        }
    }
}

/// The error that a response has ended with; none if it has ended well.
fn poll_outcome(outcome: &mut oneshot::Receiver<Outcome>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
    Poll::Ready(match ready!(Pin::new(outcome).poll(context)) {
        Ok(Outcome::Success(_)) => None,
        Ok(Outcome::Error(error)) => Some(error.payload),
        // The server shuts down.
        Err(_) => Some(Bytes::new()),
    })
}

/// How fast a large response may go.
#[derive(Debug)]
struct Pace {
    /// Bytes a second of what is beyond [`quota::UNCAPPED_STREAM_BYTES`]; if none, as fast as it can.
    bandwidth: Option<NonZeroU64>,
    /// Bytes so far.
    passed: u64,
    /// When more may pass.
    due: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.due.as_mut().map_or(Poll::Ready(()), |due| due.as_mut().poll(context))
    }

    /// To be called when it is due.
    fn passed(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.passed += bytes;
        let Some(bandwidth) = self.bandwidth else { return };
        let capped = self.passed.saturating_sub(quota::UNCAPPED_STREAM_BYTES).min(bytes);
        if capped == 0 {
            return;
        }
        let wait = Duration::from_nanos(capped.saturating_mul(1_000_000_000) / bandwidth);
        match &mut self.due {
            // From when it was due, not from now: else each wake-up that comes late would slow the response.
            Some(due) => {
                let next = (due.deadline() + wait).max(Instant::now());
                due.as_mut().reset(next);
            }
            None => self.due = Some(Box::pin(tokio::time::sleep(wait))),
        }
    }
}
