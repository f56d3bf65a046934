//! Condition operators: their names, and what they compare with.
//!
//! See [IAM JSON policy elements: Condition
//! operators](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::Range;
use super::context::Value;
use super::date::Moment;
use super::error::MalformedPolicy;
use super::number::Number;
use super::pattern::{ArnPattern, Case, Language, Match, Pattern};
use super::request::Request;
use crate::sigv4::echo;

/// An operator as it stands in a policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    name: &'static str,
    comparison: Comparison,
    /// Whether the condition holds where the comparison does not.
    pub(super) negated: bool,
    /// `…IfExists`: the condition holds for an absent key.
    pub(super) if_exists: bool,
    pub(super) quantifier: Option<Quantifier>,
}

/// How the values of a key with many count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    String(Case),
    StringLike,
    Numeric(Relation),
    Date(Relation),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

/// What the request's value must be in relation to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

const OPERATORS: [(&str, Comparison, bool); 27] = {
    use Comparison::{Arn, Binary, Bool, Date, IpAddress, Null, Numeric, String, StringLike};
    use Relation::{Equals, GreaterThan, GreaterThanEquals, LessThan, LessThanEquals};
    [
        ("StringEquals", String(Case::Matters), false),
        ("StringNotEquals", String(Case::Matters), true),
        ("StringEqualsIgnoreCase", String(Case::Ignored), false),
        ("StringNotEqualsIgnoreCase", String(Case::Ignored), true),
        ("StringLike", StringLike, false),
        ("StringNotLike", StringLike, true),
        ("NumericEquals", Numeric(Equals), false),
        ("NumericNotEquals", Numeric(Equals), true),
        ("NumericLessThan", Numeric(LessThan), false),
        ("NumericLessThanEquals", Numeric(LessThanEquals), false),
        ("NumericGreaterThan", Numeric(GreaterThan), false),
        ("NumericGreaterThanEquals", Numeric(GreaterThanEquals), false),
        ("DateEquals", Date(Equals), false),
        ("DateNotEquals", Date(Equals), true),
        ("DateLessThan", Date(LessThan), false),
        ("DateLessThanEquals", Date(LessThanEquals), false),
        ("DateGreaterThan", Date(GreaterThan), false),
        ("DateGreaterThanEquals", Date(GreaterThanEquals), false),
        ("Bool", Bool, false),
        ("BinaryEquals", Binary, false),
        ("IpAddress", IpAddress, false),
        ("NotIpAddress", IpAddress, true),
        ("ArnEquals", Arn, false),
        ("ArnLike", Arn, false),
        ("ArnNotEquals", Arn, true),
        ("ArnNotLike", Arn, true),
        ("Null", Null, false),
    ]
};

impl Operator {
    pub(super) fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        let (quantifier, rest) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::Any), rest),
            _ => (None, text),
        };
        let (if_exists, rest) = match rest.strip_suffix("IfExists") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        OPERATORS
            .iter()
            .find(|(name, ..)| *name == rest)
            .map(|(name, comparison, negated)| Self {
                name,
                comparison: *comparison,
                negated: *negated,
                if_exists,
                quantifier,
            })
            .filter(|operator| {
                // Whether a key exists is one question, however many values it has.
                operator.comparison != Comparison::Null || (!if_exists && quantifier.is_none())
            })
            .ok_or_else(|| MalformedPolicy::Operator(echo(text)))
    }
}

/// The values in a policy that an operator compares with.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Text(Case, Box<[Pattern]>),
    Number(Relation, Box<[Number]>),
    Date(Relation, Box<[Moment]>),
    Bool(Box<[bool]>),
    Binary(Box<[Vec<u8>]>),
    Address(Box<[Range]>),
    Arn(Box<[ArnPattern]>),
    /// Whether the key may be absent, and whether it may be present.
    Null {
        absent: bool,
        present: bool,
    },
}

