//! The bytes of a layer, whatever it is compressed with: told by its first bytes, not by its media type.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BUFFER: usize = 128 * 1024;

/// Reads what is in `source`.
pub(crate) fn reader<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = BufReader::with_capacity(BUFFER, source);
    let start = source.fill_buf()?;
    if start.starts_with(GZIP) {
        Ok(Box::new(MultiGzDecoder::new(source)))
    } else if start.starts_with(ZSTD) {
        Ok(Box::new(Zstd { decoder: None, source: Some(source) }))
    } else {
        Ok(Box::new(source))
    }
}

/// All frames of a file, one after the other.
struct Zstd<R: BufRead> {
    decoder: Option<StreamingDecoder<R, FrameDecoder>>,
    /// Between two frames.
    source: Option<R>,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(decoder) = &mut self.decoder {
                let read = decoder.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
                self.source = self.decoder.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut source) = self.source.take() else { return Ok(0) };
            if source.fill_buf()?.is_empty() {
                self.source = Some(source);
                return Ok(0);
            }
            if is_skippable(source.fill_buf()?) {
                skip(&mut source)?;
                self.source = Some(source);
            } else {
                self.decoder = Some(StreamingDecoder::new(source).map_err(io::Error::other)?);
            }
        }
    }
}

/// Whether a frame begins that holds something else than the file: see RFC 8878, section 3.1.2.
fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn skip(source: &mut impl BufRead) -> io::Result<()> {
    let mut head = [0; 8];
    source.read_exact(&mut head)?;
    let [_, _, _, _, length @ ..] = head;
    let length = u64::from(u32::from_le_bytes(length));
    io::copy(&mut source.take(length), &mut io::sink()).map(drop)
}

/// Hashes and counts what is read, and lets no more than so much through.
pub(crate) struct Counted<R> {
    source: R,
    hash: Sha256,
    left: u64,
}

/// More came than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than may be unpacked")]
pub(crate) struct TooMuch;

impl<R: Read> Counted<R> {
    pub(crate) fn new(source: R, limit: u64) -> Self {
        Self { source, hash: Sha256::new(), left: limit }
    }

    /// Reads to the end; the digest of all, and how much more could have come.
    pub(crate) fn finish(mut self) -> io::Result<(Digest, u64)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((Digest::from(self.hash), self.left))
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other(TooMuch))?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
