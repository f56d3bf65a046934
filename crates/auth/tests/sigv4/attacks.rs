//! Requests that a stranger, or someone in between, may try.

use http::HeaderValue;
use proptest::prelude::*;
use rushlight_auth::sigv4::{
    Accept, BodyHash, Payload, Rejection, RequestView, Signer, claimed_credential, sign_request,
};
use rushlight_auth::{AccessKey, fuzz_verify};

use crate::support::{KEY_ID, NOW, Request, SECRET, SESSION_END, SESSION_KEY_ID, SESSION_TOKEN, verifier};

const INVOKE: &str = "/2015-03-31/functions/f/invocations";

fn signed_with(key: &AccessKey, service: &str) -> Request {
    let (mut parts, body) = http::Request::post(format!("http://localhost:9000{INVOKE}?Qualifier=1"))
        .header("x-amz-invocation-type", "RequestResponse")
        .header("content-type", "application/json")
        .body(b"{\"a\":1}".to_vec())
        .unwrap()
        .into_parts();
    let signer = Signer { access_key: key, region: "us-east-1", service, now: NOW };
    sign_request(&signer, &mut parts, Payload::Hash(BodyHash::of(&body))).unwrap();
    let view = RequestView::from(&parts);
    Request {
        method: view.method.to_owned(),
        path: view.path.to_owned(),
        query: view.query.map(str::to_owned),
        headers: parts.headers.clone(),
        body,
    }
}

fn signed() -> Request {
    signed_with(&AccessKey::new(KEY_ID, SECRET), "lambda")
}

fn presigned(expires: u32) -> Request {
    let key = AccessKey::new(KEY_ID, SECRET);
    let signer = Signer { access_key: &key, region: "us-east-1", service: "lambda", now: NOW };
    let empty = Payload::Hash(BodyHash::EMPTY);
    let target = signer.presign("GET", "localhost:9000", "/code", Some("v=1"), expires, empty).unwrap();
    Request::new("GET", &target, &["host:localhost:9000"])
}

fn mismatch(request: &Request) {
    assert_eq!(request.verify("lambda").unwrap_err(), Rejection::SignatureMismatch, "{request:?}");
}

#[test]
fn an_honest_request_passes() {
    assert!(signed().verify("lambda").is_ok());
    assert!(presigned(60).verify("lambda").is_ok());
}

#[test]
fn every_part_is_bound_to_the_signature() {
    mismatch(&Request { method: "GET".to_owned(), ..signed() });
    mismatch(&Request { path: INVOKE.replace("/f/", "/g/"), ..signed() });
    mismatch(&Request { query: Some("Qualifier=2".to_owned()), ..signed() });
    mismatch(&Request { query: None, ..signed() });
    mismatch(&Request { body: b"{\"a\":2}".to_vec(), ..signed() });
    mismatch(&Request { body: Vec::new(), ..signed() });
    mismatch(&signed().set("x-amz-invocation-type", "Event"));
    mismatch(&signed().set("host", "elsewhere"));
    mismatch(&signed().set("content-type", "text/plain"));
    mismatch(&signed().header("x-amz-invocation-type", "Event"));
    mismatch(&signed().set("x-amz-date", "20150830T123601Z"));
    let mut without = signed();
    without.headers.remove("content-type");
    mismatch(&without);
    // A body's hash that fits the body but was not the one signed.
    let other = Request { body: b"other".to_vec(), ..signed() };
    mismatch(
        &other
            .set("x-amz-content-sha256", "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"),
    );
}

#[test]
fn signatures_are_compared_whole() {
    let honest = signed();
    let authorization = honest.headers["authorization"].to_str().unwrap().to_owned();
    for cut in 1..64 {
        mismatch(&signed().set("authorization", &authorization[..authorization.len() - cut]));
    }
    mismatch(&signed().set("authorization", &format!("{authorization}0")));
    let (start, signature) = authorization.rsplit_once('=').unwrap();
    mismatch(&signed().set("authorization", &format!("{start}={}", signature.to_ascii_uppercase())));
    mismatch(&signed().set("authorization", &format!("{start}={}", "0".repeat(64))));
}

