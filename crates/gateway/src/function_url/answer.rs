//! From a function's result to the answer at its URL.
//!
//! An object with a `statusCode` says what to answer; anything else is the body itself, without white space around its
//! tokens and, if it is a string, without its quotes, as recorded on AWS. See "Response payload format" in
//! [Invoking Lambda function URLs](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html).

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::headers::{JSON, is_hop_by_hop, remapped};

/// The most bytes that headers, or cookies, may have in the result: as many as a request's head may have.
pub(super) const HEADER_BYTES: usize = 1024 * 1024;

/// With or without padding, as in Java.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a result cannot be made an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the result is not JSON")]
    Json,
    #[error("statusCode is not a number from 200 to 599")]
    Status,
    #[error("headers are not an object of strings that can be in headers")]
    Headers,
    #[error("cookies are not an array of strings that can be in headers")]
    Cookies,
    #[error("body is not base64, as isBase64Encoded says")]
    Body,
}

/// A result that says what to answer. Members that it does not have, and those that are null, are absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structured<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    status_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cookies: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    is_base64_encoded: Option<&'a RawValue>,
}

/// Also where it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The answer that a function's result stands for.
///
/// # Errors
/// See [`Malformed`].
pub(super) fn from_result(result: &[u8]) -> Result<Response<Bytes>, Malformed> {
    let first = result.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        let structured: Structured<'_> = serde_json::from_slice(result).map_err(|_| Malformed::Json)?;
        if let Some(status) = structured.status_code {
            return structured.respond(status);
        }
    }
    let whole: &RawValue = serde_json::from_slice(result).map_err(|_| Malformed::Json)?;
    let mut response = Response::new(json_body(whole)?);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    Ok(response)
}

/// The head of the answer that a response which comes piece by piece begins with: an object as above, whose
/// `statusCode` is 200 unless it says otherwise, without the body.
///
/// # Errors
/// See [`Malformed`].
pub(super) fn from_prelude(prelude: &[u8]) -> Result<Response<()>, Malformed> {
    let structured: Structured<'_> = serde_json::from_slice(prelude).map_err(|_| Malformed::Json)?;
    let mut response = Response::new(());
    if let Some(status) = structured.status_code {
        *response.status_mut() = status_code(status)?;
    }
    structured.put_heads(response.headers_mut())?;
    Ok(response)
}

impl Structured<'_> {
    fn respond(&self, status: &RawValue) -> Result<Response<Bytes>, Malformed> {
        let status = status_code(status)?;
        let may_have_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = self.body()?;
        let mut response = Response::new(if may_have_body { body } else { Bytes::new() });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        self.put_heads(headers)?;
        if may_have_body && !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, JSON);
        }
        Ok(response)
    }

    fn put_heads(&self, headers: &mut HeaderMap) -> Result<(), Malformed> {
        self.headers.map(|given| put_headers(headers, given)).transpose()?;
        self.cookies.map(|given| put_cookies(headers, given)).transpose()?;
        Ok(())
    }

    fn body(&self) -> Result<Bytes, Malformed> {
        let is_base64 = match self.is_base64_encoded.map(RawValue::get) {
            Some("true") => true,
            Some("false") | None => false,
            Some(_) => return Err(Malformed::Body),
        };
        let Some(body) = self.body else { return Ok(Bytes::new()) };
        match is_base64 {
            false => json_body(body),
            true => {
                let text = string(body).ok_or(Malformed::Body)?;
                BASE64.decode(text.as_bytes()).map(Bytes::from).map_err(|_| Malformed::Body)
            }
        }
    }
}

/// A number, or a string that is one.
fn status_code(given: &RawValue) -> Result<StatusCode, Malformed> {
    let text = string(given);
    let number: u16 = text.as_deref().unwrap_or(given.get()).parse().map_err(|_| Malformed::Status)?;
    // What is below announces an answer and is none itself.
    if !(200..=599).contains(&number) {
        return Err(Malformed::Status);
    }
    StatusCode::from_u16(number).map_err(|_| Malformed::Status)
}

