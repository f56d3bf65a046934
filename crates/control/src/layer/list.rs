//! ListLayers and ListLayerVersions.

use rushlight_api::lambda::types::{
    LayersListItem, ListLayerVersionsRequest, ListLayerVersionsResponse, ListLayersRequest,
    ListLayersResponse,
};
use rushlight_model::arn::Scope;
use rushlight_model::layer::{LayerId, LayerVersion};
use rushlight_store::table::layer::{head_key, scope, versions};

use super::access::{self, key};
use super::compatibility::Filter;
use super::view;
use crate::Control;
use crate::context::RequestContext;
use crate::error::Result;
use crate::page::Page;

/// The most items on one page, whatever is asked for.
const PAGE: usize = 50;
/// How many rows are read for one page. A page may come out shorter than asked for, and even empty, when most of what
/// is read does not match; its marker leads on.
const ROWS: usize = 1000;
/// How many rows are read at a time.
const BATCH: usize = 100;

/// Rows that may still be read for a page.
struct Budget(usize);

impl Budget {
    /// How many rows to ask for next; `None` when it is used up.
    fn next(&self, wanted: usize) -> Option<usize> {
        (self.0 > 0).then(|| wanted.min(BATCH).min(self.0).max(1))
    }

    fn spend(&mut self, rows: usize) {
        self.0 = self.0.saturating_sub(rows.max(1));
    }
}

pub(crate) async fn versions_of(
    control: &Control,
    context: &RequestContext,
    input: ListLayerVersionsRequest,
) -> Result<ListLayerVersionsResponse> {
    let filter = Filter::new(input.compatible_runtime.as_ref(), input.compatible_architecture.as_ref())?;
    let layer = access::here(&context.scope, &input.layer_name)?;
    let list = format!("versions of layer {}", layer.name);
    let page = Page::read(&context.scope, &list, input.marker.as_deref(), input.max_items, PAGE)?;
    let before = page.after.as_deref().and_then(|number| number.parse().ok());
    let found = matching(control, &layer, before, &filter, page.limit()).await?;
    let next_marker = found.stopped_at.map(|number| page.marker(&number.to_string()));
    let layer_versions = found.versions.iter().map(view::listed).collect();
    Ok(ListLayerVersionsResponse { next_marker, layer_versions: Some(layer_versions) })
}

/// Versions of a layer that match, from the latest.
struct Matching {
    versions: Vec<LayerVersion>,
    /// The last number that was looked at, if there may be more behind it.
    stopped_at: Option<u64>,
}

async fn matching(
    control: &Control,
    layer: &LayerId,
    mut before: Option<u64>,
    filter: &Filter,
    limit: usize,
) -> Result<Matching> {
    let mut budget = Budget(ROWS);
    let prefix = versions(&layer.scope.account, &layer.scope.region, &layer.name);
    let mut found = Vec::new();
    // One more than wanted is looked for, to know whether there is more.
    while let Some(rows) = budget.next(limit + 1 - found.len()) {
        let after = before.map(|number| key(layer, number));
        let batch = control.layer_versions.list(&prefix, after.as_deref(), rows).await?;
        budget.spend(batch.len());
        let is_last = batch.len() < rows;
        for (_, entry) in batch {
            if filter.matches(&entry.value) {
                if found.len() == limit {
                    let stopped_at = found.last().map(|version: &LayerVersion| version.number);
                    return Ok(Matching { versions: found, stopped_at });
                }
                found.push(LayerVersion::clone(&entry.value));
            }
            before = Some(entry.value.number);
        }
        if is_last {
            return Ok(Matching { versions: found, stopped_at: None });
        }
    }
    Ok(Matching { versions: found, stopped_at: before })
}

/// Where a page of layers ends: behind a layer, or within its versions when looking for one that matches took too
/// long.
#[derive(Debug, PartialEq, Eq)]
struct Position {
    layer: String,
    before: Option<u64>,
}

impl Position {
    fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((layer, before)) => Self { layer: layer.to_owned(), before: before.parse().ok() },
            None => Self { layer: text.to_owned(), before: None },
        }
    }

    fn text(&self) -> String {
        let Self { layer, before } = self;
        before.map_or_else(|| layer.clone(), |before| format!("{layer}:{before}"))
    }
}

