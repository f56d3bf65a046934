//! The typed layer over a real store.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::convert::Infallible;
use std::sync::Arc;

use rushlight_store::table::{Table, UpdateError, function};
use rushlight_store::{Backend, DataDirectory, Error, Expect, Sqlite};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    counter: u64,
}

fn tables(directory: &tempfile::TempDir) -> (DataDirectory, Arc<Sqlite>, Table<Head>) {
    let data = DataDirectory::open(directory.path()).unwrap();
    let store = Arc::new(Sqlite::open(&data).unwrap());
    let table = Table::new(store.clone(), function::HEADS, 100);
    (data, store, table)
}

#[tokio::test]
async fn a_row_is_in_memory_after_a_write_and_after_a_read() {
    let directory = tempfile::tempdir().unwrap();
    let (_data, store, table) = tables(&directory);
    let key = function::head_key("000000000000", "eu-west-1", "f");
    assert!(table.cached(&key).is_none() && table.get(&key).await.unwrap().is_none());
    let entry = table.put(&key, Head { counter: 1 }, Expect::Absent).await.unwrap();
    assert_eq!(table.cached(&key).unwrap().revision, entry.revision);

    let fresh: Table<Head> = Table::new(store, function::HEADS, 100);
    assert!(fresh.cached(&key).is_none());
    assert_eq!(*fresh.get(&key).await.unwrap().unwrap().value, Head { counter: 1 });
    assert_eq!(fresh.cached(&key).unwrap().revision, entry.revision);
    // A write through one table is seen through the other.
    let newer = table.put(&key, Head { counter: 2 }, Expect::Revision(entry.revision)).await.unwrap();
    assert!(fresh.cached(&key).is_none());
    assert_eq!(fresh.get(&key).await.unwrap().unwrap().revision, newer.revision);
    fresh.delete(&key, Expect::Revision(newer.revision)).await.unwrap();
    assert!(table.cached(&key).is_none() && table.get(&key).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_go_back_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let (_data, _store, table) = tables(&directory);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let table = table.clone();
        tasks.spawn(async move {
            for _ in 0..25 {
                let add = |present: Option<&rushlight_store::table::Entry<Head>>| {
                    Ok::<_, Infallible>(Head { counter: present.map_or(0, |entry| entry.value.counter) + 1 })
                };
                let written = table.update("k", add).await.unwrap();
                // What was acknowledged is the least that a later read may show.
                let seen = table.get("k").await.unwrap().unwrap();
                assert!(seen.revision >= written.revision);
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(table.get("k").await.unwrap().unwrap().value.counter, 100);
}

#[tokio::test]
async fn an_update_may_be_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (_data, _store, table) = tables(&directory);
    let refused = table
        .update("k", |present| if present.is_none() { Err("not there") } else { Ok(Head { counter: 0 }) });
    assert!(matches!(refused.await, Err(UpdateError::Refused("not there"))));
    assert!(table.get("k").await.unwrap().is_none());
}

#[tokio::test]
async fn rows_are_listed_within_the_table() {
    let directory = tempfile::tempdir().unwrap();
    let (_data, store, table) = tables(&directory);
    store.put("functional/x", bytes::Bytes::from_static(b"not json"), Expect::Any).await.unwrap();
    for name in ["b", "a", "c"] {
        let key = function::head_key("000000000000", "eu-west-1", name);
        table.put(&key, Head { counter: 0 }, Expect::Absent).await.unwrap();
    }
    let scope = function::scope("000000000000", "eu-west-1");
    let page = table.list(&scope, Some(&format!("{scope}a")), 2).await.unwrap();
    let keys: Vec<&str> = page.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, [format!("{scope}b"), format!("{scope}c")]);
    assert!(table.list(&function::scope("000000000000", "eu-west-2"), None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_that_is_not_understood_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (_data, store, table) = tables(&directory);
    store.put("function/k", bytes::Bytes::from_static(b"{}"), Expect::Any).await.unwrap();
    assert!(matches!(table.get("k").await, Err(Error::Decode { key, .. }) if key == "function/k"));
}
