//! The tags of a function.

use rushlight_model::arn::FunctionId;
use rushlight_model::function::LastUpdate;
use uuid::Uuid;

use crate::Control;
use crate::error::{Error, Result};
use crate::tags::Tags;

pub(crate) async fn read(control: &Control, id: &FunctionId) -> Result<Tags> {
    let entry = control.functions.get(&control.key(id)).await?;
    let entry = entry.ok_or_else(|| Error::FunctionNotFound { arn: id.arn() })?;
    Ok(entry.value.tags.clone())
}

/// A change of tags gives the function a new revision id, as AWS does, and waits for no update to be through.
pub(crate) async fn change(
    control: &Control,
    id: &FunctionId,
    alter: impl Fn(&mut Tags) -> Result<()>,
) -> Result<()> {
    control
        .functions
        .update(&control.key(id), |present| {
            let entry = present.ok_or_else(|| Error::FunctionNotFound { arn: id.arn() })?;
            let mut head = entry.value.as_ref().clone();
            if matches!(head.latest.last_update, Some(LastUpdate::InProgress(_))) {
                return Err(Error::UpdateInProgress { arn: id.arn() });
            }
            alter(&mut head.tags)?;
            head.latest.revision_id = Uuid::new_v4().to_string();
            Ok(head)
        })
        .await?;
    Ok(())
}
