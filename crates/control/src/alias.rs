//! Aliases: CreateAlias, GetAlias, ListAliases, UpdateAlias, DeleteAlias.
//!
//! An alias is an entry of its function's head: it changes together with what it points to, or not at all.

use std::collections::BTreeMap;
use std::ops::Bound;

use rushlight_api::lambda::types::{
    AliasConfiguration, AliasRoutingConfiguration, CreateAliasRequest, DeleteAliasRequest, GetAliasRequest,
    ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};
use rushlight_model::alias::{AdditionalVersion, Alias};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function::FunctionHead;
use rushlight_model::version::Version;
use uuid::Uuid;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{found, name};
use crate::page::Page;

/// The most aliases on one page, whatever is asked for.
const PAGE: usize = 50;

pub(crate) async fn create(
    control: &Control,
    context: &RequestContext,
    input: CreateAliasRequest,
) -> Result<AliasConfiguration> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let version = read_version(&input.function_version);
    let additional = read_routing(input.routing_config.as_ref())?;
    let entry = control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = found(present, &reference.function.qualified_arn(&version.into()))?;
            if head.aliases.contains_key(&input.name) {
                return Err(Error::Conflict(format!("Alias already exists: {}", arn(head, &input.name))));
            }
            let alias = Alias {
                version,
                additional,
                description: input.description.clone().unwrap_or_default(),
                revision_id: Uuid::new_v4().to_string(),
            };
            check(head, &alias)?;
            Ok(with(head, &input.name, alias))
        })
        .await?;
    report(context, &reference, &input.name, "alias.created");
    shown(&entry.value, &input.name)
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetAliasRequest,
) -> Result<AliasConfiguration> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    shown(&*control.head(&reference).await?, &input.name)
}

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListAliasesRequest,
) -> Result<ListAliasesResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let head = control.head(&reference).await?;
    let version = input.function_version.as_deref().map(read_version);
    let page = Page::read(&context.scope, "aliases", input.marker.as_deref(), input.max_items, PAGE)?;
    let after = page.after.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(last.clone()));
    let names = head
        .aliases
        .range((after, Bound::Unbounded))
        .filter(|(_, alias)| version.is_none_or(|version| leads_to(alias, version)))
        .map(|(name, _)| name)
        .take(page.look_ahead());
    let (names, next_marker) = page.cut(names.collect(), |name| name.as_str());
    let aliases = names.iter().map(|name| shown(&head, name)).collect::<Result<_>>()?;
    Ok(ListAliasesResponse { next_marker, aliases: Some(aliases) })
}

pub(crate) async fn update(
    control: &Control,
    context: &RequestContext,
    input: UpdateAliasRequest,
) -> Result<AliasConfiguration> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let version = input.function_version.as_deref().map(read_version);
    let additional = input.routing_config.as_ref().map(|given| read_routing(Some(given))).transpose()?;
    let revision_id = input.revision_id.as_deref().filter(|revision| !revision.is_empty());
    let entry = control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = found(present, &reference.arn())?;
            let before = head.aliases.get(&input.name).ok_or_else(|| {
                Error::ResourceNotFound(format!("Alias not found: {}", arn(head, &input.name)))
            })?;
            if revision_id.is_some_and(|seen| seen != before.revision_id) {
                return Err(Error::RevisionMismatch);
            }
            let alias = Alias {
                version: version.unwrap_or(before.version),
                additional: additional.unwrap_or(before.additional),
                description: input.description.clone().unwrap_or_else(|| before.description.clone()),
                revision_id: Uuid::new_v4().to_string(),
            };
            check(head, &alias)?;
            Ok(with(head, &input.name, alias))
        })
        .await?;
    control.tell_provision(&entry.value, &input.name);
    report(context, &reference, &input.name, "alias.updated");
    shown(&entry.value, &input.name)
}

