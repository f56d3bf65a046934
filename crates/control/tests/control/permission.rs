//! Resource-based policies: where they are kept, what changes with them, and that nobody overwrites another's change.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::{ACCOUNT, Answer, REGION, World, here};

fn statement(name: &str, sid: &str) -> AddPermissionRequest {
    AddPermissionRequest {
        function_name: name.into(),
        statement_id: sid.into(),
        action: "lambda:InvokeFunction".into(),
        principal: "s3.amazonaws.com".into(),
        ..AddPermissionRequest::default()
    }
}

async fn add(world: &World, input: AddPermissionRequest) -> Answer<AddPermissionResponse> {
    world.control.add_permission(&here(), input).await
}

async fn remove(world: &World, name: &str, sid: &str, qualifier: Option<&str>) -> Answer<()> {
    let input = RemovePermissionRequest {
        function_name: name.into(),
        statement_id: sid.into(),
        qualifier: qualifier.map(Into::into),
        revision_id: None,
    };
    world.control.remove_permission(&here(), input).await
}

async fn get(world: &World, name: &str, qualifier: Option<&str>) -> Answer<GetPolicyResponse> {
    let input = GetPolicyRequest { function_name: name.into(), qualifier: qualifier.map(Into::into) };
    world.control.get_policy(&here(), input).await
}

async fn put(world: &World, qualifier: &str, policy: &Value) -> Answer<PutResourcePolicyResponse> {
    let input = PutResourcePolicyRequest {
        resource_arn: arn(qualifier),
        policy: policy.to_string(),
        revision_id: None,
    };
    world.control.put_resource_policy(&here(), input).await
}

async fn sids(world: &World, name: &str, qualifier: Option<&str>) -> Vec<String> {
    let Ok(answer) = get(world, name, qualifier).await else { return Vec::new() };
    let policy: Value = serde_json::from_str(&answer.policy.unwrap()).unwrap();
    let sid = |statement: &Value| statement["Sid"].as_str().unwrap().to_owned();
    policy["Statement"].as_array().unwrap().iter().map(sid).collect()
}

fn arn(suffix: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:f{suffix}")
}

fn message<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    let error = answer.unwrap_err();
    format!("{} {}", error.code, error.message.unwrap_or_default())
}

/// A function `f` with a version 1 that an alias `live` leads to.
async fn published() -> World {
    let world = World::new().await;
    world.created("f").await;
    let input = PublishVersionRequest { function_name: "f".into(), ..PublishVersionRequest::default() };
    world.control.publish_version(&here(), input).await.unwrap();
    let input = CreateAliasRequest {
        function_name: "f".into(),
        name: "live".into(),
        function_version: "1".into(),
        ..CreateAliasRequest::default()
    };
    world.control.create_alias(&here(), input).await.unwrap();
    world
}

async fn revision(world: &World, qualifier: &str) -> String {
    match qualifier {
        "live" => {
            let input = GetAliasRequest { function_name: "f".into(), name: "live".into() };
            world.control.get_alias(&here(), input).await.unwrap().revision_id.unwrap()
        }
        "" => world.configuration("f").await.unwrap().revision_id.unwrap(),
        number => world.get("f", Some(number)).await.unwrap().configuration.unwrap().revision_id.unwrap(),
    }
}

#[tokio::test]
async fn each_qualifier_has_a_policy_and_a_revision_of_its_own() {
    let world = published().await;
    let qualifiers = ["", "1", "live"];
    for changed in qualifiers {
        let before =
            [revision(&world, "").await, revision(&world, "1").await, revision(&world, "live").await];
        let given = Some(changed).filter(|qualifier| !qualifier.is_empty());
        let mut input = statement("f", &format!("of-{changed}"));
        input.qualifier = given.map(Into::into);
        let added = add(&world, input).await.unwrap().statement.unwrap();
        let suffix = given.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
        assert_eq!(
            added,
            format!(
                r#"{{"Sid":"of-{changed}","Effect":"Allow","Principal":{{"Service":"s3.amazonaws.com"}},"Action":"lambda:InvokeFunction","Resource":"{}"}}"#,
                arn(&suffix)
            )
        );
        let policy = get(&world, "f", given).await.unwrap();
        assert_eq!(
            policy.policy.unwrap(),
            format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{added}]}}"#)
        );
        assert_eq!(policy.revision_id.unwrap(), revision(&world, changed).await);
        for (qualifier, before) in qualifiers.into_iter().zip(before) {
            assert_eq!(revision(&world, qualifier).await != before, qualifier == changed, "{qualifier}");
        }
    }
    let world = world.restart().await;
    for qualifier in qualifiers {
        let given = Some(qualifier).filter(|qualifier| !qualifier.is_empty());
        assert_eq!(sids(&world, "f", given).await, [format!("of-{qualifier}")]);
    }
}

