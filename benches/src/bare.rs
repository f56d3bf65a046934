//! The reference as the bench holds it: a child process with an address.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rushlight_auth::AccessKey;

use crate::function::Function;
use crate::load::Connection;
use crate::process::{Tree, end};
use crate::reference::BARE_START;
use crate::request::{Caller, Repeated};
use crate::server::EVENT;
use crate::settings::Settings;

const PATIENCE: Duration = Duration::from_secs(120);

/// A running reference; dropping it ends it and its instances.
#[derive(Debug)]
pub struct Reference {
    child: Child,
    caller: Caller,
}

/// What one start of an instance took.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// From before the spawn to the instance's first `next`.
    pub to_next: Duration,
    /// From before the request to the answer of the instance that it started.
    pub to_answer: Duration,
}

impl Reference {
    /// Starts the reference; `function`'s instances are up when this returns.
    ///
    /// # Errors
    /// When it does not start, or its instances do not.
    pub async fn start(
        settings: &Settings,
        function: Option<&Function>,
        instances: usize,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(&settings.bench);
        command.arg("reference").arg("--instances").arg(instances.to_string());
        if let Some(function) = function {
            let bare = &function.bare;
            command.arg("--directory").arg(&bare.directory);
            for (name, value) in &bare.variables {
                command.arg("--variable").arg(format!("{name}={value}"));
            }
            command.arg("--").arg(&bare.program).args(&bare.arguments);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", settings.bench.display()))?;
        let address = first_line(&mut child).and_then(|line| Ok(line.trim().parse::<SocketAddr>()?));
        // From here on, dropping the reference ends the child.
        let address_or_any = address.as_ref().copied().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let key = AccessKey::generate().context("making an access key")?;
        let reference = Self { child, caller: Caller { address: address_or_any, key } };
        address.context("learning the reference's address")?;
        reference.wait_for(instances).await?;
        Ok(reference)
    }

    async fn wait_for(&self, instances: usize) -> anyhow::Result<()> {
        let request = self.caller.request("GET", "/waiting", b"")?;
        let mut connection = Connection::open(self.caller.address).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let waiting = connection.exchange(&request).await?.body.to_vec();
            if waiting == instances.to_string().as_bytes() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the reference's instances do not come up");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// An invocation to be sent over and over.
    ///
    /// # Errors
    /// Never in practice; see [`Caller::invocation`].
    pub fn invocation(&self) -> anyhow::Result<Repeated> {
        self.caller.invocation("echo", EVENT)
    }

    /// Its processes.
    pub fn tree(&self) -> Tree {
        Tree::of(self.child.id())
    }

    /// Starts one instance, has it answer, and ends it.
    ///
    /// # Errors
    /// When the instance does not answer.
    pub async fn cold_start(&self) -> anyhow::Result<Start> {
        let request = self.caller.request("POST", "/start", EVENT)?;
        let mut connection = Connection::open(self.caller.address).await?;
        let sent = Instant::now();
        let answer = connection.exchange(&request).await.context("starting an instance")?;
        let to_answer = sent.elapsed();
        ensure!(answer.status == 200 && answer.body == EVENT, "the instance answered {}", answer.text());
        let micros = answer.header(BARE_START).and_then(|value| value.parse().ok());
        let to_next =
            Duration::from_micros(micros.context("the reference does not say how long a start took")?);
        connection
            .exchange(&self.caller.request("POST", "/stop", b"")?)
            .await
            .context("ending the instance")?;
        Ok(Start { to_next, to_answer })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // The end of its standard input ends it; the patience is for its instances.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        end(&mut self.child, Duration::ZERO);
    }
}

fn first_line(child: &mut Child) -> anyhow::Result<String> {
    let mut line = String::new();
    let output = child.stdout.take().context("the reference has no standard output")?;
    BufReader::new(output).read_line(&mut line)?;
    Ok(line)
}
