//! Code signing configurations, and what they say to deployments.

use std::sync::Arc;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use tokio::task::JoinSet;

use crate::world::{Answer, World, here, in_scope, new_code, new_description, new_function};

const PROFILE: &str = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/test";
const UNKNOWN: &str = "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdef0";
const REFUSED: &str = "Lambda cannot deploy the function. The function or layer might be signed using a signature \
                       that the client is not configured to accept. Check the provided signature for f.";

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

async fn config(world: &World, policy: Option<CodeSigningPolicy>) -> CodeSigningConfig {
    let input = CreateCodeSigningConfigRequest {
        allowed_publishers: AllowedPublishers { signing_profile_version_arns: vec![PROFILE.into()] },
        code_signing_policies: policy
            .map(|policy| CodeSigningPolicies { untrusted_artifact_on_deployment: Some(policy) }),
        ..CreateCodeSigningConfigRequest::default()
    };
    world.control.create_code_signing_config(&here(), input).await.unwrap().code_signing_config
}

async fn enforcing(world: &World) -> String {
    config(world, Some(CodeSigningPolicy::Enforce)).await.code_signing_config_arn
}

async fn warning(world: &World) -> String {
    config(world, None).await.code_signing_config_arn
}

async fn attach(world: &World, function: &str, config: &str) -> Answer<PutFunctionCodeSigningConfigResponse> {
    let input = PutFunctionCodeSigningConfigRequest {
        function_name: function.into(),
        code_signing_config_arn: config.into(),
    };
    world.control.put_function_code_signing_config(&here(), input).await
}

async fn detach(world: &World, function: &str) -> Answer<()> {
    let input = DeleteFunctionCodeSigningConfigRequest { function_name: function.into() };
    world.control.delete_function_code_signing_config(&here(), input).await.map(drop)
}

async fn attached(world: &World, function: &str) -> Answer<GetFunctionCodeSigningConfigResponse> {
    let input = GetFunctionCodeSigningConfigRequest { function_name: function.into() };
    world.control.get_function_code_signing_config(&here(), input).await
}

async fn delete(world: &World, config: &str) -> Answer<DeleteCodeSigningConfigResponse> {
    let input = DeleteCodeSigningConfigRequest { code_signing_config_arn: config.into() };
    world.control.delete_code_signing_config(&here(), input).await
}

async fn functions(
    world: &World,
    config: &str,
    page: (Option<String>, i32),
) -> (Vec<String>, Option<String>) {
    let input = ListFunctionsByCodeSigningConfigRequest {
        code_signing_config_arn: config.into(),
        marker: page.0,
        max_items: Some(page.1),
    };
    let answer = world.control.list_functions_by_code_signing_config(&here(), input).await.unwrap();
    let arns = answer.function_arns.unwrap();
    (arns.into_iter().map(|arn| arn.rsplit(':').next().unwrap().to_owned()).collect(), answer.next_marker)
}

fn signed(name: &str, config: &str) -> CreateFunctionRequest {
    CreateFunctionRequest { code_signing_config_arn: Some(config.into()), ..new_function(name) }
}

