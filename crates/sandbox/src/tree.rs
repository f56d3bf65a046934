//! The processes beneath one, found in `/proc`: what a sandbox without namespaces consists of.
//!
//! Nothing that a process does takes it out of the tree beneath a *subreaper*: where a parent ends, its children become
//! the children of the nearest subreaper above it. Sessions and process groups, which a process can leave, are only
//! used to reach several processes in one step.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};

use crate::step::Step;

/// One process, as it was when it was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// Its process group, unless that is led from another process id namespace.
    group: Option<Pid>,
    /// Resident set size in bytes.
    memory_bytes: u64,
}

/// Makes this process a subreaper, if it can see what is beneath it.
pub(crate) fn become_root() -> io::Result<()> {
    let seen = fs::read_link("/proc/self")?;
    if seen.to_str().and_then(|name| name.parse().ok()) != Some(number(getpid())) {
        // Signals would meet processes that have the same numbers here.
        return Err(io::Error::other("/proc is that of another process id namespace"));
    }
    Ok(rustix::process::set_child_subreaper(Some(getpid()))?)
}

/// All processes beneath `root`, zombies included, without those that are `spared` and what is beneath these.
pub(crate) fn below(root: Pid, spared: impl Fn(Pid) -> bool) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for (parent, process) in all() {
        children.entry(parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut parents = vec![number(root)];
    while let Some(parent) = parents.pop() {
        // Taken out, so that this ends even if numbers were given anew while looking, and form a circle.
        for process in children.remove(&parent).unwrap_or_default() {
            if !spared(process.pid) {
                parents.push(number(process.pid));
                found.push(process);
            }
        }
    }
    found
}

/// Resident memory of all processes beneath `root`, in bytes.
pub(crate) fn memory_below(root: Pid) -> u64 {
    below(root, |_| false).iter().map(|process| process.memory_bytes).sum()
}

/// Signals every one of `processes`, and every other member of their process groups: so it reaches also what they
/// have forked since, unless that has left the group. To be called by a process that is beneath none of them, and
/// starts each process beneath it in a session of its own: only then is nobody else in these groups.
pub(crate) fn signal(processes: &[Process], signal: Signal) {
    let own = number(getpid());
    let mut groups = HashSet::new();
    for process in processes {
        // It may have ended since, or left its group: then there is nothing to signal.
        let _ = kill_process(process.pid, signal);
        if let Some(group) = process.group.filter(|group| number(*group) > 1 && number(*group) != own)
            && groups.insert(group)
        {
            let _ = kill_process_group(group, signal);
        }
    }
}

/// How often processes that multiply are looked for before some may run on.
const ROUNDS: usize = 20;

/// Stops every process beneath this one.
pub(crate) fn stop_all() {
    let mut stopped = HashSet::new();
    for _ in 0..ROUNDS {
        // A process that was signalled forks no more, but what it had forked may have been overlooked.
        let mut found = below(getpid(), |_| false);
        found.retain(|process| stopped.insert(process.pid));
        if found.is_empty() {
            return;
        }
        signal(&found, Signal::STOP);
    }
}

/// Lets every process beneath this one continue.
pub(crate) fn continue_all() {
    signal(&below(getpid(), |_| false), Signal::CONT);
}

/// How long killed processes may take to end before others are looked for: at first, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Kills every process beneath this one until there is none.
///
/// `reap` waits at most the given time until a child ends, reaps all that have ended, and says whether any child is
/// left. It has the last word: whatever is beneath this process is its child before it is gone.
pub(crate) fn kill_all(mut reap: impl FnMut(Duration) -> Step<bool>) -> Step<()> {
    let (mut patience, longest) = PATIENCE;
    let mut left = reap(Duration::ZERO)?;
    while left {
        signal(&below(getpid(), |_| false), Signal::KILL);
        let killed = Instant::now();
        while left && let Some(rest) = patience.checked_sub(killed.elapsed()) {
            kill_newest(|_| false);
            left = reap(rest)?;
        }
        patience = (patience * 2).min(longest);
    }
    Ok(())
}

/// How many of the process ids given out last belong to the newest processes.
const NEWEST: i32 = 4;

/// Kills those of the newest processes that are children of this one and not `spared`: to be called when a child has
/// ended, by which its own children become this process'. Whoever looks through all of `/proc` is too slow for a
/// process that forks, ends, and goes on as its child.
pub(crate) fn kill_newest(spared: impl Fn(Pid) -> bool) {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let last: i32 = text.trim_end().rsplit(' ').next().and_then(|last| last.parse().ok()).unwrap_or(0);
    let own = number(getpid());
    for candidate in (last - NEWEST + 1..=last).rev() {
        if let Some((parent, process)) = look(candidate)
            && parent == own
            && !spared(process.pid)
        {
            signal(&[process], Signal::KILL);
        }
    }
}

/// Every process that `/proc` shows, with the number of its parent: zero if that is out of sight.
fn all() -> impl Iterator<Item = (i32, Process)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| look(entry.file_name().to_str()?.parse().ok()?))
}

fn look(own: i32) -> Option<(i32, Process)> {
    let stat = fs::read(format!("/proc/{own}/stat")).ok()?;
    // The name, in parentheses, may hold any bytes: the fields are counted from its end.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    let group = pid(fields.next()?.parse().ok()?);
    let pages: u64 = fields.nth(18)?.parse().ok()?;
    let memory_bytes = pages * rustix::param::page_size() as u64;
    Some((parent, Process { pid: pid(own)?, group, memory_bytes }))
}

/// Some numbers in `/proc` stand for nobody: zero, and -1 for what is about to go.
fn pid(number: i32) -> Option<Pid> {
    if number > 0 { Pid::from_raw(number) } else { None }
}

fn number(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn finds_children_and_theirs_in_whichever_session() {
        let script = "sleep 1000 & setsid sleep 1000 & echo ready; wait";
        let mut shell = Command::new("/bin/sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let root = Pid::from_child(&shell);
        let sleeping = below(root, |_| false);
        assert_eq!(sleeping.len(), 2, "{sleeping:?}");
        assert!(memory_below(root) > 10_000);
        let own = below(getpid(), |_| false);
        let own: Vec<_> = own.iter().map(|process| process.pid).collect();
        assert!(own.contains(&root) && sleeping.iter().all(|process| own.contains(&process.pid)), "{own:?}");
        let spared = below(getpid(), |pid| pid == root);
        assert!(spared.iter().all(|process| process.pid != root && process.pid != sleeping[0].pid));
        for process in sleeping {
            kill_process(process.pid, Signal::KILL).unwrap();
        }
        shell.wait().unwrap();
        assert!(below(root, |_| false).is_empty());
    }
}
