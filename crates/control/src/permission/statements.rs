//! AddPermission, RemovePermission and GetPolicy.

use rushlight_api::lambda::types::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse, RemovePermissionRequest,
};
use rushlight_model::arn::FunctionReference;
use rushlight_model::function::FunctionHead;

use super::document::{Document, check};
use super::{check_qualifier, check_revision, no_policy, nothing_there, report, statement, with_policy};
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{check_exists, found};

pub(crate) async fn add(
    control: &Control,
    context: &RequestContext,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    check_qualifier(reference.qualifier.as_ref())?;
    let key = control.key(&reference.function);
    let present = control.functions.get(&key).await?;
    check_exists(found(present.as_ref(), &reference.function.arn())?, &reference)?;
    let statement = statement::write(&input, &reference)?;
    control
        .functions
        .update(&key, |present| {
            let head = found(present, &reference.function.arn())?;
            check_exists(head, &reference)?;
            check_revision(head, &reference, input.revision_id.as_deref())?;
            let mut document = present_document(head, &reference)?.unwrap_or_else(Document::new);
            if document.has(&input.statement_id) {
                return Err(Error::StatementExists { sid: input.statement_id.clone() });
            }
            document.add(&statement)?;
            let text = document.text();
            control.check_openness(&check_with_new(&text)?)?;
            Ok(with_policy(head, &reference, Some(text)))
        })
        .await?;
    report(context, &reference, Some(&input.statement_id), "permission.added");
    Ok(AddPermissionResponse { statement: Some(statement) })
}

/// A statement of AddPermission is well-formed but for, perhaps, its principal.
fn check_with_new(text: &str) -> Result<rushlight_auth::policy::Document> {
    check(text).map_err(|error| match error {
        Error::PolicyTooLong { .. } => error,
        _ => statement::invalid_principal(),
    })
}

pub(crate) async fn remove(
    control: &Control,
    context: &RequestContext,
    input: RemovePermissionRequest,
) -> Result<()> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    control
        .functions
        .update(&control.key(&reference.function), |present| {
            let head = present.map(|entry| &*entry.value).ok_or_else(|| {
                Error::ResourceNotFound(format!("No policy found for: {}", reference.function.arn()))
            })?;
            check_exists(head, &reference)?;
            let mut document = present_document(head, &reference)?.ok_or_else(no_policy)?;
            check_revision(head, &reference, input.revision_id.as_deref())?;
            if !document.remove(&input.statement_id) {
                return Err(Error::ResourceNotFound(format!(
                    "Statement {} is not found in resource policy.",
                    input.statement_id
                )));
            }
            let rest = (!document.is_empty()).then(|| document.text());
            if let Some(rest) = &rest {
                control.check_openness(&check(rest)?)?;
            }
            Ok(with_policy(head, &reference, rest))
        })
        .await?;
    report(context, &reference, Some(&input.statement_id), "permission.removed");
    Ok(())
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetPolicyRequest,
) -> Result<GetPolicyResponse> {
    let reference =
        FunctionReference::parse(&context.scope, &input.function_name, input.qualifier.as_deref())?;
    let entry = control.functions.get(&control.key(&reference.function)).await?.ok_or_else(nothing_there)?;
    let qualifier = reference.qualifier.as_ref();
    let policy = entry.value.policy(qualifier).ok_or_else(nothing_there)?;
    Ok(GetPolicyResponse {
        policy: Some(policy.document.clone()),
        revision_id: entry.value.revision_id(qualifier).map(str::to_owned),
    })
}

fn present_document(head: &FunctionHead, reference: &FunctionReference) -> Result<Option<Document>> {
    head.policy(reference.qualifier.as_ref()).map(Document::read).transpose()
}
