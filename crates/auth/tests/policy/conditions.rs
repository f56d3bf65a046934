//! Each operator, by tables: operator, value in the policy, value in the request, whether it holds.

use std::net::IpAddr;

use rushlight_auth::policy::{Context, Kind, MalformedPolicy, Value, key};
use serde_json::json;

use crate::support::{all, compares, holds, parse};

fn check(operator: &str, rows: &[(serde_json::Value, &str, bool)]) {
    for (policy, request, expected) in rows {
        assert_eq!(compares(operator, policy, &[*request]), *expected, "{operator} {policy} {request}");
    }
}

/// The same rows for an operator and its negation.
fn check_both(operator: &str, negation: &str, rows: &[(serde_json::Value, &str, bool)]) {
    check(operator, rows);
    let negated: Vec<_> =
        rows.iter().map(|(policy, request, holds)| (policy.clone(), *request, !holds)).collect();
    check(negation, &negated);
}

#[test]
fn strings_are_equal() {
    check_both(
        "StringEquals",
        "StringNotEquals",
        &[
            (json!("john"), "john", true),
            (json!("john"), "John", false),
            (json!("jo*"), "john", false),
            (json!("jo*"), "jo*", true),
            (json!(""), "", true),
            (json!(""), "x", false),
            (json!(["a", "b"]), "b", true),
            (json!(["a", "b"]), "c", false),
            (json!([]), "a", false),
            (json!(true), "true", true),
            (json!(7), "7", true),
        ],
    );
    check_both(
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        &[
            (json!("john"), "JOHN", true),
            (json!("ÉCOLE"), "école", true),
            (json!("john"), "johnny", false),
            (json!("john"), "joh", false),
        ],
    );
}

#[test]
fn strings_are_like_patterns() {
    check_both(
        "StringLike",
        "StringNotLike",
        &[
            (json!("home/*"), "home/ana/x", true),
            (json!("home/*"), "home", false),
            (json!("ho?e"), "home", true),
            (json!("HOME"), "home", false),
            (json!(["a*", "b*"]), "bee", true),
        ],
    );
}

#[test]
fn numbers_compare_by_value() {
    check_both(
        "NumericEquals",
        "NumericNotEquals",
        &[
            (json!("10"), "10.0", true),
            (json!(10), "10", true),
            (json!(10), "11", false),
            (json!(1), "one", false),
        ],
    );
    for (operator, less, same, greater) in [
        ("NumericLessThan", true, false, false),
        ("NumericLessThanEquals", true, true, false),
        ("NumericGreaterThan", false, false, true),
        ("NumericGreaterThanEquals", false, true, true),
    ] {
        // Not as text: 9 < 10 < 100.
        check(
            operator,
            &[(json!("10"), "9", less), (json!(10.0), "10", same), (json!("10"), "100", greater)],
        );
        check(operator, &[(json!("10"), "ten", false)]);
    }
}

#[test]
fn dates_compare_in_all_forms() {
    let noon = "2026-01-31T12:00:00Z";
    check_both(
        "DateEquals",
        "DateNotEquals",
        &[
            (json!(noon), noon, true),
            (json!("1769860800"), noon, true),
            (json!(1_769_860_800), noon, true),
            (json!("2026-01-31T13:00:00+01:00"), noon, true),
            (json!("2026-01-31"), "2026-01-31T00:00:00Z", true),
            (json!(noon), "2026-01-31T12:00:01Z", false),
            (json!(noon), "noon", false),
        ],
    );
    for (operator, before, same, after) in [
        ("DateLessThan", true, false, false),
        ("DateLessThanEquals", true, true, false),
        ("DateGreaterThan", false, false, true),
        ("DateGreaterThanEquals", false, true, true),
    ] {
        check(
            operator,
            &[
                (json!(noon), "2026-01-31T11:59:59.999Z", before),
                (json!(noon), "1769860800", same),
                (json!(noon), "2026-01-31T12:00:00.001Z", after),
            ],
        );
    }
}

#[test]
fn booleans_may_be_strings() {
    check(
        "Bool",
        &[
            (json!("true"), "true", true),
            (json!(true), "true", true),
            (json!("False"), "FALSE", true),
            (json!("true"), "false", false),
            (json!("true"), "yes", false),
            (json!(["true", "false"]), "false", true),
        ],
    );
}

#[test]
fn bytes_are_equal_to_base64() {
    check("BinaryEquals", &[(json!("YWJj"), "abc", true), (json!("YWJj"), "YWJj", false)]);
    let mut context = Context::new();
    context.insert("x:key", Value::Binary([0, 255].as_slice().into()));
    assert!(holds(&json!({"BinaryEquals": {"x:key": "AP8="}}), &context));
    assert!(!holds(&json!({"BinaryEquals": {"x:key": "AP4="}}), &context));
}

