//! Authorization: a request held against all the policies that have a say in it.
//!
//! ```text
//! Caller ─ principal ──> Identities ──> policies of the user or the role ─┐
//!        └ address, …  ──> Context ───────────────────────────────────────┼──> evaluate ──> yes, or AWS' words why not
//!                          policy of the resource, from its service ──────┘
//! ```
//!
//! Each service knows which action an operation is, on which resource, and what that resource's policy says; see
//! [`Authorizer::check`].

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;

use crate::policy::{Context, Decision, DenialKind, Document, Policies, PolicyType, Request, evaluate, key};
use crate::principal::{Principal, PrincipalKind};

/// Who calls, and how the call came in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// On whose behalf the call is made.
    pub principal: Principal,
    /// The address at the other end of the connection.
    pub source_ip: Option<IpAddr>,
    /// Whether the connection is encrypted, as far as this server knows: what ends TLS in front of it, it cannot see.
    pub is_encrypted: bool,
    /// The client's name for itself.
    pub user_agent: Option<HeaderValue>,
    /// The function whose execution environment's credentials were used.
    pub source_function_arn: Option<Arc<str>>,
}

impl Caller {
    /// A caller of whom nothing else is known.
    pub fn new(principal: Principal) -> Self {
        Self { principal, source_ip: None, is_encrypted: false, user_agent: None, source_function_arn: None }
    }

    /// What policies can ask about the call itself. `now` in Unix seconds.
    pub fn context<'a>(&'a self, region: &'a str, now: i64) -> Context<'a> {
        let mut context = Context::new();
        context.insert_time(now).insert(key::REQUESTED_REGION, region);
        context.insert(key::SECURE_TRANSPORT, self.is_encrypted).insert(key::VIA_AWS_SERVICE, false);
        if let Some(address) = self.source_ip {
            context.insert(key::SOURCE_IP, address);
        }
        if let Some(agent) = self.user_agent.as_ref().and_then(|agent| agent.to_str().ok()) {
            context.insert(key::USER_AGENT, agent);
        }
        if let Some(function) = self.source_function_arn.as_deref() {
            context.insert(key::LAMBDA_SOURCE_FUNCTION_ARN, function);
        }
        context
    }
}

/// What is attached to a user or a role, compiled.
#[derive(Clone, Debug, Default)]
pub struct AttachedPolicies {
    /// Inline and managed policies.
    pub identity: Vec<Document>,
    /// The permissions boundary.
    pub boundary: Option<Document>,
    /// Tags, for `aws:PrincipalTag`.
    pub tags: Vec<(String, String)>,
}

/// Knows the users and roles of the accounts. Asked for every request, so it must be quick.
pub trait Identities: Send + Sync {
    /// What is attached to the user or role that the principal is, or is a session of; nothing if there is none.
    fn attached(&self, principal: &Principal) -> Arc<AttachedPolicies>;

    /// Whether the roles of this account are known. Where they are not, any role's name is taken for a role.
    fn knows_roles_of(&self, account: &str) -> bool;

    /// What a session of this name of a role calls as, if there is such a role.
    fn session_of(&self, role_arn: &str, session: &str) -> Option<Principal>;

    /// Whether a service may assume a role. `context` holds what it says of its reason.
    fn is_assumable(&self, role_arn: &str, service: &str, context: &Context<'_>) -> bool;
}

/// No users and no roles: every account is its root's alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIdentities;

impl Identities for NoIdentities {
    fn attached(&self, _: &Principal) -> Arc<AttachedPolicies> {
        Arc::default()
    }

    fn knows_roles_of(&self, _: &str) -> bool {
        false
    }

    fn session_of(&self, _: &str, _: &str) -> Option<Principal> {
        None
    }

    fn is_assumable(&self, _: &str, _: &str, _: &Context<'_>) -> bool {
        true
    }
}

/// Decides requests. Clones are the same one.
#[derive(Clone)]
pub struct Authorizer(Arc<dyn Identities>);

/// Why a request is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// AWS' message: who may not do what to what, and why.
    pub message: String,
    /// Whether the only reason is that a resource of another account does not let the caller in.
    pub is_foreign: bool,
}

impl Authorizer {
    /// Decides by what is attached to these identities.
    pub fn new(identities: Arc<dyn Identities>) -> Self {
        Self(identities)
    }

    /// See [`Identities`].
    pub fn identities(&self) -> &dyn Identities {
        &*self.0
    }

    /// Whether the principal may do something for sure, whatever the circumstances: the root of an account, with what
    /// is the account's own and has no policy that could deny it.
    pub fn is_beyond_question(
        principal: &Principal,
        owner: &str,
        resource_policy: Option<&Document>,
    ) -> bool {
        principal.kind() == PrincipalKind::Root && principal.account() == owner && resource_policy.is_none()
    }

