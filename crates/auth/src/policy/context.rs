//! What is known of a request beside principal, action and resource.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{date, key};

/// A value of a condition key, in its own type, so that nothing is rendered that no policy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Any string, ARNs included.
    Text(Cow<'a, str>),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A moment, in Unix seconds. As a string it is ISO 8601 (`2026-01-31T12:00:00Z`).
    Time(i64),
    /// An address.
    Address(IpAddr),
    /// Bytes, for `BinaryEquals`.
    Binary(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// The same value, borrowed.
    pub(super) fn reborrow(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(value) => Value::Number(*value),
            Self::Time(value) => Value::Time(*value),
            Self::Address(value) => Value::Address(*value),
            Self::Binary(bytes) => Value::Binary(Cow::Borrowed(bytes)),
        }
    }
}

impl<'a> Value<'a> {
    /// The value as string operators and policy variables see it.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(value) => Cow::Owned(value.to_string()),
            Self::Time(value) => Cow::Owned(date::format(value)),
            Self::Address(value) => Cow::Owned(value.to_string()),
            Self::Binary(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Whether this is the "empty data set, such as an empty string" of AWS' set operators.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Binary(bytes) => bytes.is_empty(),
            _ => false,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<IpAddr> for Value<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

/// The [request context](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-reqcontext.html):
/// values of condition keys, any number for each. Case does not matter in names ([`key`] has the known ones).
///
/// A key without a value is absent. Keys that speak of the principal are taken from the principal, whatever stands
/// here.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    entries: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// How many values a request usually has.
const USUAL: usize = 16;

impl<'a> Context<'a> {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value to the key's.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> &mut Self {
        if self.entries.capacity() == 0 {
            self.entries.reserve(USUAL);
        }
        self.entries.push((key.into(), value.into()));
        self
    }

    /// Adds the tag `name` under one of [`key::RESOURCE_TAG`], [`key::REQUEST_TAG`] and [`key::PRINCIPAL_TAG`].
    pub fn insert_tag(&mut self, prefix: &str, name: &str, value: impl Into<Value<'a>>) -> &mut Self {
        self.insert(format!("{prefix}{name}"), value)
    }

    /// Says when the request arrived, in Unix seconds: [`key::CURRENT_TIME`] and [`key::EPOCH_TIME`].
    pub fn insert_time(&mut self, now: i64) -> &mut Self {
        self.insert(key::CURRENT_TIME, Value::Time(now)).insert(key::EPOCH_TIME, Value::Number(now))
    }

    /// Whether the key has a value.
    pub fn has(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    pub(super) fn values<'c>(&'c self, key: &'c str) -> impl Iterator<Item = Value<'c>> + Clone {
        let same = move |entry: &&'c (Cow<'a, str>, Value<'a>)| entry.0.eq_ignore_ascii_case(key);
        self.entries.iter().filter(same).map(|(_, value)| value.reborrow())
    }
}
