//! What is acknowledged is there after a restart, and what was under way ends.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_store::Digest;

use crate::world::{Fault, World, here, new_code, new_description, new_function, package};

#[tokio::test]
async fn what_was_pending_becomes_active() {
    let world = World::new().await;
    let created = world.create(new_function("f")).await.unwrap();
    let world = world.restart().await;
    let active = world.settled("f").await;
    assert_eq!(active.state, Some(State::Active));
    assert_eq!(active.code_sha256, created.code_sha256);
    assert!(world.packages.path(&Digest::of(&package("1"))).is_some());
}

#[tokio::test]
async fn what_was_in_progress_becomes_successful() {
    let world = World::new().await;
    world.created("f").await;
    world.update_code(new_code("f", "2")).await.unwrap();
    let world = world.restart().await;
    let updated = world.settled("f").await;
    assert_eq!(updated.last_update_status, Some(LastUpdateStatus::Successful));
    assert_eq!(updated.code_sha256, Some(Digest::of(&package("2")).to_base64()));
    assert!(world.head("f").await.unwrap().serving.is_none());
}

#[tokio::test]
async fn counts_are_the_same_after_a_restart() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.created(name).await;
    }
    let settings = |world: &World| {
        let control = world.control.clone();
        async move { control.get_account_settings(&here(), GetAccountSettingsRequest {}).await.unwrap() }
    };
    let before = settings(&world).await;
    let world = world.restart().await;
    assert_eq!(settings(&world).await, before);
    assert_eq!(before.account_usage.unwrap().function_count, Some(3));
}

/// The store fails at each of its two points within a creation: the function is not there, or it is and works.
#[tokio::test]
async fn a_creation_that_is_cut_off_leaves_all_or_nothing() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        let world = World::new().await;
        *world.disk.fault.lock() = Some(fault);
        let error = world.create(new_function("f")).await.unwrap_err();
        assert_eq!(error.code, "ServiceException");
        let world = world.restart().await;
        match fault {
            Fault::BeforeCommit => assert!(world.head("f").await.is_none()),
            Fault::AfterCommit => assert_eq!(world.settled("f").await.state, Some(State::Active)),
        }
    }
}

#[tokio::test]
async fn an_update_that_is_cut_off_leaves_the_old_or_the_new() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        let world = World::new().await;
        let before = world.created("f").await;
        *world.disk.fault.lock() = Some(fault);
        world.update_code(new_code("f", "2")).await.unwrap_err();
        let world = world.restart().await;
        let after = world.settled("f").await;
        match fault {
            Fault::BeforeCommit => assert_eq!(after, before),
            Fault::AfterCommit => {
                assert_eq!(after.code_sha256, Some(Digest::of(&package("2")).to_base64()));
            }
        }
    }
}

/// The step that ends an update is tried again when the store failed.
#[tokio::test]
async fn settling_outlives_a_failure_of_the_store() {
    let world = World::with_virtual_clock().await;
    world.created("f").await;
    world.update(new_description("f", "new")).await.unwrap();
    *world.disk.fault.lock() = Some(Fault::BeforeCommit);
    let settled = world.settled("f").await;
    assert_eq!(settled.description.as_deref(), Some("new"));
    assert_eq!(*world.disk.fault.lock(), None);
}

#[tokio::test]
async fn an_archive_that_is_lost_fails_the_update_and_the_old_code_serves() {
    let world = World::new().await;
    world.created("f").await;
    world.update_code(new_code("f", "2")).await.unwrap();
    let world = world.restart_without(&[Digest::of(&package("2"))]).await;
    let after = world.settled("f").await;
    if after.last_update_status == Some(LastUpdateStatus::Successful) {
        return; // A slow machine: the update was through before the server was stopped.
    }
    assert_eq!(after.state, Some(State::Active));
    assert_eq!(after.last_update_status, Some(LastUpdateStatus::Failed));
    assert_eq!(after.last_update_status_reason_code, Some("InvalidZipFileException".into()));
    assert_eq!(world.head("f").await.unwrap().serving().generation, 1);
    world.update_code(new_code("f", "3")).await.unwrap();
    assert_eq!(world.settled("f").await.last_update_status, Some(LastUpdateStatus::Successful));
    assert_eq!(world.head("f").await.unwrap().serving().generation, 3);
}
