//! Work beneath an open directory, one name at a time: no link is ever followed, so nothing leads out of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

/// What of its owner's a directory must always allow, for what is in it to be reached.
const PASSABLE: u32 = 0o700;

/// The bit of a mode that has no use where nobody writes.
const IMPLIED: u32 = 0o1000;

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, OPEN, Mode::empty())?))
    }

    /// A directory in this one.
    pub(crate) fn enter(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, name, OPEN, Mode::empty())?))
    }

    /// A directory in this one, which is made if there is none; what else has its name is removed.
    pub(crate) fn make(&self, name: &OsStr) -> io::Result<Self> {
        match self.enter(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if is_no_directory(&error) => self.remove(name)?,
            opened => return opened,
        }
        rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o755))?;
        let made = self.enter(name)?;
        made.set_mode(0o755)?;
        Ok(made)
    }

    /// A directory that is only there for what is in it: which is noted in its mode until something is said of itself.
    pub(crate) fn imply(&self, name: &OsStr) -> io::Result<Self> {
        let made = self.make(name)?;
        rustix::fs::fchmod(&made.0, Mode::from_raw_mode(0o755 | IMPLIED))?;
        Ok(made)
    }

    pub(crate) fn is_implied(&self) -> io::Result<bool> {
        Ok(self.mode()? & IMPLIED != 0)
    }

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode & 0o777 | PASSABLE))?)
    }

    pub(crate) fn mode(&self) -> io::Result<u32> {
        Ok(rustix::fs::fstat(&self.0)?.st_mode & 0o7777)
    }

    /// A new file, in place of whatever has its name.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        self.remove(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o600))?.into())
    }

    pub(crate) fn symlink(&self, name: &OsStr, target: &Path) -> io::Result<()> {
        self.remove(name)?;
        Ok(rustix::fs::symlinkat(target, &self.0, name)?)
    }

    /// Another name, here, for a file or link that `from` has; a copy where it has too many names already.
    pub(crate) fn link(&self, name: &OsStr, from: &Self, source: &OsStr) -> io::Result<()> {
        match rustix::fs::linkat(&from.0, source, &self.0, name, AtFlags::empty()) {
            Err(Errno::EXIST) => {
                self.remove(name)?;
                self.link(name, from, source)
            }
            Err(Errno::MLINK) => self.copy(name, from, source),
            linked => Ok(linked?),
        }
    }

    fn copy(&self, name: &OsStr, from: &Self, source: &OsStr) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut original = File::from(rustix::fs::openat(&from.0, source, flags, Mode::empty())?);
        let mut copy = self.create(name)?;
        io::copy(&mut original, &mut copy)?;
        let metadata = original.metadata()?;
        copy.set_permissions(metadata.permissions())?;
        copy.set_modified(metadata.modified()?)
    }

    /// Removes whatever has this name, with all that is in it; that there is nothing is well, too.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // What unlink says of a directory.
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        self.enter(name)?.clear()?;
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes all that is in it.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.names()?.iter().try_for_each(|name| self.remove(name))
    }

    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    pub(crate) fn kind(&self, name: &OsStr) -> io::Result<FileType> {
        let status = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(status.st_mode))
    }

    /// Where a path leads for those who have `self` as their root.
    pub(crate) fn resolve(&self, path: &Path) -> io::Result<Self> {
        let resolve = rustix::fs::ResolveFlags::IN_ROOT | rustix::fs::ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat2(self.0.as_fd(), path, flags, Mode::empty(), resolve)?))
    }
}

/// What opening says of a link or a file that is taken for a directory.
fn is_no_directory(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOTDIR | Errno::LOOP))
}
