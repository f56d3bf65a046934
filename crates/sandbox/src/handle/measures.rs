//! Reading what the kernel measures of a sandbox, and freezing and throttling it, through files that the jailer has
//! opened.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::lock;
use super::sandbox::pid_of;
use crate::Usage;
use crate::init::watchdog;
use crate::jailer::protocol::Measure;
use crate::linux::quota::{PERIOD, quota};
use crate::tree;

/// How old a peak may be that takes a walk through all of `/proc` to work out.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The files of one sandbox.
#[derive(Debug, Default)]
pub(super) struct Measures {
    files: Vec<(Measure, OwnedFd)>,
    /// The highest peak worked out.
    peak: AtomicU64,
    /// The kernel's peak, cached files included, when `peak` was last worked out.
    kernel_peak: AtomicU64,
    /// When [`Measure::Tree`] was last looked at for the peak.
    looked: Mutex<Option<Instant>>,
}

impl Measures {
    pub(super) fn new(kinds: Vec<Measure>, descriptors: Vec<OwnedFd>) -> Self {
        Self { files: kinds.into_iter().zip(descriptors).collect(), ..Self::default() }
    }

    fn find(&self, wanted: &[Measure]) -> Option<&(Measure, OwnedFd)> {
        self.files.iter().find(|(kind, _)| wanted.contains(kind))
    }

    fn read<'a>(&self, kind: Measure, buffer: &'a mut [u8]) -> Option<&'a str> {
        let (_, file) = self.find(&[kind])?;
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::io::pread(file, &mut buffer[filled..], filled as u64) {
                Ok(0) => break,
                // The kernel gives such a file whole: less than was asked for is its end.
                Ok(count) if count < buffer.len() - filled => {
                    filled += count;
                    break;
                }
                Ok(count) => filled += count,
                // The group is gone.
                Err(_) => return None,
            }
        }
        std::str::from_utf8(&buffer[..filled]).ok()
    }

    fn number(&self, kind: Measure) -> Option<u64> {
        self.read(kind, &mut [0; 32])?.trim().parse().ok()
    }

    /// Whether the kernel can stop all processes at once.
    pub(super) fn freezable(&self) -> bool {
        self.find(&[Measure::Freeze1, Measure::Freeze2]).is_some()
    }

    /// Stops or continues all processes; does nothing where the kernel cannot.
    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        let Some((kind, file)) = self.find(&[Measure::Freeze1, Measure::Freeze2]) else { return Ok(()) };
        let text = match (kind, frozen) {
            (Measure::Freeze1, true) => "FROZEN",
            (Measure::Freeze1, false) => "THAWED",
            (_, true) => "1",
            (_, false) => "0",
        };
        write(file, text)
    }

    /// Limits CPU time to a share of CPUs, or lifts the limit; does nothing where the kernel cannot.
    pub(super) fn limit_cpus(&self, cpus: Option<f64>) -> io::Result<()> {
        let Some((kind, file)) = self.find(&[Measure::Quota1, Measure::Quota2]) else { return Ok(()) };
        let text = match (kind, cpus.map(quota)) {
            (Measure::Quota1, Some(quota)) => quota.to_string(),
            (Measure::Quota1, None) => "-1".to_owned(),
            (_, Some(quota)) => format!("{quota} {PERIOD}"),
            (_, None) => format!("max {PERIOD}"),
        };
        write(file, &text)
    }

    pub(super) fn out_of_memory_kills(&self) -> u64 {
        if let Some([_, _, kills]) = self.watchdog() {
            return kills;
        }
        let mut buffer = [0; 512];
        let text = self.read(Measure::OutOfMemory, &mut buffer).unwrap_or_default();
        field(text, "oom_kill").unwrap_or(0)
    }

    pub(super) fn usage(&self) -> Usage {
        if let Some([memory_bytes, peak_memory_bytes, out_of_memory_kills]) = self.watchdog() {
            return Usage { memory_bytes, peak_memory_bytes, out_of_memory_kills };
        }
        if let Some((_, keeper)) = self.find(&[Measure::Tree]) {
            let memory_bytes = pid_of(keeper).map_or(0, tree::memory_below);
            let peak_memory_bytes = self.peak.fetch_max(memory_bytes, Ordering::Relaxed).max(memory_bytes);
            return Usage { memory_bytes, peak_memory_bytes, out_of_memory_kills: 0 };
        }
        let out_of_memory_kills = self.out_of_memory_kills();
        let Some(all) = self.number(Measure::Memory) else {
            return Usage { out_of_memory_kills, ..Usage::default() };
        };
        let peak = self.number(Measure::Peak).unwrap_or(all).max(all);
        let cache = self.file_cache();
        let memory_bytes = all.saturating_sub(cache);
        // The kernel's peak counts cached files. How many there were at that moment is not known: about as many as
        // now.
        let own = peak.saturating_sub(cache).max(memory_bytes);
        let peak_memory_bytes = self.peak.fetch_max(own, Ordering::Relaxed).max(own);
        Usage { memory_bytes, peak_memory_bytes, out_of_memory_kills }
    }

    /// The peak alone, for every invocation's report: one read as long as the kernel's peak has not moved.
    pub(super) fn peak_memory_bytes(&self) -> u64 {
        if self.find(&[Measure::Tree]).is_some() {
            let mut looked = lock(&self.looked);
            if looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL) {
                return self.peak.load(Ordering::Relaxed);
            }
            *looked = Some(Instant::now());
        }
        let Some(now) = self.number(Measure::Peak) else { return self.usage().peak_memory_bytes };
        if self.kernel_peak.swap(now, Ordering::Relaxed) == now {
            return self.peak.load(Ordering::Relaxed);
        }
        self.usage().peak_memory_bytes
    }

    /// Bytes of cached files: memory that is in use only as long as nobody needs it.
    fn file_cache(&self) -> u64 {
        let mut buffer = [0; 4096];
        if let Some(text) = self.read(Measure::Statistics1, &mut buffer) {
            return field(text, "inactive_file").unwrap_or(0) + field(text, "active_file").unwrap_or(0);
        }
        let text = self.read(Measure::Statistics2, &mut buffer).unwrap_or_default();
        field(text, "inactive_file").unwrap_or(0) + field(text, "active_file").unwrap_or(0)
    }

    /// Starts the peak anew, where the kernel can.
    pub(super) fn reset_peak(&self) {
        if let Some((_, file)) = self.find(&[Measure::Peak]) {
            // Kernels of version 2 before 6.12 cannot.
            let _ = write(file, "0");
        }
        if let Some((_, file)) = self.find(&[Measure::Watchdog]) {
            watchdog::reset_peak(file);
        }
        self.peak.store(0, Ordering::Relaxed);
        self.kernel_peak.store(0, Ordering::Relaxed);
    }

    /// What init's watchdog wrote last: memory, peak, kills.
    fn watchdog(&self) -> Option<[u64; 3]> {
        let (_, file) = self.find(&[Measure::Watchdog])?;
        watchdog::read(file)
    }
}

