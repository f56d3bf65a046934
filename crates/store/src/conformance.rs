//! What every [`Backend`] must do, as a function to be run against each implementation.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assertion is how a conformance suite reports"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{Backend, Error, Expect, MAX_VALUE_BYTES, Observer, key};

/// Runs every check against an empty store.
///
/// # Panics
/// With what the backend did wrong.
pub async fn run(backend: Arc<dyn Backend>) {
    compare_and_set(&*backend).await;
    revisions_rise(&*backend).await;
    deleting(&*backend).await;
    listing(&*backend).await;
    limits(&*backend).await;
    one_of_many_wins(&backend).await;
    no_update_is_lost(&backend).await;
    observers_come_before_answers(&*backend).await;
}

fn text(value: &str) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}

fn assert_conflict<T: std::fmt::Debug>(result: Result<T, Error>, key: &str) {
    assert!(matches!(&result, Err(Error::Conflict { key: named }) if named == key), "{result:?}");
}

async fn compare_and_set(backend: &dyn Backend) {
    assert_eq!(backend.get("cas/a").await.unwrap(), None);
    assert_conflict(backend.put("cas/a", text("x"), Expect::Revision(1)).await, "cas/a");
    let first = backend.put("cas/a", text("one"), Expect::Absent).await.unwrap();
    assert_conflict(backend.put("cas/a", text("x"), Expect::Absent).await, "cas/a");
    let second = backend.put("cas/a", text("two"), Expect::Revision(first)).await.unwrap();
    assert_conflict(backend.put("cas/a", text("x"), Expect::Revision(first)).await, "cas/a");
    let record = backend.get("cas/a").await.unwrap().unwrap();
    assert_eq!((record.value, record.revision), (text("two"), second));
    let third = backend.put("cas/a", Bytes::new(), Expect::Any).await.unwrap();
    let record = backend.get("cas/a").await.unwrap().unwrap();
    assert_eq!((record.value, record.revision), (Bytes::new(), third));
}

async fn revisions_rise(backend: &dyn Backend) {
    let mut last = 0;
    for round in 0..3 {
        for name in ["rise/a", "rise/b"] {
            let revision = backend.put(name, text("v"), Expect::Any).await.unwrap();
            assert!(revision > last, "revision {revision} after {last} in round {round}");
            last = revision;
        }
        backend.delete("rise/b", Expect::Revision(last)).await.unwrap();
    }
}

async fn deleting(backend: &dyn Backend) {
    backend.delete("delete/a", Expect::Any).await.unwrap();
    backend.delete("delete/a", Expect::Absent).await.unwrap();
    assert_conflict(backend.delete("delete/a", Expect::Revision(1)).await, "delete/a");
    let first = backend.put("delete/a", text("1"), Expect::Absent).await.unwrap();
    assert_conflict(backend.delete("delete/a", Expect::Absent).await, "delete/a");
    assert_conflict(backend.delete("delete/a", Expect::Revision(first + 1)).await, "delete/a");
    backend.delete("delete/a", Expect::Revision(first)).await.unwrap();
    assert_eq!(backend.get("delete/a").await.unwrap(), None);
    assert_eq!(backend.list("delete/", None, 10).await.unwrap(), []);
    backend.put("delete/a", text("2"), Expect::Absent).await.unwrap();
    assert_conflict(backend.put("delete/a", text("3"), Expect::Revision(first)).await, "delete/a");
}

async fn listing(backend: &dyn Backend) {
    let names = [
        "list/-", "list/0", "list/9/x", "list/=2F", "list/A", "list/_", "list/a", "list/a-", "list/a/b",
        "list/z",
    ];
    for name in names.iter().rev() {
        backend.put(name, text(name), Expect::Absent).await.unwrap();
    }
    for outside in ["lis", "list", "list-", "list=", "lisu"] {
        backend.put(outside, text("outside"), Expect::Absent).await.unwrap();
    }
    let mut sorted = names;
    sorted.sort_unstable();
    for size in [1, 3, names.len(), 100] {
        let mut found = Vec::new();
        loop {
            let after = found.last().cloned();
            let page = backend.list("list/", after.as_deref(), size).await.unwrap();
            assert!(page.len() <= size);
            assert!(page.iter().all(|(name, record)| record.value == text(name)));
            let last = page.len() < size;
            found.extend(page.into_iter().map(|(name, _)| name));
            if last {
                break;
            }
        }
        assert_eq!(found, sorted, "pages of {size}");
    }
    let keys = async |prefix: &'static str, after, limit| -> Vec<String> {
        backend.list(prefix, after, limit).await.unwrap().into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(keys("list/a", None, 9).await, ["list/a", "list/a-", "list/a/b"]);
    assert_eq!(keys("list/a", Some("list/A"), 9).await, ["list/a", "list/a-", "list/a/b"]);
    assert_eq!(keys("list/a", Some("list/a"), 9).await, ["list/a-", "list/a/b"]);
    assert_eq!(keys("list/", Some("list/y"), 9).await, ["list/z"]);
    assert_eq!(keys("list/", Some("list/zz"), 9).await, [""; 0]);
    assert_eq!(keys("list/", None, 0).await, [""; 0]);
    assert!(keys("", None, 1000).await.iter().any(|name| name == "lisu"));
}

