//! Where traces go: a receiver of OpenTelemetry.
//!
//! Each traced invocation becomes the segments that AWS X-Ray has of it, as spans of its trace: one of the service, in
//! it one of the function, and in that one for its initialisation, one for the invocation and one for what came after.
//! Attributes are named by the semantic conventions for functions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use rushlight_model::clock::Timestamp;
use rushlight_model::trace::{SegmentId, Trace, TraceSink};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::delivery::Courier;
use crate::otlp::{Receiver, attribute};

/// Traces that may wait to be sent; as many again may be on their way.
const QUEUED: usize = 2048;
/// Traces of one request.
const BATCH: usize = 512;
/// How long traces are gathered.
const GATHER: Duration = Duration::from_millis(500);
/// How long what is left may take when the server stops.
const LAST_DELIVERY: Duration = Duration::from_secs(5);

/// What OTLP calls a span that answers a request, and one that does not.
const SERVER: u8 = 2;
const INTERNAL: u8 = 1;
/// What OTLP calls a failure.
const ERROR: u8 = 2;

/// Takes traces and sends them.
#[derive(Debug)]
pub(crate) struct TraceDestination {
    queue: mpsc::Sender<Trace>,
    dropped: AtomicU64,
    tracker: TaskTracker,
    closing: CancellationToken,
    courier: Courier,
}

impl TraceDestination {
    /// Sends to what is configured: `otlp`, and a URL. Needs the runtime around it.
    ///
    /// # Errors
    /// One sentence with the mend.
    pub(crate) fn start(kind: &str, place: &str) -> anyhow::Result<Self> {
        let named = || format!("--trace-destination {kind}={place}");
        ensure!(kind == "otlp", "{}: there is otlp=URL", named());
        let receiver = Receiver::new(place).with_context(named)?;
        let (queue, traces) = mpsc::channel(QUEUED);
        let this = Self {
            queue,
            dropped: AtomicU64::new(0),
            tracker: TaskTracker::new(),
            closing: CancellationToken::new(),
            courier: Courier { place: place.to_owned(), stop: CancellationToken::new() },
        };
        this.tracker.spawn(work(traces, receiver, this.courier.clone(), this.closing.clone()));
        Ok(this)
    }

    /// Delivers what is left, as far as there is time for it.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tracker.close();
        if tokio::time::timeout(LAST_DELIVERY, self.tracker.wait()).await.is_err() {
            self.courier.stop.cancel();
            self.tracker.wait().await;
        }
    }
}

impl TraceSink for TraceDestination {
    fn push(&self, trace: Trace) {
        if self.queue.try_send(trace).is_err() {
            let before = self.dropped.fetch_add(1, Ordering::Relaxed);
            if before.is_multiple_of(QUEUED as u64) {
                tracing::warn!(place = self.courier.place, traces = before + 1, "trace_destination.dropped");
            }
        }
    }
}

/// Until it is closing, and nothing is left.
async fn work(
    mut traces: mpsc::Receiver<Trace>,
    receiver: Receiver,
    courier: Courier,
    closing: CancellationToken,
) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            count = traces.recv_many(&mut batch, BATCH) => if count == 0 { return },
            () = closing.cancelled(), if !traces.is_closed() => traces.close(),
        }
        let gather = async {
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                if traces.recv_many(&mut batch, room).await == 0 {
                    return;
                }
            }
        };
        tokio::select! {
            () = gather => {}
            () = tokio::time::sleep(GATHER) => {}
        }
        let resources: Vec<_> = batch.iter().filter_map(resource).collect();
        if !resources.is_empty() {
            let request = json!({ "resourceSpans": resources });
            courier.deliver(batch.len(), || receiver.send("traces", &request)).await;
        }
        batch.clear();
    }
}

