//! Which invocations are traced.
//!
//! Whoever passes a trace header on has decided already. Where nobody has, a function with active tracing samples the
//! first request of each second and five percent of the others; see "Visualize Lambda function invocations using AWS
//! X-Ray" in the AWS Lambda developer guide. All else is not sampled.

use std::sync::atomic::{AtomicI64, Ordering};

use rushlight_model::clock::{Clock, Timestamp};
use rushlight_model::function::TracingMode;
use rushlight_model::invocation::Invocation;
use rushlight_model::trace::{self, Segments};

use crate::function::draw;

/// Of the requests beyond the first of a second.
const SHARE: f64 = 0.05;

/// Decides for one function.
#[derive(Debug)]
pub(crate) struct Sampler {
    mode: TracingMode,
    /// The last second that a request was sampled in as its first.
    second: AtomicI64,
}

impl Sampler {
    pub(crate) fn new(mode: TracingMode) -> Self {
        Self { mode, second: AtomicI64::new(i64::MIN) }
    }

    /// Writes the decision into the invocation's trace header, begins its segments if there are to be any, and returns
    /// whether the trace is sampled.
    pub(crate) fn trace(&self, invocation: &mut Invocation, clock: &Clock) -> bool {
        let Some(header) = &mut invocation.trace_header else { return false };
        let decided = trace::decision(header);
        let sampled = match (decided, self.mode) {
            (Some(sampled), _) => sampled,
            (None, TracingMode::Active) => self.decide(clock.now(), draw),
            (None, TracingMode::PassThrough) => false,
        };
        if sampled && self.mode == TracingMode::Active {
            let segments = Segments::begin(header, clock.now());
            trace::decide(header, sampled, Some(&segments.function));
            invocation.segments = Some(Box::new(segments));
        } else if decided.is_none() {
            trace::decide(header, sampled, None);
        }
        sampled
    }

    fn decide(&self, now: Timestamp, draw: impl FnOnce() -> f64) -> bool {
        let second = now.as_seconds();
        let is_first = self.second.fetch_max(second, Ordering::Relaxed) < second;
        is_first || draw() < SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_second_and_a_share_of_the_others() {
        let sampler = Sampler::new(TracingMode::Active);
        let at = |milliseconds, draw| sampler.decide(Timestamp::from_millis(milliseconds), || draw);
        assert!(at(1000, 1.0));
        assert!(!at(1999, 0.05) && at(1999, 0.049));
        assert!(at(2000, 1.0) && !at(2001, 1.0));
        assert!(!at(1500, 1.0), "a clock that was read before another counts for the same second");
    }
}
