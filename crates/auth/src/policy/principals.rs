//! The `Principal` and `NotPrincipal` elements: whom a statement of a resource-based policy speaks of.
//!
//! See [AWS JSON policy elements:
//! Principal](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html) and
//! [NotPrincipal](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html).

use super::error::MalformedPolicy;
use super::json::Json;
use crate::principal::{Principal, PrincipalKind, is_account};
use crate::sigv4::echo;

/// How a resource-based policy names a caller that it allows something. What other policies have to say beside it
/// depends on this; the greater asks for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grant {
    /// By its account, which then decides with identity-based policies.
    Account,
    /// By its role: not by the session that calls, whose boundary and session policies still count.
    Role,
    /// By itself, or as everyone.
    Direct,
}

#[derive(Clone, Debug)]
pub(super) struct Principals {
    negated: bool,
    named: Box<[Named]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Everyone,
    Account(Box<str>),
    /// A user, a role or a session.
    Arn(Box<str>),
    /// What an ARN became when its user or role was deleted.
    UniqueId(Box<str>),
    Service(Box<str>),
    /// An identity provider or a canonical user id: nobody who calls here.
    Elsewhere,
}

impl Principals {
    pub(super) fn parse(json: Json, negated: bool) -> Result<Self, MalformedPolicy> {
        let element = if negated { "NotPrincipal" } else { "Principal" };
        let mut named = Vec::new();
        match json {
            Json::Text(text) if text == "*" => named.push(Named::Everyone),
            Json::Text(value) => return Err(invalid("AWS", &value)),
            json => {
                for (kind, values) in json.object(element)? {
                    for value in values.texts(element)? {
                        named.push(Named::parse(&kind, &value).ok_or_else(|| invalid(&kind, &value))?);
                    }
                }
            }
        }
        if named.is_empty() {
            return Err(MalformedPolicy::Missing { element });
        }
        Ok(Self { negated, named: named.into() })
    }

    /// Whether an `Allow` speaks of everyone, or of everyone but some.
    pub(super) fn are_open(&self) -> bool {
        self.negated || self.named.contains(&Named::Everyone)
    }

    /// How an `Allow` speaks of the caller, if it does.
    pub(super) fn grant(&self, principal: &Principal) -> Option<Grant> {
        let grant = self.named.iter().filter_map(|named| named.grant(principal)).max();
        match (self.negated, grant) {
            (false, grant) => grant,
            (true, None) => Some(Grant::Direct),
            (true, Some(_)) => None,
        }
    }

    /// Whether a `Deny` speaks of the caller.
    ///
    /// `NotPrincipal` excepts only who is named with everything that it is: a session with its role and its account.
    /// And it excepts nobody who has a permissions boundary.
    pub(super) fn denies(&self, principal: &Principal, is_bounded: bool) -> bool {
        if !self.negated {
            return self.named.iter().any(|named| named.grant(principal).is_some());
        }
        is_bounded || !self.names_all_of(principal)
    }

    fn names_all_of(&self, principal: &Principal) -> bool {
        let names = |grant| self.named.iter().any(|named| named.grant(principal) == Some(grant));
        self.named.contains(&Named::Everyone)
            || match principal.kind() {
                PrincipalKind::Root | PrincipalKind::Service | PrincipalKind::Anonymous => {
                    names(Grant::Direct)
                }
                PrincipalKind::User => names(Grant::Direct) && names(Grant::Account),
                PrincipalKind::AssumedRole => {
                    names(Grant::Direct) && names(Grant::Role) && names(Grant::Account)
                }
            }
    }
}

fn invalid(kind: &str, value: &str) -> MalformedPolicy {
    MalformedPolicy::Principal { kind: echo(kind), value: echo(value) }
}

impl Named {
    fn parse(kind: &str, value: &str) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        match kind {
            "AWS" => Self::parse_aws(value),
            "Service" => {
                let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
                value.bytes().all(is_host).then(|| Self::Service(value.into()))
            }
            "Federated" | "CanonicalUser" => Some(Self::Elsewhere),
            _ => None,
        }
    }

    /// Wildcards are for everyone or no one: "You cannot use a wildcard to match part of a principal name or ARN."
    fn parse_aws(value: &str) -> Option<Self> {
        if value == "*" {
            return Some(Self::Everyone);
        }
        if value.contains(['*', '?']) {
            return None;
        }
        if is_account(value) {
            return Some(Self::Account(value.into()));
        }
        let mut components = value.splitn(6, ':');
        let (first, _partition) = (components.next(), components.next());
        let (service, region) = (components.next(), components.next());
        match (first, service, region, components.next(), components.next()) {
            (Some("arn"), Some("iam"), Some(""), Some(account), Some("root")) if is_account(account) => {
                Some(Self::Account(account.into()))
            }
            // Amazon CloudFront's origin access identities are users of no account.
            (Some("arn"), Some("iam" | "sts"), Some(""), Some(account), Some(name))
                if (is_account(account) || account == "cloudfront") && name.contains('/') =>
            {
                Some(Self::Arn(value.into()))
            }
            (Some(_), None, ..) if ["AIDA", "AROA"].iter().any(|prefix| value.starts_with(prefix)) => {
                Some(Self::UniqueId(value.into()))
            }
            _ => None,
        }
    }

    fn grant(&self, principal: &Principal) -> Option<Grant> {
        let kind = principal.kind();
        let is_of_account =
            matches!(kind, PrincipalKind::Root | PrincipalKind::User | PrincipalKind::AssumedRole);
        match self {
            Self::Everyone => Some(Grant::Direct),
            Self::Account(account) if is_of_account && **account == *principal.account() => {
                Some(if kind == PrincipalKind::Root { Grant::Direct } else { Grant::Account })
            }
            Self::Arn(arn) if is_of_account && **arn == *principal.arn() => Some(Grant::Direct),
            Self::Arn(arn)
                if kind == PrincipalKind::AssumedRole && principal.entity_arn() == Some(&**arn) =>
            {
                Some(Grant::Role)
            }
            Self::UniqueId(id) if is_of_account && **id == *principal.user_id() => Some(Grant::Direct),
            Self::UniqueId(id) if kind == PrincipalKind::AssumedRole => {
                let role_id = principal.user_id().split(':').next();
                (role_id == Some(&**id)).then_some(Grant::Role)
            }
            Self::Service(host) if kind == PrincipalKind::Service => {
                host.eq_ignore_ascii_case(principal.arn()).then_some(Grant::Direct)
            }
            _ => None,
        }
    }
}
