//! Settings that say when a runtime changes and what becomes of loops.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use crate::world::{Answer, World, here};

const F: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";
const PINNED: &str =
    "arn:aws:lambda:eu-west-1::runtime:8eeff65f6809a3ce81507fe733fe09b835899b99481ba22fd75b5a7338290ec1";

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: &str, message: &str) {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_ref(), error.message.as_deref()), (code, Some(message)));
}

async fn put(
    world: &World,
    name: &str,
    on: UpdateRuntimeOn,
    arn: Option<&str>,
) -> Answer<PutRuntimeManagementConfigResponse> {
    let input = PutRuntimeManagementConfigRequest {
        function_name: name.into(),
        qualifier: None,
        update_runtime_on: on,
        runtime_version_arn: arn.map(Into::into),
    };
    world.control.put_runtime_management_config(&here(), input).await
}

async fn get(world: &World, name: &str) -> Answer<GetRuntimeManagementConfigResponse> {
    let input = GetRuntimeManagementConfigRequest { function_name: name.into(), qualifier: None };
    world.control.get_runtime_management_config(&here(), input).await
}

async fn mode(world: &World, name: &str) -> (String, Option<String>) {
    let shown = get(world, name).await.unwrap();
    (shown.update_runtime_on.unwrap().to_string(), shown.runtime_version_arn)
}

async fn publish(world: &World) {
    let input = PublishVersionRequest { function_name: "f".into(), ..PublishVersionRequest::default() };
    world.control.publish_version(&here(), input).await.unwrap();
}

#[tokio::test]
async fn each_version_has_its_own_mode() {
    let world = World::new().await;
    let before = world.created("f").await;
    assert_eq!(mode(&world, "f").await, ("Auto".into(), None));
    let shown = put(&world, "f", UpdateRuntimeOn::Manual, Some(PINNED)).await.unwrap();
    assert_eq!((shown.function_arn.as_str(), shown.runtime_version_arn.as_deref()), (F, Some(PINNED)));
    assert_eq!(world.configuration("f").await.unwrap(), before);
    publish(&world).await;
    assert_eq!(mode(&world, "f:1").await, ("Auto".into(), None));
    let shown = put(&world, "f:1", UpdateRuntimeOn::FunctionUpdate, Some(PINNED)).await.unwrap();
    assert_eq!((shown.function_arn, shown.runtime_version_arn), (format!("{F}:1"), None));
    let world = world.restart().await;
    assert_eq!(mode(&world, "f:1").await, ("FunctionUpdate".into(), None));
    assert_eq!(mode(&world, "f:$LATEST").await, ("Manual".into(), Some(PINNED.into())));
    put(&world, "f", UpdateRuntimeOn::Auto, None).await.unwrap();
    assert_eq!(mode(&world, "f").await, ("Auto".into(), None));
    world.delete("f:1", None).await.unwrap();
    assert!(world.head("f").await.unwrap().runtime_updates.is_empty());
}

#[tokio::test]
async fn modes_that_are_refused() {
    let world = World::new().await;
    world.created("f").await;
    publish(&world).await;
    let alias = CreateAliasRequest {
        function_name: "f".into(),
        name: "live".into(),
        function_version: "1".into(),
        ..CreateAliasRequest::default()
    };
    world.control.create_alias(&here(), alias).await.unwrap();
    let text = format!("The provided function name {F}:live is invalid. Aliases are not allowed.");
    refused(
        put(&world, "f:live", UpdateRuntimeOn::Auto, None).await,
        "InvalidParameterValueException",
        &text,
    );
    refused(get(&world, "f:live").await, "InvalidParameterValueException", &text);
    refused(
        put(&world, "f", UpdateRuntimeOn::Manual, None).await,
        "InvalidParameterValueException",
        "RuntimeVersionArn is required when UpdateRuntimeOn is Manual.",
    );
    for (name, arn) in [("f:2", format!("{F}:2")), ("nobody", F.replace("function:f", "function:nobody"))] {
        let text = format!("Function not found: {arn}");
        refused(put(&world, name, UpdateRuntimeOn::Auto, None).await, "ResourceNotFoundException", &text);
        refused(get(&world, name).await, "ResourceNotFoundException", &text);
    }
}

#[tokio::test]
async fn loops_are_broken_unless_they_are_meant() {
    let world = World::new().await;
    let before = world.created("f").await;
    let get = async |world: &World, name: &str| {
        let input = GetFunctionRecursionConfigRequest { function_name: name.into() };
        world
            .control
            .get_function_recursion_config(&here(), input)
            .await
            .map(|shown| shown.recursive_loop.unwrap())
    };
    let put = async |world: &World, name: &str, recursive_loop| {
        let input = PutFunctionRecursionConfigRequest { function_name: name.into(), recursive_loop };
        world
            .control
            .put_function_recursion_config(&here(), input)
            .await
            .map(|shown| shown.recursive_loop.unwrap())
    };
    assert_eq!(get(&world, "f").await.unwrap(), RecursiveLoop::Terminate);
    assert_eq!(put(&world, F, RecursiveLoop::Allow).await.unwrap(), RecursiveLoop::Allow);
    assert_eq!(world.configuration("f").await.unwrap(), before);
    let world = world.restart().await;
    assert_eq!(get(&world, "f").await.unwrap(), RecursiveLoop::Allow);
    assert_eq!(put(&world, "f", RecursiveLoop::Terminate).await.unwrap(), RecursiveLoop::Terminate);
    assert_eq!(get(&world, "f").await.unwrap(), RecursiveLoop::Terminate);
    let text = "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nobody";
    refused(get(&world, "nobody").await, "ResourceNotFoundException", text);
    refused(put(&world, "nobody", RecursiveLoop::Allow).await, "ResourceNotFoundException", text);
}
