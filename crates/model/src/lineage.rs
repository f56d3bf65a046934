//! The lineage in a trace header: how often each function was invoked in one chain of requests.
//!
//! ```text
//! Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a87bd80c:1|68fd508a:5
//! ```
//! AWS' SDKs pass the header on from the invocation that they run in to the calls that they make. See "Use Lambda
//! recursive loop detection to prevent infinite loops" in the AWS Lambda developer guide.

use std::fmt::Write as _;

use crate::arn::FunctionId;
use crate::trace;

/// Invocations of one function in one chain before the next is taken for one of a loop.
pub const LIMIT: u32 = 16;

pub(crate) const FIELD: &str = "Lineage=";

/// Counts one more invocation of `function` in the chain that a trace header stands for, and returns how many there are
/// now, this one included. What is not a lineage is forgotten, and so are, where there is no more room, those functions
/// whose last invocation is the longest ago.
pub fn count(header: &mut String, function: &FunctionId) -> u32 {
    let own = mark(function);
    let mut others: Vec<(u32, u32)> = Vec::new();
    let mut count = 0_u32;
    if header.contains(FIELD) {
        let mut rest = String::with_capacity(header.len());
        for field in header.split(';') {
            let Some(lineage) = field.trim_start().strip_prefix(FIELD) else {
                let separator = if rest.is_empty() { "" } else { ";" };
                let _ = write!(rest, "{separator}{field}");
                continue;
            };
            for (mark, invocations) in entries(lineage) {
                match mark == own {
                    true => count = count.max(invocations),
                    false => others.push((mark, invocations)),
                }
            }
        }
        *header = rest;
    }
    count = count.saturating_add(1);
    append(header, &others, (own, count));
    count
}

fn append(header: &mut String, others: &[(u32, u32)], own: (u32, u32)) {
    // A mark, a colon, a count and a separator.
    let length = |&(_, count): &(u32, u32)| 10 + count.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut room = trace::MAX_BYTES.saturating_sub(header.len() + 1 + FIELD.len() + length(&own)) as isize;
    let newest_first = others.iter().rev();
    let kept = newest_first.take_while(|entry| {
        room -= length(entry) as isize;
        room >= 0
    });
    let kept = &others[others.len() - kept.count()..];
    let _ = write!(header, ";{FIELD}");
    for (mark, count) in kept {
        let _ = write!(header, "{mark:08x}:{count}|");
    }
    let _ = write!(header, "{:08x}:{}", own.0, own.1);
}

/// SDKs write the header with `%7C` for `|`.
fn entries(lineage: &str) -> impl Iterator<Item = (u32, u32)> {
    let escaped = lineage.split('|').flat_map(|part| part.split("%7C"));
    escaped.filter_map(entry)
}

fn entry(text: &str) -> Option<(u32, u32)> {
    let (mark, count) = text.split_once(':')?;
    let is_mark = mark.len() == 8 && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_mark {
        return None;
    }
    Some((u32::from_str_radix(mark, 16).ok()?, count.parse().ok()?))
}

/// What stands for a function: 32 bits of FNV-1a. Two of one chain that meet only end it too early.
fn mark(function: &FunctionId) -> u32 {
    let parts = [&function.scope.account, &function.scope.region, &function.name];
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([b':']));
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::Scope;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0";

    fn function(name: &str) -> FunctionId {
        let scope = Scope { account: "000000000000".to_owned(), region: "us-east-1".to_owned() };
        FunctionId { scope, name: name.to_owned() }
    }

    #[test]
    fn each_function_is_counted_by_itself() {
        let mut header = ROOT.to_owned();
        let counts: Vec<u32> =
            ["a", "b", "a", "a", "b"].iter().map(|name| count(&mut header, &function(name))).collect();
        assert_eq!(counts, [1, 1, 2, 3, 2]);
        let (a, b) = (mark(&function("a")), mark(&function("b")));
        assert_eq!(header, format!("{ROOT};Lineage={a:08x}:3|{b:08x}:2"));
    }

    #[test]
    fn what_is_no_lineage_is_forgotten() {
        for nonsense in
            ["", "x", ":", "|||", "a:1", "0000000g:1", "00000001:-1", "00000001:99999999999", "+0000001:1"]
        {
            let mut header = format!("{ROOT};Lineage={nonsense};Self=1-2-3");
            assert_eq!(count(&mut header, &function("a")), 1, "{nonsense}");
            let own = mark(&function("a"));
            assert_eq!(header, format!("{ROOT};Self=1-2-3;Lineage={own:08x}:1"), "{nonsense}");
        }
        let mut header = format!("{ROOT};Lineage=0000000a:7%7C{:08x}:2", mark(&function("a")));
        assert_eq!(count(&mut header, &function("a")), 3, "as an SDK writes it");
        let mut header = format!("{ROOT};Lineage={:08x}:{}", mark(&function("a")), u32::MAX);
        assert_eq!(count(&mut header, &function("a")), u32::MAX);
    }

    #[test]
    fn the_header_grows_no_further_than_it_may_and_keeps_who_came_last() {
        let mut header = ROOT.to_owned();
        for round in 0..300 {
            count(&mut header, &function(&format!("f{round}")));
            assert_eq!(count(&mut header, &function("looping")), round + 1);
            assert!(header.len() <= trace::MAX_BYTES && trace::is_usable(&header), "{header}");
        }
        let other = count(&mut header, &function("f299"));
        assert_eq!((other, count(&mut header, &function("f0"))), (2, 1));
    }
}
