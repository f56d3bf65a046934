//! The tables and how an older file is brought up to date.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::{Error, Result};

/// Step `n` brings a file from version `n` to `n + 1`. Steps are never edited once released, only added.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE record (
        key TEXT PRIMARY KEY NOT NULL,
        value BLOB NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT;
    -- The last revision given, kept apart from the records so that deleting the newest one frees no revision.
    CREATE TABLE sequence (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        revision INTEGER NOT NULL
    ) STRICT;
    INSERT INTO sequence VALUES (1, 0);
"];

/// Opens the one connection that writes. The mode of the journal is part of the file; the rest is the connection's.
pub(super) fn open_writing(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(Error::sqlite("open its file"))?;
    configure(&connection).map_err(Error::sqlite("be set up"))?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens a connection that can only read.
pub(super) fn open_reading(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(connection)
    };
    open().map_err(Error::sqlite("open its file for reading"))
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: the log is synced at every commit. With NORMAL a power cut would take back acknowledged writes.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let failed = Error::sqlite("be brought to the present schema");
    let known = MIGRATIONS.len() as i64;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(&failed)?;
    let Ok(done) = usize::try_from(found) else {
        return Err(Error::NewerSchema { path: path.to_owned(), found, known });
    };
    if done > MIGRATIONS.len() {
        return Err(Error::NewerSchema { path: path.to_owned(), found, known });
    }
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction().map_err(&failed)?;
        transaction.execute_batch(sql).map_err(&failed)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &tempfile::TempDir) -> std::path::PathBuf {
        let path = directory.path().join("database");
        std::fs::File::create(&path).unwrap();
        path
    }

    #[test]
    fn a_file_is_migrated_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(&directory);
        for _ in 0..2 {
            let connection = open_writing(&path).unwrap();
            let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
            assert_eq!(version, MIGRATIONS.len() as i64);
        }
    }

    #[test]
    fn durability_is_what_the_crate_promises() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open_writing(&file(&directory)).unwrap();
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(&directory);
        open_writing(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
        assert!(matches!(open_writing(&path), Err(Error::NewerSchema { found: 999, .. })));
    }
}
