//! Keys with many values: `ForAllValues`, `ForAnyValue`, and neither.

use serde_json::json;

use crate::support::compares;

/// Operator, values in the policy, values in the request, whether it holds.
type Row = (&'static str, &'static [&'static str], &'static [&'static str], bool);

fn check(rows: &[Row]) {
    for (operator, policy, request, expected) in rows {
        assert_eq!(
            compares(operator, &json!(policy), request),
            *expected,
            "{operator} {policy:?} {request:?}"
        );
    }
}

#[test]
fn for_all_values_asks_every_value() {
    const ALLOWED: &[&str] = &["PostDateTime", "Message", "Tags"];
    check(&[
        // AWS' examples.
        ("ForAllValues:StringEquals", ALLOWED, &["PostDateTime", "Message"], true),
        ("ForAllValues:StringEquals", ALLOWED, &["PostDateTime", "UserName"], false),
        ("ForAllValues:StringLike", &["Created*"], &["CreatedBy", "CreatedAt"], true),
        ("ForAllValues:StringLike", &["Created*"], &["CreatedBy", "Owner"], false),
        // No value, or an empty one: nothing contradicts.
        ("ForAllValues:StringEquals", ALLOWED, &[], true),
        ("ForAllValues:StringEquals", ALLOWED, &[""], true),
        ("ForAllValues:StringEquals", ALLOWED, &["", "ID"], false),
        ("ForAllValues:StringEqualsIfExists", ALLOWED, &[], true),
        ("ForAllValues:StringEqualsIfExists", ALLOWED, &["ID"], false),
        // Negated: every value is none of the policy's.
        ("ForAllValues:StringNotEquals", &["a", "b"], &["c", "d"], true),
        ("ForAllValues:StringNotEquals", &["a", "b"], &["c", "b"], false),
        ("ForAllValues:StringNotEquals", &["a", "b"], &[], true),
        ("ForAllValues:StringNotLike", &["a*"], &["bee", "ape"], false),
        ("ForAllValues:NumericLessThan", &["10"], &["1", "9"], true),
        ("ForAllValues:NumericLessThan", &["10"], &["1", "10"], false),
        ("ForAllValues:ArnLike", &["arn:aws:s3:::a*"], &["arn:aws:s3:::ab", "arn:aws:s3:::b"], false),
    ]);
}

#[test]
fn for_any_value_asks_for_one() {
    check(&[
        ("ForAnyValue:StringEquals", &["ID", "PostDateTime"], &["UserName", "Message", "PostDateTime"], true),
        ("ForAnyValue:StringEquals", &["ID", "PostDateTime"], &["UserName"], false),
        ("ForAnyValue:StringLike", &["arn:*"], &["x", "arn:y"], true),
        // No value, or an empty one: there is none to be right.
        ("ForAnyValue:StringEquals", &["a"], &[], false),
        ("ForAnyValue:StringEquals", &[""], &[""], false),
        ("ForAnyValue:StringNotEquals", &["a"], &[], false),
        ("ForAnyValue:StringEqualsIfExists", &["a"], &[], true),
        ("ForAnyValue:StringEqualsIfExists", &["a"], &["b"], false),
        // Negated: some value is none of the policy's.
        ("ForAnyValue:StringNotEquals", &["a", "b"], &["a", "c"], true),
        ("ForAnyValue:StringNotEquals", &["a", "b"], &["a", "b"], false),
        ("ForAnyValue:NotIpAddress", &["10.0.0.0/8"], &["10.0.0.1", "192.0.2.1"], true),
    ]);
}

#[test]
fn without_either_one_value_is_enough_and_a_negation_denies_them_all() {
    check(&[
        ("StringEquals", &["a", "b"], &["c", "b"], true),
        ("StringEquals", &["a", "b"], &["c", "d"], false),
        ("StringNotEquals", &["a", "b"], &["c", "d"], true),
        ("StringNotEquals", &["a", "b"], &["c", "b"], false),
        ("StringEquals", &[""], &[""], true),
    ]);
}
