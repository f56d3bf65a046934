//! The constraints of the model and the texts in which AWS states them.
//!
//! Only what a rule says is here; which value broke it where is put together by the decoder:
//! `Value '{value}' at '{path}' failed to satisfy constraint: {text}`.

use std::sync::OnceLock;

use regex::Regex;

/// The text for a member that may not be absent.
pub(crate) const NOT_NULL: &str = "Member must not be null";

/// Bounds on a length: characters of a string, bytes of a blob, entries of a list or map.
#[derive(Debug, Default)]
pub(crate) struct Length {
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

impl Length {
    /// No bounds.
    pub(crate) const ANY: Self = Self { min: None, max: None };

    /// The text of the bound that a length breaks.
    pub(crate) fn broken(&self, length: u64) -> Option<String> {
        match (self.min, self.max) {
            (_, Some(max)) if length > max => Some(at_most("length", max)),
            (Some(min), _) if length < min => Some(at_least("length", min)),
            _ => None,
        }
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        let max = self.max.map(|max| at_most("length", max));
        let min = self.min.map(|min| at_least("length", min));
        max.into_iter().chain(min)
    }
}

fn at_most(what: &str, bound: impl std::fmt::Display) -> String {
    format!("Member must have {what} less than or equal to {bound}")
}

fn at_least(what: &str, bound: impl std::fmt::Display) -> String {
    format!("Member must have {what} greater than or equal to {bound}")
}

/// Bounds on a number.
#[derive(Debug)]
pub(crate) struct Range<N> {
    pub(crate) min: Option<N>,
    pub(crate) max: Option<N>,
}

impl<N: PartialOrd + Copy + std::fmt::Debug> Range<N> {
    /// No bounds.
    pub(crate) const ANY: Self = Self { min: None, max: None };

    /// The text of the bound that a number breaks.
    pub(crate) fn broken(&self, number: N) -> Option<String> {
        match (self.min, self.max) {
            (_, Some(max)) if number > max => Some(at_most("value", DebugNumber(max))),
            (Some(min), _) if number < min => Some(at_least("value", DebugNumber(min))),
            _ => None,
        }
    }

    /// The texts of all bounds, as within the constraint of a list or map.
    pub(crate) fn texts(&self) -> Vec<String> {
        let max = self.max.map(|max| at_most("value", DebugNumber(max)));
        let min = self.min.map(|min| at_least("value", DebugNumber(min)));
        max.into_iter().chain(min).collect()
    }
}

/// Prints `1.0` for a float that is whole, as Java does.
struct DebugNumber<N>(N);

impl<N: std::fmt::Debug> std::fmt::Display for DebugNumber<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A regular expression that a whole string must match.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As AWS prints it.
    printed: &'static str,
    /// The same language in the syntax of the `regex` crate, without look-around.
    expression: &'static str,
    /// A string that starts so is refused: what remains of a look-ahead.
    refused_prefix: Option<&'static str>,
    /// Every non-empty string of ASCII letters, digits, `-` and `_` matches: saves the common case the
    /// regular expression.
    words_match: bool,
    /// How the service itself refuses a string that does not match, if it does so in its own words
    /// rather than by naming the constraint.
    remark: Option<&'static str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(crate) const fn new(printed: &'static str, expression: &'static str) -> Self {
        Self {
            printed,
            expression,
            refused_prefix: None,
            words_match: false,
            remark: None,
            compiled: OnceLock::new(),
        }
    }

    pub(crate) const fn words_match(mut self) -> Self {
        self.words_match = true;
        self
    }

    pub(crate) const fn refusing_prefix(mut self, prefix: &'static str) -> Self {
        self.refused_prefix = Some(prefix);
        self
    }

    pub(crate) const fn remarked(mut self, remark: &'static str) -> Self {
        self.remark = Some(remark);
        self
    }

    fn matches(&self, text: &str) -> bool {
        if self.words_match && is_word(text) {
            return true;
        }
        if self.refused_prefix.is_some_and(|prefix| text.starts_with(prefix)) {
            return false;
        }
        // The generator compiles every expression before it writes it down, so `None` does not occur.
        self.regex().is_some_and(|regex| regex.is_match(text))
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&format!("^(?:{})$", self.expression)).ok()).as_ref()
    }

    fn text(&self) -> String {
        format!("Member must satisfy regular expression pattern: {}", self.printed)
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The values of an enumeration.
#[derive(Debug)]
pub(crate) struct ValueSet {
    /// The values of the model.
    pub(crate) values: &'static [&'static str],
    /// The set as AWS prints it: `[A, B]` in an order of its own.
    pub(crate) printed: &'static str,
}

