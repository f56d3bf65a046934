//! ListVersionsByFunction: `$LATEST` first, then by number, at most 50 at a time.

use rushlight_api::lambda::types::{ListVersionsByFunctionRequest, ListVersionsByFunctionResponse};
use rushlight_model::arn::Qualifier;
use rushlight_model::function::FunctionHead;
use rushlight_model::version::Version;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{name, view};
use crate::page::Page;

/// The most versions on one page, whatever is asked for.
const PAGE: usize = 50;

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListVersionsByFunctionRequest,
) -> Result<ListVersionsByFunctionResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    let entry = control.functions.get(&control.key(&reference.function)).await?;
    let head = entry.ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })?.value;
    let page = Page::read(&context.scope, "versions", input.marker.as_deref(), input.max_items, PAGE)?;
    let versions = following(&head, page.after.as_deref()).take(page.look_ahead());
    let versions = versions.map(|version| (version.to_string(), version)).collect();
    let (versions, next_marker) = page.cut(versions, |(name, _)| name.as_str());
    let mut shown = Vec::new();
    for (_, version) in versions {
        let configuration = control.version(&head, version).await?;
        shown.push(view::listed(&head, &configuration, Some(&Qualifier::from(version))));
    }
    Ok(ListVersionsByFunctionResponse { next_marker, versions: Some(shown) })
}

/// All versions behind the one that a marker names; from the first on without one.
pub(crate) fn following<'a>(
    head: &'a FunctionHead,
    last: Option<&str>,
) -> impl Iterator<Item = Version> + 'a {
    let first = last.is_none().then_some(Version::Latest);
    let from = last.and_then(|last| last.parse::<u64>().ok()).map_or(0, |number| number + 1);
    first.into_iter().chain(head.versions.range(from..).map(|(number, _)| Version::Published(*number)))
}
