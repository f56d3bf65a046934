//! Functions on the instances of a capacity provider: their rules, their states, the provider that they hold.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use crate::capacity_provider::{created as created_provider, new_provider};
use crate::world::{Answer, World, here, new_code, new_description, new_function};

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

const INVALID: &str = "InvalidParameterValueException";

fn on(arn: &str) -> CapacityProviderConfig {
    CapacityProviderConfig {
        lambda_managed_instances_capacity_provider_config: LambdaManagedInstancesCapacityProviderConfig {
            capacity_provider_arn: arn.into(),
            ..LambdaManagedInstancesCapacityProviderConfig::default()
        },
    }
}

fn sized(arn: &str, memory_gib_per_vcpu: f64, concurrency: Option<i32>) -> Option<CapacityProviderConfig> {
    let mut config = on(arn);
    let instances = &mut config.lambda_managed_instances_capacity_provider_config;
    instances.execution_environment_memory_gib_per_vcpu = Some(memory_gib_per_vcpu);
    instances.per_execution_environment_max_concurrency = concurrency;
    Some(config)
}

fn new_managed(name: &str, arn: &str) -> CreateFunctionRequest {
    CreateFunctionRequest {
        runtime: Some("python3.13".into()),
        capacity_provider_config: Some(on(arn)),
        ..new_function(name)
    }
}

fn new_provider_of(name: &str, arn: &str) -> UpdateFunctionConfigurationRequest {
    UpdateFunctionConfigurationRequest {
        function_name: name.into(),
        capacity_provider_config: Some(on(arn)),
        ..UpdateFunctionConfigurationRequest::default()
    }
}

/// A function on instances of the provider `p`.
pub(crate) async fn managed(world: &World) -> String {
    let arn = created_provider(world, "p").await;
    world.create(new_managed("f", &arn)).await.unwrap();
    world.settled("f").await;
    arn
}

pub(crate) async fn publish(world: &World, name: &str) -> Answer<FunctionConfiguration> {
    let input = PublishVersionRequest { function_name: name.into(), ..PublishVersionRequest::default() };
    world.control.publish_version(&here(), input).await
}

pub(crate) async fn state(world: &World, qualifier: &str) -> State {
    let shown = world.get("f", Some(qualifier)).await.unwrap().configuration.unwrap();
    shown.state.unwrap()
}

async fn versions(
    world: &World,
    marker: Option<String>,
    max_items: Option<i32>,
) -> (Vec<String>, Option<String>) {
    let input = ListFunctionVersionsByCapacityProviderRequest {
        capacity_provider_name: "p".into(),
        marker,
        max_items,
    };
    let answer = world.control.list_function_versions_by_capacity_provider(&here(), input).await.unwrap();
    let show = |item: FunctionVersionsByCapacityProviderListItem| {
        let name = item.function_arn.split_once(":function:").unwrap().1;
        format!("{name} {}", item.state.as_str())
    };
    (answer.function_versions.into_iter().map(show).collect(), answer.next_marker)
}

async fn delete_provider(world: &World, name: &str) -> Answer<CapacityProvider> {
    let input = DeleteCapacityProviderRequest { capacity_provider_name: name.into() };
    world.control.delete_capacity_provider(&here(), input).await.map(|answer| answer.capacity_provider)
}

#[tokio::test]
async fn a_function_begins_with_what_managed_instances_need() {
    let world = World::new().await;
    let arn = created_provider(&world, "p").await;
    let created = world.create(new_managed("f", &arn)).await.unwrap();
    assert_eq!(created.state, Some(State::Pending));
    let settled = world.settled("f").await;
    assert_eq!(settled.state, Some(State::ActiveNonInvocable));
    assert_eq!(settled.last_update_status, Some(LastUpdateStatus::Successful));
    assert_eq!((settled.memory_size, settled.timeout, settled.snap_start), (Some(2048), Some(3), None));
    let logging = settled.logging_config.unwrap();
    assert_eq!(logging.log_format, Some(LogFormat::Json));
    assert_eq!(logging.application_log_level, Some(ApplicationLogLevel::Info));
    assert_eq!(settled.capacity_provider_config, sized(&arn, 2.0, Some(16)));
    world.update(new_description("f", "changed")).await.unwrap();
    assert_eq!(world.settled("f").await.state, Some(State::ActiveNonInvocable));
    world.update_code(new_code("f", "2")).await.unwrap();
    assert_eq!(world.settled("f").await.capacity_provider_config, sized(&arn, 2.0, Some(16)));
}

