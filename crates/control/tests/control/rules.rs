//! What is refused, with AWS' words, and that nothing is left behind by what was refused.

use std::sync::atomic::Ordering;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use crate::world::{Answer, World, in_scope, new_code, new_description, new_function};

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

#[track_caller]
fn invalid<T: std::fmt::Debug>(answer: Answer<T>, message: &str) {
    refused(answer, "InvalidParameterValueException", message);
}

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

#[tokio::test]
async fn functions_that_are_not_there_are_named_as_addressed() {
    let world = World::new().await;
    world.created("there").await;
    let there = "arn:aws:lambda:eu-west-1:123456789012:function:there";
    let gone = |arn: &str| format!("Function not found: {arn}");
    let code = "ResourceNotFoundException";
    refused(world.get("f", None).await, code, &gone(ARN));
    refused(world.get(ARN, None).await, code, &gone(ARN));
    refused(world.get("f", Some("$LATEST")).await, code, &gone(&format!("{ARN}:$LATEST")));
    refused(world.get("f:live", None).await, code, &gone(&format!("{ARN}:live")));
    refused(world.get("there", Some("1")).await, code, &gone(&format!("{there}:1")));
    refused(world.get("there", Some("live")).await, code, &gone(&format!("{there}:live")));
    refused(world.configuration("f").await, code, &gone(ARN));
    refused(world.update_code(new_code("f", "1")).await, code, &gone(ARN));
    refused(world.update(new_description("f", "x")).await, code, &gone(ARN));
    refused(world.delete("f", None).await, code, &gone(ARN));
    refused(world.delete("f", Some("1")).await, code, &gone(ARN));
    assert!(world.delete("there", Some("1")).await.is_ok());
    assert!(world.delete("there:1", None).await.is_ok());
    assert!(world.get("there:$LATEST", None).await.is_ok());
}

#[tokio::test]
async fn other_regions_and_accounts() {
    let world = World::new().await;
    world.created("f").await;
    refused(
        world.get("arn:aws:lambda:us-east-1:123456789012:function:f", None).await,
        "ResourceNotFoundException",
        "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')",
    );
    let error = world.delete("arn:aws:lambda:eu-west-1:999999999999:function:f", None).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message), ("AccessDeniedException", None));
    for scope in [in_scope("999999999999", "eu-west-1"), in_scope("123456789012", "us-east-1")] {
        let input = GetFunctionRequest { function_name: "f".into(), qualifier: None };
        let error = world.control.get_function(&scope, input).await.unwrap_err();
        assert_eq!(error.code, "ResourceNotFoundException");
        let listed = world.control.list_functions(&scope, ListFunctionsRequest::default()).await.unwrap();
        assert_eq!(listed.functions, Some(Vec::new()));
    }
}

#[tokio::test]
async fn qualifiers() {
    let world = World::new().await;
    world.created("f").await;
    invalid(
        world.get("f:1", Some("2")).await,
        "The derived qualifier from the function name does not match the specified qualifier.",
    );
    for (name, qualifier) in [("f", Some("$LATEST")), ("f:$LATEST", None)] {
        invalid(
            world.delete(name, qualifier).await,
            "$LATEST version cannot be deleted without deleting the function.",
        );
    }
    invalid(world.delete("f", Some("live")).await, "Deletion of aliases is not currently supported.");
    invalid(
        world.update(new_description("f:1", "x")).await,
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
         Please specify either a function name or an unqualified function ARN.",
    );
    let shown = world.get("f", Some("$LATEST")).await.unwrap().configuration.unwrap();
    assert_eq!(shown.function_arn, Some(format!("{ARN}:$LATEST")));
}

#[tokio::test]
async fn names_in_all_their_forms() {
    let world = World::new().await;
    for (number, form) in
        ["n0", "function:n1", "123456789012:function:n2", "arn:aws:lambda:eu-west-1:123456789012:function:n3"]
            .iter()
            .enumerate()
    {
        let created = world.create(new_function(form)).await.unwrap();
        assert_eq!(created.function_name, Some(format!("n{number}")));
        world.settled(form).await;
        world.delete(form, None).await.unwrap();
    }
}

#[tokio::test]
async fn runtimes() {
    let world = World::new().await;
    let with = |runtime: Option<&str>, handler: Option<&str>| CreateFunctionRequest {
        runtime: runtime.map(Into::into),
        handler: handler.map(Into::into),
        ..new_function("f")
    };
    let mandatory =
        "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
    invalid(world.create(with(None, Some("h.h"))).await, mandatory);
    invalid(world.create(with(Some("python3.12"), None)).await, mandatory);
    let error = world.create(with(Some("python3.99"), Some("h.h"))).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterValueException");
    assert!(error.message.unwrap().starts_with(
        "Value python3.99 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, "
    ));
    invalid(
        world.create(with(Some("go1.x"), Some("main"))).await,
        "The runtime parameter of go1.x is no longer supported for creating or updating AWS Lambda functions. We \
         recommend you use a supported runtime while creating or updating functions.",
    );
    invalid(
        world.create(with(Some("ruby3.4"), Some("h.h"))).await,
        "ruby3.4 is not on this machine, which has python3.12; install it.",
    );
    assert!(world.head("f").await.is_none());
}

