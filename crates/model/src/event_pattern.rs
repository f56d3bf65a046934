//! Event patterns: what filters of event source mappings and rules of event buses are written in.
//!
//! ```text
//! {"body": {"kind": ["order", {"prefix": "return-"}], "total": [{"numeric": [">", 0, "<=", 100]}]}}
//! ```
//! Every field of a pattern must match; of the values listed for a field, one. A field of the event that is an array
//! matches if one of its elements does, and what a pattern says of several fields within an array of objects must hold
//! for one and the same object. `$or` lists alternatives that are patterns themselves.
//!
//! See "Creating Amazon EventBridge event patterns" in the EventBridge user guide and "Control which events Lambda
//! sends to your function" in the AWS Lambda developer guide.

mod json;
mod matching;
mod parse;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::{Number, Value};

/// A pattern that was found to be well-formed.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPattern {
    root: Fields,
    /// How many leaves ask for absence; each has a number below this.
    absences: usize,
}

/// Why a text is not an event pattern: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl EventPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the text is not a JSON object, or a part of it is not something that can match.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::pattern(text)
    }

    /// Whether the event matches. What is not an object matches nothing.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        matching::matches(self, event)
    }
}

/// The target of a fuzzer: a pattern and an event, a line each, as strangers send them.
#[doc(hidden)]
pub fn fuzz_event_pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, event) = text.split_once('\n').unwrap_or((text, "{}"));
    if let (Ok(pattern), Ok(event)) = (EventPattern::parse(pattern), serde_json::from_str(event)) {
        let _ = pattern.matches(&event);
    }
}

/// What is said of the fields of one object.
#[derive(Debug, Clone, PartialEq)]
struct Fields {
    /// All of these must match.
    fields: Vec<(String, Node)>,
    /// One of these must match, unless there are none.
    alternatives: Vec<Fields>,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Object(Fields),
    Leaf(Leaf),
}

/// What is said of a value: one of the matchers, or absence.
#[derive(Debug, Clone, PartialEq)]
struct Leaf {
    matchers: Vec<Matcher>,
    /// Present if `{"exists": false}` is among the alternatives: the number of the absence.
    absence: Option<usize>,
}

/// One alternative for a value that is neither an object nor an array.
#[derive(Debug, Clone, PartialEq)]
enum Matcher {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Text, Place),
    Wildcard(Wildcard),
    Numeric(Interval),
    Cidr(Network),
    /// Any value.
    Exists,
    /// A value that none of these matches.
    AnythingBut(Vec<Matcher>),
}

/// A text to compare with. Texts compared without regard to case are kept in lower case.
#[derive(Debug, Clone, PartialEq)]
struct Text {
    text: String,
    ignores_case: bool,
}

/// Where in a value a text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Whole,
    Start,
    End,
}

/// What is between the wildcards: the first piece begins the value, the last ends it, the others follow each other.
#[derive(Debug, Clone, PartialEq)]
struct Wildcard {
    pieces: Vec<String>,
}

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Interval {
    low: Option<Bound>,
    high: Option<Bound>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound {
    value: f64,
    inclusive: bool,
}

/// Addresses that share their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix_length: u8,
}