pub(crate) async fn layers(
    control: &Control,
    context: &RequestContext,
    input: ListLayersRequest,
) -> Result<ListLayersResponse> {
    let marker = input.marker.as_deref();
    let looking = Looking {
        control,
        scope: &context.scope,
        filter: Filter::new(input.compatible_runtime.as_ref(), input.compatible_architecture.as_ref())?,
        page: Page::read(&context.scope, "layers", marker, input.max_items, PAGE)?,
        budget: Budget(ROWS),
        shown: Vec::new(),
    };
    let from = looking.page.after.as_deref().map(Position::parse);
    looking.read(from).await
}

/// A page of layers while it is put together.
struct Looking<'a> {
    control: &'a Control,
    scope: &'a Scope,
    filter: Filter,
    page: Page<'a>,
    budget: Budget,
    shown: Vec<LayersListItem>,
}

impl Looking<'_> {
    async fn read(mut self, from: Option<Position>) -> Result<ListLayersResponse> {
        let Scope { account, region } = self.scope;
        let mut after = from.as_ref().map(|from| from.layer.clone());
        if let Some(Position { layer, before: Some(before) }) = from {
            let layer = LayerId { scope: self.scope.clone(), name: layer };
            if let Some(stop) = self.look_at(&layer, Some(before)).await? {
                return Ok(self.end(Some(&stop)));
            }
        }
        // One more than wanted is looked for, to know whether there is more.
        while let Some(rows) = self.budget.next(self.page.look_ahead() - self.shown.len()) {
            let start_after = after.as_deref().map(|name| head_key(account, region, name));
            let prefix = scope(account, region);
            let heads = self.control.layers.list(&prefix, start_after.as_deref(), rows).await?;
            self.budget.spend(heads.len());
            let is_last = heads.len() < rows;
            for (_, head) in heads {
                if let Some(stop) = self.look_at(&head.value.id, None).await? {
                    return Ok(self.end(Some(&stop)));
                }
                after = Some(head.value.id.name.clone());
            }
            if is_last {
                return Ok(self.end(None));
            }
        }
        let stop = after.map(|layer| Position { layer, before: None });
        Ok(self.end(stop.as_ref()))
    }

    /// Shows the layer with its latest version that matches, if there is one. Returns where to stop if the page is
    /// full or the budget used up.
    async fn look_at(&mut self, layer: &LayerId, mut before: Option<u64>) -> Result<Option<Position>> {
        let prefix = versions(&layer.scope.account, &layer.scope.region, &layer.name);
        // Mostly the latest will do.
        let mut rows = 1;
        loop {
            let after = before.map(|number| key(layer, number));
            let batch = self.control.layer_versions.list(&prefix, after.as_deref(), rows).await?;
            self.budget.spend(batch.len());
            if let Some((_, entry)) = batch.iter().find(|(_, entry)| self.filter.matches(&entry.value)) {
                return Ok(self.show(layer, &entry.value));
            }
            if batch.len() < rows {
                return Ok(None);
            }
            before = batch.last().map(|(_, entry)| entry.value.number);
            match self.budget.next(BATCH) {
                Some(next) => rows = next,
                None => return Ok(Some(Position { layer: layer.name.clone(), before })),
            }
        }
    }

    fn show(&mut self, layer: &LayerId, version: &LayerVersion) -> Option<Position> {
        if self.shown.len() == self.page.limit() {
            let last = self.shown.last().and_then(|item| item.layer_name.clone());
            return last.map(|layer| Position { layer, before: None });
        }
        self.shown.push(LayersListItem {
            layer_name: Some(layer.name.clone()),
            layer_arn: Some(layer.arn()),
            latest_matching_version: Some(view::listed(version)),
        });
        None
    }

    fn end(self, stop: Option<&Position>) -> ListLayersResponse {
        let next_marker = stop.map(|stop| self.page.marker(&stop.text()));
        ListLayersResponse { next_marker, layers: Some(self.shown) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back() {
        for position in [
            Position { layer: "l-1".into(), before: None },
            Position { layer: "l-1".into(), before: Some(7) },
        ] {
            assert_eq!(Position::parse(&position.text()), position);
        }
    }
}
