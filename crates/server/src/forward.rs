//! Services of the operator's that listen on the host's loopback address, offered inside sandboxes at the same port.
//!
//! A sandbox has a loopback of its own, so `--endpoint sqs=http://127.0.0.1:4566` would lead nowhere there. The server
//! listens at that port inside each sandbox and carries the bytes to the service. Nothing else of the host's loopback
//! can be reached.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::ensure;
use http::Uri;
use rushlight_environment::{Forward, RESERVED_PORTS, ServeEndpoint};
use rushlight_store::BoxFuture;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

/// The forwards that these endpoints (service → URL) need.
///
/// # Errors
/// If a service listens where sandboxes have something of their own, or two at one port of different addresses.
pub fn forwards(endpoints: &BTreeMap<String, String>) -> anyhow::Result<Vec<Forward>> {
    let mut targets: BTreeMap<u16, String> = BTreeMap::new();
    for (service, url) in endpoints {
        let Some((port, target)) = url.parse::<Uri>().ok().and_then(|uri| loopback(&uri)) else { continue };
        ensure!(
            !RESERVED_PORTS.contains(&port),
            "--endpoint {service}={url}: port {port} is taken inside sandboxes; let the service listen at another one"
        );
        let first = targets.entry(port).or_insert_with(|| target.clone());
        ensure!(
            *first == target,
            "--endpoint {service}={url}: {first} is forwarded into sandboxes at the same port; \
             let one of the two listen at another one"
        );
    }
    let forward =
        |(port, target)| Forward { port, serve: Arc::new(Carry { target }) as Arc<dyn ServeEndpoint> };
    Ok(targets.into_iter().map(forward).collect())
}

/// The URL by which processes in a sandbox reach `url`: its loopback address is the one that sandboxes listen at.
pub fn inside(url: &str) -> String {
    let Some(uri) = url.parse::<Uri>().ok().filter(|uri| loopback(uri).is_some()) else {
        return url.to_owned();
    };
    match uri.host() {
        Some("localhost") | None => url.to_owned(),
        Some(host) => url.replacen(host, "127.0.0.1", 1),
    }
}

/// Port and address of a service on the host's loopback.
fn loopback(uri: &Uri) -> Option<(u16, String)> {
    let host = uri.host()?;
    let address = match host {
        "localhost" => "127.0.0.1",
        "[::1]" => host,
        other => other.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_loopback).map(|_| other)?,
    };
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    Some((port, format!("{address}:{port}")))
}

/// Carries bytes between a connection from a sandbox and a service of the host.
struct Carry {
    target: String,
}

impl ServeEndpoint for Carry {
    fn serve(&self, mut inside: TcpStream) -> BoxFuture<'static, ()> {
        let target = self.target.clone();
        Box::pin(async move {
            let mut outside = match TcpStream::connect(&target).await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(target, %error, "endpoint.unreachable");
                    return;
                }
            };
            // Either side may go away at any time: that ends the connection, and the other side sees it.
            let _ = copy_bidirectional(&mut inside, &mut outside).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(pairs: &[(&str, &str)]) -> anyhow::Result<Vec<u16>> {
        let endpoints = pairs.iter().map(|&(service, url)| (service.to_owned(), url.to_owned())).collect();
        Ok(forwards(&endpoints)?.iter().map(|forward| forward.port).collect())
    }

    #[test]
    fn only_services_on_the_loopback_are_forwarded() {
        let endpoints = [
            ("sqs", "http://127.0.0.1:4566"),
            ("s3", "http://localhost:4566/path"),
            ("kms", "https://[::1]"),
            ("logs", "http://10.0.0.1:80"),
            ("sns", "http://localhost.example:81"),
        ];
        assert_eq!(ports(&endpoints).unwrap(), [443, 4566]);
    }

    #[test]
    fn the_same_port_of_two_addresses_is_refused() {
        let error = ports(&[("s3", "http://127.0.0.2:80"), ("sqs", "http://127.0.0.1:80")]).unwrap_err();
        assert!(error.to_string().contains("at the same port"), "{error}");
        let error = ports(&[("s3", "http://localhost:9001")]).unwrap_err();
        assert!(error.to_string().contains("taken inside sandboxes"), "{error}");
    }

    #[test]
    fn urls_lead_to_the_loopback_of_the_sandbox() {
        assert_eq!(inside("https://[::1]:8443/x"), "https://127.0.0.1:8443/x");
        assert_eq!(inside("http://127.0.0.9:1"), "http://127.0.0.1:1");
        assert_eq!(inside("http://localhost:1"), "http://localhost:1");
        assert_eq!(inside("http://sqs.example:1"), "http://sqs.example:1");
    }
}
