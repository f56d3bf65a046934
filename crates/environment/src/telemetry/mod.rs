//! The Telemetry API and its forerunner, the Logs API: extensions subscribe to what happens in their environment and
//! get it in batches at a port of the sandbox's loopback address.
//!
//! ```text
//! logs, report ──> Telemetry ──> one Queue per subscription ──> its Delivery, a task ──> a port of the sandbox
//!                  Open: keeps what comes for those who subscribe later
//!                  Closed: initialised, nobody subscribes any more
//! ```
//! Whoever writes never waits for a subscriber: what a [`queue`] does not hold is lost, and the loss told. Without
//! subscribers and after the initialisation nothing is kept or even put into words.
//!
//! Documentation followed: "Accessing real-time telemetry data for extensions using the Telemetry API" in the AWS
//! Lambda developer guide.

pub(crate) mod course;
mod delivery;
pub(crate) mod host;
mod post;
mod queue;
mod record;
pub(crate) mod subscription;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use rushlight_model::clock::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use uuid::Uuid;

use self::queue::{Lost, Queue};
use self::record::Record;
pub(crate) use self::record::Source;
use self::subscription::{Subscription, Type};

/// Records that are kept for those who subscribe later, and bytes.
const BACKLOG_RECORDS: usize = 1_000;
const BACKLOG_BYTES: usize = 256 * 1024;

/// The telemetry of one environment.
pub(crate) struct Telemetry {
    /// The function's logs are in JSON.
    is_json: bool,
    /// Whether records go anywhere: asked before one is made.
    is_wanted: AtomicBool,
    state: Mutex<State>,
    frozen: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// None once nobody may subscribe any more.
    backlog: Option<Backlog>,
    subscribers: Vec<Subscriber>,
}

#[derive(Default)]
struct Backlog {
    records: Vec<Record>,
    bytes: usize,
    lost: Lost,
}

/// One subscription. Dropping it ends its delivery.
struct Subscriber {
    extension: Uuid,
    subscription: Subscription,
    queue: Arc<Queue>,
    delivery: AbortHandle,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.delivery.abort();
    }
}

/// The initialisation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

impl Backlog {
    fn push(&mut self, record: Record) {
        let size = record.size();
        if self.records.len() >= BACKLOG_RECORDS || self.bytes + size > BACKLOG_BYTES {
            return self.lost.add(Lost::of(&record));
        }
        self.bytes += size;
        self.records.push(record);
    }
}

