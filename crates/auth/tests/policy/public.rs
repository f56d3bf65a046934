//! Which policies let in whoever comes.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, resource};

fn is_public(effect: &str, principal: Value, condition: Value) -> bool {
    resource(json!([{
        "Effect": effect, "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": "*",
        "Condition": condition,
    }]))
    .is_public()
}

#[test]
fn it_takes_everyone() {
    for (principal, expected) in [
        (json!("*"), true),
        (json!({"AWS": "*"}), true),
        (json!({"AWS": [ACCOUNT, "*"]}), true),
        (json!({"AWS": ACCOUNT}), false),
        (json!({"Service": "s3.amazonaws.com"}), false),
    ] {
        assert_eq!(is_public("Allow", principal.clone(), json!({})), expected, "{principal}");
        assert!(!is_public("Deny", principal, json!({})));
    }
    let all_but_some = json!([{
        "Effect": "Allow", "NotPrincipal": {"AWS": ACCOUNT}, "Action": "lambda:*", "Resource": "*",
    }]);
    assert!(resource(all_but_some).is_public());
}

#[test]
fn a_condition_on_who_calls_closes_it() {
    for condition in [
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-0123456789"}}),
        json!({"StringEquals": {"AWS:SourceAccount": ACCOUNT}}),
        json!({"StringEquals": {"lambda:EventSourceToken": "amzn1.ask.skill.x"}}),
        json!({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}}),
        json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:events:*:{ACCOUNT}:rule/*")}}),
        json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}}),
        json!({"ForAnyValue:StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
    ] {
        assert!(!is_public("Allow", json!("*"), condition.clone()), "{condition}");
    }
}

#[test]
fn any_other_condition_leaves_it_open() {
    for condition in [
        json!({}),
        json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
        json!({"StringLike": {"aws:SourceAccount": "*"}}),
        json!({"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}),
        json!({"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}),
        json!({"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}),
        json!({"ForAllValues:StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}),
        json!({"ArnLike": {"aws:SourceArn": "*"}}),
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "::/0"]}}),
        json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/7"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        json!({"Bool": {"aws:SecureTransport": true}}),
        json!({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}),
        json!({"Null": {"aws:SourceAccount": false}}),
    ] {
        assert!(is_public("Allow", json!("*"), condition.clone()), "{condition}");
    }
}
