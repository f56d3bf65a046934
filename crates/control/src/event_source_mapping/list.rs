//! ListEventSourceMappings: by function, at most 100 at a time.

use rushlight_api::lambda::types::{ListEventSourceMappingsRequest, ListEventSourceMappingsResponse};
use rushlight_model::arn::{FunctionReference, Scope};
use rushlight_model::event_source_mapping::{Claim, EventSourceMapping, MappedFunction};
use rushlight_store::table::Table;
use rushlight_store::table::event_source_mapping::{claims_of, mappings_of};
use rushlight_store::table::function::scope;

use super::{Mappings, function, view};
use crate::Control;
use crate::context::RequestContext;
use crate::error::Result;
use crate::page::Page;

const LIST: &str = "event-source-mappings";
/// The most mappings on one page, whatever is asked for.
const PAGE: usize = 100;

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListEventSourceMappingsRequest,
) -> Result<ListEventSourceMappingsResponse> {
    let here = &context.scope;
    let mappings = &control.mappings;
    let filter = Filter::read(here, &input)?;
    let (table, prefix) = filter.rows(mappings, here);
    let page = Page::read(here, LIST, input.marker.as_deref(), input.max_items, PAGE)?;
    let rows = table.list(&prefix, page.after.as_deref(), page.look_ahead()).await?;
    let (rows, next_marker) = page.cut(rows, |(key, _)| key);
    // A page is as many rows as were asked for. What they no longer lead to, or what the other filter does not let
    // through, is missing from it, so that a page never costs more than its size.
    let mut shown = Vec::with_capacity(rows.len());
    for (_, row) in &rows {
        let found = mappings.find(here, &row.value.uuid).await?;
        if let Some(entry) = found.filter(|entry| filter.lets_through(&entry.value)) {
            shown.push(view::listed(&entry.value));
        }
    }
    Ok(ListEventSourceMappingsResponse { next_marker, event_source_mappings: Some(shown) })
}

/// Which mappings are asked for.
struct Filter {
    function: Option<MappedFunction>,
    source_arn: Option<String>,
}

impl Filter {
    fn read(here: &Scope, input: &ListEventSourceMappingsRequest) -> Result<Self> {
        let function = match &input.function_name {
            Some(name) => Some(function::mapped(&FunctionReference::parse(here, name, None)?)),
            None => None,
        };
        Ok(Self { function, source_arn: input.event_source_arn.clone() })
    }

    /// Where the rows are that lead to these mappings, and what their keys begin with.
    fn rows<'a>(&self, mappings: &'a Mappings, here: &Scope) -> (&'a Table<Claim>, String) {
        let Scope { account, region } = here;
        match (&self.function, &self.source_arn) {
            (Some(function), _) => {
                (&mappings.claims, claims_of(account, region, &function.name, function.qualifier.as_deref()))
            }
            (None, Some(arn)) => (&mappings.by_source, mappings_of(account, region, arn)),
            (None, None) => (&mappings.claims, scope(account, region)),
        }
    }

    /// Rows may lead to what is not, or no longer, what they stand for.
    fn lets_through(&self, mapping: &EventSourceMapping) -> bool {
        self.function.as_ref().is_none_or(|function| *function == mapping.function)
            && self.source_arn.as_deref().is_none_or(|arn| mapping.source.arn() == Some(arn))
    }
}
