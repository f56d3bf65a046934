//! Packages: code unpacked once, mounted by every environment that runs it.
//!
//! ```text
//! packages/<sha256 of the archive>/   the tree; what is there is whole
//! packages/tmp/                       being built or being removed
//! packages/boot                       during which run of the kernel the trees were made
//! ```
//! A package can be built again from its blob at any time, so nothing here is synced to the disk. A tree is built
//! aside and renamed into place, which survives the death of the server but not a power cut: after one, names may be
//! on disk whose content is not. So trees made before the machine last started are not trusted but built again.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::{Digest, Error, Result};

const TEMPORARY: &str = "tmp";
const BOOT: &str = "boot";
/// Changes whenever the kernel starts.
const KERNEL_BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why a package is not there.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError<E> {
    /// The archive could not be unpacked.
    #[error(transparent)]
    Build(E),
    /// The directory of packages could not be written.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The directory of packages. Clones are the same store.
#[derive(Debug, Clone)]
pub struct PackageStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    next_temporary: AtomicU64,
    /// Who wants to build what, so that each package is built once.
    building: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

impl PackageStore {
    /// Opens the directory or makes it. Trees from before the machine last started are set aside; [`Self::sweep`]
    /// removes them. The caller holds the lock of the data directory around it.
    pub fn open(root: &Path) -> Result<Self> {
        let store = Self {
            inner: Arc::new(Inner {
                root: root.to_owned(),
                next_temporary: AtomicU64::new(0),
                building: Mutex::default(),
            }),
        };
        make_directory(root)?;
        make_directory(&root.join(TEMPORARY))?;
        let boot = fs::read(KERNEL_BOOT_ID).ok();
        let path = root.join(BOOT);
        if boot.is_none() || fs::read(&path).ok() != boot {
            store.set_all_aside()?;
            fs::write(&path, boot.unwrap_or_default()).map_err(Error::io("write", &path))?;
        }
        Ok(store)
    }

    /// Where the package is, if it is unpacked. Cheap: one look at the directory.
    pub fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.inner.root.join(digest.to_string());
        path.is_dir().then_some(path)
    }

    /// Where the package is, unpacking it first if need be. `build` gets an empty directory (mode 0755) and runs on a
    /// blocking thread; of several concurrent calls for one package one builds and the others wait. When the future is
    /// dropped the build goes on to its end.
    ///
    /// # Errors
    /// [`EnsureError::Build`] with what `build` said. Nothing of the attempt stays; the next call tries again.
    pub async fn ensure<E, F>(
        &self,
        digest: &Digest,
        build: F,
    ) -> std::result::Result<PathBuf, EnsureError<E>>
    where
        E: Send + 'static,
        F: FnOnce(&Path) -> std::result::Result<(), E> + Send + 'static,
    {
        if let Some(path) = self.path(digest) {
            return Ok(path);
        }
        let (store, digest) = (self.clone(), *digest);
        let turn = self.inner.building.lock().entry(digest).or_default().clone();
        let turn = turn.lock_owned().await;
        let task = tokio::task::spawn_blocking(move || {
            let result = match store.path(&digest) {
                Some(path) => Ok(path),
                None => store.build(&digest, build),
            };
            drop(turn);
            // Whoever waits still holds the lock's other end; with nobody waiting it is forgotten.
            store.inner.building.lock().retain(|_, turn| Arc::strong_count(turn) > 1);
            result
        });
        task.await.map_err(Error::lost)?
    }

    /// Removes a package. The caller makes sure that no environment runs from it.
    pub async fn remove(&self, digest: &Digest) -> Result<()> {
        let (store, digest) = (self.clone(), *digest);
        let task = tokio::task::spawn_blocking(move || match store.path(&digest) {
            Some(path) => remove_tree(&store.set_aside(&path)?),
            None => Ok(()),
        });
        task.await.map_err(Error::lost)?
    }

    /// Removes what was set aside at start or left over by a server that was killed. Blocking, and slow when that is
    /// much: to be called aside of the start. Builds that go on meanwhile are not touched.
    pub fn sweep(&self) -> Result<()> {
        let ours = format!("{}-", std::process::id());
        for path in entries(&self.inner.root.join(TEMPORARY))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("aside-") || !name.starts_with(&ours) {
                remove_tree(&path)?;
            }
        }
        Ok(())
    }

    fn build<E>(
        &self,
        digest: &Digest,
        build: impl FnOnce(&Path) -> std::result::Result<(), E>,
    ) -> std::result::Result<PathBuf, EnsureError<E>> {
        let temporary = self.temporary("");
        // A process id comes round again: what an earlier process left under this name goes first.
        remove_tree(&temporary)?;
        make_directory(&temporary)?;
        if let Err(error) = build(&temporary) {
            remove_tree(&temporary)?;
            return Err(EnsureError::Build(error));
        }
        let path = self.inner.root.join(digest.to_string());
        fs::rename(&temporary, &path).map_err(Error::io("name", &path))?;
        Ok(path)
    }

    fn set_all_aside(&self) -> Result<()> {
        for path in entries(&self.inner.root)? {
            if !path.ends_with(TEMPORARY) && !path.ends_with(BOOT) {
                self.set_aside(&path)?;
            }
        }
        Ok(())
    }

    /// Takes a tree out of sight in one step, so that a half removed one is never found.
    fn set_aside(&self, path: &Path) -> Result<PathBuf> {
        let aside = self.temporary("aside-");
        remove_tree(&aside)?;
        fs::rename(path, &aside).map_err(Error::io("set aside", path))?;
        Ok(aside)
    }

    fn temporary(&self, kind: &str) -> PathBuf {
        let number = self.inner.next_temporary.fetch_add(1, Ordering::Relaxed);
        self.inner.root.join(TEMPORARY).join(format!("{kind}{}-{number}", std::process::id()))
    }
}

