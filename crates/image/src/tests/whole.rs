//! Images from a layout to a root file system.

use std::collections::HashSet;
use std::fs;
use std::future::Future;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, Uri};

use super::forge::{Forge, gzip, layout};
use crate::error::Error;
use crate::{Architecture, Credentials, Head, Http, Image, Images, Limits, Named, Registries, Sink, Source};

/// Nobody is asked in these tests.
#[derive(Debug)]
struct Nobody;

impl Http for Nobody {
    fn get<'a>(
        &'a self,
        _: &'a Uri,
        _: HeaderMap,
        _: u64,
        _: Sink<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Head, String>> + Send + 'a>> {
        Box::pin(async { Err("nobody is there".to_owned()) })
    }
}

async fn fetch(images: &Images, source: Source, architecture: Architecture) -> Result<Image, Error> {
    let registries = Registries::new(Arc::new(Nobody), Credentials::default(), []);
    images.fetch(&source, architecture, &registries).await
}

fn of(directory: &Path) -> Source {
    Source::Layout { directory: directory.to_owned(), image: None }
}

fn base() -> Vec<u8> {
    Forge::new()
        .directory("etc")
        .file("etc/kept", "kept")
        .file("etc/changed", "old")
        .file("etc/removed", "x")
        .directory("old")
        .file("old/a", "x")
        .directory("opaque")
        .file("opaque/a", "x")
        .link("lib", "usr/lib")
        .file("usr/lib/real", "x")
        .done()
}