async fn limits(backend: &dyn Backend) {
    let longest = format!("limit/{}", "k".repeat(key::MAX_KEY_BYTES - 6));
    backend.put(&longest, Bytes::from(vec![0; MAX_VALUE_BYTES]), Expect::Absent).await.unwrap();
    assert_eq!(backend.get(&longest).await.unwrap().unwrap().value.len(), MAX_VALUE_BYTES);
    let too_large = backend.put("limit/a", Bytes::from(vec![0; MAX_VALUE_BYTES + 1]), Expect::Any).await;
    assert!(matches!(too_large, Err(Error::TooLarge { bytes, .. }) if bytes == MAX_VALUE_BYTES + 1));
    for bad in ["", "a.b", "a b", "a\0", "ü", &format!("{longest}k")] {
        assert!(matches!(backend.get(bad).await, Err(Error::InvalidKey { .. })), "get {bad:?}");
        let put = backend.put(bad, Bytes::new(), Expect::Any).await;
        assert!(matches!(put, Err(Error::InvalidKey { .. })), "put {bad:?}");
        let delete = backend.delete(bad, Expect::Any).await;
        assert!(matches!(delete, Err(Error::InvalidKey { .. })), "delete {bad:?}");
    }
    assert!(matches!(backend.list("a*", None, 1).await, Err(Error::InvalidKey { .. })));
}

async fn one_of_many_wins(backend: &Arc<dyn Backend>) {
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..32 {
        let backend = backend.clone();
        writers.spawn(async move { backend.put("race/a", text(&number.to_string()), Expect::Absent).await });
    }
    let results = writers.join_all().await;
    let won: Vec<u64> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    assert_eq!(won.len(), 1);
    assert!(results.iter().all(|result| result.as_ref().map_or_else(Error::is_conflict, |_| true)));
    assert_eq!(backend.get("race/a").await.unwrap().unwrap().revision, won[0]);
}

async fn no_update_is_lost(backend: &Arc<dyn Backend>) {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 10;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let backend = backend.clone();
        writers.spawn(async move {
            for round in 0..ROUNDS {
                append(&*backend, "lost/a", &format!("{writer}-{round};")).await;
            }
        });
    }
    writers.join_all().await;
    let record = backend.get("lost/a").await.unwrap().unwrap();
    let words: BTreeSet<String> =
        String::from_utf8(record.value.to_vec()).unwrap().split_terminator(';').map(Into::into).collect();
    assert_eq!(words.len(), WRITERS * ROUNDS);
}

async fn append(backend: &dyn Backend, key: &str, word: &str) {
    loop {
        let present = backend.get(key).await.unwrap();
        let expect = present.as_ref().map_or(Expect::Absent, |record| Expect::Revision(record.revision));
        let mut value = present.map(|record| record.value.to_vec()).unwrap_or_default();
        value.extend_from_slice(word.as_bytes());
        match backend.put(key, value.into(), expect).await {
            Ok(_) => return,
            Err(error) => assert!(error.is_conflict(), "{error}"),
        }
    }
}

#[derive(Default)]
struct Changes(Mutex<Vec<(String, u64)>>);

impl Observer for Changes {
    fn changed(&self, key: &str, revision: u64) {
        self.0.lock().push((key.to_owned(), revision));
    }
}

/// On one node: a cluster's backend is told of its own writes in time as well.
async fn observers_come_before_answers(backend: &dyn Backend) {
    let changes = Arc::new(Changes::default());
    let observer: Arc<dyn Observer> = changes.clone();
    backend.observe("observe/", Arc::downgrade(&observer));
    let gone: Weak<dyn Observer> = Weak::<Changes>::new();
    backend.observe("observe/", gone);
    let first = backend.put("observe/a", text("1"), Expect::Any).await.unwrap();
    assert_eq!(*changes.0.lock(), [("observe/a".to_owned(), first)]);
    assert!(backend.put("observe/a", text("2"), Expect::Absent).await.is_err());
    backend.put("elsewhere/a", text("1"), Expect::Any).await.unwrap();
    backend.delete("observe/none", Expect::Any).await.unwrap();
    backend.delete("observe/a", Expect::Any).await.unwrap();
    let seen = changes.0.lock().clone();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[1].0 == "observe/a" && seen[1].1 > first, "{seen:?}");
}
