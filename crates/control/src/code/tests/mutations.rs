//! Whatever the bytes are: no panic, and nothing written outside.

use std::fs;

use proptest::prelude::*;

use super::forge::{Part, finish, write_local};
use crate::code::{fuzz_zip, inspect, unpack};

/// Names and targets of which many lead out, in directories that exist and ones that do not.
fn hostile_path() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec!["a", "b", "..", ".", "", "/", "C:", "\\", "..\\", "c.txt"]),
        1..5,
    )
    .prop_map(|parts| parts.join("/"))
}

fn part() -> impl Strategy<Value = Part> {
    let modes = vec![0, 0o100_644, 0o100_755, 0o040_755, 0o120_777, 0o060_666];
    (hostile_path(), hostile_path(), prop::sample::select(modes), prop::sample::select(vec![0_u8, 3, 10]))
        .prop_map(|(name, content, mode, system)| Part { system, ..Part::file(&name, content).mode(mode) })
}

/// An archive of hostile parts, some bytes of which are then changed.
fn archive() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::collection::vec(part(), 0..6), changes, prop::collection::vec(any::<u8>(), 0..8)).prop_map(
        |(parts, changes, comment)| {
            let mut bytes = Vec::new();
            let offsets: Vec<u32> = parts.iter().map(|part| write_local(&mut bytes, part)).collect();
            let mut bytes = finish(bytes, &parts, &offsets, &comment);
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

/// Unpacks two levels down and looks whether anything appeared above, or can be reached from within.
fn stays_inside(zip: &[u8]) {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("middle/package");
    fs::create_dir_all(&target).unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let result = unpack(zip, &target);
    let looked = inspect(zip);
    assert_eq!(result.is_ok(), looked.is_ok(), "{result:?} but {looked:?}");
    let names =
        |path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(outside.path().join("middle")), ["package"]);
    assert_eq!(names(outside.path().to_owned()).len(), 2);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    let root = target.canonicalize().unwrap();
    links_stay_inside(&target, &root);
}

fn links_stay_inside(directory: &std::path::Path, root: &std::path::Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            links_stay_inside(&entry.path(), root);
        } else if let Ok(end) = entry.path().canonicalize() {
            assert!(end.starts_with(root), "{:?} leads to {end:?}", entry.path());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_archives(zip in archive()) {
        fuzz_zip(&zip);
        stays_inside(&zip);
    }

    #[test]
    fn any_bytes(zip in prop::collection::vec(any::<u8>(), 0..512)) {
        fuzz_zip(&zip);
    }
}
