//! Policies of layer versions, and what they allow.

use std::sync::Arc;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use rushlight_control::RequestContext;
use tokio::task::JoinSet;

use super::{LAYER, invalid, new_version, refused};
use crate::world::{Answer, World, here, in_scope, new_function};

const NOT_FOUND: &str = "ResourceNotFoundException";
const NO_POLICY: &str = "No policy is associated with the given resource.";

fn permission(sid: &str, principal: &str) -> AddLayerVersionPermissionRequest {
    AddLayerVersionPermissionRequest {
        layer_name: "tools".into(),
        version_number: 1,
        statement_id: sid.into(),
        action: "lambda:GetLayerVersion".into(),
        principal: principal.into(),
        ..AddLayerVersionPermissionRequest::default()
    }
}

async fn add(
    world: &World,
    input: AddLayerVersionPermissionRequest,
) -> Answer<AddLayerVersionPermissionResponse> {
    world.control.add_layer_version_permission(&here(), input).await
}

fn removal(sid: &str) -> RemoveLayerVersionPermissionRequest {
    RemoveLayerVersionPermissionRequest {
        layer_name: "tools".into(),
        version_number: 1,
        statement_id: sid.into(),
        revision_id: None,
    }
}

async fn remove(world: &World, input: RemoveLayerVersionPermissionRequest) -> Answer<()> {
    world.control.remove_layer_version_permission(&here(), input).await
}

async fn policy(world: &World, number: i64) -> Answer<GetLayerVersionPolicyResponse> {
    let input = GetLayerVersionPolicyRequest { layer_name: "tools".into(), version_number: number };
    world.control.get_layer_version_policy(&here(), input).await
}

fn stranger() -> RequestContext {
    in_scope("999999999999", "eu-west-1")
}

#[track_caller]
fn denied<T: std::fmt::Debug>(answer: Answer<T>, action: &str, resource: &str) {
    refused(
        answer,
        "AccessDeniedException",
        &format!(
            "User: arn:aws:iam::999999999999:root is not authorized to perform: lambda:{action} on resource: \
             {resource} because no resource-based policy allows the lambda:{action} action"
        ),
    );
}

#[tokio::test]
async fn statements_come_and_go() {
    let world = World::new().await;
    world.published("tools", "1").await;
    refused(policy(&world, 1).await, NOT_FOUND, NO_POLICY);
    refused(remove(&world, removal("s1")).await, NOT_FOUND, NO_POLICY);
    let first = add(&world, permission("s1", "*")).await.unwrap();
    let one = format!(
        r#"{{"Sid":"s1","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1"}}"#
    );
    assert_eq!(first.statement.as_ref(), Some(&one));
    let shown = policy(&world, 1).await.unwrap();
    assert_eq!(
        shown.policy,
        Some(format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{one}]}}"#))
    );
    assert_eq!(shown.revision_id, first.revision_id);
    let second = AddLayerVersionPermissionRequest {
        organization_id: Some("o-t194hfs8cz".into()),
        revision_id: first.revision_id.clone(),
        ..permission("s2", "*")
    };
    let second = add(&world, second).await.unwrap();
    let two = format!(
        r#"{{"Sid":"s2","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"o-t194hfs8cz"}}}}}}"#
    );
    assert_eq!(second.statement.as_ref(), Some(&two));
    assert_ne!(second.revision_id, first.revision_id);
    let world = world.restart().await;
    let shown = policy(&world, 1).await.unwrap();
    assert_eq!(
        shown.policy,
        Some(format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{one},{two}]}}"#))
    );
    assert_eq!(shown.revision_id, second.revision_id);
    remove(&world, removal("s1")).await.unwrap();
    let shown = policy(&world, 1).await.unwrap();
    assert_eq!(
        shown.policy,
        Some(format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{two}]}}"#))
    );
    assert_ne!(shown.revision_id, second.revision_id);
    remove(&world, removal("s2")).await.unwrap();
    refused(policy(&world, 1).await, NOT_FOUND, NO_POLICY);
}

