//! The lines that the platform itself writes to a function's log, byte for byte as Lambda writes them, as text or as
//! JSON ("Understanding Lambda log formats" in the developer guide).

use std::fmt::Write as _;
use std::time::Duration;

use rushlight_model::clock::Timestamp;
use rushlight_model::invocation::{Report, ReportStatus};
use rushlight_model::request_id::RequestId;
use rushlight_model::tenant::TenantId;

use crate::config::Initialization;
use crate::lifecycle::{InitPhase, Status};
use crate::logs::level::Level;
use crate::telemetry::subscription::{Api, Type};

/// An event of the platform.
#[derive(Debug)]
pub enum Event<'a> {
    /// The environment starts its runtime for the first time.
    InitStart(&'a InitStart<'a>),
    /// An initialisation has ended.
    InitReport {
        /// How the environment came to be.
        initialization: Initialization,
        /// Where it ran.
        phase: InitPhase,
        /// How long it took.
        duration: Duration,
        /// How it ended.
        status: Status,
        /// The error type, with [`Status::Error`].
        error_type: Option<&'a str>,
    },
    /// A snapshot is about to be restored.
    RestoreStart(&'a InitStart<'a>),
    /// The runtime has asked for its first event after a restore, or has failed before.
    RestoreRuntimeDone {
        /// How it ended.
        status: Status,
        /// The error type, with [`Status::Error`].
        error_type: Option<&'a str>,
    },
    /// A restore is over.
    RestoreReport {
        /// How long it took.
        duration: Duration,
        /// How it ended.
        status: Status,
        /// The error type, with [`Status::Error`].
        error_type: Option<&'a str>,
    },
    /// The event is about to be handed over.
    Start {
        /// The invocation.
        request_id: RequestId,
        /// `$LATEST` or a number.
        version: &'a str,
        /// The tenant that the environment belongs to.
        tenant_id: Option<&'a TenantId>,
    },
    /// The runtime has asked for an event for the first time, or its initialisation has failed.
    InitRuntimeDone {
        /// How the environment came to be.
        initialization: Initialization,
        /// Where it ran.
        phase: InitPhase,
        /// How it ended.
        status: Status,
        /// The error type, with [`Status::Error`].
        error_type: Option<&'a str>,
    },
    /// The runtime is done with the invocation.
    RuntimeDone {
        /// The invocation.
        request_id: RequestId,
        /// How long it took.
        duration: Duration,
        /// Size of the answer.
        produced_bytes: usize,
        /// How it ended.
        status: &'a ReportStatus,
        /// The tenant that the environment belongs to.
        tenant_id: Option<&'a TenantId>,
    },
    /// It has failed, in words: only the Logs API has this.
    Fault(&'a str),
    /// The invocation is over.
    End(&'a Report),
    /// The figures.
    Report(&'a Report),
    /// An extension is ready, or has failed.
    Extension {
        /// Its file's name, or what an internal one calls itself.
        name: &'a str,
        /// `Ready`, `InitError`, `ExitError`, …
        state: &'a str,
        /// What it has registered for.
        events: &'a [&'static str],
        /// Why it failed.
        error_type: Option<&'a str>,
    },
    /// An extension has subscribed to telemetry.
    Subscription {
        /// With which API.
        api: Api,
        /// The extension.
        name: &'a str,
        /// To what.
        types: &'a [Type],
    },
}

/// What INIT_START says.
#[derive(Debug)]
pub struct InitStart<'a> {
    /// How the environment came to be.
    pub initialization: Initialization,
    /// Where it runs.
    pub phase: InitPhase,
    /// The function's name.
    pub function_name: &'a str,
    /// `$LATEST` or a number.
    pub function_version: String,
    /// E.g. `python:3.12.v40`; empty for container images.
    pub runtime_version: &'a str,
    /// The ARN of that version of the runtime.
    pub runtime_version_arn: String,
    /// The environment's identifier.
    pub instance_id: &'a str,
    /// Configured memory in MB.
    pub memory_size_mb: u32,
}

