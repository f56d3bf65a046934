//! Documents and requests of those who mean harm. Nothing here is timed: what is exponential would not end.

use proptest::prelude::*;
use rushlight_auth::fuzz_policy;
use rushlight_auth::policy::{Context, Document, Kind, MalformedPolicy, Policies, Request, evaluate};
use serde_json::{Value, json};

use crate::support::{FUNCTION, INVOKE, ana, compares, identity, parse, resource};

#[test]
fn patterns_of_many_wildcards_end_soon() {
    let text = "a".repeat(8_000);
    for pattern in [
        format!("{}b", "*a".repeat(4_000)),
        format!("{}*b", "a*".repeat(4_000)),
        format!("{}b", "*?".repeat(4_000)),
        format!("{}b*", "*a?".repeat(2_000)),
        format!("*{}b*", "a?".repeat(31)),
        format!("*{}b*", "?".repeat(7_000)),
        format!("{}*b", "a?".repeat(3_999)),
        "*".repeat(16_000) + "b",
    ] {
        assert!(!compares("StringLike", &json!(pattern), &[&*text]), "{}", &pattern[..8]);
        assert!(!compares(
            "ArnLike",
            &json!(format!("arn:aws:s3:::{pattern}")),
            &[&format!("arn:aws:s3:::{text}")]
        ));
    }
    assert!(compares("StringLike", &json!("*a".repeat(8_000)), &[&*text]));
    assert!(!compares("StringLike", &json!("*a".repeat(8_001)), &[&*text]));
}

#[test]
fn patterns_that_would_be_compared_in_full_at_each_place_are_refused() {
    let pattern = "a?".repeat(33);
    let with = |pattern: String| {
        let statement = json!({"Effect": "Allow", "Action": "*", "Resource": format!("arn:{pattern}")});
        parse(&json!({"Statement": statement}), Kind::Identity)
    };
    assert!(matches!(with(format!("*{pattern}*")), Err(MalformedPolicy::Wildcards(_))));
    assert!(with(pattern).is_ok());
    let uuid = "????????-????-????-????-????????????";
    assert!(with(format!("*:{uuid}:{uuid}:*")).is_ok());
}

#[test]
fn variables_that_are_never_closed_are_text() {
    let open = "${".repeat(20_000);
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": format!("arn:{open}")});
    let documents = [identity(statement)];
    let (caller, context, resource) = (ana(), Context::new(), format!("arn:{open}"));
    let policies = Policies { identity: &documents, ..Policies::default() };
    assert!(evaluate(&Request::new(&caller, INVOKE, &resource, &context), &policies).is_allowed());
}

#[test]
fn actions_of_many_wildcards_end_soon() {
    let statement =
        json!({"Effect": "Allow", "Action": format!("x:{}b", "*a".repeat(10_000)), "Resource": "*"});
    let documents = [identity(statement)];
    let action = format!("x:{}", "a".repeat(5_000));
    let (caller, context) = (ana(), Context::new());
    let policies = Policies { identity: &documents, ..Policies::default() };
    assert!(!evaluate(&Request::new(&caller, &action, FUNCTION, &context), &policies).is_allowed());
}

#[test]
fn long_documents_are_not_read() {
    let long = format!("{{\"Statement\": [{}", " ".repeat(Document::MAX_BYTES));
    let error = Document::parse(&long, Kind::Identity).unwrap_err();
    assert_eq!(error, MalformedPolicy::TooLong { limit: Document::MAX_BYTES });
}

#[test]
fn deep_documents_are_not_read() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{{\"Statement\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
        for kind in [Kind::Identity, Kind::Resource, Kind::Trust] {
            assert!(matches!(Document::parse(&deep, kind), Err(MalformedPolicy::Json(_))));
        }
    }
}

#[test]
fn large_documents_are_read_and_decided() {
    let statement = json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"});
    let statements: Vec<Value> = (0..1_000).map(|_| statement.clone()).collect();
    let documents = [identity(json!(statements))];
    let (caller, context) = (ana(), Context::new());
    let policies = Policies { identity: &documents, ..Policies::default() };
    assert!(!evaluate(&Request::new(&caller, INVOKE, FUNCTION, &context), &policies).is_allowed());
    let members: String = (0..5_000).map(|at| format!("\"{at}\":0,")).collect();
    assert!(Document::parse(&format!("{{{members}\"x\":0}}"), Kind::Identity).is_err());
}

