//! Limits on what all processes of a sandbox use together, by control groups of either version.
//!
//! Machines have version 2, version 1, or both side by side ("hybrid": the controllers in version 1 and a version 2
//! tree without controllers, which can still freeze and kill). So each kind of control is looked for on its own,
//! and a sandbox is one directory in every tree that one was found in.

mod find;
mod v1;
mod v2;

use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

pub(crate) use self::find::{Version, found};
use crate::jailer::protocol::Measure;
use crate::step::{During, Step};
use crate::{Limits, StepError};

/// A controller, and the directory in its tree beneath which sandboxes are put.
#[derive(Debug, Clone)]
pub(crate) struct Controller {
    version: Version,
    directory: PathBuf,
}

/// The trees in which sandboxes get their directories.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    memory: Option<Controller>,
    cpu: Option<Controller>,
    pids: Option<Controller>,
    /// The version 1 freezer, only where there is no version 2 tree.
    freezer: Option<Controller>,
    /// The version 2 tree, with or without controllers: freezes and kills.
    unified: Option<PathBuf>,
}

impl Cgroups {
    /// Prepares a directory `rushlight-<instance>` in every tree. What is missing is said in the remarks.
    pub(crate) fn prepare(instance: &str, rootless: bool, remarks: &mut Vec<String>) -> Self {
        let cgroups = find::prepare(&format!("rushlight-{instance}"), remarks);
        if cgroups.memory.is_none() && !rootless {
            remarks.push("no memory controller: memory limits are not enforced".to_owned());
        }
        cgroups
    }

    /// All directories that hold sandboxes, each once.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let controllers = [&self.memory, &self.cpu, &self.pids, &self.freezer].into_iter().flatten();
        let mut all: Vec<_> = controllers.map(|controller| controller.directory.clone()).collect();
        all.extend(self.unified.clone());
        all.sort();
        all.dedup();
        all
    }

    /// Makes the directories of one sandbox and sets its limits, except that on CPU time, which the server sets
    /// once the sandbox is complete.
    pub(crate) fn create(&self, id: &str, limits: &Limits) -> Step<Group> {
        let directories: Vec<_> = self.directories().iter().map(|parent| parent.join(id)).collect();
        let group = Group {
            unified: self.unified.as_ref().map(|parent| parent.join(id)),
            freezer: self.freezer.as_ref().map(|controller| controller.directory.join(id)),
            directories,
        };
        for directory in &group.directories {
            fs::create_dir(directory).during(format!("make the control group {}", directory.display()))?;
        }
        if let Some(memory) = &self.memory {
            let directory = memory.directory.join(id);
            match memory.version {
                Version::One => v1::limit_memory(&directory, limits.memory_bytes),
                Version::Two => v2::limit_memory(&directory, limits.memory_bytes),
            }
            .during("limit memory")?;
        }
        if let Some(pids) = &self.pids {
            // One more: init.
            write(&pids.directory.join(id).join("pids.max"), &(limits.processes + 1).to_string())
                .during("limit processes")?;
        }
        Ok(group)
    }

    /// Opens the files through which the server measures, freezes and throttles the group `id`.
    pub(crate) fn measures(&self, id: &str) -> Step<(Vec<Measure>, Vec<OwnedFd>)> {
        let mut files: Vec<(Measure, PathBuf)> = Vec::new();
        if let Some(memory) = &self.memory {
            files.extend(match memory.version {
                Version::One => v1::memory_files(&memory.directory.join(id)),
                Version::Two => v2::memory_files(&memory.directory.join(id)),
            });
        }
        if let Some(cpu) = &self.cpu {
            let directory = cpu.directory.join(id);
            match cpu.version {
                Version::One => {
                    v1::set_period(&directory).during("set the CPU period")?;
                    files.push((Measure::Quota1, directory.join("cpu.cfs_quota_us")));
                }
                Version::Two => files.push((Measure::Quota2, directory.join("cpu.max"))),
            }
        }
        if let Some(unified) = &self.unified {
            files.push((Measure::Freeze2, unified.join(id).join("cgroup.freeze")));
        } else if let Some(freezer) = &self.freezer {
            files.push((Measure::Freeze1, freezer.directory.join(id).join("freezer.state")));
        }
        let mut kinds = Vec::new();
        let mut descriptors = Vec::new();
        for (kind, path) in files {
            let writable = !matches!(kind, Measure::Memory | Measure::Statistics1 | Measure::Statistics2);
            let file = fs::OpenOptions::new().read(true).write(writable).open(&path);
            match file.or_else(|_| fs::File::open(&path)) {
                Ok(file) => {
                    kinds.push(kind);
                    descriptors.push(OwnedFd::from(file));
                }
                // Older kernels lack some, e.g. `memory.peak` before 5.19.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(StepError { step: format!("open {}", path.display()), source });
                }
            }
        }
        Ok((kinds, descriptors))
    }
}

