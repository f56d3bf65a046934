//! What functions and layers hold: how many there are, how many bytes their code has, which archives they name, and
//! what else.
//!
//! The rows in the store are the truth; this is a sum over them, kept in memory so that quotas, account settings and
//! the removal of old code cost nothing with many functions. The store tells which rows changed; before anything is
//! read from the sum, those rows are read again.
//!
//! # Invariant
//! An archive that is named by a row, or about to be named by one ([`Hold`]), is never marked for removal
//! ([`Removal`]); and who wants to name an archive that is being removed waits until it is gone and then writes it
//! anew.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rushlight_model::arn::Scope;
use rushlight_model::function::FunctionHead;
use rushlight_model::layer::LayerVersion;
use rushlight_store::table::{Table, function, layer};
use rushlight_store::{Backend, Digest, Observer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use self::share::Share;
pub(crate) use self::share::{archive, archives, code_bytes};
use crate::error::{Error, Result};
use crate::users::Users;

mod share;
#[cfg(test)]
mod tests;

/// How many rows are read at a time at start.
const PAGE: usize = 500;

/// How long a request waits for others to give back what they were promised before it is refused for want of room.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sums of one account in one region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) functions: u64,
    pub(crate) code_bytes: u64,
    pub(crate) claimed_concurrency: u64,
    /// Bytes promised to requests that are under way.
    promised_bytes: u64,
}

/// The tables whose rows are counted. Keys of rows are whole here: with the name of their table.
#[derive(Clone)]
pub(crate) struct Tables {
    pub(crate) functions: Table<FunctionHead>,
    pub(crate) layer_versions: Table<LayerVersion>,
}

impl Tables {
    async fn share(&self, key: &str) -> Result<Option<Share>> {
        let Some((table, key)) = key.split_once('/') else { return Ok(None) };
        Ok(match table {
            function::HEADS => self.functions.get(key).await?.map(|row| Share::from(&*row.value)),
            layer::VERSIONS => self.layer_versions.get(key).await?.map(|row| Share::from(&*row.value)),
            _ => None,
        })
    }
}

#[derive(Debug, Default)]
struct State {
    /// Keys of rows that changed since they were counted, with the revision of the last change.
    dirty: HashMap<String, u64>,
    shares: HashMap<String, Share>,
    usage: HashMap<Scope, Usage>,
    /// How many rows name an archive.
    named: HashMap<Digest, usize>,
    /// How many requests are about to name an archive.
    held: HashMap<Digest, usize>,
    removing: HashSet<Digest>,
    /// Archives that the last row stopped naming, to be collected by [`Ledger::take_unnamed`].
    unnamed: Vec<(Digest, u64)>,
    /// Promised bytes to be given back when no row is dirty.
    returning: Vec<(Scope, u64)>,
    users: Users,
}

/// See the module.
pub(crate) struct Ledger {
    tables: Tables,
    code_storage_bytes: u64,
    state: Mutex<State>,
    /// Held while dirty rows are read: whoever finds none dirty knows that all are counted.
    counting: tokio::sync::Mutex<()>,
    removed: Notify,
    /// A promise was given back, or is once the rows are counted.
    returned: Notify,
}

impl Ledger {
    /// A ledger that is told of changes from now on. Rows that were there before are to be counted by
    /// [`Self::count_layers`] and [`Self::count`].
    ///
    /// The tables were made before, so that they are told of a change before the ledger is.
    pub(crate) fn observing(store: &Arc<dyn Backend>, tables: Tables, code_storage_bytes: u64) -> Arc<Self> {
        let ledger = Arc::new(Self {
            tables,
            code_storage_bytes,
            state: Mutex::default(),
            counting: tokio::sync::Mutex::default(),
            removed: Notify::new(),
            returned: Notify::new(),
        });
        let observer: Arc<dyn Observer> = ledger.clone();
        for table in [function::HEADS, layer::VERSIONS] {
            store.observe(&format!("{table}/"), Arc::downgrade(&observer));
        }
        ledger
    }

    /// Counts a function that was there at start.
    pub(crate) fn count(&self, key: &str, head: &FunctionHead) {
        self.state.lock().count(&format!("{}/{key}", function::HEADS), Some(head.into()));
    }

