//! One record of telemetry, kept once for all subscribers, and how each of them gets it.

use bytes::Bytes;
use rushlight_model::clock::Timestamp;

use super::subscription::{Api, Schema, Subscription, Type};
use crate::report;

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The runtime's process, and what it has started.
    Function,
    /// An external extension.
    Extension,
}

/// What has happened.
#[derive(Debug, Clone)]
pub(super) enum Record {
    /// An event of the platform: what follows `platform.` in its type, and the whole of it.
    Platform { kind: &'static str, event: Bytes },
    /// Something that a process has written. `is_json`: the function's logs are in JSON, and lines may be objects.
    /// `size`: see [`Record::size`].
    Line { source: Source, time: Timestamp, text: Bytes, is_json: bool, size: usize },
}

/// About what a line has around it.
const ENVELOPE: usize = 80;

impl Record {
    pub(super) fn platform(now: Timestamp, kind: &'static str, record: &serde_json::Value) -> Self {
        Self::Platform { kind, event: report::envelope(now, kind, record).into() }
    }

    pub(super) fn line(source: Source, time: Timestamp, text: Bytes, is_json: bool) -> Self {
        let size = ENVELOPE + length_in_json(&text);
        Self::Line { source, time, text, is_json, size }
    }

    /// Bytes that count for what is kept and for what is lost: as many as are sent, or a few more.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Platform { event, .. } => event.len(),
            Self::Line { size, .. } => *size,
        }
    }

    /// Whether a subscription is about this.
    pub(super) fn is_for(&self, subscription: &Subscription) -> bool {
        match self {
            Self::Platform { kind, .. } => {
                subscription.wants(Type::Platform) && is_known(kind, subscription.schema)
            }
            Self::Line { source: Source::Function, .. } => subscription.wants(Type::Function),
            Self::Line { source: Source::Extension, .. } => subscription.wants(Type::Extension),
        }
    }

    /// Appends the record in JSON, without a line feed in it.
    pub(super) fn write(&self, schema: Schema, out: &mut Vec<u8>) {
        let (source, time, text, is_json) = match self {
            Self::Platform { kind: "runtimeDone", event } if schema.api() == Api::Logs => {
                return out.extend_from_slice(&runtime_done_of_logs(event));
            }
            Self::Platform { event, .. } => return out.extend_from_slice(event),
            Self::Line { source, time, text, is_json, .. } => (source, time, text, is_json),
        };
        let source = match source {
            Source::Function => "function",
            Source::Extension => "extension",
        };
        let time = time.to_iso_millis();
        out.extend_from_slice(format!(r#"{{"time":"{time}","type":"{source}","record":"#).as_bytes());
        let is_object = *is_json && schema.has_objects() && is_object(text);
        if is_object && !text.contains(&b'\n') {
            out.extend_from_slice(text);
        } else {
            // Valid JSON has line feeds only between its tokens, where a blank means the same.
            let line = String::from_utf8_lossy(text);
            let line = if is_object { line.replace('\n', " ") } else { quoted(&line) };
            out.extend_from_slice(line.as_bytes());
        }
        out.push(b'}');
    }
}

/// `platform.runtimeDone` as the Logs API has it: with fewer members, and another word for errors.
fn runtime_done_of_logs(event: &Bytes) -> Bytes {
    let Ok(mut event) = serde_json::from_slice::<serde_json::Value>(event) else { return event.clone() };
    if let Some(record) = event["record"].as_object_mut() {
        record.retain(|name, _| matches!(name.as_str(), "requestId" | "status"));
        if record.get("status").is_some_and(|status| status == "error") {
            record.insert("status".to_owned(), "failure".into());
        }
    }
    event.to_string().into()
}

/// Bytes of a text as a JSON string, at most: a few bytes can become six times as many.
fn length_in_json(text: &[u8]) -> usize {
    let is_text = std::str::from_utf8(text).is_ok();
    let length = |byte: &u8| match byte {
        b'"' | b'\\' => 2,
        0x00..0x20 => 6,
        // Each byte that is no part of a character becomes a replacement character.
        0x80.. if !is_text => 3,
        _ => 1,
    };
    text.iter().map(length).sum()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

/// Which events of the platform a schema has: the frozen Logs API knows those of its time.
fn is_known(kind: &str, schema: Schema) -> bool {
    match (schema.api(), kind) {
        (Api::Telemetry, kind) => !matches!(kind, "end" | "fault"),
        (Api::Logs, "runtimeDone") => schema == Schema::Logs2021,
        (Api::Logs, kind) => {
            !matches!(kind, "initStart" | "initRuntimeDone" | "initReport" | "telemetrySubscription")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &'static str, is_json: bool, schema: Schema) -> serde_json::Value {
        let text = Bytes::from_static(text.as_bytes());
        let line = Record::line(Source::Function, Timestamp::from_millis(0), text.clone(), is_json);
        let mut out = Vec::new();
        line.write(schema, &mut out);
        assert!(!out.contains(&b'\n') && out.len() <= line.size(), "{text:?}");
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_is_a_string_unless_it_is_an_object_that_the_schema_takes() {
        let object = "{\"a\":\n1}";
        for schema in [Schema::Telemetry2022December, Schema::Telemetry2025] {
            assert_eq!(written(object, true, schema)["record"], serde_json::json!({ "a": 1 }));
            assert_eq!(written(object, false, schema)["record"], object);
        }
        for schema in [Schema::Telemetry2022July, Schema::Logs2020, Schema::Logs2021] {
            assert_eq!(written(object, true, schema)["record"], object);
        }
        for text in ["plain \"text\"\n", "{\"cut\":", "[1]", "1", "{} {}", ""] {
            let value = written(text, true, Schema::Telemetry2025);
            assert_eq!(value["record"], text);
            assert_eq!(
                (&value["time"], &value["type"]),
                (&"1970-01-01T00:00:00.000Z".into(), &"function".into())
            );
        }
    }

    #[test]
    fn the_logs_api_says_less_of_the_end() {
        let event = r#"{"time":"t","type":"platform.runtimeDone","record":{"requestId":"r","status":"error","metrics":{}}}"#;
        let record = Record::Platform { kind: "runtimeDone", event: Bytes::from_static(event.as_bytes()) };
        let written = |schema| {
            let mut out = Vec::new();
            record.write(schema, &mut out);
            serde_json::from_slice::<serde_json::Value>(&out).unwrap()
        };
        let of_logs = written(Schema::Logs2021);
        assert_eq!(of_logs["type"], "platform.runtimeDone");
        assert_eq!(of_logs["record"], serde_json::json!({ "requestId": "r", "status": "failure" }));
        assert_eq!(written(Schema::Telemetry2025)["record"]["status"], "error");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_one_line_of_json_of_the_size_that_counts(
            text in prop::collection::vec(any::<u8>(), 0..100),
            is_json in any::<bool>(),
        ) {
            let line = Record::line(Source::Extension, Timestamp::from_millis(0), text.into(), is_json);
            let mut out = Vec::new();
            line.write(Schema::Telemetry2025, &mut out);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
            prop_assert!(!out.contains(&b'\n') && out.len() <= line.size());
        }
    }
}
