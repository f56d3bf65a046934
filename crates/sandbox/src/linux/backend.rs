//! The server's side of the jailer.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::channel::Channel;
use super::sandbox::{LinuxSandbox, Shared};
use crate::jailer;
use crate::jailer::protocol::{self, Settings, ToJailer};
use crate::step::{During, StepError};
use crate::{Backend, BoxFuture, Error, Isolation, Sandbox, Spec};

/// How the Linux backend is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's data directory; the jailer keeps its files in `sandbox` beneath it. It should be on a disk,
    /// since sandboxes' `/tmp` is there.
    pub data_dir: PathBuf,
    /// [`Isolation::Sandbox`] or [`Isolation::Rootless`].
    pub isolation: Isolation,
    /// Whether [`Egress::Translated`](crate::Egress::Translated) is offered at all.
    pub egress: bool,
    /// The program that becomes the jailer by calling [`jailer::main_if_requested`]; `None` is this program.
    pub helper: Option<PathBuf>,
}

impl Options {
    /// The usual options for a data directory.
    pub fn new(data_dir: impl Into<PathBuf>, isolation: Isolation) -> Self {
        Self { data_dir: data_dir.into(), isolation, egress: true, helper: None }
    }
}

/// Makes sandboxes of Linux namespaces through the [`jailer`].
#[derive(Debug)]
pub struct LinuxBackend {
    isolation: Isolation,
    control: Channel,
    jailer: Mutex<Option<Child>>,
    remarks: Vec<String>,
    /// One task per sandbox, which hears what its init has to say.
    listeners: TaskTracker,
    sandboxes: Mutex<HashMap<u64, Weak<Shared>>>,
    next: AtomicU64,
    closed: AtomicBool,
}

impl LinuxBackend {
    /// Starts the jailer and waits until it is prepared. To be called within a tokio runtime.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let isolation = options.isolation;
        let started = tokio::task::spawn_blocking(move || start_jailer(&options)).await;
        let (child, socket, remarks) = started.map_err(|_| Error::HelperGone)??;
        for remark in &remarks {
            tracing::warn!(remark, "sandbox.limited");
        }
        Ok(Self {
            isolation,
            control: Channel::new(socket)?,
            jailer: Mutex::new(Some(child)),
            remarks,
            listeners: TaskTracker::new(),
            sandboxes: Mutex::default(),
            next: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// What this machine does not offer to sandboxes, in sentences for people.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The process id of the jailer, while it runs.
    pub fn jailer_pid(&self) -> Option<u32> {
        lock(&self.jailer).as_ref().map(Child::id)
    }

    async fn make(&self, spec: Spec) -> Result<LinuxSandbox, Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::HelperGone);
        }
        let (near, far) = protocol::pair().during("make a pair of sockets")?;
        let channel = Channel::new(near)?;
        let id = spec.id.clone();
        let limits = spec.limits;
        let message = ToJailer::Create(Box::new(spec));
        self.control.send(&message, &[far.as_fd()]).await.map_err(|_| Error::HelperGone)?;
        drop(far);
        let shared = Arc::new(Shared::complete(id, limits, channel).await?);
        let sandbox = LinuxSandbox::new(&shared, &self.listeners);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut sandboxes = lock(&self.sandboxes);
        sandboxes.retain(|_, sandbox| sandbox.strong_count() > 0);
        sandboxes.insert(number, Arc::downgrade(&shared));
        Ok(sandbox)
    }
}

fn start_jailer(options: &Options) -> Result<(Child, std::os::fd::OwnedFd, Vec<String>), StepError> {
    let rootless = options.isolation == Isolation::Rootless;
    let directory = options.data_dir.join("sandbox");
    std::fs::create_dir_all(&directory).during(format!("make {}", directory.display()))?;
    let directory = directory.canonicalize().during(format!("find {}", directory.display()))?;
    let settings =
        Settings { instance: instance(&directory), directory, rootless, egress: options.egress && !rootless };
    let helper = options.helper.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    let (mut child, socket) = jailer::start(&helper)?;
    match jailer::introduce(&socket, &settings) {
        Ok(remarks) => Ok((child, socket, remarks)),
        Err(error) => {
            drop(socket);
            let _ = child.wait();
            Err(error)
        }
    }
}

/// A short name for the data directory: the same at every start, and different from other servers'.
fn instance(directory: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt;

    // FNV-1a.
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = directory.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}

impl Backend for LinuxBackend {
    fn isolation(&self) -> Isolation {
        self.isolation
    }

    fn create(&self, spec: Spec) -> BoxFuture<'_, Result<Box<dyn Sandbox>, Error>> {
        Box::pin(async move { Ok(Box::new(self.make(spec).await?) as Box<dyn Sandbox>) })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.closed.store(true, Ordering::Release);
            let sandboxes: Vec<_> =
                lock(&self.sandboxes).drain().filter_map(|(_, weak)| weak.upgrade()).collect();
            sandboxes.iter().for_each(|sandbox| sandbox.close());
            self.control.close();
            // The jailer removes what is left, and ends.
            let Some(mut child) = lock(&self.jailer).take() else { return };
            let mut pauses = PATIENCE.as_millis();
            while has_not_ended(&mut child, &mut pauses) {
                tokio::time::sleep(PAUSE).await;
            }
            self.listeners.close();
            self.listeners.wait().await;
        })
    }
}

impl Drop for LinuxBackend {
    fn drop(&mut self) {
        self.control.close();
        // Waits for the jailer's tidying: a few milliseconds.
        if let Some(mut child) = lock(&self.jailer).take() {
            let mut pauses = PATIENCE.as_millis();
            while has_not_ended(&mut child, &mut pauses) {
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// How long the jailer may take to remove everything.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether it has.
const PAUSE: Duration = Duration::from_millis(1);

/// Whether to wait longer for the jailer. One that does not end is killed: sandboxes die with it, and the next start
/// removes their control groups.
fn has_not_ended(child: &mut Child, pauses: &mut u128) -> bool {
    if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
        return false;
    }
    *pauses = pauses.saturating_sub(1);
    if *pauses > 0 {
        return true;
    }
    tracing::error!(jailer = child.id(), "sandbox.jailer.stuck");
    let _ = child.kill();
    let _ = child.wait();
    false
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
