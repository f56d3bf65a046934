//! The server's side of one sandbox.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Pid;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;

use super::channel::Channel;
use super::lock;
use super::measures::Measures;
use crate::jailer::protocol::{FromSandbox, ToInit};
use crate::pipes::{Ends, Pipes};
use crate::step::StepError;
use crate::{BoxFuture, Command, Error, Exit, ExitStatus, Limits, Process, Sandbox, Signal, Usage};

/// The answer to a request to start a process: its id on the host.
type Started = Result<Option<u32>, Error>;

/// What the handle and the listening task share.
#[derive(Debug)]
pub(super) struct Shared {
    id: String,
    limits: Limits,
    channel: Channel,
    listeners: Mutex<Vec<TcpListener>>,
    measures: Measures,
    pending: Mutex<Pending>,
    next: AtomicU64,
    destroyed: AtomicBool,
    /// Whether init has stopped the processes by signals.
    stopped: AtomicBool,
    /// Becomes true when the jailer has removed everything.
    gone: watch::Sender<bool>,
}

/// What the server waits to hear.
#[derive(Debug, Default)]
struct Pending {
    starts: HashMap<u64, oneshot::Sender<Started>>,
    exits: HashMap<u64, Running>,
    requests: HashMap<u64, oneshot::Sender<()>>,
    sockets: HashMap<u64, oneshot::Sender<Result<OwnedFd, Error>>>,
}

#[derive(Debug)]
struct Running {
    exit: oneshot::Sender<Exit>,
    /// Kills for lack of memory before this process was started.
    kills_before: u64,
}

impl Shared {
    /// Hears the jailer and init until the sandbox is complete.
    /// What listens already is given, for a sandbox whose network is the host's.
    pub(super) async fn complete(
        id: String,
        limits: Limits,
        channel: Channel,
        mut listeners: Vec<TcpListener>,
    ) -> Result<Self, Error> {
        let mut measures = Measures::default();
        let inside = loop {
            match channel.receive().await {
                Ok(Some((FromSandbox::Measures(kinds), descriptors))) => {
                    measures = Measures::new(kinds, descriptors);
                }
                Ok(Some((FromSandbox::Ready, listeners))) => break listeners,
                Ok(Some((FromSandbox::Failed(refusal), _))) => return Err(StepError::from(refusal).into()),
                Ok(Some(_) | None) | Err(_) => return Err(Error::HelperGone),
            }
        };
        listeners.extend(inside.into_iter().map(TcpListener::from));
        measures.limit_cpus(Some(limits.cpus)).map_err(|source| Error::setup("limit CPU time", source))?;
        Ok(Self {
            id,
            limits,
            channel,
            listeners: Mutex::new(listeners),
            measures,
            pending: Mutex::default(),
            next: AtomicU64::new(0),
            destroyed: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            gone: watch::Sender::new(false),
        })
    }

    /// Has the jailer destroy the sandbox.
    pub(super) fn close(&self) {
        self.destroyed.store(true, Ordering::Release);
        self.channel.close();
        lock(&self.listeners).clear();
    }

    /// Hears init until the jailer has removed the sandbox; then its belongings are dropped.
    async fn listen(&self, belongings: impl Send) {
        while let Ok(Some((message, descriptors))) = self.channel.receive().await {
            self.hear(message, descriptors);
        }
        self.destroyed.store(true, Ordering::Release);
        // Sockets keep their network namespace alive, and that its interfaces.
        lock(&self.listeners).clear();
        let pending = std::mem::take(&mut *lock(&self.pending));
        for start in pending.starts.into_values() {
            let _ = start.send(Err(Error::Destroyed));
        }
        let kills = self.measures.out_of_memory_kills();
        for running in pending.exits.into_values() {
            let out_of_memory = kills > running.kills_before;
            let _ = running.exit.send(Exit { status: ExitStatus::Signal(libc::SIGKILL), out_of_memory });
        }
        drop(belongings);
        self.gone.send_replace(true);
    }

