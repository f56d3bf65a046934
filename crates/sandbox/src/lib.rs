//! Isolation: processes in sandboxes.
//!
//! This crate knows processes, mounts and limits. It does not know what a function is, who called it or where
//! anything is stored. It is the only crate with `unsafe` code, each block with its proof.
//!
//! A [`Backend`] makes a [`Sandbox`] from a [`Spec`]; a sandbox runs [`Command`]s, can be frozen, measured and
//! destroyed. Dropping a [`Sandbox`] destroys it too: nothing of it may outlive the handle.

#![warn(missing_debug_implementations)]

mod child_signals;
mod descriptors;
mod handle;
mod init;
pub mod jailer;
mod linux;
mod pipes;
pub mod probe;
mod process;
mod readiness;
mod spec;
mod step;
mod tree;

use std::future::Future;
use std::pin::Pin;

pub use linux::{LinuxBackend, Options};
pub use process::ProcessBackend;
pub use spec::{Command, Egress, Emulator, Limits, Mount, Processor, Root, Spec};

/// A boxed future, so that backends can be chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How strongly a backend separates sandboxes from each other and from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Isolation {
    /// All namespaces, a uid range of its own, cgroup limits, seccomp, landlock: needs root.
    Sandbox,
    /// The same within an unprivileged user namespace, less what that cannot do (cgroup limits, egress).
    Rootless,
    /// Plain processes of the server's user: no protection at all. They end with their sandbox all the same.
    None,
}

/// Makes sandboxes. Cheap to share behind an `Arc`.
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// The isolation that every sandbox of this backend has.
    fn isolation(&self) -> Isolation;

    /// Makes a sandbox: namespaces, root file system, limits and the loopback listener, but no process of the
    /// caller's yet. Not cancel-safe for latency, but safe for resources: a dropped future leaves nothing behind.
    fn create(&self, spec: Spec) -> BoxFuture<'_, Result<Box<dyn Sandbox>, Error>>;

    /// Destroys every sandbox and ends the backend's own processes. Later calls of `create` fail.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// One sandbox. All methods stay callable after [`Sandbox::destroy`] and then do nothing or return
/// [`Error::Destroyed`].
pub trait Sandbox: Send + Sync + std::fmt::Debug {
    /// The identifier given in the [`Spec`].
    fn id(&self) -> &str;

    /// The listening, non-blocking TCP sockets that exist inside the sandbox's network namespace, one for each of
    /// [`Spec::listener_ports`] in that order. They can be taken once; later calls return nothing. Only processes
    /// of this sandbox can reach them (under [`Isolation::None`] every process of the host can, at ports that the
    /// kernel chose: ask each listener for its local address, which is what the processes connect to).
    fn take_listeners(&self) -> Vec<std::net::TcpListener>;

    /// Starts a process. May be called again after the earlier processes have ended or were killed; `/tmp` and
    /// the network namespace stay.
    fn spawn(&self, command: Command) -> BoxFuture<'_, Result<Process, Error>>;

    /// Signals a process that [`Sandbox::spawn`] started, by its [`Process::number`], and what it has started in its own
    /// process group. Does nothing if it has ended.
    fn signal(&self, process: u64, signal: Signal) -> BoxFuture<'_, Result<(), Error>>;

    /// Connects to what the sandbox's processes listen at: `port` of the loopback address in their own network
    /// namespace. That is all that can be named, so that no process can have the server connect to anybody else.
    /// (Under [`Isolation::None`] that address is the host's, which the processes reach by themselves.) Waits while
    /// the sandbox is frozen. Cancel-safe.
    fn connect(&self, port: u16) -> BoxFuture<'_, Result<tokio::net::TcpStream, Error>>;

    /// Kills every process in the sandbox (not the sandbox itself) and returns when they are gone. `/tmp` stays.
    fn kill_all(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Stops all processes from being scheduled. Idempotent.
    fn freeze(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Lets frozen processes run again. Idempotent and cheap when not frozen.
    fn thaw(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Changes the share of CPU from what [`Limits::cpus`] said, where the backend limits it at all.
    fn limit_cpus(&self, _cpus: f64) {}

    /// Memory and process counts as measured by the kernel.
    fn usage(&self) -> Usage;

    /// [`Usage::peak_memory_bytes`] alone, for the end of every invocation: cheaper, and on backends without kernel
    /// measurements up to a second old.
    fn peak_memory_bytes(&self) -> u64 {
        self.usage().peak_memory_bytes
    }

    /// Starts the peak-memory measurement anew, where the kernel can.
    fn reset_peak(&self);

    /// Kills everything and removes every namespace, mount, cgroup and file of the sandbox.
    fn destroy(&self) -> BoxFuture<'_, ()>;
}

/// A process started by [`Sandbox::spawn`].
#[derive(Debug)]
pub struct Process {
    /// Tells it from the sandbox's other processes.
    pub number: u64,
    /// Process id as the host sees it, where known.
    pub host_pid: Option<u32>,
    /// Read end of a non-blocking pipe that carries standard output.
    pub stdout: std::os::fd::OwnedFd,
    /// Read end of a non-blocking pipe that carries standard error.
    pub stderr: std::os::fd::OwnedFd,
    /// Read end of a non-blocking pipe for framed log records, when [`Command::log_descriptor`] asked for one.
    pub log: Option<std::os::fd::OwnedFd>,
    /// Resolves once, when the process has ended.
    pub exit: tokio::sync::oneshot::Receiver<Exit>,
}

/// What a process can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Signal {
    /// SIGTERM: end, please.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The status or signal.
    pub status: ExitStatus,
    /// Whether the kernel's out-of-memory killer acted in this sandbox since the process was started.
    pub out_of_memory: bool,
}

/// The status part of an [`Exit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// The process called exit with this code.
    Code(i32),
    /// The process was ended by this signal.
    Signal(i32),
}

/// What the kernel has measured for a sandbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory in use now.
    pub memory_bytes: u64,
    /// Highest use since the last [`Sandbox::reset_peak`], in bytes.
    pub peak_memory_bytes: u64,
    /// Times the out-of-memory killer acted.
    pub out_of_memory_kills: u64,
}

/// Why a sandbox operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program does not exist in the sandbox or is not executable; `errno` as from `execve`.
    #[error("cannot execute {program}: {source}")]
    Execute {
        /// The path as given in the command.
        program: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The sandbox was destroyed.
    #[error("the sandbox has been destroyed")]
    Destroyed,
    /// The kernel refused a step of the set-up.
    #[error("cannot {step}: {source}")]
    Setup {
        /// What was being done, e.g. `mount /var/task`.
        step: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The privileged helper process is gone.
    #[error("the sandbox helper process has ended; restart the server")]
    HelperGone,
}

use step::StepError;

impl Error {
    /// A refused step of the set-up.
    pub(crate) fn setup(step: impl Into<String>, source: std::io::Error) -> Self {
        Self::Setup { step: step.into(), source }
    }
}
