//! Versions and aliases: what is published stays, also over races, crashes and restarts.

use std::collections::BTreeSet;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_store::Backend;
use rushlight_store::Digest;
use rushlight_store::table::version::VERSIONS;
use tokio::task::JoinSet;

use crate::world::{Answer, Fault, World, here, new_code, new_description, new_function, package};

async fn publish(world: &World, name: &str) -> Answer<FunctionConfiguration> {
    let input = PublishVersionRequest { function_name: name.into(), ..PublishVersionRequest::default() };
    world.control.publish_version(&here(), input).await
}

async fn update(world: &World, name: &str, description: &str) {
    world.update(new_description(name, description)).await.unwrap();
    world.settled(name).await;
}

async fn alias(world: &World, name: &str, version: &str) -> Answer<AliasConfiguration> {
    let input = CreateAliasRequest {
        function_name: "f".into(),
        name: name.into(),
        function_version: version.into(),
        ..CreateAliasRequest::default()
    };
    world.control.create_alias(&here(), input).await
}

async fn rows(world: &World) -> usize {
    world.disk.list(&format!("{VERSIONS}/"), None, 1000).await.unwrap().len()
}

fn code_of(configuration: &FunctionConfiguration) -> &str {
    configuration.code_sha256.as_deref().unwrap()
}

#[tokio::test]
async fn a_version_keeps_its_code_and_configuration() {
    let world = World::new().await;
    world.created("f").await;
    let first = publish(&world, "f").await.unwrap();
    world.update_code(new_code("f", "2")).await.unwrap();
    world.settled("f").await;
    update(&world, "f", "changed").await;
    let second = publish(&world, "f").await.unwrap();
    assert_eq!((first.version.as_deref(), second.version.as_deref()), (Some("1"), Some("2")));
    let world = world.restart().await;
    for (number, published) in [("1", &first), ("2", &second)] {
        let shown = world.get("f", Some(number)).await.unwrap().configuration.unwrap();
        assert_eq!(&shown, published);
    }
    assert_eq!(code_of(&first), Digest::of(&package("1")).to_base64());
    assert_eq!(code_of(&second), Digest::of(&package("2")).to_base64());
}

#[tokio::test]
async fn what_has_not_changed_is_not_published_again() {
    let world = World::new().await;
    world.created("f").await;
    let input = PublishVersionRequest {
        function_name: "f".into(),
        description: Some("its own".into()),
        ..PublishVersionRequest::default()
    };
    let first = world.control.publish_version(&here(), input).await.unwrap();
    assert_eq!(first.description.as_deref(), Some("its own"));
    assert_eq!(publish(&world, "f").await.unwrap(), first);
    // The same code and the same description again are no change either.
    world.update_code(new_code("f", "1")).await.unwrap();
    world.settled("f").await;
    update(&world, "f", "").await;
    assert_eq!(publish(&world, "f").await.unwrap(), first);
    update(&world, "f", "new").await;
    assert_eq!(publish(&world, "f").await.unwrap().version.as_deref(), Some("2"));
}

#[tokio::test]
async fn publication_renews_the_revision_of_latest_and_an_alias_does_not() {
    let world = World::new().await;
    let before = world.created("f").await;
    publish(&world, "f").await.unwrap();
    let after = world.configuration("f").await.unwrap();
    assert_ne!(after.revision_id, before.revision_id);
    assert_eq!(after.last_modified, before.last_modified);
    // What has not changed is not published, so that nothing changes.
    publish(&world, "f").await.unwrap();
    alias(&world, "live", "1").await.unwrap();
    assert_eq!(world.configuration("f").await.unwrap().revision_id, after.revision_id);
}

#[tokio::test]
async fn numbers_are_never_given_twice() {
    let world = World::new().await;
    world.created("f").await;
    publish(&world, "f").await.unwrap();
    world.delete("f", Some("1")).await.unwrap();
    assert_eq!(publish(&world, "f").await.unwrap().version.as_deref(), Some("2"));
    let error = world.get("f", Some("1")).await.unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
    world.delete("f", None).await.unwrap();
    assert_eq!(rows(&world).await, 0);
    world.created("f").await;
    assert_eq!(publish(&world, "f").await.unwrap().version.as_deref(), Some("1"));
}

#[tokio::test]
async fn publishers_at_a_time_get_one_version_of_one_content() {
    let world = World::new().await;
    world.created("f").await;
    let mut publishers = JoinSet::new();
    for _ in 0..16 {
        let control = world.control.clone();
        publishers.spawn(async move {
            let input =
                PublishVersionRequest { function_name: "f".into(), ..PublishVersionRequest::default() };
            control.publish_version(&here(), input).await.unwrap()
        });
    }
    let published = publishers.join_all().await;
    let versions: BTreeSet<_> = published.iter().map(|version| version.version.clone()).collect();
    assert_eq!(versions, BTreeSet::from([Some("1".to_owned())]));
    assert_eq!(rows(&world).await, 1, "lost races leave no rows");
}

/// The store fails at each point of a publication: the version is there whole, or not at all.
#[tokio::test]
async fn a_publication_that_is_cut_off_leaves_all_or_nothing() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        for skipped in 0..2 {
            let world = World::new().await;
            world.created("f").await;
            world.disk.fail_after(skipped, fault);
            publish(&world, "f").await.unwrap_err();
            let world = world.restart().await;
            let named = world.head("f").await.unwrap().versions.len();
            assert_eq!(rows(&world).await, named, "{fault:?} {skipped}");
            assert_eq!(named, usize::from(skipped == 1 && matches!(fault, Fault::AfterCommit)));
            assert_eq!(publish(&world, "f").await.unwrap().version.as_deref(), Some("1"));
        }
    }
}

