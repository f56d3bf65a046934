//! What the functions hold: how many there are, how many bytes their code has, which archives and what else they name.
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

use parking_lot::Mutex;
use rushlight_model::arn::Scope;
use rushlight_model::function::{Code, FunctionConfiguration, FunctionHead};
use rushlight_model::version::Package;
use rushlight_store::table::Table;
use rushlight_store::table::function::HEADS;
use rushlight_store::{Backend, Digest, Observer};
use tokio::sync::Notify;

use crate::error::{Error, Result};
use crate::users::{Use, Users};

/// How many rows are read at a time at start.
const PAGE: usize = 500;

/// How often rows are counted anew before a request is refused for want of room, when others write all the time.
const RECOUNTS: u32 = 100;

/// Sums of one account in one region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) functions: u64,
    pub(crate) code_bytes: u64,
    pub(crate) claimed_concurrency: u64,
    /// Bytes promised to requests that are under way.
    promised_bytes: u64,
}

/// What one row adds to the sums.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    scope: Scope,
    code_bytes: u64,
    claimed_concurrency: u64,
    /// Archives with their sizes.
    archives: Vec<(Digest, u64)>,
    /// What it names, by ARN, and under which name it is listed as a user.
    uses: Vec<Use>,
}

impl Share {
    fn of(head: &FunctionHead) -> Self {
        let latest = [Some(&head.latest), head.serving.as_deref()].into_iter().flatten().filter_map(archive);
        let published = head.versions.values().filter_map(|version| version.package.as_ref());
        let published_bytes = published.clone().map(Package::stored_bytes).sum::<u64>();
        let published = published.filter_map(|package| Some((package.sha256.parse().ok()?, package.size)));
        let mut archives: Vec<(Digest, u64)> = latest.chain(published).collect();
        archives.sort_unstable();
        archives.dedup();
        Self {
            scope: head.id.scope.clone(),
            code_bytes: code_bytes(&head.latest) + published_bytes,
            claimed_concurrency: u64::from(head.claimed_concurrency()),
            archives,
            uses: uses(head),
        }
    }
}

/// What a function names besides its code.
fn uses(head: &FunctionHead) -> Vec<Use> {
    let signing = head.code_signing_config_arn.as_ref().map(|arn| (arn.clone(), head.id.name.clone()));
    signing.into_iter().collect()
}

/// The archive of a configuration and its size in bytes.
pub(crate) fn archive(configuration: &FunctionConfiguration) -> Option<(Digest, u64)> {
    match &configuration.code {
        Code::Zip { sha256, size, .. } => Some((sha256.parse().ok()?, *size)),
        Code::Image { .. } => None,
    }
}

/// What a configuration's code takes of the account's code storage, in bytes.
pub(crate) fn code_bytes(configuration: &FunctionConfiguration) -> u64 {
    configuration.package().map_or(0, |package| package.stored_bytes())
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
    prefix: String,
    code_storage_bytes: u64,
    state: Mutex<State>,
    /// Held while dirty rows are read: whoever finds none dirty knows that all are counted.
    counting: tokio::sync::Mutex<()>,
    removed: Notify,
}

impl Ledger {
    /// A ledger that is told of changes from now on. Rows that were there before are to be [counted](Self::count).
    ///
    /// The table of functions must have been made before, so that it is told of a change before the ledger is.
    pub(crate) fn observing(store: &Arc<dyn Backend>, code_storage_bytes: u64) -> Arc<Self> {
        let ledger = Arc::new(Self {
            prefix: format!("{HEADS}/"),
            code_storage_bytes,
            state: Mutex::default(),
            counting: tokio::sync::Mutex::default(),
            removed: Notify::new(),
        });
        let observer: Arc<dyn Observer> = ledger.clone();
        store.observe(&ledger.prefix, Arc::downgrade(&observer));
        ledger
    }

    /// Counts a row that was there at start.
    pub(crate) fn count(&self, key: &str, head: &FunctionHead) {
        self.state.lock().count(key, Some(Share::of(head)));
    }

