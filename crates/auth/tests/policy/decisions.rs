//! Which policies decide.

use rushlight_auth::Principal;
use rushlight_auth::policy::{
    Context, Decision, DenialKind, Document, Kind, Policies, PolicyType, Request, evaluate,
};
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, FUNCTION, INVOKE, OTHER, all, all_for, ana, decide, document, identity, resource, session,
};

const ROOT_ARN: &str = "arn:aws:iam::111122223333:root";
const ANA_ARN: &str = "arn:aws:iam::111122223333:user/ana";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/service-role/worker";
const SESSION_ARN: &str = "arn:aws:sts::111122223333:assumed-role/worker/resize";

/// What a policy says of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// There is no such policy.
    Absent,
    /// It allows something else.
    Nothing,
    Allow,
    Deny,
}

use Says::{Absent, Allow, Deny, Nothing};

fn statement(says: Says) -> Value {
    match says {
        Absent | Nothing => json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),
        Allow => all("Allow"),
        Deny => json!([all("Allow"), all("Deny")]),
    }
}

/// Allowed, or which denial.
type Outcome = Result<(), (DenialKind, PolicyType)>;

/// All policies of a case.
struct Case {
    identity: Says,
    boundary: Says,
    session: Says,
    /// What the resource's policy allows (or denies), and whom.
    resource: Says,
    principal: Value,
}

impl Case {
    fn decide(&self, caller: &Principal) -> Decision {
        let make = |says: Says| (says != Absent).then(|| identity(statement(says)));
        let (identity, boundary, session) = (make(self.identity), make(self.boundary), make(self.session));
        let mut statements = statement(self.resource);
        for statement in statements.as_array_mut().into_iter().flatten() {
            statement["Principal"] = self.principal.clone();
        }
        if statements.is_object() {
            statements["Principal"] = self.principal.clone();
        }
        let resource = (self.resource != Absent).then(|| document(Kind::Resource, statements));
        let policies = Policies {
            identity: identity.as_slice(),
            boundary: boundary.as_ref(),
            session: session.as_slice(),
            resource: resource.as_ref(),
        };
        decide(caller, &policies)
    }
}

fn outcome(decision: Decision) -> Outcome {
    match decision {
        Decision::Allow => Ok(()),
        Decision::Deny(denial) => Err((denial.kind, denial.policy_type)),
    }
}

fn implicit(policy_type: PolicyType) -> Outcome {
    Err((DenialKind::Implicit, policy_type))
}

fn explicit(policy_type: PolicyType) -> Outcome {
    Err((DenialKind::Explicit, policy_type))
}

fn check(caller: &Principal, principal: &Value, rows: &[([Says; 4], Outcome)]) {
    for ([identity, boundary, session, resource], expected) in rows {
        let case = Case {
            identity: *identity,
            boundary: *boundary,
            session: *session,
            resource: *resource,
            principal: principal.clone(),
        };
        assert_eq!(
            outcome(case.decide(caller)),
            *expected,
            "{caller:?} {principal}: identity {identity:?}, boundary {boundary:?}, session {session:?}, resource {resource:?}"
        );
    }
}

#[test]
fn within_an_account_identity_policies_decide_where_the_resource_has_none() {
    use PolicyType::{Boundary, Identity, Session};
    for caller in [ana(), session()] {
        check(
            &caller,
            &json!("*"),
            &[
                ([Absent, Absent, Absent, Absent], implicit(Identity)),
                ([Nothing, Absent, Absent, Absent], implicit(Identity)),
                ([Allow, Absent, Absent, Absent], Ok(())),
                ([Allow, Absent, Absent, Nothing], Ok(())),
                ([Deny, Absent, Absent, Absent], explicit(Identity)),
                ([Allow, Allow, Allow, Absent], Ok(())),
                ([Allow, Nothing, Absent, Absent], implicit(Boundary)),
                ([Allow, Deny, Absent, Absent], explicit(Boundary)),
                ([Allow, Allow, Nothing, Absent], implicit(Session)),
                ([Allow, Allow, Deny, Absent], explicit(Session)),
                // What a boundary or a session policy allows is allowed by none.
                ([Nothing, Allow, Allow, Absent], implicit(Identity)),
            ],
        );
    }
}

#[test]
fn an_explicit_deny_wins_wherever_it_is() {
    use PolicyType::{Boundary, Identity, Resource, Session};
    check(
        &ana(),
        &json!("*"),
        &[
            ([Deny, Allow, Allow, Allow], explicit(Identity)),
            ([Allow, Deny, Allow, Allow], explicit(Boundary)),
            ([Allow, Allow, Deny, Allow], explicit(Session)),
            ([Allow, Allow, Allow, Deny], explicit(Resource)),
            ([Deny, Deny, Deny, Deny], explicit(Identity)),
        ],
    );
}