impl Telemetry {
    pub(crate) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            is_wanted: AtomicBool::new(true),
            state: Mutex::new(State { backlog: Some(Backlog::default()), subscribers: Vec::new() }),
            frozen: watch::Sender::new(false),
        }
    }

    /// Whether anybody hears of a record, or may yet.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// An event of the platform has happened; `kind` follows `platform.` in its type.
    pub(crate) fn platform(&self, now: Timestamp, kind: &'static str, record: &serde_json::Value) {
        self.push(Record::platform(now, kind, record));
    }

    /// A process has written a line.
    pub(crate) fn line(&self, source: Source, time: Timestamp, text: &Bytes) {
        self.push(Record::line(source, time, text.clone(), self.is_json));
    }

    fn push(&self, record: Record) {
        let mut state = self.state.lock();
        for subscriber in &state.subscribers {
            if record.is_for(&subscriber.subscription) {
                subscriber.queue.push(record.clone());
            }
        }
        if let Some(backlog) = &mut state.backlog {
            backlog.push(record);
        }
    }

    /// Adds a subscription, which hears of everything since the environment was started; one that the extension has
    /// with the same API is replaced. `deliver` starts what delivers.
    fn subscribe(
        &self,
        extension: Uuid,
        subscription: Subscription,
        deliver: impl FnOnce(Arc<Queue>, watch::Receiver<bool>) -> AbortHandle,
    ) -> Result<(), Closed> {
        let mut state = self.state.lock();
        let backlog = state.backlog.as_ref().ok_or(Closed)?;
        let queue = Arc::new(Queue::new(subscription.buffering, subscription.wants(Type::Platform)));
        queue.lose(backlog.lost);
        for record in backlog.records.iter().filter(|record| record.is_for(&subscription)) {
            queue.push(record.clone());
        }
        let delivery = deliver(queue.clone(), self.frozen.subscribe());
        let api = subscription.schema.api();
        state
            .subscribers
            .retain(|other| other.extension != extension || other.subscription.schema.api() != api);
        state.subscribers.push(Subscriber { extension, subscription, queue, delivery });
        Ok(())
    }

    /// Whether anybody may subscribe.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().backlog.is_some()
    }

    /// The initialisation is over.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.backlog = None;
        self.is_wanted.store(!state.subscribers.is_empty(), Ordering::Relaxed);
    }

    /// The processes are gone, and subscriptions with them; another initialisation may follow.
    pub(crate) fn reopen(&self) {
        let mut state = self.state.lock();
        state.subscribers.clear();
        state.backlog.get_or_insert_default();
        self.is_wanted.store(true, Ordering::Relaxed);
        self.frozen.send_replace(false);
    }

    /// The environment has ended.
    pub(crate) fn end(&self) {
        *self.state.lock() = State::default();
        self.is_wanted.store(false, Ordering::Relaxed);
    }

    /// The processes are about to be frozen, or run again.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.frozen.send_if_modified(|frozen| std::mem::replace(frozen, is_frozen) != is_frozen);
    }

    /// Delivers what there is at once, now and from now on; completes when that is done. Cancel-safe.
    pub(crate) async fn flush(&self) {
        let queues: Vec<_> =
            self.state.lock().subscribers.iter().map(|subscriber| subscriber.queue.clone()).collect();
        for queue in &queues {
            queue.hurry();
        }
        for queue in &queues {
            queue.is_empty().await;
        }
    }

    /// Whether anybody is subscribed.
    pub(crate) fn has_subscribers(&self) -> bool {
        !self.state.lock().subscribers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::subscription::Api;
    use super::*;

    fn subscription(types: &str) -> Subscription {
        let body = format!(
            r#"{{"schemaVersion":"2025-01-29","types":[{types}],"destination":{{"protocol":"TCP","port":1}}}}"#
        );
        Subscription::parse(Api::Telemetry, body.as_bytes(), &[]).unwrap()
    }

    /// Subscribes with somebody who delivers nothing.
    fn subscribe(telemetry: &Telemetry, extension: Uuid, types: &str) -> Result<Arc<Queue>, Closed> {
        let mut given = None;
        telemetry.subscribe(extension, subscription(types), |queue, _| {
            given = Some(queue);
            tokio_util::task::TaskTracker::new().spawn(std::future::pending::<()>()).abort_handle()
        })?;
        Ok(given.unwrap())
    }

    fn platform(telemetry: &Telemetry, kind: &'static str) {
        telemetry.platform(Timestamp::from_millis(0), kind, &serde_json::json!({}));
    }

    fn line(telemetry: &Telemetry, source: Source) {
        telemetry.line(source, Timestamp::from_millis(0), &Bytes::from_static(b"x"));
    }

    fn count(queue: &Queue) -> usize {
        let batch = queue.take(Timestamp::from_millis(0));
        queue.done(&batch, true);
        batch.records.len()
    }

    #[tokio::test]
    async fn who_subscribes_hears_of_what_was_before_and_of_its_types_only() {
        let telemetry = Telemetry::new(false);
        platform(&telemetry, "initStart");
        line(&telemetry, Source::Function);
        let all = subscribe(&telemetry, Uuid::new_v4(), r#""platform","function","extension""#).unwrap();
        let functions = subscribe(&telemetry, Uuid::new_v4(), r#""function""#).unwrap();
        assert_eq!((count(&all), count(&functions)), (2, 1));
        line(&telemetry, Source::Extension);
        telemetry.close();
        line(&telemetry, Source::Function);
        platform(&telemetry, "end");
        assert_eq!((count(&all), count(&functions)), (2, 1));
        assert!(telemetry.is_wanted() && telemetry.has_subscribers());
        assert_eq!(subscribe(&telemetry, Uuid::new_v4(), r#""function""#).err(), Some(Closed));
    }

    #[tokio::test]
    async fn what_is_kept_for_later_has_an_end() {
        let telemetry = Telemetry::new(false);
        for _ in 0..10 * BACKLOG_RECORDS {
            line(&telemetry, Source::Function);
        }
        let queue = subscribe(&telemetry, Uuid::new_v4(), r#""platform","function""#).unwrap();
        assert_eq!(count(&queue), BACKLOG_RECORDS + 1, "and one that tells what is missing");
    }

    #[tokio::test]
    async fn a_second_subscription_takes_the_place_of_the_first() {
        let telemetry = Telemetry::new(false);
        let extension = Uuid::new_v4();
        let first = subscribe(&telemetry, extension, r#""platform""#).unwrap();
        let second = subscribe(&telemetry, extension, r#""platform""#).unwrap();
        platform(&telemetry, "x");
        assert_eq!((count(&first), count(&second)), (0, 1));
    }

    #[tokio::test]
    async fn nothing_is_wanted_without_subscribers_until_everything_begins_anew() {
        let telemetry = Telemetry::new(false);
        assert!(telemetry.is_wanted() && telemetry.is_open());
        telemetry.close();
        assert!(!telemetry.is_wanted() && !telemetry.is_open());
        telemetry.reopen();
        assert!(telemetry.is_wanted() && telemetry.is_open());
        subscribe(&telemetry, Uuid::new_v4(), r#""platform""#).unwrap();
        telemetry.reopen();
        assert!(!telemetry.has_subscribers(), "its process is gone");
        telemetry.end();
        assert!(!telemetry.is_wanted() && !telemetry.is_open());
    }
}