#[tokio::test]
async fn accounts_are_written_as_their_roots() {
    let world = World::new().await;
    world.published("tools", "1").await;
    for (sid, principal) in [("a", "111122223333"), ("b", "arn:aws:iam::111122223333:root")] {
        let added = add(&world, permission(sid, principal)).await.unwrap();
        assert_eq!(
            added.statement,
            Some(format!(
                r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:root"}},"Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1"}}"#
            ))
        );
    }
}

#[tokio::test]
async fn what_is_refused() {
    let world = World::new().await;
    world.published("tools", "1").await;
    add(&world, permission("s1", "*")).await.unwrap();
    refused(
        add(&world, permission("s1", "*")).await,
        "ResourceConflictException",
        "The statement id (s1) provided already exists. Please provide a new statement id, or remove the existing \
         statement.",
    );
    let stale = "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to \
                 retrieve the latest Revision Id";
    let revision_id = Some("stale".to_owned());
    let input =
        AddLayerVersionPermissionRequest { revision_id: revision_id.clone(), ..permission("s2", "*") };
    refused(add(&world, input).await, "PreconditionFailedException", stale);
    let input = RemoveLayerVersionPermissionRequest { revision_id, ..removal("s1") };
    refused(remove(&world, input).await, "PreconditionFailedException", stale);
    refused(
        remove(&world, removal("other")).await,
        NOT_FOUND,
        "Statement other is not found in resource policy.",
    );
    let gone = format!("Layer version {LAYER}:2 does not exist.");
    let input = AddLayerVersionPermissionRequest { version_number: 2, ..permission("s1", "*") };
    refused(add(&world, input).await, NOT_FOUND, &gone);
    let input = RemoveLayerVersionPermissionRequest { version_number: 2, ..removal("s1") };
    refused(remove(&world, input).await, NOT_FOUND, &gone);
    refused(policy(&world, 2).await, NOT_FOUND, &gone);
    let input = AddLayerVersionPermissionRequest { version_number: 0, ..permission("s1", "*") };
    invalid(add(&world, input).await, "Layer Version Cannot be less than 1");
    world.delete_version("tools", 1).await.unwrap();
    refused(policy(&world, 1).await, NOT_FOUND, &format!("Layer version {LAYER}:1 does not exist."));
}

