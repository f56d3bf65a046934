//! HTTP/1.1 as the Runtime API needs it, on one connection.
//!
//! Written for this one purpose instead of using a general server because it is the hottest path of the system and
//! faces hostile code: a request is parsed in place without a map of headers, a body is read straight into the buffer
//! that the caller receives, the bytes that a connection may hold are counted, and an answer can be written by
//! whoever has it ([`crate::waiter`]) without waking the connection's task.

pub(crate) mod chunked;
pub(crate) mod head;

use bytes::{Bytes, BytesMut};
use rushlight_model::clock::Clock;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::Semaphore;

use self::chunked::{Chunked, Progress, Trailers};
use self::head::{Head, Length, Malformed};

/// Bytes of a request's head that every connection may hold.
const SMALL_HEAD: usize = 64 * 1024;
/// Bytes of a request's head that the few connections with a permit may hold: error causes for X-Ray are sent as
/// headers of up to 1 MiB.
const LARGE_HEAD: usize = 1024 * 1024 + SMALL_HEAD;
/// How long a head may take to arrive once it has begun.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Read at a time.
const PIECE: usize = 8 * 1024;

/// Why no (whole) request could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The peer has closed between requests, or the connection has failed.
    Closed,
    /// The head is larger than allowed.
    HeadTooLarge,
    /// The head did not arrive in time.
    TooSlow,
    /// The bytes are no HTTP request.
    Malformed,
    /// The body is larger than allowed; the rest of it is still to come.
    BodyTooLarge,
    /// The peer has closed within the body.
    Truncated,
}

impl From<Malformed> for ReadError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The receiving half of a connection.
pub(crate) struct Reader {
    half: OwnedReadHalf,
    buffer: BytesMut,
}

/// A body that is being read.
#[derive(Debug)]
pub(crate) enum Body {
    Sized(u64),
    Chunked(Chunked),
    /// All of it was read; what came behind it is still to be told.
    Ended(Trailers),
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Some(Bytes),
    End(Trailers),
}

/// A body that was read.
#[derive(Debug, Default)]
pub(crate) struct WholeBody {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: Trailers,
}

impl Reader {
    pub(crate) fn new(half: OwnedReadHalf) -> Self {
        Self { half, buffer: BytesMut::with_capacity(PIECE) }
    }

    /// Bytes that have arrived and were not used yet.
    pub(crate) fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the whole head of a request for the next event is among what has arrived.
    pub(crate) fn next_is_pending(&self) -> bool {
        self.buffer.starts_with(b"GET /2018-06-01/runtime/invocation/next ")
            && find(&self.buffer, b"\r\n\r\n").is_some()
    }

    /// Reads what arrives next; the number of bytes, zero at the end. Cancel-safe.
    pub(crate) async fn fill(&mut self) -> Result<usize, ReadError> {
        self.buffer.reserve(PIECE.min(1024));
        self.half.read_buf(&mut self.buffer).await.map_err(|_| ReadError::Closed)
    }

