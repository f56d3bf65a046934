//! Decompressing a planned archive, counting what really comes out.

use std::io::{self, Cursor, Read, Write};
use std::time::{Duration, SystemTime};

use zip::ExtraField;
use zip::read::ZipFile;

use super::archive::{Archive, Entry, Kind};
use super::{CodeError, MAX_UNZIPPED_BYTES};

const BUFFER_BYTES: usize = 64 * 1024;

/// Where a package goes. Paths are those of the plan. Links come after everything else, so that while files are
/// written there is no link that could be followed.
pub(super) trait Destination {
    type File: Write;

    fn directory(&mut self, path: &str) -> io::Result<()>;
    fn file(&mut self, path: &str, executable: bool) -> io::Result<Self::File>;
    /// The file is complete; `modified` is when it was last changed, as far as the archive tells.
    fn close(&mut self, file: Self::File, modified: Option<SystemTime>) -> io::Result<()>;
    fn link(&mut self, path: &str, target: &str) -> io::Result<()>;
}

/// For looking at a package without keeping it.
pub(super) struct Nowhere;

impl Destination for Nowhere {
    type File = io::Sink;

    fn directory(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, _: &str, _: bool) -> io::Result<io::Sink> {
        Ok(io::sink())
    }

    fn close(&mut self, _: io::Sink, _: Option<SystemTime>) -> io::Result<()> {
        Ok(())
    }

    fn link(&mut self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }
}

/// Carries a plan out and returns how many bytes came out.
pub(super) fn copy<D: Destination>(
    archive: &mut Archive<'_>,
    plan: &[Entry],
    destination: &mut D,
) -> Result<u64, CodeError> {
    let mut budget = MAX_UNZIPPED_BYTES;
    let mut buffer = vec![0; BUFFER_BYTES];
    for entry in plan {
        match &entry.kind {
            Kind::Directory => destination.directory(&entry.path).map_err(CodeError::io(&entry.path))?,
            Kind::File { executable } => {
                let mut source = archive.by_index(entry.index)?;
                let modified = modified(&source);
                let failed = || CodeError::io(&entry.path);
                let mut file = destination.file(&entry.path, *executable).map_err(failed())?;
                budget -= copy_file(&mut source, &mut file, budget, &mut buffer, &entry.path)?;
                destination.close(file, modified).map_err(failed())?;
            }
            Kind::Link { target } => {
                budget = budget.checked_sub(target.len() as u64).ok_or(CodeError::TooLargeUnzipped)?;
            }
        }
    }
    for entry in plan {
        if let Kind::Link { target } = &entry.kind {
            destination.link(&entry.path, target).map_err(CodeError::io(&entry.path))?;
        }
    }
    Ok(MAX_UNZIPPED_BYTES - budget)
}

/// Reading to the end also verifies the checksum.
fn copy_file(
    source: &mut ZipFile<'_, Cursor<&[u8]>>,
    file: &mut impl Write,
    budget: u64,
    buffer: &mut [u8],
    path: &str,
) -> Result<u64, CodeError> {
    let mut copied = 0;
    loop {
        let read = match source.read(buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Err(CodeError::unreadable(format!("{error}: {path:?}"))),
        };
        copied += read as u64;
        if copied > budget {
            return Err(CodeError::TooLargeUnzipped);
        }
        file.write_all(&buffer[..read]).map_err(CodeError::io(path))?;
    }
    if copied != source.size() {
        return Err(CodeError::unreadable(format!("{copied} bytes instead of {}: {path:?}", source.size())));
    }
    Ok(copied)
}

/// Python trusts a compiled module only while the time of its source is what it was; so times are kept. Without the
/// extra field that has them in UTC, the archive's local time is taken for UTC.
fn modified(file: &ZipFile<'_, Cursor<&[u8]>>) -> Option<SystemTime> {
    let extended = file.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    let seconds = match extended {
        Some(seconds) => u64::from(seconds),
        None => file.last_modified().filter(zip::DateTime::is_valid).map(|time| unix_seconds(&time))?,
    };
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A DOS time is never before 1980.
fn unix_seconds(time: &zip::DateTime) -> u64 {
    const DAYS_BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let year = u64::from(time.year());
    let month = usize::from(time.month()).clamp(1, 12);
    let leap_days_until = |year: u64| year / 4 - year / 100 + year / 400;
    let leap_year = leap_days_until(year) > leap_days_until(year - 1);
    let days = (year - 1970) * 365 + leap_days_until(year - 1) - leap_days_until(1969)
        + DAYS_BEFORE_MONTH[month - 1]
        + u64::from(leap_year && month > 2)
        + u64::from(time.day()).saturating_sub(1);
    ((days * 24 + u64::from(time.hour())) * 60 + u64::from(time.minute())) * 60 + u64::from(time.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_times_as_unix_times() {
        let at = |y, mo, d, h, mi, s| {
            unix_seconds(&zip::DateTime::from_date_and_time(y, mo, d, h, mi, s).unwrap())
        };
        assert_eq!(at(1980, 1, 1, 0, 0, 0), 315_532_800);
        assert_eq!(at(2000, 2, 29, 23, 59, 58), 951_868_798);
        assert_eq!(at(2000, 3, 1, 0, 0, 0), 951_868_800);
        assert_eq!(at(2026, 11, 23, 12, 34, 56), 1_795_437_296);
        assert_eq!(at(2100, 3, 1, 0, 0, 0), 4_107_542_400);
    }
}
