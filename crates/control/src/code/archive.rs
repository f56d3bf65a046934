//! The structure of an archive, judged before anything is written.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::read::ZipFileEntry;
use zip::{CompressionMethod, System, ZipArchive};

use super::{CodeError, MAX_ENTRIES, MAX_UNZIPPED_BYTES, link, name};

/// An archive in memory.
pub(super) type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// What is to be made of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    File { executable: bool },
    Directory,
    Link { target: String },
}

/// One entry that may be written.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its number in the archive.
    pub(super) index: usize,
    /// See [`name::path`].
    pub(super) path: String,
    pub(super) kind: Kind,
}

/// A central header's signature. No archive has more entries than these bytes occur in it.
const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
const END_RECORD: [u8; 4] = *b"PK\x05\x06";
const END_RECORD_BYTES: usize = 22;

const TYPE_MASK: u32 = 0o170_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_LINK: u32 = 0o120_000;

/// Opens an archive and plans what to write, in the archive's order but without the root directory's own entry.
pub(super) fn open(zip: &[u8]) -> Result<(Archive<'_>, Vec<Entry>), CodeError> {
    refuse_many_headers(zip)?;
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    if archive.len() > MAX_ENTRIES {
        return Err(CodeError::unreadable("too many entries"));
    }
    refuse_trailing_data(zip, &archive)?;
    if archive.is_empty() {
        return Err(CodeError::Empty);
    }
    archive.validate_header_consistency()?;
    refuse_large_claims(&archive)?;
    let mut plan = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        if let Some(entry) = plan_entry(&mut archive, index)? {
            plan.push(entry);
        }
    }
    refuse_conflicts(&plan)?;
    refuse_straying_links(&plan)?;
    Ok((archive, plan))
}

/// The zip crate keeps every header in memory, several times its size in the archive. Archives may hold archives, so
/// the signature may occur without being a header of ours: hence twice the limit.
fn refuse_many_headers(zip: &[u8]) -> Result<(), CodeError> {
    let mut rest = zip;
    let mut headers = 0;
    while let Some(at) = rest.iter().position(|byte| *byte == CENTRAL_HEADER[0]) {
        rest = &rest[at..];
        headers += usize::from(rest.starts_with(&CENTRAL_HEADER));
        rest = &rest[1..];
    }
    if headers > 2 * MAX_ENTRIES { Err(CodeError::unreadable("too many entries")) } else { Ok(()) }
}

/// The archive ends with its end record and that record's comment.
fn refuse_trailing_data(zip: &[u8], archive: &Archive<'_>) -> Result<(), CodeError> {
    let record = zip
        .len()
        .checked_sub(END_RECORD_BYTES + archive.comment().len())
        .and_then(|at| zip.get(at..at + END_RECORD_BYTES));
    let length = u16::try_from(archive.comment().len()).unwrap_or(u16::MAX).to_le_bytes();
    match record {
        Some(record) if record.starts_with(&END_RECORD) && record.ends_with(&length) => Ok(()),
        _ => Err(CodeError::unreadable("data after the end of the archive")),
    }
}

/// An archive that admits to being too large need not be decompressed. One that lies is caught while it is.
fn refuse_large_claims(archive: &Archive<'_>) -> Result<(), CodeError> {
    let mut claimed = 0_u64;
    for index in 0..archive.len() {
        claimed = claimed.saturating_add(archive.by_index_data(index)?.size());
    }
    if claimed > MAX_UNZIPPED_BYTES { Err(CodeError::TooLargeUnzipped) } else { Ok(()) }
}

fn plan_entry(archive: &mut Archive<'_>, index: usize) -> Result<Option<Entry>, CodeError> {
    let entry = archive.by_index_data(index)?;
    let name = entry.name()?.into_owned();
    let refuse = |reason| CodeError::unreadable(format!("{reason}: {name:?}"));
    if entry.encrypted() {
        return Err(refuse("an encrypted entry"));
    }
    if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        return Err(refuse("an unknown compression method"));
    }
    let windows = matches!(entry.system(), System::Dos | System::WindowsNTFS);
    let path = name::path(&name, windows).map_err(refuse)?;
    let mut kind = kind(&entry, &name, windows).map_err(refuse)?;
    match &mut kind {
        Kind::Directory if entry.size() > 0 => return Err(refuse("a directory with content")),
        Kind::Directory if path.is_empty() => return Ok(None),
        _ if path.is_empty() => return Err(refuse("an entry without a name")),
        Kind::Link { target } => {
            *target = read_target(archive, index)?;
        }
        Kind::Directory | Kind::File { .. } => {}
    }
    Ok(Some(Entry { index, path, kind }))
}

/// What an entry is: by the Unix mode that its maker noted, or else by its name.
fn kind(entry: &ZipFileEntry<'_>, name: &str, windows: bool) -> Result<Kind, &'static str> {
    let mode = entry.unix_mode().unwrap_or_default();
    let named_as_directory = name.ends_with('/') || (windows && name.ends_with('\\'));
    match mode & TYPE_MASK {
        TYPE_LINK if named_as_directory => Err("a symbolic link named as a directory"),
        TYPE_LINK => Ok(Kind::Link { target: String::new() }),
        TYPE_DIRECTORY => Ok(Kind::Directory),
        0 | TYPE_FILE if named_as_directory => Ok(Kind::Directory),
        0 | TYPE_FILE => Ok(Kind::File { executable: mode & 0o111 != 0 }),
        _ => Err("neither file, directory nor symbolic link"),
    }
}

fn read_target(archive: &mut Archive<'_>, index: usize) -> Result<String, CodeError> {
    let mut target = Vec::new();
    let mut file = archive.by_index(index)?;
    let limit = link::MAX_TARGET_BYTES as u64 + 1;
    Read::by_ref(&mut file)
        .take(limit)
        .read_to_end(&mut target)
        .map_err(|error| CodeError::unreadable(error.to_string()))?;
    if target.len() > link::MAX_TARGET_BYTES || target.contains(&0) {
        return Err(CodeError::unreadable("a symbolic link whose target is no path"));
    }
    String::from_utf8(target).map_err(|_| CodeError::unreadable("a symbolic link whose target is not text"))
}

/// One path, one entry; and above an entry only directories. A directory may be listed twice (`a/` and `./a/`).
fn refuse_conflicts(plan: &[Entry]) -> Result<(), CodeError> {
    let mut kinds: HashMap<&str, &Kind> = HashMap::with_capacity(plan.len());
    for entry in plan {
        if let Some(other) = kinds.insert(&entry.path, &entry.kind)
            && (*other != Kind::Directory || entry.kind != Kind::Directory)
        {
            return Err(CodeError::unreadable(format!("listed twice: {:?}", entry.path)));
        }
    }
    for entry in plan {
        for above in name::ancestors(&entry.path) {
            if kinds.get(above).is_some_and(|kind| **kind != Kind::Directory) {
                return Err(CodeError::unreadable(format!("both a directory and not: {above:?}")));
            }
        }
    }
    Ok(())
}

fn refuse_straying_links(plan: &[Entry]) -> Result<(), CodeError> {
    let links: HashMap<&str, &str> = plan
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::Link { target } => Some((entry.path.as_str(), target.as_str())),
            Kind::File { .. } | Kind::Directory => None,
        })
        .collect();
    if links.len() > link::MAX_LINKS {
        return Err(CodeError::unreadable("too many symbolic links"));
    }
    for path in links.keys() {
        link::check(path, &links).map_err(|reason| CodeError::unreadable(format!("{reason}: {path:?}")))?;
    }
    Ok(())
}
