//! Principals: on whose behalf a call is made.
//!
//! Plain data, as [AWS names it](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html);
//! policies that decide what a principal may do are evaluated elsewhere.

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
}

/// The principal of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    kind: PrincipalKind,
    account: String,
    arn: String,
    user_id: String,
}

impl Principal {
    /// The root of `account` (12 digits).
    pub fn root(account: &str) -> Self {
        Self {
            kind: PrincipalKind::Root,
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: account.to_owned(),
        }
    }

    /// The IAM user `name` of `account`, with its unique id (`AIDA…`).
    pub fn user(account: &str, name: &str, user_id: &str) -> Self {
        Self {
            kind: PrincipalKind::User,
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:user/{name}"),
            user_id: user_id.to_owned(),
        }
    }

    /// The session `session` of the role `role` of `account`; `role_id` is the role's unique id (`AROA…`).
    ///
    /// `role` is the name without its path: STS leaves the path out of a session's ARN.
    pub fn assumed_role(account: &str, role: &str, role_id: &str, session: &str) -> Self {
        Self {
            kind: PrincipalKind::AssumedRole,
            account: account.to_owned(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            user_id: format!("{role_id}:{session}"),
        }
    }

    /// The service `name` (`events.amazonaws.com`) acting for `account`.
    ///
    /// Services have no ARN: policies name them by their host name, which stands in its place.
    pub fn service(account: &str, name: &str) -> Self {
        Self {
            kind: PrincipalKind::Service,
            account: account.to_owned(),
            arn: name.to_owned(),
            user_id: name.to_owned(),
        }
    }

    /// What sort of principal this is.
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The 12 digits of the account the principal belongs to, or acts for.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The ARN that `sts:GetCallerIdentity` reports, or a service's host name.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The unique id that `sts:GetCallerIdentity` reports and `aws:userid` matches.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_the_arn_and_user_id_that_sts_reports() {
        let root = Principal::root("123456789012");
        assert_eq!((root.arn(), root.user_id()), ("arn:aws:iam::123456789012:root", "123456789012"));
        let user = Principal::user("123456789012", "ana", "AIDACKCEVSQ6C2EXAMPLE");
        assert_eq!(user.arn(), "arn:aws:iam::123456789012:user/ana");
        let session =
            Principal::assumed_role("123456789012", "worker", "AROADBQP57FF2AEXAMPLE", "my-function");
        assert_eq!(session.arn(), "arn:aws:sts::123456789012:assumed-role/worker/my-function");
        assert_eq!(session.user_id(), "AROADBQP57FF2AEXAMPLE:my-function");
        assert_eq!(session.kind(), PrincipalKind::AssumedRole);
        assert_eq!(Principal::service("123456789012", "events.amazonaws.com").account(), "123456789012");
    }
}
