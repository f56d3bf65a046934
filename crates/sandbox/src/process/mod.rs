//! [`Isolation::None`]: plain child processes of the server. Protects from nothing; meant for machines where
//! nothing else can be had, and for debugging.
//!
//! What stays true: a process that leaves neither its session nor its process group ends with the sandbox, the
//! processes end when the server ends, each sandbox has a temporary directory of its own (`TMPDIR`), and listeners.
//! What does not: limits are not enforced, `/tmp` is the host's, and paths such as `/var/task` are rewritten in the
//! command, its arguments and its environment instead of being mounted.

mod paths;
mod session;

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, pidfd_open};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use self::paths::PathMap;
use crate::pipes::Pipes;
use crate::{
    Backend, BoxFuture, Command, Error, Exit, ExitStatus, Isolation, Process, Root, Sandbox, Spec, Usage,
};

/// How old a peak may be that is given out without looking again.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs commands as plain child processes. See the [module](self).
#[derive(Debug)]
pub struct ProcessBackend {
    directory: PathBuf,
    spawner: Spawner,
    watchers: TaskTracker,
    closed: AtomicBool,
    sandboxes: Mutex<HashMap<u64, Weak<Shared>>>,
    next: AtomicU64,
}

impl ProcessBackend {
    /// Prepares `data_dir/process` for the sandboxes' temporary directories. What an earlier server left there is
    /// removed: one data directory serves one server.
    pub fn start(data_dir: &Path) -> Result<Self, Error> {
        let directory = data_dir.join("process");
        let prepare = || {
            if directory.exists() {
                std::fs::remove_dir_all(&directory)?;
            }
            std::fs::create_dir_all(&directory)
        };
        prepare().map_err(|source| Error::setup(format!("prepare {}", directory.display()), source))?;
        Ok(Self {
            directory,
            spawner: Spawner::start()?,
            watchers: TaskTracker::new(),
            closed: AtomicBool::new(false),
            sandboxes: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    fn make(&self, spec: &Spec) -> Result<Arc<Shared>, Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::HelperGone);
        }
        if let Root::Directory(root) = &spec.root {
            let source = std::io::ErrorKind::Unsupported.into();
            return Err(Error::setup(
                format!("use the root file system {} without isolation", root.display()),
                source,
            ));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let scratch = self.directory.join(format!("{}-{number}", spec.id));
        let paths = PathMap::prepare(spec, &scratch)
            .map_err(|source| Error::setup(format!("prepare {}", scratch.display()), source))?;
        let listeners = spec.listener_ports.iter().map(|_| listen()).collect::<Result<_, _>>()?;
        let shared = Arc::new(Shared {
            id: spec.id.clone(),
            scratch,
            paths,
            listeners: Mutex::new(listeners),
            sessions: Mutex::default(),
            peak: AtomicU64::new(0),
            looked: Mutex::new(None),
            destroyed: AtomicBool::new(false),
        });
        let mut sandboxes = lock(&self.sandboxes);
        sandboxes.retain(|_, sandbox| sandbox.strong_count() > 0);
        sandboxes.insert(number, Arc::downgrade(&shared));
        Ok(shared)
    }
}

impl Backend for ProcessBackend {
    fn isolation(&self) -> Isolation {
        Isolation::None
    }

    fn create(&self, spec: Spec) -> BoxFuture<'_, Result<Box<dyn Sandbox>, Error>> {
        Box::pin(async move {
            let shared = self.make(&spec)?;
            let spawner = self.spawner.clone();
            Ok(Box::new(ProcessSandbox { shared, spawner, watchers: self.watchers.clone() })
                as Box<dyn Sandbox>)
        })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.closed.store(true, Ordering::Release);
            let sandboxes: Vec<_> =
                lock(&self.sandboxes).drain().filter_map(|(_, weak)| weak.upgrade()).collect();
            for sandbox in sandboxes {
                sandbox.destroy().await;
            }
            self.watchers.close();
            self.watchers.wait().await;
        })
    }
}

fn listen() -> Result<TcpListener, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|source| Error::setup("listen on the loopback address", source))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handle given out.
#[derive(Debug)]
struct ProcessSandbox {
    shared: Arc<Shared>,
    spawner: Spawner,
    watchers: TaskTracker,
}

