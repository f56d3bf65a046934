//! Requests to other servers: one connection for each, plain or encrypted, within limits of time and size.
//!
//! Nothing is spawned: a connection is driven by whoever waits for its answer, and ends with it.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Memory set aside on the word of a `Content-Length` alone.
const TRUSTED_CAPACITY: usize = 8 * 1024 * 1024;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection, encrypted if it is to be.
    pub connect: Duration,
    /// For the head of the answer once the request is sent.
    pub answer: Duration,
    /// For each further piece of the answer.
    pub piece: Duration,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection came about.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    /// The server takes too long.
    #[error("no answer within {} seconds", .0.as_secs())]
    Slow(Duration),
    /// The body is larger than was allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// Whoever takes the body cannot take it.
    #[error("the answer cannot be kept: {0}")]
    NotTaken(io::Error),
}

/// Speaks to one server.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// None for plain text; else whom to trust, and the name that the server is to prove.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    host: String,
    port: u16,
    authority: String,
    patience: Patience,
}

impl HttpClient {
    /// A client of the server that `url` (`http` or `https`) names; the path is of no matter here.
    ///
    /// # Errors
    /// One sentence: for another URL, and for `https` on a machine that trusts nobody.
    pub fn new(url: &Uri, patience: Patience) -> anyhow::Result<Self> {
        let encrypted = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => bail!("'{url}' begins neither with http:// nor with https://"),
        };
        let authority = url.authority().with_context(|| format!("'{url}' names no host"))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let tls = match encrypted {
            true => Some((tls_config()?, ServerName::try_from(host.clone())?)),
            false => None,
        };
        let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        // Names and passwords in the URL are of the operator, and are not passed on.
        let authority = authority.as_str().rsplit('@').next().unwrap_or_default().to_owned();
        Ok(Self { tls, host, port, authority, patience })
    }

    /// What belongs in the `Host` header.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Sends one request and reads the whole answer, whatever its status, unless its body has more than `limit` bytes.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn exchange(&self, request: Request<Full<Bytes>>, limit: u64) -> Result<Answer, HttpError> {
        let mut body = BytesMut::new();
        let mut take = |announced: usize, piece: &[u8]| {
            body.reserve(announced.min(TRUSTED_CAPACITY));
            body.extend_from_slice(piece);
            Ok(())
        };
        let (status, headers) = self.exchange_in_pieces(request, limit, |_| true, &mut take).await?;
        Ok(Answer { status, headers, body: body.freeze() })
    }

    /// The same with a body that is handed on as it comes, if its status is `wanted`: `take` hears how much is announced
    /// with the first piece, and each piece.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn exchange_in_pieces(
        &self,
        request: Request<Full<Bytes>>,
        limit: u64,
        wanted: fn(StatusCode) -> bool,
        take: &mut (dyn FnMut(usize, &[u8]) -> io::Result<()> + Send),
    ) -> Result<(StatusCode, HeaderMap), HttpError> {
        let connect = self.patience.connect;
        let stream = timeout(connect, self.connect()).await.map_err(|_| HttpError::Slow(connect))??;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let exchange = self.on_connection(sender, request, limit, wanted, take);
        tokio::pin!(connection, exchange);
        let mut open = true;
        loop {
            tokio::select! {
                answer = &mut exchange => return answer,
                ended = &mut connection, if open => {
                    ended?;
                    open = false;
                }
            }
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, HttpError> {
        let refused = |error: std::io::Error| HttpError::Connect(error.to_string());
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(refused)?;
        // Requests are written whole; without this nothing breaks, some are slower.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((config, name)) => {
                let encrypted = TlsConnector::from(config.clone()).connect(name.clone(), stream).await;
                Ok(Box::new(encrypted.map_err(refused)?))
            }
        }
    }

    async fn on_connection(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
        limit: u64,
        wanted: fn(StatusCode) -> bool,
        take: &mut (dyn FnMut(usize, &[u8]) -> io::Result<()> + Send),
    ) -> Result<(StatusCode, HeaderMap), HttpError> {
        let Patience { answer, piece, .. } = self.patience;
        let response = timeout(answer, sender.send_request(request)).await;
        let (head, body) = response.map_err(|_| HttpError::Slow(answer))??.into_parts();
        if wanted(head.status) {
            read(body, limit, piece, take).await?;
        }
        Ok((head.status, head.headers))
    }
}

/// What HTTP is spoken over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn read(
    mut body: Incoming,
    limit: u64,
    patience: Duration,
    take: &mut (dyn FnMut(usize, &[u8]) -> io::Result<()> + Send),
) -> Result<(), HttpError> {
    if body.size_hint().lower() > limit {
        return Err(HttpError::TooLarge);
    }
    let mut announced = usize::try_from(body.size_hint().lower()).unwrap_or_default();
    let mut left = limit;
    loop {
        let frame = timeout(patience, body.frame()).await.map_err(|_| HttpError::Slow(patience))?;
        let Some(frame) = frame else { return Ok(()) };
        // Trailers are read over.
        if let Ok(data) = frame?.into_data() {
            left = left.checked_sub(data.len() as u64).ok_or(HttpError::TooLarge)?;
            take(std::mem::take(&mut announced), &data).map_err(HttpError::NotTaken)?;
        }
    }
}

/// Trusts whom the machine trusts, or whom `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
pub fn tls_config() -> anyhow::Result<Arc<ClientConfig>> {
    static MADE: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made.clone());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ensure!(
        !roots.is_empty(),
        "this machine has no certificates of authorities that https could be checked against; install \
         ca-certificates, or name a file with SSL_CERT_FILE"
    );
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    Ok(MADE.get_or_init(|| config).clone())
}
