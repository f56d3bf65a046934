//! Archives and layouts with anything in them, also what no tool writes.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tar::{Builder, EntryType, Header};

use crate::digest::Digest;

/// An archive in the making.
pub(super) struct Forge(Builder<Vec<u8>>);

impl Forge {
    pub(super) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(super) fn file(self, path: &str, content: &str) -> Self {
        self.entry(path, EntryType::Regular, "", 0o644, content.as_bytes())
    }

    pub(super) fn directory(self, path: &str) -> Self {
        self.entry(path, EntryType::Directory, "", 0o755, b"")
    }

    pub(super) fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, EntryType::Symlink, target, 0o777, b"")
    }

    pub(super) fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(path, EntryType::Link, target, 0o644, b"")
    }

    /// Names are written as they are.
    pub(super) fn entry(
        mut self,
        path: &str,
        kind: EntryType,
        target: &str,
        mode: u32,
        content: &[u8],
    ) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_mtime(1_000_000_000);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An image in a layout: its layers, and how they are kept.
pub(super) fn layout(directory: &Path, layers: &[Vec<u8>], compress: fn(&[u8]) -> Vec<u8>) {
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["A=b"], "Cmd": ["run"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = put(directory, config.to_string().as_bytes());
    let layers: Vec<_> = layers.iter().map(|layer| put(directory, &compress(layer))).collect();
    let manifest = serde_json::json!({"schemaVersion": 2, "config": config, "layers": layers});
    let mut manifest = put(directory, manifest.to_string().as_bytes());
    manifest["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": "one"});
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(directory.join("index.json"), index.to_string()).unwrap();
}

fn put(directory: &Path, bytes: &[u8]) -> serde_json::Value {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let digest = Digest::of(bytes);
    fs::write(blobs.join(digest.hex()), bytes).unwrap();
    serde_json::json!({"digest": digest.to_string(), "size": bytes.len()})
}