#[test]
fn addresses_are_in_ranges() {
    check_both(
        "IpAddress",
        "NotIpAddress",
        &[
            (json!("203.0.113.0/24"), "203.0.113.255", true),
            (json!("203.0.113.0/24"), "203.0.114.1", false),
            (json!("203.0.113.9"), "203.0.113.9", true),
            (json!(["203.0.113.0/24", "2001:DB8:1234:5678::/64"]), "2001:db8:1234:5678::1", true),
            (json!("2001:DB8:1234:5678::/64"), "2001:db8:1234:5679::1", false),
            (json!("0.0.0.0/0"), "2001:db8::1", false),
            (json!("203.0.113.0/24"), "::ffff:203.0.113.5", true),
            (json!("203.0.113.0/24"), "somewhere", false),
        ],
    );
}

#[test]
fn arns_are_alike_by_components() {
    let spanning = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt";
    for (operator, negation) in [("ArnLike", "ArnNotLike"), ("ArnEquals", "ArnNotEquals")] {
        check_both(
            operator,
            negation,
            &[
                // AWS' example of where string and ARN operators differ.
                (json!("arn:aws:someservice:*:111122223333:finance/*"), spanning, false),
                (json!("arn:aws:s3:::bucket"), "arn:aws:s3:::bucket", true),
                (json!("arn:aws:s3:::bucket*"), "arn:aws:s3:::bucket-2", true),
                (json!("arn:aws:s3:::Bucket"), "arn:aws:s3:::bucket", false),
                (json!("arn:*:s?:::bucket"), "arn:aws-cn:s3:::bucket", true),
                (json!("arn:aws:sns:*:*:topic"), "arn:aws:sns:eu-west-1:111122223333:topic", true),
                (json!("arn:aws:lambda:*:*:function:f"), "arn:aws:lambda:r:1:function:f", true),
                (json!("arn:aws:lambda:*:*:function:f"), "arn:aws:lambda:r:1:function:f:1", false),
                (json!("arn:aws:lambda:*:*:*:f"), "arn:aws:lambda:r:1:function:f", true),
                (json!("*"), "arn:aws:s3:::bucket", true),
                (json!("arn:aws:s3:*"), "arn:aws:s3:::bucket", true),
                (json!("arn:aws:s3"), "arn:aws:s3:::bucket", false),
                (json!("*"), "bucket", false),
                (json!("arn:aws:s3:::*"), "", false),
            ],
        );
    }
    check("StringLike", &[(json!("arn:aws:someservice:*:111122223333:finance/*"), spanning, true)]);
}

#[test]
fn null_asks_whether_a_key_is_there() {
    for (policy, values, expected) in [
        (json!("true"), &[][..], true),
        (json!("true"), &["x"], false),
        (json!("false"), &["x"], true),
        (json!(false), &[], false),
        (json!(["true", "false"]), &[], true),
        (json!(["true", "false"]), &["x"], true),
        (json!("false"), &[""], true),
    ] {
        assert_eq!(compares("Null", &policy, values), expected, "{policy} {values:?}");
    }
}

#[test]
fn absent_keys_match_nothing() {
    for (operator, value, negation) in [
        ("StringEquals", "a", Some("StringNotEquals")),
        ("StringEqualsIgnoreCase", "a", Some("StringNotEqualsIgnoreCase")),
        ("StringLike", "*", Some("StringNotLike")),
        ("NumericEquals", "1", Some("NumericNotEquals")),
        ("NumericLessThan", "1", None),
        ("DateEquals", "2026", Some("DateNotEquals")),
        ("DateGreaterThan", "0", None),
        ("Bool", "false", None),
        ("BinaryEquals", "", None),
        ("IpAddress", "::/0", Some("NotIpAddress")),
        ("ArnLike", "*", Some("ArnNotLike")),
        ("ArnEquals", "*", Some("ArnNotEquals")),
    ] {
        assert!(!compares(operator, &json!(value), &[]), "{operator}");
        assert!(compares(&format!("{operator}IfExists"), &json!(value), &[]), "{operator}IfExists");
        if let Some(negation) = negation {
            assert!(compares(negation, &json!(value), &[]), "{negation}");
            assert!(compares(&format!("{negation}IfExists"), &json!(value), &[]), "{negation}IfExists");
        }
    }
}

#[test]
fn if_exists_compares_what_exists() {
    assert!(compares("StringLikeIfExists", &json!(["t1.*", "t2.*"]), &["t2.micro"]));
    assert!(!compares("StringLikeIfExists", &json!(["t1.*", "t2.*"]), &["m5.large"]));
    assert!(!compares("StringNotEqualsIfExists", &json!("a"), &["a"]));
    assert!(compares("StringNotEqualsIfExists", &json!("a"), &["b"]));
}

