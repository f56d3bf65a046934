//! Moves functions from one version of their runtime to another, in the background.
//!
//! ```text
//! published ──> phase one ──> phase two: a batch ──> watched ──> the next … ──> complete
//!                                          ^            │
//!                                          └── calm ────┤ errors rise
//!                                                       v
//!                 functions get what came before it <── withdrawn
//! ```
//! How far a rollout has come is told by the functions alone: each names the runtime version that it has. So a server
//! that was killed goes on where it was.
//!
//! A function is moved by one change of its head, which gives its environments a new generation: running invocations end
//! where they are, and the next ones begin on the new version.

use std::sync::Arc;
use std::time::Duration;

use rushlight_model::arn::FunctionId;
use rushlight_model::clock::Timestamp;
use rushlight_model::function::{Code, FunctionConfiguration, FunctionHead};
use rushlight_model::invocation::Outcomes;
use rushlight_model::runtime_management::RuntimeUpdates;
use rushlight_model::runtime_version::{Phase, PublishedRuntimes, Rank, RuntimeVersion, hash_of};
use rushlight_model::version::Version;
use rushlight_store::table::UpdateError;

use crate::Control;
use crate::dependencies::Retirement;
use crate::error::{Error, Result, chain};
use crate::function::state::{self, Overtaken, RETRY};
use crate::ledger;

/// So many failures after the move are no accident.
const FAILURES: u64 = 3;
/// By how much the share of failed invocations may rise.
const RISE: f64 = 0.1;

/// Runs until the server ends.
pub(crate) async fn run(control: Control) {
    // Both branches are cancel-safe: what is half done is seen from the functions.
    tokio::select! {
        () = control.stop.cancelled() => {}
        () = work(&control) => {}
    }
}

async fn work(control: &Control) {
    // The server may come with other versions than the one before it.
    let mut everything = true;
    loop {
        match pass(control, everything).await {
            Ok(Pass::Done(next)) => {
                everything = false;
                wait(control, next).await;
            }
            Ok(Pass::Again) => control.clock.sleep(RETRY).await,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "runtime_version.rollout_failed");
                control.clock.sleep(RETRY).await;
            }
        }
    }
}

/// Until something changed or the next rollout begins.
async fn wait(control: &Control, next: Option<Timestamp>) {
    let changed = control.runtime_versions.changed.notified();
    let left = next.map(|next| next.as_millis().saturating_sub(control.clock.now().as_millis()).max(0));
    match left.and_then(|left| u64::try_from(left).ok()) {
        None => changed.await,
        // Both branches are cancel-safe.
        Some(left) => tokio::select! {
            () = changed => {}
            () = control.clock.sleep(Duration::from_millis(left)) => {}
        },
    }
}

/// How looking through all runtimes has ended.
enum Pass {
    /// Nothing is left to do before this time.
    Done(Option<Timestamp>),
    /// Some functions were being updated, or were changed meanwhile.
    Again,
}

async fn pass(control: &Control, everything: bool) -> Result<Pass> {
    if !take_back(control, everything).await? {
        return Ok(Pass::Again);
    }
    let now = control.clock.now();
    let mut next = None;
    for version in control.runtime_versions() {
        if let Phase::Two(rollout) = &version.phase {
            if rollout.begin > now {
                next = next.into_iter().chain([rollout.begin]).min();
            } else if !roll_out(control, &version).await? {
                return Ok(Pass::Again);
            }
        }
    }
    Ok(Pass::Done(next))
}

/// Takes what was withdrawn from the functions that have it, and with `everything` also what nobody knows any more;
/// whether none has it now.
async fn take_back(control: &Control, everything: bool) -> Result<bool> {
    let is_to_go = |version: &RuntimeVersion| matches!(version.phase, Phase::Withdrawn { left: false, .. });
    let withdrawn: Vec<_> = control.runtime_versions().into_iter().filter(is_to_go).collect();
    if withdrawn.is_empty() && !everything {
        return Ok(true);
    }
    let lost = |_: &PublishedRuntimes, has: Rank| has == Rank::None;
    if move_batch(control, u32::MAX, lost).await?.is_incomplete {
        return Ok(false);
    }
    for version in &withdrawn {
        control.settle_phase(version).await?;
    }
    Ok(true)
}

