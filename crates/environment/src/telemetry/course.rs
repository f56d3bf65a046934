//! The course of one invocation, as `platform.runtimeDone` and `platform.report` tell it.

use std::time::Duration;

use rushlight_model::clock::{Moment, Timestamp};
use rushlight_model::trace::{self, SegmentId, Segments};
use serde_json::{Value, json};

use crate::report::Milliseconds;

/// Notes when what has happened. Costs next to nothing: it is done for every invocation.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// The trace header that came with the event, if the trace is sampled.
    trace: Option<String>,
    marks: Marks,
    produced_bytes: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    begun: Option<Moment>,
    /// The runtime has begun to answer.
    answering: Option<Moment>,
    answered: Option<Moment>,
    /// The runtime is done with it.
    done: Option<Moment>,
}

/// What is told when the runtime is done.
#[derive(Debug)]
pub(crate) struct RuntimeDone {
    pub(crate) duration: Duration,
    pub(crate) produced_bytes: usize,
    marks: Marks,
}

impl Course {
    pub(crate) fn begin(&mut self, now: Moment, trace: Option<String>) {
        self.marks.begun = Some(now);
        self.trace = trace.filter(|header| trace::decision(header) == Some(true));
    }

    pub(crate) fn answer_begins(&mut self, now: Moment) {
        self.marks.answering.get_or_insert(now);
    }

    /// `bytes` of an answer have come.
    pub(crate) fn produce(&mut self, bytes: usize) {
        self.produced_bytes += bytes;
    }

    pub(crate) fn answered(&mut self, now: Moment) {
        self.marks.answered.get_or_insert(now);
    }

    /// The runtime is done; none if that was so before, or if it has not begun.
    pub(crate) fn runtime_done(&mut self, now: Moment) -> Option<RuntimeDone> {
        let begun = self.marks.begun.filter(|_| self.marks.done.is_none())?;
        self.marks.done = Some(now);
        let (produced_bytes, marks) = (self.produced_bytes, self.marks);
        Some(RuntimeDone { duration: now.since(begun), produced_bytes, marks })
    }

    /// The time that extensions took after the runtime; `now` on both clocks.
    pub(crate) fn extension_overhead(&self, now: (Moment, Timestamp)) -> Option<Value> {
        Some(span("extensionOverhead", self.marks.done?, now.0, now))
    }

    /// When the invocation was begun and when the runtime was done with it; `now` on both clocks.
    pub(crate) fn times(&self, now: (Moment, Timestamp)) -> Option<(Timestamp, Timestamp)> {
        Some((time_of_day(self.marks.begun?, now), time_of_day(self.marks.done?, now)))
    }

    /// The member `tracing` of `platform.start`: the function's segment, in that of the service.
    pub(crate) fn tracing_at_start(&self, segments: Option<&Segments>) -> Option<Value> {
        let header = self.trace.as_ref()?;
        let Some(segments) = segments else { return Some(tracing(None, header)) };
        let mut header = header.clone();
        trace::decide(&mut header, true, Some(&segments.service));
        Some(tracing(Some(&segments.function), &header))
    }

    /// The member `tracing` of other events: the invocation, in the function's segment.
    pub(crate) fn tracing(&self, segments: Option<&Segments>) -> Option<Value> {
        Some(tracing(segments.map(|segments| &segments.invocation), self.trace.as_ref()?))
    }
}

impl RuntimeDone {
    /// Where the time went; `now` on both clocks.
    pub(crate) fn spans(&self, now: (Moment, Timestamp)) -> Vec<Value> {
        let Marks { begun, answering, answered, done } = self.marks;
        let spans = [
            ("responseLatency", begun, answering),
            ("responseDuration", answering, answered),
            ("runtimeOverhead", answered, done),
        ];
        spans.into_iter().filter_map(|(name, from, to)| Some(span(name, from?, to?, now))).collect()
    }
}

/// One span; `now` on both clocks says what time of day a moment was.
fn span(name: &str, from: Moment, to: Moment, now: (Moment, Timestamp)) -> Value {
    let start = time_of_day(from, now).to_iso_millis();
    json!({ "name": name, "start": start, "durationMs": Milliseconds(to.since(from)).rounded() })
}

fn time_of_day(moment: Moment, (now, wall): (Moment, Timestamp)) -> Timestamp {
    let ago = i64::try_from(now.since(moment).as_micros()).unwrap_or_default();
    Timestamp::from_micros(wall.as_micros().saturating_sub(ago))
}

fn tracing(span: Option<&SegmentId>, header: &str) -> Value {
    let mut value = json!({ "type": "X-Amzn-Trace-Id", "value": header });
    if let Some(span) = span {
        value["spanId"] = span.to_string().into();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_course_has_three_spans() {
        let at = |milliseconds| Moment::default() + Duration::from_millis(milliseconds);
        let mut course = Course::default();
        course.begin(at(10), Some("Root=1-a-b;Parent=c;Sampled=1".to_owned()));
        course.answer_begins(at(30));
        course.answer_begins(at(31));
        course.produce(2);
        course.produce(3);
        course.answered(at(35));
        let done = course.runtime_done(at(40)).unwrap();
        assert_eq!((done.duration, done.produced_bytes), (Duration::from_millis(30), 5));
        let told = done.spans((at(40), Timestamp::from_millis(1_000)));
        let spans: Vec<_> =
            told.iter().map(|span| (span["name"].as_str(), span["durationMs"].as_f64())).collect();
        assert_eq!(
            spans,
            [
                (Some("responseLatency"), Some(20.0)),
                (Some("responseDuration"), Some(5.0)),
                (Some("runtimeOverhead"), Some(5.0))
            ]
        );
        assert_eq!(told[0]["start"], "1970-01-01T00:00:00.970Z");
        assert!(course.runtime_done(at(50)).is_none(), "told once");
        assert_eq!(
            course.extension_overhead((at(45), Timestamp::from_millis(1_000))).unwrap()["durationMs"],
            5.0
        );
        assert_eq!(course.tracing(None).unwrap()["value"], "Root=1-a-b;Parent=c;Sampled=1");
        let segments = Segments::begin("Root=1-a-b;Parent=0;Sampled=1", Timestamp::from_millis(0));
        let start = course.tracing_at_start(Some(&segments)).unwrap();
        assert_eq!(start["value"], format!("Root=1-a-b;Parent={};Sampled=1", segments.service));
        assert_eq!(start["spanId"], segments.function.to_string());
        assert_eq!(course.tracing(Some(&segments)).unwrap()["spanId"], segments.invocation.to_string());
        let times = course.times((at(50), Timestamp::from_millis(1_000))).unwrap();
        assert_eq!(times, (Timestamp::from_millis(960), Timestamp::from_millis(990)));
    }

    #[test]
    fn one_that_was_cut_has_what_there_was() {
        let mut course = Course::default();
        assert!(course.runtime_done(Moment::default()).is_none(), "it has not begun");
        course.begin(Moment::default(), None);
        let done = course.runtime_done(Moment::default()).unwrap();
        assert_eq!(
            (done.duration, done.spans((Moment::default(), Timestamp::from_millis(0))).len()),
            (Duration::ZERO, 0)
        );
        assert!(course.tracing(None).is_none());
        course.begin(Moment::default(), Some("Root=1-a-b;Sampled=0".to_owned()));
        assert!(course.tracing(None).is_none(), "what is not sampled is not told of");
    }
}
