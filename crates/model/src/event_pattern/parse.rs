//! From the text of a pattern to what it says.

use std::net::IpAddr;

use serde_json::Number;

use super::json::Json;
use super::{
    Bound, EventPattern, Fields, Interval, Leaf, Matcher, Network, Node, PatternError, Place, Text, Wildcard,
};

type Result<T> = std::result::Result<T, PatternError>;
type Member = (String, Json);

/// The field that lists alternatives.
const OR: &str = "$or";
/// Names that no field of an alternative has: with one of them the field named `$or` is an ordinary one.
const OPERATORS: [&str; 9] = [
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "anything-but",
    "numeric",
    "exists",
    "cidr",
    "wildcard",
];
/// The numbers that can be compared lie between these.
const NUMBERS: std::ops::RangeInclusive<f64> = -5.0e9..=5.0e9;

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(PatternError(reason.into()))
}

pub(super) fn pattern(text: &str) -> Result<EventPattern> {
    let json =
        serde_json::from_str(text).map_err(|error| PatternError(format!("Not valid JSON: {error}")))?;
    let Json::Object(members) = json else {
        return refuse("A pattern must be an object");
    };
    let mut parser = Parser { absences: 0 };
    let root = parser.fields(members)?;
    Ok(EventPattern { root, absences: parser.absences })
}

struct Parser {
    absences: usize,
}

impl Parser {
    fn fields(&mut self, members: Vec<Member>) -> Result<Fields> {
        if members.is_empty() {
            return refuse("Empty objects are not allowed");
        }
        let mut fields = Fields { fields: Vec::new(), alternatives: Vec::new() };
        for (name, value) in members {
            if name == OR && are_alternatives(&value) {
                fields.alternatives = self.alternatives(value)?;
            } else {
                let node = self.node(&name, value)?;
                fields.fields.push((name, node));
            }
        }
        Ok(fields)
    }

    fn alternatives(&mut self, value: Json) -> Result<Vec<Fields>> {
        let Json::Array(items) = value else {
            return refuse("$or must be an array");
        };
        items
            .into_iter()
            .map(|item| match item {
                Json::Object(members) => self.fields(members),
                _ => refuse("$or must list objects"),
            })
            .collect()
    }

    fn node(&mut self, name: &str, value: Json) -> Result<Node> {
        match value {
            Json::Object(members) => Ok(Node::Object(self.fields(members)?)),
            Json::Array(items) if items.is_empty() => refuse("Empty arrays are not allowed"),
            Json::Array(items) => Ok(Node::Leaf(self.leaf(items)?)),
            _ => refuse(format!("{name:?} must be an object or an array")),
        }
    }

    fn leaf(&mut self, items: Vec<Json>) -> Result<Leaf> {
        let mut leaf = Leaf { matchers: Vec::new(), absence: None };
        for item in items {
            match alternative(item)? {
                Some(matcher) => leaf.matchers.push(matcher),
                None if leaf.absence.is_none() => {
                    leaf.absence = Some(self.absences);
                    self.absences += 1;
                }
                None => {}
            }
        }
        Ok(leaf)
    }
}

/// Whether the value of `$or` lists alternatives: at least two objects, whose fields are not named like operators.
fn are_alternatives(value: &Json) -> bool {
    let Json::Array(items) = value else {
        return false;
    };
    items.len() >= 2
        && items.iter().all(|item| match item {
            Json::Object(members) => {
                !members.is_empty() && members.iter().all(|(name, _)| !OPERATORS.contains(&name.as_str()))
            }
            _ => false,
        })
}

/// What an element of a leaf's array matches; `None` is absence.
fn alternative(item: Json) -> Result<Option<Matcher>> {
    Ok(Some(match item {
        Json::Null => Matcher::Null,
        Json::Boolean(value) => Matcher::Boolean(value),
        Json::Number(number) => Matcher::Number(number),
        Json::Text(text) => whole(text),
        Json::Array(_) => return refuse("An array within an array of values is not allowed"),
        Json::Object(members) => {
            let (operator, operand) = only(members)?;
            match (operator.as_str(), operand) {
                ("exists", Json::Boolean(true)) => Matcher::Exists,
                ("exists", Json::Boolean(false)) => return Ok(None),
                ("exists", _) => return refuse("exists must be either true or false"),
                ("anything-but", operand) => Matcher::AnythingBut(anything_but(operand)?),
                ("numeric", operand) => Matcher::Numeric(numeric(operand)?),
                ("cidr", operand) => Matcher::Cidr(cidr(&text(operand, "cidr")?)?),
                (operator, operand) => text_operator(operator, operand)?,
            }
        }
    }))
}

/// The operators that compare texts, which also stand within `anything-but`.
fn text_operator(operator: &str, operand: Json) -> Result<Matcher> {
    Ok(match operator {
        "exactly" => whole(text(operand, operator)?),
        "prefix" => Matcher::Text(maybe_ignoring_case(operand, operator)?, Place::Start),
        "suffix" => Matcher::Text(maybe_ignoring_case(operand, operator)?, Place::End),
        "equals-ignore-case" => Matcher::Text(ignoring_case(&text(operand, operator)?), Place::Whole),
        "wildcard" => Matcher::Wildcard(wildcard(&text(operand, operator)?)?),
        _ => return refuse(format!("Unrecognized match type {operator}")),
    })
}

