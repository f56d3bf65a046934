//! From many environments to one that writes.
//!
//! A push takes a lock for the length of a `Vec::push`. The writer wakes for the first event after a pause, waits a
//! little for others to join it, less when there are many, and takes them all. What comes faster than it writes is
//! dropped and counted.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rushlight_model::log::{LogEvent, LogSink, LogStream};

/// What an event costs in memory besides its message.
const EVENT_OVERHEAD_BYTES: usize = 64;

/// Events that wait for whoever writes them.
#[derive(Debug)]
pub struct LogQueue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    half_full: Condvar,
    max_bytes: usize,
    gather: Duration,
}

#[derive(Debug, Default)]
struct Waiting {
    taken: Taken,
    bytes: usize,
    closed: bool,
}

/// What waited, and what was lost meanwhile.
#[derive(Debug, Default)]
pub struct Taken {
    /// In the order of arrival.
    pub events: Vec<(Arc<LogStream>, LogEvent)>,
    /// What each stream lost since the last time.
    pub dropped: HashMap<Arc<LogStream>, Dropped>,
}

/// What a stream lost.
#[derive(Debug, Default)]
pub struct Dropped {
    events: u64,
    /// The time of the last one lost.
    timestamp_ms: i64,
}

impl LogQueue {
    /// At most `max_bytes` of memory wait; whoever takes them is given what arrives within `gather` at once.
    #[must_use]
    pub fn new(max_bytes: usize, gather: Duration) -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            half_full: Condvar::new(),
            max_bytes,
            gather,
        }
    }

    /// From now on events go nowhere.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
        self.arrived.notify_one();
        self.half_full.notify_one();
    }

    /// Waits for events, up to `patience`. `None` when the queue is closed and empty. Blocking.
    pub fn take(&self, patience: Duration) -> Option<Taken> {
        let mut waiting = self.waiting.lock();
        if waiting.taken.is_empty() && !waiting.closed {
            self.arrived.wait_for(&mut waiting, patience);
        }
        if !waiting.taken.events.is_empty() {
            let join = |waiting: &mut Waiting| !waiting.closed && waiting.bytes < self.max_bytes / 2;
            self.half_full.wait_while_for(&mut waiting, join, self.gather);
        }
        let taken = mem::take(&mut waiting.taken);
        waiting.bytes = 0;
        (!waiting.closed || !taken.is_empty()).then_some(taken)
    }
}

impl LogSink for LogQueue {
    fn push(&self, stream: &Arc<LogStream>, event: LogEvent) {
        let cost = event.message.len() + EVENT_OVERHEAD_BYTES;
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return;
        }
        let idle = waiting.taken.is_empty();
        if waiting.bytes + cost > self.max_bytes {
            let dropped = waiting.taken.dropped.entry(Arc::clone(stream)).or_default();
            dropped.events += 1;
            dropped.timestamp_ms = event.timestamp_ms;
        } else {
            waiting.bytes += cost;
            waiting.taken.events.push((Arc::clone(stream), event));
        }
        let half = self.max_bytes / 2;
        let half_full = (half..half + cost).contains(&waiting.bytes);
        drop(waiting);
        if idle {
            self.arrived.notify_one();
        }
        if half_full {
            self.half_full.notify_one();
        }
    }
}

impl Taken {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.dropped.is_empty()
    }
}

impl Dropped {
    /// What is said of it in the stream itself.
    #[must_use]
    pub fn event(&self) -> LogEvent {
        let message = format!(
            "[rushlight] {} log events were dropped: they came faster than they could be written",
            self.events
        );
        LogEvent { timestamp_ms: self.timestamp_ms, message: message.into() }
    }

    /// How many events were lost.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> Arc<LogStream> {
        Arc::new(LogStream {
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            group: "/aws/lambda/f".into(),
            stream: name.into(),
        })
    }

    fn event(timestamp_ms: i64) -> LogEvent {
        LogEvent { timestamp_ms, message: "m".repeat(36).into() }
    }

    #[test]
    fn what_is_too_much_is_dropped_and_counted_by_stream() {
        let queue = LogQueue::new(200, Duration::ZERO);
        let (one, other) = (stream("one"), stream("other"));
        for (stream, time) in [(&one, 1), (&other, 2), (&one, 3), (&one, 4), (&other, 5)] {
            queue.push(stream, event(time));
        }
        let taken = queue.take(Duration::ZERO).unwrap();
        let times: Vec<_> = taken.events.iter().map(|(_, event)| event.timestamp_ms).collect();
        assert_eq!(times, [1, 2]);
        assert_eq!((taken.dropped[&one].events(), taken.dropped[&other].events()), (2, 1));
        assert_eq!(taken.dropped[&one].event().timestamp_ms, 4);
        queue.push(&one, event(6));
        assert_eq!(queue.take(Duration::ZERO).unwrap().events.len(), 1, "there is room again");
    }

    #[test]
    fn what_was_there_when_it_closed_is_taken_and_no_more() {
        let queue = LogQueue::new(1000, Duration::ZERO);
        queue.push(&stream("s"), event(1));
        queue.close();
        queue.push(&stream("s"), event(2));
        assert_eq!(queue.take(Duration::from_secs(60)).unwrap().events.len(), 1);
        assert!(queue.take(Duration::from_secs(60)).is_none());
    }

    #[test]
    fn many_events_are_not_waited_for() {
        let queue = LogQueue::new(400, Duration::from_secs(60));
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| queue.take(Duration::from_secs(60)).unwrap().events.len());
            queue.push(&stream("s"), event(1));
            std::thread::sleep(Duration::from_millis(20));
            queue.push(&stream("s"), event(2));
            assert_eq!(taking.join().unwrap(), 2);
        });
    }

    #[test]
    fn an_empty_queue_is_waited_for_in_vain() {
        assert!(LogQueue::new(1000, Duration::ZERO).take(Duration::ZERO).unwrap().is_empty());
    }
}
