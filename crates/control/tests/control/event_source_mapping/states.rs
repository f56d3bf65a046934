//! From Creating to gone, and across restarts.

use super::*;
use crate::world::in_scope;

const IN_USE_UPDATE: &str = "Cannot update the event source mapping because it is in use.";
const IN_USE_DELETE: &str = "Cannot delete the event source mapping because it is in use.";

#[tokio::test]
async fn a_mapping_is_created_then_enabled() {
    let world = world_with(&["f"]).await;
    let new = create(&world, mapping_of(QUEUE)).await.unwrap();
    assert_eq!(state(&new), "Creating");
    let shown = settled(&world, &uuid(&new)).await;
    assert_eq!(state(&shown), "Enabled");
    assert!(shown.last_modified >= new.last_modified);
    let unchanged = Mapping { state: new.state.clone(), last_modified: new.last_modified, ..shown };
    assert_eq!(unchanged, new);
}

#[tokio::test]
async fn a_mapping_may_be_disabled_from_the_start() {
    let world = world_with(&["f"]).await;
    let new = create(&world, CreateEventSourceMappingRequest { enabled: Some(false), ..mapping_of(QUEUE) })
        .await
        .unwrap();
    assert_eq!(state(&new), "Creating");
    assert_eq!(state(&settled(&world, &uuid(&new)).await), "Disabled");
}

#[tokio::test]
async fn updates_go_through_states_of_their_own() {
    let world = world_with(&["f"]).await;
    let id = uuid(&created(&world, mapping_of(QUEUE)).await);
    let enabled = |enabled| UpdateEventSourceMappingRequest { enabled: Some(enabled), ..change(&id) };
    let size = |size| UpdateEventSourceMappingRequest { batch_size: Some(size), ..change(&id) };
    for (input, during, after) in [
        (enabled(true), "Updating", "Enabled"),
        (size(5), "Updating", "Enabled"),
        (enabled(false), "Disabling", "Disabled"),
        (size(6), "Updating", "Disabled"),
        (change(&id), "Updating", "Disabled"),
        (enabled(true), "Enabling", "Enabled"),
    ] {
        let shown = update(&world, input.clone()).await.unwrap();
        assert_eq!(state(&shown), during, "{input:?}");
        assert_eq!(state(&settled(&world, &id).await), after, "{input:?}");
    }
    assert_eq!(get(&world, &id).await.unwrap().batch_size, Some(6));
}

/// Begins a transition and tries what it should be in the way of; once more if it ended too soon on a slow machine.
async fn refusal_during<T: std::fmt::Debug>(
    world: &World,
    begin: impl AsyncFn(&str),
    attempt: impl AsyncFn(String) -> Answer<T>,
) -> rushlight_api::Error {
    loop {
        let id = uuid(&created(world, mapping_of(QUEUE)).await);
        begin(&id).await;
        let refused = attempt(id.clone()).await.err();
        let is_there = is_eventually("at rest", async || match get(world, &id).await {
            Err(_) => Some(false),
            Ok(mapping) => matches!(state(&mapping), "Enabled" | "Disabled").then_some(true),
        })
        .await;
        if is_there {
            delete(world, &id).await.unwrap();
            gone(world, &id).await;
        }
        if let Some(refused) = refused.filter(|refused| refused.code != "ResourceNotFoundException") {
            return refused;
        }
    }
}

