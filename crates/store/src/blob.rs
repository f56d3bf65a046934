//! Blobs: files named by the SHA-256 of their content.
//!
//! ```text
//! blobs/ab/cd/abcd…        a blob; what is there is whole and on disk
//! blobs/tmp/<process>-<n>  being written; whatever is found here at start was never acknowledged and goes
//! ```

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::{Digest, Error, Result};

const TEMPORARY: &str = "tmp";

/// A directory of blobs. Clones are the same store.
#[derive(Debug, Clone)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    next_temporary: AtomicU64,
}

impl BlobStore {
    /// Opens the directory or makes it (mode 0700), and removes what an earlier server left half written. The caller
    /// holds the lock of the data directory around it.
    pub fn open(root: &Path) -> Result<Self> {
        let temporary = root.join(TEMPORARY);
        make_directory(root)?;
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("clear", &temporary)(error));
            }
            _ => make_directory(&temporary)?,
        }
        Ok(Self { inner: Arc::new(Inner { root: root.to_owned(), next_temporary: AtomicU64::new(0) }) })
    }

    /// Stores bytes and returns their name once they are on disk. Storing the same bytes again is allowed.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest> {
        let store = self.clone();
        blocking(move || {
            let mut writer = store.writer()?;
            let path = writer.temporary.clone();
            writer.write_all(&bytes).map_err(Error::io("write", &path))?;
            writer.finish()
        })
        .await
    }

    /// Begins a blob whose bytes come one after another. Blocking; dropping the writer discards it.
    pub fn writer(&self) -> Result<BlobWriter> {
        let number = self.inner.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.inner.root.join(TEMPORARY).join(format!("{}-{number}", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(Error::io("create", &temporary))?;
        Ok(BlobWriter { store: self.clone(), temporary, file, hasher: Sha256::new(), bytes: 0 })
    }

    /// The whole blob, or `None` if there is no such blob.
    pub async fn read(&self, digest: &Digest) -> Result<Option<Bytes>> {
        let path = self.path(digest);
        blocking(move || match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        })
        .await
    }

    /// The blob as an open file, for reading piece by piece. It stays readable if the blob is removed meanwhile.
    pub fn open_file(&self, digest: &Digest) -> Result<Option<File>> {
        let path = self.path(digest);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", &path)(error)),
        }
    }

    /// Whether there is such a blob.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// Removes a blob. Removing what is not there succeeds.
    pub async fn remove(&self, digest: &Digest) -> Result<()> {
        let path = self.path(digest);
        blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path)(error)),
            _ => Ok(()),
        })
        .await
    }

    /// Blobs that are not in `live` and were last put at least `grace` ago. Blocking.
    ///
    /// A blob is written before the row that names it; `grace` must be longer than that takes. Putting a blob that is
    /// already there counts as a put, so a blob about to be named again is not garbage. Ages are by the clock of the
    /// file system, which a virtual clock does not move.
    pub fn garbage(&self, live: &HashSet<Digest>, grace: Duration) -> Result<Vec<Digest>> {
        let probe = self.writer()?;
        let now = probe
            .file
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map_err(Error::io("inspect", &probe.temporary))?;
        drop(probe);
        let mut garbage = Vec::new();
        for path in self.files()? {
            let Some(digest) = path.file_name().and_then(|name| name.to_str()?.parse::<Digest>().ok()) else {
                continue;
            };
            let Ok(modified) = path.metadata().and_then(|metadata| metadata.modified()) else {
                continue;
            };
            let age = now.duration_since(modified).unwrap_or_default();
            if age >= grace && !live.contains(&digest) {
                garbage.push(digest);
            }
        }
        Ok(garbage)
    }

    /// Every file two levels down.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut paths = vec![self.inner.root.clone()];
        for _level in 0..3 {
            let mut below = Vec::new();
            for directory in paths.iter().filter(|path| path.is_dir() && !path.ends_with(TEMPORARY)) {
                let failed = Error::io("list", directory);
                for entry in fs::read_dir(directory).map_err(&failed)? {
                    below.push(entry.map_err(&failed)?.path());
                }
            }
            paths = below;
        }
        Ok(paths)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.inner.root.join(&name[..2]).join(&name[2..4]).join(name)
    }
}

