//! Reserved concurrency: PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency; and what reserved
//! and provisioned concurrency have in common, their share of the account.
//!
//! What functions may claim is a rule over all functions of an account, while each claim is in its own function's
//! head. So claims are made one at a time: see [`Control::claiming`].

use rushlight_api::lambda::types::{
    Concurrency, DeleteFunctionConcurrencyRequest, GetFunctionConcurrencyRequest,
    GetFunctionConcurrencyResponse, PutFunctionConcurrencyRequest,
};
use rushlight_model::arn::{FunctionReference, Scope};
use rushlight_model::function::FunctionHead;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{found, managed_instances};

pub(crate) async fn put(
    control: &Control,
    context: &RequestContext,
    input: PutFunctionConcurrencyRequest,
) -> Result<Concurrency> {
    let reference = unqualified(&context.scope, &input.function_name)?;
    let reserved = u32::try_from(input.reserved_concurrent_executions).unwrap_or_default();
    let _claiming = control.claiming.lock().await;
    let head = control.head(&reference).await?;
    managed_instances::refuse(&head.latest, "reserved concurrency")?;
    let unclaimed = unclaimed(control, &context.scope, &head).await?;
    let minimum = control.quotas.minimum_unreserved_concurrency;
    if unclaimed.saturating_sub(reserved) < minimum || reserved > unclaimed {
        return Err(Error::ConcurrencyLimit(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{minimum}]."
        )));
    }
    let provisioned = head.provisioned_concurrency();
    if reserved < provisioned {
        // The spaces are AWS' own.
        return Err(Error::ConcurrencyLimit(format!(
            " ReservedConcurrentExecutions  {reserved} should not be lower than function's total provisioned \
             concurrency [{provisioned}]."
        )));
    }
    set(control, context, &reference, Some(reserved)).await?;
    Ok(Concurrency { reserved_concurrent_executions: Some(input.reserved_concurrent_executions) })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetFunctionConcurrencyRequest,
) -> Result<GetFunctionConcurrencyResponse> {
    let reference = unqualified(&context.scope, &input.function_name)?;
    let reserved = control.head(&reference).await?.reserved_concurrency;
    Ok(GetFunctionConcurrencyResponse {
        reserved_concurrent_executions: reserved.and_then(|reserved| i32::try_from(reserved).ok()),
    })
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteFunctionConcurrencyRequest,
) -> Result<()> {
    let reference = unqualified(&context.scope, &input.function_name)?;
    let _claiming = control.claiming.lock().await;
    set(control, context, &reference, None).await
}

async fn set(
    control: &Control,
    context: &RequestContext,
    reference: &FunctionReference,
    reserved: Option<u32>,
) -> Result<()> {
    control
        .functions
        .update(&control.key(&reference.function), |present| {
            let mut head = found(present, &reference.arn())?.clone();
            head.reserved_concurrency = reserved;
            Ok::<_, Error>(head)
        })
        .await?;
    control.tell_claims(&context.scope).await?;
    tracing::info!(function = %reference.arn(), ?reserved, request = %context.request_id, "concurrency.reserved");
    Ok(())
}

/// The function itself; versions and aliases have no reservation of their own.
fn unqualified(here: &Scope, name: &str) -> Result<FunctionReference> {
    let reference = FunctionReference::parse(here, name, None)?;
    match reference.qualifier {
        None => Ok(reference),
        Some(_) => Err(Error::invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN.",
        )),
    }
}

/// The account's concurrency that no other function than `head` has claimed.
pub(crate) async fn unclaimed(control: &Control, scope: &Scope, head: &FunctionHead) -> Result<u32> {
    let usage = control.ledger.usage(scope).await?;
    let others = usage.claimed_concurrency.saturating_sub(u64::from(head.claimed_concurrency()));
    Ok(control.quotas.concurrent_executions.saturating_sub(u32::try_from(others).unwrap_or(u32::MAX)))
}

impl Control {
    /// Tells the data plane that what an alias leads to has changed, if that matters for what is kept ready.
    pub(crate) fn tell_provision(&self, head: &FunctionHead, alias: &str) {
        if head.provisioned.contains_key(alias) {
            self.data_plane.provision(&head.id);
        }
    }

    /// Tells the data plane what the functions of an account have claimed by now.
    pub(crate) async fn tell_claims(&self, scope: &Scope) -> Result<()> {
        let usage = self.ledger.usage(scope).await?;
        self.data_plane
            .claim_concurrency(scope, u32::try_from(usage.claimed_concurrency).unwrap_or(u32::MAX));
        Ok(())
    }
}