/// AWS' table "Resource-based policies and implicit denies in other policy types (same account)".
#[test]
fn what_a_resource_allows_depends_on_whom_it_names() {
    use PolicyType::{Boundary, Identity, Session};
    let (user, role) = (ana(), session());
    let direct = [
        ([Absent, Absent, Absent, Allow], Ok(())),
        ([Nothing, Nothing, Nothing, Allow], Ok(())),
        ([Nothing, Nothing, Nothing, Nothing], implicit(Identity)),
    ];
    for (caller, principal) in [
        (&user, json!({"AWS": ANA_ARN})),
        (&role, json!({"AWS": SESSION_ARN})),
        (&user, json!("*")),
        (&role, json!({"AWS": "*"})),
        (&role, json!({"AWS": [ROOT_ARN, ROLE_ARN, SESSION_ARN]})),
    ] {
        check(caller, &principal, &direct);
    }
    check(
        &role,
        &json!({"AWS": ROLE_ARN}),
        &[
            ([Absent, Absent, Absent, Allow], Ok(())),
            ([Nothing, Allow, Allow, Allow], Ok(())),
            ([Nothing, Nothing, Absent, Allow], implicit(Boundary)),
            ([Allow, Allow, Nothing, Allow], implicit(Session)),
        ],
    );
    // To name the account is to leave the decision to its identity-based policies.
    for caller in [&user, &role] {
        check(
            caller,
            &json!({"AWS": ACCOUNT}),
            &[
                ([Absent, Absent, Absent, Allow], implicit(Identity)),
                ([Nothing, Absent, Absent, Allow], implicit(Identity)),
                ([Allow, Absent, Absent, Allow], Ok(())),
                ([Allow, Nothing, Absent, Allow], implicit(Boundary)),
            ],
        );
    }
}

#[test]
fn across_accounts_both_sides_must_allow() {
    use PolicyType::{Boundary, Identity, Resource, Session};
    let user = Principal::user(OTHER, "eve", "AIDAOTHER");
    let role = Principal::assumed_role(OTHER, "worker", "AROAOTHER", "s");
    for (caller, principal) in [
        (&user, json!({"AWS": "arn:aws:iam::444455556666:user/eve"})),
        (&user, json!({"AWS": OTHER})),
        (&user, json!("*")),
        (&role, json!({"AWS": "arn:aws:iam::444455556666:role/worker"})),
        (&role, json!({"AWS": "arn:aws:sts::444455556666:assumed-role/worker/s"})),
    ] {
        check(
            caller,
            &principal,
            &[
                ([Allow, Absent, Absent, Absent], implicit(Resource)),
                ([Allow, Absent, Absent, Nothing], implicit(Resource)),
                ([Absent, Absent, Absent, Allow], implicit(Identity)),
                ([Nothing, Absent, Absent, Allow], implicit(Identity)),
                ([Allow, Absent, Absent, Allow], Ok(())),
                ([Allow, Nothing, Absent, Allow], implicit(Boundary)),
                ([Allow, Allow, Nothing, Allow], implicit(Session)),
                ([Allow, Allow, Allow, Allow], Ok(())),
                ([Allow, Absent, Absent, Deny], explicit(Resource)),
                ([Deny, Absent, Absent, Allow], explicit(Identity)),
            ],
        );
    }
    check(&user, &json!({"AWS": ACCOUNT}), &[([Allow, Absent, Absent, Allow], implicit(Resource))]);
}

#[test]
fn the_root_may_do_everything_in_its_account_only() {
    use PolicyType::Resource;
    let (root, other) = (Principal::root(ACCOUNT), Principal::root(OTHER));
    check(
        &root,
        &json!("*"),
        &[
            ([Absent, Absent, Absent, Absent], Ok(())),
            ([Absent, Absent, Absent, Nothing], Ok(())),
            ([Absent, Absent, Absent, Deny], explicit(Resource)),
        ],
    );
    check(
        &other,
        &json!({"AWS": OTHER}),
        &[
            ([Absent, Absent, Absent, Absent], implicit(Resource)),
            ([Absent, Absent, Absent, Nothing], implicit(Resource)),
            ([Absent, Absent, Absent, Allow], Ok(())),
            ([Absent, Absent, Absent, Deny], explicit(Resource)),
        ],
    );
}

#[test]
fn services_and_strangers_have_the_resource_policy_alone() {
    use PolicyType::Resource;
    let service = Principal::service(ACCOUNT, "s3.amazonaws.com");
    for (caller, principal) in
        [(&service, json!({"Service": "s3.amazonaws.com"})), (&Principal::anonymous(), json!("*"))]
    {
        check(
            caller,
            &principal,
            &[
                ([Absent, Absent, Absent, Absent], implicit(Resource)),
                ([Allow, Allow, Allow, Nothing], implicit(Resource)),
                ([Absent, Absent, Absent, Allow], Ok(())),
                ([Absent, Absent, Absent, Deny], explicit(Resource)),
            ],
        );
    }
    check(&service, &json!({"AWS": ACCOUNT}), &[([Absent, Absent, Absent, Allow], implicit(Resource))]);
}

