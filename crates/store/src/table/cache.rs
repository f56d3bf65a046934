//! Decoded rows in memory.
//!
//! The hard part of a cache is a value read before a change and stored after it: it would stay for ever. The store
//! tells of each change before the writer gets its answer; each shard notes the latest one, and a value is only
//! stored while no change was noted since it was read.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::RwLock;

use super::Entry;
use crate::Observer;

const SHARDS: usize = 16;

pub(super) struct Cache<T> {
    prefix: Arc<str>,
    shards: [RwLock<Shard<T>>; SHARDS],
    shard_capacity: usize,
    hasher: RandomState,
}

struct Shard<T> {
    /// The revision of the last change that was told to this shard.
    latest: u64,
    entries: HashMap<Box<str>, Entry<T>>,
}

impl<T> Cache<T> {
    pub(super) fn new(prefix: Arc<str>, capacity: usize) -> Self {
        let shard = |_| RwLock::new(Shard { latest: 0, entries: HashMap::new() });
        Self {
            prefix,
            shards: std::array::from_fn(shard),
            shard_capacity: capacity.div_ceil(SHARDS),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry<T>> {
        self.shard(key).read().entries.get(key).cloned()
    }

    /// To be asked before a read and handed to [`Self::fill`] with what was read.
    pub(super) fn latest_change(&self, key: &str) -> u64 {
        self.shard(key).read().latest
    }

    /// Stores an entry that was true when `seen` was the latest change, unless there was another since.
    pub(super) fn fill(&self, key: &str, entry: &Entry<T>, seen: u64) {
        if self.shard_capacity == 0 {
            return;
        }
        let mut shard = self.shard(key).write();
        if shard.latest != seen {
            return;
        }
        if shard.entries.len() >= self.shard_capacity && !shard.entries.contains_key(key) {
            // Any will do: a row that is missed costs one read. The map's order is random for each process.
            let victim = shard.entries.keys().next().cloned();
            victim.and_then(|key| shard.entries.remove(&key));
        }
        shard.entries.insert(key.into(), entry.clone());
    }

    fn shard(&self, key: &str) -> &RwLock<Shard<T>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        &self.shards[index]
    }
}

impl<T: Send + Sync> Observer for Cache<T> {
    fn changed(&self, key: &str, revision: u64) {
        let Some(key) = key.strip_prefix(&*self.prefix) else {
            return;
        };
        let mut shard = self.shard(key).write();
        shard.latest = shard.latest.max(revision);
        shard.entries.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(capacity: usize) -> Cache<u32> {
        Cache::new("t/".into(), capacity)
    }

    fn entry(value: u32) -> Entry<u32> {
        Entry { value: Arc::new(value), revision: u64::from(value) }
    }

    #[test]
    fn a_value_read_before_a_change_is_not_kept() {
        let cache = cache(100);
        let seen = cache.latest_change("a");
        cache.changed("t/a", 2);
        cache.fill("a", &entry(1), seen);
        assert!(cache.get("a").is_none());
        cache.fill("a", &entry(2), 2);
        assert_eq!(*cache.get("a").unwrap().value, 2);
    }

    #[test]
    fn a_change_drops_what_was_kept() {
        let cache = cache(100);
        cache.fill("a", &entry(1), 0);
        cache.changed("other/a", 3);
        assert!(cache.get("a").is_some());
        cache.changed("t/a", 4);
        assert!(cache.get("a").is_none());
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let cache = cache(SHARDS);
        for number in 0..1000 {
            cache.fill(&format!("k{number}"), &entry(number), 0);
        }
        let held: usize = cache.shards.iter().map(|shard| shard.read().entries.len()).sum();
        assert_eq!(held, SHARDS);
    }
}
