//! A memory limit for machines on which the kernel sets none: look, and kill what has grown too large.
//!
//! It is slower than the kernel: between two looks a process can take more than it may. It counts what processes
//! have for themselves, and what they share once.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::Timespec;
use rustix::process::{Pid, Signal, kill_process};

/// Time between two looks.
pub(super) const PERIOD: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

#[derive(Debug)]
pub(super) struct Watchdog {
    report: OwnedFd,
    limit: u64,
    peak: u64,
    kills: u64,
}

/// One process' memory in bytes.
#[derive(Debug, Clone, Copy)]
struct Share {
    pid: Pid,
    own: u64,
    shared: u64,
}

impl Watchdog {
    pub(super) fn new(report: OwnedFd, limit: u64) -> Self {
        Self { report, limit, peak: 0, kills: 0 }
    }

    /// Measures all processes, kills the largest if they are too large together, and reports.
    pub(super) fn look(&mut self) {
        let shares: Vec<_> = processes().filter_map(measure).collect();
        let total = total(&shares);
        if total > self.limit
            && let Some(largest) = shares.iter().max_by_key(|share| share.own)
        {
            let _ = kill_process(largest.pid, Signal::KILL);
            self.kills += 1;
        }
        self.peak = self.peak.max(total);
        let numbers = [total, self.peak, self.kills];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        // The server reads what was reported last.
        let _ = rustix::io::pwrite(&self.report, &bytes, 0);
    }
}

fn total(shares: &[Share]) -> u64 {
    let own: u64 = shares.iter().map(|share| share.own).sum();
    own + shares.iter().map(|share| share.shared).max().unwrap_or(0)
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| *pid != 1)
}

fn measure(pid: i32) -> Option<Share> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut pages = text.split(' ').skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    let size = rustix::param::page_size() as u64;
    Some(Share {
        pid: Pid::from_raw(pid)?,
        own: resident.saturating_sub(shared) * size,
        shared: shared * size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_counts_once() {
        let pid = rustix::process::getpid();
        let share = |own, shared| Share { pid, own, shared };
        assert_eq!(total(&[]), 0);
        assert_eq!(total(&[share(10, 7), share(5, 9)]), 24);
    }

    #[test]
    fn measures_this_process() {
        let share = measure(rustix::process::getpid().as_raw_nonzero().get()).unwrap();
        assert!(share.own > 10_000, "{share:?}");
    }
}