impl Event<'_> {
    /// The line in text format, without its final line feed; none if the text format does not show the event.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            // An image has a runtime of its own, of which nothing is known.
            Event::InitStart(init) if init.runtime_version.is_empty() => return None,
            Event::InitStart(init) => start_text("INIT_START", init),
            Event::RestoreStart(init) => start_text("RESTORE_START", init),
            Event::InitRuntimeDone { .. }
            | Event::RestoreRuntimeDone { .. }
            | Event::RuntimeDone { .. }
            | Event::Fault(_) => return None,
            Event::RestoreReport { duration, status, error_type } => {
                let mut line = format!("RESTORE_REPORT Restore Duration: {} ms", Milliseconds(*duration));
                if *status != Status::Success {
                    let _ = write!(line, "\tStatus: {}", status_name(*status));
                }
                if let Some(error_type) = error_type {
                    let _ = write!(line, "\tError Type: {error_type}");
                }
                line
            }
            Event::InitReport {
                initialization: Initialization::OnDemand, status: Status::Success, ..
            } => {
                return None;
            }
            Event::InitReport { phase, duration, status, error_type, .. } => {
                let mut line = format!(
                    "INIT_REPORT Init Duration: {} ms\tPhase: {}\tStatus: {}",
                    Milliseconds(*duration),
                    phase_name(*phase),
                    status_name(*status)
                );
                if let Some(error_type) = error_type {
                    let _ = write!(line, "\tError Type: {error_type}");
                }
                line
            }
            Event::Start { request_id, version, .. } => {
                // Exactly as long as it will be: then the event is made of it without another allocation.
                let mut line =
                    String::with_capacity("START RequestId:  Version: ".len() + 36 + version.len());
                let _ = write!(line, "START RequestId: {request_id} Version: {version}");
                line
            }
            Event::End(report) => {
                let mut line = String::with_capacity("END RequestId: ".len() + 36);
                let _ = write!(line, "END RequestId: {}", report.request_id);
                line
            }
            Event::Report(report) => report_text(report),
            Event::Extension { name, state, events, error_type } => {
                let mut line =
                    format!("EXTENSION\tName: {name}\tState: {state}\tEvents: [{}]", events.join(","));
                if let Some(error_type) = error_type {
                    let _ = write!(line, "\tError Type: {error_type}");
                }
                line
            }
            Event::Subscription { api, name, types } => {
                let types: Vec<_> = types.iter().map(|one| one.in_log()).collect();
                let api = api.as_str().to_uppercase();
                format!("{api}\tName: {name}\tState: Subscribed\tTypes: [{}]", types.join(", "))
            }
        })
    }

    /// The line in JSON format with its level; none if the JSON format does not show the event.
    #[must_use]
    pub fn to_json(&self, time: Timestamp) -> Option<(Level, String)> {
        if let Event::End(_) | Event::Fault(_) = self {
            return None;
        }
        let (level, kind, record) = self.record();
        Some((level, envelope(time, kind, &record)))
    }

    /// The level, what follows `platform.` in the type, and the record.
    #[must_use]
    pub fn record(&self) -> (Level, &'static str, serde_json::Value) {
        match self {
            Event::InitStart(init) => (Level::Info, "initStart", init_start_record(init)),
            Event::InitReport { initialization, phase, duration, status, error_type } => {
                let on_demand = *initialization == Initialization::OnDemand;
                let level = match status {
                    Status::Success if on_demand => Level::Debug,
                    Status::Success => Level::Info,
                    Status::Timeout | Status::Error => Level::Warn,
                };
                let record = serde_json::json!({
                    "initializationType": initialization.as_str(),
                    "phase": phase_name(*phase),
                    "status": status_name(*status),
                    "errorType": error_type,
                    "metrics": { "durationMs": Milliseconds(*duration).rounded() },
                });
                (level, "initReport", without_nulls(record))
            }
            Event::RestoreStart(init) => (Level::Info, "restoreStart", start_record(init)),
            Event::RestoreRuntimeDone { status, error_type } => {
                let level = if *status == Status::Success { Level::Debug } else { Level::Warn };
                let record = serde_json::json!({ "status": status_name(*status), "errorType": error_type });
                (level, "restoreRuntimeDone", without_nulls(record))
            }
            Event::RestoreReport { duration, status, error_type } => {
                let level = if *status == Status::Success { Level::Info } else { Level::Warn };
                let record = serde_json::json!({
                    "status": status_name(*status),
                    "errorType": error_type,
                    "metrics": { "durationMs": Milliseconds(*duration).rounded() },
                });
                (level, "restoreReport", without_nulls(record))
            }
            Event::Start { request_id, version, tenant_id } => {
                let record = serde_json::json!({
                    "requestId": request_id.to_string(),
                    "version": version,
                    "tenantId": tenant_id.map(TenantId::as_str),
                });
                (Level::Info, "start", without_nulls(record))
            }
            Event::InitRuntimeDone { initialization, phase, status, error_type } => {
                let level = if *status == Status::Success { Level::Debug } else { Level::Warn };
                let record = serde_json::json!({
                    "initializationType": initialization.as_str(),
                    "phase": phase_name(*phase),
                    "status": status_name(*status),
                    "errorType": error_type,
                });
                (level, "initRuntimeDone", without_nulls(record))
            }
            Event::RuntimeDone { request_id, duration, produced_bytes, status, tenant_id } => {
                let metrics = serde_json::json!({
                    "durationMs": Milliseconds(*duration).rounded(), "producedBytes": produced_bytes,
                });
                let level = if **status == ReportStatus::Done { Level::Debug } else { Level::Warn };
                (level, "runtimeDone", finished_record((*request_id, *tenant_id), status, metrics))
            }
            Event::Fault(text) => (Level::Warn, "fault", (*text).into()),
            Event::End(report) => {
                (Level::Info, "end", serde_json::json!({ "requestId": report.request_id.to_string() }))
            }
            Event::Report(report) => {
                let level = if report.status == ReportStatus::Done { Level::Info } else { Level::Warn };
                (level, "report", report_record(report))
            }
            Event::Extension { name, state, events, error_type } => {
                let record = serde_json::json!({
                    "name": name, "state": state, "events": events, "errorType": error_type,
                });
                let level = if error_type.is_none() { Level::Info } else { Level::Warn };
                (level, "extension", without_nulls(record))
            }
            Event::Subscription { api, name, types } => {
                let types: Vec<_> = types.iter().map(|one| one.as_str()).collect();
                let record = serde_json::json!({ "name": name, "state": "Subscribed", "types": types });
                let kind = match api {
                    Api::Telemetry => "telemetrySubscription",
                    Api::Logs => "logsSubscription",
                };
                (Level::Info, kind, record)
            }
        }
    }
}