#[tokio::test]
async fn sizes_have_other_bounds_than_elsewhere() {
    let world = World::new().await;
    let arn = created_provider(&world, "p").await;
    let largest = CreateFunctionRequest {
        memory_size: Some(32_768),
        timeout: Some(5400),
        capacity_provider_config: sized(&arn, 8.0, Some(256)),
        ..new_managed("f", &arn)
    };
    world.create(largest).await.unwrap();
    let shown = world.settled("f").await;
    assert_eq!((shown.memory_size, shown.timeout), (Some(32_768), Some(5400)));
    assert_eq!(shown.capacity_provider_config, sized(&arn, 8.0, Some(256)));
    let smaller = CreateFunctionRequest { memory_size: Some(2047), ..new_managed("g", &arn) };
    let least = "Lambda Managed Instance functions must have memory size greater than or equal to 2048";
    refused(world.create(smaller).await, "ValidationException", least);
    for (memory, ratio, concurrency, fits) in [
        (4096, 4.0, None, true),
        (4095, 4.0, None, false),
        (8191, 8.0, None, false),
        (2048, 2.5, None, false),
        (2048, 2.0, Some(64), true),
        (2048, 2.0, Some(65), false),
        (3072, 2.0, Some(96), true),
        (3072, 2.0, Some(97), false),
    ] {
        let input = CreateFunctionRequest {
            memory_size: Some(memory),
            capacity_provider_config: sized(&arn, ratio, concurrency),
            ..new_managed(&format!("f{memory}-{fits}"), &arn)
        };
        let answer = world.create(input).await;
        assert_eq!(answer.is_ok(), fits, "{memory} {ratio} {concurrency:?} {answer:?}");
    }
}

#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    let world = World::new().await;
    let arn = created_provider(&world, "p").await;
    let arm = CreateCapacityProviderRequest {
        instance_requirements: Some(InstanceRequirements {
            architectures: Some(vec![Architecture::Arm64]),
            ..InstanceRequirements::default()
        }),
        ..new_provider("arm")
    };
    world.control.create_capacity_provider(&here(), arm).await.unwrap();
    let new = || new_managed("f", &arn);
    let vpc = VpcConfig {
        subnet_ids: Some(vec!["subnet-1".into()]),
        security_group_ids: Some(vec!["sg-1".into()]),
        ..VpcConfig::default()
    };
    let snap_start = Some(SnapStart { apply_on: Some(SnapStartApplyOn::PublishedVersions) });
    let text = LoggingConfig { log_format: Some(LogFormat::Text), ..LoggingConfig::default() };
    let tenancy = Some(TenancyConfig { tenant_isolation_mode: TenantIsolationMode::PerTenant });
    let cases = [
        (
            CreateFunctionRequest { vpc_config: Some(vpc.clone()), ..new() },
            "You can't use Lambda Managed Instance functions with VPC configurations.",
        ),
        (
            CreateFunctionRequest { snap_start, ..new() },
            "You can't use Lambda Managed Instance functions with SnapStart.",
        ),
        (
            CreateFunctionRequest { tenancy_config: tenancy, ..new() },
            "You can't use Lambda Managed Instance functions with tenant isolation.",
        ),
        (
            CreateFunctionRequest { runtime: Some("python3.12".into()), ..new() },
            "You can't use Lambda Managed Instance functions with the runtime python3.12.",
        ),
        (
            CreateFunctionRequest { logging_config: Some(text), ..new() },
            "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change \
             the LogFormat to \"JSON\" and try again.",
        ),
        (
            CreateFunctionRequest { architectures: Some(vec![Architecture::Arm64]), ..new() },
            "The architecture of the function, arm64, is not that of the capacity provider \
             arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p, x86_64.",
        ),
    ];
    for (input, message) in cases {
        refused(world.create(input).await, INVALID, message);
    }
    world.create(new()).await.unwrap();
    world.settled("f").await;
    let connected = UpdateFunctionConfigurationRequest {
        function_name: "f".into(),
        vpc_config: Some(vpc),
        ..UpdateFunctionConfigurationRequest::default()
    };
    let with_vpc = "You can't use Lambda Managed Instance functions with VPC configurations.";
    refused(world.update(connected).await, INVALID, with_vpc);
    let other_processors =
        UpdateFunctionCodeRequest { architectures: Some(vec![Architecture::Arm64]), ..new_code("f", "2") };
    assert_eq!(world.update_code(other_processors).await.unwrap_err().code, INVALID);
    let reserved =
        PutFunctionConcurrencyRequest { function_name: "f".into(), reserved_concurrent_executions: 1 };
    let message = "You can't use Lambda Managed Instance functions with reserved concurrency.";
    refused(world.control.put_function_concurrency(&here(), reserved).await, INVALID, message);
    publish(&world, "f").await.unwrap();
    let provisioned = PutProvisionedConcurrencyConfigRequest {
        function_name: "f".into(),
        qualifier: "1".into(),
        provisioned_concurrent_executions: 1,
    };
    let message = "You can't use Lambda Managed Instance functions with provisioned concurrency.";
    refused(world.control.put_provisioned_concurrency_config(&here(), provisioned).await, INVALID, message);
}

