//! Percent-decoding of paths and queries, for events.

use std::borrow::Cow;

/// A path, decoded. What is not UTF-8 then becomes U+FFFD.
pub(super) fn decode_path(path: &str) -> Cow<'_, str> {
    decode(path, false)
}

/// A name or a value of a query, decoded: in queries `+` is a space.
pub(super) fn decode_query(part: &str) -> Cow<'_, str> {
    decode(part, true)
}

fn decode(text: &str, is_query: bool) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || is_query && byte == b'+') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, left) = match (first, tail) {
            (b'%', [high, low, left @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, left),
                // A percent sign that stands for itself.
                _ => (b'%', tail),
            },
            (b'+', _) if is_query => (b' ', tail),
            (byte, _) => (*byte, tail),
        };
        decoded.push(byte);
        rest = left;
    }
    Cow::Owned(String::from_utf8(decoded).unwrap_or_else(|error| {
        let bytes = error.into_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    }))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_differ_in_the_plus_sign() {
        assert_eq!(decode_path("/a%20b+c%2F%CE%BB"), "/a b+c/λ");
        assert_eq!(decode_query("a%20b+c%2B"), "a b c+");
    }

    #[test]
    fn what_cannot_be_decoded_is_kept_or_replaced() {
        for (text, decoded) in
            [("%", "%"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%ff", "\u{fffd}"), ("%%41", "%A")]
        {
            assert_eq!(decode_path(text), decoded, "{text}");
        }
        assert!(matches!(decode_path("/plain+"), Cow::Borrowed("/plain+")));
    }
}