/// Deletes an alias with all that is set for it. One that is not there is no error, if the function is.
pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteAliasRequest,
) -> Result<()> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let key = control.key(&reference.function);
    if !control.head(&reference).await?.aliases.contains_key(&input.name) {
        return Ok(());
    }
    let (mut provisioned, mut url) = (false, None);
    control
        .functions
        .update(&key, |present| {
            let mut head = found(present, &reference.arn())?.clone();
            provisioned = head.provisioned.contains_key(&input.name);
            url = head.urls.get(&input.name).map(|url| url.id.clone());
            head.aliases.remove(&input.name);
            head.forget_qualifier(&input.name);
            Ok::<_, Error>(head)
        })
        .await?;
    if provisioned {
        control.tell_claims(&context.scope).await?;
        control.data_plane.provision(&reference.function);
    }
    if let Some(id) = url {
        control.forget_url(&id).await;
    }
    report(context, &reference, &input.name, "alias.deleted");
    Ok(())
}

fn report(context: &RequestContext, reference: &FunctionReference, name: &str, event: &'static str) {
    tracing::info!(function = %reference.function.arn(), alias = name, request = %context.request_id, "{event}");
}

fn arn(head: &FunctionHead, name: &str) -> String {
    head.id.qualified_arn(&Qualifier::Alias(name.to_owned()))
}

fn with(head: &FunctionHead, name: &str, alias: Alias) -> FunctionHead {
    let mut head = head.clone();
    head.aliases.insert(name.to_owned(), alias);
    head
}

/// A version as requests write it: `$LATEST` or digits, as the service's model makes sure.
fn read_version(text: &str) -> Version {
    text.parse().map_or(Version::Latest, Version::Published)
}

/// The second version of a routing configuration; an empty one means none.
fn read_routing(given: Option<&AliasRoutingConfiguration>) -> Result<Option<AdditionalVersion>> {
    let Some(weights) = given.and_then(|given| given.additional_version_weights.as_ref()) else {
        return Ok(None);
    };
    if weights.len() > 1 {
        return Err(Error::invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    let entry = weights.first_key_value();
    Ok(entry.map(|(number, weight)| AdditionalVersion {
        // What is too large for a number of ours is no version of any function.
        number: number.parse().unwrap_or(u64::MAX),
        weight: *weight,
    }))
}

/// Refuses an alias to what is not there, or that shares requests where AWS does not.
fn check(head: &FunctionHead, alias: &Alias) -> Result<()> {
    let exists = |version: Version| {
        let qualifier = Qualifier::from(version);
        match head.version(Some(&qualifier)) {
            Some(_) => Ok(()),
            None => Err(Error::FunctionNotFound { arn: head.id.qualified_arn(&qualifier) }),
        }
    };
    if let Some(additional) = alias.additional {
        let number = additional.number;
        match alias.version {
            Version::Latest => return Err(Error::LatestShared),
            version if version == Version::Published(number) => {
                return Err(Error::invalid(format!(
                    "Invalid function version {number}. Function version {number} is already included in routing \
                     configuration."
                )));
            }
            Version::Published(_) => exists(Version::Published(number))?,
        }
    }
    exists(alias.version)
}

fn leads_to(alias: &Alias, version: Version) -> bool {
    match version {
        Version::Latest => alias.version == Version::Latest,
        Version::Published(number) => alias.leads_to(number),
    }
}

fn shown(head: &FunctionHead, name: &str) -> Result<AliasConfiguration> {
    let alias = head
        .aliases
        .get(name)
        .ok_or_else(|| Error::ResourceNotFound(format!("Cannot find alias arn: {}", arn(head, name))))?;
    let routing = alias.additional.map(|AdditionalVersion { number, weight }| AliasRoutingConfiguration {
        additional_version_weights: Some(BTreeMap::from([(number.to_string(), weight)])),
    });
    Ok(AliasConfiguration {
        alias_arn: Some(arn(head, name)),
        name: Some(name.to_owned()),
        function_version: Some(alias.version.to_string()),
        description: Some(alias.description.clone()),
        routing_config: routing,
        revision_id: Some(alias.revision_id.clone()),
    })
}
