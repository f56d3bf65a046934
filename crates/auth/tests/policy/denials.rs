//! AWS' words.

use rushlight_auth::Principal;
use rushlight_auth::policy::{Context, Decision, Document, Policies, Request, evaluate};
use serde_json::json;

use crate::support::{ACCOUNT, FUNCTION, INVOKE, all, all_for, ana, identity, resource, session};

fn message(caller: &Principal, policies: &Policies<'_>) -> String {
    let context = Context::new();
    let request = Request::new(caller, INVOKE, FUNCTION, &context);
    match evaluate(&request, policies) {
        Decision::Allow => panic!("allowed"),
        Decision::Deny(denial) => denial.message(&request),
    }
}

#[test]
fn nothing_allows() {
    let on = "is not authorized to perform: lambda:InvokeFunction on resource: \
              arn:aws:lambda:eu-west-1:111122223333:function:hello";
    let (everything, nothing) =
        ([identity(all("Allow"))], [identity(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))]);
    let default = Policies::default();
    assert_eq!(
        message(&session(), &default),
        format!(
            "User: arn:aws:sts::111122223333:assumed-role/worker/resize {on} because no identity-based policy allows \
             the lambda:InvokeFunction action"
        )
    );
    assert_eq!(
        message(
            &Principal::user("444455556666", "eve", "AIDA"),
            &Policies { identity: &everything, ..default }
        ),
        format!(
            "User: arn:aws:iam::444455556666:user/eve {on} because no resource-based policy allows the \
             lambda:InvokeFunction action"
        )
    );
    let bounded = Policies { identity: &everything, boundary: nothing.first(), ..default };
    assert_eq!(
        message(&ana(), &bounded),
        format!(
            "User: arn:aws:iam::111122223333:user/ana {on} because no permissions boundary allows the \
             lambda:InvokeFunction action"
        )
    );
    let narrowed = Policies { identity: &everything, session: &nothing, ..default };
    assert_eq!(
        message(&ana(), &narrowed),
        format!(
            "User: arn:aws:iam::111122223333:user/ana {on} because no session policy allows the \
             lambda:InvokeFunction action"
        )
    );
    let service = Principal::service(ACCOUNT, "s3.amazonaws.com");
    assert!(message(&service, &default).starts_with("User: s3.amazonaws.com is not authorized to perform: "));
}

#[test]
fn something_denies() {
    let start = "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: lambda:InvokeFunction on \
                 resource: arn:aws:lambda:eu-west-1:111122223333:function:hello with an explicit deny in ";
    let deny = [identity(all("Deny"))];
    let denied = resource(all_for("Deny", json!("*")));
    let default = Policies::default();
    for (policies, place) in [
        (Policies { identity: &deny, ..default }, "an identity-based policy"),
        (Policies { resource: Some(&denied), ..default }, "a resource-based policy"),
        (Policies { boundary: deny.first(), ..default }, "a permissions boundary"),
        (Policies { session: &deny, ..default }, "a session policy"),
    ] {
        assert_eq!(message(&ana(), &policies), format!("{start}{place}"));
    }
    let arn = "arn:aws:iam::111122223333:policy/Guard";
    let managed: [Document; 2] = [identity(all("Allow")), identity(all("Deny")).with_arn(arn)];
    let policies = Policies { identity: &managed, ..default };
    assert_eq!(message(&ana(), &policies), format!("{start}an identity-based policy: {arn}"));
}
