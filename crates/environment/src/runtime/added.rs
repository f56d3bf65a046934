//! The root file systems that were added for runtimes on this machine: a link for each, which a server finds whenever
//! it was made.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A directory of links, named as runtimes are.
#[derive(Debug, Clone, Default)]
pub(super) struct Added(PathBuf);

impl Added {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Where a runtime's root file system is, if one was added.
    pub(super) fn get(&self, identifier: &str) -> Option<PathBuf> {
        fs::read_link(self.0.join(identifier)).ok()
    }

    /// Lets a runtime have this one from now on.
    pub(super) fn put(&self, identifier: &str, root: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let unfinished = self.0.join(format!(".{}", uuid::Uuid::new_v4().simple()));
        symlink(root, &unfinished)?;
        fs::rename(&unfinished, self.0.join(identifier))
    }

    /// Whether there was one.
    pub(super) fn remove(&self, identifier: &str) -> io::Result<bool> {
        match fs::remove_file(self.0.join(identifier)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
