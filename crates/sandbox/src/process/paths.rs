//! What stands for mounts where nothing can be mounted: paths are rewritten to where their content really is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Command, Spec};

/// The variable that says where `/opt` really is.
const OPT: &str = "RUSHLIGHT_OPT";

/// A table from paths as a sandbox would show them to paths of the host, longest prefix first.
#[derive(Debug)]
pub(super) struct PathMap {
    entries: Vec<(PathBuf, PathBuf)>,
    layered: bool,
}

impl PathMap {
    /// Lays out `scratch` (a new, empty directory of this sandbox) and maps the mounts of `spec`, `/opt` and
    /// `/tmp`.
    pub(super) fn prepare(spec: &Spec, scratch: &Path) -> io::Result<Self> {
        let tmp = scratch.join("tmp");
        fs::create_dir_all(&tmp)?;
        let opt = match spec.opt_layers.as_slice() {
            [only] => only.clone(),
            layers => {
                let merged = scratch.join("opt");
                fs::create_dir_all(&merged)?;
                for layer in layers {
                    merge(layer, &merged)?;
                }
                merged
            }
        };
        let mut entries: Vec<_> =
            spec.mounts.iter().map(|mount| (mount.target.clone(), mount.source.clone())).collect();
        entries.push((PathBuf::from("/opt"), opt));
        entries.push((PathBuf::from("/tmp"), tmp));
        // A mount beneath another one must be found before it.
        entries.sort_by_key(|(target, _)| std::cmp::Reverse(target.as_os_str().len()));
        Ok(Self { entries, layered: !spec.opt_layers.is_empty() })
    }

    /// Where `path` really is. Paths that no mount covers are the host's own.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        for (target, source) in &self.entries {
            if let Ok(rest) = path.strip_prefix(target) {
                return if rest.as_os_str().is_empty() { source.clone() } else { source.join(rest) };
            }
        }
        path.to_owned()
    }

    /// Rewrites every absolute path in a colon-separated list, and leaves everything else as it is.
    fn text(&self, text: &str) -> String {
        let rewrite = |part: &str| match part.starts_with('/') {
            true => self.path(Path::new(part)).to_string_lossy().into_owned(),
            false => part.to_owned(),
        };
        text.split(':').map(rewrite).collect::<Vec<_>>().join(":")
    }

    /// The command as it has to be given to the host. `TMPDIR` is added, since `/tmp` itself is the host's, and where
    /// there are layers [`OPT`], since `/opt` is.
    pub(super) fn command(&self, command: &Command) -> Command {
        let mut environment: BTreeMap<_, _> =
            command.environment.iter().map(|(name, value)| (name.clone(), self.text(value))).collect();
        for (name, path) in [("TMPDIR", "/tmp")].into_iter().chain(self.layered.then_some((OPT, "/opt"))) {
            environment
                .entry(name.to_owned())
                .or_insert_with(|| self.path(Path::new(path)).to_string_lossy().into_owned());
        }
        Command {
            program: self.path(&command.program),
            arguments: command.arguments.iter().map(|argument| self.text(argument)).collect(),
            environment,
            working_directory: self.path(&command.working_directory),
            log_descriptor: command.log_descriptor,
        }
    }
}

/// Merges `layer` into `into` by symbolic links to its files; what an earlier layer had under the same name goes.
fn merge(layer: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(layer)? {
        let entry = entry?;
        let target = into.join(entry.file_name());
        let existing = fs::symlink_metadata(&target).ok();
        if entry.file_type()?.is_dir() {
            if existing.is_some_and(|metadata| !metadata.is_dir()) {
                fs::remove_file(&target)?;
            }
            fs::create_dir_all(&target)?;
            merge(&entry.path(), &target)?;
        } else {
            match existing {
                Some(metadata) if metadata.is_dir() => fs::remove_dir_all(&target)?,
                Some(_) => fs::remove_file(&target)?,
                None => {}
            }
            std::os::unix::fs::symlink(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Egress, Limits, Mount, Root};

    fn spec(mounts: Vec<Mount>, opt_layers: Vec<PathBuf>) -> Spec {
        Spec {
            id: "paths".to_owned(),
            root: Root::Host,
            mounts,
            opt_layers,
            limits: Limits { memory_bytes: 0, cpus: 1.0, processes: 1, descriptors: 1, tmp_bytes: 0 },
            egress: Egress::None,
            listener_ports: Vec::new(),
            hostname: "host".to_owned(),
            emulator: None,
        }
    }

    #[test]
    fn rewrites_what_a_mount_covers_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let mounts = vec![
            Mount { source: "/data/code".into(), target: "/var/task".into() },
            Mount { source: "/data/extra".into(), target: "/var/task/extra".into() },
        ];
        let map = PathMap::prepare(&spec(mounts, Vec::new()), scratch.path()).unwrap();
        let command = map.command(&Command {
            program: "/var/task/bootstrap".into(),
            arguments: vec!["/var/task/extra/a".to_owned(), "/var/tasks".to_owned(), "plain".to_owned()],
            environment: BTreeMap::from([
                ("PATH".to_owned(), "/usr/bin:/var/task/bin".to_owned()),
                ("URL".to_owned(), "http://host/var/task".to_owned()),
            ]),
            working_directory: "/var/task".into(),
            log_descriptor: false,
        });
        assert_eq!(command.program, PathBuf::from("/data/code/bootstrap"));
        assert_eq!(command.arguments, ["/data/extra/a", "/var/tasks", "plain"]);
        assert_eq!(command.environment["PATH"], "/usr/bin:/data/code/bin");
        assert_eq!(command.environment["URL"], "http://host/var/task");
        assert_eq!(command.environment["TMPDIR"], scratch.path().join("tmp").to_string_lossy());
        assert_eq!(command.environment.get(OPT), None);
        assert_eq!(command.working_directory, PathBuf::from("/data/code"));
    }

    #[test]
    fn later_layers_lie_over_earlier_ones() {
        let scratch = tempfile::tempdir().unwrap();
        let (one, two) = (scratch.path().join("one"), scratch.path().join("two"));
        for (layer, text) in [(&one, "1"), (&two, "2")] {
            fs::create_dir_all(layer.join("lib")).unwrap();
            fs::write(layer.join("lib/same"), text).unwrap();
            fs::write(layer.join("lib").join(text), text).unwrap();
        }
        let home = scratch.path().join("home");
        let map = PathMap::prepare(&spec(Vec::new(), vec![one, two]), &home).unwrap();
        let command = map.command(&Command {
            program: "/opt/bootstrap".into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            working_directory: "/".into(),
            log_descriptor: false,
        });
        assert_eq!(command.environment[OPT], home.join("opt").to_string_lossy());
        let opt = map.path(Path::new("/opt/lib"));
        assert_eq!(fs::read_to_string(opt.join("same")).unwrap(), "2");
        assert_eq!(fs::read_to_string(opt.join("1")).unwrap(), "1");
        assert_eq!(fs::read_to_string(opt.join("2")).unwrap(), "2");
    }
}