/// Whether it is through: complete, or withdrawn.
async fn roll_out(control: &Control, version: &RuntimeVersion) -> Result<bool> {
    let Phase::Two(rollout) = &version.phase else { return Ok(true) };
    loop {
        let of_this = |published: &PublishedRuntimes, _: Rank| published.get(&version.hash).is_some();
        let batch = move_batch(control, rollout.batch, of_this).await?;
        if batch.moved.is_empty() {
            if !batch.is_incomplete {
                control.settle_phase(version).await?;
                tracing::info!(runtime = version.text, "runtime_version.complete");
            }
            return Ok(!batch.is_incomplete);
        }
        tracing::info!(runtime = version.text, functions = batch.moved.len(), "runtime_version.moved");
        if !watch(control, version, Duration::from_secs(rollout.pause_seconds.into())).await? {
            return Ok(false);
        }
        if let Some(reason) = batch.verdict(control) {
            control.withdraw_runtime(&version.identifier, &reason).await?;
            return Ok(false);
        }
    }
}

/// Waits for the pause, or until the rollout is no longer what it was: whether it still is. What is withdrawn meanwhile,
/// of whichever runtime, is taken back at once.
async fn watch(control: &Control, version: &RuntimeVersion, pause: Duration) -> Result<bool> {
    let until = control.clock.moment() + pause;
    let mut all_taken_back = true;
    loop {
        // All branches are cancel-safe.
        let is_over = tokio::select! {
            () = control.clock.sleep_until(until) => true,
            () = control.runtime_versions.changed.notified() => false,
            () = control.clock.sleep(RETRY), if !all_taken_back => false,
        };
        all_taken_back = take_back(control, false).await?;
        let published = control.runtime_versions.of(&version.identifier);
        if published.get(&version.hash).is_none_or(|present| present.phase != version.phase) {
            return Ok(false);
        }
        if is_over {
            return Ok(true);
        }
    }
}

/// Versions of functions that were moved together.
#[derive(Default)]
struct Batch {
    /// Each with what became of its invocations before.
    moved: Vec<(FunctionId, Version, Outcomes)>,
    /// Some could not be moved now.
    is_incomplete: bool,
}

impl Batch {
    /// Why the move was a mistake, if it looks like one.
    fn verdict(&self, control: &Control) -> Option<String> {
        let before: Outcomes = self.moved.iter().map(|(_, _, before)| *before).sum();
        let present = |(function, version, _): &(FunctionId, Version, _)| {
            control.data_plane.outcomes(function, *version)
        };
        let after: Outcomes = self.moved.iter().map(present).sum();
        let rises = after.failures >= FAILURES && after.failed_share() > before.failed_share() + RISE;
        rises.then(|| {
            format!(
                "{} of {} invocations failed once their functions had it; {} of {} had failed before",
                after.failures, after.invocations, before.failures, before.invocations
            )
        })
    }
}

/// Gives up to `most` functions what they are due, of those whose runtime, and rank of the version that they have,
/// `is_meant` takes.
async fn move_batch(
    control: &Control,
    most: u32,
    is_meant: impl Fn(&PublishedRuntimes, Rank) -> bool,
) -> Result<Batch> {
    let mut heads = Vec::new();
    ledger::for_each_row(&control.functions, |_, head| {
        if matches!(head.latest.code, Code::Zip { .. }) {
            heads.push(head.id.clone());
        }
    })
    .await?;
    let mut batch = Batch::default();
    let mut functions = 0;
    for function in heads {
        let Some(entry) = control.functions.get(&control.key(&function)).await? else { continue };
        let due = control.due_versions(&entry.value, &is_meant).await?;
        if due.is_empty() {
            continue;
        }
        if functions == most {
            break;
        }
        if state::is_unsettled(&entry.value) {
            batch.is_incomplete = true;
            continue;
        }
        let before = |version: Version| control.data_plane.outcomes(&function, version);
        let moved: Vec<_> =
            due.iter().map(|due| (function.clone(), due.version, before(due.version))).collect();
        match control.give(&entry.value, &due).await? {
            true => batch.moved.extend(moved),
            false => batch.is_incomplete = true,
        }
        functions += 1;
    }
    Ok(batch)
}

