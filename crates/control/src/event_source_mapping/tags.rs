//! Tags of mappings, which are kept with them.

use rushlight_model::arn::Scope;
use rushlight_model::event_source_mapping::{EventSourceMapping, arn};
use rushlight_store::table::Entry;

use super::key;
use crate::Control;
use crate::error::{Error, Result};
use crate::tags::Tags;

pub(crate) async fn read(control: &Control, scope: &Scope, uuid: &str) -> Result<Tags> {
    let entry = control.mappings.find(scope, uuid).await?;
    Ok(entry.ok_or_else(|| missing(scope, uuid))?.value.tags.clone())
}

/// Changes the tags, also while a transition is under way: it takes them with it.
pub(crate) async fn change(
    control: &Control,
    scope: &Scope,
    uuid: &str,
    alter: impl Fn(&mut Tags) -> Result<()>,
) -> Result<()> {
    let change = |present: Option<&Entry<EventSourceMapping>>| {
        let entry = present.ok_or_else(|| missing(scope, uuid))?;
        let mut mapping = EventSourceMapping::clone(&entry.value);
        alter(&mut mapping.tags)?;
        Ok(mapping)
    };
    control.mappings.rows.update(&key(scope, uuid), change).await.map(drop).map_err(Error::from)
}

fn missing(scope: &Scope, uuid: &str) -> Error {
    Error::ResourceNotFound(format!("Event source mapping not found: {}", arn(scope, uuid)))
}