    /// Counts the layers that were there at start.
    pub(crate) async fn count_layers(&self) -> Result<()> {
        for_each_row(&self.tables.layer_versions, |key, version| {
            self.state.lock().count(&format!("{}/{key}", layer::VERSIONS), Some(version.into()));
        })
        .await
    }

    /// Counts the rows that changed. Cancel-safe: a row stays dirty until it is counted.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let _counting = self.counting.lock().await;
        let dirty: Vec<(String, u64)> =
            self.state.lock().dirty.iter().map(|(key, revision)| (key.clone(), *revision)).collect();
        for (key, revision) in dirty {
            let share = self.tables.share(&key).await?;
            let mut state = self.state.lock();
            state.count(&key, share);
            if state.dirty.get(&key) == Some(&revision) {
                state.dirty.remove(&key);
            }
            state.give_back();
        }
        Ok(())
    }

    /// The sums of an account in a region.
    pub(crate) async fn usage(&self, scope: &Scope) -> Result<Usage> {
        self.refresh().await?;
        Ok(self.state.lock().usage.get(scope).copied().unwrap_or_default())
    }

    /// How many functions (or versions, as they are listed) use what the ARN names.
    pub(crate) async fn count_users(&self, arn: &str) -> Result<usize> {
        self.refresh().await?;
        Ok(self.state.lock().users.count(arn))
    }

    /// Up to `limit` users of what the ARN names, in order, from the first one after `after`.
    pub(crate) async fn users(&self, arn: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.refresh().await?;
        Ok(self.state.lock().users.list(arn, after, limit))
    }

    /// Promises a request so many bytes more of the account's code storage.
    pub(crate) async fn reserve(self: &Arc<Self>, scope: &Scope, bytes: u64) -> Result<Reservation> {
        let reserved = tokio::time::timeout(PATIENCE, self.promise(scope, bytes)).await;
        reserved.unwrap_or(Err(Error::CodeStorageExceeded))?;
        Ok(Reservation { ledger: self.clone(), scope: scope.clone(), bytes })
    }

    /// Waits while there is room but for what was promised: a row that was written and its promise are both counted
    /// for a moment. Cancel-safe.
    async fn promise(&self, scope: &Scope, bytes: u64) -> Result<()> {
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            self.refresh().await?;
            {
                let mut state = self.state.lock();
                let usage = state.usage.get(scope).copied().unwrap_or_default();
                if bytes == 0 || usage.code_bytes + usage.promised_bytes + bytes <= self.code_storage_bytes {
                    state.change_usage(scope, |usage| usage.promised_bytes += bytes);
                    return Ok(());
                }
                if usage.code_bytes + bytes > self.code_storage_bytes {
                    return Err(Error::CodeStorageExceeded);
                }
            }
            returned.await;
        }
    }

    /// Keeps an archive from being removed although no row names it yet. Waits while it is being removed.
    pub(crate) async fn hold(self: &Arc<Self>, archive: Digest) -> Hold {
        loop {
            let removed = self.removed.notified();
            tokio::pin!(removed);
            removed.as_mut().enable();
            {
                let mut state = self.state.lock();
                if !state.removing.contains(&archive) {
                    *state.held.entry(archive).or_default() += 1;
                    break;
                }
            }
            removed.await;
        }
        Hold { ledger: self.clone(), archive }
    }

    /// Archives that lost their last name since the last call, with their sizes.
    pub(crate) fn take_unnamed(&self) -> Vec<(Digest, u64)> {
        mem::take(&mut self.state.lock().unnamed)
    }

    /// All archives that rows name.
    pub(crate) fn named(&self) -> HashSet<Digest> {
        self.state.lock().named.keys().copied().collect()
    }

    /// Whether a row names the archive, as far as counted.
    pub(crate) fn is_named(&self, archive: &Digest) -> bool {
        self.state.lock().named.contains_key(archive)
    }

    /// Marks an archive as being removed; `None` if it is named, held, or rows are not counted yet that may name it.
    pub(crate) fn begin_removal(self: &Arc<Self>, archive: Digest) -> Option<Removal> {
        let mut state = self.state.lock();
        let in_use = !state.dirty.is_empty()
            || state.named.contains_key(&archive)
            || state.held.contains_key(&archive)
            || !state.removing.insert(archive);
        (!in_use).then(|| Removal { ledger: self.clone(), archive })
    }
}

