//! Unpacking a layer: an archive that others have written, into a directory of ours.
//!
//! It holds what the layer adds, and as empty files what it takes away: `.wh.NAME` for a name of the layers beneath,
//! `.wh..wh..opq` for all that they have in a directory. See "Image Layer Filesystem Changeset" of the OCI image
//! specification.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use tar::{Archive, Entry, EntryType};

use crate::decompress::{Counted, TooMuch, reader};
use crate::digest::Digest;
use crate::directory::Directory;
use crate::error::{Error, Result};

/// The beginning of a name that says that something is not there.
pub(crate) const WHITEOUT: &[u8] = b".wh.";
/// The name that says that nothing of the layers beneath is there.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// What may be unpacked.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all layers, uncompressed.
    pub bytes: u64,
    /// Files, directories and links of all layers.
    pub entries: u64,
    /// How deep directories may be in each other.
    pub depth: usize,
}

impl Default for Limits {
    /// Ten gigabytes, as for functions on AWS.
    fn default() -> Self {
        Self { bytes: 10 * 1024 * 1024 * 1024, entries: 1_000_000, depth: 128 }
    }
}

/// Unpacks `source` into the empty directory `into`; takes from `limits` what it needs. Returns the digest of the
/// uncompressed layer.
pub(crate) fn unpack(source: impl Read, into: &Path, limits: &mut Limits) -> Result<Digest> {
    let fault = |error: io::Error| fault(&error, into);
    let root = Directory::open(into).map_err(Error::io(into))?;
    let mut archive = Archive::new(Counted::new(reader(source).map_err(fault)?, limits.bytes));
    for entry in archive.entries().map_err(fault)? {
        limits.entries = limits
            .entries
            .checked_sub(1)
            .ok_or_else(|| Error::TooLarge("it has too many files".to_owned()))?;
        unpack_entry(entry.map_err(fault)?, &root, limits.depth, into)?;
    }
    let counted = archive.into_inner();
    let (digest, left) = counted.finish().map_err(fault)?;
    limits.bytes = left;
    Ok(digest)
}

fn fault(error: &io::Error, into: &Path) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) {
        return Error::TooLarge("uncompressed it has more than may be unpacked".to_owned());
    }
    match error.raw_os_error() {
        Some(code) => Error::Io { path: into.to_owned(), source: io::Error::from_raw_os_error(code) },
        None => Error::Invalid(format!("a layer cannot be unpacked: {error}")),
    }
}

fn unpack_entry<R: Read>(mut entry: Entry<'_, R>, root: &Directory, depth: usize, into: &Path) -> Result<()> {
    let fault = |error: io::Error| fault(&error, into);
    let path = entry.path_bytes().into_owned();
    let (parents, name) = split(&path, depth)?;
    let Some(name) = name else { return Ok(()) };
    let kind = entry.header().entry_type();
    match kind {
        EntryType::Directory => {
            let mode = entry.header().mode().map_err(fault)?;
            let directory = parent(root, &parents).map_err(fault)?.make(&name).map_err(fault)?;
            directory.set_mode(mode).map_err(fault)
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let parent = parent(root, &parents).map_err(fault)?;
            unpack_file(&mut entry, &parent, &name).map_err(fault)
        }
        EntryType::Symlink => {
            let target = entry.link_name().map_err(fault)?;
            let target = target.ok_or_else(|| Error::invalid("a link leads nowhere"))?;
            parent(root, &parents).map_err(fault)?.symlink(&name, &target).map_err(fault)
        }
        EntryType::Link => {
            let target = entry.link_name_bytes().unwrap_or_default().into_owned();
            let (target_parents, target) = split(&target, depth)?;
            let target = target.ok_or_else(|| Error::invalid("a link leads nowhere"))?;
            link(root, (&parents, &name), (&target_parents, &target))
                .map_err(|error| Error::Invalid(format!("a link to '{}': {error}", target.display())))
        }
        // There are no devices and pipes in a function's environment but our own.
        _ => Ok(()),
    }
}

/// The directories of a path and the last name, if there is any. A path is always beneath the root of the layer.
fn split(path: &[u8], depth: usize) -> Result<(Vec<OsString>, Option<OsString>)> {
    let shown = || String::from_utf8_lossy(path).into_owned();
    if path.len() > 4096 {
        return Err(Error::invalid("a file's path is too long"));
    }
    let mut names = Vec::new();
    for component in Path::new(OsStr::from_bytes(path)).components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) if is_name(name.as_bytes()) => names.push(name.to_owned()),
            _ => return Err(Error::Invalid(format!("'{}' is no path for a file", shown()))),
        }
    }
    if names.len() > depth {
        return Err(Error::Invalid(format!("'{}' is too deep", shown())));
    }
    let name = names.pop();
    Ok((names, name))
}

/// Not what takes away more than a name.
fn is_name(name: &[u8]) -> bool {
    match name.strip_prefix(WHITEOUT) {
        Some(removed) => !matches!(removed, b"" | b"." | b".."),
        None => !name.contains(&0),
    }
}

/// The directory of these names, made if it is not there. Links that the layer has itself are followed as who has the
/// layer as root would, and nowhere else.
fn parent(root: &Directory, names: &[OsString]) -> io::Result<Directory> {
    let Some((last, above)) = names.split_last() else { return root.resolve(Path::new(".")) };
    match root.resolve(&names.iter().collect::<PathBuf>()) {
        Ok(found) => Ok(found),
        Err(_) => parent(root, above)?.imply(last),
    }
}

fn unpack_file<R: Read>(entry: &mut Entry<'_, R>, parent: &Directory, name: &OsStr) -> io::Result<()> {
    let mode = entry.header().mode()?;
    let modified = entry.header().mtime()?;
    let mut file = parent.create(name)?;
    io::copy(entry, &mut file)?;
    // Nobody becomes somebody else in a function's environment; what can be run needs to be readable for us to link it.
    file.set_permissions(Permissions::from_mode(mode & 0o777 | 0o400))?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(modified));
    time.map_or(Ok(()), |time| file.set_modified(time))
}

fn link(root: &Directory, name: (&[OsString], &OsStr), target: (&[OsString], &OsStr)) -> io::Result<()> {
    let directory: PathBuf = Path::new(".").join(target.0.iter().collect::<PathBuf>());
    let from = root.resolve(&directory)?;
    if from.kind(target.1)?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let parent = parent(root, name.0)?;
    if name == target { Ok(()) } else { parent.link(name.1, &from, target.1) }
}
