//! Code and text of each refusal, as AWS gives them, and the order in which AWS finds fault.

use crate::support::{NOW, Request};

const CREDENTIAL: &str = "Credential=AKIDEXAMPLE/20150830/us-east-1/lambda/aws4_request";
const SIGNED: &str = "SignedHeaders=host;x-amz-date";
const SIGNATURE: &str = "Signature=0000000000000000000000000000000000000000000000000000000000000000";

fn refusal(request: &Request) -> (&'static str, u16, String) {
    let rejection = request.verify("lambda").unwrap_err();
    (rejection.code(), rejection.status(), rejection.to_string())
}

fn with_authorization(value: &str) -> Request {
    Request::new("GET", "/", &["host:h", "x-amz-date:20150830T123600Z"]).set("authorization", value)
}

#[track_caller]
fn expect(request: &Request, code: &str, message: &str) {
    assert_eq!(refusal(request), (code_of(code), 403, message.to_owned()));
}

fn code_of(short: &str) -> &'static str {
    match short {
        "missing" => "MissingAuthenticationTokenException",
        "incomplete" => "IncompleteSignatureException",
        "invalid" => "InvalidSignatureException",
        "unrecognized" => "UnrecognizedClientException",
        other => panic!("{other}"),
    }
}

#[test]
fn no_credentials_at_all() {
    let request = Request::new("GET", "/", &["host:h"]);
    expect(&request, "missing", "Missing Authentication Token");
    assert_eq!(request.verify("lambda").unwrap_err().json_rpc_status(), 400);
}

#[test]
fn headers_that_are_not_signatures() {
    // SHA-256 of the header in Base64, so that a token sent by mistake is not repeated.
    expect(
        &with_authorization("Bearer abc"),
        "incomplete",
        "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded \
         with Base64): 'w1Xc6WwWEogNEZQP/dkBTThsJT4MNlKmzQanIm970rY='.",
    );
    expect(
        &Request::new("GET", "/", &["host:h", "authorization:AWS4-HMAC-SHA256"]),
        "incomplete",
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' \
         parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires \
         existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) \
         Authorization=YI2YWea8FSxnksZL2ETHbs5elHm9HQufxTLK0W0ffV0=",
    );
}

#[test]
fn presigned_urls_that_lack_parts() {
    expect(
        &Request::new("GET", "/?X-Amz-Algorithm", &["host:h"]),
        "incomplete",
        "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include \
         'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string \
         parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. \
         Re-examine the query-string parameters.",
    );
}

#[test]
fn wrong_dates() {
    let request = with_authorization(&format!("AWS4-HMAC-SHA256 {CREDENTIAL}, {SIGNED}, {SIGNATURE}"));
    expect(
        &request.clone().set("x-amz-date", "Sun, 30 Aug 2015 12:36:00 GMT"),
        "incomplete",
        "Date must be in ISO-8601 'basic format'. Got 'Sun, 30 Aug 2015 12:36:00 GMT'. See \
         http://en.wikipedia.org/wiki/ISO_8601",
    );
    expect(
        &request.clone().set("x-amz-date", "20150830T120000Z"),
        "invalid",
        "Signature expired: 20150830T120000Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)",
    );
    expect(
        &request.set("x-amz-date", "20150830T130000Z"),
        "invalid",
        "Signature not yet current: 20150830T130000Z is still later than 20150830T124100Z \
         (20150830T123600Z + 5 min.)",
    );
}

#[test]
fn wrong_scopes() {
    let scope = |credential: &str| {
        with_authorization(&format!("AWS4-HMAC-SHA256 Credential={credential}, {SIGNED}, {SIGNATURE}"))
    };
    expect(
        &scope("a/b/c/d"),
        "incomplete",
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got \
         'a/b/c/d'",
    );
    expect(
        &scope("a/b//dynamodb/e"),
        "invalid",
        "Credential should be scoped to a valid region. Credential should be scoped to correct service: \
         'lambda'. Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in \
         Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'b' != '20150830', \
         from '20150830T123600Z'.",
    );
    expect(
        &scope("AKIDNOBODY/20150830/us-east-1/lambda/aws4_request"),
        "unrecognized",
        "The security token included in the request is invalid.",
    );
}

#[test]
fn wrong_algorithms_and_signatures() {
    expect(
        &with_authorization(&format!("AWS4-ECDSA-P256-SHA256 {CREDENTIAL}, {SIGNED}, {SIGNATURE}")),
        "incomplete",
        "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now). ",
    );
    let request = with_authorization(&format!("AWS4-HMAC-SHA256 {CREDENTIAL}, {SIGNED}, {SIGNATURE}"));
    expect(
        &request,
        "invalid",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details.",
    );
    expect(
        &with_authorization(&format!("AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders=, {SIGNATURE}")),
        "invalid",
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
}

#[test]
fn a_date_header_serves_when_there_is_no_x_amz_date() {
    // An HTTP date is not the format that signatures are dated in.
    let authorization = format!("AWS4-HMAC-SHA256 {CREDENTIAL},SignedHeaders=date;host,{SIGNATURE}");
    let request =
        Request::new("GET", "/", &["host:h", "date:20150830T123600Z"]).set("authorization", &authorization);
    assert_eq!(request.verify_at("lambda", NOW).unwrap_err().code(), "InvalidSignatureException");
    let late = request.verify_at("lambda", NOW + 1000).unwrap_err().to_string();
    assert!(late.starts_with("Signature expired: 20150830T123600Z"), "{late}");
}
