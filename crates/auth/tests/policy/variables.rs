//! Policy variables.

use rushlight_auth::Principal;
use rushlight_auth::policy::{Context, Document, Kind, MalformedPolicy, Policies, Request, evaluate, key};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, INVOKE, ana, applies, holds, identity, parse, session};

const BUCKET: &str = "arn:aws:s3:::bucket/";

fn allows(document: Document, principal: &Principal, context: &Context<'_>, resource: &str) -> bool {
    let documents = [document];
    let policies = Policies { identity: &documents, ..Policies::default() };
    evaluate(&Request::new(principal, INVOKE, resource, context), &policies).is_allowed()
}

fn on(resource: &str) -> Document {
    identity(json!({"Effect": "Allow", "Action": "*", "Resource": format!("{BUCKET}{resource}")}))
}

#[test]
fn variables_stand_for_values_of_the_request() {
    let mut context = Context::new();
    context.insert_tag(key::PRINCIPAL_TAG, "cost center", "red").insert("x:count", 5);
    for (pattern, name, expected) in [
        ("${aws:username}/*", "ana/file", true),
        ("${aws:username}/*", "bob/file", false),
        ("${AWS:UserName}", "ana", true),
        ("${aws:PrincipalTag/cost center}-${aws:username}", "red-ana", true),
        ("${ aws:username }", "ana", true),
        ("${aws:userid}", "AIDACKCEVSQ6C2EXAMPLE", true),
        ("${aws:PrincipalAccount}", ACCOUNT, true),
        ("${x:count}", "5", true),
        ("${*}", "*", true),
        ("${*}", "x", false),
        ("${?}${$}", "?$", true),
        ("a${$}{aws:username}", "a${aws:username}", true),
        ("$aws:username", "$aws:username", true),
        ("${aws:username", "${aws:username", true),
        ("$", "$", true),
    ] {
        assert_eq!(allows(on(pattern), &ana(), &context, &format!("{BUCKET}{name}")), expected, "{pattern}");
    }
}

#[test]
fn absent_values_match_nothing_unless_there_is_a_default() {
    let context = Context::new();
    for (pattern, name, expected) in [
        ("${aws:username}", "", false),
        ("${aws:username}", "${aws:username}", false),
        ("*${aws:username}", "x", false),
        ("${aws:username, 'nobody'}", "nobody", true),
        ("${aws:username,'nobody'}", "nobody", true),
        ("${aws:username, ''}", "", true),
        ("${aws:username, 'a, b'}", "a, b", true),
        ("${aws:userid, 'nobody'}", "nobody", false),
    ] {
        assert_eq!(
            allows(on(pattern), &session(), &context, &format!("{BUCKET}{name}")),
            expected,
            "{pattern}"
        );
    }
}

#[test]
fn keys_with_many_values_are_no_variables() {
    let mut context = Context::new();
    context.insert(key::TAG_KEYS, "a").insert(key::TAG_KEYS, "b");
    for name in ["a", "b", "c"] {
        assert!(!allows(on("${aws:TagKeys, 'c'}"), &ana(), &context, &format!("{BUCKET}{name}")));
    }
}

#[test]
fn variables_stand_in_string_and_arn_conditions() {
    let mut context = Context::new();
    context.insert("x:key", "home/ana/").insert("x:arn", "arn:aws:s3:::ana");
    assert!(holds(&json!({"StringEquals": {"x:key": "home/${aws:username}/"}}), &context));
    assert!(holds(&json!({"StringLike": {"x:key": "*/${aws:username}*"}}), &context));
    assert!(holds(&json!({"StringEqualsIgnoreCase": {"x:key": "HOME/${aws:username}/"}}), &context));
    assert!(holds(&json!({"ArnLike": {"x:arn": "arn:aws:s3:::${aws:username}"}}), &context));
    assert!(!holds(&json!({"StringNotEquals": {"x:key": "home/${aws:username}/"}}), &context));
}

#[test]
fn values_with_wildcards_are_taken_literally() {
    let mut context = Context::new();
    context
        .insert_tag(key::PRINCIPAL_TAG, "team", "*")
        .insert("x:key", "red")
        .insert("x:arn", "arn:aws:s3:::red");
    assert!(!holds(&json!({"StringLike": {"x:key": "${aws:PrincipalTag/team}"}}), &context));
    assert!(!holds(&json!({"ArnLike": {"x:arn": "arn:aws:s3:::${aws:PrincipalTag/team}"}}), &context));
    assert!(!allows(on("${aws:PrincipalTag/team}"), &ana(), &context, "arn:aws:s3:::bucket/red"));
    assert!(allows(on("${aws:PrincipalTag/team}"), &ana(), &context, "arn:aws:s3:::bucket/*"));
}

#[test]
fn colons_in_values_do_not_shift_the_components_of_an_arn() {
    let mut context = Context::new();
    context.insert("x:v", "s3:::x").insert("x:arn", "arn:aws:s3:::x:::::x");
    assert!(!holds(&json!({"ArnLike": {"x:arn": "arn:aws:${x:v}:*:*:*"}}), &context));
}

#[test]
fn negations_of_absent_values_never_widen() {
    let context = Context::new();
    let unequal = json!({"StringNotEquals": {"aws:PrincipalAccount": "${aws:PrincipalTag/team}"}});
    assert!(!applies("Allow", &unequal, &context));
    assert!(applies("Deny", &unequal, &context));
    let but =
        |effect: &str| json!({"Effect": effect, "Action": "*", "NotResource": "arn:aws:s3:::${x:absent}"});
    assert!(!allows(identity(but("Allow")), &ana(), &context, BUCKET));
    let denying = identity(json!([but("Deny"), {"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    assert!(!allows(denying, &ana(), &context, BUCKET));
}

#[test]
fn the_older_version_has_no_variables() {
    for version in [json!({}), json!({"Version": "2008-10-17"})] {
        let mut policy: Value = version;
        policy["Statement"] =
            json!({"Effect": "Allow", "Action": "*", "Resource": format!("{BUCKET}${{aws:username}}")});
        let document = parse(&policy, Kind::Identity).unwrap();
        let context = Context::new();
        assert!(allows(document.clone(), &ana(), &context, "arn:aws:s3:::bucket/${aws:username}"));
        assert!(!allows(document, &ana(), &context, "arn:aws:s3:::bucket/ana"));
    }
}

#[test]
fn malformed_variables_are_refused() {
    for inner in ["", " ", "aws:x, y", "aws:x, 'y", "aws:x,", "aws:${aws:y", "'aws:x'"] {
        let statement =
            json!({"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:s3:::${{{inner}}}")});
        let error =
            parse(&json!({"Version": "2012-10-17", "Statement": statement}), Kind::Identity).unwrap_err();
        assert_eq!(error, MalformedPolicy::Variable(inner.to_owned()), "{inner}");
    }
}

#[test]
fn a_caller_cannot_say_who_it_is() {
    let mut context = Context::new();
    context.insert("aws:username", "root").insert(key::PRINCIPAL_ACCOUNT, "999999999999");
    context.insert("AWS:PRINCIPALARN", "arn:aws:iam::999999999999:root");
    assert!(holds(
        &json!({"StringEquals": {"aws:username": "ana", "aws:PrincipalAccount": ACCOUNT}}),
        &context
    ));
    assert!(holds(
        &json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/ana"}}),
        &context
    ));
    assert!(!allows(on("${aws:username}"), &session(), &context, "arn:aws:s3:::bucket/root"));
}
