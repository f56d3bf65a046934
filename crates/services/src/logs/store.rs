//! All log groups of a server.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};
use rushlight_model::clock::Clock;
use rushlight_model::log::{LogEvent, LogSink, LogStream};
use rushlight_store::Digest;

use super::group::{Group, GroupFacts, GroupKey, NewEvent};
use super::ingest;
use super::queue::LogQueue;
use super::{Error, Result};

/// How much is kept and how much may wait.
#[derive(Debug, Clone)]
pub struct LogStoreConfig {
    /// The most that all groups together keep on disk, in bytes. Beyond it the oldest segments go first.
    pub max_total_bytes: u64,
    /// When a segment is full, in bytes. What expires or makes room goes in units of a segment.
    pub segment_bytes: u64,
    /// The most that waits to be written, in bytes of memory. What comes beyond it is dropped and counted.
    pub max_queued_bytes: usize,
}

/// Smaller segments would be more files than content.
const LEAST_SEGMENT_BYTES: u64 = 64 << 10;

impl LogStoreConfig {
    /// Keeps at most so many bytes. What makes room goes in segments, which are small enough for that.
    #[must_use]
    pub fn of(max_total_bytes: u64) -> Self {
        let config = Self::default();
        let segment_bytes = (max_total_bytes / 16).clamp(LEAST_SEGMENT_BYTES, config.segment_bytes);
        Self { max_total_bytes, segment_bytes, ..config }
    }
}

impl Default for LogStoreConfig {
    fn default() -> Self {
        Self { max_total_bytes: 2 << 30, segment_bytes: 8 << 20, max_queued_bytes: 64 << 20 }
    }
}

/// The log store. Clones are the same store; when the last one is dropped, what is queued is written.
#[derive(Clone)]
pub struct LogStore {
    handle: Arc<Handle>,
}

/// What outlives no clone: dropping it ends the writer.
struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer thread has in common with the store.
pub(super) struct Shared {
    root: PathBuf,
    config: LogStoreConfig,
    pub(super) clock: Clock,
    pub(super) queue: LogQueue,
    groups: RwLock<BTreeMap<GroupKey, Arc<Group>>>,
}

impl LogStore {
    /// Opens the directory or makes it (mode 0700), and starts the thread that writes. The caller holds the lock of
    /// the data directory around it. Blocking.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(root: &Path, config: LogStoreConfig, clock: Clock) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(Error::io("create", root))?;
        let mut groups = BTreeMap::new();
        let failed = Error::io("list", root);
        for entry in fs::read_dir(root).map_err(&failed)? {
            let path = entry.map_err(&failed)?.path();
            match Group::open(path.clone(), config.segment_bytes)? {
                Some(group) => drop(groups.insert(group.key(), Arc::new(group))),
                // A group that was half removed when the server died.
                None => fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?,
            }
        }
        let queue = LogQueue::new(config.max_queued_bytes, ingest::GATHER);
        let shared =
            Arc::new(Shared { root: root.to_owned(), config, clock, queue, groups: RwLock::new(groups) });
        let writer = std::thread::Builder::new().name("log-writer".into()).spawn({
            let shared = shared.clone();
            move || ingest::run(&shared)
        });
        let writer = Mutex::new(Some(writer.map_err(Error::io("start the writer of", root))?));
        Ok(Self { handle: Arc::new(Handle { shared, writer }) })
    }

    /// Takes no more events, writes what is queued and waits until it is written. Blocking.
    pub fn close(&self) {
        self.handle.close();
    }

    pub(super) fn now(&self) -> i64 {
        self.handle.shared.clock.now().as_millis()
    }

    pub(super) fn create_group(&self, key: GroupKey, retention_days: Option<i32>) -> Result<Arc<Group>> {
        self.handle.shared.create_group(key, retention_days, self.now())
    }

    pub(super) fn group(&self, key: &GroupKey) -> Result<Arc<Group>> {
        self.handle.shared.groups.read().get(key).cloned().ok_or(Error::NoSuchGroup)
    }

    pub(super) fn delete_group(&self, key: &GroupKey) -> Result<()> {
        // Removed under the lock: a group of the same name made right afterwards has the same directory.
        let mut groups = self.handle.shared.groups.write();
        let group = groups.get(key).ok_or(Error::NoSuchGroup)?;
        group.remove()?;
        groups.remove(key);
        Ok(())
    }

    /// Groups of an account and region after the name `after`, for which `wanted` holds, up to `limit`.
    pub(super) fn groups(
        &self,
        account: &str,
        region: &str,
        after: &str,
        limit: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<Arc<Group>> {
        let start =
            GroupKey { account: account.to_owned(), region: region.to_owned(), name: after.to_owned() };
        let groups = self.handle.shared.groups.read();
        groups
            .range(&start..)
            .take_while(|(key, _)| key.account == account && key.region == region)
            .filter(|(key, _)| key.name != after && wanted(&key.name))
            .map(|(_, group)| group.clone())
            .take(limit)
            .collect()
    }
}

impl LogSink for LogStore {
    fn push(&self, stream: &Arc<LogStream>, event: LogEvent) {
        self.handle.shared.queue.push(stream, event);
    }
}