#[tokio::test]
async fn what_is_not_given_stays() {
    let world = World::new().await;
    let before = config(&world, Some(CodeSigningPolicy::Enforce)).await;
    assert_eq!(before.code_signing_config_id.len(), "csc-".len() + 17);
    assert_eq!(before.description, None);
    let context = here();
    let update = |input| world.control.update_code_signing_config(&context, input);
    let arn = before.code_signing_config_arn.clone();
    let nothing = UpdateCodeSigningConfigRequest {
        code_signing_config_arn: arn.clone(),
        ..UpdateCodeSigningConfigRequest::default()
    };
    let mut after = update(nothing.clone()).await.unwrap().code_signing_config;
    after.last_modified.clone_from(&before.last_modified);
    assert_eq!(after, before);
    let other = vec![format!("{PROFILE}/1234567890")];
    let everything = UpdateCodeSigningConfigRequest {
        description: Some("new".into()),
        allowed_publishers: Some(AllowedPublishers { signing_profile_version_arns: other.clone() }),
        code_signing_policies: Some(CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(CodeSigningPolicy::Warn),
        }),
        ..nothing
    };
    let after = update(everything).await.unwrap().code_signing_config;
    let got = world
        .control
        .get_code_signing_config(&here(), GetCodeSigningConfigRequest { code_signing_config_arn: arn })
        .await
        .unwrap();
    assert_eq!(got.code_signing_config, after);
    assert_eq!(after.description.as_deref(), Some("new"));
    assert_eq!(after.allowed_publishers.signing_profile_version_arns, other);
    assert_eq!(after.code_signing_policies.untrusted_artifact_on_deployment, Some(CodeSigningPolicy::Warn));
}

#[tokio::test]
async fn configurations_that_are_not_there() {
    let world = World::new().await;
    world.created("f").await;
    let gone = format!("The Lambda code signing configuration {UNKNOWN} can not be found.");
    let get = GetCodeSigningConfigRequest { code_signing_config_arn: UNKNOWN.into() };
    let error = world.control.get_code_signing_config(&here(), get).await.unwrap_err();
    assert_eq!((error.fault, error.message.as_deref()), (None, Some(gone.as_str())));
    refused(delete(&world, UNKNOWN).await, "ResourceNotFoundException", &gone);
    let update = UpdateCodeSigningConfigRequest {
        code_signing_config_arn: UNKNOWN.into(),
        ..UpdateCodeSigningConfigRequest::default()
    };
    refused(
        world.control.update_code_signing_config(&here(), update).await,
        "ResourceNotFoundException",
        &gone,
    );
    let list = ListFunctionsByCodeSigningConfigRequest {
        code_signing_config_arn: UNKNOWN.into(),
        ..ListFunctionsByCodeSigningConfigRequest::default()
    };
    refused(
        world.control.list_functions_by_code_signing_config(&here(), list).await,
        "ResourceNotFoundException",
        &gone,
    );
    let not_configured = format!(
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: \
         {UNKNOWN}."
    );
    for name in ["f", "nobody"] {
        refused(attach(&world, name, UNKNOWN).await, "CodeSigningConfigNotFoundException", &not_configured);
    }
    refused(world.create(signed("g", UNKNOWN)).await, "CodeSigningConfigNotFoundException", &not_configured);
    let config = warning(&world).await;
    let no_function = "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nobody";
    for answer in [
        attach(&world, "nobody", &config).await.map(drop),
        detach(&world, "nobody").await,
        attached(&world, "nobody").await.map(drop),
    ] {
        refused(answer, "ResourceNotFoundException", no_function);
    }
}

#[tokio::test]
async fn configurations_belong_to_their_region() {
    let world = World::new().await;
    let arn = warning(&world).await;
    for scope in [in_scope("999999999999", "eu-west-1"), in_scope("123456789012", "us-east-1")] {
        let input = GetCodeSigningConfigRequest { code_signing_config_arn: arn.clone() };
        assert!(world.control.get_code_signing_config(&scope, input).await.is_err());
        let listed = world
            .control
            .list_code_signing_configs(&scope, ListCodeSigningConfigsRequest::default())
            .await
            .unwrap();
        assert_eq!(listed.code_signing_configs, Some(Vec::new()));
    }
}

