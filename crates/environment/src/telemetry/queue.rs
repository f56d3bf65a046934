//! What waits to be delivered to one subscriber: never more than it asked to have buffered, twice over. What does not
//! fit is lost and counted, and whoever writes never waits.

use std::collections::VecDeque;

use parking_lot::Mutex;
use rushlight_model::clock::Timestamp;
use tokio::sync::Notify;

use super::record::Record;
use super::subscription::Buffering;

/// Batches that are held at most: one on its way and one behind it.
const BATCHES: usize = 2;

/// The queue of one subscriber.
#[derive(Debug)]
pub(super) struct Queue {
    buffering: Buffering,
    /// Whether losses are told: they are an event of the platform.
    tells_losses: bool,
    state: Mutex<State>,
    /// Wakes who delivers.
    filled: Notify,
    /// Wakes who waits for everything to be delivered.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Record>,
    bytes: usize,
    lost: Lost,
    /// A batch was taken and is not done with.
    under_way: bool,
    /// Nothing is to be held back to make a batch larger.
    is_urgent: bool,
}

/// Records that are not delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Lost {
    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }

    pub(super) fn of(record: &Record) -> Self {
        Self { records: 1, bytes: record.size() }
    }
}

/// Records that are delivered together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// What is gone if this is not delivered, with the losses that it would have told of.
    at_stake: Lost,
}

