//! Percent-encoding as SigV4 wants it: everything but RFC 3986's unreserved characters, in upper-case hex.

use std::borrow::Cow;

use super::canonical::Sink;

const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Encodes `bytes` as they stand (so that a `%` becomes `%25`), leaving slashes alone.
pub(super) fn put_path(sink: &mut impl Sink, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| !is_unreserved(*byte) && *byte != b'/') {
        let (clean, tail) = rest.split_at(at);
        sink.put(clean);
        sink.put(&escape(tail[0]));
        rest = &tail[1..];
    }
    sink.put(rest);
}

/// Decodes once and encodes again, so that different spellings of the same bytes come out the same.
/// A `%` that two hex digits do not follow stands for itself.
pub(super) fn put_renormalised(sink: &mut impl Sink, raw: &[u8], part: Part) {
    let mut rest = raw;
    while let Some((byte, tail)) = next_decoded(rest, part) {
        if is_unreserved(byte) || (part == Part::Path && byte == b'/') {
            sink.put(&[byte]);
        } else {
            sink.put(&escape(byte));
        }
        rest = tail;
    }
}

/// Which part of a URL is meant: a plus is a space in a query, a slash is kept in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Query,
}

/// Decodes a name or value of a query. Bytes that are not UTF-8 become U+FFFD: no parameter that is read this
/// way may hold them.
pub(super) fn decode_query(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(raw);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, tail)) = next_decoded(rest, Part::Query) {
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Encodes a query value.
pub(super) fn encode_query(value: &str) -> String {
    let mut encoded = Vec::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if is_unreserved(byte) { encoded.push(byte) } else { encoded.extend_from_slice(&escape(byte)) }
    }
    String::from_utf8_lossy(&encoded).into_owned()
}

fn next_decoded(bytes: &[u8], part: Part) -> Option<(u8, &[u8])> {
    match bytes {
        [] => None,
        [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some((hex_value(*high) << 4 | hex_value(*low), tail))
        }
        [b'+', tail @ ..] if part == Part::Query => Some((b' ', tail)),
        [byte, tail @ ..] => Some((*byte, tail)),
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

fn escape(byte: u8) -> [u8; 3] {
    [b'%', UPPER_HEX[usize::from(byte >> 4)], UPPER_HEX[usize::from(byte & 15)]]
}

/// 32 bytes as 64 lower-case hex digits.
pub(super) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let mut digits = [0u8; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = UPPER_HEX[usize::from(byte >> 4)].to_ascii_lowercase();
        pair[1] = UPPER_HEX[usize::from(byte & 15)].to_ascii_lowercase();
    }
    digits
}

/// 64 lower-case hex digits as 32 bytes. Upper case is refused, as AWS compares the text.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 || !text.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = hex_value(pair[0]) << 4 | hex_value(pair[1]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> String {
        let mut out = Vec::new();
        put_path(&mut out, raw.as_bytes());
        String::from_utf8(out).unwrap()
    }

    fn renormalised(raw: &str, part: Part) -> String {
        let mut out = Vec::new();
        put_renormalised(&mut out, raw.as_bytes(), part);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_are_encoded_as_they_stand() {
        assert_eq!(path("/functions/arn%3Aaws:x/~a b/ሴ"), "/functions/arn%253Aaws%3Ax/~a%20b/%E1%88%B4");
    }

    #[test]
    fn spellings_of_the_same_bytes_come_out_the_same() {
        assert_eq!(renormalised("a+b%20c%2fd%7E%2B", Part::Query), "a%20b%20c%2Fd~%2B");
        assert_eq!(renormalised("/a+b%2Fc%zz%", Part::Path), "/a%2Bb/c%25zz%25");
        assert_eq!(renormalised("%ff%00", Part::Query), "%FF%00");
    }

    #[test]
    fn hex_is_read_in_lower_case_only() {
        let bytes: [u8; 32] = std::array::from_fn(|index| (index * 37) as u8);
        let text = String::from_utf8(hex(&bytes).to_vec()).unwrap();
        assert_eq!(unhex(&text), Some(bytes));
        assert_eq!(unhex(&text.to_ascii_uppercase()), None);
        assert_eq!(unhex(&text[1..]), None);
        assert_eq!(decode_query("a%2Fb+c"), "a/b c");
        assert_eq!(encode_query("a/b c~"), "a%2Fb%20c~");
    }
}
