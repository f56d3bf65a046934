//! The writing thread: at any rate there are a few hundred writes a second, one for each group that has something to
//! say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rushlight_model::log::{LogEvent, LogStream};

use super::group::{Group, NewEvent};
use super::queue::{Dropped, Taken};
use super::store::Shared;

/// How long the writer waits for more. Readers see an event this much later at most, and the time of a write.
pub(super) const GATHER: Duration = Duration::from_millis(5);
/// How often expired events are removed and the total size is looked at, in real time.
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// How many groups' files may be open between writes.
const OPEN_GROUPS: usize = 64;

/// The writer thread: until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    let mut trimmed = Instant::now();
    let mut open: HashMap<*const Group, Arc<Group>> = HashMap::new();
    while let Some(Taken { events, dropped }) = shared.queue.take(TRIM_EVERY) {
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
    for (stream, dropped) in dropped {
        tracing::warn!(
            group = stream.group,
            stream = stream.stream,
            events = dropped.events(),
            "logs.events.dropped"
        );
        let event = dropped.event();
        let event = NewEvent { stream: &stream.stream, time: event.timestamp_ms, message: &event.message };
        if let Err(error) = shared.append(stream, &[event]) {
            tracing::error!(group = stream.group, %error, "logs.events.lost");
        }
    }
}