    fn hear(&self, message: FromSandbox, descriptors: Vec<OwnedFd>) {
        let mut pending = lock(&self.pending);
        match message {
            FromSandbox::Started { process } => {
                if let Some(start) = pending.starts.remove(&process) {
                    let _ = start.send(Ok(descriptors
                        .first()
                        .and_then(pid_of)
                        .map(|pid| pid.as_raw_nonzero().get() as u32)));
                }
            }
            FromSandbox::NotStarted { process, executing, refusal } => {
                pending.exits.remove(&process);
                let StepError { step, source } = refusal.into();
                // The program's name is filled in by whoever asked.
                let error = match executing {
                    true => Error::Execute { program: String::new(), source },
                    false => Error::Setup { step, source },
                };
                if let Some(start) = pending.starts.remove(&process) {
                    let _ = start.send(Err(error));
                }
            }
            FromSandbox::Exited { process, code, signal } => {
                let Some(running) = pending.exits.remove(&process) else { return };
                let status = code.map_or(ExitStatus::Signal(signal.unwrap_or(0)), ExitStatus::Code);
                let out_of_memory = self.measures.out_of_memory_kills() > running.kills_before;
                let _ = running.exit.send(Exit { status, out_of_memory });
            }
            FromSandbox::Done { request } => {
                if let Some(done) = pending.requests.remove(&request) {
                    let _ = done.send(());
                }
            }
            FromSandbox::Socket { request, refusal } => {
                if let Some(made) = pending.sockets.remove(&request) {
                    let refused = refusal.map_or(Error::Destroyed, |refusal| StepError::from(refusal).into());
                    let _ = made.send(descriptors.into_iter().next().ok_or(refused));
                }
            }
            FromSandbox::Measures(_) | FromSandbox::Ready | FromSandbox::Failed(_) => {
                tracing::warn!(sandbox = self.id, "sandbox.unexpected_message");
            }
        }
    }

    fn alive(&self) -> Result<(), Error> {
        if self.destroyed.load(Ordering::Acquire) { Err(Error::Destroyed) } else { Ok(()) }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    async fn spawn(&self, command: Command) -> Result<Process, Error> {
        self.alive()?;
        let Pipes { read, write } = Pipes::open(command.log_descriptor)?;
        let program = command.program.display().to_string();
        let process = self.number();
        let (start, started) = oneshot::channel();
        let (exit, exited) = oneshot::channel();
        {
            let kills_before = self.measures.out_of_memory_kills();
            let mut pending = lock(&self.pending);
            pending.starts.insert(process, start);
            pending.exits.insert(process, Running { exit, kills_before });
        }
        let descriptors: Vec<_> = [&write.stdout, &write.stderr].into_iter().chain(&write.log).collect();
        let borrowed: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
        let sent = self.channel.send(&ToInit::Spawn { process, command }, &borrowed).await;
        drop(write);
        if let Err(source) = sent {
            let mut pending = lock(&self.pending);
            pending.starts.remove(&process);
            pending.exits.remove(&process);
            self.alive()?;
            return Err(Error::setup("ask for a process", source));
        }
        let host_pid = match started.await.map_err(|_| Error::Destroyed)? {
            Ok(host_pid) => host_pid,
            Err(Error::Execute { source, .. }) => return Err(Error::Execute { program, source }),
            Err(error) => return Err(error),
        };
        let Ends { stdout, stderr, log } = read;
        Ok(Process { number: process, host_pid, stdout, stderr, log, exit: exited })
    }

    async fn kill_all(&self) -> Result<(), Error> {
        self.alive()?;
        // Dying and reaping shall not wait for CPU time that the processes have used up.
        let lift = self.measures.limit_cpus(None);
        lift.map_err(|source| Error::setup("lift the CPU limit", source))?;
        self.freeze_by_kernel(false)?;
        let killed = self.ask(|request| ToInit::KillAll { request }).await;
        self.stopped.store(false, Ordering::Release);
        let _ = self.measures.limit_cpus(Some(self.limits.cpus));
        killed
    }

    /// Has init do something to all processes, and waits until it is done.
    async fn ask(&self, message: impl FnOnce(u64) -> ToInit) -> Result<(), Error> {
        let (sender, done) = oneshot::channel();
        let request = self.number();
        lock(&self.pending).requests.insert(request, sender);
        if self.channel.send(&message(request), &[]).await.is_err() {
            lock(&self.pending).requests.remove(&request);
            return Err(Error::Destroyed);
        }
        done.await.map_err(|_| Error::Destroyed)
    }

    /// Connects a socket that init has made: it is one of the sandbox's network namespace, and so is the address.
    async fn connect(&self, port: u16) -> Result<TcpStream, Error> {
        self.alive()?;
        let (sender, made) = oneshot::channel();
        let request = self.number();
        lock(&self.pending).sockets.insert(request, sender);
        if self.channel.send(&ToInit::Socket { request }, &[]).await.is_err() {
            lock(&self.pending).sockets.remove(&request);
            return Err(Error::Destroyed);
        }
        let socket = made.await.map_err(|_| Error::Destroyed)??;
        let socket = TcpSocket::from_std_stream(socket.into());
        let connected = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await;
        let connected = connected.and_then(|stream| match stream.local_addr()? == stream.peer_addr()? {
            // Nobody listens there, but the kernel gave this socket that very port, and so it has met itself.
            true => Err(std::io::ErrorKind::ConnectionRefused.into()),
            false => Ok(stream),
        });
        connected.map_err(|source| Error::setup(format!("connect to port {port} in the sandbox"), source))
    }

    /// Stops or continues all processes: by the kernel at once, or, without control groups, by init's signals.
    async fn freeze(&self, frozen: bool) -> Result<(), Error> {
        self.alive()?;
        if self.measures.freezable() {
            return self.freeze_by_kernel(frozen);
        }
        if self.stopped.swap(frozen, Ordering::AcqRel) == frozen {
            return Ok(());
        }
        self.ask(|request| ToInit::Stop { request, stopped: frozen }).await
    }

    fn freeze_by_kernel(&self, frozen: bool) -> Result<(), Error> {
        let step = if frozen { "freeze" } else { "thaw" };
        self.measures.freeze(frozen).map_err(|source| Error::setup(step, source))
    }

    async fn destroy(&self) {
        self.close();
        let mut gone = self.gone.subscribe();
        // The sender lives as long as `self`.
        let _ = gone.wait_for(|gone| *gone).await;
    }
}

/// The process that `descriptor` stands for, as long as it has not been reaped.
pub(super) fn pid_of(descriptor: &OwnedFd) -> Option<Pid> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd())).ok()?;
    let number: i32 = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())?;
    (number > 0).then(|| Pid::from_raw(number)).flatten()
}

