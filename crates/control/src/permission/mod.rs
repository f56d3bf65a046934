//! Resource-based policies of functions, versions and aliases.
//!
//! | file | what it holds |
//! |---|---|
//! | statements | AddPermission, RemovePermission, GetPolicy: a policy statement by statement |
//! | whole | PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: the same policy as one document |
//! | statement | a statement as AWS writes it, from the members of AddPermission |
//! | document | documents: statements added and taken out, limits, what is let through |
//!
//! A policy is kept in the head of its function, and its revision is that of the version or alias it belongs to: a
//! guard against other changes is one against changes of the policy too.

mod document;
mod statement;
pub(crate) mod statements;
pub(crate) mod whole;

use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function::FunctionHead;
use rushlight_model::permission::ResourcePolicy;
use uuid::Uuid;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// `$LATEST` has no policy of its own.
fn check_qualifier(qualifier: Option<&Qualifier>) -> Result<()> {
    match qualifier {
        Some(Qualifier::Latest) => {
            Err(Error::invalid("We currently do not support adding policies for $LATEST."))
        }
        _ => Ok(()),
    }
}

/// Refuses a change by a caller who saw an older revision.
fn check_revision(head: &FunctionHead, reference: &FunctionReference, seen: Option<&str>) -> Result<()> {
    match seen.filter(|seen| !seen.is_empty()) {
        Some(seen) if head.revision_id(reference.qualifier.as_ref()) != Some(seen) => {
            Err(Error::PolicyRevisionMismatch)
        }
        _ => Ok(()),
    }
}

/// The head with this document as the policy, or with none.
fn with_policy(head: &FunctionHead, reference: &FunctionReference, document: Option<String>) -> FunctionHead {
    let mut head = head.clone();
    let place = reference.qualifier_or_latest().to_string();
    match document {
        Some(document) => head.policies.insert(place, ResourcePolicy { document }),
        None => head.policies.remove(&place),
    };
    head.set_revision_id(reference.qualifier.as_ref(), Uuid::new_v4().to_string());
    head
}

fn report(context: &RequestContext, reference: &FunctionReference, sid: Option<&str>, event: &'static str) {
    tracing::info!(resource = %reference.arn(), sid, caller = context.caller.principal.arn(), request = %context.request_id, "{event}");
}

/// The answer where there is no policy to be shown.
fn nothing_there() -> Error {
    Error::ResourceNotFound("The resource you requested does not exist.".into())
}

/// The answer where there is no policy to be changed.
fn no_policy() -> Error {
    Error::ResourceNotFound("No policy is associated with the given resource.".into())
}

impl Control {
    /// Refuses what would let in whoever comes, if the operator does not want that.
    fn check_openness(&self, document: &rushlight_auth::policy::Document) -> Result<()> {
        if self.block_public_policies && document.is_public() {
            return Err(Error::PublicPolicy);
        }
        Ok(())
    }
}