/// Line breaks and the like are refused, so that no result can begin another header or another answer.
fn put_headers(headers: &mut HeaderMap, given: &RawValue) -> Result<(), Malformed> {
    if given.get().len() > HEADER_BYTES {
        return Err(Malformed::Headers);
    }
    let given: BTreeMap<String, &RawValue> =
        serde_json::from_str(given.get()).map_err(|_| Malformed::Headers)?;
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Malformed::Headers)?;
        let value = match value.get().as_bytes() {
            [b'"', ..] => Cow::Owned(string(value).ok_or(Malformed::Headers)?),
            [b'{' | b'[', ..] => return Err(Malformed::Headers),
            b"null" => continue,
            _ => Cow::Borrowed(value.get()),
        };
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Malformed::Headers)?;
        if !is_hop_by_hop(&name) {
            let name = remapped(&name).unwrap_or(name);
            headers.try_insert(name, value).map_err(|_| Malformed::Headers)?;
        }
    }
    Ok(())
}

fn put_cookies(headers: &mut HeaderMap, given: &RawValue) -> Result<(), Malformed> {
    if given.get().len() > HEADER_BYTES {
        return Err(Malformed::Cookies);
    }
    let cookies: Vec<String> = serde_json::from_str(given.get()).map_err(|_| Malformed::Cookies)?;
    for cookie in cookies {
        let cookie = HeaderValue::from_bytes(cookie.as_bytes()).map_err(|_| Malformed::Cookies)?;
        headers.try_append(header::SET_COOKIE, cookie).map_err(|_| Malformed::Cookies)?;
    }
    Ok(())
}

/// A string's text; any other value as JSON without white space.
fn json_body(value: &RawValue) -> Result<Bytes, Malformed> {
    match value.get().as_bytes() {
        [b'"', ..] => Ok(string(value).ok_or(Malformed::Json)?.into()),
        text => Ok(compact(text).into()),
    }
}

fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Without the white space between tokens.
fn compact(json: &[u8]) -> Vec<u8> {
    let mut compact = Vec::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for &byte in json {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = byte == b'\\' && !is_escaped;
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        compact.push(byte);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, headers as lines, body.
    fn answer(result: &str) -> Result<(u16, Vec<String>, String), Malformed> {
        let response = from_result(result.as_bytes())?;
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let headers = response.headers().iter().map(line).collect();
        Ok((response.status().as_u16(), headers, String::from_utf8(response.body().to_vec()).unwrap()))
    }

    fn refused(result: &str) -> Malformed {
        answer(result).unwrap_err()
    }

    #[test]
    fn results_without_a_status_are_the_body() {
        for (result, body) in [
            (r#" {"hello": "wor\" ld"} "#, r#"{"hello":"wor\" ld"}"#),
            ("[\"hello\", 3,\n true]", r#"["hello",3,true]"#),
            (r#""hel\u006co""#, "hello"),
            ("3.10", "3.10"),
            ("null", "null"),
            (r#"{"headers": {"a": "b"}, "body": "c"}"#, r#"{"headers":{"a":"b"},"body":"c"}"#),
            ("{}", "{}"),
        ] {
            let json = vec!["content-type: application/json".to_owned()];
            assert_eq!(answer(result), Ok((200, json, body.to_owned())), "{result}");
        }
    }

    #[test]
    fn results_with_a_status_say_what_to_answer() {
        let result = r#"{"statusCode": 201, "headers": {"Content-Type": "text/plain", "X-N": 5, "x-t": true, "x-0": null},
            "cookies": ["a=1; Secure", "b=2"], "body": "aGk", "isBase64Encoded": true, "multiValueHeaders": {"y": ["z"]}}"#;
        let headers =
            ["content-type: text/plain", "x-n: 5", "x-t: true", "set-cookie: a=1; Secure", "set-cookie: b=2"];
        assert_eq!(answer(result), Ok((201, headers.map(str::to_owned).into(), "hi".to_owned())));
        let json = || vec!["content-type: application/json".to_owned()];
        assert_eq!(answer(r#"{"statusCode": "418"}"#), Ok((418, json(), String::new())));
        assert_eq!(
            answer(r#"{"statusCode": 200, "body": {"a": [1, 2]}}"#),
            Ok((200, json(), r#"{"a":[1,2]}"#.into()))
        );
        assert_eq!(answer(r#"{"statusCode": 204, "body": "x"}"#), Ok((204, vec![], String::new())));
        let nothing =
            r#"{"statusCode": 200, "headers": null, "cookies": null, "body": null, "isBase64Encoded": null}"#;
        assert_eq!(answer(nothing), Ok((200, json(), String::new())));
    }

    #[test]
    fn what_cannot_be_answered_is_malformed() {
        for result in ["", "hello", "{", r#"{"statusCode": 200"#, r#"{"statusCode": 200} x"#, r#""\ud800""#] {
            assert_eq!(refused(result), Malformed::Json, "{result}");
        }
        for status in
            ["null", "true", "\"\"", "\"OK\"", "200.5", "-200", "99", "101", "600", "65736", "[200]", "{}"]
        {
            assert_eq!(refused(&format!(r#"{{"statusCode": {status}}}"#)), Malformed::Status, "{status}");
        }
        let member = |member: &str| refused(&format!(r#"{{"statusCode": 200, {member}}}"#));
        for headers in
            ["[]", "\"a: b\"", "1", r#"{"a": ["b"]}"#, r#"{"a": {}}"#, r#"{"": "b"}"#, r#"{"a b": "c"}"#]
        {
            assert_eq!(member(&format!(r#""headers": {headers}"#)), Malformed::Headers, "{headers}");
        }
        for cookies in ["{}", "\"a=b\"", "[1]", "[null]", r#"["a\r\nb: c"]"#] {
            assert_eq!(member(&format!(r#""cookies": {cookies}"#)), Malformed::Cookies, "{cookies}");
        }
        for body in [
            r#""body": "%", "isBase64Encoded": true"#,
            r#""isBase64Encoded": "true""#,
            r#""body": 1, "isBase64Encoded": true"#,
        ] {
            assert_eq!(member(body), Malformed::Body, "{body}");
        }
    }

    #[test]
    fn no_header_begins_another() {
        for (name, value) in [
            ("a\\r\\nb", "c"),
            ("a", "b\\r\\nc: d"),
            ("a", "b\\n"),
            ("a", "\\u0000"),
            ("a:b", "c"),
            ("\u{e4}", "b"),
        ] {
            let result = format!(r#"{{"statusCode": 200, "headers": {{"{name}": "{value}"}}}}"#);
            assert_eq!(refused(&result), Malformed::Headers, "{result}");
        }
    }

    #[test]
    fn headers_have_limits() {
        let headers = |count: usize| {
            let headers: Vec<_> = (0..count).map(|number| format!(r#""h{number}": "v""#)).collect();
            format!(r#"{{"statusCode": 200, "headers": {{{}}}}}"#, headers.join(","))
        };
        assert!(answer(&headers(1000)).is_ok());
        assert_eq!(refused(&headers(40_000)), Malformed::Headers);
        let long = format!(r#"{{"statusCode": 200, "headers": {{"a": "{}"}}}}"#, "x".repeat(HEADER_BYTES));
        assert_eq!(refused(&long), Malformed::Headers);
        let cookies = format!(
            r#"{{"statusCode": 200, "cookies": [{}]}}"#,
            vec!["\"a=b\""; HEADER_BYTES / 6 + 1].join(",")
        );
        assert_eq!(refused(&cookies), Malformed::Cookies);
    }

    #[test]
    fn headers_of_the_connection_are_the_servers_own() {
        let result = r#"{"statusCode": 200, "headers": {"Connection": "close", "Transfer-Encoding": "chunked",
            "Upgrade": "x", "Content-Length": "5", "WWW-Authenticate": "Basic", "Content-Type": "a/b"}}"#;
        let headers = [
            "x-amzn-remapped-content-length: 5",
            "content-type: a/b",
            "x-amzn-remapped-www-authenticate: Basic",
        ];
        assert_eq!(answer(result).unwrap().1, headers);
    }

    #[test]
    fn nesting_exhausts_no_stack() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let array = deep(200_000);
        assert_eq!(answer(&array).unwrap().2, array);
        let body = format!(r#"{{"statusCode": 200, "other": {array}, "body": {array}}}"#);
        assert_eq!(answer(&body).unwrap().2, array);
    }
}