/// The directories of one sandbox.
#[derive(Debug)]
pub(crate) struct Group {
    directories: Vec<PathBuf>,
    unified: Option<PathBuf>,
    freezer: Option<PathBuf>,
}

impl Group {
    /// The version 2 directory, for cloning a process into it.
    pub(crate) fn open_unified(&self) -> Option<OwnedFd> {
        fs::File::open(self.unified.as_ref()?).ok().map(OwnedFd::from)
    }

    /// Puts a process that could not be cloned into the version 2 directory there.
    pub(crate) fn add_unified(&self, pid: Pid) -> io::Result<()> {
        match &self.unified {
            Some(unified) => write(&unified.join("cgroup.procs"), &pid.as_raw_nonzero().to_string()),
            None => Ok(()),
        }
    }

    /// The way into all other directories, for a process of a single thread to take itself.
    pub(crate) fn entrance(&self) -> io::Result<Entrance> {
        let others = self.directories.iter().filter(|directory| Some(*directory) != self.unified.as_ref());
        let open = |directory: &PathBuf| fs::OpenOptions::new().write(true).open(directory.join("tasks"));
        Ok(Entrance { files: others.map(open).collect::<io::Result<_>>()? })
    }

    /// Kills all processes of the group, frozen or not.
    pub(crate) fn kill(&self) {
        kill_group(self.unified.as_deref(), self.freezer.as_deref(), &self.directories);
    }

    /// Removes the directories; says whether they are gone.
    pub(crate) fn remove(&self) -> bool {
        // A directory stays busy until the last process is not just dead but reaped.
        self.directories.iter().all(|directory| match fs::remove_dir(directory) {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            Ok(()) => true,
        })
    }
}

/// How a process puts itself into the version 1 directories of a group.
///
/// Anybody else who moves it, and whoever moves more than one thread, has the kernel wait until every processor has
/// passed a quiescent state: some ten milliseconds. A thread that moves itself (a zero written to `tasks`, since Linux
/// 5.16) has not.
#[derive(Debug, Default)]
pub(crate) struct Entrance {
    files: Vec<fs::File>,
}

impl Entrance {
    /// Puts the calling process, which must have a single thread, into the group.
    pub(crate) fn enter(mut self) -> io::Result<()> {
        self.files.iter_mut().try_for_each(|file| file.write_all(b"0"))
    }
}

/// Kills what is in a group: at once where the kernel offers that, else process by process.
fn kill_group(unified: Option<&Path>, freezer: Option<&Path>, directories: &[PathBuf]) {
    if let Some(unified) = unified
        && write(&unified.join("cgroup.kill"), "1").is_ok()
    {
        return;
    }
    for directory in directories {
        for pid in processes(directory) {
            // It may be gone by now.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    // In version 1 a frozen process notices the signal only when it is thawed.
    if let Some(freezer) = freezer {
        let _ = write(&freezer.join("freezer.state"), "THAWED");
    }
}

fn processes(directory: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

/// Removes what an earlier server of the same data directory left beneath `parents` (directories named
/// `rushlight-<instance>`), processes included.
pub(crate) fn reap(parents: &[PathBuf]) {
    for parent in parents {
        for group in children(parent) {
            kill_group(Some(&group), Some(&group), std::slice::from_ref(&group));
        }
    }
    for parent in parents {
        for group in children(parent) {
            remove_patiently(&group);
        }
        remove_patiently(parent);
    }
}

fn children(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    entries.flatten().filter(|entry| entry.path().is_dir()).map(|entry| entry.path()).collect()
}

fn remove_patiently(directory: &Path) {
    for _ in 0..100 {
        match fs::remove_dir(directory) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            _ => return,
        }
    }
}

/// Writes a kernel file in one go.
fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}
