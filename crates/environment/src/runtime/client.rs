//! The runtime clients that come with this program, where functions' processes can have them mounted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Error;

/// Writes the files of a client into a directory named after their content, once.
pub(super) fn write_client(
    directory: &Path,
    family: &str,
    files: &[(&str, &[u8])],
) -> Result<PathBuf, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Write { path, source }
    };
    let mut hash = Sha256::new();
    for (name, content) in files {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    }
    let hash = hex(&hash.finalize());
    let target = directory.join(format!("{family}-{}", hash.get(..16).unwrap_or_default()));
    if target.is_dir() {
        return Ok(target);
    }
    // Complete or not there at all: a directory of another name becomes the right one in one step.
    let unfinished = directory.join(format!(".{family}-{}", uuid::Uuid::new_v4().simple()));
    fs::create_dir_all(&unfinished).map_err(failed(&unfinished))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).map_err(failed(&unfinished))?;
    for (name, content) in files {
        let path = unfinished.join(name);
        fs::write(&path, content).map_err(failed(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).map_err(failed(&path))?;
    }
    match fs::rename(&unfinished, &target) {
        Ok(()) => Ok(target),
        // Another process was faster.
        Err(_) if target.is_dir() => {
            let _ = fs::remove_dir_all(&unfinished);
            Ok(target)
        }
        Err(source) => Err(Error::Write { path: target, source }),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
