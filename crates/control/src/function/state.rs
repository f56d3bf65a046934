//! The states of a function and what moves it from one to the next.
//!
//! ```text
//!  CreateFunction                                     Update…                          Update…
//!       │                                               │                                │
//!       v          package is unpacked                  v      package is unpacked       │
//!   Pending ──────────────────────────> Active ──> Active, InProgress ──────> Active, Successful
//!       │                                               │
//!       └── cannot be unpacked ──> Failed               └── cannot be unpacked ──> Active, update Failed
//! ```
//! On managed instances `$LATEST` becomes ActiveNonInvocable instead of Active: only its versions are invoked.
//!
//! Every arrow is one compare-and-set of the head and gives a new revision id. While an update is in progress, and
//! after one that failed, the configuration before it serves ([`FunctionHead::serving`]).
//!
//! See "Lambda function states" in the AWS Lambda developer guide.

use std::time::Duration;

use rushlight_model::function::{Code, FunctionConfiguration, FunctionHead, LastUpdate, Reason, State};
use rushlight_store::table::UpdateError;
use rushlight_store::{Digest, EnsureError};
use uuid::Uuid;

use crate::Control;
use crate::code::{self, CodeError};
use crate::dependencies::{ImageError, Retirement};
use crate::error::{Error, Result, chain};
use crate::ledger;

/// How long Pending and InProgress are to be seen at least.
pub(crate) const VISIBLE: Duration = Duration::from_millis(150);
/// How long to wait after the store failed before trying again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

fn creating() -> Reason {
    Reason { code: "Creating".into(), text: "The function is being created.".into() }
}

/// The state that a function begins in.
pub(crate) fn pending() -> State {
    State::Pending(creating())
}

/// The state that AWS shows in the answer to a dry run.
pub(crate) fn restoring() -> State {
    State::Pending(Reason { code: "Restoring".into(), text: "The function is being restored.".into() })
}

/// Whether something is under way that [`Control::settle`] ends.
pub(crate) fn is_unsettled(head: &FunctionHead) -> bool {
    latest_is_unsettled(head) || head.versions.values().any(|version| is_passing(&version.state))
}

fn latest_is_unsettled(head: &FunctionHead) -> bool {
    is_pending(&head.latest.state) || matches!(head.latest.last_update, Some(LastUpdate::InProgress(_)))
}

fn is_pending(state: &State) -> bool {
    matches!(state, State::Pending(_))
}

/// Whether a version is in a state that it leaves by itself.
fn is_passing(state: &State) -> bool {
    matches!(state, State::Pending(_) | State::Deactivating)
}

/// Refuses an update that the function's state does not allow, or whose caller saw an older revision.
pub(crate) fn check_update(head: &FunctionHead, revision_id: Option<&str>) -> Result<()> {
    if revision_id.is_some_and(|seen| seen != head.latest.revision_id) {
        return Err(Error::RevisionMismatch);
    }
    let state = &head.latest.state;
    if !matches!(state, State::Active | State::ActiveNonInvocable | State::Inactive(_)) {
        return Err(Error::UnfitState { state: state.as_str() });
    }
    match head.latest.last_update {
        Some(LastUpdate::InProgress(_)) => Err(Error::UpdateInProgress { arn: head.id.arn() }),
        _ => Ok(()),
    }
}

/// The head once `latest` is on its way to replace what serves.
pub(crate) fn begin_update(head: &FunctionHead, latest: FunctionConfiguration) -> FunctionHead {
    let serving = match &head.serving {
        Some(serving) => serving.clone(),
        None => Box::new(head.latest.clone()),
    };
    FunctionHead {
        latest: FunctionConfiguration {
            generation: head.latest.generation + 1,
            revision_id: Uuid::new_v4().to_string(),
            last_update: Some(LastUpdate::InProgress(creating())),
            ..latest
        },
        serving: Some(serving),
        ..head.clone()
    }
}