/// A blob being written. Its digest is computed on the way.
pub struct BlobWriter {
    store: BlobStore,
    temporary: PathBuf,
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl BlobWriter {
    /// How many bytes were written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the blob durable under its name: content first, then the name, then the directories that lead to it.
    pub fn finish(mut self) -> Result<Digest> {
        self.file.sync_all().map_err(Error::io("sync", &self.temporary))?;
        let digest = Digest::from_hasher(std::mem::take(&mut self.hasher));
        let target = self.store.path(&digest);
        let (Some(leaf), root) = (target.parent(), &self.store.inner.root) else {
            return Ok(digest);
        };
        let Some(branch) = leaf.parent() else {
            return Ok(digest);
        };
        make_directory(branch)?;
        make_directory(leaf)?;
        // A rename onto the same blob is deliberate: it renews the time of the last put.
        fs::rename(&self.temporary, &target).map_err(Error::io("name", &target))?;
        for directory in [leaf, branch, root] {
            sync_directory(directory)?;
        }
        Ok(digest)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // After `finish` there is nothing under this name any more.
        let _ = fs::remove_file(&self.temporary);
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BlobWriter").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("create", path))
}

/// Makes the names of files just made in `path` survive a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(Error::io("sync", path))
}

/// Runs file work off the threads of the async runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::lost)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, BlobStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = BlobStore::open(&directory.path().join("blobs")).unwrap();
        (directory, store)
    }

    #[tokio::test]
    async fn a_blob_is_found_by_its_digest() {
        let (directory, store) = store();
        let digest = store.put(Bytes::from_static(b"code")).await.unwrap();
        assert_eq!(digest, Digest::of(b"code"));
        assert_eq!(store.read(&digest).await.unwrap().unwrap(), "code");
        let name = digest.to_string();
        let path = directory.path().join("blobs").join(&name[..2]).join(&name[2..4]).join(&name);
        assert_eq!(fs::read(path).unwrap(), b"code");
        assert!(store.contains(&digest) && store.open_file(&digest).unwrap().is_some());
        store.remove(&digest).await.unwrap();
        store.remove(&digest).await.unwrap();
        assert!(!store.contains(&digest));
        assert_eq!(store.read(&digest).await.unwrap(), None);
        assert!(store.open_file(&digest).unwrap().is_none());
    }

    #[tokio::test]
    async fn many_writers_of_the_same_blob_agree() {
        let (directory, store) = store();
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let store = store.clone();
            writers.spawn(async move { store.put(Bytes::from(vec![7; 100_000])).await });
        }
        for digest in writers.join_all().await {
            assert_eq!(digest.unwrap(), Digest::of(&[7; 100_000]));
        }
        assert_eq!(fs::read_dir(directory.path().join("blobs/tmp")).unwrap().count(), 0);
    }

    #[test]
    fn what_was_not_finished_is_gone_after_a_restart() {
        let (directory, store) = store();
        let mut writer = store.writer().unwrap();
        writer.write_all(b"half").unwrap();
        assert_eq!(writer.bytes(), 4);
        std::mem::forget(writer);
        let temporary = directory.path().join("blobs/tmp");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
        let store = BlobStore::open(&directory.path().join("blobs")).unwrap();
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
        drop(store.writer().unwrap());
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn garbage_is_what_nobody_names_and_nobody_just_put() {
        let (_directory, store) = store();
        let live = store.put(Bytes::from_static(b"live")).await.unwrap();
        let dead = store.put(Bytes::from_static(b"dead")).await.unwrap();
        let names = HashSet::from([live]);
        assert_eq!(store.garbage(&names, Duration::ZERO).unwrap(), [dead]);
        assert_eq!(store.garbage(&names, Duration::from_secs(3600)).unwrap(), []);
    }
}