/// What is billed: the init phase, if it is reported, and the invoke phase, rounded up to whole milliseconds.
#[must_use]
pub fn billed_milliseconds(init: Option<Duration>, duration: Duration) -> u64 {
    whole_milliseconds(init.unwrap_or_default() + duration).max(1)
}

/// Rounded up.
#[must_use]
pub fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Bytes of memory in MB, rounded up and never above what is configured.
#[must_use]
pub fn memory_mb(bytes: u64, configured_mb: u32) -> u32 {
    u32::try_from(bytes.div_ceil(1024 * 1024)).unwrap_or(u32::MAX).min(configured_mb)
}

fn report_text(report: &Report) -> String {
    let mut line = String::with_capacity(192);
    let _ = write!(
        line,
        "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
        report.request_id,
        Milliseconds(report.duration),
        report.billed_milliseconds,
        report.memory_size_mb,
        report.max_memory_used_mb
    );
    if let Some(init) = report.init_duration {
        let _ = write!(line, "Init Duration: {} ms\t", Milliseconds(init));
    }
    if let Some(restored) = &report.restored {
        let (duration, billed) = (Milliseconds(restored.duration), restored.billed_milliseconds);
        let _ = write!(line, "Restore Duration: {duration} ms\tBilled Restore Duration: {billed} ms\t");
    }
    match &report.status {
        ReportStatus::Done => {}
        ReportStatus::Timeout => line.push_str("Status: timeout"),
        ReportStatus::Error(error_type) => {
            let _ = write!(line, "Status: error\tError Type: {error_type}");
        }
    }
    if let Some((root, segment)) = &report.traced {
        let _ = write!(line, "\nXRAY TraceId: {root}\tSegmentId: {segment}\tSampled: true\t");
    }
    line
}

