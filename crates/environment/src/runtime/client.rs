//! The runtime clients that come with this program, where functions' processes can have them mounted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::Error;
use super::interpreter::Found;

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

/// What Python runs to compile all modules of a directory, so that they say of themselves that they are `/var/runtime`'s.
/// Unchecked: whether a module has changed is not asked, since the directory is named after its content.
const COMPILE: &str = "
import os, py_compile, sys
os.umask(0o022)
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for name in os.listdir(sys.argv[1]):
    if name.endswith('.py'):
        path = os.path.join(sys.argv[1], name)
        py_compile.compile(path, dfile='/var/runtime/' + name, doraise=True, invalidation_mode=mode)
";

/// Has an interpreter compile its client, once for each version: functions see the client read-only, so that they could
/// only compile it anew at each start.
pub(super) fn compile(family: &str, interpreter: &Found, client: &Path) {
    if family != "python" {
        return;
    }
    let tag: String = interpreter.version.split('.').take(2).collect();
    if client.join(format!("__pycache__/rushlight_runtime.cpython-{tag}.pyc")).exists() {
        return;
    }
    let mut command = Command::new(interpreter.prefix.join(&interpreter.binary));
    command.args(["-I", "-S", "-c", COMPILE]).arg(client).stdin(Stdio::null()).stdout(Stdio::null());
    match command.output() {
        Ok(output) if output.status.success() => {}
        // Functions start all the same, only slower.
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            tracing::warn!(version = interpreter.version, error, "runtime.client.not_compiled");
        }
        Err(error) => {
            tracing::warn!(version = interpreter.version, %error, "runtime.client.not_compiled");
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