fn write(file: &OwnedFd, text: &str) -> io::Result<()> {
    match rustix::io::pwrite(file, text.as_bytes(), 0) {
        Ok(_) => Ok(()),
        // The group is gone, and everything that was to be stopped with it.
        Err(rustix::io::Errno::NODEV) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The number after `name` in lines of names and numbers.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> OwnedFd {
        let file = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        write(&file, text).unwrap();
        file
    }

    fn text(measures: &Measures, kind: Measure) -> String {
        measures.read(kind, &mut [0; 256]).unwrap().to_owned()
    }

    #[test]
    fn counts_what_the_kernel_of_either_version_says() {
        let one = "cache 1\ninactive_file 1000\nactive_file 500\ntotal_inactive_file 7\n";
        let two = "anon 1\ninactive_file 1000\nactive_file 500\nslab 3\n";
        for (kind, statistics) in [(Measure::Statistics1, one), (Measure::Statistics2, two)] {
            let events = "low 0\nhigh 0\nmax 4\noom 2\noom_kill 2\noom_group_kill 0\n";
            let files = [
                (Measure::Memory, "10000\n"),
                (Measure::Peak, "12000\n"),
                (kind, statistics),
                (Measure::OutOfMemory, events),
            ];
            let (kinds, descriptors) = files.iter().map(|(kind, text)| (*kind, file(text))).unzip();
            let usage = Measures::new(kinds, descriptors).usage();
            let expected = Usage { memory_bytes: 8_500, peak_memory_bytes: 10_500, out_of_memory_kills: 2 };
            assert_eq!(usage, expected);
        }
    }

    #[test]
    fn writes_what_the_kernel_of_either_version_understands() {
        let kinds = vec![Measure::Freeze2, Measure::Quota2];
        let two = Measures::new(kinds, vec![file(""), file("")]);
        two.freeze(true).unwrap();
        two.limit_cpus(Some(0.5)).unwrap();
        assert_eq!(text(&two, Measure::Freeze2), "1");
        assert_eq!(text(&two, Measure::Quota2), "10000 20000");
        let one = Measures::new(vec![Measure::Freeze1, Measure::Quota1], vec![file(""), file("")]);
        one.freeze(true).unwrap();
        one.limit_cpus(None).unwrap();
        assert_eq!(text(&one, Measure::Freeze1), "FROZEN");
        assert_eq!(text(&one, Measure::Quota1), "-1");
    }

    #[test]
    fn reads_the_watchdogs_report() {
        let report = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let bytes: Vec<u8> = [300u64, 400, 1, 0, 0].iter().flat_map(|number| number.to_le_bytes()).collect();
        rustix::io::pwrite(&report, &bytes, 0).unwrap();
        let measures = Measures::new(vec![Measure::Watchdog], vec![report]);
        let usage = Usage { memory_bytes: 300, peak_memory_bytes: 400, out_of_memory_kills: 1 };
        assert_eq!(measures.usage(), usage);
        // Until init has heeded it, what is in use now is the best answer.
        measures.reset_peak();
        assert_eq!(measures.usage(), Usage { peak_memory_bytes: 300, ..usage });
    }
}