#[tokio::test]
async fn a_function_stays_on_the_kind_of_instances_that_it_began_on() {
    let world = World::new().await;
    let arn = created_provider(&world, "p").await;
    let other = created_provider(&world, "other").await;
    world.created("ordinary").await;
    let default = "CapacityProviderConfig isn't supported for Lambda Default functions.";
    refused(world.update(new_provider_of("ordinary", &arn)).await, INVALID, default);
    world.create(new_managed("f", &arn)).await.unwrap();
    world.settled("f").await;
    world.update(new_provider_of("f", &other)).await.unwrap();
    assert_eq!(world.settled("f").await.capacity_provider_config, sized(&other, 2.0, Some(16)));
    delete_provider(&world, "p").await.unwrap();
    assert_eq!(delete_provider(&world, "other").await.unwrap_err().code, "ResourceConflictException");
}

#[tokio::test]
async fn only_an_active_provider_of_the_account_is_used() {
    let world = World::new().await;
    let arn = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p";
    let missing = format!("Capacity provider not found: {arn}");
    refused(world.create(new_managed("f", arn)).await, "ResourceNotFoundException", &missing);
    world.control.create_capacity_provider(&here(), new_provider("p")).await.unwrap();
    let pending = format!(
        "The operation cannot be performed at this time. The capacity provider {arn} is currently in the following \
         state: Pending"
    );
    refused(world.create(new_managed("f", arn)).await, "ResourceConflictException", &pending);
    let foreign = "arn:aws:lambda:eu-west-1:999999999999:capacity-provider:p";
    assert_eq!(world.create(new_managed("f", foreign)).await.unwrap_err().code, "AccessDeniedException");
}

#[tokio::test]
async fn versions_become_active_and_hold_the_provider() {
    let world = World::new().await;
    let arn = managed(&world).await;
    assert_eq!(versions(&world, None, None).await, (vec![], None));
    let published = publish(&world, "f").await.unwrap();
    assert_eq!(published.state, Some(State::Pending));
    assert_eq!(published.capacity_provider_config, sized(&arn, 2.0, Some(16)));
    let world = world.restart().await;
    crate::world::is_eventually("active", async || (state(&world, "1").await == State::Active).then_some(()))
        .await;
    assert_eq!(state(&world, "$LATEST").await, State::ActiveNonInvocable);
    for number in 2..=12 {
        world.update(new_description("f", &number.to_string())).await.unwrap();
        world.settled("f").await;
        publish(&world, "f").await.unwrap();
    }
    let (first, marker) = versions(&world, None, Some(10)).await;
    assert_eq!((first.len(), first[0].as_str(), first[1].split(' ').next()), (10, "f:1 Active", Some("f:2")));
    let (rest, marker) = versions(&world, marker, Some(10)).await;
    assert_eq!((rest[0].split(' ').next(), rest.len(), marker), (Some("f:11"), 2, None));

    let in_use = format!(
        "The capacity provider is currently in use by 1 functions. To delete this capacity provider, first remove \
         its association with {arn}."
    );
    refused(delete_provider(&world, "p").await, "ResourceConflictException", &in_use);
    let other = created_provider(&world, "other").await;
    world.update(new_provider_of("f", &other)).await.unwrap();
    world.settled("f").await;
    refused(delete_provider(&world, "p").await, "ResourceConflictException", &in_use);
    for number in 1..=12 {
        world.delete("f", Some(&number.to_string())).await.unwrap();
    }
    assert_eq!(versions(&world, None, None).await, (vec![], None));
    delete_provider(&world, "p").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_versions_run_on_a_provider_and_no_more() {
    let world = std::sync::Arc::new(World::new().await);
    let arn = created_provider(&world, "p").await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..4 {
        let (world, arn) = (world.clone(), arn.clone());
        clients.spawn(async move {
            let mut refusals = 0;
            for number in 0..26 {
                let input = CreateFunctionRequest {
                    publish: Some(true),
                    ..new_managed(&format!("f{client}-{number}"), &arn)
                };
                if let Err(error) = world.create(input).await {
                    let code = "FunctionVersionsPerCapacityProviderLimitExceededException";
                    assert_eq!(error.code, code);
                    refusals += 1;
                }
            }
            refusals
        });
    }
    assert_eq!(clients.join_all().await.into_iter().sum::<u32>(), 4);
    let (first, marker) = versions(&world, None, None).await;
    let (second, end) = versions(&world, marker, None).await;
    assert_eq!((first.len(), second.len(), end), (50, 50, None));
}
