//! The ledger on a real store.

use std::time::Duration;

use rushlight_model::arn::FunctionId;
use rushlight_model::clock::Timestamp;
use rushlight_model::function::{Architecture, Code};
use rushlight_model::layer::{FunctionLayer, LayerContent, LayerId};
use rushlight_store::{DataDirectory, Expect, Sqlite};

use super::*;
use crate::function::create::initial;

struct World {
    functions: Table<FunctionHead>,
    layer_versions: Table<LayerVersion>,
    ledger: Arc<Ledger>,
    _directory: tempfile::TempDir,
}

impl World {
    fn new(code_storage_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        let store: Arc<dyn Backend> = Arc::new(Sqlite::open(&data).unwrap());
        let functions = Table::new(store.clone(), function::HEADS, 100);
        let layer_versions = Table::new(store.clone(), layer::VERSIONS, 100);
        let tables = Tables { functions: functions.clone(), layer_versions: layer_versions.clone() };
        let ledger = Ledger::observing(&store, tables, code_storage_bytes);
        Self { functions, layer_versions, ledger, _directory: directory }
    }

    async fn put(&self, name: &str, archive: Digest, size: u64) {
        let head = head(name, archive, size);
        self.functions.put(name, head, Expect::Any).await.unwrap();
    }

    async fn usage(&self) -> (u64, u64) {
        let usage = self.ledger.usage(&scope()).await.unwrap();
        (usage.functions, usage.code_bytes)
    }
}

fn scope() -> Scope {
    Scope { account: "123456789012".into(), region: "eu-west-1".into() }
}

fn head(name: &str, archive: Digest, size: u64) -> FunctionHead {
    let code = Code::Zip {
        runtime: "python3.12".into(),
        handler: "h.h".into(),
        sha256: archive.to_string(),
        size,
        unpacked_size: size,
    };
    let latest = initial(name, code, Architecture::X86_64, Timestamp::from_millis(0));
    FunctionHead::new(FunctionId { scope: scope(), name: name.into() }, name.into(), latest)
}

fn archive(number: u8) -> Digest {
    Digest::of(&[number])
}

#[tokio::test]
async fn sums_follow_the_rows() {
    let world = World::new(1000);
    assert_eq!(world.usage().await, (0, 0));
    world.put("a", archive(1), 10).await;
    world.put("b", archive(1), 10).await;
    assert_eq!(world.usage().await, (2, 20));
    world.put("a", archive(2), 15).await;
    assert_eq!(world.usage().await, (2, 25));
    assert_eq!(world.ledger.take_unnamed(), []);
    world.functions.delete("b", Expect::Any).await.unwrap();
    assert_eq!(world.usage().await, (1, 15));
    assert_eq!(world.ledger.take_unnamed(), [(archive(1), 10)]);
}

#[tokio::test]
async fn promises_count_until_they_are_kept_or_given_up() {
    let world = World::new(100);
    let promise = world.ledger.reserve(&scope(), 60).await.unwrap();
    assert!(world.ledger.reserve(&scope(), 41).await.is_err());
    assert!(world.ledger.reserve(&scope(), 40).await.is_ok());
    world.put("a", archive(1), 60).await;
    drop(promise);
    assert!(world.ledger.reserve(&scope(), 41).await.is_err());
    assert!(world.ledger.reserve(&scope(), 40).await.is_ok());
    assert!(world.ledger.reserve(&scope(), 0).await.is_ok());
}

/// Between the write of a row and its being counted, somebody may ask: the promise stands for the row.
#[tokio::test]
async fn a_promise_is_counted_until_its_row_is() {
    let world = World::new(100);
    let promise = world.ledger.reserve(&scope(), 60).await.unwrap();
    world.put("a", archive(1), 60).await;
    drop(promise);
    let counted = || {
        let usage = world.ledger.state.lock().usage[&scope()];
        (usage.code_bytes, usage.promised_bytes)
    };
    assert_eq!(counted(), (0, 60));
    world.ledger.refresh().await.unwrap();
    assert_eq!(counted(), (60, 0));
}

/// Whoever writes up to the limit is not refused, and nobody writes beyond it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_gets_what_there_is() {
    for _ in 0..20 {
        let world = Arc::new(World::new(10));
        let mut crowd = tokio::task::JoinSet::new();
        for number in 0..24 {
            let world = world.clone();
            crowd.spawn(async move {
                let promise = world.ledger.reserve(&scope(), 1).await;
                if promise.is_ok() {
                    world.put(&number.to_string(), archive(number), 1).await;
                }
                promise.is_ok()
            });
        }
        let got = crowd.join_all().await.into_iter().filter(|got| *got).count();
        assert_eq!((got, world.usage().await), (10, (10, 10)));
    }
}

