//! The states of a mapping and what moves it from one to the next.
//!
//! ```text
//!  create ──> Creating ──┬──> Enabled  ──> Disabling ──> Disabled ──> Enabling ──> Enabled
//!                        └──> Disabled     Updating  ──> Enabled or Disabled     Deleting ──> gone
//! ```
//! Requests begin transitions, which end by themselves. Every arrow is one compare-and-set of the row. Nothing but
//! time is needed to get through one as yet: nothing polls.

use std::time::Duration;

use rushlight_model::event_source_mapping::{EventSourceMapping, State};
use rushlight_store::Expect;
use rushlight_store::table::{Entry, UpdateError};

use super::key;
use crate::Control;
use crate::error::{Error, Result, chain};

/// How long a transition is to be seen at least.
pub(crate) const VISIBLE: Duration = Duration::from_millis(150);
/// How long to wait after the store failed before trying again.
const RETRY: Duration = Duration::from_secs(1);

/// The mapping, if it exists and nothing is under way with it. `verb` is what is to be done with it.
pub(super) fn settled<'a>(
    present: Option<&'a Entry<EventSourceMapping>>,
    verb: &'static str,
) -> Result<&'a EventSourceMapping> {
    let mapping = &present.ok_or(Error::MappingNotFound)?.value;
    if !mapping.state.is_settled() {
        return Err(Error::MappingInUse { verb });
    }
    Ok(mapping)
}

impl Control {
    /// Takes a mapping to the end of its transition, in the background.
    pub(super) fn settle_mapping(&self, mapping: &EventSourceMapping) {
        let (control, mapping) = (self.clone(), mapping.clone());
        let visible_until = self.clock.moment() + VISIBLE;
        self.tasks.spawn(async move {
            let stop = control.stop.clone();
            let settling = async {
                control.clock.sleep_until(visible_until).await;
                while let Err(error) = control.finish_mapping(&mapping).await {
                    tracing::warn!(mapping = %mapping.arn(), error = %chain(&error), "mapping.settling_failed");
                    control.clock.sleep(RETRY).await;
                }
            };
            // What is cut off here is taken up again when a server starts.
            tokio::select! {
                () = stop.cancelled() => {}
                () = settling => {}
            }
        });
    }

    /// Ends the transition that `seen` is in, unless the mapping was changed since.
    pub(super) async fn finish_mapping(&self, seen: &EventSourceMapping) -> Result<()> {
        if seen.state == State::Deleting {
            return self.remove_mapping(seen).await;
        }
        let now = self.clock.now();
        let change = |present: Option<&Entry<EventSourceMapping>>| match present {
            Some(entry) if entry.value.transition == seen.transition => match entry.value.next_state() {
                Some(state) => Ok(EventSourceMapping { claiming: None, ..entry.value.in_state(state, now) }),
                None => Err(Error::Busy),
            },
            _ => Err(Error::Busy),
        };
        match self.mappings.rows.update(&key(&seen.scope, &seen.uuid), change).await {
            Ok(entry) => {
                tracing::debug!(mapping = %seen.arn(), state = entry.value.state.as_str(), "mapping.settled");
            }
            Err(UpdateError::Refused(_)) => return Ok(()),
            Err(UpdateError::Store(error)) => return Err(error.into()),
        }
        match &seen.claiming {
            Some(claim) => self.mappings.release(&seen.uuid, claim).await,
            None => Ok(()),
        }
    }

    /// The row first, then what leads to it: see `claim`.
    async fn remove_mapping(&self, seen: &EventSourceMapping) -> Result<()> {
        let key = key(&seen.scope, &seen.uuid);
        while let Some(entry) = self.mappings.rows.get(&key).await? {
            if entry.value.transition != seen.transition {
                return Ok(());
            }
            match self.mappings.rows.delete(&key, Expect::Revision(entry.revision)).await {
                Err(error) if error.is_conflict() => {}
                result => {
                    result?;
                    break;
                }
            }
        }
        tracing::debug!(mapping = %seen.arn(), "mapping.gone");
        self.mappings.forget(seen).await
    }
}