impl Operand {
    /// Compiles the values. `variables`: whether the policy's version has variables.
    pub(super) fn new(
        operator: &Operator,
        values: &[String],
        variables: bool,
    ) -> Result<Self, MalformedPolicy> {
        let text = |case, wildcards| {
            let compile = |value: &String| Pattern::new(value, Language { variables, wildcards });
            Ok(Self::Text(case, values.iter().map(compile).collect::<Result<_, _>>()?))
        };
        let arn = |value: &String| ArnPattern::new(value, Language { variables, wildcards: true });
        Ok(match operator.comparison {
            Comparison::String(case) => text(case, false)?,
            Comparison::StringLike => text(Case::Matters, true)?,
            Comparison::Numeric(relation) => Self::Number(relation, read(operator, values, Number::parse)?),
            Comparison::Date(relation) => Self::Date(relation, read(operator, values, Moment::parse)?),
            Comparison::Bool => Self::Bool(read(operator, values, parse_bool)?),
            Comparison::Binary => Self::Binary(read(operator, values, |value| STANDARD.decode(value).ok())?),
            Comparison::IpAddress => Self::Address(read(operator, values, Range::parse)?),
            Comparison::Arn => Self::Arn(values.iter().map(arn).collect::<Result<_, _>>()?),
            Comparison::Null => {
                let wanted: Box<[bool]> = read(operator, values, parse_bool)?;
                Self::Null { absent: wanted.contains(&true), present: wanted.contains(&false) }
            }
        })
    }

    /// Whether only values that can be listed stand in the relation: no wildcards, no variables, no whole Internet.
    pub(super) fn is_fixed(&self) -> bool {
        match self {
            Self::Text(_, patterns) => patterns.iter().all(Pattern::is_fixed),
            Self::Arn(patterns) => patterns.iter().all(ArnPattern::is_fixed),
            Self::Address(ranges) => ranges.iter().all(Range::is_narrow),
            Self::Binary(_) => true,
            Self::Number(..) | Self::Date(..) | Self::Bool(_) | Self::Null { .. } => false,
        }
    }

    /// Whether a value of the request stands in the operator's relation to any of the policy's values, before
    /// negation. Values of another type do not.
    pub(super) fn compare(&self, value: Value<'_>, request: &Request<'_>) -> Match {
        let found = match self {
            Self::Text(case, patterns) => {
                let text = value.into_text();
                return Match::any(patterns.iter().map(|pattern| pattern.matches(&text, *case, request)));
            }
            Self::Arn(patterns) => {
                let text = value.into_text();
                return Match::any(patterns.iter().map(|pattern| pattern.matches(&text, request)));
            }
            Self::Number(relation, numbers) => number(value)
                .is_some_and(|found| numbers.iter().any(|number| relation.holds(found.compare(*number)))),
            Self::Date(relation, moments) => moment(value)
                .is_some_and(|found| moments.iter().any(|moment| relation.holds(found.cmp(moment)))),
            Self::Bool(wanted) => match value {
                Value::Bool(found) => wanted.contains(&found),
                value => parse_bool(&value.into_text()).is_some_and(|found| wanted.contains(&found)),
            },
            Self::Binary(wanted) => match value {
                Value::Binary(bytes) => wanted.iter().any(|wanted| **wanted == *bytes),
                value => wanted.iter().any(|wanted| **wanted == *value.clone().into_text().as_bytes()),
            },
            Self::Address(ranges) => match value {
                Value::Address(address) => Some(address),
                value => value.into_text().parse().ok(),
            }
            .is_some_and(|address| ranges.iter().any(|range| range.contains(address))),
            // Not a comparison: conditions look at this themselves.
            Self::Null { .. } => false,
        };
        if found { Match::Yes } else { Match::No }
    }
}

fn read<T>(
    operator: &Operator,
    values: &[String],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Box<[T]>, MalformedPolicy> {
    values
        .iter()
        .map(|value| {
            let malformed = || MalformedPolicy::Value { operator: operator.name, value: echo(value) };
            parse(value).ok_or_else(malformed)
        })
        .collect()
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn number(value: Value<'_>) -> Option<Number> {
    match value {
        Value::Number(value) | Value::Time(value) => Some(Number::from_whole(value)),
        value => Number::parse(&value.into_text()),
    }
}

fn moment(value: Value<'_>) -> Option<Moment> {
    match value {
        Value::Number(value) | Value::Time(value) => Some(Moment::from_unix(value)),
        value => Moment::parse(&value.into_text()),
    }
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equals => order.is_eq(),
            Self::LessThan => order.is_lt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanEquals => order.is_ge(),
        }
    }
}