#[tokio::test]
async fn policies_go_with_what_they_belong_to() {
    let world = published().await;
    for qualifier in ["1", "live"] {
        let mut input = statement("f", "s");
        input.qualifier = Some(qualifier.into());
        add(&world, input).await.unwrap();
    }
    let input = DeleteAliasRequest { function_name: "f".into(), name: "live".into() };
    world.control.delete_alias(&here(), input).await.unwrap();
    world.delete("f", Some("1")).await.unwrap();
    assert!(world.head("f").await.unwrap().policies.is_empty());
}

#[tokio::test]
async fn a_policy_without_statements_is_none() {
    let world = published().await;
    add(&world, statement("f", "a")).await.unwrap();
    add(&world, statement("f:$LATEST", "b")).await.unwrap_err();
    add(&world, statement("f", "b")).await.unwrap();
    remove(&world, "f", "a", None).await.unwrap();
    assert_eq!(sids(&world, "f", None).await, ["b"]);
    remove(&world, &arn(""), "b", None).await.unwrap();
    let none = "ResourceNotFoundException The resource you requested does not exist.";
    assert_eq!(message(get(&world, "f", None).await), none);
    assert_eq!(
        message(remove(&world, "f", "b", None).await),
        "ResourceNotFoundException No policy is associated with the given resource."
    );
}

#[tokio::test]
async fn whole_documents_and_statements_are_one_policy() {
    let world = published().await;
    add(&world, statement("f", "before")).await.unwrap();
    let policy = json!({"Statement": {
        "Sid": "whole", "Effect": "Deny", "Principal": {"AWS": ACCOUNT}, "Action": "lambda:DeleteFunction", "Resource": "*",
    }});
    let answer = put(&world, "", &policy).await.unwrap();
    assert_eq!(answer.policy.as_deref(), Some(&*policy.to_string()));
    assert_eq!(answer.revision_id.unwrap(), revision(&world, "").await);
    assert_eq!(get(&world, "f", None).await.unwrap().policy.unwrap(), policy.to_string());
    add(&world, statement("f", "after")).await.unwrap();
    assert_eq!(sids(&world, "f", None).await, ["whole", "after"]);
    assert!(message(add(&world, statement("f", "whole")).await).starts_with("ResourceConflictException"));
    remove(&world, "f", "whole", None).await.unwrap();
    assert_eq!(sids(&world, "f", None).await, ["after"]);
    let input = DeleteResourcePolicyRequest { resource_arn: arn(""), revision_id: None };
    world.control.delete_resource_policy(&here(), input.clone()).await.unwrap();
    assert_eq!(sids(&world, "f", None).await, [""; 0]);
    assert_eq!(
        message(world.control.delete_resource_policy(&here(), input).await),
        "ResourceNotFoundException No policy is associated with the given resource."
    );
}

