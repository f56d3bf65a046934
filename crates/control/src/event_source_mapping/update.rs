//! UpdateEventSourceMapping.

use rushlight_api::lambda::types::{UpdateEventSourceMappingRequest, UpdateEventSourceMappingResponse};
use rushlight_model::event_source_mapping::{EventSourceMapping, State};
use rushlight_store::table::{Entry, UpdateError};

use super::claim::claim_of;
use super::members::{Members, of_update};
use super::{function, key, rules, state, view};
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// How often to begin anew when the mapping was changed meanwhile.
const ATTEMPTS: usize = 64;

pub(crate) async fn update(
    control: &Control,
    context: &RequestContext,
    input: UpdateEventSourceMappingRequest,
) -> Result<UpdateEventSourceMappingResponse> {
    let uuid = input.uuid.clone();
    let members = of_update(input);
    for _ in 0..ATTEMPTS {
        let entry = control.mappings.rows.get(&key(&context.scope, &uuid)).await?;
        let seen = state::settled(entry.as_ref(), "update")?;
        let changed = changed(control, context, seen, &members).await?;
        let updated = if claim_of(seen) == claim_of(&changed) {
            replace(control, seen, &changed).await
        } else {
            move_to(control, seen, &changed).await
        };
        match updated {
            Err(Error::Busy) => {}
            Err(error) => return Err(error),
            Ok(mapping) => {
                control.settle_mapping(&mapping);
                tracing::info!(mapping = %mapping.arn(), request = %context.request_id, "mapping.updated");
                return Ok(view::configuration(&mapping));
            }
        }
    }
    Err(Error::Busy)
}

/// The mapping as the request wants it, on its way there.
async fn changed(
    control: &Control,
    context: &RequestContext,
    seen: &EventSourceMapping,
    members: &Members,
) -> Result<EventSourceMapping> {
    let now = control.clock.now();
    let settings = rules::settings(seen.source.kind, Some(&seen.settings), members, &seen.uuid, now)?;
    let enabled = members.enabled.unwrap_or(seen.enabled);
    let state = match (seen.enabled, enabled) {
        (false, true) => State::Enabling,
        (true, false) => State::Disabling,
        _ => State::Updating,
    };
    let mut function = seen.function.clone();
    if !members.function_name.is_empty() {
        let (named, head) = function::find(control, context, &members.function_name).await?;
        function::check_concurrency(&head, &settings)?;
        control.check_role_reads(&head.id, &head.latest.role, &seen.source)?;
        function = named;
    } else if members.scaling_config.is_some()
        && let Some(head) = function::current(control, seen).await?
    {
        function::check_concurrency(&head, &settings)?;
    }
    Ok(EventSourceMapping { settings, enabled, function, ..seen.in_state(state, now) })
}

/// Puts `changed` in place of `seen`, with the tags that there are by then. [`Error::Busy`] if it is in another
/// transition by then.
async fn replace(
    control: &Control,
    seen: &EventSourceMapping,
    changed: &EventSourceMapping,
) -> Result<EventSourceMapping> {
    let change = |present: Option<&Entry<EventSourceMapping>>| match present {
        Some(entry) if entry.value.transition == seen.transition => {
            Ok(EventSourceMapping { tags: entry.value.tags.clone(), ..changed.clone() })
        }
        Some(_) => Err(Error::Busy),
        None => Err(Error::MappingNotFound),
    };
    match control.mappings.rows.update(&key(&seen.scope, &seen.uuid), change).await {
        Ok(entry) => Ok(EventSourceMapping::clone(&entry.value)),
        Err(UpdateError::Refused(refusal)) => Err(refusal),
        Err(UpdateError::Store(error)) => Err(error.into()),
    }
}

/// As [`replace`], for a mapping that needs another claim.
async fn move_to(
    control: &Control,
    seen: &EventSourceMapping,
    changed: &EventSourceMapping,
) -> Result<EventSourceMapping> {
    let claim = claim_of(changed);
    let claiming = EventSourceMapping {
        claiming: Some(claim.clone()),
        ..seen.in_state(State::Updating, changed.last_modified)
    };
    let claiming = replace(control, seen, &claiming).await?;
    let moved = async {
        control.mappings.take(changed, &claim).await?;
        let moved = EventSourceMapping { transition: claiming.transition + 1, ..changed.clone() };
        replace(control, &claiming, &moved).await
    };
    match moved.await {
        Ok(mapping) => {
            if let Err(error) = control.mappings.release(&seen.uuid, &claim_of(seen)).await {
                // It is not held any more, and whoever wants it will take it.
                tracing::warn!(mapping = %seen.arn(), error = %error, "mapping.claim_left_over");
            }
            Ok(mapping)
        }
        Err(error) => {
            // Back to what it was; in the background if need be, as after a crash.
            if control.finish_mapping(&claiming).await.is_err() {
                control.settle_mapping(&claiming);
            }
            Err(error)
        }
    }
}
