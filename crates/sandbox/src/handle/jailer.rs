//! The server's handle of its jailer.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::channel::Channel;
use super::lock;
use super::sandbox::{SandboxHandle, Shared};
use crate::jailer;
use crate::jailer::protocol::{self, Settings, ToJailer};
use crate::step::During;
use crate::{Error, Isolation, Spec};

/// A running jailer. Dropping it ends the jailer, and with it all its sandboxes.
#[derive(Debug)]
pub(crate) struct JailerHandle {
    control: Channel,
    jailer: Mutex<Option<Child>>,
    /// One per sandbox, which hears what its init has to say.
    tasks: TaskTracker,
    sandboxes: Mutex<HashMap<u64, Weak<Shared>>>,
    next: AtomicU64,
    closed: AtomicBool,
}

impl JailerHandle {
    /// Starts `helper` (this program, if none) as a jailer with its files in `directory`, and waits until it is
    /// prepared; gives its remarks on the machine too. To be called within a tokio runtime.
    pub(crate) fn start(
        helper: Option<&Path>,
        directory: &Path,
        isolation: Isolation,
        egress: bool,
        ahead: usize,
    ) -> Result<(Self, Vec<String>), Error> {
        std::fs::create_dir_all(directory).during(format!("make {}", directory.display()))?;
        let directory = directory.canonicalize().during(format!("find {}", directory.display()))?;
        let settings = Settings { instance: instance(&directory), directory, isolation, egress, ahead };
        let (mut child, socket) = jailer::start(helper.unwrap_or(Path::new("/proc/self/exe")))?;
        let remarks = match jailer::introduce(&socket, &settings) {
            Ok(remarks) => remarks,
            Err(error) => {
                drop(socket);
                let _ = child.wait();
                return Err(error.into());
            }
        };
        let handle = Self {
            control: Channel::new(socket)?,
            jailer: Mutex::new(Some(child)),
            tasks: TaskTracker::new(),
            sandboxes: Mutex::default(),
            next: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        };
        Ok((handle, remarks))
    }

    /// The process id of the jailer, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        lock(&self.jailer).as_ref().map(Child::id)
    }

    /// Has the jailer make a sandbox, and waits until it is complete. `listeners` are given out with those that it
    /// makes; `belongings` are dropped when the sandbox is gone, whichever way.
    pub(crate) async fn make(
        &self,
        spec: Spec,
        listeners: Vec<TcpListener>,
        belongings: impl Send + 'static,
    ) -> Result<SandboxHandle, Error> {
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
        let shared = Arc::new(Shared::complete(id, limits, channel, listeners).await?);
        let sandbox = SandboxHandle::new(&shared, &self.tasks, belongings);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut sandboxes = lock(&self.sandboxes);
        sandboxes.retain(|_, sandbox| sandbox.strong_count() > 0);
        sandboxes.insert(number, Arc::downgrade(&shared));
        Ok(sandbox)
    }

    /// Destroys every sandbox and ends the jailer.
    pub(crate) async fn shutdown(&self) {
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
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for JailerHandle {
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

/// A short name for the data directory: the same at every start, and different from other servers'.
fn instance(directory: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;

    // FNV-1a.
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = directory.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
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
