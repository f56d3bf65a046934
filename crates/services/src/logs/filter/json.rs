//! Selectors over JSON events.
//!
//! ```text
//! pattern     { any }
//! any         all { || all }
//! all         one { && one }
//! one         ( any ) | selector operator value | selector IS TRUE|FALSE|NULL | selector [NOT] EXISTS
//! selector    $ { .name | ["name"] | [index] }
//! operator    = | != | < | <= | > | >=
//! value       number | "text" | text          a * in a text stands for anything
//! ```

use serde_json::Value;

use super::take_quoted;

/// The deepest nesting of parentheses.
const MAX_DEPTH: usize = 16;

/// What must hold of an event.
#[derive(Debug)]
pub(in crate::logs) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Test { selector: Vec<Step>, test: Test },
}

#[derive(Debug)]
pub(in crate::logs) enum Step {
    Member(String),
    Index(usize),
}

#[derive(Debug)]
pub(in crate::logs) enum Test {
    Number(Operator, f64),
    /// Equal or not to a text with `*` as wildcard.
    Text {
        equal: bool,
        text: String,
    },
    Is(Value),
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    pub(super) fn holds(&self, event: &Value) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(event)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(event)),
            Self::Test { selector, test } => test.holds(select(selector, event)),
        }
    }
}

fn select<'a>(selector: &[Step], event: &'a Value) -> Option<&'a Value> {
    selector.iter().try_fold(event, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Index(index) => value.get(index),
    })
}

impl Test {
    fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Exists(wanted), value) => value.is_some() == *wanted,
            (_, None) => false,
            (Self::Is(wanted), Some(value)) => value == wanted,
            (Self::Number(operator, wanted), Some(value)) => {
                value.as_f64().is_some_and(|number| operator.compares(number, *wanted))
            }
            (Self::Text { equal, text }, Some(value)) => {
                let found = match value {
                    Value::String(found) => found.clone(),
                    Value::Number(_) | Value::Bool(_) => value.to_string(),
                    Value::Null | Value::Array(_) | Value::Object(_) => return false,
                };
                wildcard(text.as_bytes(), found.as_bytes()) == *equal
            }
        }
    }
}

impl Operator {
    #[allow(clippy::float_cmp, reason = "equality is what the pattern asks for")]
    fn compares(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Whether the text is as the pattern says, `*` standing for any run of bytes. Linear but for going back to the last
/// star.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((star, from)) = last_star else { return false };
                last_star = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Parses a pattern with its braces; nothing if it is none.
pub(super) fn parse(pattern: &str) -> Option<Condition> {
    let inner = pattern.strip_prefix('{')?.strip_suffix('}')?;
    let mut parser = Parser { rest: inner };
    let condition = parser.any(0)?;
    parser.rest.trim().is_empty().then_some(condition)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Option<Condition> {
        let mut conditions = vec![self.all(depth)?];
        while self.eat("||") {
            conditions.push(self.all(depth)?);
        }
        Some(Condition::Any(conditions))
    }

    fn all(&mut self, depth: usize) -> Option<Condition> {
        let mut conditions = vec![self.one(depth)?];
        while self.eat("&&") {
            conditions.push(self.one(depth)?);
        }
        Some(Condition::All(conditions))
    }

    fn one(&mut self, depth: usize) -> Option<Condition> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.eat("(") {
            let condition = self.any(depth + 1)?;
            return self.eat(")").then_some(condition);
        }
        let selector = self.selector()?;
        let test = self.test()?;
        Some(Condition::Test { selector, test })
    }

    fn selector(&mut self) -> Option<Vec<Step>> {
        if !self.eat("$") {
            return None;
        }
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix('.') {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
                    .unwrap_or(rest.len());
                let (name, rest) = rest.split_at(end);
                if name.is_empty() {
                    return None;
                }
                steps.push(Step::Member(name.to_owned()));
                self.rest = rest;
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                let (step, rest) = bracketed(rest)?;
                steps.push(step);
                self.rest = rest;
            } else {
                return (!steps.is_empty()).then_some(steps);
            }
        }
    }

    fn test(&mut self) -> Option<Test> {
        if self.eat_word("IS") {
            let values = [("TRUE", Value::Bool(true)), ("FALSE", Value::Bool(false)), ("NULL", Value::Null)];
            return values
                .into_iter()
                .find(|(word, _)| self.eat_word(word))
                .map(|(_, value)| Test::Is(value));
        }
        if self.eat_word("NOT") {
            return self.eat_word("EXISTS").then_some(Test::Exists(false));
        }
        if self.eat_word("EXISTS") {
            return Some(Test::Exists(true));
        }
        let operators = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let (_, operator) = operators.into_iter().find(|(sign, _)| self.eat(sign))?;
        self.value(operator)
    }