impl Handle {
    fn close(&self) {
        self.shared.queue.close();
        let Some(writer) = self.writer.lock().take() else { return };
        if writer.join().is_err() {
            tracing::error!("logs.writer.panicked");
        }
        for group in self.shared.groups.read().values() {
            if let Err(error) = group.close() {
                tracing::warn!(%error, "logs.group.close.failed");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn create_group(&self, key: GroupKey, retention_days: Option<i32>, now: i64) -> Result<Arc<Group>> {
        let mut groups = self.groups.write();
        if groups.contains_key(&key) {
            return Err(Error::GroupExists);
        }
        let name = format!("{}\0{}\0{}", key.account, key.region, key.name);
        let directory = self.root.join(Digest::of(name.as_bytes()).to_string());
        let facts = GroupFacts { key: key.clone(), created: now, retention_days };
        let group = Arc::new(Group::create(directory, facts, self.config.segment_bytes)?);
        groups.insert(key, group.clone());
        Ok(group)
    }

    /// Appends to a group, made if it is not there, as it is for the first event of a function.
    pub(super) fn append(&self, stream: &LogStream, events: &[NewEvent<'_>]) -> Result<Arc<Group>> {
        let now = self.clock.now().as_millis();
        let key = GroupKey {
            account: stream.account.clone(),
            region: stream.region.clone(),
            name: stream.group.clone(),
        };
        loop {
            let known = self.groups.read().get(&key).cloned();
            let group = match known.map_or_else(|| self.create_group(key.clone(), None, now), Ok) {
                Ok(group) => group,
                Err(Error::GroupExists) => continue,
                Err(error) => return Err(error),
            };
            match group.append(events.iter().copied(), now) {
                // Deleted between looking it up and writing to it.
                Err(Error::NoSuchGroup) => {}
                result => return result.map(|()| group),
            }
        }
    }

    /// Removes what has expired and what is too much.
    pub(super) fn trim(&self) -> Result<()> {
        let now = self.clock.now().as_millis();
        let groups: Vec<Arc<Group>> = self.groups.read().values().cloned().collect();
        let mut total = 0;
        for group in &groups {
            group.expire(now)?;
            total += group.describe().stored_bytes;
        }
        while total > self.config.max_total_bytes {
            let oldest = groups.iter().filter_map(|group| Some((group.oldest_segment_end()?, group)));
            let Some((_, group)) = oldest.min_by_key(|(end, _)| *end) else { break };
            let before = group.describe().stored_bytes;
            match group.remove_oldest_segment() {
                Ok(()) | Err(Error::NoSuchGroup) => {}
                Err(error) => return Err(error),
            }
            let freed = before.saturating_sub(group.describe().stored_bytes);
            total = total.saturating_sub(freed.max(1));
            tracing::info!(group = group.key().name, bytes = freed, "logs.segment.removed");
        }
        Ok(())
    }
}

impl fmt::Debug for LogStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogStore").field("root", &self.handle.shared.root).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn open(directory: &Path, config: LogStoreConfig) -> (LogStore, Clock) {
        let clock = Clock::new_virtual();
        (LogStore::open(directory, config, clock.clone()).unwrap(), clock)
    }

    fn append(store: &LogStore, group: &str, times: std::ops::Range<i64>) {
        let stream = LogStream {
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            group: group.into(),
            stream: "s".into(),
        };
        for time in times {
            let event = NewEvent { stream: "s", time, message: &[b'm'; 1000] };
            store.handle.shared.append(&stream, &[event]).unwrap();
        }
    }

    fn group(store: &LogStore, name: &str) -> Arc<Group> {
        store.groups("000000000000", "eu-west-1", "", 10, |other| other == name).remove(0)
    }

    #[test]
    fn the_oldest_of_all_groups_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let config =
            LogStoreConfig { max_total_bytes: 50_000, segment_bytes: 10_000, ..LogStoreConfig::default() };
        let (store, _clock) = open(directory.path(), config.clone());
        append(&store, "old", 0..40);
        append(&store, "new", 1000..1030);
        store.handle.shared.trim().unwrap();
        let (old, new) = (group(&store, "old").describe(), group(&store, "new").describe());
        assert!(new.stored_bytes > 30_000, "new events went before old ones");
        assert!(old.stored_bytes > 0 && old.stored_bytes + new.stored_bytes <= 50_000);
        // The files went with them.
        store.close();
        let (reopened, _clock) = open(directory.path(), config);
        assert_eq!(group(&reopened, "old").describe().stored_bytes, old.stored_bytes);
    }

    #[test]
    fn expired_segments_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let (store, clock) = open(directory.path(), LogStoreConfig::default());
        let now = store.now();
        append(&store, "g", now..now + 10);
        group(&store, "g").set_retention(Some(1)).unwrap();
        store.handle.shared.trim().unwrap();
        assert!(group(&store, "g").describe().stored_bytes > 10_000);
        clock.advance(Duration::from_secs(25 * 3600)).unwrap();
        store.handle.shared.trim().unwrap();
        assert_eq!(group(&store, "g").describe().stored_bytes, 0);
        append(&store, "g", now..now + 1);
        assert_eq!(group(&store, "g").streams("").len(), 1);
    }
}