fn top() -> Vec<u8> {
    Forge::new()
        .file("etc/changed", "new")
        .file("etc/.wh.removed", "")
        .file(".wh.old", "")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/b", "new")
        .hard_link("etc/again", "etc/changed")
        .file("lib", "a file now")
        .done()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// With a frame in front that says something else, and cut into two frames.
fn zstd_in_pieces(bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    [zstd(first), skipped, zstd(second)].concat()
}

#[tokio::test]
async fn layers_lie_over_each_other() {
    for compress in [<[u8]>::to_vec as fn(&[u8]) -> Vec<u8>, gzip, zstd, zstd_in_pieces] {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("layout");
        layout(&from, &[base(), top()], compress);
        let images = Images::open(&place.path().join("images"), Limits::default()).unwrap();
        let image = fetch(&images, of(&from), Architecture::X86_64).await.unwrap();
        let read = |name: &str| fs::read_to_string(image.root.join(name)).ok();
        assert_eq!(read("etc/kept").as_deref(), Some("kept"));
        assert_eq!(read("etc/changed").as_deref(), Some("new"));
        assert_eq!(read("etc/again").as_deref(), Some("new"));
        assert_eq!(read("opaque/b").as_deref(), Some("new"));
        assert_eq!(read("lib").as_deref(), Some("a file now"));
        assert_eq!(read("usr/lib/real").as_deref(), Some("x"));
        for gone in ["etc/removed", "old", "opaque/a", "etc/.wh.removed", "opaque/.wh..wh..opq"] {
            assert!(!image.root.join(gone).exists(), "{gone}");
        }
        assert_eq!(image.config.config.cmd, ["run"]);
        assert_eq!(images.get(&image.digest).unwrap().root, image.root);
        assert_eq!(fs::metadata(image.root.join("etc/kept")).unwrap().mtime(), 1_000_000_000);
        assert_eq!(fs::read_dir(place.path().join("images/work")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_directory_that_is_only_implied_may_be_a_link() {
    let place = tempfile::tempdir().unwrap();
    let from = place.path().join("layout");
    let top = Forge::new().file("lib/new", "x").file("fresh/deep/file", "x").file("up/passwd", "x").done();
    let below =
        Forge::new().link("lib", "/usr/lib").file("usr/lib/real", "x").link("up", "../../../etc").done();
    layout(&from, &[below, top], gzip);
    let images = Images::open(&place.path().join("images"), Limits::default()).unwrap();
    let root = fetch(&images, of(&from), Architecture::X86_64).await.unwrap().root;
    assert_eq!(fs::read_link(root.join("lib")).unwrap(), Path::new("/usr/lib"));
    assert!(root.join("usr/lib/new").is_file() && root.join("usr/lib/real").is_file());
    assert!(root.join("fresh/deep/file").is_file());
    assert_eq!(fs::metadata(root.join("fresh")).unwrap().mode() & 0o7777, 0o755);
    // A link to what the image has not, seen from within, is replaced.
    assert!(root.join("up/passwd").is_file() && fs::symlink_metadata(root.join("up")).unwrap().is_dir());
}

#[tokio::test]
async fn layers_are_shared_and_go_with_their_last_image() {
    let place = tempfile::tempdir().unwrap();
    let images = Images::open(&place.path().join("images"), Limits::default()).unwrap();
    let mut fetched = Vec::new();
    for name in ["one", "two"] {
        let from = place.path().join(name);
        let own = Forge::new().file("own", name).done();
        layout(&from, &[base(), own], gzip);
        fetched.push(fetch(&images, of(&from), Architecture::X86_64).await.unwrap());
    }
    let inode = |image: &Image| fs::metadata(image.root.join("etc/kept")).unwrap().ino();
    assert_eq!(inode(&fetched[0]), inode(&fetched[1]));
    let count = || fs::read_dir(place.path().join("images/layers")).unwrap().count();
    assert_eq!(count(), 3);
    images.retain(HashSet::from([fetched[1].digest.clone()])).await.unwrap();
    assert_eq!(count(), 2);
    assert!(images.get(&fetched[0].digest).is_err() && !fetched[0].root.exists());
    assert_eq!(fs::read_to_string(fetched[1].root.join("own")).unwrap(), "two");
    images.retain(HashSet::new()).await.unwrap();
    assert_eq!(count(), 0);
}

#[tokio::test]
async fn an_archive_of_a_layout() {
    let place = tempfile::tempdir().unwrap();
    let from = place.path().join("layout");
    layout(&from, &[base()], gzip);
    let file = place.path().join("image.tar");
    let mut archive = tar::Builder::new(fs::File::create(&file).unwrap());
    archive.append_dir_all(".", &from).unwrap();
    archive.into_inner().unwrap().flush().unwrap();
    let images = Images::open(&place.path().join("images"), Limits::default()).unwrap();
    let image = fetch(&images, Source::Archive(file), Architecture::X86_64).await.unwrap();
    let same = fetch(&images, of(&from), Architecture::X86_64).await.unwrap();
    assert_eq!(image.digest, same.digest);
}

/// As `docker save` wrote it before it wrote layouts.
#[tokio::test]
async fn a_saved_image() {
    let place = tempfile::tempdir().unwrap();
    let layer = base();
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/x"]},
        "rootfs": {"type": "layers", "diff_ids": [crate::Digest::of(&layer).to_string()]},
    });
    let save = |layers: &str| {
        let manifest = serde_json::json!([{"Config": "c.json", "RepoTags": ["a:b"], "Layers": [layers]}]);
        let file = place.path().join("saved.tar");
        let archive = Forge::new()
            .file("c.json", &config.to_string())
            .entry("l/layer.tar", tar::EntryType::Regular, "", 0o644, &layer)
            .link("out", "../../../../../../etc/passwd")
            .file("manifest.json", &manifest.to_string())
            .done();
        fs::write(&file, archive).unwrap();
        Source::Archive(file)
    };
    let images = Images::open(&place.path().join("images"), Limits::default()).unwrap();
    for outside in ["../../secret", "/etc/passwd", "out", "nothing"] {
        assert!(fetch(&images, save(outside), Architecture::X86_64).await.is_err(), "{outside}");
    }
    let image = fetch(&images, save("l/layer.tar"), Architecture::X86_64).await.unwrap();
    assert_eq!(image.config.config.entrypoint, ["/x"]);
    assert!(image.root.join("etc/kept").exists());
    let refused = fetch(&images, save("l/layer.tar"), Architecture::Arm64).await.unwrap_err();
    assert_eq!(refused.to_string(), "the image is for linux/amd64, not for linux/arm64");
}

#[tokio::test]
async fn what_is_not_what_its_digest_says() {
    let place = tempfile::tempdir().unwrap();
    let from = place.path().join("layout");
    let images = Images::open(&place.path().join("images"), Limits::default()).unwrap();
    for part in 0..3 {
        let _ = fs::remove_dir_all(&from);
        layout(&from, &[base()], gzip);
        let mut blobs: Vec<_> =
            fs::read_dir(from.join("blobs/sha256")).unwrap().map(|it| it.unwrap().path()).collect();
        blobs.sort();
        let bytes = fs::read(&blobs[part]).unwrap();
        let other = if bytes.starts_with(b"{") { [&bytes[..], b" "].concat() } else { gzip(&top()) };
        fs::write(&blobs[part], other).unwrap();
        let refused = fetch(&images, of(&from), Architecture::X86_64).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{:?}", blobs[part]);
        assert_eq!(fs::read_dir(place.path().join("images/images")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(place.path().join("images/work")).unwrap().count(), 0);
    }
    let unknown = Source::Layout { directory: from, image: Some(Named::Tag("other".to_owned())) };
    assert!(matches!(fetch(&images, unknown, Architecture::X86_64).await, Err(Error::NotFound(_))));
}