/// The head once what was under way in `seen` has ended, with the reason if it failed; `None` if all of it was
/// overtaken by other changes.
fn end(head: &FunctionHead, seen: &FunctionHead, failure: Option<&Reason>) -> Option<FunctionHead> {
    if head.incarnation != seen.incarnation {
        return None;
    }
    let latest = head.latest.generation == seen.latest.generation && latest_is_unsettled(head);
    let published: Vec<u64> = seen
        .versions
        .iter()
        // Those that are initialised first are seen to on their own.
        .filter(|(_, version)| is_passing(&version.state) && version.snapshot.is_none())
        .filter(|(number, seen)| head.versions.get(number).is_some_and(|now| now.state == seen.state))
        .map(|(number, _)| *number)
        .collect();
    if !latest && published.is_empty() {
        return None;
    }
    let mut head = head.clone();
    if latest {
        end_latest(&mut head, failure);
    }
    for (_, version) in head.versions.iter_mut().filter(|(number, _)| published.contains(number)) {
        version.revision_id = Uuid::new_v4().to_string();
        version.scaling.applied = version.scaling.requested;
        version.state = match (&version.state, failure) {
            (State::Deactivating, _) => State::Deactivated,
            (_, Some(reason)) => State::Failed(reason.clone()),
            (_, None) => State::Active,
        };
    }
    Some(head)
}

fn end_latest(head: &mut FunctionHead, failure: Option<&Reason>) {
    head.latest.revision_id = Uuid::new_v4().to_string();
    match (&head.latest.state, failure) {
        (State::Pending(_), Some(reason)) => head.latest.state = State::Failed(reason.clone()),
        (_, Some(reason)) => head.latest.last_update = Some(LastUpdate::Failed(reason.clone())),
        (_, None) => {
            head.latest.state = match head.latest.managed_instances {
                Some(_) => State::ActiveNonInvocable,
                None => State::Active,
            };
            head.latest.last_update = Some(LastUpdate::Successful);
            head.serving = None;
        }
    }
}

impl Control {
    /// Takes a function that is Pending or InProgress to the end of it, in the background.
    pub(crate) fn settle(&self, head: &FunctionHead) {
        let (control, head) = (self.clone(), head.clone());
        let visible_until = self.clock.moment() + VISIBLE;
        self.tasks.spawn(async move {
            let stop = control.stop.clone();
            let settling = async {
                let failure = control.prepare(&head).await;
                control.clock.sleep_until(visible_until).await;
                while let Err(error) = control.finish(&head, failure.as_ref()).await {
                    tracing::warn!(function = %head.id.arn(), error = %chain(&error), "function.settling_failed");
                    control.clock.sleep(RETRY).await;
                }
                control.initialize_versions(&head);
            };
            // What is cut off here is taken up again when a server starts.
            tokio::select! {
                () = stop.cancelled() => {}
                () = settling => {}
            }
        });
    }

    /// Has the package and the layers unpacked before anything runs from them. The archives were looked through when
    /// they came, so only the platform can fail here, or a disk that lost what was on it.
    async fn prepare(&self, head: &FunctionHead) -> Option<Reason> {
        if let (Code::Image { resolved_uri: Some(uri), .. }, Some(images)) = (&head.latest.code, &self.images)
        {
            let error = images.prepare(uri, head.latest.architecture).await.err()?;
            tracing::error!(function = %head.id.arn(), image = uri, ?error, "image.prepare_failed");
            return Some(image_reason(error));
        }
        for (digest, _) in ledger::archives(&head.latest) {
            let failure = self.prepare_archive(head, digest).await;
            if failure.is_some() {
                return failure;
            }
        }
        None
    }

    async fn prepare_archive(&self, head: &FunctionHead, digest: Digest) -> Option<Reason> {
        let _hold = self.ledger.hold(digest).await;
        let error = self.unpack(digest).await.err()?;
        tracing::error!(function = %head.id.arn(), package = %digest, error = %chain(&error), "package.unpack_failed");
        let code = match &error {
            EnsureError::Build(CodeError::Io { .. }) | EnsureError::Store(_) => "InternalError",
            EnsureError::Build(_) => "InvalidZipFileException",
        };
        Some(Reason { code: code.into(), text: "The code of the function could not be unpacked.".into() })
    }

