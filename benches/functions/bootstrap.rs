//! A function that answers with its event, in as little as a Runtime API client can be: one blocking socket, no
//! parsing beyond what the protocol needs. The bench compiles this file by itself, linked statically.

use std::io::{Read, Write};
use std::net::TcpStream;

fn main() {
    let address = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("AWS_LAMBDA_RUNTIME_API is set");
    let mut stream = TcpStream::connect(&address).expect("the Runtime API accepts connections");
    stream.set_nodelay(true).expect("a TCP socket can be told not to delay");
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        exchange(&mut stream, next.as_bytes(), &mut buffer);
        let (head, body) = split(&buffer);
        let id = header(head, "lambda-runtime-aws-request-id").expect("an event has a request id");
        let mut response = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        response.extend_from_slice(body);
        exchange(&mut stream, &response, &mut buffer);
    }
}

/// Sends a request and reads one whole answer into `buffer`. Ends the process when the server has gone.
fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) {
    stream.write_all(request).unwrap_or_else(|_| std::process::exit(0));
    buffer.clear();
    let mut chunk = [0; 16 * 1024];
    while !complete(buffer) {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => std::process::exit(0),
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

fn complete(answer: &[u8]) -> bool {
    let Some(end) = head_end(answer) else { return false };
    let head = std::str::from_utf8(&answer[..end]).expect("a head is text");
    let length = header(head, "content-length").map_or(0, |value| value.parse().expect("a length is a number"));
    answer.len() >= end + 4 + length
}

fn split(answer: &[u8]) -> (&str, &[u8]) {
    let end = head_end(answer).expect("the answer is complete");
    (std::str::from_utf8(&answer[..end]).expect("a head is text"), &answer[end + 4..])
}

fn head_end(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
