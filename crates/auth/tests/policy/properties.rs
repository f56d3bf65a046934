//! What holds of any policies.

use proptest::prelude::*;
use rushlight_auth::Principal;
use rushlight_auth::policy::{Context, Decision, Document, Kind, Policies, Request, evaluate};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, FUNCTION, INVOKE, OTHER, all, ana, document, session};

/// Statements that speak of the requests below about as often as not.
fn statement(kind: Kind) -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(vec!["Allow", "Allow", "Deny"]);
    let action = prop::sample::select(vec!["*", "lambda:*", INVOKE, "lambda:Get*", "s3:*"]);
    let resource = prop::sample::select(vec![
        "*",
        FUNCTION,
        "arn:aws:lambda:*:*:function:h*",
        "arn:aws:s3:::*",
        "arn:aws:lambda:eu-west-1:111122223333:function:${x:name}",
    ]);
    let condition = prop::sample::select(vec![
        json!({}),
        json!({"StringEquals": {"x:name": "hello"}}),
        json!({"StringNotEquals": {"x:name": "${x:absent}"}}),
        json!({"ForAllValues:StringLike": {"x:name": "h*"}}),
        json!({"Null": {"x:name": "true"}}),
        json!({"StringNotLikeIfExists": {"x:name": "he*"}}),
    ]);
    let principal = prop::sample::select(vec![
        json!("*"),
        json!({"AWS": ACCOUNT}),
        json!({"AWS": OTHER}),
        json!({"AWS": "arn:aws:iam::111122223333:user/ana"}),
        json!({"AWS": "arn:aws:iam::111122223333:role/service-role/worker"}),
        json!({"Service": "s3.amazonaws.com"}),
    ]);
    let negations = prop::array::uniform3(prop::bool::weighted(0.2));
    (effect, action, resource, condition, principal, negations).prop_map(move |parts| {
        let (effect, action, resource, condition, principal, [action_not, resource_not, principal_not]) =
            parts;
        let not = |negated, element: &str| if negated { format!("Not{element}") } else { element.to_owned() };
        let mut statement = json!({"Effect": effect, "Condition": condition});
        statement[not(action_not, "Action")] = json!(action);
        statement[not(resource_not, "Resource")] = json!(resource);
        if kind == Kind::Resource {
            statement[not(principal_not, "Principal")] = principal;
        }
        statement
    })
}

/// Policies as lists of statements, so that some can be added.
#[derive(Clone, Debug)]
struct Given {
    identity: Vec<Value>,
    boundary: Option<Vec<Value>>,
    session: Option<Vec<Value>>,
    resource: Option<Vec<Value>>,
}

fn given() -> impl Strategy<Value = Given> {
    let some = |kind| prop::collection::vec(statement(kind), 1..4);
    let maybe = move |kind| prop::option::of(some(kind));
    (some(Kind::Identity), maybe(Kind::Identity), maybe(Kind::Identity), maybe(Kind::Resource))
        .prop_map(|(identity, boundary, session, resource)| Given { identity, boundary, session, resource })
}

impl Given {
    fn decide(&self, caller: &Principal, name: Option<&str>) -> Decision {
        let compile = |kind, statements: &Vec<Value>| document(kind, json!(statements));
        let identity: [Document; 1] = [compile(Kind::Identity, &self.identity)];
        let boundary = self.boundary.as_ref().map(|statements| compile(Kind::Identity, statements));
        let session = self.session.as_ref().map(|statements| compile(Kind::Identity, statements));
        let resource = self.resource.as_ref().map(|statements| compile(Kind::Resource, statements));
        let mut context = Context::new();
        if let Some(name) = name {
            context.insert("x:name", name);
        }
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_ref(),
            session: session.as_slice(),
            resource: resource.as_ref(),
        };
        evaluate(&Request::new(caller, INVOKE, FUNCTION, &context), &policies)
    }
}

fn caller() -> impl Strategy<Value = Principal> {
    prop::sample::select(vec![
        ana(),
        session(),
        Principal::root(ACCOUNT),
        Principal::user(OTHER, "eve", "AIDAOTHER"),
        Principal::service(ACCOUNT, "s3.amazonaws.com"),
        Principal::anonymous(),
    ])
}

fn name() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(vec!["hello", "help", "other"]))
}

fn with_effect(mut statement: Value, effect: &str) -> Value {
    statement["Effect"] = json!(effect);
    statement
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_deny_never_widens(
        given in given(),
        caller in caller(),
        name in name(),
        of_identity in statement(Kind::Identity),
        of_resource in statement(Kind::Resource),
    ) {
        let before = given.decide(&caller, name).is_allowed();
        let deny = with_effect(of_identity, "Deny");
        let mut changed = vec![given.clone(), given.clone(), given.clone(), given.clone()];
        changed[0].identity.push(deny.clone());
        changed[1].boundary.get_or_insert_with(|| vec![all("Allow")]).push(deny.clone());
        changed[2].session.get_or_insert_with(|| vec![all("Allow")]).push(deny);
        changed[3].resource.get_or_insert_default().push(with_effect(of_resource, "Deny"));
        for changed in changed {
            let after = changed.decide(&caller, name).is_allowed();
            prop_assert!(before || !after, "{changed:?}");
        }
    }

    #[test]
    fn an_allow_never_narrows(
        given in given(),
        caller in caller(),
        name in name(),
        of_identity in statement(Kind::Identity),
        of_resource in statement(Kind::Resource),
    ) {
        let before = given.decide(&caller, name).is_allowed();
        let allow = with_effect(of_identity, "Allow");
        let mut changed = vec![given.clone(), given.clone()];
        changed[0].identity.push(allow);
        changed[1].resource.get_or_insert_default().push(with_effect(of_resource, "Allow"));
        for changed in changed {
            let after = changed.decide(&caller, name).is_allowed();
            prop_assert!(after || !before, "{changed:?}");
        }
    }

    #[test]
    fn boundaries_and_session_policies_never_widen(
        given in given(),
        caller in caller(),
        name in name(),
        statements in prop::collection::vec(statement(Kind::Identity), 1..3),
    ) {
        let without = Given { boundary: None, session: None, ..given.clone() };
        let before = without.decide(&caller, name).is_allowed();
        let bounded = Given { boundary: Some(statements.clone()), ..without.clone() };
        let narrowed = Given { session: Some(statements), ..without };
        for changed in [bounded, narrowed] {
            let after = changed.decide(&caller, name).is_allowed();
            prop_assert!(before || !after, "{changed:?}");
        }
    }

    #[test]
    fn the_order_of_statements_does_not_matter(given in given(), caller in caller(), name in name()) {
        let mut reversed = given.clone();
        reversed.identity.reverse();
        for statements in [&mut reversed.boundary, &mut reversed.session, &mut reversed.resource] {
            statements.iter_mut().for_each(|statements| statements.reverse());
        }
        prop_assert_eq!(given.decide(&caller, name), reversed.decide(&caller, name));
    }

    #[test]
    fn what_is_denied_to_everyone_is_denied(given in given(), caller in caller(), name in name()) {
        let mut given = given;
        given.resource.get_or_insert_default().push(
            json!({"Effect": "Deny", "Principal": "*", "Action": "lambda:Invoke*", "Resource": "*"}),
        );
        prop_assert!(!given.decide(&caller, name).is_allowed());
    }
}
