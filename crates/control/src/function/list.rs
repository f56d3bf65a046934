//! ListFunctions: by name, at most 50 at a time.

use std::sync::Arc;

use rushlight_api::lambda::types::{ListFunctionsRequest, ListFunctionsResponse};
use rushlight_model::arn::{FunctionId, Qualifier, Scope};
use rushlight_model::function::FunctionHead;
use rushlight_model::version::Version;
use rushlight_store::table::function::{head_key, scope};

use super::view;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::page::Page;
use crate::version::list::following;

/// The most functions on one page, whatever is asked for.
const PAGE: usize = 50;

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse> {
    let all_versions = input.function_version.is_some();
    if !has_functions(input.master_region.as_deref(), all_versions)? {
        return Ok(ListFunctionsResponse { functions: Some(Vec::new()), next_marker: None });
    }
    let list = if all_versions { "functions and versions" } else { "functions" };
    let page = Page::read(&context.scope, list, input.marker.as_deref(), input.max_items, PAGE)?;
    if all_versions {
        list_versions(control, context, page).await
    } else {
        list_latest(control, context, page).await
    }
}

/// A page of functions as they are at `$LATEST`.
async fn list_latest(
    control: &Control,
    context: &RequestContext,
    page: Page<'_>,
) -> Result<ListFunctionsResponse> {
    let rows = heads(control, context, page.after.as_deref(), page.look_ahead()).await?;
    let (rows, next_marker) = page.cut(rows, |head| head.id.name.as_str());
    let functions = rows.iter().map(|head| view::listed(head, &head.latest, None)).collect();
    Ok(ListFunctionsResponse { functions: Some(functions), next_marker })
}

/// A page of versions of all functions. A marker names function and version: `name:version`.
async fn list_versions(
    control: &Control,
    context: &RequestContext,
    page: Page<'_>,
) -> Result<ListFunctionsResponse> {
    let mut wanted: Vec<Listed> = Vec::new();
    let mut add = |head: &Arc<FunctionHead>, last: Option<&str>| {
        wanted.extend(following(head, last).map(|version| Listed::new(head, version)));
        wanted.len() >= page.look_ahead()
    };
    let mut name = None;
    let mut full = false;
    // The function that the last page ended in the middle of, if it is still there.
    if let Some((last, version)) = page.after.as_deref().and_then(|after| after.split_once(':')) {
        let function = FunctionId { scope: context.scope.clone(), name: last.to_owned() };
        let entry = control.functions.get(&control.key(&function)).await?;
        full = entry.is_some_and(|entry| add(&entry.value, Some(version)));
        name = Some(function.name);
    }
    while !full {
        let rows = heads(control, context, name.as_deref(), page.look_ahead()).await?;
        let Some(end) = rows.last() else { break };
        name = Some(end.id.name.clone());
        full = rows.iter().any(|head| add(head, None));
    }
    wanted.truncate(page.look_ahead());
    let (wanted, next_marker) = page.cut(wanted, |listed| listed.name.as_str());
    let mut functions = Vec::new();
    for Listed { head, version, .. } in &wanted {
        let configuration = control.version(head, *version).await?;
        functions.push(view::listed(head, &configuration, Some(&Qualifier::from(*version))));
    }
    Ok(ListFunctionsResponse { functions: Some(functions), next_marker })
}

/// A version in a list over all functions.
struct Listed {
    /// By which a marker names it.
    name: String,
    head: Arc<FunctionHead>,
    version: Version,
}

impl Listed {
    fn new(head: &Arc<FunctionHead>, version: Version) -> Self {
        Self { name: format!("{}:{version}", head.id.name), head: Arc::clone(head), version }
    }
}

/// Heads behind the function of this name, in order.
async fn heads(
    control: &Control,
    context: &RequestContext,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Arc<FunctionHead>>> {
    let Scope { account, region } = &context.scope;
    let after = after.map(|name| head_key(account, region, name));
    let rows = control.functions.list(&scope(account, region), after.as_deref(), limit).await?;
    Ok(rows.into_iter().map(|(_, entry)| entry.value).collect())
}

/// Whether the filter lets any function of this server through: with a region it names replicas of functions at the
/// edge, which there are none of.
fn has_functions(master_region: Option<&str>, all_versions: bool) -> Result<bool> {
    match master_region {
        None => Ok(true),
        Some(region) if !all_versions => Err(Error::invalid(format!(
            "The combination MasterArn={region} and FunctionVersion=NULL is not supported. Please see our \
             documentation for valid combinations of ListFunctions options."
        ))),
        Some(region) => Ok(region == "ALL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn master_region_needs_all_versions() {
        assert_eq!(
            has_functions(Some("eu-west-1"), false).unwrap_err().to_string(),
            "The combination MasterArn=eu-west-1 and FunctionVersion=NULL is not supported. Please see our \
             documentation for valid combinations of ListFunctions options."
        );
        assert!(!has_functions(Some("eu-west-1"), true).unwrap());
        assert!(has_functions(Some("ALL"), true).unwrap());
        assert!(has_functions(None, false).unwrap());
    }
}
