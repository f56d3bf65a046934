//! Provisioned concurrency: PutProvisionedConcurrencyConfig and its like.
//!
//! The head of a function says what was asked for; what there is of it is asked of the data plane each time, so that
//! no status survives the environments that it speaks of.

use std::ops::Bound;

use rushlight_api::lambda::types::{
    DeleteProvisionedConcurrencyConfigRequest, GetProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigResponse, ListProvisionedConcurrencyConfigsRequest,
    ListProvisionedConcurrencyConfigsResponse, ProvisionedConcurrencyConfigListItem,
    PutProvisionedConcurrencyConfigRequest, PutProvisionedConcurrencyConfigResponse,
};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::clock::Timestamp;
use rushlight_model::concurrency::ProvisionedConcurrency;
use rushlight_model::function::FunctionHead;
use rushlight_store::table::Entry;

use crate::Control;
use crate::concurrency::unclaimed;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{check_exists, found, managed_instances, name};
use crate::page::Page;

/// The most configurations on one page, whatever is asked for.
const PAGE: usize = 50;

pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutProvisionedConcurrencyConfigRequest,
) -> Result<PutProvisionedConcurrencyConfigResponse> {
    let reference = reference(context, &input.function_name, &input.qualifier, UNPUBLISHED)?;
    let requested = u32::try_from(input.provisioned_concurrent_executions).unwrap_or_default();
    let _claiming = control.claiming.lock().await;
    let head = &control.head(&reference).await?;
    check_target(head, &reference)?;
    check_claim(control, context, head, &input.qualifier, requested).await?;
    check_settings(control, head, &reference).await?;
    let provisioned = ProvisionedConcurrency { requested, last_modified: control.clock.now() };
    let change = |present: Option<&Entry<FunctionHead>>| {
        let mut head = found(present, &reference.arn())?.clone();
        check_target(&head, &reference)?;
        head.provisioned.insert(input.qualifier.clone(), provisioned);
        Ok::<_, Error>(head)
    };
    control.functions.update(&control.key(&reference.function), change).await?;
    control.tell_claims(&context.scope).await?;
    control.data_plane.provision(&reference.function);
    tracing::info!(function = %reference.arn(), requested, request = %context.request_id, "concurrency.provisioned");
    Ok(PutProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: count(requested),
        allocated_provisioned_concurrent_executions: Some(0),
        available_provisioned_concurrent_executions: Some(0),
        status: Some("IN_PROGRESS".into()),
        status_reason: None,
        last_modified: Some(time(provisioned.last_modified)),
    })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetProvisionedConcurrencyConfigRequest,
) -> Result<GetProvisionedConcurrencyConfigResponse> {
    let reference = reference(context, &input.function_name, &input.qualifier, NOT_A_TARGET)?;
    let head = &control.head(&reference).await?;
    check_exists(head, &reference)?;
    let provisioned = head.provisioned.get(&input.qualifier).ok_or(Error::NoProvisionedConcurrency)?;
    let shown = shown(control, head, &input.qualifier, provisioned);
    Ok(GetProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: shown.requested_provisioned_concurrent_executions,
        available_provisioned_concurrent_executions: shown.available_provisioned_concurrent_executions,
        allocated_provisioned_concurrent_executions: shown.allocated_provisioned_concurrent_executions,
        status: shown.status,
        status_reason: shown.status_reason,
        last_modified: shown.last_modified,
    })
}

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListProvisionedConcurrencyConfigsRequest,
) -> Result<ListProvisionedConcurrencyConfigsResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let head = &control.head(&reference).await?;
    let page = Page::read(&context.scope, "provisioned", input.marker.as_deref(), input.max_items, PAGE)?;
    let after = page.after.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(last.clone()));
    let configs = head.provisioned.range((after, Bound::Unbounded)).take(page.look_ahead());
    let (configs, next_marker) = page.cut(configs.collect(), |(qualifier, _)| qualifier.as_str());
    let shown = configs.iter().map(|(qualifier, provisioned)| shown(control, head, qualifier, provisioned));
    Ok(ListProvisionedConcurrencyConfigsResponse {
        provisioned_concurrency_configs: Some(shown.collect()),
        next_marker,
    })
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteProvisionedConcurrencyConfigRequest,
) -> Result<()> {
    let reference = reference(context, &input.function_name, &input.qualifier, NOT_A_TARGET)?;
    let _claiming = control.claiming.lock().await;
    let change = |present: Option<&Entry<FunctionHead>>| {
        let mut head = found(present, &reference.arn())?.clone();
        check_exists(&head, &reference)?;
        head.provisioned.remove(&input.qualifier);
        Ok::<_, Error>(head)
    };
    control.functions.update(&control.key(&reference.function), change).await?;
    control.tell_claims(&context.scope).await?;
    control.data_plane.provision(&reference.function);
    tracing::info!(function = %reference.arn(), request = %context.request_id, "concurrency.not_provisioned");
    Ok(())
}

const UNPUBLISHED: &str =
    "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
