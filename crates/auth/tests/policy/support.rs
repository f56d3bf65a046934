//! Policies and requests to test with.

use rushlight_auth::Principal;
use rushlight_auth::policy::{
    Context, Decision, Document, Kind, MalformedPolicy, Policies, Request, evaluate,
};
use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const OTHER: &str = "444455556666";
pub const INVOKE: &str = "lambda:InvokeFunction";
pub const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:hello";

pub fn parse(document: &Value, kind: Kind) -> Result<Document, MalformedPolicy> {
    Document::parse(&document.to_string(), kind)
}

/// A document of version 2012-10-17.
pub fn document(kind: Kind, statements: Value) -> Document {
    parse(&json!({"Version": "2012-10-17", "Statement": statements}), kind).unwrap()
}

pub fn identity(statements: Value) -> Document {
    document(Kind::Identity, statements)
}

pub fn resource(statements: Value) -> Document {
    document(Kind::Resource, statements)
}

/// A statement on every action and resource.
pub fn all(effect: &str) -> Value {
    json!({"Effect": effect, "Action": "*", "Resource": "*"})
}

/// A statement on every action and resource, for a principal.
pub fn all_for(effect: &str, principal: Value) -> Value {
    json!({"Effect": effect, "Principal": principal, "Action": "*", "Resource": "*"})
}

pub fn ana() -> Principal {
    Principal::user(ACCOUNT, "ana", "AIDACKCEVSQ6C2EXAMPLE")
}

pub fn session() -> Principal {
    Principal::assumed_role(ACCOUNT, "service-role/worker", "AROADBQP57FF2AEXAMPLE", "resize")
}

/// Decides whether the principal may invoke the function.
pub fn decide(principal: &Principal, policies: &Policies<'_>) -> Decision {
    let context = Context::new();
    evaluate(&Request::new(principal, INVOKE, FUNCTION, &context), policies)
}

/// Whether a statement of this effect applies under the condition.
pub fn applies(effect: &str, condition: &Value, context: &Context<'_>) -> bool {
    let mut statement = all(effect);
    statement["Condition"] = condition.clone();
    let documents = match effect {
        "Allow" => vec![identity(json!([statement]))],
        _ => vec![identity(json!([statement])), identity(json!([all("Allow")]))],
    };
    let principal = ana();
    let request = Request::new(&principal, INVOKE, FUNCTION, context);
    let policies = Policies { identity: &documents, ..Policies::default() };
    evaluate(&request, &policies).is_allowed() == (effect == "Allow")
}

/// Whether a condition holds: the same for statements that allow and that deny.
pub fn holds(condition: &Value, context: &Context<'_>) -> bool {
    let allows = applies("Allow", condition, context);
    assert_eq!(allows, applies("Deny", condition, context), "{condition}");
    allows
}

/// Whether one operator holds for one key, `x:key`, that has these values in the request.
pub fn compares(operator: &str, policy: &Value, request: &[&str]) -> bool {
    let mut context = Context::new();
    for value in request {
        context.insert("x:key", *value);
    }
    holds(&json!({operator: {"x:key": policy}}), &context)
}
