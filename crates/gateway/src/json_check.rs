//! Whether an event is JSON, and what AWS says when it is not.
//!
//! Lambda refuses a payload that is not one JSON value before it looks for an environment, with the words of its
//! JSON library. The scan is iterative (nothing in an event can exhaust the stack), allocates only a stack of
//! nesting, and copies nothing.

/// Deepest nesting that is accepted.
const MAX_DEPTH: usize = 1000;

/// What is wrong, in the words that AWS answers with (without its preamble).
pub(crate) type Problem = String;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

/// Checks that `text` is one JSON value with nothing but white space around it.
pub(crate) fn check(text: &[u8]) -> Result<(), Problem> {
    let mut scan = Scan { text, at: 0 };
    let mut open: Vec<Container> = Vec::new();
    scan.white_space();
    loop {
        // One value, or the opening of a container that is not empty.
        match scan.peek() {
            Some(b'{') => {
                scan.at += 1;
                scan.white_space();
                if scan.peek() == Some(b'}') {
                    scan.at += 1;
                } else {
                    scan.enter(&mut open, Container::Object)?;
                    scan.key()?;
                    continue;
                }
            }
            Some(b'[') => {
                scan.at += 1;
                scan.white_space();
                if scan.peek() == Some(b']') {
                    scan.at += 1;
                } else {
                    scan.enter(&mut open, Container::Array)?;
                    continue;
                }
            }
            _ => scan.scalar(&open)?,
        }
        // What may follow a value: the ends of containers, then the next element.
        loop {
            scan.white_space();
            let Some(container) = open.last().copied() else { return scan.end() };
            match (container, scan.peek()) {
                (_, Some(b',')) => {
                    scan.at += 1;
                    scan.white_space();
                    if container == Container::Object {
                        scan.key()?;
                    }
                    break;
                }
                (Container::Array, Some(b']')) | (Container::Object, Some(b'}')) => {
                    scan.at += 1;
                    open.pop();
                }
                (Container::Array, _) => {
                    return Err(scan.unexpected("was expecting comma to separate Array entries", &open));
                }
                (Container::Object, _) => {
                    return Err(scan.unexpected("was expecting comma to separate Object entries", &open));
                }
            }
        }
    }
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn enter(&self, open: &mut Vec<Container>, container: Container) -> Result<(), Problem> {
        if open.len() >= MAX_DEPTH {
            return Err(format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({MAX_DEPTH}, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)",
                MAX_DEPTH + 1
            ));
        }
        open.push(container);
        Ok(())
    }

    /// A key, its colon and the white space behind it.
    fn key(&mut self) -> Result<(), Problem> {
        if self.peek() != Some(b'"') {
            return Err(
                self.unexpected("was expecting double-quote to start field name", &[Container::Object])
            );
        }
        self.string(true)?;
        self.white_space();
        if self.peek() != Some(b':') {
            let expectation = "was expecting a colon to separate field name and value";
            return Err(self.unexpected(expectation, &[Container::Object]));
        }
        self.at += 1;
        self.white_space();
        Ok(())
    }

    fn scalar(&mut self, open: &[Container]) -> Result<(), Problem> {
        match self.peek() {
            Some(b'"') => self.string(false),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$' || byte >= 0x80 => {
                self.word()
            }
            Some(_) => {
                let expectation = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
                Err(self.unexpected(expectation, open))
            }
            None => Err(self.end_of_input(open)),
        }
    }

    fn string(&mut self, is_key: bool) -> Result<(), Problem> {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(length) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) else {
                self.at = self.text.len();
                let what = if is_key { "in field name" } else { "in VALUE_STRING" };
                let what = if is_key {
                    format!("Unexpected end-of-input {what}")
                } else {
                    format!(
                        "Unexpected end-of-input: was expecting closing quote for a string value ({what})"
                    )
                };
                return Err(self.located(&what));
            };
            self.at += length;
            match self.text[self.at] {
                b'"' => {
                    self.at += 1;
                    let inner = &self.text[start + 1..self.at - 1];
                    return match std::str::from_utf8(inner) {
                        Ok(_) => Ok(()),
                        Err(error) => {
                            let byte = inner.get(error.valid_up_to()).copied().unwrap_or_default();
                            self.at = start + 1 + error.valid_up_to();
                            Err(self.located(&format!("Invalid UTF-8 start byte 0x{byte:x}")))
                        }
                    };
                }
                b'\\' => self.escape()?,
                control => {
                    let place = if is_key { "name" } else { "string value" };
                    return Err(self.located(&format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {control})): has to be escaped using backslash \
                         to be included in {place}"
                    )));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), Problem> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(
                            self.unexpected("expected a hex-digit for character escape sequence", &[])
                        );
                    }
                    self.at += 1;
                }
            }
            Some(_) => {
                let shown = self.shown();
                return Err(self.located(&format!("Unrecognized character escape {shown}")));
            }
            None => return Err(self.located("Unexpected end-of-input in character escape sequence")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Problem> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        if digits == 0 {
            return Err(
                self.unexpected("expected digit (0-9) to follow minus sign, for valid numeric value", &[])
            );
        }
        if leading_zero && digits > 1 {
            return Err(self.located("Invalid numeric value: Leading zeroes not allowed"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.unexpected("Decimal point not followed by a digit", &[]));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.unexpected("Exponent indicator not followed by a digit", &[]));
            }
        }
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}') => Ok(()),
            Some(_) => Err(self.unexpected("Expected space separating root-level values", &[])),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self) -> Result<(), Problem> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80)
        {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        if matches!(word, b"true" | b"false" | b"null") {
            return Ok(());
        }
        let shown: String = String::from_utf8_lossy(word).chars().take(256).collect();
        Err(self.located(&format!(
            "Unrecognized token '{shown}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        )))
    }

    /// Nothing may follow the value.
    fn end(&mut self) -> Result<(), Problem> {
        match self.peek() {
            None => Ok(()),
            Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9') => {
                Err(self.located("Trailing token after the end of the value"))
            }
            Some(_) => {
                let expectation = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
                Err(self.unexpected(expectation, &[]))
            }
        }
    }

    fn unexpected(&self, expectation: &str, open: &[Container]) -> Problem {
        match self.peek() {
            None => self.end_of_input(open),
            Some(_) => {
                let shown = self.shown();
                Self { text: self.text, at: self.at + 1 }
                    .located(&format!("Unexpected character ({shown}): {expectation}"))
            }
        }
    }

    fn end_of_input(&self, open: &[Container]) -> Problem {
        match open.last() {
            None if self.text.iter().all(u8::is_ascii_whitespace) => {
                "No content to map due to end-of-input".to_owned() + &self.place()
            }
            None => self.located("Unexpected end-of-input"),
            Some(container) => {
                let container = match container {
                    Container::Array => "ARRAY",
                    Container::Object => "OBJECT",
                };
                self.located(&format!("Unexpected end-of-input: expected close marker for {container}"))
            }
        }
    }

    /// The character at this place as AWS prints it: itself and its code.
    fn shown(&self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let head = &rest[..rest.len().min(4)];
        let character = match std::str::from_utf8(head) {
            Ok(text) => text.chars().next(),
            Err(error) => {
                std::str::from_utf8(&head[..error.valid_up_to()]).ok().and_then(|text| text.chars().next())
            }
        };
        match character {
            Some(character) if character.is_control() => {
                format!("(CTRL-CHAR, code {})", u32::from(character))
            }
            Some(character) => format!("'{character}' (code {})", u32::from(character)),
            None => format!("'\u{fffd}' (code {})", head.first().copied().unwrap_or_default()),
        }
    }

    fn located(&self, problem: &str) -> Problem {
        format!("{problem}{}", self.place())
    }

    fn place(&self) -> String {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let column = before.len() - line_start + 1;
        format!(
            "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_json() {
        for text in [
            "{}",
            "[]",
            " null ",
            "true",
            "0",
            "-1.5e+10",
            "\"\\u00e9 \\n\"",
            "{\"a\":[1,2,{\"b\":null}],\"c\":\"é\"}",
            "[[],{},[{}]]",
            "\n{\n}\n",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn refuses_in_the_words_of_aws() {
        for (text, words) in [
            (
                "not json",
                "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            ),
            ("{\"a\":1", "Unexpected end-of-input: expected close marker for OBJECT"),
            ("[1", "Unexpected end-of-input: expected close marker for ARRAY"),
            (
                "{'a':1}",
                "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
            ),
            (
                "{\"a\" 1}",
                "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            ),
            ("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries"),
            ("01", "Invalid numeric value: Leading zeroes not allowed"),
            (
                "\"a",
                "Unexpected end-of-input: was expecting closing quote for a string value (in VALUE_STRING)",
            ),
            ("   ", "No content to map due to end-of-input"),
        ] {
            let problem = check(text.as_bytes()).unwrap_err();
            assert!(problem.starts_with(words), "{text}: {problem}");
            assert!(problem.contains("\n at [Source: REDACTED ("), "{text}: {problem}");
        }
        assert!(check(b"not json").unwrap_err().ends_with("line: 1, column: 4]"));
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let nested = |depth: usize| ["[".repeat(depth), "1".into(), "]".repeat(depth)].concat();
        assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert!(check(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err().contains("nesting depth (1001)"));
        assert!(check("[".repeat(6_000_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}\",:0-9a-z\\\\. \\-]{0,24}") {
            let strict = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(check(text.as_bytes()).is_ok(), strict, "{}", text);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = check(&bytes);
        }
    }
}