#[tokio::test]
async fn what_is_not_understood_is_not_kept() {
    let world = published().await;
    let allow = |change: Value| {
        let mut statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": "*"});
        statement.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    for (policy, message_start) in [
        (json!([]), "Syntax errors in policy: the policy must be an object."),
        (json!({"Version": "2012-10-17"}), "Missing required field Statement"),
        (allow(json!({"Effect": "Permit"})), "Invalid effect: Permit"),
        (allow(json!({"Principal": {"AWS": "me"}})), "Invalid principal in policy: \"AWS\":\"me\""),
        (allow(json!({"Condition": {"StringIs": {"aws:userid": "a"}}})), "Invalid Condition type : StringIs"),
        (allow(json!({"Extra": 1})), "Syntax errors in policy: unknown element Extra."),
    ] {
        assert_eq!(
            message(put(&world, "", &policy).await),
            format!("InvalidParameterValueException {message_start}")
        );
    }
    assert!(world.head("f").await.unwrap().policies.is_empty());
}

#[tokio::test]
async fn a_policy_has_at_most_20_kilobytes() {
    let world = published().await;
    let policy = |length: usize| {
        let text = |id: &str| {
            json!({"Id": id, "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "lambda:DeleteFunction", "Resource": "*",
            }]})
        };
        let rest = length - text("").to_string().len();
        text(&"i".repeat(rest))
    };
    assert_eq!(
        message(put(&world, "", &policy(20_481)).await),
        "PolicyLengthExceededException The final policy size (20481) is bigger than the limit (20480)."
    );
    put(&world, "", &policy(20_480)).await.unwrap();
    let one_more = add(&world, statement("f", "s")).await;
    assert!(message(one_more).starts_with("PolicyLengthExceededException The final policy size (20"));
    let smaller = 20_480 - add(&world, statement("f:1", "s")).await.unwrap().statement.unwrap().len();
    // The statement, shorter by the two characters of `:1`, and a comma.
    put(&world, "", &policy(smaller + 1)).await.unwrap();
    add(&world, statement("f", "s")).await.unwrap();
    assert_eq!(get(&world, "f", None).await.unwrap().policy.unwrap().len(), 20_480);
}

#[tokio::test]
async fn an_old_revision_changes_nothing() {
    let world = published().await;
    add(&world, statement("f", "s")).await.unwrap();
    let old = "00000000-0000-0000-0000-000000000000";
    let stale = "PreconditionFailedException The Revision Id provided does not match the latest Revision Id. Call the \
                 GetPolicy API to retrieve the latest Revision Id";
    let guarded =
        |revision: &str| AddPermissionRequest { revision_id: Some(revision.into()), ..statement("f", "t") };
    assert_eq!(message(add(&world, guarded(old)).await), stale);
    let unsay = RemovePermissionRequest {
        function_name: "f".into(),
        statement_id: "s".into(),
        qualifier: None,
        revision_id: Some(old.into()),
    };
    assert_eq!(message(world.control.remove_permission(&here(), unsay).await), stale);
    let policy = get(&world, "f", None).await.unwrap();
    let replace = PutResourcePolicyRequest {
        resource_arn: arn(""),
        policy: policy.policy.unwrap(),
        revision_id: Some(old.into()),
    };
    assert_eq!(message(world.control.put_resource_policy(&here(), replace).await), stale);
    let delete = DeleteResourcePolicyRequest { resource_arn: arn(""), revision_id: Some(old.into()) };
    assert_eq!(message(world.control.delete_resource_policy(&here(), delete).await), stale);
    // The revision of the function is the policy's.
    add(&world, guarded(&revision(&world, "").await)).await.unwrap();
    assert_eq!(sids(&world, "f", None).await, ["s", "t"]);
}

#[tokio::test]
async fn of_many_who_saw_one_revision_one_wins_and_without_a_guard_all_do() {
    let world = published().await;
    let seen = revision(&world, "").await;
    let mut callers = JoinSet::new();
    for number in 0..16 {
        let (control, seen) = (world.control.clone(), seen.clone());
        callers.spawn(async move {
            let guarded =
                AddPermissionRequest { revision_id: Some(seen), ..statement("f", &format!("g{number}")) };
            let won = control.add_permission(&here(), guarded).await.is_ok();
            control.add_permission(&here(), statement("f", &format!("u{number}"))).await.unwrap();
            won
        });
    }
    let won = callers.join_all().await.into_iter().filter(|won| *won).count();
    let sids = sids(&world, "f", None).await;
    assert!(won <= 1, "{won} callers changed one revision");
    assert_eq!(sids.iter().filter(|sid| sid.starts_with('u')).count(), 16);
    assert_eq!(sids.iter().filter(|sid| sid.starts_with('g')).count(), won);
}
