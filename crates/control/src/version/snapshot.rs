//! `SnapStart`: published versions that are initialised before they can be invoked.
//!
//! ```text
//!                    initialised                14 days without an invocation
//! Pending (Creating) ───────────> Active ───────────────────────────────────> Inactive
//!        │                          ^  initialised                               │ somebody invokes it: that fails
//!        │ cannot be                └──────────────────── Pending (Restoring) <──┘
//!        └───────────> Failed <────────────────────────────────┘
//! ```
//! See "Improving startup performance with Lambda SnapStart" in the AWS Lambda developer guide.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rushlight_model::arn::FunctionId;
use rushlight_model::clock::Timestamp;
use rushlight_model::function::{FunctionHead, Reason, State};
use rushlight_store::table::{Entry, UpdateError};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Control;
use crate::dependencies::{Retirement, SnapshotFailure};
use crate::error::{Result, chain};
use crate::function::state::{self, Overtaken, RETRY, VISIBLE};
use crate::ledger;

/// A version that was not invoked for so long is given up.
const UNUSED: Duration = Duration::from_hours(14 * 24);
/// How often it is looked for such.
const INTERVAL: Duration = Duration::from_hours(1);
/// How exactly it is kept when a version was invoked last.
const KEPT: Duration = Duration::from_hours(24);

/// The rows of the versions that are being initialised: once at a time.
pub(crate) type Initializing = Arc<Mutex<HashSet<String>>>;

impl Control {
    /// Has the versions initialised that wait for it, in the background.
    pub(crate) fn initialize_versions(&self, head: &FunctionHead) {
        for (number, version) in &head.versions {
            let waits = version.snapshot.is_some() && matches!(version.state, State::Pending(_));
            if !waits || !self.initializing.lock().insert(version.row.clone()) {
                continue;
            }
            let (control, function, number, row) =
                (self.clone(), head.id.clone(), *number, version.row.clone());
            self.tasks.spawn(async move {
                // What is cut off here is taken up again when a server starts.
                tokio::select! {
                    () = control.stop.cancelled() => {}
                    () = control.initialize(&function, number, &row) => {}
                }
                control.initializing.lock().remove(&row);
            });
        }
    }

    async fn initialize(&self, function: &FunctionId, number: u64, row: &str) {
        let visible_until = self.clock.moment() + VISIBLE;
        let state = match self.data_plane.snapshot(function, number).await {
            Ok(()) => State::Active,
            Err(failure) => State::Failed(reason(failure)),
        };
        self.clock.sleep_until(visible_until).await;
        let is_the_same = |state: &State| matches!(state, State::Pending(_));
        while let Err(error) = self.set_state(function, number, row, is_the_same, &state).await {
            tracing::warn!(function = %function.arn(), number, error = %chain(&error), "snapshot.settling_failed");
            self.clock.sleep(RETRY).await;
        }
        tracing::info!(function = %function.arn(), version = number, state = state.as_str(), "snapshot.settled");
    }

    /// Changes the state of a version, if it still is what was seen.
    async fn set_state(
        &self,
        function: &FunctionId,
        number: u64,
        row: &str,
        from: impl Fn(&State) -> bool,
        to: &State,
    ) -> Result<Option<Entry<FunctionHead>>> {
        let now = self.clock.now();
        let change = |present: Option<&Entry<FunctionHead>>| {
            let mut head = FunctionHead::clone(&present.ok_or(Overtaken)?.value);
            let version = head.versions.get_mut(&number).filter(|version| version.row == row);
            let version = version.filter(|version| from(&version.state)).ok_or(Overtaken)?;
            version.state = to.clone();
            version.revision_id = Uuid::new_v4().to_string();
            if let (State::Active, Some(snapshot)) = (to, &mut version.snapshot) {
                snapshot.used_at = now;
            }
            Ok(head)
        };
        match self.functions.update(&self.key(function), change).await {
            Ok(entry) => Ok(Some(entry)),
            Err(UpdateError::Refused(Overtaken)) => Ok(None),
            Err(UpdateError::Store(error)) => Err(error.into()),
        }
    }

