//! Brings one subscriber's batches to it, one after the other, for as long as its processes live.
//!
//! A subscriber that refuses is tried again a few times, one that does not answer in time is not: it may have the
//! batch, and another copy would not make it faster. Then the batch is lost and counted. While the sandbox is frozen
//! nothing is sent and no time passes for the subscriber.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rushlight_model::clock::Clock;
use rushlight_sandbox::{BoxFuture, Error};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::post::post;
use super::queue::{Batch, Queue};
use super::subscription::{Destination, Subscription};

/// How long a subscriber may take for a batch.
const BATCH_TIME: Duration = Duration::from_secs(5);
/// Between one try of a batch and the next.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(1_000)];

/// Connects to a port of the sandbox.
pub(super) trait Dial: Send + Sync {
    fn dial(&self, port: u16) -> BoxFuture<'_, Result<TcpStream, Error>>;
}

/// Who delivers.
pub(super) struct Delivery<D> {
    pub(super) queue: Arc<Queue>,
    pub(super) subscription: Subscription,
    pub(super) clock: Clock,
    pub(super) frozen: watch::Receiver<bool>,
    pub(super) dial: D,
    /// The one over which lines go.
    pub(super) connection: Option<TcpStream>,
}

impl<D: Dial> Delivery<D> {
    /// Delivers for ever.
    pub(super) async fn run(mut self) {
        loop {
            self.queue.has_some().await;
            // Both branches are cancel-safe.
            tokio::select! {
                () = self.queue.has_batch() => {}
                () = self.clock.sleep(self.subscription.buffering.time) => {}
            }
            thawed(&mut self.frozen).await;
            let batch = self.queue.take(self.clock.now());
            let is_delivered = self.deliver(&batch).await;
            self.queue.done(&batch, is_delivered);
        }
    }

    async fn deliver(&mut self, batch: &Batch) -> bool {
        let body = self.body(batch);
        for pause in PAUSES.into_iter().map(Some).chain([None]) {
            thawed(&mut self.frozen).await;
            match self.attempt(&body).await {
                Some(Ok(())) => return true,
                Some(Err(error)) => tracing::debug!(%error, "telemetry.delivery_failed"),
                None => {
                    // A line may have been cut.
                    self.connection = None;
                    return false;
                }
            }
            match pause {
                Some(pause) if !self.queue.is_urgent() => self.clock.sleep(pause).await,
                _ => return false,
            }
        }
        false
    }

    /// Sends once; none if it takes too long.
    async fn attempt(&mut self, body: &[u8]) -> Option<io::Result<()>> {
        let (clock, mut frozen) = (self.clock.clone(), self.frozen.clone());
        frozen.mark_unchanged();
        let sent = self.send(body);
        tokio::pin!(sent);
        loop {
            tokio::select! {
                result = &mut sent => return Some(result),
                () = clock.sleep(BATCH_TIME) => {
                    if !frozen.has_changed().unwrap_or(false) {
                        return None;
                    }
                    thawed(&mut frozen).await;
                }
            }
        }
    }

    async fn send(&mut self, body: &[u8]) -> io::Result<()> {
        match &self.subscription.destination {
            Destination::Http { host, port, path } => {
                let stream = self.dial.dial(*port).await.map_err(io::Error::other)?;
                post(stream, (host, *port, path), body, &self.clock).await
            }
            Destination::Tcp { port } => {
                let open = self.connection.take().filter(is_open);
                let mut stream = match open {
                    Some(stream) => stream,
                    None => self.dial.dial(*port).await.map_err(io::Error::other)?,
                };
                stream.write_all(body).await?;
                self.connection = Some(stream);
                Ok(())
            }
        }
    }

    fn body(&self, batch: &Batch) -> Vec<u8> {
        let schema = self.subscription.schema;
        let mut body = Vec::new();
        match self.subscription.destination {
            Destination::Http { .. } => {
                body.push(b'[');
                for (index, record) in batch.records.iter().enumerate() {
                    if index > 0 {
                        body.push(b',');
                    }
                    record.write(schema, &mut body);
                }
                body.push(b']');
            }
            Destination::Tcp { .. } => {
                for record in &batch.records {
                    record.write(schema, &mut body);
                    body.push(b'\n');
                }
            }
        }
        body
    }
}

/// Completes while the sandbox is not frozen. Cancel-safe.
async fn thawed(frozen: &mut watch::Receiver<bool>) {
    // An error means that the environment is gone, and this task with it.
    let _ = frozen.wait_for(|frozen| !frozen).await;
}

/// Whether the peer has not closed. What it says is of no interest, and no more of it is read than fits here.
fn is_open(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0; 4096]) {
        Ok(length) => length > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

#[cfg(test)]
mod tests;
