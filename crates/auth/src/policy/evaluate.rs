//! The decision.
//!
//! Follows [Policy evaluation
//! logic](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html), [within an
//! account](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html)
//! and [across
//! accounts](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html).

use super::denial::{Denial, DenialKind, PolicyType};
use super::document::{Document, Kind};
use super::principals::Grant;
use super::request::Request;
use crate::principal::PrincipalKind;

/// All policies that have a say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// Those of the user and its groups, or of the role.
    pub identity: &'a [Document],
    /// The permissions boundary of the user or the role.
    pub boundary: Option<&'a Document>,
    /// Those that the session was made with; empty if it was made with none.
    pub session: &'a [Document],
    /// That of the resource. A role's trust policy counts as one that must allow the caller, even within its account.
    pub resource: Option<&'a Document>,
}

/// Whether a request may proceed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It may.
    Allow,
    /// It may not.
    Deny(Denial),
}

impl Decision {
    /// Whether the request may proceed.
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allow
    }
}

/// Decides a request.
///
/// A statement that denies it decides, wherever it stands. Otherwise:
/// - The account root may do everything within its account.
/// - A service, or nobody in particular, may do what the resource's policy allows.
/// - Within an account, the identity-based policies or the resource's policy must allow the request, and so must the
///   boundary and the session policies, if there are any. But what a resource's policy allows the user or the session
///   that calls, by its ARN or as `*`, needs nothing else; what it allows the role, no identity-based policy; and what
///   it allows the account, it leaves to the identity-based policies.
/// - Across accounts, the resource's policy and all the others must allow the request.
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    if let Some(denial) = policies.explicit_denial(request) {
        return Decision::Deny(denial);
    }
    let deny = |policy_type| Decision::Deny(Denial::implicit(policy_type));
    let grant = policies.resource.and_then(|document| document.grant(request));
    let kind = request.principal.kind();
    let is_within_account = request.is_within_account();
    let must_be_granted = !is_within_account
        || matches!(kind, PrincipalKind::Service | PrincipalKind::Anonymous)
        || policies.resource.is_some_and(|document| document.kind() == Kind::Trust);
    if must_be_granted && grant.is_none() {
        return deny(PolicyType::Resource);
    }
    let needs = match (kind, grant) {
        (PrincipalKind::Service | PrincipalKind::Anonymous, _) => return Decision::Allow,
        (_, Some(Grant::Direct)) if is_within_account => return Decision::Allow,
        (_, Some(Grant::Role)) if is_within_account => false,
        (kind, _) => kind != PrincipalKind::Root,
    };
    let allowed = |documents: &[Document]| documents.iter().any(|document| document.allows(request));
    if needs && !allowed(policies.identity) {
        return deny(PolicyType::Identity);
    }
    if policies.boundary.is_some_and(|boundary| !boundary.allows(request)) {
        return deny(PolicyType::Boundary);
    }
    if !policies.session.is_empty() && !allowed(policies.session) {
        return deny(PolicyType::Session);
    }
    Decision::Allow
}

impl Policies<'_> {
    fn explicit_denial(&self, request: &Request<'_>) -> Option<Denial> {
        let identity = self.identity.iter().map(|document| (PolicyType::Identity, document));
        let resource = self.resource.iter().map(|document| (PolicyType::Resource, *document));
        let boundary = self.boundary.iter().map(|document| (PolicyType::Boundary, *document));
        let session = self.session.iter().map(|document| (PolicyType::Session, document));
        let is_bounded = self.boundary.is_some();
        let (policy_type, document) = identity
            .chain(resource)
            .chain(boundary)
            .chain(session)
            .find(|(_, document)| document.denies(request, is_bounded))?;
        Some(Denial { kind: DenialKind::Explicit, policy_type, policy_arn: document.arn().cloned() })
    }
}
