//! Statements: who may, or must not, do what to what, and when.
//!
//! See the [element
//! reference](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html).

use super::condition::{self, Condition};
use super::document::Kind;
use super::error::MalformedPolicy;
use super::json::{Json, Object};
use super::pattern::{Case, Language, Match, Pattern};
use super::principals::{Grant, Principals};
use super::request::Request;
use crate::sigv4::echo;

/// What a statement does to a request that it applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A statement, compiled.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    principals: Option<Principals>,
    actions: Element,
    /// A trust policy has none: it is about the role it is attached to.
    resources: Option<Element>,
    conditions: Box<[Condition]>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug)]
struct Element {
    negated: bool,
    patterns: Box<[Pattern]>,
}

impl Statement {
    /// Compiles a statement, and returns its `Sid`. `variables`: whether the policy's version has variables.
    pub(super) fn parse(
        json: Json,
        kind: Kind,
        variables: bool,
    ) -> Result<(Self, Option<String>), MalformedPolicy> {
        let mut members = json.object("Statement")?;
        let sid = members.remove("Sid").map(|sid| parse_sid(sid, kind)).transpose()?;
        let effect = members.remove("Effect").ok_or(MalformedPolicy::Missing { element: "Effect" })?;
        let statement = Self {
            effect: parse_effect(effect)?,
            principals: parse_principals(&mut members, kind)?,
            actions: parse_actions(&mut members, kind)?,
            resources: parse_resources(&mut members, kind, variables)?,
            conditions: match members.remove("Condition") {
                Some(conditions) => condition::parse(conditions, variables)?,
                None => Box::default(),
            },
        };
        match members.into_keys().next() {
            Some(name) => Err(MalformedPolicy::UnknownElement { name: echo(&name) }),
            None => Ok((statement, sid)),
        }
    }

    /// Whether the statement is about the request, whoever makes it.
    pub(super) fn concerns(&self, request: &Request<'_>) -> bool {
        self.actions.covers_action(request.action)
            && self.resources.as_ref().is_none_or(|resources| resources.covers_resource(request, self.effect))
            && self.conditions.iter().all(|condition| condition.holds(request, self.effect))
    }

    /// Whether a statement that allows lets in whoever comes.
    pub(super) fn is_public(&self) -> bool {
        self.principals.as_ref().is_some_and(Principals::are_open)
            && !self.conditions.iter().any(Condition::singles_out)
    }

    /// How a statement that allows speaks of the caller, if it does.
    pub(super) fn grant(&self, request: &Request<'_>) -> Option<Grant> {
        self.principals.as_ref()?.grant(request.principal)
    }

    /// Whether a statement that denies speaks of the caller. In an identity-based policy it does: the policy is the
    /// caller's.
    pub(super) fn denies(&self, request: &Request<'_>, is_bounded: bool) -> bool {
        self.principals.as_ref().is_none_or(|principals| principals.denies(request.principal, is_bounded))
    }
}

impl Element {
    fn covers_action(&self, action: &str) -> bool {
        let matches = self.patterns.iter().any(|pattern| pattern.matches_plain(action, Case::Ignored));
        matches != self.negated
    }

    fn covers_resource(&self, request: &Request<'_>, effect: Effect) -> bool {
        let matches =
            self.patterns.iter().map(|pattern| pattern.matches(request.resource, Case::Matters, request));
        Match::any(matches).holds(self.negated, effect)
    }
}

fn parse_effect(json: Json) -> Result<Effect, MalformedPolicy> {
    match json.text("Effect")?.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(MalformedPolicy::Effect(echo(other))),
    }
}

/// IAM takes letters and digits only; what services take in the policies of their resources is for them to say.
fn parse_sid(json: Json, kind: Kind) -> Result<String, MalformedPolicy> {
    let sid = json.text("Sid")?;
    let is_plain = sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain || kind == Kind::Resource { Ok(sid) } else { Err(MalformedPolicy::Sid) }
}

/// Takes `element` or `Not…` out of a statement, and says whether it was the latter.
fn either(
    members: &mut Object,
    element: &'static str,
    not_element: &'static str,
) -> Result<Option<(Json, bool)>, MalformedPolicy> {
    match (members.remove(element), members.remove(not_element)) {
        (Some(_), Some(_)) => Err(MalformedPolicy::Both { element }),
        (Some(json), None) => Ok(Some((json, false))),
        (None, Some(json)) => Ok(Some((json, true))),
        (None, None) => Ok(None),
    }
}

fn parse_principals(members: &mut Object, kind: Kind) -> Result<Option<Principals>, MalformedPolicy> {
    match (either(members, "Principal", "NotPrincipal")?, kind) {
        (None, Kind::Identity) => Ok(None),
        (Some(_), Kind::Identity) => Err(MalformedPolicy::PrincipalInIdentityPolicy),
        (None, Kind::Resource | Kind::Trust) => Err(MalformedPolicy::Missing { element: "Principal" }),
        (Some((json, negated)), _) => Principals::parse(json, negated).map(Some),
    }
}

fn parse_actions(members: &mut Object, kind: Kind) -> Result<Element, MalformedPolicy> {
    let (json, negated) = either(members, "Action", "NotAction")?.ok_or(MalformedPolicy::NoActions)?;
    let actions = json.texts(if negated { "NotAction" } else { "Action" })?;
    if actions.is_empty() {
        return Err(MalformedPolicy::NoActions);
    }
    let language = Language { variables: false, wildcards: true };
    let compile = |action: &String| {
        check_action(action, kind)?;
        Pattern::new(action, language)
    };
    Ok(Element { negated, patterns: actions.iter().map(compile).collect::<Result<_, _>>()? })
}

fn check_action(action: &str, kind: Kind) -> Result<(), MalformedPolicy> {
    let vendor = match action.split_once(':') {
        Some((_, name)) if name.contains(':') => return Err(MalformedPolicy::Colons),
        Some((vendor, name)) if !vendor.is_empty() && !name.is_empty() => vendor,
        None if action == "*" => "*",
        _ => return Err(MalformedPolicy::NoVendor),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if vendor != "*" && !vendor.bytes().all(is_name) {
        return Err(MalformedPolicy::Vendor(echo(vendor)));
    }
    if kind == Kind::Trust && !vendor.eq_ignore_ascii_case("sts") {
        return Err(MalformedPolicy::NotSts);
    }
    Ok(())
}

fn parse_resources(
    members: &mut Object,
    kind: Kind,
    variables: bool,
) -> Result<Option<Element>, MalformedPolicy> {
    let (json, negated) = match (either(members, "Resource", "NotResource")?, kind) {
        (None, Kind::Trust) => return Ok(None),
        (Some(_), Kind::Trust) => return Err(MalformedPolicy::Prohibited { element: "Resource" }),
        (None, Kind::Identity | Kind::Resource) => return Err(MalformedPolicy::NoResources),
        (Some(found), _) => found,
    };
    let resources = json.texts(if negated { "NotResource" } else { "Resource" })?;
    if resources.is_empty() {
        return Err(MalformedPolicy::NoResources);
    }
    let language = Language { variables, wildcards: true };
    let compile = |resource: &String| match resource.as_str() {
        "*" => Pattern::new(resource, language),
        arn if arn.starts_with("arn:") => Pattern::new(arn, language),
        other => Err(MalformedPolicy::Resource(echo(other))),
    };
    let patterns = resources.iter().map(compile).collect::<Result<_, _>>()?;
    Ok(Some(Element { negated, patterns }))
}
