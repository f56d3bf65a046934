//! Code packages: zip archives made by strangers.
//!
//! ```text
//! bytes ──> archive: structure, names, kinds, links ──> plan ──> contents: decompressed, counted, checksummed ──> tree
//!           nothing is decompressed yet but link targets          into nowhere (inspect) or a directory (unpack)
//! ```
//! The zip crate only reads; what may be in a package and how it is written is decided here. An archive that two
//! programs could understand differently (duplicate names, headers that contradict each other, hidden or overlapping
//! entries, bytes after the end) is refused: what was looked at must be what runs.
//!
//! Invariants: nothing is ever written outside the given directory, no symbolic link is ever followed while writing,
//! no more than [`MAX_UNZIPPED_BYTES`] come out of an archive whatever it claims, and no input makes this code panic.
//!
//! Limits and texts are those of <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.

mod archive;
mod contents;
mod error;
mod link;
mod name;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

pub use self::error::CodeError;

/// The largest archive that a request may carry, in bytes.
pub const MAX_ZIPPED_BYTES: u64 = 52_428_800;
/// The most that the files of a package, with its layers, may hold, in bytes.
pub const MAX_UNZIPPED_BYTES: u64 = 262_144_000;
/// The most entries of an archive. Lambda states no such limit; this one keeps a package from exhausting inodes.
pub const MAX_ENTRIES: usize = 100_000;

/// What a package holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// What its files and links hold, decompressed, in bytes.
    pub unzipped_bytes: u64,
    /// How many files, directories and links it lists.
    pub entries: usize,
}

/// Reads a whole archive as [`unpack`] does and writes nothing.
///
/// # Errors
/// See [`CodeError`].
pub fn inspect(zip: &[u8]) -> Result<Inspection, CodeError> {
    read(zip, &mut contents::Nowhere)
}

/// Writes a package below `directory`, which exists, is empty and is nobody else's meanwhile. Blocking.
///
/// Files get mode 0644, or 0755 if the archive marks them executable for anybody, and the times that the archive
/// states; directories get 0755. After an error the directory holds part of the package and is to be removed.
///
/// # Errors
/// See [`CodeError`].
pub fn unpack(zip: &[u8], directory: &Path) -> Result<Inspection, CodeError> {
    let mut tree = tree::Tree::open(directory)?;
    read(zip, &mut tree)
}

/// Refuses an archive that is larger than a request may carry.
///
/// # Errors
/// [`CodeError::TooLargeZipped`].
pub fn check_zipped_size(bytes: u64) -> Result<(), CodeError> {
    if bytes > MAX_ZIPPED_BYTES { Err(CodeError::TooLargeZipped) } else { Ok(()) }
}

fn read(zip: &[u8], destination: &mut impl contents::Destination) -> Result<Inspection, CodeError> {
    let (mut archive, plan) = archive::open(zip)?;
    let unzipped_bytes = contents::copy(&mut archive, &plan, destination)?;
    Ok(Inspection { unzipped_bytes, entries: plan.len() })
}

/// What a fuzzer calls: any bytes must be refused or understood, never crash, and never name a place outside.
#[doc(hidden)]
pub fn fuzz_zip(data: &[u8]) {
    if let Ok((_, plan)) = archive::open(data) {
        for entry in &plan {
            let inside = entry.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
            assert!(inside, "a path that leads out: {:?}", entry.path);
        }
        let _ = inspect(data);
    }
}
