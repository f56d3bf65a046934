//! Layers that want out, or too much.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tar::EntryType;

use super::forge::{Forge, gzip};
use crate::error::{Error, Result};
use crate::layer::{Limits, unpack};

const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 100, depth: 16 };

/// A directory beside which there is something to be reached.
struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        fs::create_dir(ground.layer()).unwrap();
        fs::write(ground.0.path().join("secret"), "untouched").unwrap();
        ground
    }

    fn layer(&self) -> std::path::PathBuf {
        self.0.path().join("layer")
    }

    fn unpack(&self, archive: &[u8]) -> Result<()> {
        unpack(archive, &self.layer(), &mut LIMITS.clone()).map(drop)
    }

    /// Whatever came of it, nothing beside the layer has changed.
    fn assert_untouched(&self) {
        assert_eq!(fs::read_to_string(self.0.path().join("secret")).unwrap(), "untouched");
        assert_eq!(fs::read_dir(self.0.path()).unwrap().count(), 2);
    }
}

#[test]
fn paths_that_climb_are_refused() {
    for path in ["../secret", "a/../../secret", "/../secret", "a/..", "./../secret"] {
        let ground = Ground::new();
        let refused = ground.unpack(&Forge::new().file(path, "changed").done());
        assert!(matches!(refused, Err(Error::Invalid(_))), "{path}");
        ground.assert_untouched();
    }
}

#[test]
fn absolute_paths_stay_within() {
    let ground = Ground::new();
    ground.unpack(&Forge::new().file("/etc/name", "x").done()).unwrap();
    assert_eq!(fs::read_to_string(ground.layer().join("etc/name")).unwrap(), "x");
}

#[test]
fn links_lead_nowhere_out() {
    let ground = Ground::new();
    let outside = ground.0.path().to_str().unwrap().to_owned();
    for target in ["..", "../..", outside.as_str(), "/"] {
        let ground = Ground::new();
        // Over the link, and through it.
        let archive = Forge::new().link("out", target).file("out/secret", "changed").done();
        let _ = ground.unpack(&archive);
        let archive = Forge::new().link("way", "../secret").file("way", "changed").done();
        ground.unpack(&archive).unwrap();
        ground.assert_untouched();
    }
    ground.assert_untouched();
}

#[test]
fn hard_links_to_what_the_layer_has_not_are_refused() {
    for target in ["../secret", "/etc/passwd", "nothing", "", "."] {
        let ground = Ground::new();
        let refused = ground.unpack(&Forge::new().hard_link("mine", target).done());
        assert!(matches!(refused, Err(Error::Invalid(_))), "{target}");
    }
    // A link of the layer's own is not followed to what it points at.
    let ground = Ground::new();
    let archive =
        Forge::new().link("way", "../secret").hard_link("mine", "way").file("mine", "changed").done();
    ground.unpack(&archive).unwrap();
    ground.assert_untouched();
    // Nor is a directory that is a link.
    let archive = Forge::new().link("up", "..").hard_link("mine", "up/secret").done();
    assert!(ground.unpack(&archive).is_err());
}

#[test]
fn devices_are_left_out_and_nobody_becomes_root() {
    let ground = Ground::new();
    let archive = Forge::new()
        .entry("disk", EntryType::Block, "", 0o666, b"")
        .entry("zero", EntryType::Char, "", 0o666, b"")
        .entry("pipe", EntryType::Fifo, "", 0o666, b"")
        .entry("su", EntryType::Regular, "", 0o6755, b"x")
        .entry("closed", EntryType::Directory, "", 0o7000, b"")
        .done();
    ground.unpack(&archive).unwrap();
    let mode = |name: &str| fs::metadata(ground.layer().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("su"), mode("closed")), (0o755, 0o700));
    assert_eq!(fs::read_dir(ground.layer()).unwrap().count(), 2);
}

#[test]
fn whiteouts_name_something() {
    for name in [".wh.", ".wh..", ".wh...", "a/.wh..."] {
        let refused = Ground::new().unpack(&Forge::new().file(name, "").done());
        assert!(matches!(refused, Err(Error::Invalid(_))), "{name}");
    }
}

#[test]
fn no_more_than_may_be() {
    let large = Forge::new().file("large", &"x".repeat(2 << 20)).done();
    let many = (0..200).fold(Forge::new(), |forge, number| forge.file(&number.to_string(), "")).done();
    for archive in [&large, &gzip(&large), &many, &gzip(&many)] {
        let ground = Ground::new();
        assert!(matches!(ground.unpack(archive), Err(Error::TooLarge(_))));
    }
    let deep = vec!["d"; 17].join("/");
    assert!(matches!(Ground::new().unpack(&Forge::new().file(&deep, "").done()), Err(Error::Invalid(_))));
    let fits = vec!["d"; 16].join("/");
    Ground::new().unpack(&Forge::new().file(&fits, "").done()).unwrap();
}

#[test]
fn what_is_no_archive() {
    for bytes in [
        &b"not an archive, but more than one block of nothing".repeat(20),
        &gzip(b"short")[..9],
        b"(\xb5/\xfd",
    ] {
        assert!(Ground::new().unpack(bytes).is_err());
    }
}

#[test]
fn what_comes_later_counts() {
    let ground = Ground::new();
    let archive = Forge::new()
        .file("a", "1")
        .file("a", "2")
        .directory("b")
        .file("b/c", "1")
        .file("b", "2")
        .file("c", "1")
        .directory("c")
        .done();
    ground.unpack(&archive).unwrap();
    let read = |name: &str| fs::read_to_string(Path::new(&ground.layer()).join(name)).unwrap();
    assert_eq!((read("a"), read("b")), ("2".into(), "2".into()));
    assert!(ground.layer().join("c").is_dir());
}
