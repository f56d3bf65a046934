//! Trust policies.

use rushlight_auth::policy::{
    ASSUME_ROLE, Context, Kind, LAMBDA, Policies, Request, evaluate, key, service_may_assume,
};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, all, ana, document, identity};

const ROLE: &str = "arn:aws:iam::111122223333:role/worker";

fn trusts(statements: Value, context: &Context<'_>) -> bool {
    service_may_assume(LAMBDA, ROLE, &document(Kind::Trust, statements), context)
}

fn statement(effect: &str, principal: Value, action: Value) -> Value {
    json!({"Effect": effect, "Principal": principal, "Action": action})
}

#[test]
fn lambda_assumes_roles_that_trust_it() {
    let lambda = || json!({"Service": "lambda.amazonaws.com"});
    let context = Context::new();
    for (statements, expected) in [
        (statement("Allow", lambda(), json!("sts:AssumeRole")), true),
        (statement("Allow", lambda(), json!(["sts:TagSession", "sts:AssumeRole"])), true),
        (statement("Allow", lambda(), json!("sts:*")), true),
        (
            statement(
                "Allow",
                json!({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}),
                json!("sts:AssumeRole"),
            ),
            true,
        ),
        (statement("Allow", lambda(), json!("sts:TagSession")), false),
        (statement("Allow", json!({"Service": "ec2.amazonaws.com"}), json!("sts:AssumeRole")), false),
        (statement("Allow", json!({"AWS": ACCOUNT}), json!("sts:AssumeRole")), false),
        (statement("Deny", lambda(), json!("sts:AssumeRole")), false),
        (
            json!([
                statement("Allow", lambda(), json!("sts:AssumeRole")),
                statement("Deny", lambda(), json!("sts:AssumeRole")),
            ]),
            false,
        ),
    ] {
        assert_eq!(trusts(statements.clone(), &context), expected, "{statements}");
    }
}

#[test]
fn trust_may_depend_on_the_function() {
    let mut statements =
        statement("Allow", json!({"Service": "lambda.amazonaws.com"}), json!("sts:AssumeRole"));
    statements["Condition"] = json!({
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": "arn:aws:lambda:*:111122223333:function:hello"},
    });
    let context = |function: &str| {
        let mut context = Context::new();
        context.insert(key::SOURCE_ACCOUNT, ACCOUNT);
        context.insert(key::SOURCE_ARN, format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{function}"));
        context
    };
    assert!(trusts(statements.clone(), &context("hello")));
    assert!(!trusts(statements.clone(), &context("other")));
    assert!(!trusts(statements, &Context::new()));
}

#[test]
fn a_role_must_trust_whoever_may_assume_roles() {
    let everything = [identity(all("Allow"))];
    let (context, caller) = (Context::new(), ana());
    let is_allowed = |principal: Value, identity| {
        let trust = document(Kind::Trust, statement("Allow", principal, json!("sts:AssumeRole")));
        let policies = Policies { identity, resource: Some(&trust), ..Policies::default() };
        evaluate(&Request::new(&caller, ASSUME_ROLE, ROLE, &context), &policies).is_allowed()
    };
    let service = json!({"Service": "lambda.amazonaws.com"});
    assert!(!is_allowed(service, &everything));
    assert!(is_allowed(json!({"AWS": ACCOUNT}), &everything));
    assert!(!is_allowed(json!({"AWS": ACCOUNT}), &[]));
    assert!(is_allowed(json!({"AWS": caller.arn()}), &[]));
}
