//! How keys are spelled.
//!
//! A key is `/`-separated segments over the alphabet `[A-Za-z0-9_=-]`. That is what every backend can carry; text
//! with other bytes is escaped by [`segment`].

use crate::{Error, Result};

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// Sorts after every key with the same beginning: the alphabet ends at `z` (0x7A).
pub(crate) const AFTER_ALL: char = '\u{7f}';
/// Appended to a key it gives the smallest text above it: the alphabet begins at `-` (0x2D).
pub(crate) const JUST_AFTER: char = '\u{1}';

/// One segment of a key made of any text: bytes other than letters, digits, `_` and `-` become `=` and two hex
/// digits. Two different texts never give the same segment.
pub fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => segment.push(char::from(byte)),
            other => segment.push_str(&format!("={other:02X}")),
        }
    }
    segment
}

/// Refuses a key that not every backend could carry.
pub(crate) fn check(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !key.bytes().all(allowed) {
        return Err(Error::InvalidKey { key: key.chars().take(128).collect() });
    }
    Ok(())
}

/// Refuses a prefix that no key could begin with. The empty prefix is that of all keys.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() { Ok(()) } else { check(prefix) }
}

fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'=' | b'/' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn foreign_text_becomes_a_segment() {
        assert_eq!(segment("my-function_1"), "my-function_1");
        assert_eq!(segment("$LATEST"), "=24LATEST");
        assert_eq!(segment("/aws/lambda/a.b"), "=2Faws=2Flambda=2Fa=2Eb");
    }

    #[test]
    fn keys_outside_the_alphabet_are_refused() {
        for bad in ["", "a b", "a.b", "a*", "ä", "a\0", &"k".repeat(MAX_KEY_BYTES + 1)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&"k".repeat(MAX_KEY_BYTES)).is_ok());
        assert!(check("function/000000000000/eu-west-1/=24LATEST").is_ok());
    }

    proptest! {
        #[test]
        fn segments_are_valid_and_distinct(a in ".{1,40}", b in ".{1,40}") {
            prop_assert!(check(&segment(&a)).is_ok());
            prop_assert!(!segment(&a).contains('/'));
            prop_assert_eq!(a == b, segment(&a) == segment(&b));
        }
    }
}
