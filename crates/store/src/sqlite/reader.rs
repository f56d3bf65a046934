//! Reading on a few read-only connections, off the threads of the async runtime.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row};
use tokio::sync::Semaphore;

use super::schema;
use crate::{Error, Record, Result, key};

/// Reads are answered from memory for the most part; more connections than this would only wait for each other.
const CONNECTIONS: usize = 4;

/// The connections and who may use one.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let idle = (0..CONNECTIONS).map(|_| schema::open_reading(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(CONNECTIONS)) })
    }

    /// Runs a read. Connection and permit travel with it, so that a dropped future loses neither.
    pub(super) async fn run<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = self.idle.clone();
        let task = tokio::task::spawn_blocking(move || {
            let connection = idle.lock().pop().ok_or(Error::Closed)?;
            let result = read(&connection).map_err(Error::sqlite("read"));
            idle.lock().push(connection);
            drop(permit);
            result
        });
        task.await.map_err(Error::lost)?
    }
}

pub(super) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached("SELECT value, revision FROM record WHERE key = ?1")?
        .query_row([key], |row| record(row, 0))
        .optional()
}

/// A listing as two bounds on the key, `from <= key < to`.
pub(super) struct Range {
    from: String,
    to: String,
    limit: i64,
}

impl Range {
    pub(super) fn new(prefix: &str, start_after: Option<&str>, limit: usize) -> Self {
        let after = start_after.map(|start| format!("{start}{}", key::JUST_AFTER)).unwrap_or_default();
        Self {
            from: after.max(prefix.to_owned()),
            to: format!("{prefix}{}", key::AFTER_ALL),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        }
    }
}

pub(super) fn list(connection: &Connection, range: &Range) -> rusqlite::Result<Vec<(String, Record)>> {
    connection
        .prepare_cached(
            "SELECT key, value, revision FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        )?
        .query_map((&range.from, &range.to, range.limit), |row| Ok((row.get(0)?, record(row, 1)?)))?
        .collect()
}

fn record(row: &Row<'_>, first: usize) -> rusqlite::Result<Record> {
    let value: Vec<u8> = row.get(first)?;
    Ok(Record { value: value.into(), revision: row.get(first + 1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_seeks_to_its_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("database");
        std::fs::File::create(&path).unwrap();
        let connection = schema::open_writing(&path).unwrap();
        let plan: String = connection
            .query_row(
                "EXPLAIN QUERY PLAN SELECT key, value, revision FROM record WHERE key >= 'a' AND key < 'b' ORDER BY \
                 key LIMIT 5",
                [],
                |row| row.get("detail"),
            )
            .unwrap();
        assert!(plan.starts_with("SEARCH record USING INDEX"), "{plan}");
    }
}