#[test]
fn another_key_or_scope_does_not_pass() {
    mismatch(&signed_with(&AccessKey::new(KEY_ID, "wrong"), "lambda"));
    let unknown = signed_with(&AccessKey::new("AKIDUNKNOWN", SECRET), "lambda");
    assert_eq!(unknown.verify("lambda").unwrap_err(), Rejection::UnrecognizedClient);
    mismatch(&signed().replace("authorization", "us-east-1", "us-east-2"));
    // Signed for S3, whose rules are laxer: not good at Lambda, whatever the scope is changed to.
    let for_s3 = signed_with(&AccessKey::new(KEY_ID, SECRET), "s3");
    assert!(matches!(for_s3.verify("lambda").unwrap_err(), Rejection::WrongScope { .. }));
    mismatch(&for_s3.replace("authorization", "/s3/", "/lambda/"));
    let only = Accept { services: &["lambda"], region: Some("eu-west-1") };
    let request = signed();
    let rejection = verifier().verify(&request.view(), &request.body, &only, NOW).unwrap_err();
    assert_eq!(rejection.to_string(), "Credential should be scoped to a valid region. ");
}

#[test]
fn headers_that_change_the_meaning_must_be_signed() {
    let rejection = signed().header("x-amz-client-context", "e30=").verify("lambda").unwrap_err();
    assert_eq!(rejection, Rejection::HeaderNotSigned { name: "x-amz-client-context".to_owned() });
    let rejection = presigned(60).header("x-amz-invocation-type", "Event").verify("lambda").unwrap_err();
    assert_eq!(rejection, Rejection::HeaderNotSigned { name: "x-amz-invocation-type".to_owned() });
    let rejection = signed().replace("authorization", ";host;", ";").verify("lambda").unwrap_err();
    assert_eq!(rejection, Rejection::HeaderNotSigned { name: "host".to_owned() });
    // Tracing headers are added on the way and mean nothing for access.
    assert!(
        signed().header("x-amzn-trace-id", "Root=1").header("user-agent", "curl").verify("lambda").is_ok()
    );
}

#[test]
fn paths_that_normalise_to_the_same_are_told_apart_by_asking() {
    // AWS' rules make these verify; a server that routes on the path as sent has to look.
    for detour in ["/x/..", "/.", "/"] {
        let request = Request { path: format!("{detour}{INVOKE}"), ..signed() };
        assert!(request.verify("lambda").is_ok());
        assert!(!request.view().is_path_normal());
    }
    assert!(signed().view().is_path_normal());
    assert!(!Request { path: String::new(), ..signed() }.view().is_path_normal());
    assert!(Request { path: "/a/".to_owned(), ..signed() }.view().is_path_normal());
}

#[test]
fn signatures_end() {
    let request = signed();
    assert!(request.verify_at("lambda", NOW + 300).is_ok());
    assert!(request.verify_at("lambda", NOW - 300).is_ok());
    let late = request.verify_at("lambda", NOW + 301).unwrap_err();
    assert_eq!(late, Rejection::Expired { signed_at: NOW, now: NOW + 301, window: 300 });
    let early = request.verify_at("lambda", NOW - 301).unwrap_err();
    assert_eq!(early, Rejection::NotYetCurrent { signed_at: NOW, now: NOW - 301, window: 300 });

    let url = presigned(3600);
    assert!(url.verify_at("lambda", NOW + 3600).is_ok());
    assert!(matches!(url.verify_at("lambda", NOW + 3601), Err(Rejection::Expired { .. })));
    assert!(matches!(url.verify_at("lambda", NOW - 301), Err(Rejection::NotYetCurrent { .. })));
    for now in [i64::MIN, i64::MAX] {
        assert!(!url.verify_at("lambda", now).unwrap_err().to_string().is_empty());
    }
}

