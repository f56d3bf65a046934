//! Policy documents.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::MalformedPolicy;
use super::json::Json;
use super::principals::Grant;
use super::request::Request;
use super::statement::{Effect, Statement};
use crate::sigv4::echo;

/// What a policy is attached to, and so which elements it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To a user, group or role; also permissions boundaries and session policies. Has resources, no principals.
    Identity,
    /// To a resource such as a function. Has principals and resources.
    Resource,
    /// To a role, to say who may assume it. Has principals, no resources, and no actions but STS'.
    Trust,
}

/// A policy document of version 2012-10-17 or 2008-10-17, checked and compiled. Immutable; clones share one copy.
///
/// See the [grammar of the IAM JSON policy
/// language](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
#[derive(Clone, Debug)]
pub struct Document {
    statements: Arc<Statements>,
    arn: Option<Arc<str>>,
}

#[derive(Debug)]
struct Statements {
    kind: Kind,
    is_public: bool,
    denies: Box<[Statement]>,
    allows: Box<[Statement]>,
}

impl Document {
    /// The longest text that is read: more than AWS' quota for any policy (20,480 characters without white space).
    /// The quotas themselves are for those who keep policies.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Reads a document.
    ///
    /// # Errors
    /// See [`MalformedPolicy`].
    pub fn parse(text: &str, kind: Kind) -> Result<Self, MalformedPolicy> {
        if text.len() > Self::MAX_BYTES {
            return Err(MalformedPolicy::TooLong { limit: Self::MAX_BYTES });
        }
        let mut members = Json::parse(text)?.object("the policy")?;
        let variables = match members.remove("Version") {
            Some(version) => has_variables(version)?,
            None => false,
        };
        members.remove("Id").map(|id| id.text("Id")).transpose()?;
        let statements =
            members.remove("Statement").ok_or(MalformedPolicy::Missing { element: "Statement" })?;
        if let Some(name) = members.into_keys().next() {
            return Err(MalformedPolicy::UnknownElement { name: echo(&name) });
        }
        let (denies, allows) = parse_statements(statements, kind, variables)?;
        let is_public = allows.iter().any(Statement::is_public);
        let statements = Statements { kind, is_public, denies: denies.into(), allows: allows.into() };
        Ok(Self { statements: Arc::new(statements), arn: None })
    }

    /// The same document with the ARN of the managed policy that holds it, which denials then name.
    #[must_use]
    pub fn with_arn(self, arn: &str) -> Self {
        Self { arn: Some(Arc::from(arn)), ..self }
    }

    /// What the policy is attached to.
    pub fn kind(&self) -> Kind {
        self.statements.kind
    }

    /// Whether a statement lets in whoever comes: everyone, or everyone but some, under no condition that holds for
    /// certain callers only. What other statements deny does not count.
    pub fn is_public(&self) -> bool {
        self.statements.is_public
    }

    /// The ARN of the managed policy that holds the document.
    pub(super) fn arn(&self) -> Option<&Arc<str>> {
        self.arn.as_ref()
    }

    /// Whether the policy denies the request. `is_bounded`: whether the caller has a permissions boundary.
    pub(super) fn denies(&self, request: &Request<'_>, is_bounded: bool) -> bool {
        let denies =
            |statement: &Statement| statement.denies(request, is_bounded) && statement.concerns(request);
        self.statements.denies.iter().any(denies)
    }

    /// Whether an identity-based policy allows the request.
    pub(super) fn allows(&self, request: &Request<'_>) -> bool {
        self.kind() == Kind::Identity
            && self.statements.allows.iter().any(|statement| statement.concerns(request))
    }

    /// Whether, and how, a resource-based policy allows the request: by the statement that asks for least beside it.
    pub(super) fn grant(&self, request: &Request<'_>) -> Option<Grant> {
        let mut best = None;
        for statement in &self.statements.allows {
            let grant = statement.grant(request);
            if grant > best && statement.concerns(request) {
                best = grant;
                if best == Some(Grant::Direct) {
                    break;
                }
            }
        }
        best
    }
}

/// Without a version a document is of the older one.
fn has_variables(version: Json) -> Result<bool, MalformedPolicy> {
    match version {
        Json::Text(version) if version == "2012-10-17" => Ok(true),
        Json::Text(version) if version == "2008-10-17" => Ok(false),
        _ => Err(MalformedPolicy::Version),
    }
}

/// The statements that deny, and those that allow.
fn parse_statements(
    json: Json,
    kind: Kind,
    variables: bool,
) -> Result<(Vec<Statement>, Vec<Statement>), MalformedPolicy> {
    let mut sids = HashSet::new();
    let (mut denies, mut allows) = (Vec::new(), Vec::new());
    for statement in json.items() {
        let (statement, sid) = Statement::parse(statement, kind, variables)?;
        if let Some(sid) = sid.filter(|sid| !sid.is_empty())
            && !sids.insert(sid)
        {
            return Err(MalformedPolicy::DuplicateSid);
        }
        match statement.effect {
            Effect::Deny => denies.push(statement),
            Effect::Allow => allows.push(statement),
        }
    }
    if denies.is_empty() && allows.is_empty() {
        return Err(MalformedPolicy::Missing { element: "Statement" });
    }
    Ok((denies, allows))
}