#[tokio::test]
async fn a_function_has_one_configuration_or_none() {
    let world = World::new().await;
    world.created("f").await;
    assert_eq!(attached(&world, "f").await.unwrap(), GetFunctionCodeSigningConfigResponse::default());
    detach(&world, "f").await.unwrap();
    let (first, second) = (warning(&world).await, warning(&world).await);
    let put = attach(&world, "f", &first).await.unwrap();
    assert_eq!((put.function_name.as_str(), &put.code_signing_config_arn), ("f", &first));
    assert_eq!(functions(&world, &first, (None, 10)).await.0, ["f"]);
    attach(&world, "arn:aws:lambda:eu-west-1:123456789012:function:f", &second).await.unwrap();
    assert_eq!(attached(&world, "f").await.unwrap().code_signing_config_arn, Some(second.clone()));
    assert_eq!(functions(&world, &first, (None, 10)).await.0, [""; 0]);
    detach(&world, "f").await.unwrap();
    assert_eq!(attached(&world, "f").await.unwrap(), GetFunctionCodeSigningConfigResponse::default());
    refused(
        attach(&world, "f:1", &first).await,
        "InvalidParameterValueException",
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
         Please specify either a function name or an unqualified function ARN.",
    );
}

/// Attaching says nothing of the code that is there, and is no change of the function.
#[tokio::test]
async fn attaching_leaves_the_function_as_it_is() {
    let world = World::new().await;
    let before = world.created("f").await;
    attach(&world, "f", &enforcing(&world).await).await.unwrap();
    assert_eq!(world.configuration("f").await.unwrap(), before);
}

#[tokio::test]
async fn warn_lets_unsigned_code_through_and_enforce_does_not() {
    let world = World::new().await;
    let (warn, enforce) = (warning(&world).await, enforcing(&world).await);
    refused(world.create(signed("f", &enforce)).await, "CodeVerificationFailedException", REFUSED);
    assert!(world.head("f").await.is_none());
    world.create(signed("f", &warn)).await.unwrap();
    world.settled("f").await;
    world.update_code(new_code("f", "2")).await.unwrap();
    let before = world.settled("f").await;
    attach(&world, "f", &enforce).await.unwrap();
    refused(world.update_code(new_code("f", "3")).await, "CodeVerificationFailedException", REFUSED);
    let dry_run = UpdateFunctionCodeRequest { dry_run: Some(true), ..new_code("f", "3") };
    refused(world.update_code(dry_run).await, "CodeVerificationFailedException", REFUSED);
    assert_eq!(world.configuration("f").await.unwrap(), before);
    // The configuration of a function is not code, its layers are.
    let layers = UpdateFunctionConfigurationRequest {
        layers: Some(vec![world.published("a", "1").await]),
        ..new_description("f", "x")
    };
    refused(world.update(layers).await, "CodeVerificationFailedException", REFUSED);
    let no_layers =
        UpdateFunctionConfigurationRequest { layers: Some(Vec::new()), ..new_description("f", "x") };
    world.update(no_layers).await.unwrap();
    world.settled("f").await;
    detach(&world, "f").await.unwrap();
    world.update_code(new_code("f", "3")).await.unwrap();
}

/// A stricter policy counts from the next deployment.
#[tokio::test]
async fn a_policy_can_become_stricter() {
    let world = World::new().await;
    let config = warning(&world).await;
    world.create(signed("f", &config)).await.unwrap();
    world.settled("f").await;
    let stricter = UpdateCodeSigningConfigRequest {
        code_signing_config_arn: config,
        code_signing_policies: Some(CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(CodeSigningPolicy::Enforce),
        }),
        ..UpdateCodeSigningConfigRequest::default()
    };
    world.control.update_code_signing_config(&here(), stricter).await.unwrap();
    refused(world.update_code(new_code("f", "2")).await, "CodeVerificationFailedException", REFUSED);
}