#[tokio::test]
async fn a_function_that_is_created_published_is_pending_with_its_version() {
    let world = World::new().await;
    let created =
        world.create(CreateFunctionRequest { publish: Some(true), ..new_function("f") }).await.unwrap();
    assert_eq!((created.version.as_deref(), created.state.clone()), (Some("1"), Some(State::Pending)));
    let world = world.restart().await;
    world.settled("f").await;
    let version = world.get("f", Some("1")).await.unwrap().configuration.unwrap();
    assert_eq!(
        (version.state, version.last_update_status),
        (Some(State::Active), Some(LastUpdateStatus::Successful))
    );
    let updated = world
        .update_code(UpdateFunctionCodeRequest { publish: Some(true), ..new_code("f", "2") })
        .await
        .unwrap();
    assert_eq!(updated.function_arn.as_deref().unwrap().rsplit(':').next(), Some("2"));
    assert_eq!((updated.state, updated.last_update_status), (Some(State::Pending), None));
    world.settled("f").await;
    let version = world.get("f", Some("2")).await.unwrap().configuration.unwrap();
    assert_eq!(version.state, Some(State::Active));
}

#[tokio::test]
async fn a_version_that_an_alias_leads_to_is_not_deleted() {
    let world = World::new().await;
    world.created("f").await;
    publish(&world, "f").await.unwrap();
    alias(&world, "live", "1").await.unwrap();
    let error = world.delete("f", Some("1")).await.unwrap_err();
    assert_eq!(error.code, "ResourceConflictException");
    assert_eq!(
        error.message.as_deref(),
        Some("Unable to delete version because the following aliases reference it: [live]")
    );
    let input = DeleteAliasRequest { function_name: "f".into(), name: "live".into() };
    world.control.delete_alias(&here(), input.clone()).await.unwrap();
    world.control.delete_alias(&here(), input).await.unwrap();
    world.delete("f", Some("1")).await.unwrap();
    world.delete("f", Some("1")).await.unwrap();
    assert_eq!(world.data_plane.told.lock().last().map(String::as_str), Some("f:1 is gone"));
}

#[tokio::test]
async fn of_two_updates_that_saw_the_same_alias_one_wins() {
    let world = World::new().await;
    world.created("f").await;
    let seen = alias(&world, "live", "$LATEST").await.unwrap().revision_id;
    let mut updates = JoinSet::new();
    for number in 0..8 {
        let (control, revision_id) = (world.control.clone(), seen.clone());
        updates.spawn(async move {
            let input = UpdateAliasRequest {
                function_name: "f".into(),
                name: "live".into(),
                description: Some(number.to_string()),
                revision_id,
                ..UpdateAliasRequest::default()
            };
            control.update_alias(&here(), input).await.map_err(|error| error.code)
        });
    }
    let mut won = 0;
    for update in updates.join_all().await {
        match update {
            Ok(_) => won += 1,
            Err(code) => assert_eq!(code, "PreconditionFailedException"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn versions_and_aliases_are_listed_in_pages() {
    let world = World::new().await;
    for name in ["f", "g"] {
        world.created(name).await;
    }
    for number in 0..7 {
        update(&world, "f", &number.to_string()).await;
        publish(&world, "f").await.unwrap();
        alias(&world, &format!("a{number}"), "$LATEST").await.unwrap();
    }
    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let input = ListVersionsByFunctionRequest { function_name: "f".into(), marker, max_items: Some(3) };
        let page = world.control.list_versions_by_function(&here(), input).await.unwrap();
        seen.extend(page.versions.unwrap().into_iter().filter_map(|version| version.version));
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["$LATEST", "1", "2", "3", "4", "5", "6", "7"]);

    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let input = ListFunctionsRequest {
            function_version: Some("ALL".into()),
            marker,
            max_items: Some(3),
            ..ListFunctionsRequest::default()
        };
        let page = world.control.list_functions(&here(), input).await.unwrap();
        seen.extend(page.functions.unwrap().into_iter().filter_map(|shown| shown.function_arn));
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    let suffixes: Vec<_> = seen.iter().filter_map(|arn| arn.split("function:").nth(1)).collect();
    assert_eq!(suffixes, ["f:$LATEST", "f:1", "f:2", "f:3", "f:4", "f:5", "f:6", "f:7", "g:$LATEST"]);

    let list = |marker, version: Option<&str>| {
        let input = ListAliasesRequest {
            function_name: "f".into(),
            function_version: version.map(Into::into),
            marker,
            max_items: Some(4),
        };
        let control = world.control.clone();
        async move { control.list_aliases(&here(), input).await.unwrap() }
    };
    let first = list(None, None).await;
    let second = list(first.next_marker.clone(), None).await;
    let names = |page: ListAliasesResponse| -> Vec<_> {
        page.aliases.unwrap().into_iter().filter_map(|alias| alias.name).collect()
    };
    assert_eq!(
        (names(first), names(second)),
        (
            vec!["a0".into(), "a1".into(), "a2".into(), "a3".into()],
            vec!["a4".into(), "a5".into(), "a6".into()],
        )
    );
    assert!(names(list(None, Some("1")).await).is_empty());
}

#[tokio::test]
async fn every_version_counts_towards_code_storage() {
    let world = World::new().await;
    world.created("f").await;
    let size = i64::try_from(package("1").len()).unwrap();
    let total = async || {
        let settings =
            world.control.get_account_settings(&here(), GetAccountSettingsRequest {}).await.unwrap();
        settings.account_usage.unwrap().total_code_size.unwrap()
    };
    assert_eq!(total().await, size);
    publish(&world, "f").await.unwrap();
    assert_eq!(total().await, 2 * size);
    world.delete("f", Some("1")).await.unwrap();
    assert_eq!(total().await, size);
}
