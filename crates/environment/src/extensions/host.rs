//! The environment as its extensions see it: they register, wait for events, and say when they cannot go on.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rushlight_model::clock::Timestamp;
use rushlight_model::invocation::Invocation;
use rushlight_sandbox::Exit;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{EventKind, Extensions, Refused, Shown};
use crate::Environment;
use crate::environment::State;
use crate::failure::Failure;
use crate::lifecycle::{Input, Reason};
use crate::report::Event;
use crate::supervisor::Job;

/// The extensions of an environment with their open requests for events.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) extensions: Extensions,
    waiting: Vec<(Uuid, oneshot::Sender<Bytes>)>,
    /// The event that tells of the end, once it is near.
    shutdown: Option<Bytes>,
    /// Who has been told of it. Whoever asks again waits, until it is killed.
    told_of_shutdown: Vec<Uuid>,
}

impl Host {
    /// Before the processes of these external extensions are started.
    pub(crate) fn started(names: &[String]) -> Self {
        Self { extensions: Extensions::started(names.iter().cloned()), ..Self::default() }
    }

    /// Gives the event to all that wait and have registered for it; whether anybody has.
    fn tell(&mut self, kind: EventKind, event: &Bytes) -> bool {
        let takers = self.extensions.hand_out(kind);
        for id in &takers {
            if kind == EventKind::Shutdown && self.told_of_shutdown.contains(id) {
                continue;
            }
            if let Some(index) = self.waiting.iter().position(|(waiting, _)| waiting == id) {
                if kind == EventKind::Shutdown {
                    self.told_of_shutdown.push(*id);
                }
                // If the connection is gone, so is soon the extension.
                let _ = self.waiting.swap_remove(index).1.send(event.clone());
            }
        }
        !takers.is_empty()
    }
}

/// The names of the external extensions that the layers bring: executables in `/opt/extensions`, later layers over
/// earlier ones.
pub(crate) fn external(layer_directories: &[std::path::PathBuf]) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = std::collections::BTreeMap::new();
    for layer in layer_directories {
        for entry in std::fs::read_dir(layer.join("extensions")).into_iter().flatten().flatten() {
            let path = entry.path();
            let metadata = path.metadata();
            let is_executable = metadata
                .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
            if let Ok(name) = entry.file_name().into_string() {
                found.insert(name, is_executable);
            }
        }
    }
    found.into_iter().filter(|(_, is_executable)| *is_executable).map(|(name, _)| name).collect()
}

/// Where an external extension is in the sandbox.
pub(crate) fn path(name: &str) -> std::path::PathBuf {
    Path::new("/opt/extensions").join(name)
}

impl Environment {
    /// `POST /extension/register`.
    pub(crate) fn register_extension(
        self: &Arc<Self>,
        name: &str,
        events: &[EventKind],
    ) -> Result<Uuid, Refused> {
        let mut state = self.state.lock();
        let were_registered = state.host.extensions.are_registered();
        let id = state.host.extensions.register(name, events)?;
        state.machine.extensions_are_busy();
        // The last of the external ones: now it is the runtime's turn.
        if !were_registered && state.host.extensions.are_registered() {
            state.jobs.push_back(Job::SpawnRuntime);
            self.supervisor.notify_one();
        }
        Ok(id)
    }

    /// `GET /extension/event/next`. The receiver gets the event; it is closed when another connection asks.
    pub(crate) fn extension_next(self: &Arc<Self>, id: Uuid) -> Result<oneshot::Receiver<Bytes>, Refused> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        let shown = state.host.extensions.next(id)?;
        state.host.waiting.retain(|(waiting, _)| *waiting != id);
        state.host.waiting.push((id, sender));
        if let Some(event) = state.host.shutdown.clone() {
            state.host.tell(EventKind::Shutdown, &event);
        }
        let effects = match state.host.extensions.are_ready() {
            true => self.step(&mut state, Input::ExtensionsReady).ok(),
            false => None,
        };
        drop(state);
        if let Some(shown) = shown {
            self.log_extension(&shown, None);
        }
        if let Some(effects) = effects {
            self.carry_out(effects, None);
        }
        Ok(receiver)
    }

    /// `POST /extension/init/error` and `POST /extension/exit/error`.
    pub(crate) fn extension_failed(
        self: &Arc<Self>,
        id: Uuid,
        at_init: bool,
        failure: Failure,
    ) -> Result<(), Refused> {
        let shown = self.state.lock().host.extensions.report(id, at_init)?;
        self.log_extension(&shown, Some(&failure.error_type));
        // Refused where everything ends anyway.
        let _ = self.failed(Input::Failed, failure);
        Ok(())
    }

    /// The process of an external extension has ended.
    pub(crate) fn extension_exited(self: &Arc<Self>, name: &str, exit: Option<Exit>) {
        self.state.lock().host.extensions.exited(name);
        tracing::debug!(environment = self.id(), extension = name, ?exit, "environment.extension_exited");
        // Expected while everything ends: then it means nothing.
        let _ = self.failed(Input::Failed, Failure::extension_crash(exit));
    }

    /// The runtime is given an event; so are the extensions that want to know.
    pub(crate) fn tell_of_invocation(&self, state: &mut State, invocation: &Invocation, deadline: Timestamp) {
        if state.host.extensions.is_empty() {
            return;
        }
        let event = serde_json::json!({
            "eventType": "INVOKE",
            "deadlineMs": deadline.as_millis(),
            "requestId": invocation.request_id.to_string(),
            "invokedFunctionArn": invocation.invoked_function_arn,
            "tracing": {
                "type": "X-Amzn-Trace-Id",
                "value": invocation.trace_header.as_deref().unwrap_or_default(),
            },
        });
        if state.host.tell(EventKind::Invoke, &Bytes::from(event.to_string())) {
            state.machine.extensions_are_busy();
        }
    }

    /// Tells the extensions that want to know that the environment ends; whether any that lives does.
    pub(crate) fn tell_of_shutdown(&self, reason: Reason, deadline: Timestamp) -> bool {
        let mut state = self.state.lock();
        let event = serde_json::json!({
            "eventType": "SHUTDOWN",
            "shutdownReason": reason.as_str(),
            "deadlineMs": deadline.as_millis(),
        });
        let event = Bytes::from(event.to_string());
        // Who is busy hears of it when it asks.
        state.host.shutdown = Some(event.clone());
        state.host.tell(EventKind::Shutdown, &event);
        state.host.extensions.any_registered_for(EventKind::Shutdown)
    }

    fn log_extension(&self, shown: &Shown, error_type: Option<&str>) {
        let Shown { name, state, events } = shown;
        self.logs.platform(&Event::Extension { name, state, events, error_type });
    }
}
