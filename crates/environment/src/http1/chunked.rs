//! Chunked transfer encoding with trailers, as a parser that is fed whatever has arrived.

use bytes::{Buf, BytesMut};

use super::head::Malformed;

/// Longest line that gives a chunk's size, with its extensions.
const LONGEST_SIZE_LINE: usize = 1024;
/// Bytes that all trailers may have: one of them carries an error's JSON in base64.
const MOST_TRAILERS: usize = 256 * 1024;

/// Where the parser is.
#[derive(Debug, Default)]
pub(crate) enum Chunked {
    #[default]
    Size,
    Data(u64),
    /// The line feed that ends a chunk's data.
    End,
    Trailer {
        read: usize,
        trailers: Trailers,
    },
    Done,
}

/// The trailers that the Runtime API knows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Trailers {
    /// `Lambda-Runtime-Function-Error-Type`.
    pub(crate) error_type: Option<String>,
    /// `Lambda-Runtime-Function-Error-Body`, in base64.
    pub(crate) error_body: Option<Vec<u8>>,
}

/// How far the body has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All that was there is used; more has to come.
    More,
    /// The body is complete.
    Done(Trailers),
}

impl Chunked {
    /// Uses what `buffer` holds and gives data to `emit`.
    pub(crate) fn feed(
        &mut self,
        buffer: &mut BytesMut,
        emit: &mut impl FnMut(&[u8]),
    ) -> Result<Progress, Malformed> {
        loop {
            match self {
                Self::Size => {
                    let Some(line) = take_line(buffer, LONGEST_SIZE_LINE)? else {
                        return Ok(Progress::More);
                    };
                    *self = match size(&line)? {
                        0 => Self::Trailer { read: 0, trailers: Trailers::default() },
                        size => Self::Data(size),
                    };
                }
                Self::Data(left) => {
                    if buffer.is_empty() {
                        return Ok(Progress::More);
                    }
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                    emit(&buffer[..length]);
                    buffer.advance(length);
                    *left -= length as u64;
                    if *left == 0 {
                        *self = Self::End;
                    }
                }
                Self::End => match take_line(buffer, 2)? {
                    None => return Ok(Progress::More),
                    Some(line) if line.is_empty() => *self = Self::Size,
                    Some(_) => return Err(Malformed),
                },
                Self::Trailer { read, trailers } => {
                    let Some(line) = take_line(buffer, MOST_TRAILERS - *read)? else {
                        return Ok(Progress::More);
                    };
                    if line.is_empty() {
                        let trailers = std::mem::take(trailers);
                        *self = Self::Done;
                        return Ok(Progress::Done(trailers));
                    }
                    *read += line.len() + 2;
                    trailers.take(&line);
                }
                Self::Done => return Ok(Progress::Done(Trailers::default())),
            }
        }
    }
}

impl Trailers {
    fn take(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"lambda-runtime-function-error-type") {
            self.error_type = Some(String::from_utf8_lossy(value).into_owned());
        } else if name.eq_ignore_ascii_case(b"lambda-runtime-function-error-body") {
            self.error_body = Some(value.to_vec());
        }
    }
}

/// Takes a line off `buffer`, without its end; none if it has not arrived yet.
fn take_line(buffer: &mut BytesMut, longest: usize) -> Result<Option<BytesMut>, Malformed> {
    let Some(end) = buffer.iter().take(longest).position(|&byte| byte == b'\n') else {
        return if buffer.len() >= longest { Err(Malformed) } else { Ok(None) };
    };
    let mut line = buffer.split_to(end + 1);
    line.truncate(end);
    if line.last() == Some(&b'\r') {
        line.truncate(end - 1);
    }
    Ok(Some(line))
}

fn size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    u64::from_str_radix(digits, 16).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<Trailers>), Malformed> {
        let mut chunked = Chunked::default();
        let mut buffer = BytesMut::new();
        let mut body = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            if let Progress::Done(trailers) =
                chunked.feed(&mut buffer, &mut |part| body.extend_from_slice(part))?
            {
                return Ok((body, Some(trailers)));
            }
        }
        Ok((body, None))
    }

    #[test]
    fn data_and_trailers() {
        let text =
            b"5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.X\r\n\
            lambda-runtime-function-error-body: e30=\r\nOther: y\r\n\r\n";
        let expected =
            Trailers { error_type: Some("Runtime.X".to_owned()), error_body: Some(b"e30=".to_vec()) };
        assert_eq!(read(&[text]), Ok((b"hello world".to_vec(), Some(expected.clone()))));
        let bytewise: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&bytewise), Ok((b"hello world".to_vec(), Some(expected))));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(read(&[b"x\r\n"]), Err(Malformed));
        assert_eq!(read(&[b"\r\n"]), Err(Malformed));
        assert_eq!(read(&[b"1\r\nab\r\n"]), Err(Malformed));
        assert_eq!(read(&[b"ffffffffffffffffff\r\n"]), Err(Malformed));
        assert_eq!(read(&[&[b'1'; 2000]]), Err(Malformed));
        let trailers = [b"0\r\n".as_slice(), &vec![b'x'; MOST_TRAILERS]].concat();
        assert_eq!(read(&[&trailers]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(bytes in prop::collection::vec(prop::sample::select(b"012afz;:\r\n ".to_vec()), 0..200), cut in 0usize..200) {
            let cut = cut.min(bytes.len());
            let whole = read(&[&bytes]);
            let pieces = read(&[&bytes[..cut], &bytes[cut..]]);
            // Data before a fault may have been given out or not; success must be the same.
            prop_assert_eq!(whole.is_err(), pieces.is_err());
            if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
                prop_assert_eq!(whole, pieces);
            }
        }
    }
}