/// A version of a function and the runtime version that it is to be given.
struct Due {
    version: Version,
    arn: String,
}

impl Control {
    /// The versions of a function that are to be given another version of their runtime.
    async fn due_versions(
        &self,
        head: &Arc<FunctionHead>,
        is_meant: &impl Fn(&PublishedRuntimes, Rank) -> bool,
    ) -> Result<Vec<Due>> {
        let mut due = Vec::new();
        let mut consider = |configuration: &FunctionConfiguration| {
            let Code::Zip { runtime, .. } = &configuration.code else { return };
            let Some(own) = self.runtimes.own(runtime) else { return };
            let published = self.runtime_versions.of(runtime);
            let has = configuration.runtime_version_arn.as_deref().map_or("", hash_of);
            let follows = match head.runtime_updates(configuration.version) {
                RuntimeUpdates::Auto => true,
                RuntimeUpdates::Manual(_) => false,
                // It is not left with what was taken back.
                RuntimeUpdates::FunctionUpdate => {
                    published.get(has).is_some_and(|version| matches!(version.phase, Phase::Withdrawn { .. }))
                }
            };
            if follows
                && is_meant(&published, published.rank(has, &own.hash))
                && let Some(arn) = self.due_runtime(&head.id.scope, configuration)
            {
                due.push(Due { version: configuration.version, arn });
            }
        };
        let published = head.versions.keys().map(|number| Version::Published(*number));
        for version in [Version::Latest].into_iter().chain(published) {
            match self.version(head, version).await {
                Ok(configuration) => consider(&configuration),
                // Deleted meanwhile: that of others is not held up for it.
                Err(Error::VersionLost { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(due)
    }

    /// Gives versions of a function other versions of their runtime; `false` if the function has changed meanwhile.
    async fn give(&self, seen: &FunctionHead, due: &[Due]) -> Result<bool> {
        let change = |present: Option<&rushlight_store::table::Entry<FunctionHead>>| {
            let same = present.filter(|entry| {
                entry.value.incarnation == seen.incarnation && !state::is_unsettled(&entry.value)
            });
            let mut head = FunctionHead::clone(&same.ok_or(Overtaken)?.value);
            for Due { version, arn } in due {
                head.set_runtime_version(*version, arn);
            }
            Ok(head)
        };
        match self.functions.update(&self.key(&seen.id), change).await {
            Ok(entry) => self.runtime_changed(&entry.value),
            Err(UpdateError::Refused(Overtaken)) => return Ok(false),
            Err(UpdateError::Store(error)) => return Err(error.into()),
        }
        Ok(true)
    }

    /// What runs functions hears that one of them was given another version of its runtime.
    pub(crate) fn runtime_changed(&self, head: &FunctionHead) {
        let generation = head.serving().generation;
        let retirement = Retirement::Superseded { incarnation: &head.incarnation, generation };
        self.data_plane.retire(&head.id, retirement);
        self.data_plane.provision(&head.id);
    }

    /// Notes that a phase is through.
    async fn settle_phase(&self, version: &RuntimeVersion) -> Result<()> {
        let change = |published: &mut PublishedRuntimes| {
            let present = published.versions.iter_mut().find(|present| present.hash == version.hash);
            let present = present.ok_or_else(|| Error::InvalidParameter("it is gone".to_owned()))?;
            // What was decided meanwhile counts.
            if present.phase == version.phase {
                match &mut present.phase {
                    Phase::Two(_) => present.phase = Phase::Complete,
                    Phase::Withdrawn { left, .. } => *left = true,
                    Phase::One | Phase::Complete => {}
                }
            }
            Ok(present.clone())
        };
        self.runtime_versions.change(&version.identifier, change).await.map(drop)
    }
}
