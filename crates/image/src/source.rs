//! Where an image comes from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::Error;
use crate::reference::Reference;

/// See the module. Written as `skopeo` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `HOST/REPOSITORY:TAG` or `HOST/REPOSITORY@DIGEST`, also with `docker://` in front.
    Registry(Reference),
    /// `oci:DIRECTORY` or `oci:DIRECTORY:TAG`: a directory in OCI's image layout.
    Layout {
        /// The directory.
        directory: PathBuf,
        /// Which of its images; none for the only one.
        image: Option<Named>,
    },
    /// `docker-archive:FILE`, as `docker save` writes it, or `oci-archive:FILE`, a layout as one file.
    Archive(PathBuf),
}

/// An image of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By the tag that it has there.
    Tag(String),
    /// By what it is.
    Digest(Digest),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(path) = text.strip_prefix("docker-archive:").or_else(|| text.strip_prefix("oci-archive:"))
        {
            return Ok(Self::Archive(path.into()));
        }
        if let Some(layout) = text.strip_prefix("oci:") {
            // A tag has no slash.
            return Ok(match layout.rsplit_once(':') {
                Some((directory, tag)) if !tag.contains('/') => {
                    Self::Layout { directory: directory.into(), image: Some(Named::Tag(tag.to_owned())) }
                }
                _ => Self::Layout { directory: layout.into(), image: None },
            });
        }
        text.strip_prefix("docker://").unwrap_or(text).parse().map(Self::Registry)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::Layout { directory, image: None } => write!(f, "oci:{}", directory.display()),
            Self::Layout { directory, image: Some(image) } => {
                write!(f, "oci:{}:{image}", directory.display())
            }
            Self::Archive(path) => write!(f, "oci-archive:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let parse = |text: &str| text.parse::<Source>().unwrap();
        assert!(matches!(parse("docker://host.com/a:1"), Source::Registry(_)));
        assert_eq!(parse("host.com/a:1").to_string(), "host.com/a:1");
        for (text, directory, tag) in
            [("oci:/a/b", "/a/b", None), ("oci:/a/b:c", "/a/b", Some("c")), ("oci:/a:b/c", "/a:b/c", None)]
        {
            let layout =
                Source::Layout { directory: directory.into(), image: tag.map(str::to_owned).map(Named::Tag) };
            assert_eq!(parse(text), layout);
            assert_eq!(layout.to_string(), text);
        }
        assert_eq!(parse("docker-archive:x.tar"), Source::Archive("x.tar".into()));
        assert!("nothing".parse::<Source>().is_err());
    }
}