    /// Somebody has invoked a version that was given up: it is initialised anew.
    async fn reactivate(&self, function: &FunctionId, number: u64) -> Result<()> {
        let Some(entry) = self.functions.get(&self.key(function)).await? else { return Ok(()) };
        let Some(version) = entry.value.versions.get(&number) else { return Ok(()) };
        let from = |state: &State| matches!(state, State::Inactive(_));
        let pending = state::restoring();
        if let Some(entry) = self.set_state(function, number, &version.row, from, &pending).await? {
            tracing::info!(function = %function.arn(), version = number, "snapshot.restored");
            self.initialize_versions(&entry.value);
        }
        Ok(())
    }

    /// Gives up what was not invoked for long, and notes what was.
    async fn give_up_unused(&self) -> Result<()> {
        let mut heads = Vec::new();
        ledger::for_each_row(&self.functions, |_, head| {
            if head.versions.values().any(|version| version.snapshot.is_some()) {
                heads.push(head.clone());
            }
        })
        .await?;
        let now = self.clock.now();
        for head in heads {
            for (number, version) in &head.versions {
                let (Some(snapshot), State::Active) = (&version.snapshot, &version.state) else { continue };
                let used_at = self.data_plane.last_used(&head.id, *number);
                let used_at = used_at.map_or(snapshot.used_at, |used| used.max(snapshot.used_at));
                if elapsed(used_at, now) >= UNUSED {
                    let idle =
                        State::Inactive(Reason { code: "Idle".into(), text: "The function is idle.".into() });
                    let from = |state: &State| *state == State::Active;
                    let given_up = self.set_state(&head.id, *number, &version.row, from, &idle).await?;
                    if let Some(entry) = given_up {
                        tracing::info!(function = %head.id.arn(), version = number, "snapshot.unused");
                        let (incarnation, version) = (entry.value.incarnation.as_str(), *number);
                        self.data_plane.retire(&head.id, Retirement::VersionDeleted { incarnation, version });
                    }
                } else if elapsed(snapshot.used_at, used_at) >= KEPT {
                    self.note_use(&head.id, *number, used_at).await?;
                }
            }
        }
        Ok(())
    }

    async fn note_use(&self, function: &FunctionId, number: u64, used_at: Timestamp) -> Result<()> {
        let change = |present: Option<&Entry<FunctionHead>>| {
            let mut head = FunctionHead::clone(&present.ok_or(Overtaken)?.value);
            let snapshot = head.versions.get_mut(&number).and_then(|version| version.snapshot.as_mut());
            snapshot.ok_or(Overtaken)?.used_at = used_at;
            Ok(head)
        };
        match self.functions.update(&self.key(function), change).await {
            Ok(_) | Err(UpdateError::Refused(Overtaken)) => Ok(()),
            Err(UpdateError::Store(error)) => Err(error.into()),
        }
    }
}

/// Runs until the control plane is closed; `invoked` names versions that were given up and are needed again.
pub(crate) async fn run(control: Control, mut invoked: mpsc::Receiver<(FunctionId, u64)>) {
    let mut due = control.clock.moment() + INTERVAL;
    loop {
        // All branches are cancel-safe.
        let done = tokio::select! {
            () = control.stop.cancelled() => return,
            Some((function, number)) = invoked.recv() => control.reactivate(&function, number).await,
            () = control.clock.sleep_until(due) => {
                due = control.clock.moment() + INTERVAL;
                control.give_up_unused().await
            }
        };
        if let Err(error) = done {
            tracing::warn!(error = %chain(&error), "snapshot.failed");
        }
    }
}

fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    let milliseconds = later.as_millis().saturating_sub(earlier.as_millis());
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

fn reason(failure: SnapshotFailure) -> Reason {
    let (code, text) = match failure {
        SnapshotFailure::TimedOut => (
            "FunctionError.InitTimeout",
            "The function was not initialized within the time limit.".to_owned(),
        ),
        SnapshotFailure::Failed { error_type } => (
            "FunctionError.RuntimeInitError",
            format!("The initialization of the function has failed with {error_type}."),
        ),
        SnapshotFailure::Unavailable => {
            ("InternalError", "The function could not be initialized.".to_owned())
        }
    };
    Reason { code: code.into(), text }
}
