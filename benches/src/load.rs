//! The load generator: one kept-alive connection per worker, the next request when the last is answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::request::Repeated;
use crate::statistics::Latencies;

/// A kept-alive HTTP/1.1 connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, as it lies in the connection's buffer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }

    /// The body as an error message would show it.
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(self.body))
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer states no length.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (head, end) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            let end = head + 4 + body_length(&self.buffer[..head])?;
            if self.buffer.len() >= end {
                break (head, end);
            }
        };
        let status = status(&self.buffer[..head])?;
        Ok(Answer { status, head: &self.buffer[..head], body: &self.buffer[head + 4..end] })
    }
}

fn status(head: &[u8]) -> io::Result<u16> {
    let digits = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn body_length(head: &[u8]) -> io::Result<usize> {
    match header(head, "content-length") {
        Some(length) => length.parse().map_err(|_| io::ErrorKind::InvalidData.into()),
        None if status(head)? == 204 => Ok(0),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without Content-Length")),
    }
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| &line[colon + 1..])?;
        std::str::from_utf8(value).ok().map(str::trim)
    })
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of the requests that were answered as they should be.
    pub latencies: Latencies,
    /// Requests that were not.
    pub failures: usize,
    /// What the first of them got.
    pub first_failure: Option<String>,
    /// From the first request's start to the last answer.
    pub elapsed: Duration,
}

impl Outcome {
    /// Right answers per second.
    pub fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends `request` over `connections` connections until `window` is over. Every request must be answered with its
/// own event.
///
/// # Errors
/// When a connection cannot be made or breaks.
pub async fn run(request: Repeated, connections: usize, window: Duration) -> anyhow::Result<Outcome> {
    let address = request.address();
    let event = request.event().clone();
    let request = Arc::new(Mutex::new(request));
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(Connection::open(address).await.with_context(|| format!("connecting to {address}"))?);
    }
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for connection in opened {
        workers.spawn(work(connection, Arc::clone(&request), event.clone(), started + window));
    }
    let mut samples = Vec::new();
    let mut outcome = Outcome::default();
    while let Some(finished) = workers.join_next().await {
        let (mut own, failures) = finished??;
        samples.append(&mut own);
        outcome.failures += failures.len();
        outcome.first_failure = outcome.first_failure.or_else(|| failures.into_iter().next());
    }
    outcome.elapsed = started.elapsed();
    outcome.latencies = Latencies::new(samples);
    Ok(outcome)
}

async fn work(
    mut connection: Connection,
    request: Arc<Mutex<Repeated>>,
    event: bytes::Bytes,
    deadline: Instant,
) -> anyhow::Result<(Vec<Duration>, Vec<String>)> {
    let mut samples = Vec::with_capacity(16 * 1024);
    let mut failures = Vec::new();
    let mut sent = Instant::now();
    while sent < deadline {
        let bytes = request.lock().now()?;
        let answer = connection.exchange(&bytes).await.context("invoking")?;
        let answered = Instant::now();
        if answer.status == 200 && answer.body == &event[..] {
            samples.push(answered - sent);
        } else {
            failures.push(answer.text());
        }
        sent = answered;
    }
    Ok((samples, failures))
}
