//! Why a request is denied, in AWS' words.
//!
//! See [Troubleshoot access denied error
//! messages](https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html) and [Enhanced access denied
//! error messages with policy
//! ARNs](https://aws.amazon.com/blogs/security/enhanced-access-denied-error-messages-with-policy-arns).

use std::fmt;
use std::sync::Arc;

use super::request::Request;

/// The policies that take part in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyType {
    /// Those of the user, its groups or the role.
    Identity,
    /// That of the resource.
    Resource,
    /// The permissions boundary of the user or the role.
    Boundary,
    /// Those that the session was made with.
    Session,
}

/// Whether something is denied by what a policy says or by what none says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenialKind {
    /// A statement denies the request.
    Explicit,
    /// No statement allows the request.
    Implicit,
}

/// A denial. If several types of policies deny a request, AWS names one, and so does this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Denial {
    /// Whether anything denies the request, or nothing allows it.
    pub kind: DenialKind,
    /// Where.
    pub policy_type: PolicyType,
    /// The ARN of the managed policy that denies the request.
    pub policy_arn: Option<Arc<str>>,
}

impl Denial {
    pub(super) fn implicit(policy_type: PolicyType) -> Self {
        Self { kind: DenialKind::Implicit, policy_type, policy_arn: None }
    }

    /// AWS' message: `User: … is not authorized to perform: … on resource: … because no identity-based policy allows
    /// the … action`.
    pub fn message(&self, request: &Request<'_>) -> String {
        let (caller, action, resource) = (request.principal.arn(), request.action, request.resource);
        let policy = self.policy_type;
        let reason = match (self.kind, &self.policy_arn) {
            (DenialKind::Implicit, _) => format!("because no {policy} allows the {action} action"),
            (DenialKind::Explicit, None) => format!("with an explicit deny in {} {policy}", policy.article()),
            (DenialKind::Explicit, Some(arn)) => {
                format!("with an explicit deny in {} {policy}: {arn}", policy.article())
            }
        };
        format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {reason}")
    }
}

impl PolicyType {
    fn article(self) -> &'static str {
        if self == Self::Identity { "an" } else { "a" }
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        })
    }
}
