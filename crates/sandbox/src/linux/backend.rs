//! The backend whose sandboxes are made of Linux namespaces.

use std::path::PathBuf;

use crate::handle::JailerHandle;
use crate::{Backend, BoxFuture, Error, Isolation, Sandbox, Spec};

/// Of [`Options::ahead`] if nothing is said: each costs the kernel some hundred kilobytes.
const AHEAD: usize = 8;

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
    /// For how many sandboxes a network may be ready before they are asked for. Fewer are where fewer are made, and
    /// none where none is.
    pub ahead: usize,
    /// The program that becomes the jailer by calling
    /// [`jailer::main_if_requested`](crate::jailer::main_if_requested); `None` is this program.
    pub helper: Option<PathBuf>,
}

impl Options {
    /// The usual options for a data directory.
    pub fn new(data_dir: impl Into<PathBuf>, isolation: Isolation) -> Self {
        Self { data_dir: data_dir.into(), isolation, egress: true, ahead: AHEAD, helper: None }
    }
}

/// Makes sandboxes of Linux namespaces through the [`jailer`](crate::jailer).
#[derive(Debug)]
pub struct LinuxBackend {
    isolation: Isolation,
    jailer: JailerHandle,
    remarks: Vec<String>,
}

impl LinuxBackend {
    /// Starts the jailer and waits until it is prepared. To be called within a tokio runtime.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let isolation = options.isolation;
        if isolation == Isolation::None {
            let source = std::io::ErrorKind::InvalidInput.into();
            return Err(Error::setup("make namespaces without isolation", source));
        }
        let started = tokio::task::spawn_blocking(move || {
            let egress = options.egress && isolation != Isolation::Rootless;
            let directory = options.data_dir.join("sandbox");
            JailerHandle::start(options.helper.as_deref(), &directory, isolation, egress, options.ahead)
        });
        let (jailer, remarks) = started.await.map_err(|_| Error::HelperGone)??;
        for remark in &remarks {
            tracing::warn!(remark, "sandbox.limited");
        }
        Ok(Self { isolation, jailer, remarks })
    }

    /// What this machine does not offer to sandboxes, in sentences for people.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The process id of the jailer, while it runs.
    pub fn jailer_pid(&self) -> Option<u32> {
        self.jailer.pid()
    }
}

impl Backend for LinuxBackend {
    fn isolation(&self) -> Isolation {
        self.isolation
    }

    fn create(&self, spec: Spec) -> BoxFuture<'_, Result<Box<dyn Sandbox>, Error>> {
        Box::pin(
            async move { Ok(Box::new(self.jailer.make(spec, Vec::new(), ()).await?) as Box<dyn Sandbox>) },
        )
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.jailer.shutdown())
    }
}