/// What a string must satisfy.
#[derive(Debug)]
pub(crate) struct StringRule {
    pub(crate) length: Length,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) values: Option<ValueSet>,
    /// The value is never printed.
    pub(crate) sensitive: bool,
}

impl StringRule {
    /// Any string.
    pub(crate) const ANY: Self = Self { length: Length::ANY, pattern: None, values: None, sensitive: false };

    /// The texts of what a string breaks, length first.
    pub(crate) fn broken(&self, text: &str) -> impl Iterator<Item = String> {
        let length = self.length.broken(length_of(text));
        let pattern = self.mismatched(text).filter(|pattern| pattern.remark.is_none()).map(Pattern::text);
        let values = self.values.as_ref().filter(|set| !set.values.contains(&text)).map(ValueSet::text);
        length.into_iter().chain(pattern).chain(values)
    }

    /// What the service itself says of a string that does not match its pattern, once nothing else is
    /// wrong.
    pub(crate) fn remark(&self, text: &str) -> Option<&'static str> {
        self.mismatched(text)?.remark
    }

    /// Whether a string satisfies everything.
    pub(crate) fn accepts(&self, text: &str) -> bool {
        self.broken(text).next().is_none() && self.remark(text).is_none()
    }

    fn mismatched(&self, text: &str) -> Option<&Pattern> {
        self.pattern.as_ref().filter(|pattern| !pattern.matches(text))
    }

    /// The texts of all constraints, as within the constraint of a list or map.
    pub(crate) fn texts(&self) -> Vec<String> {
        let pattern = self.pattern.as_ref().map(Pattern::text);
        let values = self.values.as_ref().map(ValueSet::text);
        self.length.texts().chain(pattern).chain(values).collect()
    }
}

impl ValueSet {
    fn text(&self) -> String {
        format!("Member must satisfy enum value set: {}", self.printed)
    }
}

fn length_of(text: &str) -> u64 {
    if text.is_ascii() { text.len() as u64 } else { text.chars().count() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NAME: StringRule = StringRule {
        length: Length { min: Some(1), max: Some(4) },
        pattern: Some(Pattern::new("[a-z]+(:x)?", "[a-z]+(:x)?")),
        values: None,
        sensitive: false,
    };

    #[test]
    fn states_everything_that_is_broken() {
        assert!(NAME.accepts("a:x"));
        assert_eq!(
            NAME.broken("ABCDE").collect::<Vec<_>>(),
            [
                "Member must have length less than or equal to 4",
                "Member must satisfy regular expression pattern: [a-z]+(:x)?",
            ]
        );
        assert_eq!(
            NAME.texts(),
            [
                "Member must have length less than or equal to 4",
                "Member must have length greater than or equal to 1",
                "Member must satisfy regular expression pattern: [a-z]+(:x)?",
            ]
        );
    }

    #[test]
    fn patterns_match_the_whole_string() {
        assert!(!NAME.accepts("a\n"));
        assert!(!NAME.accepts("a1"));
    }

    #[test]
    fn lengths_count_characters() {
        assert_eq!(length_of("äö"), 2);
    }

    #[test]
    fn what_the_service_says_itself_is_no_constraint() {
        let pattern = Some(Pattern::new("p", "[a-z]+").remarked("It must be letters."));
        let rule = StringRule { pattern, ..StringRule::ANY };
        assert_eq!(rule.broken("1").count(), 0);
        assert_eq!((rule.remark("1"), rule.accepts("1")), (Some("It must be letters."), false));
        assert_eq!((rule.remark("a"), rule.accepts("a")), (None, true));
    }

    #[test]
    fn refused_prefixes_are_refused() {
        let pattern = Pattern::new("p", "[a-z.]+").refusing_prefix("system.");
        assert!(pattern.matches("systems"));
        assert!(!pattern.matches("system.x"));
    }

    #[test]
    fn whole_floats_keep_their_fraction() {
        let range = Range { min: Some(0.0), max: Some(1.0) };
        assert_eq!(range.broken(1.5).as_deref(), Some("Member must have value less than or equal to 1.0"));
        assert_eq!(range.broken(0.5), None);
    }
}