#[test]
fn the_life_of_a_url_cannot_be_stretched() {
    let stretched = |to: &str| {
        let mut url = presigned(60);
        url.query = url.query.map(|query| query.replace("X-Amz-Expires=60", to));
        url.verify("lambda").unwrap_err()
    };
    assert_eq!(stretched("X-Amz-Expires=6000"), Rejection::SignatureMismatch);
    for wrong in ["604801", "-1", "1e3", "", "99999999999999999999"] {
        assert!(
            matches!(stretched(&format!("X-Amz-Expires={wrong}")), Rejection::InvalidExpires { .. }),
            "{wrong}"
        );
    }
    assert_eq!(
        stretched("X-Amz-Expires=60&X-Amz-Expires=6000"),
        Rejection::Ambiguous { name: "X-Amz-Expires" }
    );
    assert_eq!(
        stretched("X%2DAmz-Expires=60&X-Amz-Expires=60"),
        Rejection::Ambiguous { name: "X-Amz-Expires" }
    );
}

#[test]
fn doubled_and_mixed_credentials_are_refused() {
    let url = presigned(60);
    let both = url.clone().set("authorization", signed().headers["authorization"].to_str().unwrap());
    assert_eq!(both.verify("lambda").unwrap_err(), Rejection::HeaderAndQuery);
    for name in
        ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"]
    {
        let mut doubled = url.clone();
        doubled.query = doubled.query.map(|query| format!("{query}&{name}=x"));
        assert_eq!(doubled.verify("lambda").unwrap_err(), Rejection::Ambiguous { name });
    }
    for name in ["authorization", "x-amz-date", "x-amz-content-sha256"] {
        let doubled = signed().header(name, "x").verify("lambda").unwrap_err();
        assert!(matches!(doubled, Rejection::Ambiguous { .. }), "{doubled:?}");
    }
    let twice = signed().replace("authorization", "SignedHeaders=", "Credential=x, SignedHeaders=");
    assert_eq!(twice.verify("lambda").unwrap_err(), Rejection::Ambiguous { name: "Credential" });
}

#[test]
fn session_tokens_belong_to_their_key_and_end() {
    let mut key = AccessKey::new(SESSION_KEY_ID, SECRET);
    key.session_token = Some(SESSION_TOKEN.to_owned());
    assert!(signed_with(&key, "lambda").verify("lambda").is_ok());
    key.session_token = Some("other".to_owned());
    assert_eq!(signed_with(&key, "lambda").verify("lambda").unwrap_err(), Rejection::UnrecognizedClient);
    key.session_token = None;
    assert_eq!(signed_with(&key, "lambda").verify("lambda").unwrap_err(), Rejection::UnrecognizedClient);
    // Some clients add the token after signing.
    let unsigned_token = signed_with(&key, "lambda").header("x-amz-security-token", SESSION_TOKEN);
    assert!(unsigned_token.verify("lambda").is_ok());
    let mut long_term = AccessKey::new(KEY_ID, SECRET);
    long_term.session_token = Some("made-up".to_owned());
    assert_eq!(
        signed_with(&long_term, "lambda").verify("lambda").unwrap_err(),
        Rejection::UnrecognizedClient
    );

    key.session_token = Some(SESSION_TOKEN.to_owned());
    let signer = Signer { access_key: &key, region: "us-east-1", service: "lambda", now: NOW };
    let empty = Payload::Hash(BodyHash::EMPTY);
    let target = signer.presign("GET", "h", "/", None, 7200, empty).unwrap();
    let url = Request::new("GET", &target, &["host:h"]);
    assert!(url.verify_at("lambda", SESSION_END - 1).is_ok());
    assert_eq!(url.verify_at("lambda", SESSION_END).unwrap_err(), Rejection::ExpiredToken);
}

