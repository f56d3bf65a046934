//! Whom the statements of a resource's policy speak of.

use rushlight_auth::Principal;
use rushlight_auth::policy::{Context, Policies, Request, evaluate};
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, FUNCTION, INVOKE, OTHER, all, all_for, ana, decide, identity, resource, session,
};

const ROOT_ARN: &str = "arn:aws:iam::111122223333:root";
const ANA_ARN: &str = "arn:aws:iam::111122223333:user/ana";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/service-role/worker";
const SESSION_ARN: &str = "arn:aws:sts::111122223333:assumed-role/worker/resize";

/// Whether a statement with this principal denies the caller what it otherwise may.
fn denies(element: &str, principal: Value, caller: &Principal, is_bounded: bool) -> bool {
    let statement = json!({"Effect": "Deny", element: principal, "Action": "*", "Resource": "*"});
    let denying = resource(json!([statement, all_for("Allow", json!("*"))]));
    let everything = identity(all("Allow"));
    let policies = Policies {
        identity: std::slice::from_ref(&everything),
        boundary: is_bounded.then_some(&everything),
        resource: Some(&denying),
        ..Policies::default()
    };
    !decide(caller, &policies).is_allowed()
}

#[test]
fn principals_are_named_in_many_ways() {
    let service = Principal::service(ACCOUNT, "s3.amazonaws.com");
    let stranger = Principal::user(OTHER, "ana", "AIDAOTHER");
    // The principal, and whether it is ana, the session, the root, the service, a stranger, anonymous.
    let rows = [
        (json!("*"), [true, true, true, true, true, true]),
        (json!({"AWS": "*"}), [true, true, true, true, true, true]),
        (json!({"AWS": ACCOUNT}), [true, true, true, false, false, false]),
        (json!({"AWS": ROOT_ARN}), [true, true, true, false, false, false]),
        (json!({"AWS": ANA_ARN}), [true, false, false, false, false, false]),
        (json!({"AWS": ANA_ARN.replace("ana", "Ana")}), [false; 6]),
        (json!({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}), [true, false, false, false, false, false]),
        (json!({"AWS": ROLE_ARN}), [false, true, false, false, false, false]),
        (json!({"AWS": "arn:aws:iam::111122223333:role/worker"}), [false; 6]),
        (json!({"AWS": "AROADBQP57FF2AEXAMPLE"}), [false, true, false, false, false, false]),
        (json!({"AWS": SESSION_ARN}), [false, true, false, false, false, false]),
        (json!({"AWS": SESSION_ARN.replace("resize", "other")}), [false; 6]),
        (json!({"AWS": OTHER}), [false, false, false, false, true, false]),
        (json!({"Service": "s3.amazonaws.com"}), [false, false, false, true, false, false]),
        (json!({"Service": "sns.amazonaws.com"}), [false; 6]),
        (
            json!({"Service": ["sns.amazonaws.com", "s3.amazonaws.com"], "AWS": ANA_ARN}),
            [true, false, false, true, false, false],
        ),
        (json!({"Federated": "www.amazon.com"}), [false; 6]),
        (json!({"CanonicalUser": "79a59df900b949e5"}), [false; 6]),
    ];
    let callers = [ana(), session(), Principal::root(ACCOUNT), service, stranger, Principal::anonymous()];
    for (principal, expected) in rows {
        let found = callers.each_ref().map(|caller| denies("Principal", principal.clone(), caller, false));
        assert_eq!(found, expected, "{principal}");
    }
}

