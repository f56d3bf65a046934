//! Reading a request's body within limits of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// How long the next piece of a body may take.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// A body beyond its limit is read to its end, so that the client hears the answer instead of a broken connection;
/// but no further than this.
const DRAIN_BYTES: u64 = 96 * 1024 * 1024;

/// Memory set aside on the word of a `Content-Length` alone.
const TRUSTED_CAPACITY: u64 = 256 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It has more bytes than allowed.
    TooLarge {
        /// How many, as far as it was read or announced.
        bytes: u64,
    },
    /// The next piece took too long.
    Slow,
    /// The connection broke or the transfer coding is wrong.
    Broken,
}

/// Reads the whole body. A body that comes in one piece is not copied.
pub(crate) async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        drain(body, announced).await?;
        return Err(BodyError::TooLarge { bytes: announced });
    }
    let mut first = Bytes::new();
    let mut whole: Option<BytesMut> = None;
    while let Some(piece) = next(&mut body).await? {
        let length = whole.as_ref().map_or(first.len(), BytesMut::len) + piece.len();
        if length > limit {
            let bytes = drain(body, length as u64).await?;
            return Err(BodyError::TooLarge { bytes });
        }
        match &mut whole {
            Some(whole) => whole.extend_from_slice(&piece),
            None if first.is_empty() => first = piece,
            None => {
                let capacity =
                    usize::try_from(announced.min(TRUSTED_CAPACITY)).unwrap_or_default().max(length);
                let mut joined = BytesMut::with_capacity(capacity);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&piece);
                whole = Some(joined);
            }
        }
    }
    Ok(whole.map_or(first, BytesMut::freeze))
}

/// Reads and forgets. Returns how many bytes there were with those read before.
async fn drain(mut body: Incoming, mut bytes: u64) -> Result<u64, BodyError> {
    let mut read: u64 = 0;
    while let Some(piece) = next(&mut body).await? {
        read += piece.len() as u64;
        if read > DRAIN_BYTES {
            break;
        }
        bytes = bytes.max(read);
    }
    Ok(bytes)
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    loop {
        let frame = tokio::time::timeout(PIECE_TIMEOUT, body.frame()).await.map_err(|_| BodyError::Slow)?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Broken),
            // Trailers are read over.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