const NOT_A_TARGET: &str = "The function resource provided must be an alias or a published version.";

/// The version or alias that is meant; `latest` is what is said of `$LATEST`.
fn reference(
    context: &RequestContext,
    name: &str,
    qualifier: &str,
    latest: &str,
) -> Result<FunctionReference> {
    let reference = FunctionReference::parse(&context.scope, name, Some(qualifier))?;
    match reference.qualifier {
        Some(Qualifier::Version(_) | Qualifier::Alias(_)) => Ok(reference),
        None | Some(Qualifier::Latest) => Err(Error::invalid(latest)),
    }
}

/// Refuses what does not exist, and a version that is provisioned by two names.
fn check_target(head: &FunctionHead, reference: &FunctionReference) -> Result<()> {
    check_exists(head, reference)?;
    match &reference.qualifier {
        Some(Qualifier::Alias(name)) => {
            let Some(alias) = head.aliases.get(name) else { return Ok(()) };
            if head.shares(name, 1).is_empty() {
                return Err(Error::invalid(UNPUBLISHED));
            }
            let versions = head.provisioned.keys().filter_map(|qualifier| qualifier.parse().ok());
            if versions.into_iter().any(|number| alias.leads_to(number)) {
                return Err(Error::Conflict(
                    "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
                        .to_owned(),
                ));
            }
        }
        Some(Qualifier::Version(number)) => {
            let mut aliases = head.provisioned.keys().filter_map(|qualifier| head.aliases.get(qualifier));
            if aliases.any(|alias| alias.leads_to(*number)) {
                return Err(Error::Conflict(
                    "Version is pointed by a Provisioned Concurrency alias".to_owned(),
                ));
            }
        }
        None | Some(Qualifier::Latest) => {}
    }
    Ok(())
}

/// Refuses more than the function's reservation, or than the account, has room for.
async fn check_claim(
    control: &Control,
    context: &RequestContext,
    head: &FunctionHead,
    qualifier: &str,
    requested: u32,
) -> Result<()> {
    let before = head.provisioned.get(qualifier).map_or(0, |provisioned| provisioned.requested);
    let total = (head.provisioned_concurrency() - before).saturating_add(requested);
    if let Some(reserved) = head.reserved_concurrency {
        if total > reserved {
            return Err(Error::ConcurrencyLimit(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for \
                 function"
                    .to_owned(),
            ));
        }
        return Ok(());
    }
    let unclaimed = unclaimed(control, &context.scope, head).await?;
    let minimum = control.quotas.minimum_unreserved_concurrency;
    if total > unclaimed {
        return Err(Error::ConcurrencyLimit(format!(
            "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency \
             [{unclaimed}]."
        )));
    }
    if unclaimed - total < minimum {
        return Err(Error::ConcurrencyLimit(format!(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [{minimum}]."
        )));
    }
    Ok(())
}

/// Refuses functions whose environments cannot be kept ready for everybody.
async fn check_settings(control: &Control, head: &FunctionHead, reference: &FunctionReference) -> Result<()> {
    let configuration = control.configuration(head, reference.qualifier.as_ref()).await?;
    if let Some(configuration) = &configuration {
        managed_instances::refuse(configuration, "provisioned concurrency")?;
    }
    let refused = match configuration {
        Some(configuration) if configuration.snap_start_published_versions => "SnapStart",
        Some(configuration) if configuration.tenant_isolation => "tenant isolation",
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("Provisioned Concurrency is not supported for functions with {refused}.")))
}

fn shown(
    control: &Control,
    head: &FunctionHead,
    qualifier: &str,
    provisioned: &ProvisionedConcurrency,
) -> ProvisionedConcurrencyConfigListItem {
    let (mut ready, mut failed) = (0, false);
    for (number, share) in head.shares(qualifier, provisioned.requested) {
        let provision = control.data_plane.provisioned(&head.id, number);
        ready += provision.ready.min(share);
        failed |= provision.failed;
    }
    let status = match (ready >= provisioned.requested, failed) {
        (true, _) => "READY",
        (false, true) => "FAILED",
        (false, false) => "IN_PROGRESS",
    };
    ProvisionedConcurrencyConfigListItem {
        function_arn: Some(head.id.qualified_arn(&Qualifier::parse(qualifier))),
        requested_provisioned_concurrent_executions: count(provisioned.requested),
        available_provisioned_concurrent_executions: count(ready),
        allocated_provisioned_concurrent_executions: count(ready),
        status: Some(status.into()),
        status_reason: (status == "FAILED").then(|| "FUNCTION_ERROR_INIT_FAILURE".to_owned()),
        last_modified: Some(time(provisioned.last_modified)),
    }
}

fn count(number: u32) -> Option<i32> {
    i32::try_from(number).ok()
}

/// `2019-10-09T20:28:49+0000`: unlike elsewhere, without milliseconds.
fn time(timestamp: Timestamp) -> String {
    timestamp.format("%Y-%m-%dT%H:%M:%S+0000")
}
