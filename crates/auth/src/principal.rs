//! Principals: on whose behalf a call is made.
//!
//! Plain data, as [AWS names it](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html);
//! what a principal may do is decided by [`policy`](crate::policy).

use std::fmt;
use std::sync::Arc;

/// What sort of principal made a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// The account itself: may do everything in it.
    Root,
    /// An IAM user.
    User,
    /// A session of an IAM role, with temporary credentials: what a function calls with.
    AssumedRole,
    /// An AWS-style service acting for itself, such as `events.amazonaws.com`.
    Service,
    /// Whoever called without signing, as function URLs may allow.
    Anonymous,
}

/// The principal of a call. Clones share one copy.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<Facts>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Facts {
    kind: PrincipalKind,
    account: Box<str>,
    arn: Box<str>,
    user_id: Box<str>,
    /// Where it is not [`Facts::arn`]: for a session, the role's.
    role_arn: Option<Box<str>>,
}

impl Principal {
    /// The root of `account` (12 digits).
    pub fn root(account: &str) -> Self {
        Self::new(PrincipalKind::Root, account, format!("arn:aws:iam::{account}:root"), account.to_owned())
    }

    /// The IAM user `name` of `account`, with its unique id (`AIDA…`). A path goes in front of the name:
    /// `division/ana`.
    pub fn user(account: &str, name: &str, user_id: &str) -> Self {
        Self::new(
            PrincipalKind::User,
            account,
            format!("arn:aws:iam::{account}:user/{name}"),
            user_id.to_owned(),
        )
    }

    /// The session `session` of the role `role` of `account`; `role_id` is the role's unique id (`AROA…`).
    ///
    /// A path goes in front of the role's name: `service-role/worker`. STS leaves it out of a session's ARN, but
    /// policies name the role with it.
    pub fn assumed_role(account: &str, role: &str, role_id: &str, session: &str) -> Self {
        let name = last_segment(role);
        Self(Arc::new(Facts {
            kind: PrincipalKind::AssumedRole,
            account: account.into(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}").into(),
            user_id: format!("{role_id}:{session}").into(),
            role_arn: Some(format!("arn:aws:iam::{account}:role/{role}").into()),
        }))
    }

    /// The service `name` (`events.amazonaws.com`) acting for `account`.
    ///
    /// Services have no ARN: policies name them by their host name, which stands in its place.
    pub fn service(account: &str, name: &str) -> Self {
        Self::new(PrincipalKind::Service, account, name.to_owned(), name.to_owned())
    }

    /// Nobody in particular. AWS calls account, ARN and user id `anonymous`.
    pub fn anonymous() -> Self {
        let name = "anonymous";
        Self::new(PrincipalKind::Anonymous, name, name.to_owned(), name.to_owned())
    }

    fn new(kind: PrincipalKind, account: &str, arn: String, user_id: String) -> Self {
        let (arn, user_id) = (arn.into(), user_id.into());
        Self(Arc::new(Facts { kind, account: account.into(), arn, user_id, role_arn: None }))
    }

    /// The same principal in another partition than `aws`, such as `aws-cn`.
    #[must_use]
    pub fn in_partition(self, partition: &str) -> Self {
        let moved = |arn: &str| match arn.strip_prefix("arn:aws:") {
            Some(rest) => format!("arn:{partition}:{rest}").into(),
            None => arn.into(),
        };
        Self(Arc::new(Facts {
            kind: self.0.kind,
            account: self.0.account.clone(),
            arn: moved(&self.0.arn),
            user_id: self.0.user_id.clone(),
            role_arn: self.0.role_arn.as_deref().map(moved),
        }))
    }

    /// What sort of principal this is.
    pub fn kind(&self) -> PrincipalKind {
        self.0.kind
    }

    /// The 12 digits of the account the principal belongs to, or acts for.
    pub fn account(&self) -> &str {
        &self.0.account
    }

    /// The ARN that `sts:GetCallerIdentity` reports, or a service's host name.
    pub fn arn(&self) -> &str {
        &self.0.arn
    }

    /// The unique id that `sts:GetCallerIdentity` reports and `aws:userid` matches.
    pub fn user_id(&self) -> &str {
        &self.0.user_id
    }

    /// The ARN that policies are attached to and `aws:PrincipalArn` matches: for a session, its role's. Services and
    /// anonymous callers have none.
    pub fn entity_arn(&self) -> Option<&str> {
        match self.kind() {
            PrincipalKind::Root | PrincipalKind::User => Some(self.arn()),
            PrincipalKind::AssumedRole => self.0.role_arn.as_deref(),
            PrincipalKind::Service | PrincipalKind::Anonymous => None,
        }
    }

    /// The friendly name of an IAM user, without its path, that `aws:username` matches.
    pub fn user_name(&self) -> Option<&str> {
        (self.kind() == PrincipalKind::User).then(|| last_segment(self.arn()))
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `text` is an account id: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";

    #[test]
    fn each_kind_has_the_arn_and_user_id_that_sts_reports() {
        let root = Principal::root(ACCOUNT);
        assert_eq!((root.arn(), root.user_id()), ("arn:aws:iam::123456789012:root", ACCOUNT));
        let user = Principal::user(ACCOUNT, "ana", "AIDACKCEVSQ6C2EXAMPLE");
        assert_eq!(user.arn(), "arn:aws:iam::123456789012:user/ana");
        let session = Principal::assumed_role(ACCOUNT, "worker", "AROADBQP57FF2AEXAMPLE", "my-function");
        assert_eq!(session.arn(), "arn:aws:sts::123456789012:assumed-role/worker/my-function");
        assert_eq!(session.user_id(), "AROADBQP57FF2AEXAMPLE:my-function");
        assert_eq!(session.kind(), PrincipalKind::AssumedRole);
        assert_eq!(Principal::service(ACCOUNT, "events.amazonaws.com").account(), ACCOUNT);
    }

    #[test]
    fn paths_are_in_the_arns_that_policies_name() {
        let user = Principal::user(ACCOUNT, "division/ana", "AIDACKCEVSQ6C2EXAMPLE");
        assert_eq!(user.entity_arn(), Some("arn:aws:iam::123456789012:user/division/ana"));
        assert_eq!(user.user_name(), Some("ana"));
        let session = Principal::assumed_role(ACCOUNT, "service-role/worker", "AROA", "my-function");
        assert_eq!(session.arn(), "arn:aws:sts::123456789012:assumed-role/worker/my-function");
        assert_eq!(session.entity_arn(), Some("arn:aws:iam::123456789012:role/service-role/worker"));
        assert_eq!(session.user_name(), None);
        assert_eq!(Principal::anonymous().entity_arn(), None);
    }

    #[test]
    fn arns_follow_the_partition() {
        let session = Principal::assumed_role(ACCOUNT, "worker", "AROA", "s").in_partition("aws-cn");
        assert_eq!(session.arn(), "arn:aws-cn:sts::123456789012:assumed-role/worker/s");
        assert_eq!(session.entity_arn(), Some("arn:aws-cn:iam::123456789012:role/worker"));
        let service = Principal::service(ACCOUNT, "events.amazonaws.com").in_partition("aws-cn");
        assert_eq!(service.arn(), "events.amazonaws.com");
    }
}
