//! ListFunctions: by name, at most 50 at a time.

use rushlight_api::lambda::types::{ListFunctionsRequest, ListFunctionsResponse};
use rushlight_model::arn::{Qualifier, Scope};
use rushlight_store::table::function::{head_key, scope};

use super::view;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::page::Page;

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
    let Scope { account, region } = &context.scope;
    let page = Page::read(&context.scope, "functions", input.marker.as_deref(), input.max_items, PAGE)?;
    let start_after = page.after.as_deref().map(|name| head_key(account, region, name));
    let rows =
        control.functions.list(&scope(account, region), start_after.as_deref(), page.look_ahead()).await?;
    let (rows, next_marker) = page.cut(rows, |(_, entry)| entry.value.id.name.as_str());
    let qualifier = all_versions.then_some(Qualifier::Latest);
    let functions = rows
        .iter()
        .map(|(_, entry)| view::listed(&entry.value, &entry.value.latest, qualifier.as_ref()))
        .collect();
    Ok(ListFunctionsResponse { functions: Some(functions), next_marker })
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
