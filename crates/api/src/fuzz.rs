//! The request decoder's entry for fuzzing.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use crate::protocol::query::parse_form;
use crate::query::Query;
use crate::{iam, lambda, logs, sts};

/// Decodes arbitrary bytes as requests of every service; must neither panic nor hang.
///
/// The first line is `METHOD TARGET`, the second a header value used wherever a header is read, the rest
/// the body. For `TARGET` lines that start with no slash the line is an `X-Amz-Target`, or the `Action` of the
/// form that is the body.
pub fn fuzz_decode(data: &[u8]) {
    let mut lines = data.splitn(3, |&byte| byte == b'\n');
    let request_line = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let header = lines.next().unwrap_or_default();
    let body = Bytes::copy_from_slice(lines.next().unwrap_or_default());
    let (method, target) = request_line.split_once(' ').unwrap_or(("POST", &request_line));
    if !target.starts_with('/') {
        if let Some(operation) = logs::Operation::from_target(target) {
            let _ = logs::decode::check(operation, body);
        } else if let Ok(form) = parse_form(&body) {
            fuzz_form(target, &form);
        }
        return;
    }
    let (path, raw_query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let (Ok(method), query) = (Method::from_bytes(method.as_bytes()), Query::parse(raw_query)) else {
        return;
    };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        for name in ["x-amz-invocation-type", "x-amz-log-type", "x-amz-client-context", "x-amz-tenant-id"] {
            headers.insert(name, value.clone());
        }
    }
    match lambda::routes::resolve(&method, path, &query) {
        Some(resolution) => {
            let operation = resolution.operation;
            let _ = lambda::decode::check(operation, &resolution.labels, &query, &headers, body);
        }
        None => drop(lambda::routes::unresolved(path)),
    }
}

fn fuzz_form(action: &str, form: &Query<'_>) {
    if let Ok(operation) = iam::Operation::from_action(action) {
        let _ = iam::decode::check(operation, form);
    }
    if let Ok(operation) = sts::Operation::from_action(action) {
        let _ = sts::decode::check(operation, form);
    }
}