#[test]
fn not_principal_excepts_only_who_is_named_in_full() {
    let service = Principal::service(ACCOUNT, "s3.amazonaws.com");
    let root = Principal::root(ACCOUNT);
    for (principal, caller, expected) in [
        // AWS' examples name the account beside the user, and the role and the account beside the session.
        (json!({"AWS": [ANA_ARN, ROOT_ARN]}), &ana(), false),
        (json!({"AWS": ANA_ARN}), &ana(), true),
        (json!({"AWS": ROOT_ARN}), &ana(), true),
        (json!({"AWS": [SESSION_ARN, ROLE_ARN, ROOT_ARN]}), &session(), false),
        (json!({"AWS": [ROLE_ARN, ROOT_ARN]}), &session(), true),
        (json!({"AWS": [SESSION_ARN, ROOT_ARN]}), &session(), true),
        (json!({"AWS": [SESSION_ARN, ROLE_ARN]}), &session(), true),
        (json!({"AWS": ROOT_ARN}), &root, false),
        (json!({"AWS": OTHER}), &root, true),
        (json!({"Service": "s3.amazonaws.com"}), &service, false),
        (json!({"Service": "sns.amazonaws.com"}), &service, true),
        (json!({"AWS": ROOT_ARN}), &Principal::anonymous(), true),
        (json!("*"), &ana(), false),
        (json!("*"), &Principal::anonymous(), false),
    ] {
        assert_eq!(
            denies("NotPrincipal", principal.clone(), caller, false),
            expected,
            "{principal} {caller:?}"
        );
    }
    // "will always deny any IAM principal that has a permissions boundary policy attached"
    assert!(denies("NotPrincipal", json!({"AWS": [ANA_ARN, ROOT_ARN]}), &ana(), true));
}

#[test]
fn not_principal_allows_everyone_else() {
    let allows = |principal: Value, caller: &Principal| {
        let statement = json!({"Effect": "Allow", "NotPrincipal": principal, "Action": "*", "Resource": "*"});
        let policy = resource(statement);
        decide(caller, &Policies { resource: Some(&policy), ..Policies::default() }).is_allowed()
    };
    for (principal, caller, expected) in [
        (json!({"AWS": ANA_ARN}), &ana(), false),
        (json!({"AWS": ROOT_ARN}), &ana(), false),
        (json!({"AWS": OTHER}), &ana(), true),
        (json!({"AWS": ROLE_ARN}), &session(), false),
        (json!({"AWS": ROLE_ARN}), &ana(), true),
        (json!({"AWS": ROLE_ARN}), &Principal::anonymous(), true),
    ] {
        assert_eq!(allows(principal.clone(), caller), expected, "{principal} {caller:?}");
    }
}

#[test]
fn conditions_know_the_principal() {
    // Key, and its value for ana, the session, the root, the service, anonymous.
    let rows = [
        ("aws:PrincipalArn", [Some(ANA_ARN), Some(ROLE_ARN), Some(ROOT_ARN), None, None]),
        ("aws:PrincipalAccount", [Some(ACCOUNT), Some(ACCOUNT), Some(ACCOUNT), None, Some("anonymous")]),
        ("aws:PrincipalType", [Some("User"), Some("AssumedRole"), Some("Account"), None, Some("Anonymous")]),
        ("aws:username", [Some("ana"), None, None, None, None]),
        (
            "aws:userid",
            [
                Some("AIDACKCEVSQ6C2EXAMPLE"),
                Some("AROADBQP57FF2AEXAMPLE:resize"),
                Some(ACCOUNT),
                None,
                Some("anonymous"),
            ],
        ),
        ("aws:PrincipalIsAWSService", [Some("false"), Some("false"), Some("false"), Some("true"), None]),
        ("aws:PrincipalServiceName", [None, None, None, Some("s3.amazonaws.com"), None]),
        ("aws:PrincipalServiceNamesList", [None, None, None, Some("s3.amazonaws.com"), None]),
    ];
    let service = Principal::service(ACCOUNT, "s3.amazonaws.com");
    let callers = [ana(), session(), Principal::root(ACCOUNT), service, Principal::anonymous()];
    for (key, values) in rows {
        for (caller, value) in callers.iter().zip(values) {
            let condition = match value {
                Some(value) => json!({"StringEquals": {key: value}}),
                None => json!({"Null": {key: "true"}}),
            };
            // The root may do everything, so the condition must deny to be seen.
            let mut statement = all_for("Deny", json!("*"));
            statement["Condition"] = condition.clone();
            let policy = resource(json!([statement, all_for("Allow", json!("*"))]));
            let context = Context::new();
            let request = Request::new(caller, INVOKE, FUNCTION, &context);
            let policies = Policies { resource: Some(&policy), ..Policies::default() };
            assert!(!evaluate(&request, &policies).is_allowed(), "{condition} {caller:?}");
        }
    }
}
