//! X-Ray trace headers: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0|1`.
//!
//! See "Tracing header" in the AWS X-Ray developer guide.

use std::fmt::Write as _;
use std::time::Duration;

use crate::arn::FunctionId;
use crate::clock::Timestamp;
use crate::lineage;
use crate::request_id::RequestId;
use crate::tenant::TenantId;
use crate::version::Version;

/// Longest header that is passed on.
pub(crate) const MAX_BYTES: usize = 1024;

const ROOT: &str = "Root=";
const PARENT: &str = "Parent=";
const SAMPLED: &str = "Sampled=";

/// A new trace, begun at `now`. Whether it is sampled is not decided yet.
#[must_use]
pub fn begin(now: Timestamp) -> String {
    let seconds = u32::try_from(now.as_seconds()).unwrap_or_default();
    let root = RequestId::random().to_hex();
    // Room for the decision and the lineage too.
    let mut header = String::with_capacity(120);
    // A version 4 UUID has fixed bits in its middle; the first twelve and the last hex digits are random.
    let _ =
        write!(header, "Root=1-{seconds:08x}-{}{};Parent={}", &root[..12], &root[20..], SegmentId::random());
    header
}

/// The value of a field of a header.
#[must_use]
pub fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|part| part.trim().strip_prefix(name))
}

/// `Root=1-…`, as answers name the trace.
#[must_use]
pub fn root(header: &str) -> &str {
    field(header, ROOT).unwrap_or_default()
}

/// What whoever began or passed on the trace has decided, if anything.
#[must_use]
pub fn decision(header: &str) -> Option<bool> {
    match field(header, SAMPLED)? {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

/// Writes down a decision, and who is the parent of what comes, if that changes. Other fields stay as they are.
pub fn decide(header: &mut String, sampled: bool, parent: Option<&SegmentId>) {
    if parent.is_none() && !header.contains(SAMPLED) && !header.contains(lineage::FIELD) {
        // As traces begin here.
        return header.push_str(if sampled { ";Sampled=1" } else { ";Sampled=0" });
    }
    let parent = match parent {
        Some(id) => Some(id.to_string()),
        None => field(header, PARENT).map(str::to_owned),
    };
    let mut decided = String::with_capacity(header.len() + 32);
    decided.push_str(ROOT);
    decided.push_str(root(header));
    if let Some(parent) = parent {
        decided.push(';');
        decided.push_str(PARENT);
        decided.push_str(&parent);
    }
    decided.push(';');
    decided.push_str(SAMPLED);
    decided.push(if sampled { '1' } else { '0' });
    let ours = |part: &str| [ROOT, PARENT, SAMPLED].iter().any(|name| part.starts_with(name));
    for part in header.split(';').map(str::trim).filter(|part| !part.is_empty() && !ours(part)) {
        decided.push(';');
        decided.push_str(part);
    }
    *header = decided;
}

/// Sixteen hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentId(String);

impl SegmentId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        let random = RequestId::random().to_hex();
        Self(format!("{}{}", &random[..8], &random[24..]))
    }
}

impl std::fmt::Display for SegmentId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The segments of a sampled invocation of a function that takes part in tracing: one of the service, and in it one of
/// the function.
#[derive(Debug, Clone)]
pub struct Segments {
    /// `1-<8 hex>-<24 hex>`.
    pub root: String,
    /// Where the call comes from, as its header has it.
    pub caller: Option<String>,
    /// `AWS::Lambda`.
    pub service: SegmentId,
    /// `AWS::Lambda::Function`, the parent of what the function calls.
    pub function: SegmentId,
    /// The part of it in which the event was worked on.
    pub invocation: SegmentId,
    /// When the service took the call.
    pub received: Timestamp,
}

impl Segments {
    /// In the trace of `header`.
    #[must_use]
    pub fn begin(header: &str, received: Timestamp) -> Self {
        Self {
            root: root(header).to_owned(),
            caller: field(header, PARENT).map(str::to_owned),
            service: SegmentId::random(),
            function: SegmentId::random(),
            invocation: SegmentId::random(),
            received,
        }
    }
}

/// The course of an invocation, with its segments.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Where it belongs.
    pub segments: Segments,
    /// The function.
    pub function: FunctionId,
    /// Its version.
    pub version: Version,
    /// The invocation.
    pub request_id: RequestId,
    /// The tenant that it was for, if the function keeps its tenants apart.
    pub tenant_id: Option<TenantId>,
    /// How long the environment took to initialise for it.
    pub init_duration: Option<Duration>,
    /// The event was handed over.
    pub begun: Timestamp,
    /// The runtime was done with it.
    pub runtime_done: Timestamp,
    /// Everything was done.
    pub ended: Timestamp,
    /// Why the function failed, if it did: the error type, as far as it is known.
    pub failure: Option<String>,
}

/// Takes traces. Implementations are bounded and never block.
pub trait TraceSink: Send + Sync {
    /// Hands over one.
    fn push(&self, trace: Trace);
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
        let (root, parent) = header.strip_prefix("Root=1-5e3b1234-").unwrap().split_once(";Parent=").unwrap();
        assert_eq!((root.len(), parent.len(), decision(&header)), (24, 16, None));
        assert!(root.bytes().chain(parent.bytes()).all(|byte| byte.is_ascii_hexdigit()));
        assert!(is_usable(&header));
    }

    #[test]
    fn a_decision_is_written_between_what_was_there() {
        for (given, sampled, decided) in [
            ("Root=1-a-b;Parent=c", false, "Root=1-a-b;Parent=c;Sampled=0"),
            ("Sampled=?; Root=1-a-b", true, "Root=1-a-b;Sampled=1"),
            (
                "Root=1-a-b;Parent=c;Sampled=1;Lineage=d:1|e:2",
                true,
                "Root=1-a-b;Parent=c;Sampled=1;Lineage=d:1|e:2",
            ),
            ("Root=1-a-b;Lineage=d:1;;Parent=c", false, "Root=1-a-b;Parent=c;Sampled=0;Lineage=d:1"),
        ] {
            let mut header = given.to_owned();
            decide(&mut header, sampled, None);
            assert_eq!((header.as_str(), decision(&header)), (decided, Some(sampled)));
        }
        let (mut header, parent) = ("Root=1-a-b;Parent=c".to_owned(), SegmentId::random());
        decide(&mut header, true, Some(&parent));
        assert_eq!(header, format!("Root=1-a-b;Parent={parent};Sampled=1"));
    }

    #[test]
    fn nonsense_is_not_passed_on() {
        for header in ["", "Root=2-x", "Root=1-a\r\nX: y", &format!("Root=1-{}", "a".repeat(2000))] {
            assert!(!is_usable(header), "{header}");
        }
    }
}