/// None for a trace that OpenTelemetry cannot name.
fn resource(trace: &Trace) -> Option<Value> {
    let trace_id = trace_id(&trace.segments.root)?;
    Some(json!({
        "resource": { "attributes": [
            attribute("service.name", &trace.function.name),
            attribute("cloud.platform", "aws_lambda"),
            attribute("cloud.account.id", &trace.function.scope.account),
            attribute("cloud.region", &trace.function.scope.region),
            attribute("faas.name", &trace.function.name),
            attribute("faas.version", &trace.version.to_string()),
        ] },
        "scopeSpans": [{ "scope": { "name": "rushlight" }, "spans": spans(trace, &trace_id) }],
    }))
}

/// `1-<8 hex>-<24 hex>` without what is between the digits.
fn trace_id(root: &str) -> Option<String> {
    let (time, rest) = root.strip_prefix("1-")?.split_once('-')?;
    (is_hexadecimal(time, 8) && is_hexadecimal(rest, 24)).then(|| format!("{time}{rest}").to_lowercase())
}

fn spans(trace: &Trace, trace_id: &str) -> Vec<Value> {
    let segments = &trace.segments;
    let (service_id, function_id) = (segments.service.to_string(), segments.function.to_string());
    let name = &trace.function.name;
    let span = |id: &str, parent: &str, name: &str, from: Timestamp, to: Timestamp| {
        json!({
            "traceId": trace_id,
            "spanId": id,
            "parentSpanId": parent,
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": nanoseconds(from),
            "endTimeUnixNano": nanoseconds(to.max(from)),
        })
    };
    let part = |id: &SegmentId, name: &str, from, to| span(&id.to_string(), &function_id, name, from, to);
    let caller = segments.caller.as_deref().filter(|caller| is_hexadecimal(caller, 16)).unwrap_or_default();
    // Initialisation comes right before the invocation that it was for.
    let start = trace.init_duration.map_or(trace.begun, |init| earlier(trace.begun, init));
    let mut service = span(&service_id, caller, name, segments.received, trace.runtime_done);
    service["kind"] = SERVER.into();
    let mut function = span(&function_id, &service_id, name, start, trace.ended);
    function["attributes"] = attributes(trace).into();
    if let Some(error_type) = &trace.failure {
        for span in [&mut service, &mut function] {
            span["status"] = json!({ "code": ERROR, "message": error_type });
        }
    }
    let mut spans = vec![service, function];
    if trace.init_duration.is_some() {
        spans.push(part(&SegmentId::random(), "Initialization", start, trace.begun));
    }
    spans.push(part(&segments.invocation, "Invocation", trace.begun, trace.runtime_done));
    spans.push(part(&SegmentId::random(), "Overhead", trace.runtime_done, trace.ended));
    spans
}

fn attributes(trace: &Trace) -> Vec<Value> {
    let cold = trace.init_duration.is_some();
    let mut attributes = vec![
        attribute("cloud.resource_id", &trace.function.arn()),
        attribute("faas.invocation_id", &trace.request_id.to_string()),
        json!({ "key": "faas.coldstart", "value": { "boolValue": cold } }),
    ];
    let tenant_id = trace.tenant_id.as_ref();
    attributes.extend(tenant_id.map(|tenant_id| attribute("aws.lambda.tenant_id", tenant_id.as_str())));
    attributes
}

fn nanoseconds(time: Timestamp) -> String {
    (i128::from(time.as_micros()) * 1000).to_string()
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or_default();
    Timestamp::from_micros(time.as_micros().saturating_sub(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_trace_id_becomes_one() {
        assert_eq!(
            trace_id("1-5759e988-BD862e3fe1be46a994272793").as_deref(),
            Some("5759e988bd862e3fe1be46a994272793")
        );
        for root in [
            "",
            "1-",
            "1-5759e988",
            "1-5759e98-bd862e3fe1be46a994272793",
            "1-5759e988-bd862e3fe1be46a99427279x",
        ] {
            assert_eq!(trace_id(root), None, "{root}");
        }
    }
}
