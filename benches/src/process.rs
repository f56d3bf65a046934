//! What the kernel says about processes: CPU time, context switches, memory.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A service and the functions that it runs, told apart by their executable: what runs the same one as the
/// service (its helpers) belongs to the service.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The service and its helpers.
    pub service: Vec<u32>,
    /// All other descendants.
    pub functions: Vec<u32>,
}

impl Tree {
    /// The processes below (and with) `root` at this moment.
    pub fn of(root: u32) -> Self {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for process in processes() {
            if let Some(parent) = parent(process) {
                children.entry(parent).or_default().push(process);
            }
        }
        let service_binary = executable(root);
        let mut tree = Self::default();
        let mut pending = vec![root];
        while let Some(process) = pending.pop() {
            pending.extend(children.remove(&process).unwrap_or_default());
            if process == root || executable(process) == service_binary {
                tree.service.push(process);
            } else {
                tree.functions.push(process);
            }
        }
        tree
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Fields of `/proc/<pid>/stat` from the third on: the second, the command's name, may hold anything.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn parent(process: u32) -> Option<u32> {
    stat(process)?.get(1)?.parse().ok()
}

/// Device and inode, which hold across mount namespaces.
fn executable(process: u32) -> Option<(u64, u64)> {
    fs::metadata(format!("/proc/{process}/exe")).ok().map(|file| (file.dev(), file.ino()))
}

/// CPU time and context switches since the start of some processes.
#[derive(Debug, Default, Clone, Copy)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Voluntary and involuntary switches of all threads.
    pub switches: u64,
}

impl Usage {
    /// Sums over `processes`.
    pub fn of(processes: &[u32]) -> Self {
        processes.iter().fold(Self::default(), |sum, process| Self {
            cpu: sum.cpu + cpu(*process).unwrap_or_default(),
            switches: sum.switches + switches(*process),
        })
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            switches: self.switches.saturating_sub(earlier.switches),
        }
    }
}

fn cpu(process: u32) -> Option<Duration> {
    let fields = stat(process)?;
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn switches(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .map(|status| {
            field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:")
        })
        .sum()
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Memory of some processes in KiB.
#[derive(Debug, Default, Clone, Copy)]
pub struct Memory {
    /// Resident, shared pages counted in full.
    pub resident: f64,
    /// Shared pages counted in proportion to their users.
    pub proportional: f64,
    /// Pages that no other process has.
    pub private: f64,
}

impl Memory {
    /// Sums over `processes`.
    pub fn of(processes: &[u32]) -> Self {
        processes.iter().fold(Self::default(), |sum, process| {
            let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
            let kib = |name| field(&text, name) as f64;
            Self {
                resident: sum.resident + kib("Rss:"),
                proportional: sum.proportional + kib("Pss:"),
                private: sum.private + kib("Private_Clean:") + kib("Private_Dirty:"),
            }
        })
    }
}

/// Kills processes that are nobody's here to wait for.
pub fn kill(processes: &[u32]) {
    for process in processes {
        if let Some(pid) = i32::try_from(*process).ok().and_then(Pid::from_raw) {
            // What has ended already need not be killed.
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

/// Asks a child to end (SIGTERM) and waits; after `patience` it is killed.
pub fn end(child: &mut Child, patience: Duration) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A child that has ended already is reaped below.
        kill_process(pid, Signal::TERM).ok();
    }
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().ok();
    child.wait().ok();
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn descendants_belong_to_the_functions_and_end() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        // Until the child has replaced itself, it still runs this very executable.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !Tree::of(std::process::id()).functions.contains(&child.id()) {
            assert!(Instant::now() < deadline, "the child never showed up");
        }
        assert!(Tree::of(std::process::id()).service.contains(&std::process::id()));
        assert!(Memory::of(&[child.id()]).resident > 0.0);
        end(&mut child, Duration::from_secs(60));
        assert!(!Tree::of(std::process::id()).functions.contains(&child.id()));
    }

    #[test]
    fn usage_grows_with_work() {
        let own = [std::process::id()];
        let before = Usage::of(&own);
        let deadline = Instant::now() + Duration::from_secs(60);
        while Usage::of(&own).since(before).cpu.is_zero() {
            assert!(Instant::now() < deadline, "no CPU time is counted");
        }
        assert!(Usage::of(&own).switches > 0);
    }
}
