//! Event source mappings: created, read, listed, updated, deleted. Nothing polls here.
//!
//! | file | what it holds |
//! |---|---|
//! | create, get, list, update, delete | one operation each |
//! | state | the states of a mapping and what moves it along |
//! | claim | one mapping for each function and source, whoever comes at the same time |
//! | function | which function a request means |
//! | members | the members of a request under the names that refusals give them |
//! | rules | which members a source takes, and what they may be |
//! | tags | tags, which are kept with the mapping |
//! | view | what a mapping looks like from outside |

mod claim;
pub(crate) mod create;
pub(crate) mod delete;
mod function;
pub(crate) mod get;
pub(crate) mod list;
mod members;
mod rules;
mod state;
pub(crate) mod tags;
pub(crate) mod update;
mod view;

use std::sync::Arc;

use rushlight_model::arn::Scope;
use rushlight_model::event_source_mapping::{Claim, EventSourceMapping};
use rushlight_store::Backend;
use rushlight_store::table::event_source_mapping::{BY_SOURCE, CLAIMS, MAPPINGS, mapping_key};
use rushlight_store::table::{Entry, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Mappings kept in memory, and as many claims.
const CACHED: usize = 10_000;

/// The tables that mappings are kept in.
#[derive(Clone, Debug)]
pub(crate) struct Mappings {
    rows: Table<EventSourceMapping>,
    claims: Table<Claim>,
    by_source: Table<Claim>,
}

impl Mappings {
    pub(crate) fn new(store: &Arc<dyn Backend>) -> Self {
        Self {
            rows: Table::new(store.clone(), MAPPINGS, CACHED),
            claims: Table::new(store.clone(), CLAIMS, CACHED),
            by_source: Table::new(store.clone(), BY_SOURCE, 0),
        }
    }

    pub(crate) async fn find(&self, scope: &Scope, uuid: &str) -> Result<Option<Entry<EventSourceMapping>>> {
        Ok(self.rows.get(&key(scope, uuid)).await?)
    }

    async fn get(&self, scope: &Scope, uuid: &str) -> Result<Entry<EventSourceMapping>> {
        self.find(scope, uuid).await?.ok_or(Error::MappingNotFound)
    }
}

/// Rows read at a time.
const READ_AT_ONCE: usize = 1000;

/// All rows of a table.
async fn all<T>(table: &Table<T>) -> Result<Vec<(String, Arc<T>)>>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let mut all: Vec<(String, Arc<T>)> = Vec::new();
    loop {
        let after = all.last().map(|(key, _)| key.as_str());
        let rows = table.list("", after, READ_AT_ONCE).await?;
        if rows.is_empty() {
            return Ok(all);
        }
        all.extend(rows.into_iter().map(|(key, entry)| (key, entry.value)));
    }
}

fn key(scope: &Scope, uuid: &str) -> String {
    mapping_key(&scope.account, &scope.region, uuid)
}