#[test]
fn all_operators_and_keys_must_hold() {
    let mut context = Context::new();
    context.insert("x:a", "1").insert("x:b", "2");
    let both = |a: &str, b: &str, c: &str| json!({"StringEquals": {"x:a": a, "x:b": b}, "NumericEquals": {"x:b": c}});
    assert!(holds(&both("1", "2", "2"), &context));
    for (a, b, c) in [("0", "2", "2"), ("1", "0", "2"), ("1", "2", "0")] {
        assert!(!holds(&both(a, b, c), &context));
    }
    assert!(holds(&json!({}), &context));
    assert!(holds(&json!({"StringEquals": {}}), &context));
}

#[test]
fn keys_are_named_in_any_case() {
    let mut context = Context::new();
    context.insert("AWS:SourceArn", "arn:aws:s3:::bucket").insert_tag(key::REQUEST_TAG, "Team", "red");
    assert!(holds(&json!({"ArnLike": {"aws:sourcearn": "arn:aws:s3:::bucket"}}), &context));
    assert!(holds(&json!({"StringEquals": {"AWS:REQUESTTAG/team": "red"}}), &context));
    assert!(!holds(&json!({"StringEquals": {"aws:RequestTag/tea": "red"}}), &context));
}

#[test]
fn values_compare_in_their_own_types() {
    let mut context = Context::new();
    context.insert_time(1_769_860_800).insert(key::SECURE_TRANSPORT, true).insert("x:count", 5);
    context.insert(key::SOURCE_IP, "203.0.113.9".parse::<IpAddr>().unwrap());
    for condition in [
        json!({"DateGreaterThan": {"aws:CurrentTime": "2026-01-31T11:59:59Z"}}),
        json!({"DateLessThanEquals": {"aws:EpochTime": "2026-01-31T12:00:00Z"}}),
        json!({"NumericEquals": {"aws:EpochTime": "1769860800"}}),
        json!({"StringEquals": {"aws:CurrentTime": "2026-01-31T12:00:00Z"}}),
        json!({"StringLike": {"aws:CurrentTime": "2026-01-*"}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"aws:SecureTransport": "true"}}),
        json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        json!({"StringEquals": {"aws:SourceIp": "203.0.113.9"}}),
        json!({"NumericLessThan": {"x:count": 6}}),
        json!({"StringEquals": {"x:count": 5}}),
    ] {
        assert!(holds(&condition, &context), "{condition}");
    }
    assert!(!holds(&json!({"IpAddress": {"aws:CurrentTime": "::/0"}}), &context));
    assert!(!holds(&json!({"ArnLike": {"x:count": "*"}}), &context));
}

#[test]
fn operators_and_values_are_checked() {
    let error = |condition| {
        let mut statement = all("Allow");
        statement["Condition"] = condition;
        parse(&json!({"Statement": statement}), Kind::Identity).unwrap_err()
    };
    for operator in [
        "",
        "Equals",
        "stringequals",
        "StringEqualsIfExistsIfExists",
        "ForAllValues:",
        "ForSomeValues:StringEquals",
        "ForAllValues:ForAnyValue:StringEquals",
        "NullIfExists",
        "ForAllValues:Null",
    ] {
        let expected = MalformedPolicy::Operator(operator.to_owned());
        assert_eq!(error(json!({operator: {"x:key": "a"}})), expected, "{operator}");
    }
    for (operator, value) in [
        ("NumericEquals", "ten"),
        ("NumericLessThan", "NaN"),
        ("DateEquals", "yesterday"),
        ("Bool", "maybe"),
        ("Null", "maybe"),
        ("BinaryEquals", "not base64"),
        ("IpAddress", "203.0.113.0/33"),
        ("NotIpAddress", "203.0.113.*"),
    ] {
        let expected = MalformedPolicy::Value { operator, value: value.to_owned() };
        assert_eq!(error(json!({operator: {"x:key": value}})), expected);
    }
    assert_eq!(error(json!({"StringEquals": {"key": "a"}})), MalformedPolicy::NoVendor);
    for shape in [
        json!("StringEquals"),
        json!({"StringEquals": "a"}),
        json!({"StringEquals": {"x:key": null}}),
        json!({"StringEquals": {"x:key": {"a": "b"}}}),
        json!({"StringEquals": {"x:key": [["a"]]}}),
    ] {
        assert!(matches!(error(shape.clone()), MalformedPolicy::Shape { .. }), "{shape}");
    }
}
