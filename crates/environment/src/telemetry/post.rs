//! One HTTP request with a batch to a subscriber, who is not trusted: what it answers is bounded in size, and whoever
//! calls bounds it in time.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use rushlight_model::clock::Clock;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest head of an answer.
const LARGEST_HEAD: usize = 16 * 1024;
/// The largest body that is read; nothing of it is used.
const LARGEST_BODY: usize = 64 * 1024;
/// How long it is read: a peer that is cut off while it writes might report an error of its own.
const BODY_TIME: Duration = Duration::from_millis(500);
/// More headers than this are refused.
const MOST_HEADERS: usize = 64;

/// The head of an answer, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Bytes of the body that are still to come, if that is said.
    left: Option<usize>,
}

/// Posts `body` and fails unless the answer is that it was taken.
pub(super) async fn post(
    mut stream: TcpStream,
    (host, port, path): (&str, u16, &str),
    body: &[u8],
    clock: &Clock,
) -> io::Result<()> {
    // The same for the same batch, by which a subscriber knows one that is sent again.
    let sequence = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(body));
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nSequence-Id: {sequence}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let answer = answer(&mut stream).await?;
    // Both branches are cancel-safe, for what is read is not used.
    tokio::select! {
        () = discard(&mut stream, answer.left.unwrap_or(LARGEST_BODY).min(LARGEST_BODY)) => {}
        () = clock.sleep(BODY_TIME) => {}
    }
    match answer.status {
        ..400 => Ok(()),
        status => Err(io::Error::other(format!("the subscriber answers with status {status}"))),
    }
}

async fn answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut arrived = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match parse(&mut arrived)? {
            Some(answer) => return Ok(answer),
            None if arrived.len() > LARGEST_HEAD => return Err(io::ErrorKind::InvalidData.into()),
            None => {}
        }
        match stream.read(&mut piece).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => arrived.extend_from_slice(&piece[..length]),
        }
    }
}

/// The final answer among what has arrived; none if it is not complete.
fn parse(arrived: &mut Vec<u8>) -> io::Result<Option<Answer>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(arrived) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        let status = response.code.ok_or(io::ErrorKind::InvalidData)?;
        if (100..200).contains(&status) {
            // Not yet the answer.
            arrived.drain(..length);
            continue;
        }
        let size = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let size = size.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
        let left = size.map(|size| size.saturating_sub(arrived.len() - length));
        return Ok(Some(Answer { status, left }));
    }
}

/// Reads as much, or to the end.
async fn discard(stream: &mut TcpStream, mut left: usize) {
    let mut piece = [0; 4096];
    while left > 0 {
        match stream.read(&mut piece).await {
            Ok(length) if length > 0 => left = left.saturating_sub(length),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers() {
        let answer = |text: &str| parse(&mut text.as_bytes().to_vec()).map_err(|_| ());
        let is = |status, left| Ok(Some(Answer { status, left }));
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\n"), is(200, None));
        assert_eq!(answer("HTTP/1.0 202 X\r\ncontent-length: 5\r\n\r\nab"), is(202, Some(3)));
        assert_eq!(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 X\r\n\r\n"), is(500, None));
        for partial in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\na: b\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
            assert_eq!(answer(partial), Ok(None), "{partial}");
        }
        for wrong in ["hello there\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/9 200 OK\r\n\r\n"] {
            assert_eq!(answer(wrong), Err(()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&mut bytes);
        }
    }
}
