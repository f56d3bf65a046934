//! Files of version 2.

use std::io;
use std::path::{Path, PathBuf};

use super::write;
use crate::jailer::protocol::Measure;

pub(super) fn limit_memory(directory: &Path, bytes: u64) -> io::Result<()> {
    write(&directory.join("memory.max"), &bytes.to_string())?;
    match write(&directory.join("memory.swap.max"), "0") {
        // A kernel without swap.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(super) fn memory_files(directory: &Path) -> Vec<(Measure, PathBuf)> {
    vec![
        (Measure::Memory, directory.join("memory.current")),
        (Measure::Peak, directory.join("memory.peak")),
        (Measure::Statistics2, directory.join("memory.stat")),
        (Measure::OutOfMemory, directory.join("memory.events")),
    ]
}

/// Lets the children of `directory` have limits on memory, CPU time and processes.
pub(super) fn delegate(directory: &Path) -> io::Result<()> {
    write(&directory.join("cgroup.subtree_control"), "+memory +cpu +pids")
}