    /// Whether the caller may take `action` on `resource`, an ARN or `*`, of the account `owner`. `resource_policy` is
    /// the resource's own, if it has one.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn check(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        owner: &str,
        resource_policy: Option<&Document>,
        mut context: Context<'_>,
    ) -> Result<(), Denied> {
        if Self::is_beyond_question(principal, owner, resource_policy) {
            return Ok(());
        }
        let attached = self.0.attached(principal);
        for (name, value) in &attached.tags {
            context.insert_tag(key::PRINCIPAL_TAG, name, value.clone());
        }
        context.insert(key::RESOURCE_ACCOUNT, owner.to_owned());
        let policies = Policies {
            identity: &attached.identity,
            boundary: attached.boundary.as_ref(),
            session: &[],
            resource: resource_policy,
        };
        let request = Request::new(principal, action, resource, &context).owned_by(owner);
        match evaluate(&request, &policies) {
            Decision::Allow => Ok(()),
            Decision::Deny(denial) => Err(Denied {
                is_foreign: principal.account() != owner
                    && denial.kind == DenialKind::Implicit
                    && denial.policy_type == PolicyType::Resource,
                message: denial.message(&request),
            }),
        }
    }
}

impl std::fmt::Debug for Authorizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authorizer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Kind;

    const ACCOUNT: &str = "111122223333";
    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:f";

    /// Attaches one policy to everybody.
    struct Everybody(&'static str);

    impl Identities for Everybody {
        fn attached(&self, _: &Principal) -> Arc<AttachedPolicies> {
            let identity = vec![Document::parse(self.0, Kind::Identity).unwrap()];
            let tags = vec![("team".to_owned(), "blue".to_owned())];
            Arc::new(AttachedPolicies { identity, boundary: None, tags })
        }

        fn knows_roles_of(&self, _: &str) -> bool {
            true
        }

        fn session_of(&self, _: &str, _: &str) -> Option<Principal> {
            None
        }

        fn is_assumable(&self, _: &str, _: &str, _: &Context<'_>) -> bool {
            false
        }
    }

    fn check(policy: &'static str, caller: &Caller) -> Result<(), Denied> {
        let context = caller.context("eu-west-1", 1_800_000_000);
        let authorizer = Authorizer::new(Arc::new(Everybody(policy)));
        authorizer.check(&caller.principal, "lambda:InvokeFunction", FUNCTION, ACCOUNT, None, context)
    }

    fn ann() -> Caller {
        Caller::new(Principal::user(ACCOUNT, "ann", "AIDA"))
    }

    #[test]
    fn what_is_known_of_the_call_reaches_conditions() {
        let conditions = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {
            "StringEquals": {"aws:PrincipalTag/team": "blue", "aws:RequestedRegion": "eu-west-1",
                             "aws:ResourceAccount": "111122223333"},
            "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
            "DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
            "StringLike": {"aws:UserAgent": "aws-cli/*"},
            "ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:*:function:caller"},
            "Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "false"}}}}"#;
        let caller = Caller {
            source_ip: "10.1.2.3".parse().ok(),
            user_agent: Some(HeaderValue::from_static("aws-cli/2")),
            source_function_arn: Some("arn:aws:lambda:eu-west-1:111122223333:function:caller".into()),
            ..ann()
        };
        assert_eq!(check(conditions, &caller), Ok(()));
        for changed in [
            Caller { source_ip: "11.1.2.3".parse().ok(), ..caller.clone() },
            Caller { is_encrypted: true, ..caller.clone() },
            Caller { user_agent: None, ..caller.clone() },
            Caller { source_function_arn: None, ..caller.clone() },
        ] {
            assert!(check(conditions, &changed).is_err(), "{changed:?}");
        }
    }

    #[test]
    fn denials_are_in_aws_words() {
        let denied =
            check(r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#, &ann());
        let message = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: lambda:InvokeFunction on resource: \
             {FUNCTION} because no identity-based policy allows the lambda:InvokeFunction action"
        );
        assert_eq!(denied, Err(Denied { message, is_foreign: false }));
        let stranger = Caller::new(Principal::root("444455556666"));
        let everything = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
        assert!(check(everything, &stranger).unwrap_err().is_foreign);
    }

    #[test]
    fn the_root_of_the_account_needs_no_policy() {
        let nothing = r#"{"Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}"#;
        assert_eq!(check(nothing, &Caller::new(Principal::root(ACCOUNT))), Ok(()));
    }
}