#[tokio::test]
async fn runtimes_at_update() {
    let world = World::new().await;
    world.created("f").await;
    let with = |runtime: &str| UpdateFunctionConfigurationRequest {
        runtime: Some(runtime.into()),
        ..new_description("f", "x")
    };
    let error = world.update(with("cobol")).await.unwrap_err();
    assert!(error.message.unwrap().starts_with("Value cobol at 'runtime'"));
    invalid(
        world.update(with("java8")).await,
        "The runtime parameter of java8 is no longer supported for creating or updating AWS Lambda functions. We \
         recommend you use a supported runtime while creating or updating functions.",
    );
    invalid(
        world.update(with("ruby3.4")).await,
        "ruby3.4 is not on this machine, which has python3.12; install it.",
    );
    let before = world.configuration("f").await.unwrap();
    world.machine.has_lost_python.store(true, Ordering::Relaxed);
    let kept = world.update(new_description("f", "without an interpreter")).await.unwrap();
    assert_eq!(kept.runtime_version_config, before.runtime_version_config);
    world.settled("f").await;
    world.machine.has_lost_python.store(false, Ordering::Relaxed);
    let changed = world.update(with("nodejs22.x")).await.unwrap();
    assert_eq!(changed.runtime, Some("nodejs22.x".into()));
    assert_ne!(changed.runtime_version_config, before.runtime_version_config);
}

/// A runtime's last days play on a clock that is pushed ahead.
#[tokio::test]
async fn a_runtime_ends() {
    let world = World::with_virtual_clock().await;
    world.created("f").await;
    let ten_years = std::time::Duration::from_hours(10 * 365 * 24);
    world.clock.advance(ten_years).unwrap();
    let text = "The runtime parameter of python3.12 is no longer supported for creating or updating AWS Lambda \
                functions. We recommend you use a supported runtime while creating or updating functions.";
    invalid(world.create(new_function("g")).await, text);
    invalid(world.update(new_description("f", "x")).await, text);
    invalid(world.update_code(new_code("f", "2")).await, text);
    let moved = UpdateFunctionConfigurationRequest {
        runtime: Some("python3.15".into()),
        ..new_description("f", "x")
    };
    world.update(moved).await.unwrap();
}

#[tokio::test]
async fn what_is_not_offered_is_refused_by_name() {
    let world = World::new().await;
    let published = Some(FunctionVersionLatestPublished::LatestPublished);
    invalid(
        world.create(CreateFunctionRequest { publish_to: published.clone(), ..new_function("f") }).await,
        "Rushlight does not offer PublishTo yet. Create the function without it.",
    );
    world.created("f").await;
    invalid(
        world.update_code(UpdateFunctionCodeRequest { publish_to: published, ..new_code("f", "2") }).await,
        "Rushlight does not offer PublishTo yet. Update the code without it.",
    );
}

#[tokio::test]
async fn tags() {
    let world = World::new().await;
    let with = |count: usize| CreateFunctionRequest {
        tags: Some((0..count).map(|number| (format!("k{number}"), String::new())).collect()),
        ..new_function("f")
    };
    invalid(world.create(with(51)).await, "Number of tags exceeds resource tag limit.");
    world.create(with(50)).await.unwrap();
    assert_eq!(world.get("f", None).await.unwrap().tags.unwrap().len(), 50);
}

#[tokio::test]
async fn environments_layers_and_logs_are_checked_in_both_operations() {
    let world = World::new().await;
    world.created("f").await;
    let environment =
        Some(Environment { variables: Some([("AWS_REGION".to_owned(), "x".to_owned())].into()) });
    let text = "Lambda was unable to configure your environment variables because the environment variables you have \
                provided contains reserved keys that are currently not supported for modification. Reserved keys used \
                in this request: AWS_REGION";
    let create = CreateFunctionRequest { environment: environment.clone(), ..new_function("g") };
    invalid(world.create(create).await, text);
    let update = UpdateFunctionConfigurationRequest { environment, ..new_description("f", "x") };
    invalid(world.update(update).await, text);
    let layer = "arn:aws:lambda:eu-west-1:123456789012:layer:l:1";
    let create = CreateFunctionRequest { layers: Some(vec![layer.into()]), ..new_function("g") };
    invalid(world.create(create).await, &format!("Layer version {layer} does not exist."));
    let update = UpdateFunctionConfigurationRequest {
        logging_config: Some(LoggingConfig {
            system_log_level: Some("WARN".into()),
            ..LoggingConfig::default()
        }),
        ..new_description("f", "x")
    };
    let error = world.update(update).await.unwrap_err();
    assert!(error.message.unwrap().starts_with("LogLevel is not supported when LogFormat"));
    let unchanged = world.configuration("f").await.unwrap();
    assert_eq!(unchanged.description.as_deref(), Some(""));
}

