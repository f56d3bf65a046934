//! Log events as OpenTelemetry log records.
//!
//! Attributes are named by the semantic conventions for AWS logs and for functions.

use rushlight_model::log::{LogEvent, LogStream};
use serde_json::{Value, json};

use super::Streams;
use crate::delivery::Courier;
use crate::otlp::{Receiver, attribute};

/// Bytes of messages in one request.
const REQUEST_BYTES: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Otlp(Receiver);

impl Otlp {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        Receiver::new(url).map(Self)
    }

    pub(super) async fn deliver(&self, streams: &Streams, courier: &Courier) {
        for (count, request) in requests(streams) {
            courier.deliver(count, || self.0.send("logs", &request)).await;
        }
    }
}

/// Requests, with how many events each has.
fn requests(streams: &Streams) -> Vec<(usize, Value)> {
    let (mut requests, mut resources, mut count, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    for (stream, events) in streams {
        let mut records = Vec::new();
        for event in events {
            records.push(record(event));
            count += 1;
            bytes += event.message.len();
            if bytes >= REQUEST_BYTES {
                resources.push(resource(stream, std::mem::take(&mut records)));
                requests.push((count, json!({ "resourceLogs": std::mem::take(&mut resources) })));
                (count, bytes) = (0, 0);
            }
        }
        if !records.is_empty() {
            resources.push(resource(stream, records));
        }
    }
    if count > 0 {
        requests.push((count, json!({ "resourceLogs": resources })));
    }
    requests
}

fn resource(stream: &LogStream, records: Vec<Value>) -> Value {
    let names = |key: &str, name: &str| json!({ "key": key, "value": { "arrayValue": { "values": [{ "stringValue": name }] } } });
    let function = stream.group.strip_prefix("/aws/lambda/").unwrap_or(&stream.group);
    json!({
        "resource": { "attributes": [
            attribute("service.name", function),
            attribute("cloud.account.id", &stream.account),
            attribute("cloud.region", &stream.region),
            names("aws.log.group.names", &stream.group),
            names("aws.log.stream.names", &stream.stream),
        ] },
        "scopeLogs": [{ "scope": { "name": "rushlight" }, "logRecords": records }],
    })
}

fn record(event: &LogEvent) -> Value {
    let nanoseconds = i128::from(event.timestamp_ms) * 1_000_000;
    json!({
        "timeUnixNano": nanoseconds.to_string(),
        "body": { "stringValue": String::from_utf8_lossy(&event.message) },
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn requests_are_of_bounded_size_and_lose_nothing() {
        let streams = ["a", "b"].map(|stream| {
            let stream = LogStream {
                account: "000000000000".into(),
                region: "eu-west-1".into(),
                group: "/aws/lambda/f".into(),
                stream: stream.into(),
            };
            let message = bytes::Bytes::from(vec![b'm'; 300_000]);
            let events = (0..9).map(|timestamp_ms| LogEvent { timestamp_ms, message: message.clone() });
            (Arc::new(stream), events.collect::<Vec<_>>())
        });
        let requests = requests(&streams.into_iter().collect());
        assert_eq!(requests.iter().map(|(count, _)| count).sum::<usize>(), 18);
        for (count, request) in requests {
            assert!(request.to_string().len() < REQUEST_BYTES + 400_000);
            let resources = request["resourceLogs"].as_array().unwrap();
            let records =
                resources.iter().map(|one| one["scopeLogs"][0]["logRecords"].as_array().unwrap().len());
            assert_eq!(records.sum::<usize>(), count);
        }
    }
}
