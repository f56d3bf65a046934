//! The entries for fuzzing: any bytes, taken as a request or as a policy.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::credentials::{Profile, SecretAccessKey};
use crate::policy::{Context, Decision, Document, Kind, Policies, Request, evaluate, key};
use crate::principal::Principal;
use crate::sigv4::{Accept, Identity, RequestView, Session, Verifier, claimed_credential};

/// Reads `data` as a request (`METHOD target`, header lines, an empty line, body), verifies it, reads its claim
/// and, for good measure, its body as a profile. Must not panic, whatever the bytes.
#[doc(hidden)]
pub fn fuzz_verify(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (method, target) = first.split_once(' ').unwrap_or((&first, ""));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut headers = HeaderMap::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()).take(64) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let body: Vec<u8> = lines.flatten().copied().collect();
    let request = RequestView { method, path, query, authority: None, headers: &headers };
    let verifier = Verifier::new(Box::new(identity));
    for service in ["lambda", "s3"] {
        let accept = Accept { services: &[service], region: None };
        // 2015-08-30T12:36:00Z, the moment of AWS' published examples.
        let _ = verifier.verify(&request, &body, &accept, 1_440_938_160).map_err(|error| error.to_string());
    }
    let _ = claimed_credential(&request);
    let _ = Profile::parse(&String::from_utf8_lossy(&body));
}

fn identity(access_key_id: &str, session_token: Option<&str>) -> Option<Arc<Identity>> {
    let session = session_token.map(|_| Session {
        token: "token".to_owned(),
        expires_at: i64::MAX,
        source_function_arn: None,
    });
    access_key_id.starts_with("AKID").then(|| {
        Arc::new(Identity {
            secret: SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session,
            principal: Principal::root("123456789012"),
        })
    })
}

/// Reads `data` as policies of every kind, and decides a request by them. Must not panic, whatever the bytes.
#[doc(hidden)]
pub fn fuzz_policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let document = |kind| Document::parse(&text, kind).map_err(|error| error.to_string()).ok();
    let identity: Vec<Document> = document(Kind::Identity).into_iter().collect();
    let mut context = Context::new();
    context
        .insert_time(1_440_938_160)
        .insert(key::SOURCE_ARN, "arn:aws:s3:::bucket")
        .insert(key::TAG_KEYS, "");
    let resource = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    for principal in
        [Principal::user("123456789012", "ana", "AIDA"), Principal::service("", "s3.amazonaws.com")]
    {
        let request = Request::new(&principal, "lambda:InvokeFunction", resource, &context);
        for kind in [Kind::Resource, Kind::Trust] {
            let (resource, boundary) = (document(kind), identity.first());
            let policies =
                Policies { identity: &identity, boundary, resource: resource.as_ref(), session: &identity };
            if let Decision::Deny(denial) = evaluate(&request, &policies) {
                let _ = denial.message(&request);
            }
        }
    }
}
