//! CloudWatch Logs, or whatever speaks its API.
//!
//! See "PutLogEvents" in the Amazon CloudWatch Logs API reference for what a batch may hold. Log groups and streams are
//! made when they are not there. Requests are signed with the operator's key for the region of the function.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use parking_lot::Mutex;
use rushlight_auth::AccessKey;
use rushlight_auth::sigv4::{BodyHash, Payload, Signer, sign_request};
use rushlight_model::clock::Clock;
use rushlight_model::log::{LogEvent, LogStream};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Streams;
use crate::delivery::{Courier, Failure, PATIENCE};
use crate::http_client::HttpClient;
use crate::keys::operator_key;

const BATCH_EVENTS: usize = 10_000;
const BATCH_BYTES: usize = 1_048_576;
/// What each event counts for besides its message.
const EVENT_BYTES: usize = 26;
const BATCH_MILLISECONDS: i64 = 24 * 3600 * 1000;
/// The most that is read of an answer.
const ANSWER_BYTES: u64 = 64 * 1024;
/// Streams that are written to at a time.
const CONCURRENT_STREAMS: usize = 8;
/// In the URL, for the region of the function.
const REGION: &str = "{region}";

/// See the module.
#[derive(Debug)]
pub(super) struct CloudWatch {
    url: String,
    key: Option<AccessKey>,
    clients: Mutex<HashMap<String, Arc<HttpClient>>>,
}

/// Why a request was refused.
enum Refusal {
    /// There is no such group or stream, or there is one already.
    Missing,
    Exists,
    Other(Failure),
}

