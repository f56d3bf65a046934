//! Tags of whatever can have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use tokio::task::JoinSet;

use crate::world::{Answer, World, here, new_description, new_function};

const F: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";
const CONFIG: &str = "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdef0";
const MAPPING: &str =
    "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:00000000-0000-0000-0000-000000000000";
const PROVIDER: &str = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p";

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

#[track_caller]
fn invalid<T: std::fmt::Debug>(answer: Answer<T>, message: &str) {
    refused(answer, "InvalidParameterValueException", message);
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn numbered(count: usize) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("{number}_key"), "x".to_owned())).collect()
}

async fn tag(world: &World, arn: &str, tags: BTreeMap<String, String>) -> Answer<()> {
    world.control.tag_resource(&here(), TagResourceRequest { resource: arn.into(), tags }).await.map(drop)
}

async fn untag(world: &World, arn: &str, names: &[&str]) -> Answer<()> {
    let tag_keys = names.iter().map(|name| (*name).to_owned()).collect();
    world
        .control
        .untag_resource(&here(), UntagResourceRequest { resource: arn.into(), tag_keys })
        .await
        .map(drop)
}

async fn list(world: &World, arn: &str) -> Answer<BTreeMap<String, String>> {
    let answer = world.control.list_tags(&here(), ListTagsRequest { resource: arn.into() }).await;
    answer.map(|answer| answer.tags.unwrap())
}

async fn revision(world: &World) -> String {
    world.configuration("f").await.unwrap().revision_id.unwrap()
}

#[tokio::test]
async fn tags_are_merged_overwritten_and_removed() {
    let world = World::new().await;
    let input = CreateFunctionRequest { tags: Some(tags(&[("a", "1")])), ..new_function("f") };
    world.create(input).await.unwrap();
    world.settled("f").await;
    tag(&world, F, tags(&[("b", "2"), ("c", "")])).await.unwrap();
    tag(&world, F, tags(&[("b", "3")])).await.unwrap();
    assert_eq!(list(&world, F).await.unwrap(), tags(&[("a", "1"), ("b", "3"), ("c", "")]));
    untag(&world, F, &["a", "c", "nothing"]).await.unwrap();
    assert_eq!(world.get("f", None).await.unwrap().tags, Some(tags(&[("b", "3")])));
    untag(&world, F, &["b"]).await.unwrap();
    assert_eq!(list(&world, F).await.unwrap(), tags(&[]));
    assert_eq!(world.get("f", None).await.unwrap().tags, None);
}

/// As recorded on AWS: each change of tags is a new revision, and nothing else changes.
#[tokio::test]
async fn tags_are_a_new_revision_of_the_function() {
    let world = World::new().await;
    let created = world.created("f").await;
    let mut revisions = vec![revision(&world).await];
    tag(&world, F, tags(&[("a", "1")])).await.unwrap();
    revisions.push(revision(&world).await);
    untag(&world, F, &["a"]).await.unwrap();
    revisions.push(revision(&world).await);
    list(&world, F).await.unwrap();
    assert_eq!(revision(&world).await, revisions[2]);
    revisions.dedup();
    assert_eq!(revisions.len(), 3);
    let mut after = world.configuration("f").await.unwrap();
    after.revision_id.clone_from(&created.revision_id);
    assert_eq!(after, created);
}

#[tokio::test]
async fn fifty_tags_and_no_more() {
    let world = World::new().await;
    let text = "Number of tags exceeds resource tag limit.";
    invalid(
        world.create(CreateFunctionRequest { tags: Some(numbered(51)), ..new_function("f") }).await,
        text,
    );
    world.created("f").await;
    invalid(tag(&world, F, numbered(51)).await, text);
    assert_eq!(list(&world, F).await.unwrap(), tags(&[]));
    tag(&world, F, numbered(50)).await.unwrap();
    invalid(tag(&world, F, tags(&[("a", "1")])).await, text);
    tag(&world, F, tags(&[("0_key", "other")])).await.unwrap();
    untag(&world, F, &["1_key"]).await.unwrap();
    tag(&world, F, tags(&[("a", "1")])).await.unwrap();
    assert_eq!(list(&world, F).await.unwrap().len(), 50);
}

