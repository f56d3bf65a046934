//! Tags of functions, event source mappings, code signing configurations and capacity providers.
//!
//! Tags are kept with what they are tags of. Here is what holds for all of them: the form of the ARN, the rules of
//! the tags; what a change of tags means is told by the noun.

use std::collections::BTreeMap;

use rushlight_api::lambda::types::{
    ListTagsRequest, ListTagsResponse, TagResourceRequest, UntagResourceRequest,
};
use rushlight_model::arn::{FunctionId, FunctionReference, Scope};
use rushlight_model::capacity_provider::CapacityProviderId;
use rushlight_model::code_signing_config::CodeSigningConfigId;

use crate::Control;
use crate::capacity_provider;
use crate::code_signing_config;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::event_source_mapping;
use crate::function;

/// How many tags a resource may have.
const LIMIT: usize = 50;
/// What tags that AWS sets itself begin with.
const RESERVED: &str = "aws:";

/// Names and values.
pub(crate) type Tags = BTreeMap<String, String>;

/// What can have tags and is here.
enum Resource {
    Function(FunctionId),
    CodeSigningConfig(CodeSigningConfigId),
    CapacityProvider(CapacityProviderId),
    /// The UUID of a mapping, and its account and region.
    EventSourceMapping(Scope, String),
}

pub(crate) async fn tag(
    control: &Control,
    context: &RequestContext,
    input: TagResourceRequest,
) -> Result<()> {
    if input.tags.is_empty() {
        return Err(Error::invalid("An error occurred and the request cannot be processed."));
    }
    let resource = resource(&context.scope, &input.resource)?;
    check_names(input.tags.keys())?;
    change(control, &resource, |tags| {
        tags.extend(input.tags.clone());
        check_number(tags)
    })
    .await?;
    tracing::info!(resource = %input.resource, request = %context.request_id, "tags.added");
    Ok(())
}

/// Names that are not there are no mistake.
pub(crate) async fn untag(
    control: &Control,
    context: &RequestContext,
    input: UntagResourceRequest,
) -> Result<()> {
    let resource = resource(&context.scope, &input.resource)?;
    check_names(&input.tag_keys)?;
    change(control, &resource, |tags| {
        tags.retain(|name, _| !input.tag_keys.contains(name));
        Ok(())
    })
    .await?;
    tracing::info!(resource = %input.resource, request = %context.request_id, "tags.removed");
    Ok(())
}

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListTagsRequest,
) -> Result<ListTagsResponse> {
    let tags = match resource(&context.scope, &input.resource)? {
        Resource::Function(id) => function::tags::read(control, &id).await?,
        Resource::CodeSigningConfig(id) => {
            code_signing_config::existing(control, &id.scope, &id.arn()).await?.value.tags.clone()
        }
        Resource::CapacityProvider(id) => capacity_provider::existing(control, &id).await?.value.tags.clone(),
        Resource::EventSourceMapping(scope, uuid) => {
            event_source_mapping::tags::read(control, &scope, &uuid).await?
        }
    };
    Ok(ListTagsResponse { tags: Some(tags) })
}

async fn change(
    control: &Control,
    resource: &Resource,
    alter: impl Fn(&mut Tags) -> Result<()>,
) -> Result<()> {
    match resource {
        Resource::Function(id) => function::tags::change(control, id, alter).await,
        Resource::CodeSigningConfig(id) => code_signing_config::change_tags(control, id, alter).await,
        Resource::CapacityProvider(id) => capacity_provider::change_tags(control, id, alter).await,
        Resource::EventSourceMapping(scope, uuid) => {
            event_source_mapping::tags::change(control, scope, uuid, alter).await
        }
    }
}

/// What the ARN, which has passed the API's pattern check, names. It is found where its region and account are those
/// of the request.
fn resource(here: &Scope, arn: &str) -> Result<Resource> {
    let missing = |kind: &str| Error::ResourceNotFound(format!("{kind} not found: {arn}"));
    let mut fields = arn.splitn(7, ':').skip(4);
    if fields.next().is_some_and(|account| account != here.account) {
        return Err(Error::OtherAccount);
    }
    match fields.next() {
        Some("function") => {
            let reference = FunctionReference::parse(here, arn, None)?;
            match reference.qualifier {
                None => Ok(Resource::Function(reference.function)),
                Some(_) => Err(Error::invalid(
                    "Tags on function aliases and versions are not supported. Please specify a function ARN.",
                )),
            }
        }
        Some("code-signing-config") => CodeSigningConfigId::parse(here, arn)
            .map(Resource::CodeSigningConfig)
            .ok_or_else(|| Error::NoCodeSigningConfig { arn: arn.to_owned() }),
        Some("event-source-mapping") => {
            let mut fields = arn.split(':');
            let is_here = fields.nth(3) == Some(here.region.as_str());
            match fields.nth(2) {
                Some(uuid) if is_here => Ok(Resource::EventSourceMapping(here.clone(), uuid.to_owned())),
                _ => Err(missing("Event source mapping")),
            }
        }
        Some("capacity-provider") => capacity_provider::named(here, arn).map(Resource::CapacityProvider),
        _ => Err(missing("Network connector")),
    }
}

/// The tags that a resource is created with.
pub(crate) fn of_new_resource(given: Option<Tags>) -> Result<Tags> {
    let tags = given.unwrap_or_default();
    check_names(tags.keys())?;
    check_number(&tags)?;
    Ok(tags)
}

fn check_number(tags: &Tags) -> Result<()> {
    if tags.len() > LIMIT {
        return Err(Error::invalid("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}

pub(crate) fn check_names<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<()> {
    let reserved =
        |name: &String| name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
    if names.into_iter().any(reserved) {
        return Err(Error::invalid("aws: prefixed tag key names are not allowed for external use."));
    }
    Ok(())
}