#[tokio::test]
async fn what_is_named_held_or_not_counted_is_not_removed() {
    let world = World::new(1000);
    let hold = world.ledger.hold(archive(1)).await;
    assert!(world.ledger.begin_removal(archive(1)).is_none());
    world.put("a", archive(1), 10).await;
    drop(hold);
    assert!(world.ledger.begin_removal(archive(1)).is_none(), "a row is not counted yet");
    world.ledger.refresh().await.unwrap();
    assert!(world.ledger.begin_removal(archive(1)).is_none());
    assert!(world.ledger.begin_removal(archive(2)).is_some());
}

#[tokio::test]
async fn an_upload_waits_for_the_removal_of_the_same_archive() {
    let world = World::new(1000);
    let removal = world.ledger.begin_removal(archive(1)).unwrap();
    assert!(world.ledger.begin_removal(archive(1)).is_none());
    let hold = world.ledger.hold(archive(1));
    tokio::pin!(hold);
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut hold).await.is_err());
    drop(removal);
    let _hold = tokio::time::timeout(Duration::from_secs(10), hold).await.unwrap();
    assert!(world.ledger.begin_removal(archive(1)).is_none());
}

#[tokio::test]
async fn an_upload_that_comes_to_nothing_is_garbage() {
    let world = World::new(1000);
    drop(world.ledger.hold(archive(1)).await);
    assert_eq!(world.ledger.take_unnamed(), [(archive(1), 0)]);
}

fn content(archive: Digest, size: u64) -> LayerContent {
    LayerContent { sha256: archive.to_string(), size, unpacked_size: size, referenced_object: None }
}

fn layer_version(number: u64, archive: Digest, size: u64) -> LayerVersion {
    LayerVersion {
        layer: LayerId { scope: scope(), name: "l".into() },
        number,
        description: String::new(),
        license_info: None,
        compatible_architectures: None,
        compatible_runtimes: None,
        created: Timestamp::from_millis(0),
        content: content(archive, size),
        policy: None,
    }
}

#[tokio::test]
async fn layer_versions_count_as_long_as_they_are_there() {
    let world = World::new(1000);
    world.put("a", archive(1), 10).await;
    for number in 1..=2 {
        let version = layer_version(number, archive(2), 20);
        world.layer_versions.put(&number.to_string(), version, Expect::Absent).await.unwrap();
    }
    assert_eq!(world.usage().await, (1, 50));
    assert!(world.ledger.reserve(&scope(), 951).await.is_err());
    world.layer_versions.delete("1", Expect::Any).await.unwrap();
    assert_eq!(world.usage().await, (1, 30));
    assert_eq!(world.ledger.take_unnamed(), []);
    world.layer_versions.delete("2", Expect::Any).await.unwrap();
    assert_eq!(world.usage().await, (1, 10));
    assert_eq!(world.ledger.take_unnamed(), [(archive(2), 20)]);
}

#[tokio::test]
async fn a_function_keeps_the_archive_of_a_deleted_layer_version() {
    let world = World::new(1000);
    world.layer_versions.put("1", layer_version(1, archive(2), 20), Expect::Absent).await.unwrap();
    let mut head = head("a", archive(1), 10);
    head.latest.layers = vec![FunctionLayer { arn: "l:1".into(), content: content(archive(2), 20) }];
    world.functions.put("a", head, Expect::Any).await.unwrap();
    world.layer_versions.delete("1", Expect::Any).await.unwrap();
    assert_eq!(world.usage().await, (1, 10));
    assert_eq!(world.ledger.take_unnamed(), []);
    assert!(world.ledger.begin_removal(archive(2)).is_none());
    world.functions.delete("a", Expect::Any).await.unwrap();
    world.ledger.refresh().await.unwrap();
    assert_eq!(world.ledger.take_unnamed().len(), 2);
    assert!(world.ledger.begin_removal(archive(2)).is_some());
}

#[tokio::test]
async fn what_was_there_at_start_is_counted() {
    let world = World::new(1000);
    world.layer_versions.put("1", layer_version(1, archive(2), 20), Expect::Absent).await.unwrap();
    world.ledger.state.lock().dirty.clear();
    assert_eq!(world.usage().await, (0, 0));
    world.ledger.count_layers().await.unwrap();
    assert_eq!(world.usage().await, (0, 20));
}
