//! Who we are at which registry, in the form of Docker's `config.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde::Deserialize;

use crate::error::{Error, Result};

/// By host the header that says who we are.
#[derive(Debug, Clone, Default)]
pub struct Credentials(BTreeMap<String, HeaderValue>);

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Credentials {
    /// Reads a file; of what it has, `auths` counts.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::io(path))?;
        Self::parse(&bytes).ok_or_else(|| {
            Error::Invalid(format!("{} is not as Docker writes its config.json", path.display()))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let file: File = serde_json::from_slice(bytes).ok()?;
        let mut headers = BTreeMap::new();
        for (host, entry) in file.auths {
            let word = match (entry.auth, entry.username, entry.password) {
                (Some(auth), ..) if !auth.is_empty() => auth,
                (_, Some(name), Some(password)) => STANDARD.encode(format!("{name}:{password}")),
                // Such an entry says that a program of Docker's keeps the password.
                _ => continue,
            };
            let mut header = HeaderValue::try_from(format!("Basic {word}")).ok()?;
            header.set_sensitive(true);
            let host = host.trim_start_matches("https://").trim_start_matches("http://");
            headers.insert(host.split('/').next().unwrap_or(host).to_owned(), header);
        }
        Some(Self(headers))
    }

    pub(crate) fn of(&self, host: &str) -> Option<HeaderValue> {
        // Docker has its own registry under this name.
        let host = if host == "docker.io" { "index.docker.io" } else { host };
        self.0.get(host).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_by_host() {
        let text =
            br#"{"auths":{"https://a.com/v1/":{"auth":"dTpw"},"b:5000":{"username":"u","password":"p"},
            "c.com":{}},"credsStore":"x"}"#;
        let credentials = Credentials::parse(text).unwrap();
        for host in ["a.com", "b:5000"] {
            assert_eq!(credentials.of(host).unwrap(), "Basic dTpw", "{host}");
        }
        let hub =
            Credentials::parse(br#"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"}}}"#).unwrap();
        assert_eq!(hub.of("docker.io").unwrap(), "Basic dTpw");
        assert_eq!(credentials.of("c.com"), None);
        assert!(!format!("{credentials:?}").contains("dTpw"));
        assert!(Credentials::parse(b"1").is_none());
    }
}
