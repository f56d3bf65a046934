//! [`Isolation::None`]: plain processes of the server's user. Protects from nothing; meant for machines where nothing
//! else can be had, and for debugging.
//!
//! What stays true: all processes end with the sandbox, and with the server, whichever way it ends and whatever they
//! have done to get away; each sandbox has a temporary directory of its own (`TMPDIR`), and listeners. What does not:
//! limits are not enforced, `/tmp` is the host's, and paths such as `/var/task` are rewritten in the command, its
//! arguments and its environment instead of being mounted.

mod paths;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use self::paths::PathMap;
use crate::handle::{JailerHandle, SandboxHandle};
use crate::{Backend, BoxFuture, Command, Error, Isolation, Process, Root, Sandbox, Signal, Spec, Usage};

/// Runs commands as plain processes. See the [module](self).
#[derive(Debug)]
pub struct ProcessBackend {
    directory: PathBuf,
    jailer: JailerHandle,
    next: AtomicU64,
}

impl ProcessBackend {
    /// Starts this program as the jailer and prepares `data_dir/process` for the sandboxes' temporary directories.
    /// What an earlier server left there is removed: one data directory serves one server. To be called within a
    /// tokio runtime; waits until the jailer is prepared.
    pub fn start(data_dir: &Path) -> Result<Self, Error> {
        Self::start_with(data_dir, None)
    }

    /// The same with another program as the jailer: one that calls
    /// [`jailer::main_if_requested`](crate::jailer::main_if_requested).
    pub fn start_with(data_dir: &Path, helper: Option<&Path>) -> Result<Self, Error> {
        let directory = data_dir.join("process");
        // From here on no process of an earlier server is left.
        let (jailer, _) = JailerHandle::start(helper, &directory, Isolation::None, false, 0)?;
        let empty = || {
            std::fs::remove_dir_all(&directory)?;
            std::fs::create_dir_all(&directory)
        };
        empty().map_err(|source| Error::setup(format!("empty {}", directory.display()), source))?;
        Ok(Self { directory, jailer, next: AtomicU64::new(0) })
    }

    /// The process id of the jailer, while it runs.
    pub fn jailer_pid(&self) -> Option<u32> {
        self.jailer.pid()
    }

    async fn make(&self, spec: Spec) -> Result<ProcessSandbox, Error> {
        if let Root::Directory(root) = &spec.root {
            let source = std::io::ErrorKind::Unsupported.into();
            return Err(Error::setup(
                format!("use the root file system {} without isolation", root.display()),
                source,
            ));
        }
        if let Some(emulator) = &spec.emulator {
            let step = format!("run programs by {} without isolation", emulator.program.display());
            return Err(Error::setup(step, std::io::ErrorKind::Unsupported.into()));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let scratch = Scratch(self.directory.join(format!("{}-{number}", spec.id)));
        let paths = PathMap::prepare(&spec, &scratch.0)
            .map_err(|source| Error::setup(format!("prepare {}", scratch.0.display()), source))?;
        let listeners = spec.listener_ports.iter().map(|_| listen()).collect::<Result<_, _>>()?;
        let handle = self.jailer.make(spec, listeners, scratch).await?;
        Ok(ProcessSandbox { handle, paths })
    }
}

impl Backend for ProcessBackend {
    fn isolation(&self) -> Isolation {
        Isolation::None
    }

    fn create(&self, spec: Spec) -> BoxFuture<'_, Result<Box<dyn Sandbox>, Error>> {
        Box::pin(async move { Ok(Box::new(self.make(spec).await?) as Box<dyn Sandbox>) })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.jailer.shutdown())
    }
}

fn listen() -> Result<TcpListener, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|source| Error::setup("listen on the loopback address", source))
}

/// A sandbox's own directory. Dropping it removes it.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %self.0.display(), %error, "sandbox.scratch_not_removed");
        }
    }
}

/// A sandbox in which paths are other ones.
#[derive(Debug)]
struct ProcessSandbox {
    handle: SandboxHandle,
    paths: PathMap,
}

impl Sandbox for ProcessSandbox {
    fn id(&self) -> &str {
        self.handle.id()
    }

    fn take_listeners(&self) -> Vec<TcpListener> {
        self.handle.take_listeners()
    }

    fn spawn(&self, command: Command) -> BoxFuture<'_, Result<Process, Error>> {
        self.handle.spawn(self.paths.command(&command))
    }

    fn signal(&self, process: u64, signal: Signal) -> BoxFuture<'_, Result<(), Error>> {
        self.handle.signal(process, signal)
    }

    fn connect(&self, port: u16) -> BoxFuture<'_, Result<tokio::net::TcpStream, Error>> {
        self.handle.connect(port)
    }

    fn kill_all(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.handle.kill_all()
    }

    fn freeze(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.handle.freeze()
    }

    fn thaw(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.handle.thaw()
    }

    fn usage(&self) -> Usage {
        self.handle.usage()
    }

    fn peak_memory_bytes(&self) -> u64 {
        self.handle.peak_memory_bytes()
    }

    fn reset_peak(&self) {
        self.handle.reset_peak();
    }

    fn destroy(&self) -> BoxFuture<'_, ()> {
        self.handle.destroy()
    }
}
