//! The documents of an image: index, manifest, configuration. See the OCI image specification 1.1; Docker's older media
//! types have the same members.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::digest::Digest;
use crate::error::{Error, Result};

/// What is accepted where a manifest is asked for.
pub(crate) const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// What a document says of another part of the image.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) platform: Option<Platform>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What an image of an index is for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Platform {
    architecture: String,
    os: String,
}

/// The processor that an image is made for, as Go names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// `amd64`.
    X86_64,
    /// `arm64`.
    Arm64,
}

impl Architecture {
    /// As images name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// An index leads to images for several platforms; a manifest is that of one.
#[derive(Debug)]
pub(crate) enum Document {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

impl Document {
    /// By its members, not by what it is sent as: registries and files are free with media types.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong =
            |error: serde_json::Error| Error::Invalid(format!("the manifest cannot be read: {error}"));
        let members: BTreeMap<String, serde::de::IgnoredAny> =
            serde_json::from_slice(bytes).map_err(wrong)?;
        if members.contains_key("manifests") {
            let index: Index = serde_json::from_slice(bytes).map_err(wrong)?;
            return Ok(Self::Index(index.manifests));
        }
        serde_json::from_slice(bytes).map(Self::Manifest).map_err(wrong)
    }
}

/// Which image of an index is for this architecture; what says nothing of its platform is taken as well.
pub(crate) fn of_architecture(images: &[Descriptor], architecture: Architecture) -> Result<&Descriptor> {
    let is_for = |image: &&Descriptor| {
        image
            .platform
            .as_ref()
            .is_none_or(|platform| platform.os == "linux" && platform.architecture == architecture.name())
    };
    images.iter().find(is_for).ok_or_else(|| {
        let offered = images.iter().filter_map(|image| image.platform.as_ref());
        let offered: Vec<_> = offered.map(|of| format!("{}/{}", of.os, of.architecture)).collect();
        Error::Architecture { wanted: architecture.name(), found: offered.join(", ") }
    })
}

/// How an image is run, and what it is made of.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// What it is for.
    pub architecture: String,
    /// What it is for.
    #[serde(default)]
    pub os: String,
    /// How it is run.
    #[serde(default, deserialize_with = "or_default")]
    pub config: Execution,
    pub(crate) rootfs: RootFileSystem,
}

/// What an image says of the process that it is made for. Its user is not asked for: see the documentation of Lambda.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    /// `NAME=value`.
    #[serde(default, deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// What is run.
    #[serde(default, deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    /// Its arguments, or what is run where there is no entry point.
    #[serde(default, deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    /// Where it is run; empty means `/`.
    #[serde(default, deserialize_with = "or_default")]
    pub working_dir: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RootFileSystem {
    /// Of each layer as it is uncompressed, from the lowest to the highest.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) diff_ids: Vec<Digest>,
}

/// Go writes what is empty as null.
fn or_default<'de, T: Default + Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Config {
    pub(crate) fn parse(bytes: &[u8], wanted: Architecture) -> Result<Self> {
        let config: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::Invalid(format!("the configuration cannot be read: {error}")))?;
        if config.architecture != wanted.name() || !matches!(config.os.as_str(), "" | "linux") {
            let found = format!("{}/{}", config.os, config.architecture);
            return Err(Error::Architecture { wanted: wanted.name(), found });
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        Digest::of(b"")
    }

    #[test]
    fn an_index_offers_a_choice() {
        let of = |os: &str, architecture: &str| {
            format!(
                r#"{{"digest":"{}","size":1,"platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#,
                Digest::of(architecture.as_bytes())
            )
        };
        let text = format!(
            r#"{{"manifests":[{},{},{}]}}"#,
            of("unknown", "unknown"),
            of("linux", "arm64"),
            of("linux", "amd64")
        );
        let Document::Index(images) = Document::parse(text.as_bytes()).unwrap() else {
            panic!("an index is taken for a manifest");
        };
        let chosen = of_architecture(&images, Architecture::X86_64).unwrap();
        assert_eq!(chosen.digest, Digest::of(b"amd64"));
        let refusal = of_architecture(&images[..2], Architecture::X86_64).unwrap_err().to_string();
        assert_eq!(refusal, "the image is for unknown/unknown, linux/arm64, not for linux/amd64");
    }

    #[test]
    fn what_is_null_is_empty() {
        let text = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Env":null,"Cmd":["a"],"WorkingDir":""}},
                "rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            digest()
        );
        let config = Config::parse(text.as_bytes(), Architecture::X86_64).unwrap();
        assert_eq!((config.config.cmd, config.config.env.len()), (vec!["a".to_owned()], 0));
        assert_eq!(config.rootfs.diff_ids, [digest()]);
        assert!(Config::parse(text.as_bytes(), Architecture::Arm64).is_err());
        let bare = r#"{"architecture":"amd64","config":null,"rootfs":{}}"#;
        assert!(Config::parse(bare.as_bytes(), Architecture::X86_64).unwrap().rootfs.diff_ids.is_empty());
        assert!(Config::parse(b"[]", Architecture::X86_64).is_err());
    }
}
