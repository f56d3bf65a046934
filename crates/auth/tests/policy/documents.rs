//! Which documents are read, and what is said of the others.

use rushlight_auth::policy::{Document, Kind, MalformedPolicy};
use serde_json::{Value, json};

use crate::support::parse;

const KINDS: [Kind; 3] = [Kind::Identity, Kind::Resource, Kind::Trust];

/// A statement that is right for the kind, with members of `change` put in (or, for null, taken out).
fn statement(kind: Kind, change: Value) -> Value {
    let mut statement = match kind {
        Kind::Identity => json!({"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}),
        Kind::Resource => json!({"Effect": "Allow", "Action": "lambda:*", "Resource": "*", "Principal": "*"}),
        Kind::Trust => {
            json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}})
        }
    };
    let members = statement.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap().clone() {
        if value.is_null() { drop(members.remove(&name)) } else { drop(members.insert(name, value)) }
    }
    statement
}

fn read(kind: Kind, change: Value) -> Result<Document, MalformedPolicy> {
    parse(&json!({"Version": "2012-10-17", "Statement": statement(kind, change)}), kind)
}

fn error(kind: Kind, change: Value) -> String {
    read(kind, change.clone()).err().unwrap_or_else(|| panic!("{kind:?} {change}")).to_string()
}

#[test]
fn all_shapes_are_read() {
    for kind in KINDS {
        let one = statement(kind, json!({}));
        for policy in [
            json!({"Statement": one}),
            json!({"Statement": [one]}),
            json!({"Statement": [one, one], "Version": "2008-10-17"}),
            json!({"Statement": one, "Version": "2012-10-17", "Id": "default"}),
        ] {
            assert_eq!(parse(&policy, kind).unwrap().kind(), kind, "{policy}");
        }
        for change in [
            json!({"Sid": "A1"}),
            json!({"Sid": ""}),
            json!({"Effect": "Deny"}),
            json!({"Condition": {}}),
            json!({"Condition": {"StringEquals": {"aws:SourceAccount": ["1", 2, true]}}}),
        ] {
            read(kind, change).unwrap();
        }
    }
    let arn = "arn:aws:lambda:eu-west-1:111122223333:function:f";
    for change in [
        json!({"Action": ["lambda:Get*", "s3:GetObject"]}),
        json!({"Action": null, "NotAction": "iam:*"}),
        json!({"Resource": [arn, "*"]}),
        json!({"Resource": null, "NotResource": arn}),
    ] {
        read(Kind::Identity, change.clone()).unwrap();
        read(Kind::Resource, change).unwrap();
    }
}

#[test]
fn principals_are_read_in_all_shapes() {
    for principal in [
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": "111122223333"}),
        json!({"AWS": ["111122223333", "arn:aws:iam::111122223333:root"]}),
        json!({"AWS": "arn:aws:iam::111122223333:user/division/ana"}),
        json!({"AWS": "arn:aws-cn:iam::111122223333:role/worker"}),
        json!({"AWS": "arn:aws:sts::111122223333:assumed-role/worker/resize"}),
        json!({"AWS": "arn:aws:sts::111122223333:federated-user/ana"}),
        json!({"AWS": "AROADBQP57FF2AEXAMPLE"}),
        json!({"Service": "s3.amazonaws.com"}),
        json!({"Service": ["s3.amazonaws.com", "events.amazonaws.com"], "AWS": "*"}),
        json!({"Federated": "cognito-identity.amazonaws.com"}),
        json!({"Federated": "arn:aws:iam::111122223333:saml-provider/name"}),
        json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}),
    ] {
        for kind in [Kind::Resource, Kind::Trust] {
            read(kind, json!({"Principal": principal})).unwrap();
            read(kind, json!({"Principal": null, "NotPrincipal": principal})).unwrap();
        }
    }
}

