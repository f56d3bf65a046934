//! What names an image of a registry: `host/repository:tag` or `host/repository@sha256:…`.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::Error;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    text: String,
    /// Bytes of the text up to the first slash.
    host: usize,
    /// Bytes of the text in front of tag and digest.
    name: usize,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Host, and port if one is named.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.text[..self.host]
    }

    /// Without the host.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.text[self.host + 1..self.name]
    }

    /// The tag, if there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if there is one, which then names the image whatever the tag leads to.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What the registry knows the image by: a digest, or a tag.
    pub(crate) fn identifier(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
        }
    }

    /// The same repository's image of this digest.
    #[must_use]
    pub fn resolved(&self, digest: &Digest) -> String {
        format!("{}@{digest}", &self.text[..self.name])
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::Name(text.to_owned()))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse(text: &str) -> Option<Reference> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest.parse().ok()?)),
        None => (text, None),
    };
    let (host, path) = name.split_once('/')?;
    let (path, tag) = match path.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (path, None),
    };
    let named = is_host(host)
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && (tag.is_some() || digest.is_some());
    named.then(|| Reference {
        text: text.to_owned(),
        host: host.len(),
        name: host.len() + 1 + path.len(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

/// A name without dot or port is not a host but the first part of a repository on Docker Hub.
fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    is_name && is_port && (name.contains('.') || port.is_some() || name == "localhost")
}

fn is_component(component: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    bytes.iter().all(|byte| is_letter(*byte) || b"._-".contains(byte))
        && bytes.first().copied().is_some_and(is_letter)
        && bytes.last().copied().is_some_and(is_letter)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn names_of_images() {
        for (uri, resolved) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:latest", None),
            ("localhost/app:1", None),
            ("registry:5000/team/app_1.x:v1.2-rc_3", None),
            (&format!("public.ecr.aws/lambda/python@{DIGEST}"), Some("public.ecr.aws/lambda/python")),
            (&format!("host:1/app:tag@{DIGEST}"), Some("host:1/app")),
        ] {
            let image: Reference = uri.parse().unwrap();
            let found = image.digest().map(|digest| image.resolved(digest));
            assert_eq!(found, resolved.map(|name| format!("{name}@{DIGEST}")), "{uri}");
        }
        let image: Reference = "host:1/team/app:tag".parse().unwrap();
        assert_eq!(
            (image.host(), image.repository(), image.identifier().as_str()),
            ("host:1", "team/app", "tag")
        );
    }

    #[test]
    fn what_names_no_image() {
        for uri in [
            "",
            "app:latest",
            "team/app:latest",
            "host.com/app",
            "host.com/app:",
            "host.com/app:-tag",
            "host.com/App:tag",
            "host.com//app:tag",
            "host.com/app/:tag",
            "host.com/app:tag:tag",
            "host.com:port/app:tag",
            "host.com/app@sha256:0123",
            "host.com/app@md5:0123",
            "https://host.com/app:tag",
            "host.com/app:t\u{e4}g",
            &format!("host.com/app:{}", "t".repeat(129)),
            &format!("host.com/app@{}", DIGEST.to_uppercase()),
        ] {
            assert!(uri.parse::<Reference>().is_err(), "{uri}");
        }
        format!("host.com/app:{}", "t".repeat(128)).parse::<Reference>().unwrap();
    }
}