fn report_record(report: &Report) -> serde_json::Value {
    let milliseconds = |duration: Duration| Milliseconds(duration).rounded();
    let metrics = serde_json::json!({
        "durationMs": milliseconds(report.duration),
        "billedDurationMs": report.billed_milliseconds,
        "memorySizeMB": report.memory_size_mb,
        "maxMemoryUsedMB": report.max_memory_used_mb,
        "initDurationMs": report.init_duration.map(milliseconds),
        "restoreDurationMs": report.restored.map(|restored| milliseconds(restored.duration)),
        "billedRestoreDurationMs": report.restored.map(|restored| restored.billed_milliseconds),
    });
    let of = (report.request_id, report.tenant_id.as_ref());
    finished_record(of, &report.status, without_nulls(metrics))
}

fn start_text(name: &str, init: &InitStart<'_>) -> String {
    let (version, arn) = (init.runtime_version, &init.runtime_version_arn);
    if version.is_empty() {
        return name.to_owned();
    }
    format!("{name} Runtime Version: {version}\tRuntime Version ARN: {arn}")
}

fn init_start_record(init: &InitStart<'_>) -> serde_json::Value {
    let mut record = start_record(init);
    record["initializationType"] = init.initialization.as_str().into();
    record["phase"] = phase_name(init.phase).into();
    record
}

/// What the beginning of an initialisation and that of a restore have in common.
fn start_record(init: &InitStart<'_>) -> serde_json::Value {
    let mut record = serde_json::json!({
        "functionName": init.function_name,
        "functionVersion": init.function_version,
        "runtimeVersion": init.runtime_version,
        "runtimeVersionArn": init.runtime_version_arn,
        "instanceId": init.instance_id,
        "instanceMaxMemory": init.memory_size_mb,
    });
    if let (true, Some(members)) = (init.runtime_version.is_empty(), record.as_object_mut()) {
        members.retain(|name, _| !name.starts_with("runtimeVersion"));
    }
    record
}

fn finished_record(
    (request_id, tenant_id): (RequestId, Option<&TenantId>),
    status: &ReportStatus,
    metrics: serde_json::Value,
) -> serde_json::Value {
    let (status, error_type) = match status {
        ReportStatus::Done => ("success", None),
        ReportStatus::Timeout => ("timeout", None),
        ReportStatus::Error(error_type) => ("error", Some(error_type)),
    };
    without_nulls(serde_json::json!({
        "requestId": request_id.to_string(),
        "tenantId": tenant_id.map(TenantId::as_str),
        "metrics": metrics,
        "status": status,
        "errorType": error_type,
    }))
}

fn without_nulls(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

const fn phase_name(phase: InitPhase) -> &'static str {
    match phase {
        InitPhase::Init => "init",
        InitPhase::Invoke => "invoke",
    }
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Success => "success",
        Status::Timeout => "timeout",
        Status::Error => "error",
    }
}

/// Prints as milliseconds with two decimals.
pub(crate) struct Milliseconds(pub(crate) Duration);

