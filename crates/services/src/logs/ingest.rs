//! From many environments to one writing thread.
//!
//! A push takes a lock for the length of a `Vec::push`. The writer wakes for the first event after a pause, waits a
//! little for others to join it, and takes them all: at any rate there are a few hundred writes a second, one for each
//! group that has something to say.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rushlight_model::log::{LogEvent, LogStream};

use super::group::{Group, NewEvent};
use super::store::Shared;

/// How long the writer waits for more. Readers see an event this much later at most, and the time of a write.
const GATHER: Duration = Duration::from_millis(5);
/// How often expired events are removed and the total size is looked at, in real time.
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// What an event costs in memory besides its message.
const EVENT_OVERHEAD_BYTES: usize = 64;
/// How many groups' files may be open between writes.
const OPEN_GROUPS: usize = 64;

type Events = Vec<(Arc<LogStream>, LogEvent)>;

/// Events that wait for the writer.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    max_bytes: usize,
}

#[derive(Default)]
struct Waiting {
    events: Events,
    bytes: usize,
    dropped: HashMap<Arc<LogStream>, Dropped>,
    closed: bool,
}

/// What a stream lost since the writer last looked.
#[derive(Default)]
struct Dropped {
    events: u64,
    /// The time of the last one lost.
    timestamp_ms: i64,
}

impl Queue {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), max_bytes }
    }

    /// Never waits for the disk. After [`Self::close`] events go nowhere.
    pub(super) fn push(&self, stream: &Arc<LogStream>, event: LogEvent) {
        let cost = event.message.len() + EVENT_OVERHEAD_BYTES;
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return;
        }
        let idle = waiting.events.is_empty() && waiting.dropped.is_empty();
        if waiting.bytes + cost > self.max_bytes {
            let dropped = waiting.dropped.entry(stream.clone()).or_default();
            dropped.events += 1;
            dropped.timestamp_ms = event.timestamp_ms;
        } else {
            waiting.bytes += cost;
            waiting.events.push((stream.clone(), event));
        }
        drop(waiting);
        if idle {
            self.arrived.notify_one();
        }
    }

    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Waits for events, up to `patience`. `None` when the queue is closed and empty.
    fn take(&self, patience: Duration) -> Option<(Events, HashMap<Arc<LogStream>, Dropped>)> {
        let mut waiting = self.waiting.lock();
        if waiting.events.is_empty() && waiting.dropped.is_empty() && !waiting.closed {
            self.arrived.wait_for(&mut waiting, patience);
        }
        if !waiting.closed && !waiting.events.is_empty() {
            drop(waiting);
            std::thread::sleep(GATHER);
            waiting = self.waiting.lock();
        }
        let taken = (mem::take(&mut waiting.events), mem::take(&mut waiting.dropped));
        waiting.bytes = 0;
        let over = waiting.closed && taken.0.is_empty() && taken.1.is_empty();
        (!over).then_some(taken)
    }
}

/// The writer thread: until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    let mut trimmed = Instant::now();
    let mut open: HashMap<*const Group, Arc<Group>> = HashMap::new();
    while let Some((events, dropped)) = shared.queue.take(TRIM_EVERY) {
        for group in write(shared, &events) {
            open.insert(Arc::as_ptr(&group), group);
        }
        report_dropped(shared, &dropped);
        let pause = trimmed.elapsed() >= TRIM_EVERY;
        if pause || open.len() > OPEN_GROUPS {
            open.drain().for_each(|(_, group)| group.rest());
        }
        if pause {
            if let Err(error) = shared.trim() {
                tracing::warn!(%error, "logs.trim.failed");
            }
            trimmed = Instant::now();
        }
    }
}

/// Writes a batch, in the order of arrival within each group, and returns the groups written to.
fn write(shared: &Shared, events: &[(Arc<LogStream>, LogEvent)]) -> Vec<Arc<Group>> {
    let mut groups: HashMap<(&str, &str, &str), (&LogStream, Vec<NewEvent<'_>>)> = HashMap::new();
    for (stream, event) in events {
        let key = (stream.account.as_str(), stream.region.as_str(), stream.group.as_str());
        let new = NewEvent { stream: &stream.stream, time: event.timestamp_ms, message: &event.message };
        groups.entry(key).or_insert_with(|| (stream, Vec::new())).1.push(new);
    }
    let append = |(stream, events): (&LogStream, Vec<NewEvent<'_>>)| match shared.append(stream, &events) {
        Ok(group) => Some(group),
        Err(error) => {
            tracing::error!(group = stream.group, events = events.len(), %error, "logs.events.lost");
            None
        }
    };
    groups.into_values().filter_map(append).collect()
}

fn report_dropped(shared: &Shared, dropped: &HashMap<Arc<LogStream>, Dropped>) {
    for (stream, Dropped { events, timestamp_ms }) in dropped {
        tracing::warn!(group = stream.group, stream = stream.stream, events, "logs.events.dropped");
        let message = format!(
            "[rushlight] {events} log events were dropped: they came faster than they could be written"
        );
        let event = NewEvent { stream: &stream.stream, time: *timestamp_ms, message: message.as_bytes() };
        if let Err(error) = shared.append(stream, &[event]) {
            tracing::error!(group = stream.group, %error, "logs.events.lost");
        }
    }
}
