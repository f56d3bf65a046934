//! Capacity providers: their states, their pages, what is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use crate::world::{Answer, Fault, World, here, in_scope};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p";

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

pub(crate) fn new_provider(name: &str) -> CreateCapacityProviderRequest {
    CreateCapacityProviderRequest {
        capacity_provider_name: name.into(),
        vpc_config: CapacityProviderVpcConfig {
            subnet_ids: vec!["subnet-1".into()],
            security_group_ids: vec!["sg-1".into()],
        },
        permissions_config: CapacityProviderPermissionsConfig {
            capacity_provider_operator_role_arn: "arn:aws:iam::123456789012:role/operator".into(),
        },
        ..CreateCapacityProviderRequest::default()
    }
}

async fn create(world: &World, input: CreateCapacityProviderRequest) -> Answer<CapacityProvider> {
    let answer = world.control.create_capacity_provider(&here(), input).await;
    answer.map(|answer| answer.capacity_provider)
}

async fn get(world: &World, name: &str) -> Answer<CapacityProvider> {
    let input = GetCapacityProviderRequest { capacity_provider_name: name.into() };
    world.control.get_capacity_provider(&here(), input).await.map(|answer| answer.capacity_provider)
}

async fn update(world: &World, input: UpdateCapacityProviderRequest) -> Answer<CapacityProvider> {
    let answer = world.control.update_capacity_provider(&here(), input).await;
    answer.map(|answer| answer.capacity_provider)
}

async fn delete(world: &World, name: &str) -> Answer<CapacityProvider> {
    let input = DeleteCapacityProviderRequest { capacity_provider_name: name.into() };
    world.control.delete_capacity_provider(&here(), input).await.map(|answer| answer.capacity_provider)
}

