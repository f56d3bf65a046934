//! Ordinary packages, and odd ones that are nevertheless harmless.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::forge::{Part, finish, write_local, zip};
use super::{CodeError, paths, unpacked};
use crate::code::{MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES, check_zipped_size};

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_directories_and_links() {
    let (directory, result) = unpacked(&zip(&[
        Part::file("index.js", "exports"),
        Part::directory("lib/"),
        Part::file("lib/deep/a.txt", "a"),
        Part::file("./dotted//name.txt", "b"),
        Part::link("lib/link", "deep/a.txt"),
        Part::link("lib/up", "../index.js"),
    ]));
    let inspection = result.unwrap();
    assert_eq!(inspection.entries, 6);
    assert_eq!(inspection.unzipped_bytes, (7 + 1 + 1 + 10 + 11) as u64);
    let root = directory.path();
    let expected = [
        "dotted/",
        "dotted/name.txt",
        "index.js",
        "lib/",
        "lib/deep/",
        "lib/deep/a.txt",
        "lib/link",
        "lib/up",
    ];
    assert_eq!(paths(root), expected);
    assert_eq!(fs::read_to_string(root.join("index.js")).unwrap(), "exports");
    assert_eq!(fs::read_to_string(root.join("lib/link")).unwrap(), "a");
    assert_eq!(fs::read_link(root.join("lib/up")).unwrap(), Path::new("../index.js"));
}

#[test]
fn modes_are_made_fit_for_functions() {
    let (directory, result) = unpacked(&zip(&[
        Part::file("owner-only", "").mode(0o100_600),
        Part::file("unreadable", "").mode(0o100_000),
        Part::file("bootstrap", "").mode(0o100_700),
        Part::file("world-writable", "").mode(0o100_777),
        Part::file("setuid", "").mode(0o106_755),
        Part::file("typeless", "").mode(0o755),
        Part { external_attributes: 0, ..Part::file("modeless", "") },
        Part { system: 0, external_attributes: 0x20, ..Part::file("dos", "") },
        Part::directory("sticky/").mode(0o041_777),
        Part::directory("closed/").mode(0o040_000),
        Part { external_attributes: 0, ..Part::directory("plain/") },
        Part::directory("file-mode/").mode(0o100_644),
        Part::directory("slashless").mode(0o040_755),
    ]));
    result.unwrap();
    let found = |name: &str| mode(&directory.path().join(name));
    for name in ["owner-only", "unreadable", "modeless", "dos"] {
        assert_eq!(found(name), 0o644, "{name}");
    }
    for name in ["bootstrap", "world-writable", "setuid", "typeless"] {
        assert_eq!(found(name), 0o755, "{name}");
    }
    for name in ["sticky", "closed", "plain", "file-mode", "slashless"] {
        assert!(directory.path().join(name).is_dir());
        assert_eq!(found(name), 0o755, "{name}");
    }
}

#[test]
fn times_are_kept() {
    let (directory, result) = unpacked(&zip(&[Part::file("a.py", "")]));
    result.unwrap();
    let modified = directory.path().join("a.py").metadata().unwrap().modified().unwrap();
    assert_eq!(modified, SystemTime::UNIX_EPOCH + Duration::from_secs(1_580_608_922));
}

#[test]
fn archives_of_the_usual_tools() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    writer.add_directory("package", options).unwrap();
    writer.start_file("package/handler.py", options).unwrap();
    writer.write_all(&b"code ".repeat(10_000)).unwrap();
    writer.start_file("large", options.large_file(true)).unwrap();
    writer.write_all(b"zip64").unwrap();
    writer.add_symlink("link", "package/handler.py", options).unwrap();
    writer.set_comment("made by a test").unwrap();
    let (directory, result) = unpacked(writer.finish().unwrap().get_ref());
    result.unwrap();
    assert_eq!(paths(directory.path()), ["large", "link", "package/", "package/handler.py"]);
    assert_eq!(fs::read(directory.path().join("link")).unwrap().len(), 50_000);
}

#[test]
fn streamed_entries_with_a_data_descriptor() {
    let mut writer = ZipWriter::new_stream(Vec::new());
    writer.start_file("index.js", SimpleFileOptions::default()).unwrap();
    writer.write_all(b"streamed").unwrap();
    let (directory, result) = unpacked(writer.finish().unwrap().get_ref());
    result.unwrap();
    assert_eq!(fs::read(directory.path().join("index.js")).unwrap(), b"streamed");
}

#[test]
fn zip64_fields() {
    let (directory, result) = unpacked(&zip(&[Part { zip64: true, ..Part::file("a", "zip64") }]));
    result.unwrap();
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"zip64");
}

#[test]
fn a_script_before_the_archive() {
    let mut bytes = b"#!/bin/sh\nexec unzip $0\n".to_vec();
    let parts = [Part::file("a", "b")];
    let offset = write_local(&mut bytes, &parts[0]);
    let (directory, result) = unpacked(&finish(bytes, &parts, &[offset], b""));
    result.unwrap();
    assert_eq!(paths(directory.path()), ["a"]);
}

#[test]
fn an_archive_within_the_archive_is_a_file() {
    let inner = zip(&[Part::file("../../evil", "inner")]);
    let (directory, result) = unpacked(&zip(&[Part::file("inner.zip", &inner)]));
    result.unwrap();
    assert_eq!(paths(directory.path()), ["inner.zip"]);
    assert_eq!(fs::read(directory.path().join("inner.zip")).unwrap(), inner);
}

#[test]
fn names_from_other_worlds() {
    let (directory, result) = unpacked(&zip(&[
        Part::file("näme", "utf-8"),
        Part { flags: 0, ..Part::file("ünflagged", "utf-8 without the flag") },
        Part { flags: 0, ..Part::file(b"caf\x82", "code page 437") },
        Part { system: 0, external_attributes: 0, ..Part::file(r"win\dows\a.dll", "backslashes") },
        Part::file(r"back\slash", "a name like any other"),
        Part::file("new\nline", ""),
    ]));
    result.unwrap();
    let expected =
        [r"back\slash", "café", "new\nline", "näme", "win/", "win/dows/", "win/dows/a.dll", "ünflagged"];
    assert_eq!(paths(directory.path()), expected);
}

#[test]
fn a_directory_may_be_listed_twice() {
    let (_directory, result) =
        unpacked(&zip(&[Part::directory("a/"), Part::directory("./a/"), Part::directory("./")]));
    assert_eq!(result.unwrap().entries, 2);
}

#[test]
fn exactly_the_largest_package() {
    let largest = zip(&[Part::zeros("a", MAX_UNZIPPED_BYTES as usize - 1), Part::file("b", "1")]);
    let (directory, result) = unpacked(&largest);
    assert_eq!(result.unwrap().unzipped_bytes, MAX_UNZIPPED_BYTES);
    assert_eq!(directory.path().join("a").metadata().unwrap().len(), MAX_UNZIPPED_BYTES - 1);
    drop(directory);
    let beyond = zip(&[Part::zeros("a", MAX_UNZIPPED_BYTES as usize - 1), Part::file("b", "12")]);
    assert!(matches!(unpacked(&beyond).1, Err(CodeError::TooLargeUnzipped)));
}

#[test]
fn exactly_the_largest_archive() {
    check_zipped_size(MAX_ZIPPED_BYTES).unwrap();
    let error = check_zipped_size(MAX_ZIPPED_BYTES + 1).unwrap_err();
    assert_eq!(error.to_string(), "Zipped size must be smaller than 52428800 bytes");
}