#[test]
fn what_is_repeated_to_the_author_is_short_and_printable() {
    let long = format!("x\u{7}\n{}", "y".repeat(10_000));
    for policy in [
        json!({long.clone(): 1, "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}),
        json!({"Statement": {"Effect": long, "Action": "*", "Resource": "*"}}),
        json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": long}}),
        json!({"Statement": {"Effect": "Allow", "Action": format!("{long}:x"), "Resource": "*"}}),
        json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {long.clone(): {"a:b": 1}}}}),
        json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a:b": long}}}}),
    ] {
        let message = parse(&policy, Kind::Identity).unwrap_err().to_string();
        assert!(message.len() < 400 && !message.contains(char::is_control), "{message}");
    }
}

#[test]
fn names_that_look_alike_are_others() {
    let sessions = json!({"Effect": "Allow", "Action": "*", "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::111122223333:user/ana"}});
    let policy = resource(sessions);
    let policies = Policies { resource: Some(&policy), ..Policies::default() };
    let context = Context::new();
    for (account, name) in [("111122223333", "ana "), ("111122223333", "ana/ana"), ("111122223334", "ana")] {
        let caller = rushlight_auth::Principal::user(account, name, "AIDA");
        assert!(!evaluate(&Request::new(&caller, INVOKE, FUNCTION, &context), &policies).is_allowed());
    }
    // A service whose name is a user's ARN is not the user.
    let service = rushlight_auth::Principal::service("111122223333", "arn:aws:iam::111122223333:user/ana");
    assert!(!evaluate(&Request::new(&service, INVOKE, FUNCTION, &context), &policies).is_allowed());
}

/// Any JSON, made of the words of policies as often as not.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "Version",
        "2012-10-17",
        "Statement",
        "Sid",
        "Effect",
        "Allow",
        "Deny",
        "Principal",
        "NotPrincipal",
        "AWS",
        "Service",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
        "*",
        "lambda:*",
        "sts:AssumeRole",
        "StringLike",
        "ForAllValues:ArnLikeIfExists",
        "IpAddress",
        "DateLessThan",
        "Null",
        "aws:SourceArn",
        "${aws:username, 'x'}",
        "${",
        "arn:aws:s3:::${*}",
        "111122223333",
        "s3.amazonaws.com",
        "true",
        "::1/1",
    ]);
    let text = prop_oneof![3 => word.prop_map(str::to_owned), 1 => any::<String>()];
    let leaf = prop_oneof![
        8 => text.clone().prop_map(Value::String),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::hash_map(text.clone(), inner, 0..7)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_json_makes_it_panic(value in any_json(), cut in any::<prop::sample::Index>()) {
        let text = value.to_string();
        fuzz_policy(text.as_bytes());
        fuzz_policy(&text.as_bytes()[..cut.index(text.len())]);
    }

    #[test]
    fn no_element_makes_it_panic(name in "Action|Resource|Principal|Condition|Sid|Effect|NotAction", value in any_json()) {
        let mut statement = json!({"Effect": "Allow", "Action": "lambda:*", "Resource": "*"});
        statement[name] = value;
        fuzz_policy(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string().as_bytes());
        statement["Principal"] = json!("*");
        fuzz_policy(json!({"Version": "2012-10-17", "Statement": statement}).to_string().as_bytes());
    }

    #[test]
    fn no_condition_makes_it_panic(operator in "(ForA(ll|ny)Value:?)?(String|Arn|Ip|Date|Numeric)[A-Z][a-z]{3,5}", value in any_json()) {
        for operator in [&*operator, "StringLike", "ArnLike", "DateEquals", "NumericEquals", "IpAddress", "BinaryEquals"] {
            let statement = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {operator: {"aws:SourceArn": value, "aws:CurrentTime": value}}});
            fuzz_policy(json!({"Version": "2012-10-17", "Statement": statement}).to_string().as_bytes());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_policy(&bytes);
    }
}
