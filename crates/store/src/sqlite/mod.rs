//! The embedded backend: one SQLite file in WAL mode.
//!
//! ```text
//! put, delete ──> channel ──> writer thread: BEGIN, all that is queued, COMMIT (fsync) ──> observers ──> answers
//! get, list ────> blocking pool, a few read-only connections
//! ```
//! The writer takes what has queued up while the last commit was on its way to the disk, so the number of syncs
//! does not grow with the number of clients, and a single client waits for no timer.

mod reader;
mod schema;
mod writer;

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot};

use self::reader::Readers;
use self::writer::{Change, Write, Writer};
use crate::{
    Backend, BoxFuture, DataDirectory, Error, Expect, MAX_VALUE_BYTES, Observer, Record, Result, key,
};

const DATABASE_FILE: &str = "rushlight.sqlite";
/// How many writes may wait for the writer before clients are held back.
const QUEUED_WRITES: usize = 4096;

/// The prefixes that somebody wants to hear of.
type Observers = RwLock<Vec<(String, Weak<dyn Observer>)>>;

/// The SQLite backend. Dropping it waits until everything queued is written.
pub struct Sqlite {
    writes: Mutex<Option<mpsc::Sender<Write>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Readers,
    observers: Arc<Observers>,
}

impl Sqlite {
    /// Opens the database of a data directory, or makes it, and brings it to the present schema.
    ///
    /// # Errors
    /// [`Error::NewerSchema`] when a newer release wrote it; otherwise what SQLite or the disk says.
    pub fn open(data: &DataDirectory) -> Result<Self> {
        let path = data.join(DATABASE_FILE);
        // SQLite gives its side files the mode of the main file, so it is made here, closed to others.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("create", &path))?;
        let connection = schema::open_writing(&path)?;
        crate::blob::sync_directory(data.path())?;
        let observers = Arc::new(Observers::default());
        let (sender, receiver) = mpsc::channel(QUEUED_WRITES);
        let writer = Writer::new(connection, observers.clone())?;
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(receiver))
            .map_err(Error::io("start the writer of", &path))?;
        Ok(Self {
            writes: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(thread)),
            readers: Readers::open(&path)?,
            observers,
        })
    }

    /// Takes no more writes and waits until those queued are on disk.
    pub fn close(&self) {
        drop(self.writes.lock().take());
        if let Some(thread) = self.writer.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("store.writer.panicked");
        }
    }

    async fn write(&self, key: &str, change: Change, expect: Expect) -> Result<u64> {
        key::check(key)?;
        let sender = self.writes.lock().clone().ok_or(Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        let write = Write { key: key.to_owned(), change, expect, answer };
        sender.send(write).await.map_err(|_| Error::Closed)?;
        drop(sender);
        answered.await.map_err(|_| Error::Closed)?
    }
}

impl Backend for Sqlite {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Record>>> {
        Box::pin(async move {
            key::check(key)?;
            let key = key.to_owned();
            self.readers.run(move |connection| reader::get(connection, &key)).await
        })
    }

    fn put<'a>(&'a self, key: &'a str, value: Bytes, expect: Expect) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            if value.len() > MAX_VALUE_BYTES {
                return Err(Error::TooLarge { key: key.to_owned(), bytes: value.len() });
            }
            self.write(key, Change::Put(value), expect).await
        })
    }

    fn delete<'a>(&'a self, key: &'a str, expect: Expect) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.write(key, Change::Delete, expect).await.map(drop) })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        start_after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Record)>>> {
        Box::pin(async move {
            key::check_prefix(prefix)?;
            start_after.map_or(Ok(()), key::check)?;
            let range = reader::Range::new(prefix, start_after, limit);
            self.readers.run(move |connection| reader::list(connection, &range)).await
        })
    }

    fn observe(&self, prefix: &str, observer: Weak<dyn Observer>) {
        let mut observers = self.observers.write();
        observers.retain(|(_, known)| known.strong_count() > 0);
        observers.push((prefix.to_owned(), observer));
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sqlite").finish_non_exhaustive()
    }
}