impl State {
    fn count(&mut self, key: &str, share: Option<Share>) {
        if let Some(old) = self.shares.remove(key) {
            self.subtract(&old, share.as_ref());
        }
        if let Some(share) = share {
            self.add(&share);
            self.shares.insert(key.to_owned(), share);
        }
    }

    /// Gives back what was promised, if the rows that were written for it are counted.
    fn give_back(&mut self) {
        if self.dirty.is_empty() {
            for (scope, bytes) in mem::take(&mut self.returning) {
                self.change_usage(&scope, |usage| usage.promised_bytes -= bytes);
            }
        }
    }

    /// Changes the sums of one scope; a scope with nothing is not kept.
    fn change_usage(&mut self, scope: &Scope, change: impl FnOnce(&mut Usage)) {
        let usage = self.usage.entry(scope.clone()).or_default();
        change(usage);
        if *usage == Usage::default() {
            self.usage.remove(scope);
        }
    }

    fn add(&mut self, share: &Share) {
        self.change_usage(&share.scope, |usage| {
            usage.functions += share.functions;
            usage.code_bytes += share.code_bytes;
            usage.claimed_concurrency += share.claimed_concurrency;
        });
        for (archive, _) in &share.archives {
            *self.named.entry(*archive).or_default() += 1;
        }
        for used in &share.uses {
            self.users.add(used);
        }
    }

    fn subtract(&mut self, old: &Share, new: Option<&Share>) {
        for used in &old.uses {
            self.users.remove(used);
        }
        self.change_usage(&old.scope, |usage| {
            usage.functions -= old.functions;
            usage.code_bytes -= old.code_bytes;
            usage.claimed_concurrency -= old.claimed_concurrency;
        });
        for (archive, size) in &old.archives {
            let stays = new.is_some_and(|new| new.archives.iter().any(|(named, _)| named == archive));
            if release(&mut self.named, archive) && !stays {
                self.unnamed.push((*archive, *size));
            }
        }
    }
}

/// Lowers a count; true if that was the last.
fn release(counts: &mut HashMap<Digest, usize>, archive: &Digest) -> bool {
    let Some(count) = counts.get_mut(archive) else {
        return false;
    };
    *count -= 1;
    let last = *count == 0;
    if last {
        counts.remove(archive);
    }
    last
}

/// Calls `visit` for every row of a table, whatever account it is of.
pub(crate) async fn for_each_row<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
    table: &Table<T>,
    mut visit: impl FnMut(&str, &T),
) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let rows = table.list("", after.as_deref(), PAGE).await?;
        for (key, entry) in &rows {
            visit(key, &entry.value);
        }
        match rows.into_iter().last() {
            Some((key, _)) => after = Some(key),
            None => return Ok(()),
        }
    }
}

impl Observer for Ledger {
    fn changed(&self, key: &str, revision: u64) {
        self.state.lock().dirty.insert(key.to_owned(), revision);
    }
}

/// Code storage promised to a request. It is given back after this was dropped, once the row that was written
/// meanwhile is counted itself: so at no time is it counted neither way.
#[must_use]
pub(crate) struct Reservation {
    ledger: Arc<Ledger>,
    scope: Scope,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.ledger.state.lock();
        state.returning.push((self.scope.clone(), self.bytes));
        state.give_back();
        drop(state);
        self.ledger.returned.notify_waiters();
    }
}

/// An archive that is not to be removed.
#[must_use]
pub(crate) struct Hold {
    ledger: Arc<Ledger>,
    archive: Digest,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.ledger.state.lock();
        // If no row came to name it, it is now nobody's.
        if release(&mut state.held, &self.archive) && !state.named.contains_key(&self.archive) {
            state.unnamed.push((self.archive, 0));
        }
    }
}

/// An archive that is being removed and that nobody may begin to name meanwhile.
#[must_use]
pub(crate) struct Removal {
    ledger: Arc<Ledger>,
    archive: Digest,
}

impl Drop for Removal {
    fn drop(&mut self) {
        self.ledger.state.lock().removing.remove(&self.archive);
        self.ledger.removed.notify_waiters();
    }
}
