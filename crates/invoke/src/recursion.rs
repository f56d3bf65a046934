//! Breaks loops of functions that invoke each other without end.

use rushlight_model::invocation::Invocation;
use rushlight_model::lineage;
use rushlight_model::recursion::RecursiveLoop;

use crate::Error;
use crate::function::Target;

/// Counts the invocation in the chain of requests that its trace header stands for.
///
/// # Errors
/// [`Error::Recursive`] if the chain has come to the function too often, and the function is not one that may loop.
pub(crate) fn guard(target: &Target, invocation: &mut Invocation) -> Result<(), Error> {
    let Some(header) = &mut invocation.trace_header else { return Ok(()) };
    let head = target.head();
    let count = lineage::count(header, &head.id);
    if count > lineage::LIMIT && head.recursive_loop == RecursiveLoop::Terminate {
        tracing::warn!(request_id = %invocation.request_id, function = %head.id.name, count, "invocation.recursive");
        return Err(Error::Recursive);
    }
    Ok(())
}