#[tokio::test]
async fn a_configuration_in_use_stays() {
    let world = World::new().await;
    let config = warning(&world).await;
    world.create(signed("f", &config)).await.unwrap();
    world.settled("f").await;
    let error = delete(&world, &config).await.unwrap_err();
    assert_eq!(error.code, "ResourceConflictException");
    world.delete("f", None).await.unwrap();
    delete(&world, &config).await.unwrap();
    assert_eq!(delete(&world, &config).await.unwrap_err().code, "ResourceNotFoundException");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    let config = warning(&world).await;
    for name in ["c", "a", "b"] {
        world.create(signed(name, &config)).await.unwrap();
    }
    world.create(new_function("other")).await.unwrap();
    let (first, marker) = functions(&world, &config, (None, 2)).await;
    assert_eq!(first, ["a", "b"]);
    assert_eq!(functions(&world, &config, (marker, 2)).await, (vec!["c".to_owned()], None));

    let mut expected = vec![config, warning(&world).await, warning(&world).await];
    expected.sort();
    let (mut seen, mut marker) = (Vec::new(), None);
    loop {
        let input = ListCodeSigningConfigsRequest { marker, max_items: Some(1) };
        let page = world.control.list_code_signing_configs(&here(), input).await.unwrap();
        let shown = page.code_signing_configs.unwrap();
        assert_eq!(shown.len(), 1);
        seen.extend(shown.into_iter().map(|config| config.code_signing_config_arn));
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn who_has_what_is_known_after_a_restart() {
    let world = World::new().await;
    let (kept, left) = (enforcing(&world).await, warning(&world).await);
    world.create(signed("f", &left)).await.unwrap();
    world.settled("f").await;
    attach(&world, "f", &kept).await.unwrap();
    let world = world.restart().await;
    assert_eq!(attached(&world, "f").await.unwrap().code_signing_config_arn, Some(kept.clone()));
    assert_eq!(functions(&world, &kept, (None, 10)).await.0, ["f"]);
    assert_eq!(functions(&world, &left, (None, 10)).await.0, [""; 0]);
    assert_eq!(delete(&world, &kept).await.unwrap_err().code, "ResourceConflictException");
    delete(&world, &left).await.unwrap();
}

/// However they fall, no function has a configuration that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attaching_and_deleting_at_a_time() {
    let world = Arc::new(World::new().await);
    world.created("f").await;
    for round in 0..40 {
        let config = warning(&world).await;
        let name = format!("f{round}");
        let mut clients = JoinSet::new();
        {
            let (world, config) = (world.clone(), config.clone());
            clients.spawn(async move { attach(&world, "f", &config).await.map(drop) });
        }
        {
            let (world, config) = (world.clone(), config.clone());
            clients.spawn(async move { world.create(signed(&name, &config)).await.map(drop) });
        }
        {
            let (world, config) = (world.clone(), config.clone());
            clients.spawn(async move { delete(&world, &config).await.map(drop) });
        }
        clients.join_all().await;
        let input = GetCodeSigningConfigRequest { code_signing_config_arn: config.clone() };
        let exists = world.control.get_code_signing_config(&here(), input).await.is_ok();
        let named = attached(&world, "f").await.unwrap().code_signing_config_arn.as_deref() == Some(&*config)
            || world.head(&format!("f{round}")).await.is_some();
        assert_eq!(exists, named, "round {round}");
        detach(&world, "f").await.unwrap();
    }
}

/// However they fall, code that is deployed after a configuration was attached is held against it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attaching_and_deploying_at_a_time() {
    let world = Arc::new(World::new().await);
    let config = enforcing(&world).await;
    for round in 0..10 {
        let name = format!("f{round}");
        world.created(&name).await;
        let mut deploying = JoinSet::new();
        deploying.spawn({
            let (world, name) = (world.clone(), name.clone());
            async move { world.update_code(new_code(&name, "2")).await.is_ok() }
        });
        tokio::time::sleep(std::time::Duration::from_micros(100 * round)).await;
        attach(&world, &name, &config).await.unwrap();
        let generation = world.head(&name).await.unwrap().latest.generation;
        let deployed = deploying.join_next().await.unwrap().unwrap();
        assert_eq!(deployed, generation == 2, "round {round}");
        assert_eq!(world.head(&name).await.unwrap().latest.generation, generation);
    }
}
