//! Finding the control group trees, and a place in each.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Cgroups, Controller, v2, write};

/// A version of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// One tree per controller.
    One,
    /// One tree for all.
    Two,
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::One => "v1",
            Self::Two => "v2",
        })
    }
}

/// A mounted tree: where it is and where in it this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tree {
    /// The mount point.
    mount: PathBuf,
    /// The directory of the process' own group.
    own: PathBuf,
}

/// The trees that this machine has mounted.
#[derive(Debug, Default)]
struct Trees {
    unified: Option<Tree>,
    /// Version 1, by controller.
    separate: Vec<(String, Tree)>,
}

impl Trees {
    fn read() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::parse(&mounts, &groups)
    }

    /// `mounts` and `groups` are the contents of `/proc/self/mountinfo` and `/proc/self/cgroup`.
    fn parse(mounts: &str, groups: &str) -> Self {
        let mut trees = Self::default();
        for line in mounts.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let (left, right): (Vec<_>, Vec<_>) = (left.split(' ').collect(), right.split(' ').collect());
            let (&[_, _, _, root, point, ..], &[kind, _, options, ..]) = (&left[..], &right[..]) else {
                continue;
            };
            let tree = |names: &str| {
                let group = groups.lines().find_map(|line| {
                    let mut parts = line.splitn(3, ':').skip(1);
                    (parts.next()? == names).then(|| parts.next())?
                })?;
                // In a container the mount may show only a part of the tree.
                let shown =
                    Path::new(group).strip_prefix(root).or_else(|_| Path::new(group).strip_prefix("/"));
                Some(Tree { mount: point.into(), own: Path::new(point).join(shown.ok()?) })
            };
            match kind {
                "cgroup2" if trees.unified.is_none() => trees.unified = tree(""),
                "cgroup" => {
                    for name in
                        options.split(',').filter(|name| ["memory", "cpu", "pids", "freezer"].contains(name))
                    {
                        let names = groups.lines().filter_map(|line| line.split(':').nth(1));
                        let mut mounted = names.filter(|names| names.split(',').any(|other| other == name));
                        if let Some(tree) = mounted.next().and_then(tree) {
                            trees.separate.push((name.to_owned(), tree));
                        }
                    }
                }
                _ => {}
            }
        }
        trees
    }

    fn separate(&self, name: &str) -> Option<&Tree> {
        self.separate.iter().find(|(other, _)| other == name).map(|(_, tree)| tree)
    }
}

/// Which controllers this machine has, and in which version; `freeze` stands for a version 2 tree.
pub(crate) fn found() -> Vec<(String, Version)> {
    let trees = Trees::read();
    let mut all: Vec<_> = trees.separate.iter().map(|(name, _)| (name.clone(), Version::One)).collect();
    if let Some(unified) = &trees.unified {
        all.push(("freeze".to_owned(), Version::Two));
        let controllers = fs::read_to_string(unified.mount.join("cgroup.controllers")).unwrap_or_default();
        all.extend(controllers.split_ascii_whitespace().map(|name| (name.to_owned(), Version::Two)));
    }
    all
}

/// Makes the directory `name` in every tree that helps.
pub(super) fn prepare(name: &str, remarks: &mut Vec<String>) -> Cgroups {
    let trees = Trees::read();
    let mut cgroups = Cgroups::default();
    let mut controllers = BTreeSet::new();
    if let Some(unified) = &trees.unified {
        match prepare_unified(unified, name) {
            Ok((directory, delegated)) => {
                cgroups.unified = Some(directory);
                controllers = delegated;
            }
            Err(error) => remarks.push(format!("cannot use control groups of version 2: {error}")),
        }
    }
    let mut place = |controller: &str| -> Option<Controller> {
        if let (true, Some(directory)) = (controllers.contains(controller), &cgroups.unified) {
            return Some(Controller { version: Version::Two, directory: directory.clone() });
        }
        let directory = trees.separate(controller)?.own.join(name);
        match make(&directory) {
            Ok(()) => Some(Controller { version: Version::One, directory }),
            Err(error) => {
                remarks.push(format!("cannot use the {controller} controller: {error}"));
                None
            }
        }
    };
    let (memory, cpu, pids) = (place("memory"), place("cpu"), place("pids"));
    let freezer = if cgroups.unified.is_none() { place("freezer") } else { None };
    Cgroups { memory, cpu, pids, freezer, ..cgroups }
}

fn make(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes the directory in the version 2 tree, with as many controllers as can be had: beneath this process' own
/// group if that may hand controllers on, else at the top of the tree.
fn prepare_unified(tree: &Tree, name: &str) -> io::Result<(PathBuf, BTreeSet<String>)> {
    let mut refusal = None;
    for parent in [&tree.own, &tree.mount] {
        let delegated = v2::delegate(parent).or_else(|error| evacuate(parent, name, error));
        let directory = parent.join(name);
        if let Err(error) = make(&directory) {
            refusal.get_or_insert(error);
            continue;
        }
        if delegated.is_ok() && v2::delegate(&directory).is_ok() {
            let text = fs::read_to_string(directory.join("cgroup.subtree_control")).unwrap_or_default();
            return Ok((directory, text.split_ascii_whitespace().map(str::to_owned).collect()));
        }
        // Without the controllers here: only kept if the next place is no better.
        let _ = fs::remove_dir(&directory);
    }
    let directory = tree.own.join(name);
    match make(&directory) {
        Ok(()) => Ok((directory, BTreeSet::new())),
        Err(error) => Err(refusal.unwrap_or(error)),
    }
}

/// A group that has processes cannot hand controllers to its children. If all of them are this server's own (or
/// the group is a container's outermost), they are moved into a child of their own.
fn evacuate(group: &Path, name: &str, refusal: io::Error) -> io::Result<()> {
    if refusal.raw_os_error() != Some(libc::EBUSY) {
        return Err(refusal);
    }
    let own = [rustix::process::getpid(), rustix::process::getppid().unwrap_or(rustix::process::Pid::INIT)];
    let processes = super::processes(group);
    let outermost = !group.join("cgroup.type").exists() || group == Path::new("/sys/fs/cgroup");
    if !outermost && !processes.iter().all(|pid| own.contains(pid)) {
        return Err(refusal);
    }
    let refuge = group.join(format!("{name}-server"));
    make(&refuge)?;
    for pid in processes {
        write(&refuge.join("cgroup.procs"), &pid.as_raw_nonzero().to_string())?;
    }
    v2::delegate(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_hybrid_machine() {
        let mounts = "\
30 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";
        let groups = "4:memory:/service/a\n3:cpu,cpuacct:/\n0::/unit\n";
        let trees = Trees::parse(mounts, groups);
        assert_eq!(trees.separate("memory").unwrap().own, Path::new("/sys/fs/cgroup/memory/service/a"));
        assert_eq!(trees.separate("cpu").unwrap().own, Path::new("/sys/fs/cgroup/cpu,cpuacct/"));
        assert!(trees.separate("pids").is_none());
        assert_eq!(trees.unified.unwrap().own, Path::new("/sys/fs/cgroup/unified/unit"));
    }

    #[test]
    fn reads_a_container_that_sees_only_its_own_part() {
        let mounts = "30 24 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                      31 24 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let groups = "4:memory:/docker/abc\n0::/\n";
        let trees = Trees::parse(mounts, groups);
        assert_eq!(trees.separate("memory").unwrap().own, Path::new("/sys/fs/cgroup/memory/"));
        assert_eq!(
            trees.unified.unwrap(),
            Tree { mount: "/sys/fs/cgroup".into(), own: "/sys/fs/cgroup/".into() }
        );
    }
}