fn only(mut members: Vec<Member>) -> Result<Member> {
    match (members.pop(), members.is_empty()) {
        (Some(member), true) => Ok(member),
        _ => refuse("A match expression must have exactly one operator"),
    }
}

fn text(value: Json, operator: &str) -> Result<String> {
    match value {
        Json::Text(text) => Ok(text),
        _ => refuse(format!("{operator} must be a string")),
    }
}

fn whole(text: String) -> Matcher {
    Matcher::Text(Text { text, ignores_case: false }, Place::Whole)
}

fn ignoring_case(text: &str) -> Text {
    Text { text: text.to_lowercase(), ignores_case: true }
}

/// `"x"` or `{"equals-ignore-case": "x"}`.
fn maybe_ignoring_case(operand: Json, operator: &str) -> Result<Text> {
    match operand {
        Json::Object(members) => match only(members)? {
            (inner, operand) if inner == "equals-ignore-case" => Ok(ignoring_case(&text(operand, &inner)?)),
            (inner, _) => refuse(format!("Unsupported anything within {operator}: {inner}")),
        },
        operand => Ok(Text { text: text(operand, operator)?, ignores_case: false }),
    }
}

/// What a value must not be: strings, numbers, or one operator over strings.
fn anything_but(operand: Json) -> Result<Vec<Matcher>> {
    match operand {
        Json::Text(_) | Json::Number(_) => Ok(vec![excluded(operand)?]),
        Json::Array(items) if items.is_empty() => refuse("Empty arrays are not allowed"),
        Json::Array(items) => {
            let numbers = items.iter().filter(|item| matches!(item, Json::Number(_))).count();
            if numbers != 0 && numbers != items.len() {
                return refuse("Inside anything-but, either all values are numbers or all are strings");
            }
            items.into_iter().map(excluded).collect()
        }
        Json::Object(members) => {
            let (operator, operand) = only(members)?;
            if operator == "exactly" {
                return refuse("Unsupported anything-but pattern: exactly");
            }
            match operand {
                Json::Array(items) if items.is_empty() => refuse("Empty arrays are not allowed"),
                Json::Array(items) => items.into_iter().map(|item| text_operator(&operator, item)).collect(),
                operand => Ok(vec![text_operator(&operator, operand)?]),
            }
        }
        _ => refuse("anything-but must be a string, a number, an array of these, or one operator"),
    }
}

fn excluded(item: Json) -> Result<Matcher> {
    match item {
        Json::Text(text) => Ok(whole(text)),
        Json::Number(number) => Ok(Matcher::Number(number)),
        _ => refuse("Inside anything-but, only strings and numbers are allowed"),
    }
}

/// `["=", 5]`, `["<", 5]`, `[">", 0, "<=", 5]`.
fn numeric(operand: Json) -> Result<Interval> {
    let Json::Array(items) = operand else {
        return refuse("numeric must be an array");
    };
    let mut comparisons = Vec::new();
    let mut items = items.into_iter();
    while let Some(item) = items.next() {
        let Json::Text(operator) = item else {
            return refuse("A numeric comparison begins with an operator");
        };
        let Some(Json::Number(number)) = items.next() else {
            return refuse(format!("Value of {operator} must be numeric"));
        };
        comparisons.push((operator, comparable(&number)?));
    }
    let bound = |value, operator: &str| Some(Bound { value, inclusive: operator.ends_with('=') });
    let comparisons: Vec<(&str, f64)> =
        comparisons.iter().map(|(operator, value)| (operator.as_str(), *value)).collect();
    match comparisons.as_slice() {
        [("=", value)] => Ok(Interval { low: bound(*value, "="), high: bound(*value, "=") }),
        [(operator @ ("<" | "<="), value)] => Ok(Interval { low: None, high: bound(*value, operator) }),
        [(operator @ (">" | ">="), value)] => Ok(Interval { low: bound(*value, operator), high: None }),
        [(low @ (">" | ">="), bottom), (high @ ("<" | "<="), top)] if bottom < top => {
            Ok(Interval { low: bound(*bottom, low), high: bound(*top, high) })
        }
        [(">" | ">=", _), ("<" | "<=", _)] => refuse("Bottom must be less than top"),
        _ => refuse("Not a numeric comparison"),
    }
}

fn comparable(number: &Number) -> Result<f64> {
    match number.as_f64() {
        Some(value) if NUMBERS.contains(&value) => Ok(value),
        _ => refuse("Numbers must be between -5.0e9 and 5.0e9"),
    }
}

fn cidr(text: &str) -> Result<Network> {
    let malformed = || PatternError(format!("Malformed CIDR: {text}"));
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| malformed())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix_length = match length {
        None => longest,
        Some(length) => length.parse().ok().filter(|length| *length <= longest).ok_or_else(malformed)?,
    };
    Ok(Network { address, prefix_length })
}

/// `*` stands for any text, `\*` and `\\` for themselves.
fn wildcard(text: &str) -> Result<Wildcard> {
    let mut pieces = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('*', Some('*')) => return refuse("Consecutive wildcard characters are not allowed"),
            ('*', _) => pieces.push(String::new()),
            ('\\', Some('*' | '\\')) => push(&mut pieces, characters.next()),
            ('\\', _) => return refuse("Invalid escape character in wildcard"),
            (character, _) => push(&mut pieces, Some(character)),
        }
    }
    Ok(Wildcard { pieces })
}

fn push(pieces: &mut [String], character: Option<char>) {
    if let Some(piece) = pieces.last_mut() {
        piece.extend(character);
    }
}