/// The handle given out.
#[derive(Debug)]
pub(crate) struct SandboxHandle(Arc<Shared>);

impl SandboxHandle {
    pub(super) fn new(shared: &Arc<Shared>, tasks: &TaskTracker, belongings: impl Send + 'static) -> Self {
        let listening = Arc::clone(shared);
        tasks.spawn(async move { listening.listen(belongings).await });
        Self(Arc::clone(shared))
    }
}

impl Drop for SandboxHandle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Sandbox for SandboxHandle {
    fn id(&self) -> &str {
        &self.0.id
    }

    fn take_listeners(&self) -> Vec<TcpListener> {
        std::mem::take(&mut lock(&self.0.listeners))
    }

    fn spawn(&self, command: Command) -> BoxFuture<'_, Result<Process, Error>> {
        Box::pin(self.0.spawn(command))
    }

    fn signal(&self, process: u64, signal: Signal) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.0.alive()?;
            self.0.ask(|request| ToInit::Signal { request, process, signal }).await
        })
    }

    fn connect(&self, port: u16) -> BoxFuture<'_, Result<TcpStream, Error>> {
        Box::pin(self.0.connect(port))
    }

    fn kill_all(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.0.kill_all())
    }

    fn freeze(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.0.freeze(true))
    }

    fn thaw(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.0.freeze(false))
    }

    fn limit_cpus(&self, cpus: f64) {
        if let Err(error) = self.0.measures.limit_cpus(Some(cpus)) {
            tracing::warn!(sandbox = self.0.id, %error, "sandbox.limit_cpus.failed");
        }
    }

    fn usage(&self) -> Usage {
        self.0.measures.usage()
    }

    fn peak_memory_bytes(&self) -> u64 {
        self.0.measures.peak_memory_bytes()
    }

    fn reset_peak(&self) {
        self.0.measures.reset_peak();
    }

    fn destroy(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.destroy())
    }
}
