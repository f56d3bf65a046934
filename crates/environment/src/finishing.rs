//! The end of an invocation: what the log and telemetry say of it, and what its owner is told.

use std::sync::Arc;
use std::time::Duration;

use rushlight_model::clock::{Moment, Timestamp};
use rushlight_model::invocation::{Report, ReportStatus, RestoreReport};
use rushlight_model::request_id::RequestId;
use rushlight_model::trace::{Segments, Trace};

use crate::environment::{Environment, Served};
use crate::failure;
use crate::lifecycle::{Input, Status, Summary};
use crate::report::{self, Event};
use crate::running::Finished;

impl Environment {
    /// Reads what the runtime has written until now.
    pub(crate) fn drain_pipes(&self) {
        let pipes = self.state.lock().pipes.clone();
        if let Some(pipes) = pipes {
            pipes.drain(&self.logs);
        }
    }

    /// The runtime is done with the invocation, whichever way. What it has written comes before that is said, and it
    /// is said once.
    pub(crate) fn runtime_is_done(&self, status: Status) {
        self.drain_pipes();
        let status = self.report_status(status);
        let mut state = self.state.lock();
        let Some(served) = &mut state.served else { return };
        let Some(done) = served.course.runtime_done(self.services.clock.moment()) else { return };
        let request_id = served.request_id;
        let tracing = served.course.tracing(served.segments.as_deref());
        drop(state);
        let event = Event::RuntimeDone {
            request_id,
            duration: done.duration,
            produced_bytes: done.produced_bytes,
            status: &status,
            tenant_id: self.config.tenant_id.as_ref(),
        };
        self.logs.platform_with(&event, |record| {
            record.insert("spans".to_owned(), done.spans(self.now()).into());
            record.extend(tracing.map(|tracing| ("tracing".to_owned(), tracing)));
        });
        if let Some(fault) = self.fault(request_id, &status) {
            self.logs.telemetry_only(&Event::Fault(&fault));
        }
    }

    /// The moment and its time of day.
    fn now(&self) -> (Moment, Timestamp) {
        (self.services.clock.moment(), self.services.clock.now())
    }

    /// What the Logs API has of a failure.
    fn fault(&self, request_id: RequestId, status: &ReportStatus) -> Option<String> {
        match status {
            ReportStatus::Done => None,
            ReportStatus::Timeout => {
                let timeout = Duration::from_secs(u64::from(self.config.configuration.timeout_seconds));
                Some(failure::timeout_message(request_id, timeout))
            }
            ReportStatus::Error(_) => self.state.lock().failure.as_ref()?.fault(request_id),
        }
    }

    /// The runtime and the extensions are done.
    pub(crate) fn finish(self: &Arc<Self>, summary: Summary) {
        self.runtime_is_done(summary.status);
        let mut state = self.state.lock();
        let served = state.served.take();
        let has_extensions = !state.host.extensions.is_empty();
        drop(state);
        if let Some(served) = served {
            let report = self.report(&served, summary);
            self.logs.platform(&Event::End(&report));
            self.logs.platform_with(&Event::Report(&report), |record| {
                let overhead = served.course.extension_overhead(self.now()).filter(|_| has_extensions);
                record.extend(overhead.map(|span| ("spans".to_owned(), vec![span].into())));
                let tracing = served.course.tracing(served.segments.as_deref());
                record.extend(tracing.map(|tracing| ("tracing".to_owned(), tracing)));
            });
            self.trace(&served, &report);
            let log_tail = self.logs.take_tail();
            let _ = served.finished.send(Finished { report, log_tail });
        }
        // Refused only if it is called out of turn, when there is nothing to do.
        let _ = self.input(Input::Finished);
    }

    /// The error type that goes with a status, if one does.
    pub(crate) fn error_type(&self, status: Status) -> Option<String> {
        let state = self.state.lock();
        let failure = state.failure.as_ref().filter(|_| status == Status::Error)?;
        Some(failure.error_type.clone())
    }

    fn report_status(&self, status: Status) -> ReportStatus {
        match status {
            Status::Success => ReportStatus::Done,
            Status::Timeout => ReportStatus::Timeout,
            Status::Error => ReportStatus::Error(
                self.error_type(Status::Error).unwrap_or_else(|| "Sandbox.Failure".to_owned()),
            ),
        }
    }

    /// Hands the course of a traced invocation to whoever wants it.
    fn trace(&self, served: &Served, report: &Report) {
        let (Some(segments), Some(traces)) = (&served.segments, &self.services.traces) else { return };
        let now = self.now();
        let Some((begun, runtime_done)) = served.course.times(now) else { return };
        traces.push(Trace {
            segments: Segments::clone(segments),
            function: self.config.function.clone(),
            version: self.config.configuration.version,
            request_id: served.request_id,
            tenant_id: self.config.tenant_id.clone(),
            init_duration: report.init_duration,
            begun,
            runtime_done,
            ended: now.1,
            failure: served.failure.clone(),
        });
    }

    fn report(&self, served: &Served, summary: Summary) -> Report {
        let memory_size_mb = self.config.configuration.memory_size_mb;
        let traced = served.segments.as_ref();
        // What was before the invocation is billed with it.
        let early = summary.init_duration.or(summary.restored.map(|restored| restored.billed));
        Report {
            request_id: served.request_id,
            tenant_id: self.config.tenant_id.clone(),
            duration: summary.duration,
            billed_milliseconds: report::billed_milliseconds(early, summary.duration),
            memory_size_mb,
            max_memory_used_mb: report::memory_mb(self.sandbox.peak_memory_bytes(), memory_size_mb),
            init_duration: summary.init_duration,
            restored: summary.restored.map(|restored| RestoreReport {
                duration: restored.duration,
                billed_milliseconds: report::whole_milliseconds(restored.billed),
            }),
            status: self.report_status(summary.status),
            traced: traced.map(|segments| (segments.root.clone(), segments.function.clone())),
        }
    }
}
