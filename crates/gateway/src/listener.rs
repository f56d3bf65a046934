//! Connections: accepting them, keeping them within limits, and letting them end well.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::Gateway;
use crate::chain::Peer;

/// How much of a listener one client may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// How long a request's head may take, counted from the end of the request before it: so also how long an idle
    /// connection is kept.
    pub head_timeout: Duration,
    /// Bytes of request line and headers (AWS: 1 MB).
    pub head_bytes: usize,
    /// Number of headers.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            head_timeout: Duration::from_secs(65),
            head_bytes: 1024 * 1024,
            headers: 256,
        }
    }
}

/// How long a client may take to agree upon encryption.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A bound socket.
pub struct Listener {
    socket: TcpListener,
    limits: Limits,
    /// Encrypts, if it is there.
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds `address`, for plain text.
    ///
    /// # Errors
    /// What the kernel says, e.g. that the address is in use.
    pub async fn bind(address: SocketAddr, limits: Limits) -> std::io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, limits, tls: None })
    }

    /// Lets connections be encrypted.
    #[must_use]
    pub fn encrypted(self, tls: TlsAcceptor) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Where it listens: with the port that the kernel chose if 0 was asked for.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` is cancelled; then no connection is accepted, requests under way have `grace` to end, and
    /// what is left is cut.
    pub async fn serve(self, gateway: Arc<Gateway>, stop: CancellationToken, grace: Duration) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                _ = connections.join_next(), if connections.len() >= self.limits.connections => continue,
                accepted = self.socket.accept(), if connections.len() < self.limits.connections => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (gateway, stop, limits) = (Arc::clone(&gateway), stop.clone(), self.limits);
                    match self.tls.clone() {
                        None => connections.spawn(serve_connection(stream, gateway, limits, stop)),
                        Some(tls) => connections.spawn(serve_encrypted(stream, tls, gateway, limits, stop)),
                    };
                }
                Err(error) => {
                    // Out of descriptors, most likely: breathe before trying again.
                    tracing::warn!(%error, "listener.accept.failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.socket);
        let drained =
            tokio::time::timeout(grace, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "listener.shutdown.cut");
            connections.shutdown().await;
        }
    }
}

/// Serves one connection until it ends or, once `stop` is cancelled, until its request under way is answered.
pub async fn serve_connection(
    stream: TcpStream,
    gateway: Arc<Gateway>,
    limits: Limits,
    stop: CancellationToken,
) {
    let peer = peer(&stream, false);
    serve(stream, peer, gateway, limits, stop).await;
}

async fn serve_encrypted(
    stream: TcpStream,
    tls: TlsAcceptor,
    gateway: Arc<Gateway>,
    limits: Limits,
    stop: CancellationToken,
) {
    let peer = peer(&stream, true);
    let handshake = tokio::select! {
        handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => handshake,
        () = stop.cancelled() => return,
    };
    match handshake {
        Ok(Ok(stream)) => serve(stream, peer, gateway, limits, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "connection.handshake.failed"),
        Err(_) => tracing::debug!("connection.handshake.slow"),
    }
}

fn peer(stream: &TcpStream, is_encrypted: bool) -> Peer {
    // Answers are written in one piece; waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    Peer { address: stream.peer_addr().ok().map(|peer| peer.ip()), is_encrypted }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    gateway: Arc<Gateway>,
    limits: Limits,
    stop: CancellationToken,
) {
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(gateway.handle(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers)
        // A client may close its sending side and still wait for the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection.failed");
    }
}