    /// Counts the rows that changed. Cancel-safe: a row stays dirty until it is counted.
    pub(crate) async fn refresh(&self, functions: &Table<FunctionHead>) -> Result<()> {
        let _counting = self.counting.lock().await;
        let dirty: Vec<(String, u64)> =
            self.state.lock().dirty.iter().map(|(key, revision)| (key.clone(), *revision)).collect();
        for (key, revision) in dirty {
            let share = functions.get(&key).await?.map(|entry| Share::of(&entry.value));
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
    pub(crate) async fn usage(&self, functions: &Table<FunctionHead>, scope: &Scope) -> Result<Usage> {
        self.refresh(functions).await?;
        Ok(self.state.lock().usage.get(scope).copied().unwrap_or_default())
    }

    /// How many functions (or versions, as they are listed) use what the ARN names.
    pub(crate) async fn count_users(&self, functions: &Table<FunctionHead>, arn: &str) -> Result<usize> {
        self.refresh(functions).await?;
        Ok(self.state.lock().users.count(arn))
    }

    /// Up to `limit` users of what the ARN names, in order, from the first one after `after`.
    pub(crate) async fn users(
        &self,
        functions: &Table<FunctionHead>,
        arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.refresh(functions).await?;
        Ok(self.state.lock().users.list(arn, after, limit))
    }

    /// Promises a request so many bytes more of the account's code storage.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        functions: &Table<FunctionHead>,
        scope: &Scope,
        bytes: u64,
    ) -> Result<Reservation> {
        for attempt in 1.. {
            self.refresh(functions).await?;
            let mut state = self.state.lock();
            let usage = state.usage.get(scope).copied().unwrap_or_default();
            if bytes == 0 || usage.code_bytes + usage.promised_bytes + bytes <= self.code_storage_bytes {
                state.change_usage(scope, |usage| usage.promised_bytes += bytes);
                break;
            }
            // Of promises that were kept some may be counted twice for now: not a reason to refuse.
            if state.returning.is_empty() || attempt == RECOUNTS {
                return Err(Error::CodeStorageExceeded);
            }
        }
        Ok(Reservation { ledger: self.clone(), scope: scope.clone(), bytes })
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
            usage.functions += 1;
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
            usage.functions -= 1;
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

/// Calls `visit` for every function of every account.
pub(crate) async fn for_each_function(
    functions: &Table<FunctionHead>,
    mut visit: impl FnMut(&str, &FunctionHead),
) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let rows = functions.list("", after.as_deref(), PAGE).await?;
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
        if let Some(key) = key.strip_prefix(&self.prefix) {
            self.state.lock().dirty.insert(key.to_owned(), revision);
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rushlight_model::arn::FunctionId;
    use rushlight_model::clock::Timestamp;
    use rushlight_model::function::Architecture;
    use rushlight_store::{DataDirectory, Expect, Sqlite};

    use super::*;
    use crate::function::create::initial;

    struct World {
        functions: Table<FunctionHead>,
        ledger: Arc<Ledger>,
        _directory: tempfile::TempDir,
    }

    impl World {
        fn new(code_storage_bytes: u64) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let data = DataDirectory::open(directory.path()).unwrap();
            let store: Arc<dyn Backend> = Arc::new(Sqlite::open(&data).unwrap());
            let functions = Table::new(store.clone(), HEADS, 100);
            let ledger = Ledger::observing(&store, code_storage_bytes);
            Self { functions, ledger, _directory: directory }
        }

        async fn put(&self, name: &str, archive: Digest, size: u64) {
            let head = head(name, archive, size);
            self.functions.put(name, head, Expect::Any).await.unwrap();
        }

        async fn usage(&self) -> (u64, u64) {
            let usage = self.ledger.usage(&self.functions, &scope()).await.unwrap();
            (usage.functions, usage.code_bytes)
        }
    }

    fn scope() -> Scope {
        Scope { account: "123456789012".into(), region: "eu-west-1".into() }
    }

    fn head(name: &str, archive: Digest, size: u64) -> FunctionHead {
        let code = Code::Zip {
            runtime: "python3.12".into(),
            handler: "h.h".into(),
            sha256: archive.to_string(),
            size,
            unpacked_size: size,
        };
        let latest = initial(name, code, Architecture::X86_64, Timestamp::from_millis(0));
        FunctionHead::new(FunctionId { scope: scope(), name: name.into() }, name.into(), latest)
    }

    fn archive(number: u8) -> Digest {
        Digest::of(&[number])
    }

    #[tokio::test]
    async fn sums_follow_the_rows() {
        let world = World::new(1000);
        assert_eq!(world.usage().await, (0, 0));
        world.put("a", archive(1), 10).await;
        world.put("b", archive(1), 10).await;
        assert_eq!(world.usage().await, (2, 20));
        world.put("a", archive(2), 15).await;
        assert_eq!(world.usage().await, (2, 25));
        assert_eq!(world.ledger.take_unnamed(), []);
        world.functions.delete("b", Expect::Any).await.unwrap();
        assert_eq!(world.usage().await, (1, 15));
        assert_eq!(world.ledger.take_unnamed(), [(archive(1), 10)]);
    }

    #[tokio::test]
    async fn promises_count_until_they_are_kept_or_given_up() {
        let world = World::new(100);
        let promise = world.ledger.reserve(&world.functions, &scope(), 60).await.unwrap();
        assert!(world.ledger.reserve(&world.functions, &scope(), 41).await.is_err());
        assert!(world.ledger.reserve(&world.functions, &scope(), 40).await.is_ok());
        world.put("a", archive(1), 60).await;
        drop(promise);
        assert!(world.ledger.reserve(&world.functions, &scope(), 41).await.is_err());
        assert!(world.ledger.reserve(&world.functions, &scope(), 40).await.is_ok());
        assert!(world.ledger.reserve(&world.functions, &scope(), 0).await.is_ok());
    }

    /// Between the write of a row and its being counted, somebody may ask: the promise stands for the row.
    #[tokio::test]
    async fn a_promise_is_counted_until_its_row_is() {
        let world = World::new(100);
        let promise = world.ledger.reserve(&world.functions, &scope(), 60).await.unwrap();
        world.put("a", archive(1), 60).await;
        drop(promise);
        let counted = || {
            let usage = world.ledger.state.lock().usage[&scope()];
            (usage.code_bytes, usage.promised_bytes)
        };
        assert_eq!(counted(), (0, 60));
        world.ledger.refresh(&world.functions).await.unwrap();
        assert_eq!(counted(), (60, 0));
    }

    /// Whoever writes up to the limit is not refused, and nobody writes beyond it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_crowd_gets_what_there_is() {
        for _ in 0..20 {
            let world = Arc::new(World::new(10));
            let mut crowd = tokio::task::JoinSet::new();
            for number in 0..24 {
                let world = world.clone();
                crowd.spawn(async move {
                    let promise = world.ledger.reserve(&world.functions, &scope(), 1).await;
                    if promise.is_ok() {
                        world.put(&number.to_string(), archive(number), 1).await;
                    }
                    promise.is_ok()
                });
            }
            let got = crowd.join_all().await.into_iter().filter(|got| *got).count();
            assert_eq!((got, world.usage().await), (10, (10, 10)));
        }
    }

    #[tokio::test]
    async fn what_is_named_held_or_not_counted_is_not_removed() {
        let world = World::new(1000);
        let hold = world.ledger.hold(archive(1)).await;
        assert!(world.ledger.begin_removal(archive(1)).is_none());
        world.put("a", archive(1), 10).await;
        drop(hold);
        assert!(world.ledger.begin_removal(archive(1)).is_none(), "a row is not counted yet");
        world.ledger.refresh(&world.functions).await.unwrap();
        assert!(world.ledger.begin_removal(archive(1)).is_none());
        assert!(world.ledger.begin_removal(archive(2)).is_some());
    }

    #[tokio::test]
    async fn an_upload_waits_for_the_removal_of_the_same_archive() {
        let world = World::new(1000);
        let removal = world.ledger.begin_removal(archive(1)).unwrap();
        assert!(world.ledger.begin_removal(archive(1)).is_none());
        let hold = world.ledger.hold(archive(1));
        tokio::pin!(hold);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut hold).await.is_err());
        drop(removal);
        let _hold = tokio::time::timeout(Duration::from_secs(10), hold).await.unwrap();
        assert!(world.ledger.begin_removal(archive(1)).is_none());
    }

    #[tokio::test]
    async fn an_upload_that_comes_to_nothing_is_garbage() {
        let world = World::new(1000);
        drop(world.ledger.hold(archive(1)).await);
        assert_eq!(world.ledger.take_unnamed(), [(archive(1), 0)]);
    }
}