impl CloudWatch {
    /// The service at `url`, in which `{region}` stands for that of the function.
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let this = Self { url: url.to_owned(), key: operator_key()?, clients: Mutex::default() };
        this.client("us-east-1")?;
        Ok(this)
    }

    pub(super) async fn deliver(self: &Arc<Self>, streams: Streams, courier: &Courier) {
        let mut deliveries = JoinSet::new();
        for (stream, events) in streams {
            if deliveries.len() >= CONCURRENT_STREAMS {
                deliveries.join_next().await;
            }
            let (this, courier) = (Arc::clone(self), courier.clone());
            deliveries.spawn(async move {
                for batch in batches(events) {
                    courier.deliver(batch.len(), || this.put(&stream, &batch)).await;
                }
            });
        }
        while deliveries.join_next().await.is_some() {}
    }

    async fn put(&self, stream: &LogStream, batch: &[LogEvent]) -> Result<(), Failure> {
        let LogStream { region, group, stream, .. } = stream;
        let group_named = json!({ "logGroupName": group });
        let stream_named = json!({ "logGroupName": group, "logStreamName": stream });
        let mut request = stream_named.clone();
        request["logEvents"] = batch.iter().map(event).collect();
        match self.call(region, "PutLogEvents", &request).await.and_then(warn_of_rejected) {
            Err(Refusal::Missing) => {}
            result => return result.map_err(Failure::from),
        }
        self.make(region, "CreateLogGroup", &group_named).await?;
        self.make(region, "CreateLogStream", &stream_named).await?;
        self.call(region, "PutLogEvents", &request).await.and_then(warn_of_rejected).map_err(Failure::from)
    }

    async fn make(&self, region: &str, operation: &str, input: &Value) -> Result<(), Failure> {
        match self.call(region, operation, input).await {
            Ok(_) | Err(Refusal::Exists) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn call(&self, region: &str, operation: &str, input: &Value) -> Result<Value, Refusal> {
        let unsendable = |error: &dyn std::fmt::Display| Refusal::Other(Failure::Lasting(error.to_string()));
        let client = self.client(region).map_err(|error| unsendable(&error))?;
        let body = Bytes::from(input.to_string());
        let request = Request::post("/")
            .header(HOST, client.authority())
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .body(());
        let (mut parts, ()) = request.map_err(|error| unsendable(&error))?.into_parts();
        if let Some(access_key) = &self.key {
            let signer =
                Signer { access_key, region, service: "logs", now: Clock::real().now().as_seconds() };
            sign_request(&signer, &mut parts, Payload::Hash(BodyHash::of(&body)))
                .map_err(|error| unsendable(&error))?;
        }
        let request = Request::from_parts(parts, Full::new(body));
        let answer =
            client.exchange(request, ANSWER_BYTES).await.map_err(|error| Refusal::Other(error.into()))?;
        if answer.status.is_success() {
            return Ok(serde_json::from_slice(&answer.body).unwrap_or_default());
        }
        Err(refusal(answer.status, &answer.body))
    }

    fn client(&self, region: &str) -> anyhow::Result<Arc<HttpClient>> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(region) {
            return Ok(Arc::clone(client));
        }
        let url: Uri = self.url.replace(REGION, region).parse().context("not a URL")?;
        let client = Arc::new(HttpClient::new(&url, PATIENCE)?);
        clients.insert(region.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer["__type"].as_str().and_then(|code| code.rsplit('#').next()).unwrap_or_default();
    match code {
        "ResourceNotFoundException" => Refusal::Missing,
        "ResourceAlreadyExistsException" => Refusal::Exists,
        "ThrottlingException" | "OperationAbortedException" | "RequestExpired" => {
            Refusal::Other(Failure::Passing(code.to_owned()))
        }
        _ => Refusal::Other(Failure::of_answer(status, &String::from_utf8_lossy(body))),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // Somebody removes what was made, or makes what was missing: the next attempt sees.
            Refusal::Missing => Self::Passing("the log stream is not there".to_owned()),
            Refusal::Exists => Self::Passing("the log stream is there already".to_owned()),
            Refusal::Other(failure) => failure,
        }
    }
}

/// Events that are too old or too new are refused within an answer of success.
fn warn_of_rejected(answer: Value) -> Result<(), Refusal> {
    if let Some(rejected) = answer.get("rejectedLogEventsInfo").filter(|rejected| !rejected.is_null()) {
        tracing::warn!(%rejected, "log_destination.partly_refused");
    }
    Ok(())
}

fn event(event: &LogEvent) -> Value {
    let message = String::from_utf8_lossy(&event.message);
    // An event without a message is refused, and all others with it.
    json!({ "timestamp": event.timestamp_ms, "message": if message.is_empty() { " ".into() } else { message } })
}

/// In the order of time, within the limits of a batch.
fn batches(mut events: Vec<LogEvent>) -> Vec<Vec<LogEvent>> {
    events.sort_by_key(|event| event.timestamp_ms);
    let mut batches: Vec<Vec<LogEvent>> = Vec::new();
    let mut bytes = 0;
    for event in events {
        // What is no UTF-8 grows when it is replaced.
        let cost = String::from_utf8_lossy(&event.message).len() + EVENT_BYTES;
        let fits = |batch: &Vec<LogEvent>| {
            batch.len() < BATCH_EVENTS
                && bytes + cost <= BATCH_BYTES
                && batch
                    .first()
                    .is_none_or(|first| event.timestamp_ms - first.timestamp_ms < BATCH_MILLISECONDS)
        };
        match batches.last_mut().filter(|batch| fits(batch)) {
            Some(batch) => batch.push(event),
            None => {
                bytes = 0;
                batches.push(vec![event]);
            }
        }
        bytes += cost;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_within_every_limit() {
        let event = |timestamp_ms, length| LogEvent { timestamp_ms, message: vec![b'm'; length].into() };
        let sizes = |events| batches(events).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes((0..20_001).map(|time| event(time, 1)).collect()), [10_000, 10_000, 1]);
        let half = BATCH_BYTES / 2 - EVENT_BYTES;
        assert_eq!(
            sizes(vec![event(1, half), event(2, half), event(3, half + 1), event(4, half)]),
            [2, 1, 1]
        );
        assert_eq!(sizes(vec![event(BATCH_MILLISECONDS, 1), event(0, 1), event(5, 1)]), [2, 1]);
        let times: Vec<_> =
            batches(vec![event(2, 1), event(1, 1)])[0].iter().map(|event| event.timestamp_ms).collect();
        assert_eq!(times, [1, 2]);
        assert_eq!(sizes(vec![]), [0; 0]);
    }
}
