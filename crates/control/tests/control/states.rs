//! States as a client sees them.

use std::time::{Duration, Instant};

use rushlight_api::lambda::types::*;
use rushlight_store::Digest;

use crate::world::{World, new_code, new_description, new_function, package};

#[tokio::test]
async fn pending_is_seen_then_active_with_a_new_revision() {
    let world = World::new().await;
    let begun = Instant::now();
    let created = world.create(new_function("f")).await.unwrap();
    assert_eq!(created.state, Some(State::Pending));
    assert_eq!(created.last_update_status, None);
    let polled = world.configuration("f").await.unwrap();
    if begun.elapsed() < Duration::from_millis(100) {
        assert_eq!(polled.state, Some(State::Pending));
        assert_eq!(polled.revision_id, created.revision_id);
    }
    let active = world.settled("f").await;
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(active.state, Some(State::Active));
    assert_eq!(active.state_reason, None);
    assert_eq!(active.state_reason_code, None);
    assert_eq!(active.last_update_status, Some(LastUpdateStatus::Successful));
    assert_ne!(active.revision_id, created.revision_id);
    assert_eq!(active.last_modified, created.last_modified);
}

#[tokio::test]
async fn updates_are_in_progress_then_successful() {
    let world = World::new().await;
    let active = world.created("f").await;
    let updating = world.update_code(new_code("f", "2")).await.unwrap();
    assert_eq!(updating.state, Some(State::Active));
    assert_eq!(updating.last_update_status, Some(LastUpdateStatus::InProgress));
    assert_eq!(updating.last_update_status_reason.as_deref(), Some("The function is being created."));
    let updated = world.settled("f").await;
    assert_eq!(updated.last_update_status, Some(LastUpdateStatus::Successful));
    assert_eq!(updated.last_update_status_reason, None);
    let revisions = [&active, &updating, &updated].map(|shown| shown.revision_id.clone());
    assert!(revisions[0] != revisions[1] && revisions[1] != revisions[2]);
}

#[tokio::test]
async fn the_old_code_serves_while_the_new_is_prepared() {
    let world = World::new().await;
    world.created("f").await;
    let sha256 = |configuration: &rushlight_model::function::FunctionConfiguration| match &configuration.code
    {
        rushlight_model::function::Code::Zip { sha256, .. } => sha256.clone(),
        rushlight_model::function::Code::Image { .. } => unreachable!(),
    };
    world.update_code(new_code("f", "2")).await.unwrap();
    let head = world.head("f").await.unwrap();
    if head.serving.is_some() {
        assert_eq!(sha256(head.serving()), Digest::of(&package("1")).to_string());
    }
    world.settled("f").await;
    let head = world.head("f").await.unwrap();
    assert_eq!(sha256(head.serving()), Digest::of(&package("2")).to_string());
    assert_eq!(head.latest.generation, 2);
    world.is_told("f serves 2").await;
    assert_eq!(*world.data_plane.told.lock(), ["f serves 2"]);
}

#[tokio::test]
async fn the_package_is_unpacked_before_the_function_is_active() {
    let world = World::new().await;
    world.created("f").await;
    let path = world.packages.path(&Digest::of(&package("1"))).unwrap();
    assert!(path.join("index.py").is_file());
}

#[tokio::test]
async fn nothing_is_updated_while_something_is_under_way() {
    let world = World::new().await;
    let created = world.create(new_function("f")).await.unwrap();
    if let Err(error) = world.update(new_description("f", "x")).await {
        assert_eq!(error.code, "ResourceConflictException");
        assert_eq!(
            error.message.unwrap(),
            "The operation cannot be performed at this time. The function is currently in the following state: \
             Pending"
        );
    }
    world.settled("f").await;
    let mut first = new_description("f", "1");
    first.revision_id = None;
    world.update(first).await.unwrap();
    if let Err(error) = world.update_code(new_code("f", "2")).await {
        assert_eq!(error.code, "ResourceConflictException");
        assert_eq!(
            error.message.unwrap(),
            format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                created.function_arn.unwrap()
            )
        );
    }
    world.settled("f").await;
}

/// The clock that the states wait on is the one that users can push ahead.
#[tokio::test]
async fn a_virtual_clock_ends_the_wait() {
    let world = World::with_virtual_clock().await;
    world.create(new_function("f")).await.unwrap();
    world.clock.advance(Duration::from_secs(3600)).unwrap();
    let active = world.settled("f").await;
    assert_eq!(active.state, Some(State::Active));
}
