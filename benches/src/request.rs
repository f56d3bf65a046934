//! Requests to the Lambda API: signed, serialised, ready to be written to a socket.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use rushlight_auth::AccessKey;
use rushlight_auth::sigv4::{BodyHash, Payload, Signer, sign_request};
use rushlight_model::clock::Clock;

/// Who calls, and where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Signs the requests. The reference gets signatures too, and does not look at them: so both sides receive
    /// the same bytes and cost the generator the same.
    pub key: AccessKey,
}

const REGION: &str = "us-east-1";

impl Caller {
    /// One request, signed now.
    ///
    /// # Errors
    /// When the path is no path.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Bytes> {
        self.sign(method, path, body, Clock::real().now().as_seconds())
    }

    /// The invocation of a function, to be sent over and over.
    ///
    /// # Errors
    /// When the name cannot stand in a path.
    pub fn invocation(&self, function: &str, event: &[u8]) -> anyhow::Result<Repeated> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let event = Bytes::copy_from_slice(event);
        let clock = Clock::real();
        let second = clock.now().as_seconds();
        let current = self.sign("POST", &path, &event, second)?;
        Ok(Repeated { caller: self.clone(), path, event, clock, second, current })
    }

    fn sign(&self, method: &str, path: &str, body: &[u8], now: i64) -> anyhow::Result<Bytes> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("user-agent", "rushlight-bench")
            .header("content-length", body.len())
            .body(())
            .with_context(|| format!("making a request for {path}"))?;
        let mut parts = request.into_parts().0;
        let signer = Signer { access_key: &self.key, region: REGION, service: "lambda", now };
        sign_request(&signer, &mut parts, Payload::Hash(BodyHash::of(body))).context("signing")?;
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        for (name, value) in &parts.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Ok(bytes.into())
    }
}

/// A request that is sent many times. It is signed anew once a second: that is the resolution of a signature's
/// date, so signing each one would give the same bytes.
#[derive(Debug)]
pub struct Repeated {
    caller: Caller,
    path: String,
    event: Bytes,
    clock: Clock,
    second: i64,
    current: Bytes,
}

impl Repeated {
    /// The request as it is to be sent now.
    ///
    /// # Errors
    /// As [`Caller::invocation`].
    pub fn now(&mut self) -> anyhow::Result<Bytes> {
        let second = self.clock.now().as_seconds();
        if second != self.second {
            self.current = self.caller.sign("POST", &self.path, &self.event, second)?;
            self.second = second;
        }
        Ok(self.current.clone())
    }

    /// Where it goes.
    pub fn address(&self) -> SocketAddr {
        self.caller.address
    }

    /// What it carries, and what an echo answers.
    pub fn event(&self) -> &Bytes {
        &self.event
    }
}
