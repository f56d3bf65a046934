//! Execution environments of versions on managed instances: none deactivates a version, some bring it back.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use crate::managed_instances::{managed, publish, refused, state};
use crate::world::{Answer, World, here, is_eventually};

fn between(min: Option<i32>, max: Option<i32>) -> FunctionScalingConfig {
    FunctionScalingConfig { min_execution_environments: min, max_execution_environments: max }
}

async fn put(world: &World, version: &str, min: Option<i32>, max: Option<i32>) -> Answer<State> {
    let input = PutFunctionScalingConfigRequest {
        function_name: "f".into(),
        qualifier: version.into(),
        function_scaling_config: Some(between(min, max)),
    };
    let answer = world.control.put_function_scaling_config(&here(), input).await;
    answer.map(|answer| answer.function_state.unwrap())
}

async fn get(world: &World, version: &str) -> Answer<(FunctionScalingConfig, FunctionScalingConfig)> {
    let input = GetFunctionScalingConfigRequest { function_name: "f".into(), qualifier: version.into() };
    let answer = world.control.get_function_scaling_config(&here(), input).await?;
    assert!(answer.function_arn.unwrap().ends_with(&format!(":function:f:{version}")));
    let applied = answer.applied_function_scaling_config.unwrap();
    Ok((applied, answer.requested_function_scaling_config.unwrap()))
}

async fn becomes(world: &World, wanted: State) {
    is_eventually(wanted.as_str(), async || (state(world, "1").await == wanted).then_some(())).await;
}

/// A function on managed instances with its version 1.
async fn published() -> World {
    let world = World::new().await;
    managed(&world).await;
    publish(&world, "f").await.unwrap();
    becomes(&world, State::Active).await;
    world
}

#[tokio::test]
async fn a_version_goes_and_comes_back() {
    let world = published().await;
    let (default, some, none) =
        (between(Some(3), None), between(Some(1), Some(15_000)), between(Some(0), Some(0)));
    assert_eq!(get(&world, "1").await.unwrap(), (default.clone(), default.clone()));
    assert_eq!(put(&world, "1", Some(1), Some(15_000)).await.unwrap(), State::Active);
    assert_eq!(get(&world, "1").await.unwrap(), (some.clone(), some.clone()));
    assert_eq!(put(&world, "1", Some(0), Some(0)).await.unwrap(), State::Deactivating);
    assert_eq!(get(&world, "1").await.unwrap(), (some, none.clone()));
    assert!(world.data_plane.told.lock().contains(&"f:1 is gone".to_owned()));
    let world = world.restart().await;
    becomes(&world, State::Deactivated).await;
    assert_eq!(get(&world, "1").await.unwrap(), (none.clone(), none.clone()));
    assert_eq!(put(&world, "1", Some(0), Some(0)).await.unwrap(), State::Deactivated);
    assert_eq!(put(&world, "1", None, None).await.unwrap(), State::Pending);
    assert_eq!(get(&world, "1").await.unwrap(), (none, default.clone()));
    becomes(&world, State::Active).await;
    assert_eq!(get(&world, "1").await.unwrap(), (default.clone(), default));
}

#[tokio::test]
async fn bounds_make_sense() {
    let world = published().await;
    let code = "InvalidParameterValueException";
    let together = "MinExecutionEnvironments and MaxExecutionEnvironments must be specified together.";
    refused(put(&world, "1", Some(1), None).await, code, together);
    refused(put(&world, "1", None, Some(1)).await, code, together);
    let order = "MinExecutionEnvironments must be less than or equal to MaxExecutionEnvironments.";
    refused(put(&world, "1", Some(2), Some(1)).await, code, order);
    let zero = "MinExecutionEnvironments can only be 0 when MaxExecutionEnvironments is also 0.";
    refused(put(&world, "1", Some(0), Some(1)).await, code, zero);
}

#[tokio::test]
async fn only_versions_on_managed_instances_have_bounds() {
    let world = World::new().await;
    let missing = |version: &str| {
        format!("Function not found: arn:aws:lambda:eu-west-1:123456789012:function:f:{version}")
    };
    refused(put(&world, "1", None, None).await, "ResourceNotFoundException", &missing("1"));
    world.created("f").await;
    publish(&world, "f").await.unwrap();
    let ordinary = "The function provided by the arn does not contain a capacity provider configuration";
    refused(put(&world, "1", None, None).await, "AccessDeniedException", ordinary);
    refused(get(&world, "1").await, "AccessDeniedException", ordinary);
    let world = published().await;
    for version in ["2", "$LATEST.PUBLISHED"] {
        refused(put(&world, version, None, None).await, "ResourceNotFoundException", &missing(version));
        refused(get(&world, version).await, "ResourceNotFoundException", &missing(version));
    }
}

#[tokio::test]
async fn a_version_on_its_way_is_left_alone() {
    let world = published().await;
    put(&world, "1", Some(0), Some(0)).await.unwrap();
    let message = "The operation cannot be performed at this time. The function is currently in the following state: \
                   Deactivating";
    refused(put(&world, "1", Some(1), Some(1)).await, "ResourceConflictException", message);
}
