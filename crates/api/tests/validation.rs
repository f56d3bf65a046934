//! Requests that AWS refuses are refused in AWS's words.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use rushlight_api::lambda::routes::resolve;
use rushlight_api::lambda::types::{Architecture, InvocationType, Runtime};
use rushlight_api::lambda::{decode, types};
use rushlight_api::{Error, Query};

/// What is wrong with a request.
fn refusal(method: Method, target: &str, body: &str) -> Error {
    refusal_with_headers(method, target, &HeaderMap::new(), body)
}

fn refusal_with_headers(method: Method, target: &str, headers: &HeaderMap, body: &str) -> Error {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let query = Query::parse(query);
    let resolution = resolve(&method, path, &query).expect("a route");
    decode::check(
        resolution.operation,
        &resolution.labels,
        &query,
        headers,
        Bytes::copy_from_slice(body.as_bytes()),
    )
    .expect_err("a refusal")
}

#[track_caller]
fn refused(method: Method, target: &str, body: &str, expected: &str) {
    let error = refusal(method, target, body);
    assert_eq!((error.code.as_ref(), error.status.as_u16()), ("ValidationException", 400), "{error}");
    assert_eq!(error.message.as_deref(), Some(expected));
}

#[track_caller]
fn mistyped(body: &str, expected: Option<&str>) {
    let error = refusal(Method::POST, "/2015-03-31/functions", body);
    assert_eq!((error.code.as_ref(), error.status.as_u16()), ("SerializationException", 400), "{body}");
    assert_eq!(error.message.as_deref(), expected, "{body}");
}

const FUNCTIONS: &str = "/2015-03-31/functions";
const ROLE: &str = "arn:aws:iam::123456789012:role/r";