#[derive(Debug)]
struct Shared {
    id: String,
    scratch: PathBuf,
    paths: PathMap,
    listeners: Mutex<Vec<TcpListener>>,
    /// Session ids of the processes started, each of which leads its own session.
    sessions: Mutex<Vec<i32>>,
    peak: AtomicU64,
    /// When memory was last looked at: that takes a walk through all of `/proc`.
    looked: Mutex<Option<Instant>>,
    destroyed: AtomicBool,
}

impl Shared {
    /// Signals every process of this sandbox; says whether there was any.
    fn signal(&self, signal: Signal) -> bool {
        let members = session::members(&lock(&self.sessions));
        for member in &members {
            // It may have ended since: then there is nothing to signal.
            let _ = rustix::process::kill_process(member.pid, signal);
        }
        !members.is_empty()
    }

    async fn kill_all(&self) {
        let mut pause = Duration::from_micros(200);
        while self.signal(Signal::KILL) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        lock(&self.sessions).clear();
    }

    /// Forgets a session that has ended, so that its number, once the kernel gives it to someone else, is not
    /// signalled.
    fn forget_session(&self, session: i32) {
        let mut sessions = lock(&self.sessions);
        if session::members(&[session]).is_empty() {
            sessions.retain(|&other| other != session);
        }
    }

    async fn destroy(&self) {
        self.destroyed.store(true, Ordering::Release);
        lock(&self.listeners).clear();
        self.kill_all().await;
        self.remove_scratch();
    }

    fn remove_scratch(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.scratch)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(sandbox = self.id, %error, "sandbox.scratch_not_removed");
        }
    }

    fn alive(&self) -> Result<(), Error> {
        if self.destroyed.load(Ordering::Acquire) { Err(Error::Destroyed) } else { Ok(()) }
    }
}

impl Drop for ProcessSandbox {
    fn drop(&mut self) {
        if !self.shared.destroyed.swap(true, Ordering::AcqRel) {
            self.shared.signal(Signal::KILL);
            self.shared.remove_scratch();
        }
    }
}

impl Sandbox for ProcessSandbox {
    fn id(&self) -> &str {
        &self.shared.id
    }

    fn take_listeners(&self) -> Vec<TcpListener> {
        std::mem::take(&mut lock(&self.shared.listeners))
    }

    fn spawn(&self, command: Command) -> BoxFuture<'_, Result<Process, Error>> {
        Box::pin(async move {
            self.shared.alive()?;
            let command = self.shared.paths.command(&command);
            let pipes = Pipes::open(command.log_descriptor)?;
            let program = command.program.display().to_string();
            let child = self.spawner.spawn(command, pipes.write).await?;
            let mut child = child.map_err(|source| Error::Execute { program, source })?;
            let pid = child.id();
            lock(&self.shared.sessions).push(pid as i32);
            if self.shared.alive().is_err() {
                self.shared.signal(Signal::KILL);
                let _ = child.wait();
                return Err(Error::Destroyed);
            }
            let exit = watch(&self.watchers, Arc::downgrade(&self.shared), child)?;
            let crate::pipes::Ends { stdout, stderr, log } = pipes.read;
            Ok(Process { host_pid: Some(pid), stdout, stderr, log, exit })
        })
    }

    fn kill_all(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.shared.alive()?;
            self.shared.kill_all().await;
            Ok(())
        })
    }

    fn freeze(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.shared.alive()?;
            self.shared.signal(Signal::STOP);
            Ok(())
        })
    }

    fn thaw(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.shared.alive()?;
            self.shared.signal(Signal::CONT);
            Ok(())
        })
    }

    fn usage(&self) -> Usage {
        let memory =
            session::members(&lock(&self.shared.sessions)).iter().map(|member| member.memory_bytes).sum();
        let peak = self.shared.peak.fetch_max(memory, Ordering::Relaxed).max(memory);
        Usage { memory_bytes: memory, peak_memory_bytes: peak, out_of_memory_kills: 0 }
    }

    fn peak_memory_bytes(&self) -> u64 {
        let mut looked = lock(&self.shared.looked);
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL) {
            return self.shared.peak.load(Ordering::Relaxed);
        }
        *looked = Some(Instant::now());
        drop(looked);
        self.usage().peak_memory_bytes
    }

    fn reset_peak(&self) {
        self.shared.peak.store(0, Ordering::Relaxed);
    }

    fn destroy(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.shared.destroy())
    }
}

