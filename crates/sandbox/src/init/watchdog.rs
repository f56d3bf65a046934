//! A memory limit for machines on which the kernel sets none: look, and kill what has grown too large.
//!
//! It is slower than the kernel: between two looks a process can take more than it may. It counts what processes
//! have for themselves, and what they share once.
//!
//! The report is a file of five little-endian u64, shared with the server: bytes in use, peak, kills, the server's
//! request to start the peak anew (a number that it counts up), and the last such request that was heeded.

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
    heeded: u64,
}

/// Bytes of a report.
pub(crate) const REPORT: usize = 40;
/// Where in it the server's request is.
const REQUEST: u64 = 24;
/// Where in it the answer to that is.
const HEEDED: u64 = 32;

/// The report as the server reads it: bytes in use, peak, kills.
pub(crate) fn read(report: &OwnedFd) -> Option<[u64; 3]> {
    let mut bytes = [0; REPORT];
    (rustix::io::pread(report, &mut bytes, 0).ok()? == REPORT).then_some(())?;
    let mut numbers = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let (memory, peak, kills) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let heeded = numbers.next()? == numbers.next()?;
    Some([memory, if heeded { peak } else { memory }, kills])
}

/// Has the peak start anew.
pub(crate) fn reset_peak(report: &OwnedFd) {
    let mut request = [0; 8];
    if rustix::io::pread(report, &mut request, REQUEST).is_ok_and(|count| count == request.len()) {
        let next = u64::from_le_bytes(request).wrapping_add(1);
        // A file in memory takes it.
        let _ = rustix::io::pwrite(report, &next.to_le_bytes(), REQUEST);
    }
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
        Self { report, limit, peak: 0, kills: 0, heeded: 0 }
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
        let mut request = [0; 8];
        if rustix::io::pread(&self.report, &mut request, REQUEST).is_ok_and(|count| count == request.len()) {
            let request = u64::from_le_bytes(request);
            if request != self.heeded {
                self.peak = 0;
                self.heeded = request;
            }
        }
        self.peak = self.peak.max(total);
        let numbers = [total, self.peak, self.kills];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        // The server reads what was reported last.
        let _ = rustix::io::pwrite(&self.report, &bytes, 0);
        let _ = rustix::io::pwrite(&self.report, &self.heeded.to_le_bytes(), HEEDED);
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
