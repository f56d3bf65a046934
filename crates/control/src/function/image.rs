//! Container images: which one a function is made of, and what it says about how that is run.

use std::sync::Arc;

use rushlight_api::lambda::types;
use rushlight_image::Reference;
use rushlight_model::function::{Architecture, Code};

use crate::dependencies::{ContainerImages, ImageError};
use crate::error::{Error, Result};

/// How much the settings of an image may hold as JSON, in bytes (16 KB).
const SETTINGS_BYTES: usize = 16_384;

/// An image, and what it is whatever its tag leads to later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) uri: String,
    /// With a digest; none where nobody fetches images.
    pub(super) resolved_uri: Option<String>,
}

impl Image {
    /// The image that a reference leads to now. On AWS it is in ECR, in the region of the function; here it may be in
    /// any registry.
    pub(super) async fn resolve(
        uri: &str,
        architecture: Architecture,
        images: Option<&Arc<dyn ContainerImages>>,
    ) -> Result<Self> {
        let reference: Reference = uri.parse().map_err(|_| {
            Error::invalid(format!("Source image {uri} is not valid. Provide a valid source image."))
        })?;
        let resolved_uri = match images {
            Some(images) => {
                Some(images.resolve(uri, architecture).await.map_err(|error| refusal(uri, error))?)
            }
            None => reference.digest().map(|digest| reference.resolved(digest)),
        };
        Ok(Self { uri: uri.to_owned(), resolved_uri })
    }
}

/// What AWS says of an image that cannot be had, and more where AWS has less to say.
fn refusal(uri: &str, error: ImageError) -> Error {
    match error {
        ImageError::NotFound => {
            Error::invalid(format!("Source image {uri} does not exist. Provide a valid source image."))
        }
        ImageError::Denied(reason) => Error::AccessDenied(format!(
            "Lambda does not have permission to access the ECR image. Check the ECR permissions. ({reason})"
        )),
        ImageError::Unsupported(reason) => Error::invalid(format!(
            "The image manifest, config or layer media type for the source image {uri} is not supported. ({reason})"
        )),
        ImageError::Unavailable(sentence) => Error::ObjectService(sentence),
    }
}

/// The hash of an image as `CodeSha256` shows it.
pub(super) fn sha256(resolved_uri: &str) -> Option<String> {
    resolved_uri.rsplit_once("@sha256:").map(|(_, digest)| digest.to_owned())
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

    #[tokio::test]
    async fn without_a_registry_a_digest_is_known_all_the_same() {
        let digest = "0123456789abcdef".repeat(4);
        let exact = format!("host:1/app:tag@sha256:{digest}");
        let resolved = Image::resolve(&exact, Architecture::X86_64, None).await.unwrap().resolved_uri;
        assert_eq!(resolved.as_deref(), Some(format!("host:1/app@sha256:{digest}").as_str()));
        assert_eq!(sha256(&resolved.unwrap()), Some(digest));
        let image = Image::resolve("host.com/app:tag", Architecture::X86_64, None).await;
        assert_eq!(image.unwrap().resolved_uri, None);
        let refusal = Image::resolve("app:tag", Architecture::X86_64, None).await.unwrap_err().to_string();
        assert_eq!(refusal, "Source image app:tag is not valid. Provide a valid source image.");
    }
}