impl Milliseconds {
    /// The value that is printed, as a number.
    pub(crate) fn rounded(&self) -> f64 {
        (self.0.as_secs_f64() * 100_000.0).round() / 100.0
    }
}

impl std::fmt::Display for Milliseconds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hundredths = (self.0.as_nanos() + 5_000) / 10_000;
        write!(formatter, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// An event of the platform, as JSON logs and telemetry have it; `kind` follows `platform.` in its type.
pub(crate) fn envelope(time: Timestamp, kind: &str, record: &serde_json::Value) -> String {
    let time = time.to_iso_millis();
    format!(r#"{{"time":"{time}","type":"platform.{kind}","record":{record}}}"#)
}

#[cfg(test)]
mod tests {
    use rushlight_model::trace::SegmentId;

    use super::*;

    const ID: &str = "8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11";

    fn report(status: ReportStatus) -> Report {
        Report {
            request_id: ID.parse().unwrap(),
            tenant_id: None,
            duration: Duration::from_micros(3_010),
            billed_milliseconds: billed_milliseconds(
                Some(Duration::from_micros(110_100)),
                Duration::from_micros(3_010),
            ),
            memory_size_mb: 128,
            max_memory_used_mb: 36,
            init_duration: Some(Duration::from_micros(110_100)),
            restored: None,
            status,
            traced: None,
        }
    }

    #[test]
    fn report_lines() {
        let first = report(ReportStatus::Done);
        assert_eq!(
            Event::Report(&first).to_text().unwrap(),
            format!(
                "REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\t\
                 Max Memory Used: 36 MB\tInit Duration: 110.10 ms\t"
            )
        );
        let timeout = Report { init_duration: None, status: ReportStatus::Timeout, ..first.clone() };
        assert!(
            Event::Report(&timeout).to_text().unwrap().ends_with("Max Memory Used: 36 MB\tStatus: timeout")
        );
        let error = report(ReportStatus::Error("Runtime.ExitError".to_owned()));
        assert!(
            Event::Report(&error)
                .to_text()
                .unwrap()
                .ends_with("Init Duration: 110.10 ms\tStatus: error\tError Type: Runtime.ExitError")
        );
        let segment = SegmentId::random();
        let traced = Report { traced: Some(("1-a-b".to_owned(), segment.clone())), ..timeout };
        let line = format!("\tStatus: timeout\nXRAY TraceId: 1-a-b\tSegmentId: {segment}\tSampled: true\t");
        assert!(Event::Report(&traced).to_text().unwrap().ends_with(&line));
    }

    #[test]
    fn start_end_and_init_lines() {
        let request_id = ID.parse().unwrap();
        assert_eq!(
            Event::Start { request_id, version: "$LATEST", tenant_id: None }.to_text().unwrap(),
            format!("START RequestId: {ID} Version: $LATEST")
        );
        assert_eq!(
            Event::End(&report(ReportStatus::Done)).to_text().unwrap(),
            format!("END RequestId: {ID}")
        );
        let init = Event::InitReport {
            initialization: Initialization::OnDemand,
            phase: InitPhase::Init,
            duration: Duration::from_micros(1_236_040),
            status: Status::Timeout,
            error_type: None,
        };
        assert_eq!(
            init.to_text().unwrap(),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout"
        );
    }

    #[test]
    fn subscriptions_and_extensions() {
        let event = Event::Subscription {
            api: Api::Telemetry,
            name: "agent",
            types: &[Type::Platform, Type::Extension],
        };
        let line = "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Extension]";
        assert_eq!(event.to_text().unwrap(), line);
        let record =
            serde_json::json!({ "name": "agent", "state": "Subscribed", "types": ["platform", "extension"] });
        assert_eq!(event.record(), (Level::Info, "telemetrySubscription", record));
        let event = Event::Subscription { api: Api::Logs, name: "agent", types: &[Type::Function] };
        assert_eq!(event.to_text().unwrap(), "LOGS\tName: agent\tState: Subscribed\tTypes: [Function]");
        assert_eq!(event.record().1, "logsSubscription");
    }

    #[test]
    fn a_successful_initialisation_on_demand_has_no_line_in_text() {
        let event = |initialization| Event::InitReport {
            initialization,
            phase: InitPhase::Init,
            duration: Duration::ZERO,
            status: Status::Success,
            error_type: None,
        };
        assert!(event(Initialization::OnDemand).to_text().is_none());
        assert!(event(Initialization::ProvisionedConcurrency).to_text().is_some());
    }

    #[test]
    fn billing_rounds_up() {
        assert_eq!(billed_milliseconds(None, Duration::from_millis(4)), 4);
        assert_eq!(billed_milliseconds(None, Duration::from_nanos(4_000_001)), 5);
        assert_eq!(billed_milliseconds(None, Duration::ZERO), 1);
        let half = Duration::from_micros(500);
        assert_eq!(billed_milliseconds(Some(half), half), 1);
    }

    #[test]
    fn milliseconds_have_two_decimals() {
        let printed = |nanoseconds| Milliseconds(Duration::from_nanos(nanoseconds)).to_string();
        assert_eq!(printed(0), "0.00");
        assert_eq!(printed(1_004_999), "1.00");
        assert_eq!(printed(1_005_000), "1.01");
        assert_eq!(printed(9_999_999_999), "10000.00");
    }

    #[test]
    fn json_lines() {
        let (level, line) =
            Event::Report(&report(ReportStatus::Done)).to_json(Timestamp::from_millis(0)).unwrap();
        assert_eq!(level, Level::Info);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(value["type"], "platform.report");
        assert_eq!(value["record"]["metrics"]["durationMs"], 3.01);
        assert_eq!(value["record"]["metrics"]["initDurationMs"], 110.1);
        assert_eq!(value["record"]["status"], "success");
        assert!(value["record"].get("errorType").is_none());
        let timeout = report(ReportStatus::Timeout);
        assert!(Event::End(&timeout).to_json(Timestamp::from_millis(0)).is_none(), "runtimeDone has told it");
        let done = Event::RuntimeDone {
            request_id: timeout.request_id,
            duration: timeout.duration,
            produced_bytes: 7,
            status: &timeout.status,
            tenant_id: None,
        };
        assert!(done.to_text().is_none());
        let (level, kind, record) = done.record();
        assert_eq!((level, kind), (Level::Warn, "runtimeDone"));
        assert_eq!(record["metrics"], serde_json::json!({ "durationMs": 3.01, "producedBytes": 7 }));
    }

    #[test]
    fn json_lines_name_the_tenant() {
        let tenant_id = TenantId::parse("blue");
        let start = |tenant_id| Event::Start { request_id: ID.parse().unwrap(), version: "7", tenant_id };
        let report = Report { tenant_id: tenant_id.clone(), ..report(ReportStatus::Done) };
        let record = |event: Event<'_>| {
            let (_, line) = event.to_json(Timestamp::from_millis(0)).unwrap();
            serde_json::from_str::<serde_json::Value>(&line).unwrap()["record"].take()
        };
        let done = Event::RuntimeDone {
            request_id: report.request_id,
            duration: report.duration,
            produced_bytes: 0,
            status: &report.status,
            tenant_id: tenant_id.as_ref(),
        };
        for event in [start(tenant_id.as_ref()), done, Event::Report(&report)] {
            assert_eq!(record(event)["tenantId"], "blue");
        }
        assert_eq!(record(start(None)), serde_json::json!({ "requestId": ID, "version": "7" }));
    }

    #[test]
    fn memory_is_capped_at_what_is_configured() {
        assert_eq!(memory_mb(1, 128), 1);
        assert_eq!(memory_mb(36 * 1024 * 1024, 128), 36);
        assert_eq!(memory_mb(u64::MAX, 128), 128);
    }
}
