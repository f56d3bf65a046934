//! A root file system of a runtime's own, in a directory: that of an image as AWS publishes them for each runtime, or
//! one that the operator has put together.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rushlight_runtimes::Definition;
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};

/// What AWS' base images start: a script that starts the client that they bring.
const OWN_CLIENT: &str = "/var/runtime/bootstrap";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RootFileSystem {
    pub(super) path: PathBuf,
    pub(super) client: Client,
}

/// Who speaks to the Runtime API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// What the function brings: the runtime is only an operating system.
    OfFunction,
    /// The root file system's own, which sees to wrapper scripts too.
    Own,
    /// Ours, on the interpreter of the root file system.
    Ours,
}

impl RootFileSystem {
    /// Looks whether a directory serves for a runtime; if not, says what it lacks.
    pub(super) fn look(path: &Path, definition: &Definition) -> Result<Self, String> {
        let client = match definition.command.first() {
            None => Client::OfFunction,
            Some(_) if is_executable(path, OWN_CLIENT) => Client::Own,
            Some(interpreter) if is_executable(path, interpreter) => Client::Ours,
            Some(interpreter) => {
                return Err(format!("has neither {OWN_CLIENT} nor {interpreter} that can be executed"));
            }
        };
        Ok(Self { path: path.to_owned(), client })
    }

    /// The command line, where `ours` is that of our own client.
    pub(super) fn command(&self, ours: Vec<String>) -> Vec<String> {
        match self.client {
            Client::OfFunction | Client::Ours => ours,
            Client::Own => vec![OWN_CLIENT.to_owned()],
        }
    }

    pub(super) fn describe(&self) -> String {
        let client = match self.client {
            Client::OfFunction => "needs no interpreter",
            Client::Own => "with a client of its own",
            Client::Ours => "with an interpreter",
        };
        format!("{} (a root file system {client})", self.path.display())
    }
}

/// Whether `path` is a file that may be executed, for whoever has `root` as its root: links lead nowhere else.
pub(crate) fn is_executable(root: &Path, path: impl AsRef<Path>) -> bool {
    let look = || -> rustix::io::Result<bool> {
        let status = fstat(open_within(root, path.as_ref(), OFlags::PATH)?)?;
        Ok(FileType::from_raw_mode(status.st_mode) == FileType::RegularFile && status.st_mode & 0o111 != 0)
    };
    look().unwrap_or(false)
}

/// Whether `path` is a directory, for whoever has `root` as its root.
pub(crate) fn is_directory(root: &Path, path: &Path) -> bool {
    open_within(root, path, OFlags::PATH | OFlags::DIRECTORY).is_ok()
}

/// The names of the files in a directory that may be executed, for whoever has `root` as its root.
pub(crate) fn executables(root: &Path, directory: &Path) -> Vec<String> {
    let names = || -> rustix::io::Result<Vec<String>> {
        let opened = open_within(root, directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let entries = Dir::new(opened)?.flatten();
        let names = entries.filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        Ok(names.filter(|name| is_executable(root, directory.join(name))).collect())
    };
    let mut names = names().unwrap_or_default();
    names.sort();
    names
}

fn open_within(root: &Path, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let root = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn executable(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn definition(command: &[&str]) -> Definition {
        Definition {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ..Definition::bare("python")
        }
    }

    #[test]
    fn a_root_has_a_client_or_an_interpreter() {
        let root = tempfile::tempdir().unwrap();
        let python = definition(&["/var/lang/bin/python3", "/var/runtime/bootstrap.py"]);
        let look = |definition: &Definition| RootFileSystem::look(root.path(), definition);
        let lacking = "has neither /var/runtime/bootstrap nor /var/lang/bin/python3 that can be executed";
        assert_eq!(look(&python), Err(lacking.to_owned()));
        assert_eq!(look(&definition(&[])).unwrap().client, Client::OfFunction);
        executable(&root.path().join("usr/bin/python3.12"));
        fs::create_dir_all(root.path().join("var/lang/bin")).unwrap();
        // As whoever is within sees it.
        symlink("/usr/bin/python3.12", root.path().join("var/lang/bin/python3")).unwrap();
        let found = look(&python).unwrap();
        let words = vec!["/var/lang/bin/python3".to_owned(), "x".to_owned()];
        assert_eq!((found.client, found.command(words.clone())), (Client::Ours, words.clone()));
        executable(&root.path().join("var/runtime/bootstrap"));
        let found = look(&python).unwrap();
        assert_eq!((found.client, found.command(words)), (Client::Own, vec![OWN_CLIENT.to_owned()]));
    }

    #[test]
    fn links_out_of_the_root_lead_nowhere() {
        let root = tempfile::tempdir().unwrap();
        let shell = definition(&["/bin/interpreter"]);
        fs::create_dir(root.path().join("bin")).unwrap();
        for target in ["/bin/sh", "../../../../../../../bin/sh"] {
            symlink(target, root.path().join("bin/interpreter")).unwrap();
            assert!(RootFileSystem::look(root.path(), &shell).is_err(), "{target}");
            fs::remove_file(root.path().join("bin/interpreter")).unwrap();
        }
        fs::write(root.path().join("bin/interpreter"), "").unwrap();
        assert!(RootFileSystem::look(root.path(), &shell).is_err(), "a file that cannot be executed");
    }
}