#[test]
fn strangers_are_refused_before_their_body_is_read() {
    let accept = Accept { services: &["lambda"], region: None };
    let verifier = verifier();
    let honest = signed();
    let head = verifier.verify_head(&honest.view(), &accept, NOW).unwrap();
    assert!(head.is_authenticated());
    assert!(verifier.verify_body(head, &BodyHash::of(&honest.body)).is_ok());
    let stranger = signed_with(&AccessKey::new(KEY_ID, "guess"), "lambda");
    let refused = verifier.verify_head(&stranger.view(), &accept, NOW);
    assert_eq!(refused.err(), Some(Rejection::SignatureMismatch));

    // Without the hash, the body decides, and the head says so.
    let vector = Request::new(
        "POST",
        "/",
        &[
            "host:example.amazonaws.com",
            "x-amz-date:20150830T123600Z",
            "authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ],
    );
    let accept = Accept { services: &["service"], region: None };
    let head = verifier.verify_head(&vector.view(), &accept, NOW).unwrap();
    assert!(!head.is_authenticated() && !head.is_body_unsigned());
    let refused = verifier.verify_body(head, &BodyHash::of(b"x"));
    assert_eq!(refused.err(), Some(Rejection::SignatureMismatch));
}

#[test]
fn bodies_that_nobody_vouches_for_are_refused() {
    for value in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", "e3b0"] {
        let rejection = signed().set("x-amz-content-sha256", value).verify("lambda").unwrap_err();
        assert_eq!(rejection, Rejection::UnsupportedPayload { got: value.to_owned() });
    }
    let mut for_s3 = signed_with(&AccessKey::new(KEY_ID, SECRET), "s3");
    for value in ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        let rejection = for_s3.clone().set("x-amz-content-sha256", value).verify("s3").unwrap_err();
        assert_eq!(rejection, Rejection::UnsupportedPayload { got: value.to_owned() });
    }
    for_s3.headers.remove("x-amz-content-sha256");
    assert_eq!(for_s3.verify("s3").unwrap_err(), Rejection::MissingPayloadHash);
}

#[test]
fn odd_bytes_and_sizes_are_refused_quietly() {
    let mut request = signed();
    let odd = HeaderValue::from_bytes(b"AWS4-HMAC-SHA256 Credential=\xff\xfe, Signature=\x80").unwrap();
    request.headers.insert("authorization", odd);
    assert!(matches!(request.verify("lambda"), Err(Rejection::NotKeyValue { .. })));
    assert_eq!(claimed_credential(&request.view()), None);

    let huge = "a;".repeat(200_000);
    let request = signed().replace("authorization", "SignedHeaders=", &format!("SignedHeaders={huge}"));
    mismatch(&request);
    let slashes = "/".repeat(100_000);
    let request = signed().replace("authorization", "Credential=", &format!("Credential={slashes}"));
    assert!(request.verify("lambda").unwrap_err().to_string().len() < 500);

    let mut request = signed();
    request.headers.insert("x-amz-date", HeaderValue::from_bytes(b"20150830T12360\xff\xff").unwrap());
    assert!(matches!(request.verify("lambda"), Err(Rejection::InvalidDate { .. })));
    let mut url = presigned(60);
    url.query = url.query.map(|query| query.replace("SignedHeaders=host", "SignedHeaders=host%3Bho%0Ast"));
    mismatch(&url);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn nothing_panics(data in proptest::collection::vec(any::<u8>(), 0..512)) {
        fuzz_verify(&data);
    }

    #[test]
    fn nothing_that_looks_like_a_request_panics(
        target in "/[ -~\u{80}-\u{ffff}]{0,24}",
        date in "(20150830T123600Z|[0-9TZ]{0,17})",
        credential in "(AKID[A-Z]{0,3}|[ -~]{0,8})/(20150830|[0-9]{0,9})/[a-z0-9-]{0,9}/(lambda|s3|[ -~]{0,6})/(aws4_request|[ -~]{0,4})",
        signed in "[ -~]{0,24}",
        signature in "([0-9a-f]{64}|[ -~]{0,70})",
        hash in "([0-9a-f]{64}|UNSIGNED-PAYLOAD|[ -~]{0,12})",
        in_query in any::<bool>(),
    ) {
        let request = if in_query {
            format!(
                "GET {target}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={date}\
                 &X-Amz-SignedHeaders=host;{signed}&X-Amz-Signature={signature}&X-Amz-Expires=60\nhost:h\n\nbody"
            )
        } else {
            format!(
                "POST {target}\nhost:h\nx-amz-date:{date}\nx-amz-content-sha256:{hash}\nauthorization:\
                 AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date;{signed}, \
                 Signature={signature}\n\nbody"
            )
        };
        fuzz_verify(request.as_bytes());
    }
}