#[tokio::test]
async fn what_cannot_be_tagged() {
    let world = World::new().await;
    world.created("f").await;
    let one = || tags(&[("a", "1")]);
    invalid(tag(&world, F, tags(&[])).await, "An error occurred and the request cannot be processed.");
    let qualified = "Tags on function aliases and versions are not supported. Please specify a function ARN.";
    for qualifier in ["$LATEST", "1", "live"] {
        let arn = format!("{F}:{qualifier}");
        invalid(tag(&world, &arn, one()).await, qualified);
        invalid(untag(&world, &arn, &["a"]).await, qualified);
        invalid(list(&world, &arn).await, qualified);
    }
    let reserved = "aws: prefixed tag key names are not allowed for external use.";
    for name in ["aws:a", "AWS:a", "aws:"] {
        invalid(tag(&world, F, tags(&[(name, "1")])).await, reserved);
        invalid(untag(&world, F, &[name]).await, reserved);
        let input = CreateFunctionRequest { tags: Some(tags(&[(name, "1")])), ..new_function("g") };
        invalid(world.create(input).await, reserved);
    }
    tag(&world, F, tags(&[("aws", "1"), ("awsome:a", "aws:1")])).await.unwrap();
}

#[tokio::test]
async fn what_is_not_there() {
    let world = World::new().await;
    let missing = [
        (F, format!("Function not found: {F}")),
        (CONFIG, format!("The Lambda code signing configuration {CONFIG} can not be found.")),
        (MAPPING, format!("Event source mapping not found: {MAPPING}")),
        (PROVIDER, format!("Capacity provider not found: {PROVIDER}")),
    ];
    for (arn, text) in &missing {
        let code = "ResourceNotFoundException";
        refused(tag(&world, arn, tags(&[("a", "1")])).await, code, text);
        refused(untag(&world, arn, &["a"]).await, code, text);
        refused(list(&world, arn).await, code, text);
        let elsewhere = arn.replace("123456789012", "999999999999");
        let error = tag(&world, &elsewhere, tags(&[("a", "1")])).await.unwrap_err();
        assert_eq!((error.code.as_ref(), error.message), ("AccessDeniedException", None));
    }
    refused(
        list(&world, &F.replace("eu-west-1", "us-east-1")).await,
        "ResourceNotFoundException",
        "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')",
    );
}

#[tokio::test]
async fn an_update_in_progress_comes_first() {
    let world = World::new().await;
    world.create(new_function("f")).await.unwrap();
    tag(&world, F, tags(&[("a", "1")])).await.unwrap();
    assert_eq!(world.settled("f").await.state, Some(State::Active));
    world.update(new_description("f", "x")).await.unwrap();
    let text =
        format!("The operation cannot be performed at this time. An update is in progress for resource: {F}");
    refused(tag(&world, F, tags(&[("b", "1")])).await, "ResourceConflictException", &text);
    refused(untag(&world, F, &["a"]).await, "ResourceConflictException", &text);
    world.settled("f").await;
    tag(&world, F, tags(&[("b", "1")])).await.unwrap();
    let world = world.restart().await;
    assert_eq!(list(&world, F).await.unwrap(), tags(&[("a", "1"), ("b", "1")]));
}

#[tokio::test]
async fn code_signing_configurations_have_tags() {
    let world = World::new().await;
    let input = |given| CreateCodeSigningConfigRequest {
        allowed_publishers: AllowedPublishers {
            signing_profile_version_arns: vec![
                "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/p".into(),
            ],
        },
        tags: Some(given),
        ..CreateCodeSigningConfigRequest::default()
    };
    let context = here();
    let create = |given| world.control.create_code_signing_config(&context, input(given));
    invalid(create(numbered(51)).await, "Number of tags exceeds resource tag limit.");
    let created = create(tags(&[("a", "1")])).await.unwrap().code_signing_config;
    let arn = created.code_signing_config_arn.clone();
    tag(&world, &arn, tags(&[("b", "2")])).await.unwrap();
    untag(&world, &arn, &["a"]).await.unwrap();
    invalid(tag(&world, &arn, numbered(50)).await, "Number of tags exceeds resource tag limit.");
    assert_eq!(list(&world, &arn).await.unwrap(), tags(&[("b", "2")]));
    let get = GetCodeSigningConfigRequest { code_signing_config_arn: arn };
    let shown = world.control.get_code_signing_config(&here(), get).await.unwrap();
    assert_eq!(shown.code_signing_config, created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_tag_is_lost_among_many_clients() {
    let world = Arc::new(World::new().await);
    world.created("f").await;
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let world = world.clone();
        clients.spawn(async move { tag(&world, F, tags(&[(&format!("k{client}"), "x")])).await });
    }
    assert!(clients.join_all().await.iter().all(Result::is_ok));
    assert_eq!(list(&world, F).await.unwrap().len(), 16);
}