#[tokio::test]
async fn whole_structures_are_replaced_and_empty_ones_clear() {
    let world = World::new().await;
    let network = VpcConfig {
        subnet_ids: Some(vec!["subnet-1".into()]),
        security_group_ids: Some(vec!["sg-1".into()]),
        ipv6_allowed_for_dual_stack: Some(true),
    };
    let create = CreateFunctionRequest {
        environment: Some(Environment { variables: Some([("KEY".to_owned(), "1".to_owned())].into()) }),
        vpc_config: Some(network),
        kms_key_arn: Some("arn:aws:kms:eu-west-1:123456789012:key/1".into()),
        dead_letter_config: Some(DeadLetterConfig {
            target_arn: Some("arn:aws:sqs:eu-west-1:123456789012:dead".into()),
        }),
        ..new_function("f")
    };
    world.create(create).await.unwrap();
    world.settled("f").await;
    let replace = UpdateFunctionConfigurationRequest {
        environment: Some(Environment { variables: Some([("OTHER".to_owned(), "2".to_owned())].into()) }),
        ..new_description("f", "x")
    };
    let shown = world.update(replace).await.unwrap();
    let variables = shown.environment.unwrap().variables.unwrap();
    assert_eq!(variables.into_keys().collect::<Vec<_>>(), ["OTHER"]);
    assert!(shown.vpc_config.is_some());
    world.settled("f").await;
    let clear = UpdateFunctionConfigurationRequest {
        function_name: "f".into(),
        environment: Some(Environment::default()),
        vpc_config: Some(VpcConfig {
            subnet_ids: Some(Vec::new()),
            security_group_ids: Some(Vec::new()),
            ipv6_allowed_for_dual_stack: None,
        }),
        kms_key_arn: Some(String::new()),
        dead_letter_config: Some(DeadLetterConfig { target_arn: Some(String::new()) }),
        ..UpdateFunctionConfigurationRequest::default()
    };
    let shown = world.update(clear).await.unwrap();
    assert_eq!(shown.environment.unwrap().variables, Some(Default::default()));
    assert_eq!(
        shown.vpc_config,
        Some(VpcConfigResponse {
            subnet_ids: Some(Vec::new()),
            security_group_ids: Some(Vec::new()),
            vpc_id: Some(String::new()),
            ipv6_allowed_for_dual_stack: Some(false),
        })
    );
    assert_eq!(shown.kms_key_arn, None);
    assert_eq!(shown.dead_letter_config, None);
    assert_eq!(shown.description.as_deref(), Some("x"));
}

#[tokio::test]
async fn file_systems_hold_their_network() {
    let world = World::new().await;
    let arn = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1";
    let file_system_configs = Some(vec![FileSystemConfig {
        arn: arn.into(),
        local_mount_path: "/mnt/data".into(),
        s3_files_config: None,
    }]);
    let alone =
        CreateFunctionRequest { file_system_configs: file_system_configs.clone(), ..new_function("f") };
    invalid(
        world.create(alone).await,
        &format!(
            "Function must be configured to execute in a VPC to reference access point {arn}. Please update the \
             function configuration to include VPC subnets and security groups."
        ),
    );
    let together = CreateFunctionRequest {
        file_system_configs: file_system_configs.clone(),
        vpc_config: Some(VpcConfig {
            subnet_ids: Some(vec!["subnet-1".into()]),
            security_group_ids: Some(vec!["sg-1".into()]),
            ipv6_allowed_for_dual_stack: None,
        }),
        ..new_function("f")
    };
    world.create(together).await.unwrap();
    let shown = world.settled("f").await;
    assert_eq!(shown.file_system_configs, file_system_configs);
    let leave = UpdateFunctionConfigurationRequest {
        function_name: "f".into(),
        vpc_config: Some(VpcConfig::default()),
        ..UpdateFunctionConfigurationRequest::default()
    };
    invalid(
        world.update(leave).await,
        &format!("Function VPC configuration cannot be removed with access point {arn} referenced."),
    );
}

#[tokio::test]
async fn revision_ids_guard() {
    let world = World::new().await;
    let revision_id = world.created("f").await.revision_id;
    let text = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
                retrieve the latest Revision Id";
    let stale = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let code = UpdateFunctionCodeRequest { revision_id: stale.clone(), ..new_code("f", "2") };
    refused(world.update_code(code).await, "PreconditionFailedException", text);
    let configuration =
        UpdateFunctionConfigurationRequest { revision_id: stale, ..new_description("f", "x") };
    refused(world.update(configuration.clone()).await, "PreconditionFailedException", text);
    let seen = UpdateFunctionConfigurationRequest { revision_id, ..configuration };
    world.update(seen.clone()).await.unwrap();
    world.settled("f").await;
    refused(world.update(seen).await, "PreconditionFailedException", text);
}
