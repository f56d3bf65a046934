//! A receiver of OpenTelemetry data: OTLP over HTTP with JSON.
//!
//! See "OTLP/HTTP" and "JSON Protobuf Encoding" in the OpenTelemetry protocol specification. Headers that it wants, for
//! instance a key, are taken from `OTEL_EXPORTER_OTLP_HEADERS` as the specification of its exporters has it.

use anyhow::Context;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Uri};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::delivery::{Failure, PATIENCE};
use crate::http_client::HttpClient;

/// The most that is read of an answer.
const ANSWER_BYTES: u64 = 64 * 1024;
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// See the module.
#[derive(Debug)]
pub(crate) struct Receiver {
    client: HttpClient,
    /// In front of `/v1/logs` and the like.
    path: String,
    headers: HeaderMap,
}

impl Receiver {
    /// The receiver at `url`, e.g. `http://127.0.0.1:4318`.
    ///
    /// # Errors
    /// One sentence with the mend.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let parsed: Uri = url.parse().with_context(|| format!("{url}: not a URL"))?;
        let headers = match std::env::var(HEADERS) {
            Ok(text) => headers(&text).with_context(|| {
                format!("{HEADERS} is not of the form name=value,name=value with percent-encoded values")
            })?,
            Err(_) => HeaderMap::new(),
        };
        Ok(Self {
            client: HttpClient::new(&parsed, PATIENCE)?,
            path: parsed.path().trim_end_matches('/').to_owned(),
            headers,
        })
    }

    /// Hands over one request for `signal`: `logs` or `traces`.
    pub(crate) async fn send(&self, signal: &str, body: &Value) -> Result<(), Failure> {
        let mut request = Request::post(format!("{}/v1/{signal}", self.path))
            .header(HOST, self.client.authority())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| Failure::Lasting(error.to_string()))?;
        request.headers_mut().extend(self.headers.clone());
        let answer = self.client.exchange(request, ANSWER_BYTES).await?;
        let text = String::from_utf8_lossy(&answer.body);
        if !answer.status.is_success() {
            return Err(Failure::of_answer(answer.status, &text));
        }
        // A part may be refused for good; the specification forbids to send it again.
        if serde_json::from_str::<Value>(&text)
            .is_ok_and(|answer| answer["partialSuccess"]["errorMessage"].is_string())
        {
            tracing::warn!(signal, answer = %text, "otlp.partly_refused");
        }
        Ok(())
    }
}

/// An attribute with a text.
pub(crate) fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn headers(text: &str) -> Option<HeaderMap> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((name.trim().parse::<HeaderName>().ok()?, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_exporters_read_them() {
        let read = headers("api-key=abc, Authorization=Basic%20eA%3D%3D,").unwrap();
        assert_eq!(
            (&read["api-key"], &read["authorization"]),
            (&"abc".parse().unwrap(), &"Basic eA==".parse().unwrap())
        );
        assert!(headers("no pair").is_none() && headers("a=b%0Ac").is_none());
    }
}
