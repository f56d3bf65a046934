//! Images in directories: OCI's image layout, and what `docker save` writes once it is unpacked.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Architecture, Config, Descriptor, Document, of_architecture};
use crate::package::{DOCUMENT_BYTES, Package};
use crate::source::Named;

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// One image of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// Looks into a directory.
pub(crate) fn open(
    directory: &Path,
    image: Option<&Named>,
    architecture: Architecture,
) -> Result<Package<PathBuf>> {
    if directory.join("index.json").is_file() {
        return layout(directory, image, architecture);
    }
    if directory.join("manifest.json").is_file() {
        return saved(directory, architecture);
    }
    Err(Error::NotFound(format!("in {}: it has neither index.json nor manifest.json", directory.display())))
}

fn layout(directory: &Path, image: Option<&Named>, architecture: Architecture) -> Result<Package<PathBuf>> {
    let (mut bytes, mut tag) = match image {
        Some(Named::Digest(digest)) => (read(&blob(directory, digest))?, None),
        Some(Named::Tag(tag)) => (read(&directory.join("index.json"))?, Some(tag)),
        None => (read(&directory.join("index.json"))?, None),
    };
    let mut digest = Digest::of(&bytes);
    loop {
        match Document::parse(&bytes)? {
            Document::Manifest(manifest) => {
                let config = document(directory, &manifest.config)?;
                let layers = manifest.layers.iter().map(|layer| blob(directory, &layer.digest)).collect();
                return Ok(Package {
                    digest,
                    config: Config::parse(&config, architecture)?,
                    document: config,
                    layers,
                });
            }
            Document::Index(images) => {
                // The tag is said in the outermost index.
                let named: Vec<Descriptor> = match tag.take() {
                    Some(tag) => images
                        .into_iter()
                        .filter(|of| of.annotations.get(REF_NAME).is_some_and(|name| name == tag))
                        .collect(),
                    None => images,
                };
                if named.is_empty() {
                    return Err(Error::NotFound(format!("of that tag in {}", directory.display())));
                }
                let image = of_architecture(&named, architecture)?;
                bytes = document(directory, image)?;
                digest = image.digest.clone();
            }
        }
    }
}

/// The image is known by its configuration, since there is no manifest of OCI's.
fn saved(directory: &Path, architecture: Architecture) -> Result<Package<PathBuf>> {
    let wrong = |error: serde_json::Error| Error::Invalid(format!("manifest.json cannot be read: {error}"));
    let images: Vec<Saved> =
        serde_json::from_slice(&read(&directory.join("manifest.json"))?).map_err(wrong)?;
    let image = images.first().ok_or_else(|| Error::NotFound("in an archive that has none".to_owned()))?;
    let document = read(&beneath(directory, &image.config)?)?;
    let layers = image.layers.iter().map(|layer| beneath(directory, layer)).collect::<Result<_>>()?;
    let digest = Digest::of(&document);
    Ok(Package { digest, config: Config::parse(&document, architecture)?, document, layers })
}

fn blob(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join("blobs/sha256").join(digest.hex())
}

fn document(directory: &Path, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let bytes = read(&blob(directory, &descriptor.digest))?;
    if Digest::of(&bytes) == descriptor.digest {
        Ok(bytes)
    } else {
        Err(Error::Invalid(format!("{} is not what its name says", descriptor.digest)))
    }
}

/// A path that an archive names, which leads nowhere but into its own directory.
fn beneath(directory: &Path, name: &str) -> Result<PathBuf> {
    let real = |path: &Path| fs::canonicalize(path).map_err(Error::io(path));
    let path = real(&directory.join(name))?;
    if path.starts_with(real(directory)?) {
        Ok(path)
    } else {
        Err(Error::Invalid(format!("'{name}' leads out of the archive")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut bytes = Vec::new();
    file.take(DOCUMENT_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    if bytes.len() as u64 > DOCUMENT_BYTES {
        return Err(Error::TooLarge(format!("{} is no document of an image", path.display())));
    }
    Ok(bytes)
}