fn create(more: &str) -> String {
    format!(r#"{{"FunctionName": "f", "Role": "{ROLE}", "Code": {{}}{more}}}"#)
}

#[test]
fn a_missing_member() {
    refused(
        Method::POST,
        FUNCTIONS,
        r#"{"FunctionName": "f", "Code": {}}"#,
        "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null",
    );
    refused(
        Method::DELETE,
        "/2017-03-31/tags/arn:aws:lambda:us-east-1:123456789012:function:f",
        "",
        "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
    );
}

#[test]
fn several_are_joined_in_the_order_of_the_model() {
    refused(
        Method::POST,
        FUNCTIONS,
        "",
        "3 validation errors detected: \
         Value null at 'functionName' failed to satisfy constraint: Member must not be null; \
         Value null at 'role' failed to satisfy constraint: Member must not be null; \
         Value null at 'code' failed to satisfy constraint: Member must not be null",
    );
}

#[test]
fn a_pattern() {
    refused(
        Method::POST,
        FUNCTIONS,
        r#"{"FunctionName": "f", "Role": "r1", "Code": {}}"#,
        "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
    );
    refused(
        Method::GET,
        "/2015-03-31/functions/f%20g",
        "",
        "1 validation error detected: Value 'f g' at 'functionName' failed to satisfy constraint: Member must \
         satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|\
         (-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)\
         (:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
    );
}

#[test]
fn a_pattern_with_look_around() {
    for (name, accepted) in [("live", true), ("1a", true), ("-", true), ("12", false), ("a b", false)] {
        let body = format!(r#"{{"Name": "{name}", "FunctionVersion": "1"}}"#);
        let query = Query::default();
        let path = "/2015-03-31/functions/f/aliases";
        let resolution = resolve(&Method::POST, path, &query).expect("a route");
        let decoded =
            decode::create_alias_request(&resolution.labels, &query, &HeaderMap::new(), Bytes::from(body));
        assert_eq!(decoded.is_ok(), accepted, "{name}");
        if let Err(error) = decoded {
            let expected = format!(
                "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member \
                 must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
            );
            assert_eq!(error.message, Some(expected));
        }
    }
}

#[test]
fn a_length() {
    let name = "n".repeat(141);
    refused(
        Method::POST,
        FUNCTIONS,
        &format!(r#"{{"FunctionName": "{name}", "Role": "{ROLE}", "Code": {{}}}}"#),
        &format!(
            "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: \
             Member must have length less than or equal to 140"
        ),
    );
}

#[test]
fn a_range() {
    refused(
        Method::POST,
        FUNCTIONS,
        &create(r#", "MemorySize": 127, "Timeout": 99999999999"#),
        "2 validation errors detected: Value '99999999999' at 'timeout' failed to satisfy constraint: Member \
         must have value less than or equal to 5400; Value '127' at 'memorySize' failed to satisfy \
         constraint: Member must have value greater than or equal to 128",
    );
    refused(
        Method::GET,
        "/2015-03-31/functions?MaxItems=0",
        "",
        "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: Member must have \
         value greater than or equal to 1",
    );
}

#[test]
fn an_enumeration() {
    refused(
        Method::GET,
        "/2015-03-31/functions?FunctionVersion=SOME",
        "",
        "1 validation error detected: Value 'SOME' at 'functionVersion' failed to satisfy constraint: Member \
         must satisfy enum value set: [ALL]",
    );
    refused(
        Method::POST,
        FUNCTIONS,
        &create(r#", "SnapStart": {"ApplyOn": "x"}, "TracingConfig": {"Mode": "y"}"#),
        "2 validation errors detected: Value 'y' at 'tracingConfig.mode' failed to satisfy constraint: Member \
         must satisfy enum value set: [Active, PassThrough]; Value 'x' at 'snapStart.applyOn' failed to \
         satisfy constraint: Member must satisfy enum value set: [PublishedVersions, None]",
    );
    refused(
        Method::POST,
        "/2015-03-31/event-source-mappings",
        r#"{"FunctionName": "f", "StartingPosition": "z"}"#,
        "1 validation error detected: Value 'z' at 'startingPosition' failed to satisfy constraint: Member \
         must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
    );
}

#[test]
fn a_runtime_is_not_judged_here() {
    let body = create(r#", "Runtime": "cobol85""#);
    let query = Query::default();
    let resolution = resolve(&Method::POST, FUNCTIONS, &query).expect("a route");
    let input =
        decode::create_function_request(&resolution.labels, &query, &HeaderMap::new(), Bytes::from(body))
            .expect("accepted");
    assert_eq!(input.runtime, Some(Runtime::Unknown("cobol85".into())));
    assert_eq!(Runtime::from("python3.12"), Runtime::Python3_12);
}

#[test]
fn an_entry_of_a_list() {
    refused(
        Method::POST,
        FUNCTIONS,
        &create(r#", "Architectures": ["X86_64"]"#),
        "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: \
         Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must \
         not be null]",
    );
    refused(
        Method::POST,
        FUNCTIONS,
        &create(r#", "VpcConfig": {"SubnetIds": ["subnet-1", null, "x"]}"#),
        "1 validation error detected: Value '[subnet-1, null, x]' at 'vpcConfig.subnetIds' failed to satisfy \
         constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, \
         Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: \
         subnet-[0-9a-z]*, Member must not be null]",
    );
}

#[test]
fn a_list_that_is_too_long() {
    refused(
        Method::POST,
        FUNCTIONS,
        &create(r#", "Architectures": ["arm64", "arm64"]"#),
        "1 validation error detected: Value '[arm64, arm64]' at 'architectures' failed to satisfy constraint: \
         Member must have length less than or equal to 1",
    );
}

#[test]
fn a_member_of_a_structure_within_a_list() {
    refused(
        Method::POST,
        FUNCTIONS,
        &create(r#", "FileSystemConfigs": [{"LocalMountPath": "/mnt/a"}]"#),
        "1 validation error detected: Value null at 'fileSystemConfigs.1.member.arn' failed to satisfy \
         constraint: Member must not be null",
    );
}

#[test]
fn a_map() {
    refused(
        Method::POST,
        "/2015-03-31/functions/f/aliases",
        r#"{"Name": "a", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"x": 2}}}"#,
        "2 validation errors detected: Value '{x=2.0}' at 'routingConfig.additionalVersionWeights' failed to \
         satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to \
         1024, Member must have length greater than or equal to 1, Member must satisfy regular expression \
         pattern: [0-9]+, Member must not be null]; Value '{x=2.0}' at 'routingConfig.additionalVersionWeights' \
         failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than \
         or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
    );
}

#[test]
fn what_is_sensitive_is_not_printed() {
    refused(
        Method::POST,
        FUNCTIONS,
        &create(r#", "Environment": {"Variables": {"1": "secret"}}"#),
        "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys \
         must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, \
         Member must not be null]",
    );
    let code = types::FunctionCode { zip_file: Some(Bytes::from_static(b"secret")), ..Default::default() };
    let environment = types::Environment { variables: Some([("K".to_owned(), "secret".to_owned())].into()) };
    let printed = format!("{code:?} {environment:?}");
    assert!(!printed.contains("secret") && printed.contains("<redacted>"), "{printed}");
}

#[test]
fn headers_and_qualifiers_of_an_invocation() {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-invocation-type", HeaderValue::from_static("Now"));
    let target = "/2015-03-31/functions/f/invocations?Qualifier=a%20b";
    let error = refusal_with_headers(Method::POST, target, &headers, "not looked at");
    assert_eq!(
        error.message.as_deref(),
        Some(
            "2 validation errors detected: Value 'Now' at 'invocationType' failed to satisfy constraint: \
             Member must satisfy enum value set: [DryRun, RequestResponse, Event]; Value 'a b' at \
             'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \
             \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
        )
    );
}

#[test]
fn an_invocation_keeps_its_body_as_it_is() {
    let query = Query::parse(Some("Qualifier=%24LATEST"));
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-invocation-type", HeaderValue::from_static("Event"));
    let resolution = resolve(&Method::POST, "/2015-03-31/functions/f/invocations", &query).expect("a route");
    let body = Bytes::from_static(b"\xff not json");
    let input = decode::invoke_request(&resolution.labels, &query, &headers, body.clone()).expect("accepted");
    assert_eq!(input.invocation_type, Some(InvocationType::Event));
    assert_eq!(input.qualifier.as_deref(), Some("$LATEST"));
    let payload = input.payload.expect("a payload");
    assert_eq!((payload.as_ptr(), payload.len()), (body.as_ptr(), body.len()), "not copied");
}

#[test]
fn a_value_of_the_wrong_type() {
    mistyped(&create(r#", "Timeout": "3""#), Some("STRING_VALUE can not be converted to an Integer"));
    mistyped(&create(r#", "Description": 1"#), Some("NUMBER_VALUE can not be converted to a String"));
    mistyped(&create(r#", "Description": true"#), Some("TRUE_VALUE can not be converted to a String"));
    mistyped(&create(r#", "Description": []"#), Some("Start of list found where not expected"));
    mistyped(&create(r#", "Description": {}"#), Some("Start of structure or map found where not expected."));
    mistyped(&create(r#", "Layers": "l""#), Some("Expected list or null"));
    mistyped(&create(r#", "VpcConfig": "v""#), Some("Expected null"));
    mistyped(
        &create(r#", "Environment": {"Variables": {"AB": 1}}"#),
        Some("NUMBER_VALUE can not be converted to a String"),
    );
    mistyped("[]", Some("Start of list found where not expected"));
}

#[test]
fn a_wrong_type_goes_before_a_broken_constraint() {
    mistyped(
        r#"{"FunctionName": "%", "Timeout": "3"}"#,
        Some("STRING_VALUE can not be converted to an Integer"),
    );
}

#[test]
fn a_body_that_is_not_json() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(2000), "}".repeat(2000));
    for body in ["{", "\"x\"", "{\"FunctionName\": \"f\",}", "\u{0}", deep.as_str()] {
        mistyped(body, None);
    }
}

#[test]
fn unknown_members_and_nulls_are_passed_over() {
    let body = create(
        r#", "Unheard": {"Of": [1]}, "Description": null, "Timeout": 3.9, "Architectures": ["arm64"]"#,
    );
    let query = Query::default();
    let resolution = resolve(&Method::POST, FUNCTIONS, &query).expect("a route");
    let input =
        decode::create_function_request(&resolution.labels, &query, &HeaderMap::new(), Bytes::from(body))
            .expect("accepted");
    assert_eq!(input.description, None);
    assert_eq!(input.timeout, Some(3), "fractions are cut off");
    assert_eq!(input.architectures, Some(vec![Architecture::Arm64]));
}

#[test]
fn a_code_package_is_decoded_from_base64() {
    let query = Query::default();
    let resolution = resolve(&Method::PUT, "/2015-03-31/functions/f/code", &query).expect("a route");
    let decode = |zip: &str| {
        let body = Bytes::from(format!(r#"{{"ZipFile": "{zip}"}}"#));
        decode::update_function_code_request(&resolution.labels, &query, &HeaderMap::new(), body)
    };
    for text in ["UEsDBA==", "UEsDBA", r"UEsD\u0042A=="] {
        assert_eq!(decode(text).expect("accepted").zip_file, Some(Bytes::from_static(b"PK\x03\x04")));
    }
    assert_eq!(decode("%%").expect_err("refused").code, "SerializationException");
}

#[test]
fn repeated_query_keys_are_a_list() {
    let query = Query::parse(Some("tagKeys=a&tagKeys=b+c"));
    let path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af";
    let resolution = resolve(&Method::DELETE, path, &query).expect("a route");
    let input = decode::untag_resource_request(&resolution.labels, &query, &HeaderMap::new(), Bytes::new())
        .expect("ok");
    assert_eq!(input.tag_keys, ["a", "b c"]);
    assert_eq!(input.resource, "arn:aws:lambda:us-east-1:123456789012:function:f");
}

#[test]
fn the_number_of_described_violations_is_bounded() {
    let filters = vec!["{}"; 5000].join(",");
    let body = create(&format!(r#", "FileSystemConfigs": [{filters}]"#));
    let message = refusal(Method::POST, FUNCTIONS, &body).message.expect("a message");
    assert!(message.starts_with("10001 validation errors detected: "), "{}", &message[..80]);
    assert!(message.len() < 100_000, "{}", message.len());
}