    fn value(&mut self, operator: Operator) -> Option<Test> {
        self.rest = self.rest.trim_start();
        let (text, quoted) = if self.rest.starts_with('"') {
            let (text, rest) = take_quoted(self.rest)?;
            self.rest = rest;
            (text, true)
        } else {
            let end =
                self.rest.find(|c: char| c.is_whitespace() || "()&|".contains(c)).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            (word.to_owned(), false)
        };
        if !quoted && let Ok(number) = text.parse::<f64>() {
            return Some(Test::Number(operator, number));
        }
        match operator {
            _ if text.is_empty() && !quoted => None,
            Operator::Equal => Some(Test::Text { equal: true, text }),
            Operator::NotEqual => Some(Test::Text { equal: false, text }),
            _ => None,
        }
    }

    fn eat(&mut self, sign: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let trimmed = self.rest.trim_start();
        let Some((head, rest)) = trimmed.split_at_checked(word.len()) else { return false };
        let whole = !rest.starts_with(|c: char| c.is_alphanumeric());
        let found = head.eq_ignore_ascii_case(word) && whole;
        if found {
            self.rest = rest;
        }
        found
    }
}

/// What stands between brackets, the first of which is gone, and what follows.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    if text.starts_with('"') {
        let (name, rest) = take_quoted(text)?;
        return Some((Step::Member(name), rest.strip_prefix(']')?));
    }
    let (index, rest) = text.split_once(']')?;
    Some((Step::Index(index.trim().parse().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str =
        r#"{"level":"ERROR","ms":12.5,"ok":true,"user":{"id":7,"tags":["a","b"]},"gone":null,"a b":1}"#;

    fn holds(pattern: &str) -> bool {
        let event = serde_json::from_str(EVENT).unwrap();
        parse(pattern).unwrap_or_else(|| panic!("{pattern}")).holds(&event)
    }

    #[test]
    fn comparisons() {
        assert!(holds(r#"{ $.level = "ERROR" }"#) && holds("{$.level=ERROR}"));
        assert!(!holds(r#"{ $.level = "WARN" }"#) && holds(r#"{ $.level != "WARN" }"#));
        assert!(
            holds(r#"{ $.level = "ER*" }"#) && holds(r#"{ $.level = *RR* }"#) && !holds("{ $.level = *X }")
        );
        assert!(holds("{ $.ms > 12 }") && holds("{ $.ms <= 12.5 }") && !holds("{ $.ms < 12 }"));
        assert!(holds("{ $.ms = 12.5 }") && holds("{ $.ms != 13 }") && holds("{ $.ms >= 1e1 }"));
        assert!(holds("{ $.user.id = 7 }") && holds(r#"{ $.user.tags[1] = "b" }"#));
        assert!(holds(r#"{ $["a b"] = 1 }"#));
        assert!(!holds("{ $.missing = 1 }") && !holds("{ $.missing != 1 }"));
    }

    #[test]
    fn states() {
        assert!(holds("{ $.ok IS TRUE }") && !holds("{ $.ok IS FALSE }") && holds("{ $.gone IS NULL }"));
        assert!(
            holds("{ $.missing NOT EXISTS }") && holds("{ $.gone EXISTS }") && !holds("{ $.missing EXISTS }")
        );
    }

    #[test]
    fn combinations() {
        assert!(holds(r#"{ $.level = "ERROR" && $.ms > 10 }"#));
        assert!(!holds(r#"{ $.level = "ERROR" && $.ms > 20 }"#));
        assert!(holds(r#"{ $.ms > 20 || $.level = "ERROR" }"#));
        assert!(holds(r#"{ ($.ms > 20 || $.ok IS TRUE) && ($.user.id = 7) }"#));
        // && binds more tightly than ||.
        assert!(holds("{ $.ok IS TRUE || $.ms > 20 && $.ms > 20 }"));
    }

    #[test]
    fn what_is_no_pattern() {
        for pattern in [
            "{}",
            "{ $ = 1 }",
            "{ level = 1 }",
            "{ $.a = 1 ",
            "{ $.a ~ 1 }",
            "{ ($.a = 1 }",
            "{ $.a > x }",
            "{ $.a = 1 && }",
            "{ $.a IS MAYBE }",
            "{ $.a[x] = 1 }",
            "{ $.a = \"x }",
            "{ $.a = 1 $.b = 2 }",
        ] {
            assert!(parse(pattern).is_none(), "{pattern}");
        }
        let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
        assert!(parse(&deep).is_none());
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("*a*b*", "xaxbx", true),
            ("a**", "a", true),
            ("*ab", "aab", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(wildcard(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