async fn wait(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..6000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

async fn active(world: &World, name: &str) {
    wait("active", async || get(world, name).await.unwrap().state == CapacityProviderState::Active).await;
}

/// A provider that functions can use.
pub(crate) async fn created(world: &World, name: &str) -> String {
    let arn = create(world, new_provider(name)).await.unwrap().capacity_provider_arn;
    active(world, name).await;
    arn
}

async fn list(world: &World, input: ListCapacityProvidersRequest) -> (Vec<String>, Option<String>) {
    let answer = world.control.list_capacity_providers(&here(), input).await.unwrap();
    let arns = answer.capacity_providers.into_iter().map(|provider| provider.capacity_provider_arn);
    (arns.map(|arn| arn.rsplit(':').next().unwrap().to_owned()).collect(), answer.next_marker)
}

#[tokio::test]
async fn what_is_not_given_has_defaults() {
    let world = World::new().await;
    let provider = create(&world, new_provider("p")).await.unwrap();
    assert_eq!(provider.capacity_provider_arn, ARN);
    assert_eq!(provider.state, CapacityProviderState::Pending);
    assert_eq!(
        provider.capacity_provider_scaling_config,
        Some(CapacityProviderScalingConfig {
            max_vcpu_count: Some(400),
            scaling_mode: Some(CapacityProviderScalingMode::Auto),
            scaling_policies: None,
        })
    );
    assert_eq!(provider.instance_requirements.unwrap().architectures, Some(vec![Architecture::X86_64]));
    assert_eq!(
        (provider.kms_key_arn, provider.propagate_tags, provider.telemetry_config),
        (None, None, None)
    );
}

#[tokio::test]
async fn a_provider_becomes_active_is_updated_and_goes() {
    let world = World::new().await;
    let pending = create(&world, new_provider("p")).await.unwrap();
    assert_eq!(get(&world, "p").await.unwrap(), pending);
    let too_early = update(
        &world,
        UpdateCapacityProviderRequest {
            capacity_provider_name: "p".into(),
            ..UpdateCapacityProviderRequest::default()
        },
    );
    assert_eq!(too_early.await.unwrap_err().code, "ResourceConflictException");
    active(&world, "p").await;
    let input = UpdateCapacityProviderRequest {
        capacity_provider_name: ARN.into(),
        capacity_provider_scaling_config: Some(CapacityProviderScalingConfig {
            max_vcpu_count: Some(30),
            ..CapacityProviderScalingConfig::default()
        }),
        propagate_tags: Some(PropagateTags {
            mode: Some(PropagateTagsMode::Explicit),
            explicit_tags: Some(BTreeMap::from([("a".into(), "1".into())])),
        }),
        telemetry_config: Some(CapacityProviderTelemetryConfig {
            logging_config: Some(CapacityProviderLoggingConfig::default()),
        }),
    };
    let updated = update(&world, input.clone()).await.unwrap();
    assert_eq!(updated.capacity_provider_scaling_config.as_ref().unwrap().max_vcpu_count, Some(30));
    assert_eq!(updated.propagate_tags, input.propagate_tags);
    let logging = updated.telemetry_config.as_ref().unwrap().logging_config.as_ref().unwrap();
    assert_eq!(logging.log_group.as_deref(), Some("/aws/lambda/capacity-provider/p"));
    assert_eq!(get(&world, "p").await.unwrap(), updated);
    let deleting = delete(&world, "p").await.unwrap();
    assert_eq!(deleting.state, CapacityProviderState::Deleting);
    for answer in [
        delete(&world, "p").await,
        create(&world, new_provider("p")).await,
        update(&world, UpdateCapacityProviderRequest { capacity_provider_name: "p".into(), ..input }).await,
    ] {
        assert_eq!(answer.unwrap_err().code, "ResourceConflictException");
    }
    wait("gone", async || get(&world, "p").await.is_err()).await;
    refused(
        get(&world, "p").await,
        "ResourceNotFoundException",
        &format!("Capacity provider not found: {ARN}"),
    );
    create(&world, new_provider("p")).await.unwrap();
}

#[tokio::test]
async fn what_is_refused() {
    let world = World::new().await;
    created(&world, "p").await;
    refused(
        create(&world, new_provider("p")).await,
        "ResourceConflictException",
        &format!("Capacity provider already exists: {ARN}"),
    );
    let name = "p".repeat(65);
    refused(
        create(&world, new_provider(&name)).await,
        "InvalidParameterValueException",
        &format!(
            "1 validation error detected: Value '{name}' at 'capacityProviderName' failed to satisfy constraint: \
             Member must have length less than or equal to 64"
        ),
    );
    create(&world, new_provider(&"p".repeat(64))).await.unwrap();
    let elsewhere = ARN.replace("123456789012", "999999999999");
    assert_eq!(get(&world, &elsewhere).await.unwrap_err().code, "AccessDeniedException");
    let elsewhere = ARN.replace("eu-west-1", "us-east-1");
    refused(
        get(&world, &elsewhere).await,
        "ResourceNotFoundException",
        &format!("Capacity provider not found: {elsewhere}"),
    );
    for scope in [in_scope("999999999999", "eu-west-1"), in_scope("123456789012", "us-east-1")] {
        let input = GetCapacityProviderRequest { capacity_provider_name: "p".into() };
        assert!(world.control.get_capacity_provider(&scope, input).await.is_err());
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_by_state() {
    let world = World::new().await;
    for name in ["c", "a", "d", "b"] {
        created(&world, name).await;
    }
    delete(&world, "b").await.unwrap();
    let page = |state: Option<CapacityProviderState>, marker| ListCapacityProvidersRequest {
        state,
        marker,
        max_items: Some(2),
    };
    let (first, marker) = list(&world, page(None, None)).await;
    assert_eq!(first, ["a", "b"]);
    assert_eq!(list(&world, page(None, marker)).await, (vec!["c".into(), "d".into()], None));
    let active = Some(CapacityProviderState::Active);
    let (first, marker) = list(&world, page(active.clone(), None)).await;
    assert_eq!(first, ["a", "c"]);
    assert_eq!(list(&world, page(active, marker)).await, (vec!["d".into()], None));
}

#[tokio::test]
async fn what_was_under_way_ends_after_a_restart() {
    let world = World::new().await;
    created(&world, "going").await;
    delete(&world, "going").await.unwrap();
    create(&world, new_provider("coming")).await.unwrap();
    let world = world.restart().await;
    active(&world, "coming").await;
    wait("gone", async || get(&world, "going").await.is_err()).await;
}

#[tokio::test]
async fn settling_outlives_a_failure_of_the_store() {
    let world = World::with_virtual_clock().await;
    create(&world, new_provider("p")).await.unwrap();
    *world.disk.fault.lock() = Some(Fault::BeforeCommit);
    wait("tried", async || world.disk.fault.lock().is_none()).await;
    active(&world, "p").await;
}

#[tokio::test]
async fn providers_have_tags() {
    let world = World::new().await;
    let tags = |name: &str| BTreeMap::from([(name.to_owned(), "1".to_owned())]);
    let input = CreateCapacityProviderRequest { tags: Some(tags("a")), ..new_provider("p") };
    create(&world, input).await.unwrap();
    let tag = TagResourceRequest { resource: ARN.into(), tags: tags("b") };
    world.control.tag_resource(&here(), tag).await.unwrap();
    let untag = UntagResourceRequest { resource: ARN.into(), tag_keys: vec!["a".into()] };
    world.control.untag_resource(&here(), untag).await.unwrap();
    let listed = world.control.list_tags(&here(), ListTagsRequest { resource: ARN.into() }).await.unwrap();
    assert_eq!(listed.tags, Some(tags("b")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_providers_and_no_more() {
    let world = std::sync::Arc::new(World::new().await);
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..4 {
        let world = world.clone();
        clients.spawn(async move {
            let mut refusals = 0;
            for number in 0..251 {
                if let Err(error) = create(&world, new_provider(&format!("p{client}-{number}"))).await {
                    assert_eq!(error.code, "CapacityProviderLimitExceededException");
                    refusals += 1;
                }
            }
            refusals
        });
    }
    assert_eq!(clients.join_all().await.into_iter().sum::<u32>(), 4);
    let elsewhere = in_scope("123456789012", "us-east-1");
    world.control.create_capacity_provider(&elsewhere, new_provider("p")).await.unwrap();
}
