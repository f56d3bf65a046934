//! Writing a package below one directory, with the kernel seeing to it that nothing leaves it.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::contents::Destination;
use super::{CodeError, name};

const FILE: Mode = Mode::from_raw_mode(0o644);
const EXECUTABLE: Mode = Mode::from_raw_mode(0o755);
const DIRECTORY: Mode = Mode::from_raw_mode(0o755);

/// The directory that becomes the package.
pub(super) struct Tree {
    root: OwnedFd,
    /// Directories made so far.
    made: HashSet<String>,
}

impl Tree {
    pub(super) fn open(directory: &Path) -> Result<Self, CodeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(directory, flags, Mode::empty())
            .map_err(|error| CodeError::io(directory)(error.into()))?;
        Ok(Self { root, made: HashSet::new() })
    }

    /// Opens what is below the root: the path may neither leave it nor pass through a link.
    fn open_beneath(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        Ok(rustix::fs::openat2(&self.root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode, resolve)?)
    }

    fn open_directory(&self, path: &str) -> io::Result<OwnedFd> {
        self.open_beneath(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    /// Runs `act` with the directory that holds `path`, made if need be, and the last component of `path`.
    fn in_parent<T>(
        &mut self,
        path: &str,
        act: impl FnOnce(BorrowedFd<'_>, &str) -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        match path.rsplit_once('/') {
            None => Ok(act(self.root.as_fd(), path)?),
            Some((parent, last)) => {
                self.make_directories(parent)?;
                Ok(act(self.open_directory(parent)?.as_fd(), last)?)
            }
        }
    }

    fn make_directories(&mut self, path: &str) -> io::Result<()> {
        if self.made.contains(path) {
            return Ok(());
        }
        let mut missing: Vec<&str> =
            name::ancestors(path).take_while(|above| !self.made.contains(*above)).collect();
        missing.reverse();
        missing.push(path);
        for directory in missing {
            self.make_directory(directory)?;
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &str) -> io::Result<()> {
        match path.rsplit_once('/') {
            None => rustix::fs::mkdirat(&self.root, path, DIRECTORY)?,
            Some((parent, last)) => rustix::fs::mkdirat(self.open_directory(parent)?, last, DIRECTORY)?,
        }
        // The mode at creation passes through the umask; this one does not.
        rustix::fs::fchmod(self.open_directory(path)?, DIRECTORY)?;
        self.made.insert(path.to_owned());
        Ok(())
    }
}

impl Destination for Tree {
    type File = File;

    fn directory(&mut self, path: &str) -> io::Result<()> {
        self.make_directories(path)
    }

    fn file(&mut self, path: &str, executable: bool) -> io::Result<File> {
        if let Some(parent) = name::parent(path) {
            self.make_directories(parent)?;
        }
        let mode = if executable { EXECUTABLE } else { FILE };
        let file = self.open_beneath(path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode)?;
        rustix::fs::fchmod(&file, mode)?;
        Ok(file.into())
    }

    /// Not synced: a package is made again from its archive if the machine loses power.
    fn close(&mut self, file: File, modified: Option<SystemTime>) -> io::Result<()> {
        modified.map_or(Ok(()), |time| file.set_modified(time))
    }

    fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.in_parent(path, |parent, last| rustix::fs::symlinkat(target, parent, last))
    }
}
