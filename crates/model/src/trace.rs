//! X-Ray trace headers: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0|1`.
//!
//! See "Tracing header" in the AWS X-Ray developer guide.

use crate::clock::Timestamp;
use crate::request_id::RequestId;

/// Longest header that is passed on.
pub(crate) const MAX_BYTES: usize = 1024;

/// A new trace that is not sampled, begun at `now`.
#[must_use]
pub fn begin(now: Timestamp) -> String {
    let seconds = u32::try_from(now.as_seconds()).unwrap_or_default();
    let (root, parent) = (RequestId::random().to_hex(), RequestId::random().to_hex());
    // A version 4 UUID has fixed bits in its middle; the first twelve and the last hex digits are random.
    format!(
        "Root=1-{seconds:08x}-{}{};Parent={}{};Sampled=0",
        &root[..12],
        &root[20..],
        &parent[..8],
        &parent[24..]
    )
}

/// Whether a header that came with a request can be passed on: it names a root and is one line of plain ASCII.
#[must_use]
pub fn is_usable(header: &str) -> bool {
    let printable = header.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    header.len() <= MAX_BYTES
        && printable
        && header.split(';').any(|part| part.trim_start().starts_with("Root=1-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_trace_has_the_documented_form() {
        let header = begin(Timestamp::from_millis(0x5e3b_1234 * 1000));
        let (root, rest) = header.strip_prefix("Root=1-5e3b1234-").unwrap().split_once(";Parent=").unwrap();
        let (parent, sampled) = rest.split_once(';').unwrap();
        assert_eq!((root.len(), parent.len(), sampled), (24, 16, "Sampled=0"));
        assert!(root.bytes().chain(parent.bytes()).all(|byte| byte.is_ascii_hexdigit()));
        assert!(is_usable(&header));
    }

    #[test]
    fn nonsense_is_not_passed_on() {
        for header in ["", "Root=2-x", "Root=1-a\r\nX: y", &format!("Root=1-{}", "a".repeat(2000))] {
            assert!(!is_usable(header), "{header}");
        }
    }
}
