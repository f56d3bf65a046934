//! Numbers in conditions: integers or decimals.

use std::cmp::Ordering;

/// A number, exact if it is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    whole: Option<i64>,
    float: f64,
}

impl Number {
    #[allow(clippy::cast_precision_loss, reason = "whole numbers compare as such")]
    pub(super) fn from_whole(value: i64) -> Self {
        Self { whole: Some(value), float: value as f64 }
    }

    /// Reads a decimal number, with or without an exponent. Names such as `inf` and `NaN` are none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
            return None;
        }
        let float = text.parse().ok().filter(|value: &f64| value.is_finite())?;
        Some(Self { whole: text.parse().ok(), float })
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self.whole, other.whole) {
            (Some(one), Some(another)) => one.cmp(&another),
            _ => self.float.partial_cmp(&other.float).unwrap_or(Ordering::Equal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        for (one, another, order) in [
            ("1", "1.0", Ordering::Equal),
            ("10", "9", Ordering::Greater),
            ("-1", "1", Ordering::Less),
            ("1e3", "1000", Ordering::Equal),
            ("0.1", "0.10", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
        ] {
            let (left, right) = (Number::parse(one).unwrap(), Number::parse(another).unwrap());
            assert_eq!(left.compare(right), order, "{one} {another}");
            assert_eq!(right.compare(left), order.reverse(), "{another} {one}");
        }
    }

    #[test]
    fn words_are_no_numbers() {
        for text in ["", "inf", "-inf", "NaN", "infinity", "1e999", "0x10", "1 ", "1,5", "-", "."] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }
}
