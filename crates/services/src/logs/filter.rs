//! Filter patterns: which events `FilterLogEvents` returns.
//!
//! ```text
//! ERROR timeout          both terms occur            "two words"     a phrase occurs
//! ?ERROR ?WARN           one of them occurs          -debug          it does not occur
//! { $.level = "ERROR" && $.ms > 10 }                 the message is JSON and the selectors hold
//! ```
//! As in CloudWatch, terms are case-sensitive, optional terms are ignored where others are given, and nothing matches
//! a JSON pattern that is not a JSON object.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

mod json;

use super::{Error, Result};
use json::Condition;

/// A pattern, parsed.
#[derive(Debug)]
pub(super) enum Filter {
    /// The empty pattern.
    Everything,
    Terms(Terms),
    Json(Condition),
}

/// Plain terms and phrases.
#[derive(Debug, Default)]
pub(super) struct Terms {
    required: Vec<String>,
    optional: Vec<String>,
    excluded: Vec<String>,
}

impl Filter {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] for what is no pattern, and for patterns of kinds not offered: space-delimited
    /// columns (`[…]`) and regular expressions (`%…%`).
    pub(super) fn parse(pattern: &str) -> Result<Self> {
        let pattern = pattern.trim();
        match pattern.chars().next() {
            None => Ok(Self::Everything),
            Some('{') => json::parse(pattern).map(Self::Json).ok_or_else(invalid),
            Some('[' | '%') => Err(invalid()),
            Some(_) => Terms::parse(pattern).map(Self::Terms).ok_or_else(invalid),
        }
    }

    /// Whether an event's message matches.
    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Terms(terms) => terms.matches(message),
            Self::Json(condition) => {
                let event = serde_json::from_str::<serde_json::Value>(message.trim());
                event.is_ok_and(|event| event.is_object() && condition.holds(&event))
            }
        }
    }
}

fn invalid() -> Error {
    Error::invalid("Invalid filter pattern")
}

impl Terms {
    fn parse(pattern: &str) -> Option<Self> {
        let mut terms = Self::default();
        let mut rest = pattern;
        while !rest.is_empty() {
            let (list, term) = match rest.as_bytes()[0] {
                b'?' => (&mut terms.optional, &rest[1..]),
                b'-' => (&mut terms.excluded, &rest[1..]),
                _ => (&mut terms.required, rest),
            };
            let (term, after) = take_term(term)?;
            list.push(term);
            rest = after.trim_start();
        }
        Some(terms)
    }

    fn matches(&self, message: &str) -> bool {
        let occurs = |term: &String| message.contains(term.as_str());
        let alone = self.required.is_empty() && self.excluded.is_empty();
        self.required.iter().all(occurs)
            && !self.excluded.iter().any(occurs)
            && (!alone || self.optional.iter().any(occurs))
    }
}

/// A word or a quoted phrase and what follows it. Nothing for an empty one or an open quote.
fn take_term(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        return take_quoted(text);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (!word.is_empty()).then(|| (word.to_owned(), rest))
}

/// A quoted text, in which a backslash makes the next character ordinary, and what follows it.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((content, &text[at + 1..])),
            '\\' => content.push(characters.next()?.1),
            other => content.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, message: &str) -> bool {
        Filter::parse(pattern).unwrap().matches(message)
    }

    #[test]
    fn terms() {
        assert!(matches("", "anything") && matches("  ", ""));
        assert!(matches("ERROR", "[ERROR] it broke"));
        assert!(!matches("ERROR", "[error] it broke"));
        assert!(matches("ERROR broke", "broke: ERROR"));
        assert!(!matches("ERROR broke", "ERROR"));
        assert!(matches("\"it broke\"", "and it broke again"));
        assert!(!matches("\"it broke\"", "it  broke"));
        assert!(matches(r#""say \"hi\"""#, r#"they say "hi""#));
    }

    #[test]
    fn optional_and_excluded_terms() {
        assert!(matches("?ERROR ?WARN", "WARN: careful"));
        assert!(!matches("?ERROR ?WARN", "INFO: fine"));
        assert!(matches("ERROR -timeout", "ERROR: refused"));
        assert!(!matches("ERROR -timeout", "ERROR: timeout"));
        assert!(matches("-\"START RequestId\"", "END RequestId"));
        // Optional terms count for nothing beside others.
        assert!(matches("?ERROR REQUEST", "INFO REQUEST"));
        assert!(matches("?\"two words\" ?x", "here are two words"));
    }

    #[test]
    fn what_is_no_pattern() {
        for pattern in ["\"open", "?", "-", "a -", "[ip, user]", "%regex%", "{", "{ $.a }", "{ $.a = }"] {
            let error = Filter::parse(pattern).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "[-?{}$.=!<>&|()\"\\\\*A-Za-z0-9 ü]{0,60}", message in ".{0,40}") {
            if let Ok(filter) = Filter::parse(&pattern) {
                filter.matches(&message);
            }
        }
    }
}