    async fn unpack(&self, digest: Digest) -> std::result::Result<(), EnsureError<CodeError>> {
        if self.packages.path(&digest).is_some() {
            return Ok(());
        }
        let zip = self.blobs.read(&digest).await?;
        let zip = zip.ok_or_else(|| {
            EnsureError::Build(CodeError::Unreadable { reason: "the archive is gone".into() })
        })?;
        let build = move |directory: &std::path::Path| code::unpack(&zip, directory).map(drop);
        self.packages.ensure(&digest, build).await.map(drop)
    }

    /// Ends what `seen` was in the middle of, unless it was changed or deleted since.
    async fn finish(&self, seen: &FunctionHead, failure: Option<&Reason>) -> Result<()> {
        let change = |present: Option<&rushlight_store::table::Entry<FunctionHead>>| {
            present.and_then(|entry| end(&entry.value, seen, failure)).ok_or(Overtaken)
        };
        let entry = match self.functions.update(&self.key(&seen.id), change).await {
            Ok(entry) => entry,
            Err(UpdateError::Refused(Overtaken)) => return Ok(()),
            Err(UpdateError::Store(error)) => return Err(error.into()),
        };
        let head = &entry.value;
        if head.serving.is_none() && head.latest.generation > 1 {
            let retirement =
                Retirement::Superseded { incarnation: &head.incarnation, generation: head.latest.generation };
            self.data_plane.retire(&head.id, retirement);
        }
        tracing::debug!(function = %head.id.arn(), generation = head.latest.generation, failed = failure.is_some(),
            "function.settled");
        Ok(())
    }
}

/// What became of an image between its deployment and its being fetched.
fn image_reason(error: ImageError) -> Reason {
    let (code, text) = match error {
        ImageError::NotFound => ("ImageDeleted", "The image does not exist any more.".to_owned()),
        ImageError::Denied(reason) => ("ImageAccessDenied", reason),
        ImageError::Unsupported(reason) => ("InvalidImage", reason),
        ImageError::Unavailable(sentence) => ("InternalError", sentence),
    };
    Reason { code: code.into(), text }
}

/// Refuses a change: the function, or the version, is no longer what was seen.
#[derive(Debug)]
pub(crate) struct Overtaken;

#[cfg(test)]
mod tests {
    use rushlight_model::arn::{FunctionId, Scope};
    use rushlight_model::clock::Timestamp;
    use rushlight_model::function::Architecture;
    use rushlight_model::managed_instances::FunctionScaling;
    use rushlight_model::version::PublishedVersion;

    use super::*;

    fn new_head() -> FunctionHead {
        let code = Code::Zip {
            runtime: "python3.12".into(),
            handler: "h.h".into(),
            sha256: String::new(),
            size: 1,
            unpacked_size: 1,
        };
        let scope = Scope { account: "123456789012".into(), region: "eu-west-1".into() };
        let latest =
            super::super::create::initial("f", code, Architecture::X86_64, Timestamp::from_millis(0));
        FunctionHead::new(FunctionId { scope, name: "f".into() }, "i".into(), latest)
    }

    fn failure() -> Option<Reason> {
        Some(Reason { code: "InternalError".into(), text: "x".into() })
    }

    #[test]
    fn a_new_function_is_pending_then_active() {
        let head = new_head();
        assert!(is_unsettled(&head) && !head.serving().is_active());
        assert_eq!(
            check_update(&head, None).unwrap_err().to_string(),
            "The operation cannot be performed at this time. The function is currently in the following state: \
             Pending"
        );
        let active = ended(&head, None);
        assert!(!is_unsettled(&active) && active.serving().is_active());
        assert_eq!(active.latest.last_update, Some(LastUpdate::Successful));
        assert_ne!(active.latest.revision_id, head.latest.revision_id);
        assert_eq!(active.latest.generation, head.latest.generation);
    }

    fn ended(head: &FunctionHead, failure: Option<Reason>) -> FunctionHead {
        end(head, head, failure.as_ref()).unwrap()
    }

