//! The head of the answer to `GET /runtime/invocation/next`.

use std::io::Write as _;

use rushlight_model::clock::Timestamp;
use rushlight_model::invocation::Invocation;
use rushlight_model::tenant::TenantId;
use uuid::Uuid;

/// The answer to `GET /runtime/restore/next`.
pub(crate) const RESTORED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n";

/// Writes the head for `invocation` in an environment of this tenant, if of any, into `head`, replacing what it holds.
pub(crate) fn write_head(
    head: &mut Vec<u8>,
    invocation: &Invocation,
    tenant_id: Option<&TenantId>,
    attempt: Uuid,
    deadline: Timestamp,
) {
    head.clear();
    // Writing to a vector does not fail.
    let _ = write!(
        head,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nLambda-Runtime-Aws-Request-Id: {}\r\n\
         Lambda-Runtime-Invocation-Id: {}\r\nLambda-Runtime-Deadline-Ms: {}\r\n",
        invocation.payload.len(),
        invocation.request_id,
        attempt.hyphenated(),
        deadline.as_millis()
    );
    let content_type = invocation.content_type.as_deref().unwrap_or("application/json");
    header(head, "Content-Type", content_type);
    header(head, "Lambda-Runtime-Invoked-Function-Arn", &invocation.invoked_function_arn);
    let optional = [
        ("Lambda-Runtime-Trace-Id", &invocation.trace_header),
        ("Lambda-Runtime-Client-Context", &invocation.client_context),
        ("Lambda-Runtime-Cognito-Identity", &invocation.cognito_identity),
    ];
    for (name, value) in optional {
        header(head, name, value.as_deref().unwrap_or_default());
    }
    if let Some(tenant_id) = tenant_id {
        header(head, "Lambda-Runtime-Aws-Tenant-Id", tenant_id.as_str());
    }
    head.extend_from_slice(b"\r\n");
}

/// Writes a header unless its value is empty. Control characters become blanks: the values come from callers, who
/// must not be able to end the header. (In JSON they stand only between tokens, where a blank means the same.)
fn header(head: &mut Vec<u8>, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    let start = head.len();
    head.extend_from_slice(value.as_bytes());
    for byte in head.iter_mut().skip(start) {
        if byte.is_ascii_control() {
            *byte = b' ';
        }
    }
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn headers_of_an_event() {
        let id = "8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11";
        let mut invocation = Invocation {
            request_id: id.parse().unwrap(),
            invoked_function_arn: "arn:aws:lambda:eu-west-1:000000000000:function:hello".to_owned(),
            payload: Bytes::from_static(b"{}"),
            content_type: None,
            client_context: None,
            cognito_identity: None,
            trace_header: None,
            segments: None,
        };
        let mut head = b"left over".to_vec();
        write_head(&mut head, &invocation, None, Uuid::nil(), Timestamp::from_millis(1_700_000_000_123));
        assert_eq!(
            String::from_utf8(head.clone()).unwrap(),
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n\
                 Lambda-Runtime-Invocation-Id: 00000000-0000-0000-0000-000000000000\r\n\
                 Lambda-Runtime-Deadline-Ms: 1700000000123\r\nContent-Type: application/json\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:000000000000:function:hello\r\n\r\n"
            )
        );
        invocation.client_context = Some("{\r\n\"a\": \"é\"}".to_owned());
        invocation.trace_header = Some("Root=1\r\nInjected: yes".to_owned());
        let tenant_id = TenantId::parse("blue @ 1").unwrap();
        write_head(&mut head, &invocation, Some(&tenant_id), Uuid::nil(), Timestamp::from_millis(0));
        let text = String::from_utf8(head).unwrap();
        assert!(text.contains("Lambda-Runtime-Client-Context: {  \"a\": \"é\"}\r\n"));
        assert!(text.contains("Lambda-Runtime-Trace-Id: Root=1  Injected: yes\r\n"));
        assert!(text.ends_with("\r\nLambda-Runtime-Aws-Tenant-Id: blue @ 1\r\n\r\n"));
    }
}
