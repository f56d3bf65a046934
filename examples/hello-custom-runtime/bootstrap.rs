//! A custom runtime in one file: speaks the Lambda Runtime API over a plain socket, without dependencies.
//!
//! rustc --edition 2024 -O -C target-feature=+crt-static -o bootstrap bootstrap.rs

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const API: &str = "/2018-06-01/runtime/invocation";

struct Message {
    request_id: String,
    body: Vec<u8>,
}

/// Sends a request and reads the answer.
fn call(stream: &mut BufReader<TcpStream>, head: String, body: &[u8]) -> std::io::Result<Message> {
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    stream.get_mut().write_all(&request)?;
    let (mut length, mut request_id) = (0, String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(": ") {
            None if line.trim_end().is_empty() => break,
            None => {}
            Some((name, value)) => match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(std::io::Error::other)?,
                "lambda-runtime-aws-request-id" => request_id = value.to_owned(),
                _ => {}
            },
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Message { request_id, body })
}

fn main() -> std::io::Result<()> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(std::io::Error::other)?;
    let socket = TcpStream::connect(&host)?;
    socket.set_nodelay(true)?;
    let mut stream = BufReader::new(socket);
    loop {
        let next = call(&mut stream, format!("GET {API}/next HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[])?;
        println!("hello from a custom runtime, request {}", next.request_id);
        let event = String::from_utf8_lossy(&next.body);
        let result = format!("{{\"message\":\"Hello from a custom runtime!\",\"event\":{event}}}");
        let head = format!(
            "POST {API}/{}/response HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            next.request_id,
            result.len()
        );
        call(&mut stream, head, result.as_bytes())?;
    }
}
