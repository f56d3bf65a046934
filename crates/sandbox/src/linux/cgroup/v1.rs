//! Files of version 1.

use std::io;
use std::path::{Path, PathBuf};

use super::write;
use crate::jailer::protocol::Measure;
use crate::linux::quota::PERIOD;

pub(super) fn limit_memory(directory: &Path, bytes: u64) -> io::Result<()> {
    write(&directory.join("memory.limit_in_bytes"), &bytes.to_string())?;
    // Memory and swap together: no swap. Kernels without swap accounting lack the file; then at least none is
    // sought.
    let both = write(&directory.join("memory.memsw.limit_in_bytes"), &bytes.to_string());
    both.or_else(|_| write(&directory.join("memory.swappiness"), "0"))
}

pub(super) fn memory_files(directory: &Path) -> Vec<(Measure, PathBuf)> {
    vec![
        (Measure::Memory, directory.join("memory.usage_in_bytes")),
        (Measure::Peak, directory.join("memory.max_usage_in_bytes")),
        (Measure::Statistics1, directory.join("memory.stat")),
        (Measure::OutOfMemory, directory.join("memory.oom_control")),
    ]
}

pub(super) fn set_period(directory: &Path) -> io::Result<()> {
    write(&directory.join("cpu.cfs_period_us"), &PERIOD.to_string())
}