impl Queue {
    pub(super) fn new(buffering: Buffering, tells_losses: bool) -> Self {
        Self {
            buffering,
            tells_losses,
            state: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Appends a record, or counts it as lost.
    pub(super) fn push(&self, record: Record) {
        let size = record.size();
        let mut state = self.state.lock();
        if state.records.len() >= BATCHES * self.buffering.items
            || state.bytes + size > BATCHES * self.buffering.bytes
        {
            return state.lost.add(Lost::of(&record));
        }
        state.records.push_back(record);
        state.bytes += size;
        if state.records.len() == 1 || self.is_due(&state) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Counts records that are lost elsewhere.
    pub(super) fn lose(&self, lost: Lost) {
        self.state.lock().lost.add(lost);
    }

    fn is_due(&self, state: &State) -> bool {
        let is_full = state.records.len() >= self.buffering.items || state.bytes >= self.buffering.bytes;
        !state.records.is_empty() && (is_full || state.is_urgent)
    }

    /// Completes when there is something. Cancel-safe.
    pub(super) async fn has_some(&self) {
        while self.state.lock().records.is_empty() {
            self.filled.notified().await;
        }
    }

    /// Completes when there is a whole batch, or no reason to wait for one. Cancel-safe.
    pub(super) async fn has_batch(&self) {
        while !self.is_due(&self.state.lock()) {
            self.filled.notified().await;
        }
    }

    /// Lets what there is go out at once from now on.
    pub(super) fn hurry(&self) {
        self.state.lock().is_urgent = true;
        self.filled.notify_one();
    }

    pub(super) fn is_urgent(&self) -> bool {
        self.state.lock().is_urgent
    }

    /// Takes a batch, which [`Queue::done`] ends. Losses are told at its beginning.
    pub(super) fn take(&self, now: Timestamp) -> Batch {
        let mut state = self.state.lock();
        let mut batch = Batch { records: Vec::new(), at_stake: Lost::default() };
        let (mut bytes, lost) = (0, state.lost);
        if lost.records > 0 && self.tells_losses {
            batch.records.push(logs_dropped(now, lost));
            batch.at_stake = std::mem::take(&mut state.lost);
        }
        for _ in 0..self.buffering.items {
            let Some(record) = state.records.pop_front() else { break };
            let size = record.size();
            if bytes > 0 && bytes + size > self.buffering.bytes {
                state.records.push_front(record);
                break;
            }
            bytes += size;
            batch.at_stake.add(Lost::of(&record));
            batch.records.push(record);
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        state.under_way = true;
        batch
    }

    /// The batch was delivered, or is lost.
    pub(super) fn done(&self, batch: &Batch, is_delivered: bool) {
        let mut state = self.state.lock();
        state.under_way = false;
        if !is_delivered {
            state.lost.add(batch.at_stake);
        }
        if state.records.is_empty() {
            drop(state);
            self.emptied.notify_waiters();
        }
    }

    /// Completes when nothing is left to deliver. Cancel-safe.
    pub(super) async fn is_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            {
                let state = self.state.lock();
                if state.records.is_empty() && !state.under_way {
                    return;
                }
            }
            emptied.await;
        }
    }
}

/// `platform.logsDropped`.
fn logs_dropped(now: Timestamp, lost: Lost) -> Record {
    let record = serde_json::json!({
        "reason": "Some logs were dropped because the downstream consumer is slower than the logs production rate",
        "droppedRecords": lost.records,
        "droppedBytes": lost.bytes,
    });
    Record::platform(now, "logsDropped", &record)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn record(size: usize) -> Record {
        Record::Platform { kind: "x", event: Bytes::from(vec![b'x'; size]) }
    }

    fn queue(items: usize, bytes: usize) -> Queue {
        Queue::new(Buffering { items, bytes, time: Duration::from_secs(1) }, true)
    }

    fn kinds(batch: &Batch) -> Vec<&'static str> {
        batch
            .records
            .iter()
            .map(|record| match record {
                Record::Platform { kind, .. } => *kind,
                Record::Line { .. } => "line",
            })
            .collect()
    }

    #[test]
    fn a_batch_ends_with_its_items_or_its_bytes() {
        let queue = queue(3, 100);
        for size in [1, 1, 1, 90, 20, 80] {
            queue.push(record(size));
        }
        let sizes = || {
            let batch = queue.take(NOW);
            queue.done(&batch, true);
            batch.records.iter().map(Record::size).collect::<Vec<_>>()
        };
        assert_eq!(sizes(), [1, 1, 1]);
        assert_eq!(sizes(), [90]);
        assert_eq!(sizes(), [20, 80]);
        assert_eq!(sizes(), [0; 0]);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told() {
        let queue = queue(2, 1_000);
        for _ in 0..7 {
            queue.push(record(10));
        }
        let batch = queue.take(NOW);
        assert_eq!(kinds(&batch), ["logsDropped", "x", "x"]);
        let Record::Platform { event, .. } = &batch.records[0] else { panic!() };
        let event: serde_json::Value = serde_json::from_slice(event).unwrap();
        assert_eq!(
            (&event["record"]["droppedRecords"], &event["record"]["droppedBytes"]),
            (&3.into(), &30.into())
        );
        // A batch that is lost takes what it would have told along.
        queue.done(&batch, false);
        let batch = queue.take(NOW);
        let Record::Platform { event, .. } = &batch.records[0] else { panic!() };
        let event: serde_json::Value = serde_json::from_slice(event).unwrap();
        assert_eq!(event["record"]["droppedRecords"], 5);
        queue.done(&batch, true);
        queue.push(record(10));
        assert_eq!(kinds(&queue.take(NOW)), ["x"], "told once");
    }

    #[test]
    fn memory_has_an_end_whatever_is_written() {
        let queue = queue(1_000, 1_000);
        for _ in 0..10_000 {
            queue.push(record(100));
        }
        assert_eq!(queue.state.lock().bytes, 2_000);
        assert_eq!(queue.state.lock().lost.records, 10_000 - 20);
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let queue = queue(2, 1_000);
        queue.is_empty().await;
        queue.push(record(1));
        queue.has_some().await;
        queue.push(record(1));
        queue.has_batch().await;
        let batch = queue.take(NOW);
        let empty = queue.is_empty();
        tokio::pin!(empty);
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut empty).await.is_err(), "it is under way");
        queue.done(&batch, true);
        empty.await;
        queue.push(record(1));
        queue.hurry();
        queue.has_batch().await;
    }
}