#[test]
fn principals_must_be_some() {
    for (principal, message) in [
        (json!("lambda.amazonaws.com"), r#"Invalid principal in policy: "AWS":"lambda.amazonaws.com""#),
        (json!({"AWS": ""}), r#"Invalid principal in policy: "AWS":"""#),
        (json!({"AWS": "ana"}), r#"Invalid principal in policy: "AWS":"ana""#),
        (json!({"AWS": "11112222333"}), r#"Invalid principal in policy: "AWS":"11112222333""#),
        (
            json!({"AWS": "arn:aws:iam::111122223333:user/*"}),
            r#"Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/*""#,
        ),
        (
            json!({"AWS": "arn:aws:s3:::bucket/x"}),
            r#"Invalid principal in policy: "AWS":"arn:aws:s3:::bucket/x""#,
        ),
        (
            json!({"AWS": "arn:aws:iam::1:root"}),
            r#"Invalid principal in policy: "AWS":"arn:aws:iam::1:root""#,
        ),
        (json!({"Service": "*"}), r#"Invalid principal in policy: "Service":"*""#),
        (json!({"Service": "a b"}), r#"Invalid principal in policy: "Service":"a b""#),
        (json!({"User": "ana"}), r#"Invalid principal in policy: "User":"ana""#),
        (json!({}), "Missing required field Principal"),
        (json!({"AWS": []}), "Missing required field Principal"),
        (json!(["*"]), "Syntax errors in policy: Principal must be an object."),
        (json!({"AWS": [7]}), "Syntax errors in policy: Principal must be a string or a list of strings."),
    ] {
        assert_eq!(error(Kind::Resource, json!({"Principal": principal})), message);
    }
}

#[test]
fn elements_depend_on_the_kind() {
    for (kind, change, message) in [
        (Kind::Identity, json!({"Principal": "*"}), "Policy document should not specify a principal."),
        (Kind::Identity, json!({"NotPrincipal": "*"}), "Policy document should not specify a principal."),
        (Kind::Identity, json!({"Resource": null}), "Policy statement must contain resources."),
        (Kind::Resource, json!({"Principal": null}), "Missing required field Principal"),
        (Kind::Resource, json!({"Resource": null}), "Policy statement must contain resources."),
        (Kind::Trust, json!({"Principal": null}), "Missing required field Principal"),
        (Kind::Trust, json!({"Resource": "*"}), "Has prohibited field Resource"),
        (
            Kind::Trust,
            json!({"Action": "lambda:*"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (Kind::Trust, json!({"Action": "*"}), "AssumeRole policy may only specify STS AssumeRole actions."),
        (
            Kind::Identity,
            json!({"Sid": "a b"}),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
             [0-9A-Za-z]*",
        ),
    ] {
        assert_eq!(error(kind, change), message);
    }
    read(Kind::Resource, json!({"Sid": "allow-s3_1"})).unwrap();
}

#[test]
fn statements_are_checked() {
    let both = |element| {
        format!("Syntax errors in policy: a statement must not have both {element} and Not{element}.")
    };
    for (change, message) in [
        (json!({"Effect": null}), "Missing required field Effect".to_owned()),
        (json!({"Effect": "allow"}), "Invalid effect: allow".to_owned()),
        (json!({"Effect": true}), "Syntax errors in policy: Effect must be a string.".to_owned()),
        (json!({"Action": null}), "Policy statement must contain actions.".to_owned()),
        (json!({"Action": []}), "Policy statement must contain actions.".to_owned()),
        (json!({"NotAction": "s3:*"}), both("Action")),
        (json!({"NotResource": "*"}), both("Resource")),
        (json!({"NotPrincipal": "*"}), both("Principal")),
        (json!({"Resource": []}), "Policy statement must contain resources.".to_owned()),
        (json!({"Resource": "hello"}), "Resource hello must be in ARN format or \"*\".".to_owned()),
        (
            json!({"Action": "Invoke"}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned(),
        ),
        (json!({"Action": "a:b:c"}), "Actions/Condition can contain only one colon.".to_owned()),
        (json!({"Action": "lamb*:Invoke"}), "Vendor lamb* is not valid".to_owned()),
        (
            json!({"Action": {"a": "b"}}),
            "Syntax errors in policy: Action must be a string or a list of strings.".to_owned(),
        ),
        (json!({"Resources": "*"}), "Syntax errors in policy: unknown element Resources.".to_owned()),
        (json!({"condition": {}}), "Syntax errors in policy: unknown element condition.".to_owned()),
        (json!({"Sid": 1}), "Syntax errors in policy: Sid must be a string.".to_owned()),
    ] {
        assert_eq!(error(Kind::Resource, change), message);
    }
}

#[test]
fn documents_are_checked() {
    let one = statement(Kind::Identity, json!({"Sid": "A"}));
    for (policy, message) in [
        (json!({}), "Missing required field Statement"),
        (json!({"Statement": []}), "Missing required field Statement"),
        (json!({"Statement": ["a"]}), "Syntax errors in policy: Statement must be an object."),
        (json!([]), "Syntax errors in policy: the policy must be an object."),
        (
            json!({"Statement": one, "Version": "2026-01-01"}),
            "The policy document's version must be 2012-10-17 or 2008-10-17.",
        ),
        (
            json!({"Statement": one, "Version": 2012}),
            "The policy document's version must be 2012-10-17 or 2008-10-17.",
        ),
        (json!({"Statement": one, "Id": 7}), "Syntax errors in policy: Id must be a string."),
        (json!({"Statement": one, "Conditions": {}}), "Syntax errors in policy: unknown element Conditions."),
        (json!({"Statement": [one, one]}), "Statement IDs (SID) in a single policy must be unique."),
    ] {
        assert_eq!(parse(&policy, Kind::Identity).unwrap_err().to_string(), message, "{policy}");
    }
    let twice = r#"{"Statement": {"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    for text in ["", "{", "policy", r#"{"Statement": {}} x"#, twice] {
        let error = Document::parse(text, Kind::Identity).unwrap_err();
        assert!(matches!(error, MalformedPolicy::Json(_)), "{text}: {error}");
        assert_eq!(error.code(), "MalformedPolicyDocument");
    }
}