#[tokio::test]
async fn what_is_under_way_is_not_to_be_disturbed() {
    let world = world_with(&["f"]).await;
    let updating = async |id: &str| drop(update(&world, change(id)).await.unwrap());
    let deleting = async |id: &str| drop(delete(&world, id).await.unwrap());
    let update_it = async |id: String| update(&world, change(&id)).await;
    let delete_it = async |id: String| delete(&world, &id).await;
    for (refused, text) in [
        (refusal_during(&world, updating, update_it).await, IN_USE_UPDATE),
        (refusal_during(&world, updating, delete_it).await, IN_USE_DELETE),
        (refusal_during(&world, deleting, update_it).await, IN_USE_UPDATE),
        (refusal_during(&world, deleting, delete_it).await, IN_USE_DELETE),
    ] {
        assert_eq!(
            (refused.code.as_ref(), refused.message.as_deref(), refused.status.as_u16()),
            ("ResourceInUseException", Some(text), 400)
        );
    }
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_may_come_again() {
    let world = world_with(&["f"]).await;
    let id = uuid(&created(&world, mapping_of(QUEUE)).await);
    assert_eq!(state(&delete(&world, &id).await.unwrap()), "Deleting");
    gone(&world, &id).await;
    for refused in [
        get(&world, &id).await.unwrap_err(),
        update(&world, change(&id)).await.unwrap_err(),
        delete(&world, &id).await.unwrap_err(),
    ] {
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert_eq!(refused.message.as_deref(), Some("The resource you requested does not exist."));
    }
    assert!(list_all(&world).await.is_empty());
    assert_ne!(uuid(&created(&world, mapping_of(QUEUE)).await), id);
}

#[tokio::test]
async fn a_mapping_outlives_its_function() {
    let world = world_with(&["f"]).await;
    let id = uuid(&created(&world, mapping_of(QUEUE)).await);
    world.settled("f").await;
    world.delete("f", None).await.unwrap();
    assert_eq!(state(&get(&world, &id).await.unwrap()), "Enabled");
    assert_eq!(list_all(&world).await.len(), 1);
    let input = UpdateEventSourceMappingRequest { batch_size: Some(3), ..change(&id) };
    update(&world, input).await.unwrap();
    settled(&world, &id).await;
    delete(&world, &id).await.unwrap();
    gone(&world, &id).await;
}

#[tokio::test]
async fn mappings_of_other_accounts_and_regions_are_not_there() {
    let world = world_with(&["f"]).await;
    let id = uuid(&created(&world, mapping_of(QUEUE)).await);
    for context in [in_scope("999999999999", "eu-west-1"), in_scope("123456789012", "us-east-1")] {
        assert_eq!(get_as(&world, &context, &id).await.unwrap_err().code, "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn transitions_end_after_a_restart() {
    let world = world_with(&["f", "g"]).await;
    let creating = create(&world, mapping_of(QUEUE)).await.unwrap();
    let disabled = CreateEventSourceMappingRequest { enabled: Some(false), ..stream(STREAM) };
    let creating_disabled = create(&world, disabled).await.unwrap();
    let deleting = created(&world, stream(TABLE_STREAM)).await;
    delete(&world, &uuid(&deleting)).await.unwrap();
    let world = world.restart().await;
    assert_eq!(state(&settled(&world, &uuid(&creating)).await), "Enabled");
    assert_eq!(state(&settled(&world, &uuid(&creating_disabled)).await), "Disabled");
    gone(&world, &uuid(&deleting)).await;
    let input = UpdateEventSourceMappingRequest { enabled: Some(false), ..change(&uuid(&creating)) };
    update(&world, input).await.unwrap();
    let world = world.restart().await;
    assert_eq!(state(&settled(&world, &uuid(&creating)).await), "Disabled");
    let kept = world.restart().await;
    let shown = get(&kept, &uuid(&creating)).await.unwrap();
    assert_eq!(state(&shown), "Disabled");
    assert_eq!(list_all(&kept).await.len(), 2);
}

#[tokio::test]
async fn settling_outlives_a_failure_of_the_store() {
    let world = World::with_virtual_clock().await;
    world.create(crate::world::new_function("f")).await.unwrap();
    world.settled("f").await;
    let id = uuid(&created(&world, mapping_of(QUEUE)).await);
    update(&world, change(&id)).await.unwrap();
    *world.disk.fault.lock() = Some(crate::world::Fault::BeforeCommit);
    assert_eq!(state(&settled(&world, &id).await), "Enabled");
    assert_eq!(*world.disk.fault.lock(), None);
}

#[tokio::test]
async fn tags_are_kept_with_the_mapping() {
    let world = world_with(&["f"]).await;
    let input = CreateEventSourceMappingRequest {
        tags: Some([("a".to_owned(), "1".to_owned())].into()),
        ..mapping_of(QUEUE)
    };
    let mapping = create(&world, input).await.unwrap();
    let arn = mapping.event_source_mapping_arn.clone().unwrap();
    let tags = async || {
        let input = ListTagsRequest { resource: arn.clone() };
        world.control.list_tags(&here(), input).await.unwrap().tags.unwrap()
    };
    let tag = |arn: &str| TagResourceRequest {
        resource: arn.into(),
        tags: [("b".to_owned(), "2".to_owned())].into(),
    };
    world.control.tag_resource(&here(), tag(&arn)).await.unwrap();
    let id = uuid(&mapping);
    settled(&world, &id).await;
    update(&world, change(&id)).await.unwrap();
    let untag = UntagResourceRequest { resource: arn.clone(), tag_keys: vec!["a".into()] };
    world.control.untag_resource(&here(), untag).await.unwrap();
    settled(&world, &id).await;
    assert_eq!(tags().await, [("b".to_owned(), "2".to_owned())].into());
    for missing in
        [arn.replace(&id, "11111111-2222-3333-4444-555555555555"), arn.replace("eu-west-1", "us-east-1")]
    {
        let refused = world.control.tag_resource(&here(), tag(&missing)).await.unwrap_err();
        assert_eq!(refused.message, Some(format!("Event source mapping not found: {missing}")));
        assert_eq!(refused.code, "ResourceNotFoundException");
    }
}