/// Reports the end of `child`, which is reaped by a task of `watchers`.
fn watch(
    watchers: &TaskTracker,
    shared: Weak<Shared>,
    mut child: Child,
) -> Result<oneshot::Receiver<Exit>, Error> {
    let pidfd = rustix::process::Pid::from_raw(child.id() as i32)
        .ok_or(rustix::io::Errno::SRCH)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::NONBLOCK))
        .map_err(|errno| Error::setup("watch a process", errno.into()))?;
    let pidfd = crate::readiness::readable(pidfd)?;
    let (sender, receiver) = oneshot::channel();
    watchers.spawn(async move {
        // Whether or not the wait worked, the child is reaped; `wait` returns at once after readability.
        let _ = pidfd.readable().await;
        let status = match child.wait() {
            Ok(status) => {
                status.code().map_or(ExitStatus::Signal(status.signal().unwrap_or(0)), ExitStatus::Code)
            }
            Err(_) => ExitStatus::Signal(0),
        };
        if let Some(shared) = shared.upgrade() {
            shared.forget_session(child.id() as i32);
        }
        let _ = sender.send(Exit { status, out_of_memory: false });
    });
    Ok(receiver)
}

type SpawnResult = std::io::Result<Child>;

/// A thread that starts processes. They shall end with the server, which the kernel can be told only as 'with the
/// thread that started them': this one lives as long as the backend.
#[derive(Debug, Clone)]
struct Spawner {
    requests: mpsc::Sender<SpawnRequest>,
}

struct SpawnRequest {
    command: Command,
    ends: crate::pipes::Ends,
    answer: oneshot::Sender<SpawnResult>,
}

impl Spawner {
    fn start() -> Result<Self, Error> {
        let (requests, inbox) = mpsc::channel::<SpawnRequest>();
        let run = move || {
            for request in inbox {
                let _ = request.answer.send(start_child(request.command, request.ends));
            }
        };
        std::thread::Builder::new()
            .name("rushlight-spawn".to_owned())
            .spawn(run)
            .map_err(|source| Error::setup("start the spawning thread", source))?;
        Ok(Self { requests })
    }

    async fn spawn(&self, command: Command, ends: crate::pipes::Ends) -> Result<SpawnResult, Error> {
        let (answer, receiver) = oneshot::channel();
        self.requests.send(SpawnRequest { command, ends, answer }).map_err(|_| Error::HelperGone)?;
        receiver.await.map_err(|_| Error::HelperGone)
    }
}

fn start_child(command: Command, ends: crate::pipes::Ends) -> SpawnResult {
    use std::os::fd::AsRawFd;

    /// The number under which a process finds its log pipe.
    const LOG_DESCRIPTOR: i32 = 3;
    let mut builder = std::process::Command::new(&command.program);
    builder
        .args(&command.arguments)
        .env_clear()
        .envs(&command.environment)
        .current_dir(&command.working_directory)
        .stdin(Stdio::null())
        .stdout(ends.stdout)
        .stderr(ends.stderr);
    if ends.log.is_some() {
        builder.env("_LAMBDA_TELEMETRY_LOG_FD", LOG_DESCRIPTOR.to_string());
    }
    let log = ends.log.as_ref().map(AsRawFd::as_raw_fd);
    // SAFETY: the closure runs in the forked child and calls only async-signal-safe system calls, on descriptors
    // that `ends` keeps open until the child exists.
    unsafe {
        builder.pre_exec(move || {
            rustix::process::setsid()?;
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // What the server itself inherited is not passed on. Kernels before 5.11 cannot: nothing is lost there.
            let first = if log.is_some() { LOG_DESCRIPTOR + 1 } else { LOG_DESCRIPTOR };
            libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
            if let Some(log) = log {
                // `dup2` onto itself would keep close-on-exec, hence the special case.
                let done = if log == LOG_DESCRIPTOR {
                    libc::fcntl(log, libc::F_SETFD, 0)
                } else {
                    libc::dup2(log, LOG_DESCRIPTOR)
                };
                if done < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    builder.spawn()
}