    /// Reads the head of the next request.
    pub(crate) async fn head(&mut self, clock: &Clock, large: &Semaphore) -> Result<Head, ReadError> {
        if let Some(head) = self.try_head(0)? {
            return Ok(head);
        }
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Err(ReadError::Closed);
        }
        match self.try_head(0)? {
            Some(head) => Ok(head),
            // Only a head that comes in pieces pays for a timer.
            None => tokio::select! {
                head = self.rest_of_head(large) => head,
                () = clock.sleep(HEAD_TIME) => Err(ReadError::TooSlow),
            },
        }
    }

    async fn rest_of_head(&mut self, large: &Semaphore) -> Result<Head, ReadError> {
        let mut permit = None;
        loop {
            let searched = self.buffer.len();
            if searched >= SMALL_HEAD && permit.is_none() {
                permit = Some(large.try_acquire().map_err(|_| ReadError::HeadTooLarge)?);
            }
            if searched >= LARGE_HEAD {
                return Err(ReadError::HeadTooLarge);
            }
            if self.fill().await? == 0 {
                return Err(ReadError::Closed);
            }
            if let Some(head) = self.try_head(searched)? {
                self.give_back();
                return Ok(head);
            }
        }
    }

    /// Parses a head if it is complete; the end is not among the first `searched` bytes.
    fn try_head(&mut self, searched: usize) -> Result<Option<Head>, ReadError> {
        let from = searched.saturating_sub(3);
        let Some(end) = self.buffer.get(from..).and_then(|new| find(new, b"\r\n\r\n")) else {
            return Ok(None);
        };
        let (head, length) = Head::parse(&self.buffer[..from + end + 4])?;
        let _ = self.buffer.split_to(length);
        Ok(Some(head))
    }

    /// Lets go of the memory that a large head needed.
    fn give_back(&mut self) {
        if self.buffer.capacity() > SMALL_HEAD {
            self.buffer = BytesMut::from(self.buffer.as_ref());
        }
    }

    /// Reads a body of at most `limit` bytes. After [`ReadError::BodyTooLarge`], [`Reader::discard`] reads the rest.
    pub(crate) async fn body(&mut self, body: &mut Body, limit: usize) -> Result<WholeBody, ReadError> {
        match body {
            Body::Sized(length) => match usize::try_from(*length) {
                Ok(length) if length <= limit => self.sized(length).await,
                _ => Err(ReadError::BodyTooLarge),
            },
            Body::Ended(trailers) => {
                Ok(WholeBody { bytes: Bytes::new(), trailers: std::mem::take(trailers) })
            }
            Body::Chunked(chunked) => {
                let mut collected = BytesMut::new();
                loop {
                    let mut too_large = false;
                    let progress = chunked.feed(&mut self.buffer, &mut |piece| {
                        too_large |= collected.len() + piece.len() > limit;
                        if !too_large {
                            collected.extend_from_slice(piece);
                        }
                    })?;
                    if too_large {
                        return Err(ReadError::BodyTooLarge);
                    }
                    if let Progress::Done(trailers) = progress {
                        return Ok(WholeBody { bytes: collected.freeze(), trailers });
                    }
                    self.fill_body().await?;
                }
            }
        }
    }

    /// Reads what comes next of a body, as it comes. Cancel-safe.
    pub(crate) async fn piece(&mut self, body: &mut Body) -> Result<Piece, ReadError> {
        loop {
            match body {
                Body::Sized(0) => return Ok(Piece::End(Trailers::default())),
                Body::Sized(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                    if length > 0 {
                        *left -= length as u64;
                        return Ok(Piece::Some(self.buffer.split_to(length).freeze()));
                    }
                }
                Body::Chunked(chunked) => {
                    let mut collected = BytesMut::new();
                    let progress =
                        chunked.feed(&mut self.buffer, &mut |piece| collected.extend_from_slice(piece))?;
                    match progress {
                        // What came with the end is given out first: fed again, the parser says that it is done.
                        Progress::Done(trailers) if collected.is_empty() => return Ok(Piece::End(trailers)),
                        Progress::Done(trailers) => {
                            *body = Body::Ended(trailers);
                            return Ok(Piece::Some(collected.freeze()));
                        }
                        Progress::More if !collected.is_empty() => {
                            return Ok(Piece::Some(collected.freeze()));
                        }
                        Progress::More => {}
                    }
                }
                Body::Ended(trailers) => return Ok(Piece::End(std::mem::take(trailers))),
            }
            self.fill_body().await?;
        }
    }

    async fn sized(&mut self, length: usize) -> Result<WholeBody, ReadError> {
        // A buffer of its own, which the caller of the invocation will hold: the connection's is used again.
        let mut body = BytesMut::with_capacity(length);
        let arrived = self.buffer.split_to(self.buffer.len().min(length));
        body.extend_from_slice(&arrived);
        drop(arrived);
        while body.len() < length {
            let left = length - body.len();
            let mut limited = (&mut self.half).take(left as u64);
            match limited.read_buf(&mut body).await {
                Ok(0) => return Err(ReadError::Truncated),
                Ok(_) => {}
                Err(_) => return Err(ReadError::Truncated),
            }
        }
        Ok(WholeBody { bytes: body.freeze(), trailers: Trailers::default() })
    }

    /// Reads the rest of a body and keeps nothing of it.
    pub(crate) async fn discard(&mut self, body: &mut Body) -> Result<(), ReadError> {
        loop {
            match body {
                Body::Sized(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                    let _ = self.buffer.split_to(length);
                    *left -= length as u64;
                    if *left == 0 {
                        return Ok(());
                    }
                }
                Body::Chunked(chunked) => {
                    if let Progress::Done(_) = chunked.feed(&mut self.buffer, &mut |_| {})? {
                        return Ok(());
                    }
                }
                Body::Ended(_) => return Ok(()),
            }
            self.fill_body().await?;
        }
    }

    async fn fill_body(&mut self) -> Result<(), ReadError> {
        match self.fill().await {
            Ok(0) | Err(_) => Err(ReadError::Truncated),
            Ok(_) => Ok(()),
        }
    }
}

impl Body {
    pub(crate) fn of(head: &Head) -> Self {
        match head.length {
            Length::Sized(length) => Self::Sized(length),
            Length::Chunked => Self::Chunked(Chunked::default()),
        }
    }
}

/// Where `needle` first occurs.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