#[tokio::test]
async fn a_policy_has_a_largest_size() {
    let world = World::new().await;
    world.published("tools", "1").await;
    let sid = |number: usize| format!("{number:0>100}");
    let mut size = 0;
    for number in 0.. {
        match add(&world, permission(&sid(number), "*")).await {
            Ok(_) => size = policy(&world, 1).await.unwrap().policy.unwrap().len(),
            Err(error) => {
                assert_eq!(error.code, "PolicyLengthExceededException");
                // Each statement is as long as the others, and a comma.
                let statement =
                    add(&world, permission(&sid(number), "*")).await.unwrap_err().message.unwrap();
                let document = r#"{"Version":"2012-10-17","Id":"default","Statement":[]}"#.len();
                let each = (size - document + 1) / number;
                let expected = size + each;
                assert_eq!(
                    statement,
                    format!("The final policy size ({expected}) is bigger than the limit (20480).")
                );
                assert!(size <= 20_480 && expected > 20_480);
                break;
            }
        }
    }
    // What fits exactly is taken.
    let room = 20_480 - size;
    let shortest = size - r#"{"Version":"2012-10-17","Id":"default","Statement":[]}"#.len();
    assert!(room < shortest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_changes_a_revision() {
    let world = Arc::new(World::new().await);
    world.published("tools", "1").await;
    let revision_id = add(&world, permission("s", "*")).await.unwrap().revision_id;
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let (world, revision_id) = (world.clone(), revision_id.clone());
        clients.spawn(async move {
            if client % 2 == 0 {
                let sid = format!("s{client}");
                let input = AddLayerVersionPermissionRequest { revision_id, ..permission(&sid, "*") };
                add(&world, input).await.map(drop)
            } else {
                remove(&world, RemoveLayerVersionPermissionRequest { revision_id, ..removal("s") }).await
            }
        });
    }
    let answers = clients.join_all().await;
    let lost: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(lost.len(), 15);
    assert!(lost.iter().all(|error| error.code == "PreconditionFailedException"), "{lost:?}");
}

#[tokio::test]
async fn other_accounts_get_what_the_policy_lets_them() {
    let world = World::new().await;
    let arn = world.published("tools", "1").await;
    denied(world.by_arn(&stranger(), &arn).await, "GetLayerVersion", &arn);
    denied(world.layer_version_as(&stranger(), LAYER, 1).await, "GetLayerVersion", &arn);
    // Whether a version exists is not told either.
    denied(world.layer_version_as(&stranger(), LAYER, 7).await, "GetLayerVersion", &format!("{LAYER}:7"));
    add(&world, permission("other", "111122223333")).await.unwrap();
    denied(world.by_arn(&stranger(), &arn).await, "GetLayerVersion", &arn);
    let input = AddLayerVersionPermissionRequest {
        organization_id: Some("o-t194hfs8cz".into()),
        ..permission("organization", "*")
    };
    add(&world, input).await.unwrap();
    denied(world.by_arn(&stranger(), &arn).await, "GetLayerVersion", &arn);
    add(&world, permission("stranger", "999999999999")).await.unwrap();
    let got = world.by_arn(&stranger(), &arn).await.unwrap();
    assert_eq!(got.layer_version_arn.as_ref(), Some(&arn));
    assert_eq!(world.layer_version_as(&stranger(), LAYER, 1).await.unwrap(), got);
    let elsewhere = in_scope("999999999999", "us-east-1");
    denied(world.by_arn(&elsewhere, &arn).await, "GetLayerVersion", &arn);
    world.published("tools", "1").await;
    denied(world.layer_version_as(&stranger(), LAYER, 2).await, "GetLayerVersion", &format!("{LAYER}:2"));
}

#[tokio::test]
async fn other_accounts_change_nothing() {
    let world = World::new().await;
    let arn = world.published("tools", "1").await;
    add(&world, permission("s", "*")).await.unwrap();
    let control = &world.control;
    let by = stranger();
    denied(control.publish_layer_version(&by, new_version(LAYER, "1")).await, "PublishLayerVersion", LAYER);
    let input = DeleteLayerVersionRequest { layer_name: LAYER.into(), version_number: 1 };
    denied(control.delete_layer_version(&by, input).await, "DeleteLayerVersion", &arn);
    let input = AddLayerVersionPermissionRequest { layer_name: LAYER.into(), ..permission("t", "*") };
    denied(control.add_layer_version_permission(&by, input).await, "AddLayerVersionPermission", &arn);
    let input = RemoveLayerVersionPermissionRequest { layer_name: LAYER.into(), ..removal("s") };
    denied(control.remove_layer_version_permission(&by, input).await, "RemoveLayerVersionPermission", &arn);
    let input = GetLayerVersionPolicyRequest { layer_name: LAYER.into(), version_number: 1 };
    denied(control.get_layer_version_policy(&by, input).await, "GetLayerVersionPolicy", &arn);
    assert!(world.layer_version("tools", 1).await.is_ok());
}

#[tokio::test]
async fn functions_of_other_accounts_have_what_the_policy_lets_them() {
    let world = World::new().await;
    let arn = world.published("tools", "1").await;
    let create = |name: &str| CreateFunctionRequest { layers: Some(vec![arn.clone()]), ..new_function(name) };
    denied(world.control.create_function(&stranger(), create("f")).await, "GetLayerVersion", &arn);
    let elsewhere = in_scope("999999999999", "us-east-1");
    denied(world.control.create_function(&elsewhere, create("f")).await, "GetLayerVersion", &arn);
    add(&world, permission("s", "999999999999")).await.unwrap();
    let created = world.control.create_function(&stranger(), create("f")).await.unwrap();
    assert_eq!(created.layers.unwrap()[0].arn.as_ref(), Some(&arn));
    // What a function has it keeps.
    remove(&world, removal("s")).await.unwrap();
    denied(world.control.create_function(&stranger(), create("g")).await, "GetLayerVersion", &arn);
    let input = GetFunctionConfigurationRequest { function_name: "f".into(), qualifier: None };
    let kept = world.control.get_function_configuration(&stranger(), input).await.unwrap();
    assert_eq!(kept.layers.unwrap()[0].arn.as_ref(), Some(&arn));
}
