//! The SQLite backend: the conformance suite, restarts, and death at any moment.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rushlight_store::{Backend, DataDirectory, Error, Expect, Sqlite, conformance};

fn open(path: &std::path::Path) -> (DataDirectory, Arc<Sqlite>) {
    let data = DataDirectory::open(path).unwrap();
    let store = Arc::new(Sqlite::open(&data).unwrap());
    (data, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let directory = tempfile::tempdir().unwrap();
    let (_data, store) = open(directory.path());
    conformance::run(store).await;
}

#[tokio::test]
async fn a_closed_store_refuses_and_a_reopened_one_remembers() {
    let directory = tempfile::tempdir().unwrap();
    let (data, store) = open(directory.path());
    let first = store.put("a", Bytes::from_static(b"1"), Expect::Absent).await.unwrap();
    let last = store.put("b", Bytes::from_static(b"2"), Expect::Absent).await.unwrap();
    store.delete("b", Expect::Any).await.unwrap();
    store.close();
    assert!(matches!(store.put("a", Bytes::new(), Expect::Any).await, Err(Error::Closed)));
    drop((store, data));
    let (_data, store) = open(directory.path());
    assert_eq!(store.get("a").await.unwrap().unwrap().revision, first);
    let next = store.put("b", Bytes::from_static(b"3"), Expect::Absent).await.unwrap();
    assert!(next > last + 1, "a deleted record's revision, {last}, was given again");
}

#[tokio::test]
async fn a_write_whose_caller_went_away_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let (_data, store) = open(directory.path());
    for number in 0..100 {
        let value = Bytes::from(number.to_string());
        let put = store.put("a", value, Expect::Any);
        let _ = tokio::time::timeout(Duration::from_micros(number * 5), put).await;
    }
    let revision = store.put("a", Bytes::from_static(b"end"), Expect::Any).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().revision, revision);
}

/// The child of [`survives_sudden_death`]: writers that print what was acknowledged until they are killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer_to_be_killed() {
    let Ok(path) = std::env::var("RUSHLIGHT_CRASH_TEST_DIRECTORY") else {
        return;
    };
    let (_data, store) = open(path.as_ref());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = store.clone();
        writers.spawn(async move {
            let key = format!("crash/{writer}");
            let mut present = store.get(&key).await.unwrap();
            loop {
                let number = present.as_ref().map_or(0, |record| number_in(&record.value)) + 1;
                let expect =
                    present.as_ref().map_or(Expect::Absent, |record| Expect::Revision(record.revision));
                let value = Bytes::from(format!("{number} ").repeat(200));
                let revision = store.put(&key, value.clone(), expect).await.unwrap();
                // One write call: a line is whole or absent.
                println!("acknowledged {writer} {number}");
                present = Some(rushlight_store::Record { value, revision });
            }
        });
    }
    writers.join_next().await;
}

/// Every word of a value is the same number: a value of mixed or missing words was written in part.
fn number_in(value: &[u8]) -> u64 {
    let text = std::str::from_utf8(value).unwrap();
    let words: Vec<&str> = text.split_terminator(' ').collect();
    assert_eq!(words.len(), 200, "a half written value: {text}");
    assert!(words.iter().all(|word| *word == words[0]), "a mixed value: {text}");
    words[0].parse().unwrap()
}

#[test]
fn survives_sudden_death() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["writer_to_be_killed", "--exact", "--nocapture"])
            .env("RUSHLIGHT_CRASH_TEST_DIRECTORY", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A number of acknowledgements that differs from round to round, then no mercy.
        for line in lines.by_ref().map_while(Result::ok).take(20 + (round * 37 % 101) as usize) {
            note(&line, &mut acknowledged);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| note(&line, &mut acknowledged));
        check(directory.path(), &acknowledged);
    }
    assert!(acknowledged.len() == 8, "{acknowledged:?}");
}

fn note(line: &str, acknowledged: &mut BTreeMap<String, u64>) {
    let words: Vec<&str> = line.split(' ').collect();
    if let ["acknowledged", writer, number] = words[..] {
        let number = number.parse().unwrap();
        let before = acknowledged.insert(format!("crash/{writer}"), number);
        assert!(before < Some(number), "{line} after {before:?}");
    }
}

fn check(path: &std::path::Path, acknowledged: &BTreeMap<String, u64>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_data, store) = open(path);
    for (key, number) in acknowledged {
        let record = runtime.block_on(store.get(key)).unwrap();
        let found = record.map_or(0, |record| number_in(&record.value));
        // One more may have been written whose acknowledgement did not get out.
        assert!(found == *number || found == number + 1, "{key}: acknowledged {number}, found {found}");
    }
}
