//! The one thread that writes, and how it groups commits.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::Observers;
use crate::{Error, Expect, Result};

/// The largest group of writes that share a commit.
const BATCH_WRITES: usize = 1024;

/// What is done to a key.
pub(super) enum Change {
    Put(Bytes),
    Delete,
}

/// A write and where its answer goes. The answer is the revision that it got.
pub(super) struct Write {
    pub(super) key: String,
    pub(super) change: Change,
    pub(super) expect: Expect,
    pub(super) answer: oneshot::Sender<Result<u64>>,
}

/// What became of a write inside a transaction that is not yet committed.
enum Outcome {
    Applied(u64),
    /// A delete of what was not there: there is nothing to tell the observers.
    Unchanged,
    Conflict,
}

pub(super) struct Writer {
    connection: Connection,
    /// The last revision given.
    revision: u64,
    observers: Arc<Observers>,
}

impl Writer {
    pub(super) fn new(connection: Connection, observers: Arc<Observers>) -> Result<Self> {
        let revision = connection
            .query_row("SELECT revision FROM sequence", [], |row| row.get(0))
            .map_err(Error::sqlite("read its last revision"))?;
        Ok(Self { connection, revision, observers })
    }

    /// Writes until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Write>) {
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, BATCH_WRITES) > 0 {
            match self.commit(&batch) {
                Ok(outcomes) => self.acknowledge(batch.drain(..), outcomes),
                Err(error) => {
                    tracing::error!(writes = batch.len(), %error, "store.commit.failed");
                    for write in batch.drain(..) {
                        // A client that has gone away needs no answer.
                        let _ = write.answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Applies a batch in one transaction. After an error nothing of it is in the database.
    fn commit(&mut self, batch: &[Write]) -> Result<Vec<Outcome>> {
        let mut revision = self.revision;
        let outcomes = commit_batch(&mut self.connection, batch, &mut revision)
            .map_err(Error::sqlite("commit a write"))?;
        self.revision = revision;
        Ok(outcomes)
    }

    /// Observers first: whoever has an answer must not find an older value in a cache.
    fn acknowledge(&self, batch: impl Iterator<Item = Write>, outcomes: Vec<Outcome>) {
        let mut answers = Vec::with_capacity(outcomes.len());
        {
            let observers = self.observers.read();
            for (write, outcome) in batch.zip(outcomes) {
                let result = match outcome {
                    Outcome::Applied(revision) => {
                        for (prefix, observer) in observers.iter() {
                            if write.key.starts_with(prefix)
                                && let Some(observer) = observer.upgrade()
                            {
                                observer.changed(&write.key, revision);
                            }
                        }
                        Ok(revision)
                    }
                    Outcome::Unchanged => Ok(self.revision),
                    Outcome::Conflict => Err(Error::conflict(&write.key)),
                };
                answers.push((write.answer, result));
            }
        }
        for (answer, result) in answers {
            let _ = answer.send(result);
        }
    }
}

fn commit_batch(
    connection: &mut Connection,
    batch: &[Write],
    revision: &mut u64,
) -> rusqlite::Result<Vec<Outcome>> {
    let before = *revision;
    // Dropped without a commit, the transaction is rolled back.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let outcomes = batch
        .iter()
        .map(|write| apply(&transaction, write, revision))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if *revision != before {
        transaction.prepare_cached("UPDATE sequence SET revision = ?1")?.execute([*revision])?;
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn apply(transaction: &Transaction<'_>, write: &Write, revision: &mut u64) -> rusqlite::Result<Outcome> {
    let present: Option<u64> = transaction
        .prepare_cached("SELECT revision FROM record WHERE key = ?1")?
        .query_row([&write.key], |row| row.get(0))
        .optional()?;
    if !write.expect.allows(present) {
        return Ok(Outcome::Conflict);
    }
    match &write.change {
        Change::Delete if present.is_none() => return Ok(Outcome::Unchanged),
        Change::Delete => {
            transaction.prepare_cached("DELETE FROM record WHERE key = ?1")?.execute([&write.key])?;
            *revision += 1;
        }
        Change::Put(value) => {
            *revision += 1;
            transaction
                .prepare_cached(
                    "INSERT INTO record (key, value, revision) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision",
                )?
                .execute((&write.key, value.as_ref(), *revision))?;
        }
    }
    Ok(Outcome::Applied(*revision))
}
