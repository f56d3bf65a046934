//! Many clients at a time.

use std::sync::Arc;

use rushlight_api::lambda::types::*;
use rushlight_model::clock::Clock;
use rushlight_model::quota::AccountQuotas;
use rushlight_store::Digest;
use tokio::task::JoinSet;

use crate::world::{Answer, World, new_code, new_description, new_function, package};

const CLIENTS: usize = 16;

/// Has all clients act at once; how many succeeded, and the codes of those that did not.
async fn race<T: Send + 'static, F>(act: impl Fn(usize) -> F) -> (Vec<T>, Vec<String>)
where
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(act(client));
    }
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    while let Some(answer) = clients.join_next().await {
        match answer.unwrap() {
            Ok(answer) => won.push(answer),
            Err(error) => lost.push(error.code.into_owned()),
        }
    }
    (won, lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_creates_a_name() {
    let world = Arc::new(World::new().await);
    let (won, lost) = race(|client| {
        let world = world.clone();
        async move {
            let mut input = new_function("f");
            input.code.zip_file = Some(package(&client.to_string()));
            world.create(input).await
        }
    })
    .await;
    assert_eq!(won.len(), 1);
    assert_eq!(lost, vec!["ResourceConflictException"; CLIENTS - 1]);
    let kept = world.settled("f").await;
    assert_eq!(kept.code_sha256, won[0].code_sha256);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_updates_a_revision() {
    let world = Arc::new(World::new().await);
    let revision = world.created("f").await.revision_id;
    let (won, lost) = race(|client| {
        let (world, revision_id) = (world.clone(), revision.clone());
        async move {
            if client % 2 == 0 {
                let code = UpdateFunctionCodeRequest { revision_id, ..new_code("f", &client.to_string()) };
                world.update_code(code).await
            } else {
                let configuration = UpdateFunctionConfigurationRequest {
                    revision_id,
                    ..new_description("f", &client.to_string())
                };
                world.update(configuration).await
            }
        }
    })
    .await;
    assert_eq!(won.len(), 1);
    assert_eq!(lost, vec!["PreconditionFailedException"; CLIENTS - 1]);
    let kept = world.settled("f").await;
    assert_eq!(kept.code_sha256, won[0].code_sha256);
    assert_eq!(kept.description, won[0].description);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_deletes() {
    let world = Arc::new(World::new().await);
    world.created("f").await;
    let (won, lost) = race(|_| {
        let world = world.clone();
        async move { world.delete("f", None).await }
    })
    .await;
    assert_eq!(won.len(), 1);
    assert_eq!(lost, vec!["ResourceNotFoundException"; CLIENTS - 1]);
    assert_eq!(*world.data_plane.told.lock(), ["f is gone"]);
}

/// Whatever the order, a deleted function does not come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn updates_do_not_bring_a_deleted_function_back() {
    let world = Arc::new(World::new().await);
    for round in 0..8 {
        let name = format!("f{round}");
        world.created(&name).await;
        let (won, lost) = race(|client| {
            let (world, name) = (world.clone(), name.clone());
            async move {
                match client {
                    0 => world.delete(&name, None).await.map(|_| "deleted"),
                    1 => world.update_code(new_code(&name, "2")).await.map(|_| "updated"),
                    _ => world.update(new_description(&name, "x")).await.map(|_| "updated"),
                }
            }
        })
        .await;
        assert!(won.contains(&"deleted"));
        let told = ["ResourceNotFoundException", "ResourceConflictException"];
        assert!(lost.iter().all(|code| told.contains(&code.as_str())), "{lost:?}");
        assert!(world.head(&name).await.is_none());
        tokio::time::sleep(longer_than_pending()).await;
        assert!(world.head(&name).await.is_none());
    }
}

/// A little longer than a function is Pending.
fn longer_than_pending() -> std::time::Duration {
    std::time::Duration::from_millis(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deleted_name_is_free_and_the_new_function_is_its_own() {
    let world = World::new().await;
    world.created("f").await;
    let first = world.head("f").await.unwrap();
    world.delete("f", None).await.unwrap();
    let mut input = new_function("f");
    input.code.zip_file = Some(package("other"));
    world.create(input).await.unwrap();
    world.settled("f").await;
    let second = world.head("f").await.unwrap();
    assert_ne!(first.incarnation, second.incarnation);
    assert!(world.blobs.contains(&Digest::of(&package("other"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_are_created_as_the_storage_holds() {
    let quotas =
        AccountQuotas { code_storage_bytes: 5 * package("1").len() as u64, ..AccountQuotas::default() };
    let world = Arc::new(World::with(Clock::real(), quotas).await);
    let (won, lost) = race(|client| {
        let world = world.clone();
        async move { world.create(new_function(&format!("f{client}"))).await }
    })
    .await;
    assert!((1..=5).contains(&won.len()), "{}", won.len());
    assert!(lost.iter().all(|code| code == "CodeStorageExceededException"), "{lost:?}");
    // What was promised to those that lost is free again.
    for number in won.len()..5 {
        world.create(new_function(&format!("later{number}"))).await.unwrap();
    }
    assert!(world.create(new_function("more")).await.is_err());
}

/// A caller that hangs up leaves no function that stays Pending.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hanging_up_does_not_cut_a_change_in_two() {
    let world = World::new().await;
    for delay in 0..60_u64 {
        let name = format!("f{delay}");
        let hung_up = std::time::Duration::from_micros(delay * 100);
        let _ = tokio::time::timeout(hung_up, world.create(new_function(&name))).await;
    }
    tokio::time::sleep(longer_than_pending()).await;
    for delay in 0..60_u64 {
        let name = format!("f{delay}");
        if world.head(&name).await.is_some() {
            assert_eq!(world.settled(&name).await.state, Some(State::Active));
        }
    }
}
