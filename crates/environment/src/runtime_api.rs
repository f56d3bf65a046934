//! The Runtime API (version 2018-06-01), served inside the sandbox to the function's own processes, which are not
//! trusted: everything that they send is bounded in size and, where the function's timeout does not do it, in time.
//!
//! Documentation followed: "Using the Lambda runtime API for custom runtimes" in the AWS Lambda developer guide.

mod answer;
mod credentials;
mod extension;
mod metadata;
mod reply;
mod subscribe;

use std::sync::Arc;

use tokio::net::TcpStream;

use self::reply::Reply;
use crate::Environment;
use crate::config::Initialization;
use crate::http1::head::{Endpoint, Head};
use crate::http1::{Body, ReadError, Reader};
use crate::lifecycle::Input;
use crate::waiter::{Event, Waiter};

pub(crate) use self::credentials::PATH as CREDENTIALS_PATH;

/// Bytes that may arrive while an event is awaited (a client that pipelines); a client that sends more is cut off.
const MOST_PIPELINED: usize = 64 * 1024;

/// The connection is to be closed.
#[derive(Debug)]
struct Close;

impl From<std::io::Error> for Close {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// One connection.
struct Connection {
    environment: Arc<Environment>,
    reader: Reader,
    writer: Arc<Waiter>,
    /// An answer that is held back until the next request, which has arrived, is answered too.
    held: &'static [u8],
    /// Since the runtime has asked for an event here.
    of_runtime: Option<OfRuntime>,
}

/// Counts a connection as the runtime's until it is closed.
struct OfRuntime(Arc<Environment>);

impl OfRuntime {
    fn new(environment: Arc<Environment>) -> Self {
        environment.runtime_connections.send_modify(|count| *count += 1);
        Self(environment)
    }
}

impl Drop for OfRuntime {
    fn drop(&mut self) {
        self.0.runtime_connections.send_modify(|count| *count -= 1);
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(environment: Arc<Environment>, stream: TcpStream) {
    let (read, write) = stream.into_split();
    let (reader, writer) = (Reader::new(read), Waiter::new(write));
    let mut connection = Connection { environment, reader, writer, held: b"", of_runtime: None };
    while connection.request().await.is_ok() {}
}

impl Connection {
    async fn request(&mut self) -> Result<(), Close> {
        let environment = self.environment.clone();
        let head = match self.reader.head(&environment.services.clock, &environment.large_heads).await {
            Ok(head) => head,
            Err(error) => return self.refuse(error).await,
        };
        let mut body = Body::of(&head);
        let is_snapshot = environment.config.initialization == Initialization::SnapStart;
        match head.endpoint {
            Endpoint::Next => {
                self.discard(&mut body).await?;
                self.next(Input::Next, head.closes).await?;
            }
            Endpoint::RestoreNext | Endpoint::RestoreError | Endpoint::Credentials if !is_snapshot => {
                self.finish(&head, &mut body, Ok(Reply::not_found())).await?;
            }
            Endpoint::RestoreNext => {
                self.discard(&mut body).await?;
                self.next(Input::RestoreNext, head.closes).await?;
            }
            Endpoint::RestoreError => {
                let reply = self.restore_error(&head, &mut body).await;
                self.finish(&head, &mut body, reply).await?;
            }
            Endpoint::Credentials => {
                let reply = credentials::credentials(&environment, &head);
                self.finish(&head, &mut body, Ok(reply)).await?;
            }
            Endpoint::Response(id) => {
                let reply = self.response(&head, &mut body, id).await;
                self.finish(&head, &mut body, reply).await?;
            }
            Endpoint::Error(id) => {
                let reply = self.error(&head, &mut body, id).await;
                self.finish(&head, &mut body, reply).await?;
            }
            Endpoint::InitError => {
                let reply = self.init_error(&head, &mut body).await;
                self.finish(&head, &mut body, reply).await?;
            }
            Endpoint::Register => {
                let reply = self.register(&head, &mut body).await;
                self.finish(&head, &mut body, reply).await?;
            }
            Endpoint::ExtensionNext => {
                self.discard(&mut body).await?;
                self.extension_next(&head).await?;
            }
            Endpoint::ExtensionInitError | Endpoint::ExtensionExitError => {
                let at_init = head.endpoint == Endpoint::ExtensionInitError;
                let reply = self.extension_error(&head, &mut body, at_init).await;
                self.finish(&head, &mut body, reply).await?;
            }
            Endpoint::Subscribe(api) => {
                let reply = self.subscribe(&head, &mut body, api).await;
                self.finish(&head, &mut body, reply).await?;
            }
            Endpoint::Metadata => {
                let reply = metadata::metadata(&environment, &head);
                self.finish(&head, &mut body, Ok(reply)).await?;
            }
            Endpoint::Ping => self.finish(&head, &mut body, Ok(Reply::pong())).await?,
            Endpoint::WrongMethod => self.finish(&head, &mut body, Ok(Reply::wrong_method())).await?,
            Endpoint::Unknown => self.finish(&head, &mut body, Ok(Reply::not_found())).await?,
        }
        if head.closes { Err(Close) } else { Ok(()) }
    }

    /// Waits until the event, or the word of the restore, is written. A client that wants the connection closed then may
    /// well read until it is.
    async fn next(&mut self, input: Input, closes: bool) -> Result<(), Close> {
        self.writer.arm(std::mem::take(&mut self.held));
        if let Err(refused) = self.environment.next(input, &self.writer) {
            self.writer.write_all(self.writer.take_first()).await?;
            return Ok(self.writer.write_all(Reply::refused(refused).bytes()).await?);
        }
        self.of_runtime.get_or_insert_with(|| OfRuntime::new(self.environment.clone()));
        loop {
            // What has arrived already does not wake this task again.
            let pipelined = self.reader.pending();
            match self.writer.take(pipelined > 0 || closes) {
                Event::Written => return Ok(()),
                Event::Rest(head, payload) => {
                    self.writer.write_all(&head).await?;
                    return Ok(self.writer.write_all(&payload).await?);
                }
                Event::Withdrawn => {
                    self.writer.write_all(self.writer.take_first()).await?;
                    return Err(Close);
                }
                Event::Awaited => {}
            }
            // Both branches are cancel-safe.
            tokio::select! {
                biased;
                () = self.writer.changed() => {}
                filled = self.reader.fill(), if pipelined < MOST_PIPELINED => match filled {
                    Ok(length) if length > 0 => {}
                    // If the event was written meanwhile, this only closes the connection.
                    _ => {
                        self.environment.next_gone(&self.writer);
                        return Err(Close);
                    }
                }
            }
        }
    }

    /// Reads what is left of the request, so that the client can read the answer, and answers.
    async fn finish(
        &mut self,
        head: &Head,
        body: &mut Body,
        reply: Result<Reply, ReadError>,
    ) -> Result<(), Close> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return self.refuse(error).await,
        };
        if !reply.body_was_read() {
            if head.expects_continue && self.reader.pending() == 0 {
                // The client has not sent its body yet and shall not: whether it will is for no one to know.
                self.writer.write_all(reply.bytes()).await?;
                return Err(Close);
            }
            self.discard(body).await?;
        }
        if let Some(bytes) = reply.as_accepted()
            && !head.closes
            && self.reader.next_is_pending()
        {
            self.held = bytes;
            return Ok(());
        }
        Ok(self.writer.write_all(reply.bytes()).await?)
    }

    async fn discard(&mut self, body: &mut Body) -> Result<(), Close> {
        match self.reader.discard(body).await {
            Ok(()) => Ok(()),
            Err(error) => self.refuse(error).await,
        }
    }

    /// Answers a request that could not be read, and closes.
    async fn refuse(&mut self, error: ReadError) -> Result<(), Close> {
        self.writer.write_all(std::mem::take(&mut self.held)).await?;
        if let Some(reply) = Reply::unreadable(&error) {
            self.writer.write_all(reply.bytes()).await?;
        }
        Err(Close)
    }
}