#[test]
fn the_account_of_a_resource_is_in_its_arn_or_told() {
    let everything = [identity(all("Allow"))];
    let policies = Policies { identity: &everything, ..Policies::default() };
    let (caller, context) = (ana(), Context::new());
    let is_allowed = |request: Request<'_>| evaluate(&request, &policies).is_allowed();
    assert!(is_allowed(Request::new(&caller, INVOKE, FUNCTION, &context)));
    assert!(!is_allowed(Request::new(&caller, INVOKE, &FUNCTION.replace(ACCOUNT, OTHER), &context)));
    for without_account in ["*", "arn:aws:s3:::bucket", "nonsense"] {
        let request = Request::new(&caller, INVOKE, without_account, &context);
        assert!(is_allowed(request), "{without_account}");
        assert!(!is_allowed(request.owned_by(OTHER)), "{without_account}");
    }
}

#[test]
fn several_documents_count_together() {
    let (none, some, deny) = (
        identity(statement(Nothing)),
        identity(json!({"Effect": "Allow", "Action": INVOKE, "Resource": FUNCTION})),
        identity(all("Deny")),
    );
    let decide =
        |identity: &[Document]| outcome(decide(&ana(), &Policies { identity, ..Policies::default() }));
    assert_eq!(decide(&[none.clone(), some.clone()]), Ok(()));
    assert_eq!(decide(&[some, none, deny]), explicit(PolicyType::Identity));
}

#[test]
fn a_policy_of_the_wrong_kind_allows_nothing() {
    let for_all = resource(all_for("Allow", json!("*")));
    let mine = identity(all("Allow"));
    let misplaced =
        Policies { identity: std::slice::from_ref(&for_all), resource: Some(&mine), ..Policies::default() };
    assert_eq!(outcome(decide(&ana(), &misplaced)), implicit(PolicyType::Identity));
    let service = Principal::service(ACCOUNT, "s3.amazonaws.com");
    assert_eq!(outcome(decide(&service, &misplaced)), implicit(PolicyType::Resource));
    let denying = identity(all("Deny"));
    let misplaced = Policies { resource: Some(&denying), ..Policies::default() };
    assert_eq!(outcome(decide(&Principal::root(ACCOUNT), &misplaced)), explicit(PolicyType::Resource));
}

#[test]
fn a_function_policy_lets_in_what_add_permission_says() {
    // What AddPermission makes of S3's bucket notifications, an account, an organization, and a function URL.
    let policy = resource(json!([
        {"Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": INVOKE,
         "Resource": FUNCTION, "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT},
         "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}}},
        {"Sid": "org", "Effect": "Allow", "Principal": "*", "Action": INVOKE, "Resource": FUNCTION,
         "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}},
        {"Sid": "url", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl", "Resource": FUNCTION,
         "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}},
    ]));
    let is_allowed = |caller: &Principal, action: &str, keys: &[(&'static str, &'static str)]| {
        let mut context = Context::new();
        keys.iter().for_each(|(key, value)| drop(context.insert(*key, *value).clone()));
        let policies = Policies { resource: Some(&policy), ..Policies::default() };
        evaluate(&Request::new(caller, action, FUNCTION, &context), &policies).is_allowed()
    };
    let (s3, nobody) = (Principal::service(ACCOUNT, "s3.amazonaws.com"), Principal::anonymous());
    let (account, bucket) = (("aws:SourceAccount", ACCOUNT), ("aws:SourceArn", "arn:aws:s3:::bucket"));
    assert!(is_allowed(&s3, INVOKE, &[account, bucket]));
    assert!(!is_allowed(&s3, INVOKE, &[account]));
    assert!(!is_allowed(&s3, INVOKE, &[account, ("aws:SourceArn", "arn:aws:s3:::bucket2")]));
    assert!(!is_allowed(&s3, INVOKE, &[("aws:SourceAccount", OTHER), bucket]));
    assert!(!is_allowed(&Principal::service(ACCOUNT, "sns.amazonaws.com"), INVOKE, &[account, bucket]));
    assert!(is_allowed(&ana(), INVOKE, &[("aws:PrincipalOrgID", "o-a1b2c3d4e5")]));
    assert!(!is_allowed(&ana(), INVOKE, &[]));
    assert!(is_allowed(&nobody, "lambda:InvokeFunctionUrl", &[("lambda:FunctionUrlAuthType", "NONE")]));
    assert!(!is_allowed(&nobody, "lambda:InvokeFunctionUrl", &[("lambda:FunctionUrlAuthType", "AWS_IAM")]));
    assert!(!is_allowed(&nobody, INVOKE, &[("lambda:FunctionUrlAuthType", "NONE")]));
}
