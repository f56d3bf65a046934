//! Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, `${*}`.
//!
//! See [IAM policy elements: Variables and
//! tags](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).

use std::borrow::Cow;

use super::error::MalformedPolicy;
use super::key::KeyName;
use super::request::Request;
use crate::sigv4::echo;

/// A place in a policy's text that the request fills in.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    key: KeyName,
    default: Option<Box<str>>,
}

/// What `${…}` stands for.
pub(super) enum Reference {
    /// One of `*`, `?` and `$`, without its special meaning.
    Character(&'static str),
    Variable(Variable),
}

impl Reference {
    /// Reads what is between the braces.
    pub(super) fn parse(inner: &str) -> Result<Self, MalformedPolicy> {
        match inner {
            "*" => return Ok(Self::Character("*")),
            "?" => return Ok(Self::Character("?")),
            "$" => return Ok(Self::Character("$")),
            _ => {}
        }
        let malformed = || MalformedPolicy::Variable(echo(inner));
        let (key, default) = match inner.split_once(',') {
            None => (inner, None),
            Some((key, default)) => {
                let quoted = default.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                (key, Some(quoted.ok_or_else(malformed)?))
            }
        };
        let key = key.trim();
        if key.is_empty() || key.contains(['$', '{', '\'']) {
            return Err(malformed());
        }
        Ok(Self::Variable(Variable { key: KeyName::new(key), default: default.map(Box::from) }))
    }
}

impl Variable {
    /// The value in a request. `None` if the key is absent and has no default, or has many values: only single-valued
    /// keys can be variables.
    pub(super) fn resolve<'r>(&'r self, request: &'r Request<'_>) -> Option<Cow<'r, str>> {
        let mut values = request.values(&self.key);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value.into_text()),
            (None, _) => self.default.as_deref().map(Cow::Borrowed),
            (Some(_), Some(_)) => None,
        }
    }
}