/// Packages are read by functions under foreign user ids; the data directory around them is closed.
fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(Error::io("create", path))
}

fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = Error::io("list", path);
    fs::read_dir(path)
        .map_err(&failed)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(&failed))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;

    fn store() -> (tempfile::TempDir, PackageStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = PackageStore::open(&directory.path().join("packages")).unwrap();
        (directory, store)
    }

    fn write_handler(path: &Path) -> io::Result<()> {
        fs::write(path.join("handler.py"), "code")
    }

    #[tokio::test]
    async fn concurrent_callers_unpack_once() {
        let (_directory, store) = store();
        let digest = Digest::of(b"zip");
        let builds = Arc::new(AtomicUsize::new(0));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (store, builds) = (store.clone(), builds.clone());
            callers.spawn(async move {
                let build = move |path: &Path| {
                    builds.fetch_add(1, Ordering::SeqCst);
                    write_handler(path)
                };
                let path = store.ensure(&digest, build).await.unwrap();
                assert_eq!(fs::read(path.join("handler.py")).unwrap(), b"code");
            });
        }
        callers.join_all().await;
        assert_eq!(builds.load(Ordering::SeqCst), 1);
        assert!(store.inner.building.lock().is_empty());
    }

    #[tokio::test]
    async fn a_failed_build_leaves_nothing_and_is_tried_again() {
        let (directory, store) = store();
        let digest = Digest::of(b"zip");
        let half = |path: &Path| {
            fs::write(path.join("half"), "").unwrap();
            Err("broken")
        };
        assert!(matches!(store.ensure(&digest, half).await, Err(EnsureError::Build("broken"))));
        assert_eq!(store.path(&digest), None);
        assert_eq!(fs::read_dir(directory.path().join("packages/tmp")).unwrap().count(), 0);
        let path = store.ensure(&digest, write_handler).await.unwrap();
        assert!(!path.join("half").exists());
    }

    #[tokio::test]
    async fn a_package_that_vanished_is_made_again() {
        let (_directory, store) = store();
        let digest = Digest::of(b"zip");
        let path = store.ensure(&digest, write_handler).await.unwrap();
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(store.path(&digest), None);
        store.ensure(&digest, write_handler).await.unwrap();
        assert!(path.join("handler.py").exists());
        store.remove(&digest).await.unwrap();
        store.remove(&digest).await.unwrap();
        assert_eq!(store.path(&digest), None);
    }

    #[tokio::test]
    async fn trees_are_trusted_until_the_machine_restarts() {
        let (directory, store) = store();
        let root = directory.path().join("packages");
        let digest = Digest::of(b"zip");
        store.ensure(&digest, |_| Ok::<_, Infallible>(())).await.unwrap();
        let store = PackageStore::open(&root).unwrap();
        assert!(store.path(&digest).is_some());
        fs::write(root.join(BOOT), "another").unwrap();
        let store = PackageStore::open(&root).unwrap();
        assert_eq!(store.path(&digest), None);
        store.sweep().unwrap();
        assert_eq!(fs::read_dir(root.join(TEMPORARY)).unwrap().count(), 0);
    }
}