    fn version(state: State) -> PublishedVersion {
        PublishedVersion {
            row: "r".into(),
            revision_id: "old".into(),
            state,
            package: None,
            layers: Vec::new(),
            capacity_provider_arn: None,
            scaling: FunctionScaling::default(),
            snapshot: None,
            runtime_version_arn: None,
            generation: 0,
        }
    }

    #[test]
    fn pending_versions_end_with_what_was_seen() {
        let mut seen = ended(&new_head(), None);
        seen.versions.insert(1, version(State::Active));
        seen.versions.insert(2, version(pending()));
        assert!(is_unsettled(&seen));
        let mut head = seen.clone();
        head.versions.insert(3, version(pending()));
        let after = end(&head, &seen, None).unwrap();
        assert_eq!(after.versions[&1], version(State::Active));
        assert_eq!(after.versions[&2].state, State::Active);
        assert_ne!(after.versions[&2].revision_id, "old");
        assert_eq!(after.versions[&3], version(pending()), "published since: ends on its own");
        assert!(end(&after, &seen, None).is_none());
        let failed = end(&head, &seen, failure().as_ref()).unwrap();
        assert!(matches!(failed.versions[&2].state, State::Failed(_)));
        assert!(matches!(failed.latest.last_update, Some(LastUpdate::Successful)));
    }

    #[test]
    fn what_is_deactivated_stays_so_and_is_not_taken_for_what_comes_back() {
        let mut seen = ended(&new_head(), None);
        seen.versions.insert(1, version(State::Deactivating));
        assert!(is_unsettled(&seen));
        for failure in [None, failure()] {
            let after = end(&seen, &seen, failure.as_ref()).unwrap();
            assert_eq!(after.versions[&1].state, State::Deactivated);
            assert!(!is_unsettled(&after));
        }
        let mut back = seen.clone();
        back.versions.insert(1, version(pending()));
        assert!(end(&back, &seen, None).is_none());
    }

    #[test]
    fn the_old_configuration_serves_until_the_update_is_through() {
        let active = ended(&new_head(), None);
        let mut changed = active.latest.clone();
        changed.description = "new".into();
        let updating = begin_update(&active, changed);
        assert_eq!(updating.serving().description, "");
        assert_eq!(updating.latest.generation, 2);
        assert_ne!(updating.latest.revision_id, active.latest.revision_id);
        assert_eq!(
            check_update(&updating, None).unwrap_err().to_string(),
            "The operation cannot be performed at this time. An update is in progress for resource: \
             arn:aws:lambda:eu-west-1:123456789012:function:f"
        );
        let updated = ended(&updating, None);
        assert_eq!(updated.serving().description, "new");
        assert!(updated.serving.is_none());
    }

    #[test]
    fn a_failed_update_leaves_the_old_configuration_serving_also_for_the_next() {
        let active = ended(&new_head(), None);
        let mut changed = active.latest.clone();
        changed.description = "bad".into();
        let failed = ended(&begin_update(&active, changed), failure());
        assert!(matches!(failed.latest.last_update, Some(LastUpdate::Failed(_))));
        assert_eq!(failed.serving().description, "");
        assert!(check_update(&failed, None).is_ok());
        let mut changed = failed.latest.clone();
        changed.description = "good".into();
        let updating = begin_update(&failed, changed);
        assert_eq!(updating.serving().description, "");
        assert_eq!(ended(&updating, None).serving().description, "good");
    }

    #[test]
    fn a_failed_creation_cannot_be_updated() {
        let failed = ended(&new_head(), failure());
        assert!(matches!(failed.latest.state, State::Failed(_)));
        assert!(check_update(&failed, None).is_err());
    }

    #[test]
    fn an_old_revision_id_is_told_first() {
        let head = new_head();
        assert!(matches!(check_update(&head, Some("stale")), Err(Error::RevisionMismatch)));
        let active = ended(&head, None);
        assert!(check_update(&active, Some(&active.latest.revision_id)).is_ok());
    }
}
