//! What a sandbox shall be: plain data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that distinguishes one sandbox from another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Unique identifier; names the cgroup and, in part, the network devices. ASCII letters, digits and `-`.
    pub id: String,
    /// What the root file system is made of.
    pub root: Root,
    /// Read-only trees mounted on top of the root, in order.
    pub mounts: Vec<Mount>,
    /// Read-only trees merged at `/opt`, later ones over earlier ones. Empty: an empty `/opt`.
    pub opt_layers: Vec<PathBuf>,
    /// Resource limits.
    pub limits: Limits,
    /// Outbound network.
    pub egress: Egress,
    /// Ports on the sandbox's loopback address (127.0.0.1) at which the server listens inside the sandbox, e.g.
    /// 9001 for the Runtime API and another for the AWS endpoint that functions call.
    pub listener_ports: Vec<u16>,
    /// Host name seen by the processes.
    pub hostname: String,
    /// What runs programs for another processor, if there are to be any. Without it they are not executed.
    pub emulator: Option<Emulator>,
}

/// A program that runs those of another processor: QEMU's user mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// What it emulates.
    pub processor: Processor,
    /// Its path on the host. It needs nothing else to be executed.
    pub program: PathBuf,
}

/// A kind of processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Processor {
    /// Of 64 bits by Intel and AMD.
    X86_64,
    /// Of 64 bits by Arm.
    Arm64,
}

impl Processor {
    /// That of this machine; none if it is another.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }
}

/// What the root file system is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// The host's `/usr` (read-only) with a minimal `/etc`, `/dev` and `/proc`.
    Host,
    /// A directory that holds a whole root file system, used read-only.
    Directory(PathBuf),
}

/// One read-only bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Directory or file on the host.
    pub source: PathBuf,
    /// Absolute path in the sandbox.
    pub target: PathBuf,
}

/// Resource limits of one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that all processes together may use, in bytes, without `/tmp`.
    pub memory_bytes: u64,
    /// CPU time per wall time: 1.0 is one full CPU.
    pub cpus: f64,
    /// Processes and threads.
    pub processes: u32,
    /// Open descriptors per process.
    pub descriptors: u32,
    /// Size of `/tmp` in bytes.
    pub tmp_bytes: u64,
}

/// Outbound network of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Egress {
    /// Loopback only.
    None,
    /// Through address translation on the host, where the backend can; never to the host's own addresses, its
    /// metadata address or other sandboxes. Backends that cannot offer it behave as [`Egress::None`].
    Translated,
}

/// A process to start in a sandbox.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Command {
    /// Absolute path in the sandbox.
    pub program: PathBuf,
    /// Arguments after the program's name.
    pub arguments: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub environment: BTreeMap<String, String>,
    /// Working directory in the sandbox.
    pub working_directory: PathBuf,
    /// Give the process a pipe for framed log records: its number is set in the environment variable
    /// `_LAMBDA_TELEMETRY_LOG_FD`.
    pub log_descriptor: bool,
}
