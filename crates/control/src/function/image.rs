//! Container images: what names one, and what a function says about how it is run.
//!
//! Images are not fetched yet, so nobody knows whether there is one of that name. What can be told from the name alone
//! is told when the function is created, the rest when it is invoked.

use rushlight_api::lambda::types;
use rushlight_model::function::Code;

use crate::error::{Error, Result};

/// How much the settings of an image may hold as JSON, in bytes (16 KB).
const SETTINGS_BYTES: usize = 16_384;

/// `host/repository:tag` or `host/repository@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageReference {
    pub(super) uri: String,
    /// Bytes of `uri` in front of tag and digest.
    repository: usize,
    /// In lower-case hex.
    digest: Option<String>,
}

impl ImageReference {
    /// On AWS an image is in ECR, in the region of the function; here it may be in any registry.
    pub(super) fn parse(uri: &str) -> Result<Self> {
        let parsed = Self::parts(uri).ok_or_else(|| {
            Error::invalid(format!("Source image {uri} is not valid. Provide a valid source image."))
        });
        parsed.map(|(repository, digest)| Self {
            uri: uri.to_owned(),
            repository,
            digest: digest.map(str::to_owned),
        })
    }

    /// The length of host and repository, and the digest if there is one.
    fn parts(uri: &str) -> Option<(usize, Option<&str>)> {
        let (name, digest) = match uri.split_once('@') {
            Some((name, digest)) => (name, Some(digest.strip_prefix("sha256:")?)),
            None => (uri, None),
        };
        let (host, path) = name.split_once('/')?;
        let (path, tag) = match path.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        let named = is_host(host)
            && path.split('/').all(is_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest)
            && (tag.is_some() || digest.is_some());
        named.then_some((host.len() + 1 + path.len(), digest))
    }

    /// The image as it is whatever the tag leads to later.
    pub(super) fn resolved(&self) -> Option<String> {
        let digest = self.digest.as_deref()?;
        Some(format!("{}@sha256:{digest}", &self.uri[..self.repository]))
    }
}

/// The hash of an image as `CodeSha256` shows it.
pub(super) fn sha256(resolved_uri: &str) -> Option<String> {
    resolved_uri.rsplit_once("@sha256:").map(|(_, digest)| digest.to_owned())
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

fn is_digest(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Replaces what overrides the image's own settings.
pub(super) fn configure(code: &mut Code, given: &types::ImageConfig) -> Result<()> {
    if let Code::Image { entry_point, command, working_directory, .. } = code {
        let lists = [&given.entry_point, &given.command].into_iter().flatten().flatten();
        let bytes = lists.chain(&given.working_directory).map(String::len).sum::<usize>();
        if bytes > SETTINGS_BYTES {
            return Err(Error::invalid("The settings of a container image may not exceed 16 KB."));
        }
        entry_point.clone_from(&given.entry_point);
        command.clone_from(&given.command);
        working_directory.clone_from(&given.working_directory);
    }
    Ok(())
}

/// The answer to settings that an image has of itself.
pub(super) fn brings_its_own() -> Error {
    Error::invalid(
        "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
    )
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
            let image = ImageReference::parse(uri).unwrap();
            assert_eq!(image.resolved(), resolved.map(|name| format!("{name}@{DIGEST}")), "{uri}");
        }
        assert_eq!(sha256(&format!("a/b@{DIGEST}")).as_deref(), DIGEST.strip_prefix("sha256:"));
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
            let refusal = ImageReference::parse(uri).unwrap_err().to_string();
            assert_eq!(refusal, format!("Source image {uri} is not valid. Provide a valid source image."));
        }
        ImageReference::parse(&format!("host.com/app:{}", "t".repeat(128))).unwrap();
    }
}
