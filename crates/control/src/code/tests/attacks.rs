//! One test for each way to do harm with an archive.

use std::fs;
use std::time::{Duration, Instant};

use super::forge::{DEFLATED, Part, finish, write_local, zip};
use super::{CodeError, paths, unpacked};
use crate::code::{MAX_ENTRIES, inspect};

/// The archive is refused with Lambda's text, for the stated reason, before anything is written.
#[track_caller]
fn refused(zip: &[u8], because: &str) {
    let (directory, result) = unpacked(zip);
    match &result {
        Err(error @ CodeError::Unreadable { reason }) => {
            assert!(reason.contains(because), "refused for another reason: {reason}");
            assert_eq!(
                error.to_string(),
                "Could not unzip uploaded file. Please check your file, then try to upload again."
            );
        }
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(paths(directory.path()), [""; 0], "written before it was refused");
}

#[test]
fn names_that_lead_out_of_the_package() {
    for name in ["../evil", "a/../../evil", "a/..", "..", r"..\evil", r"a\..\..\evil", "./../evil"] {
        refused(&zip(&[Part::file("a.txt", ""), Part::file(name, "evil")]), "leads upwards");
        refused(&zip(&[Part { system: 0, ..Part::file(name, "evil") }]), "leads upwards");
    }
    for name in ["/etc/cron.d/evil", "//evil", r"\evil", r"\\server\evil", "C:/evil", r"C:\evil"] {
        refused(&zip(&[Part::file(name, "evil")]), "absolute");
    }
    refused(&zip(&[Part { system: 10, ..Part::file("C:evil", "evil") }]), "absolute");
    refused(&zip(&[Part::directory("../evil/")]), "leads upwards");
    refused(&zip(&[Part::link("../evil", "a")]), "leads upwards");
}

#[test]
fn names_that_are_none() {
    refused(&zip(&[Part::file("", "evil")]), "without a name");
    refused(&zip(&[Part::file(".", "evil")]), "without a name");
    refused(&zip(&[Part::file("a\0.txt", "evil")]), "NUL");
    refused(&zip(&[Part::file("n".repeat(256), "")]), "too long");
    refused(&zip(&[Part::file("n".repeat(65_535), "")]), "too long");
    refused(&zip(&[Part::file("d/".repeat(200) + "f", "")]), "too deep");
}

#[test]
fn links_that_lead_out_of_the_package() {
    for target in ["/etc/passwd", "..", "../../etc/passwd", "a/../../b", "/"] {
        refused(&zip(&[Part::link("link", target)]), "leads out of the package");
    }
    refused(&zip(&[Part::link("a/b/c", "../.."), Part::link("e", "a/b/c/..")]), "leads out of the package");
    refused(&zip(&[Part::link("a", "b"), Part::link("b", "a")]), "leads nowhere");
    refused(&zip(&[Part::link("a", &"x/".repeat(600))]), "no path");
    refused(&zip(&[Part::link("a", "b\0c")]), "no path");
    refused(&zip(&[Part::link("a/", "b")]), "named as a directory");
    refused(&zip(&[Part::link("a", "")]), "leads out of the package");
    refused(&zip(&[Part { system: 10, ..Part::link("a", "/etc") }]), "leads out of the package");
}

#[test]
fn writing_through_a_link() {
    refused(&zip(&[Part::link("dir", "."), Part::file("dir/evil", "evil")]), "both a directory and not");
    refused(&zip(&[Part::file("dir/evil", "evil"), Part::link("dir", ".")]), "both a directory and not");
    refused(&zip(&[Part::link("a", "b"), Part::file("./a", "evil")]), "listed twice");
    refused(&zip(&[Part::directory("a/"), Part::link("a", "b")]), "listed twice");
}

#[test]
fn one_name_twice() {
    refused(&zip(&[Part::file("a", "good"), Part::file("a", "evil")]), "duplicate");
    refused(&zip(&[Part::file("a", "good"), Part::file("./a", "evil")]), "listed twice");
    refused(&zip(&[Part::file("b/a", "good"), Part::file("b//a", "evil")]), "listed twice");
}

#[test]
fn a_file_where_a_directory_is() {
    refused(&zip(&[Part::file("a", ""), Part::file("a/b", "")]), "both a directory and not");
    refused(&zip(&[Part::file("a/b/c", ""), Part::file("a/b", "")]), "both a directory and not");
    refused(&zip(&[Part::directory("a/"), Part::file("a", "")]), "listed twice");
    refused(&zip(&[Part::file("a/", "content")]), "directory with content");
}

#[test]
fn devices_pipes_and_sockets() {
    for mode in [0o020_666, 0o060_666, 0o010_666, 0o140_666, 0o150_000, 0o170_000] {
        refused(&zip(&[Part::file("device", "").mode(mode)]), "neither file");
    }
}

#[test]
fn more_than_it_admits() {
    let mut bomb = Part::zeros("bomb", 300 << 20);
    assert!(bomb.stored.len() < 400_000);
    let began = Instant::now();
    assert!(matches!(inspect(&zip(&[bomb.clone()])), Err(CodeError::TooLargeUnzipped)));
    assert!(began.elapsed() < Duration::from_secs(1), "it was decompressed although it admits its size");
    bomb.unzipped_size = 1000;
    let (directory, result) = unpacked(&zip(&[bomb]));
    assert!(matches!(result, Err(CodeError::Unreadable { .. })), "{result:?}");
    let written: u64 =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(written <= 1000, "{written} bytes were written");
}

#[test]
fn many_that_are_too_large_together() {
    let part = Part::zeros("", 30 << 20);
    let parts: Vec<Part> =
        (0..9).map(|number| Part { name: format!("{number}").into(), ..part.clone() }).collect();
    let error = inspect(&zip(&parts)).unwrap_err();
    assert_eq!(error.to_string(), "Unzipped size must be smaller than 262144000 bytes");
}

#[test]
fn one_content_for_many_entries() {
    let kernel = Part::zeros("kernel", 1 << 20);
    let mut bytes = Vec::new();
    let offset = write_local(&mut bytes, &kernel);
    let parts: Vec<Part> = (0..50)
        .map(|number| Part {
            name: if number == 0 { "kernel".into() } else { format!("{number}").into() },
            ..kernel.clone()
        })
        .collect();
    refused(&finish(bytes, &parts, &[offset; 50], b""), "mismatch");
    // The same with names that agree, one local header within the data of another.
    let inner = zip_local(&Part::file("inner", "x"));
    let outer = Part::file("outer", &inner);
    let mut bytes = Vec::new();
    let outer_at = write_local(&mut bytes, &outer);
    let inner_at = (bytes.len() - inner.len()) as u32;
    let parts = [outer, Part::file("inner", "x")];
    refused(&finish(bytes, &parts, &[outer_at, inner_at], b""), "overlapping");
}

fn zip_local(part: &Part) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_local(&mut bytes, part);
    bytes
}

#[test]
fn too_many_entries() {
    let parts: Vec<Part> = (0..60_000).map(|number| Part::file(format!("{number}"), "")).collect();
    assert_eq!(inspect(&zip(&parts)).unwrap().entries, 60_000);
    // Headers beyond any honest number, whatever the end record says.
    let mut bytes = b"PK\x01\x02".repeat(2 * MAX_ENTRIES + 1);
    bytes.extend(zip(&[]));
    refused(&bytes, "too many entries");
}

#[test]
fn too_many_links() {
    let parts: Vec<Part> = (0..10_001).map(|number| Part::link(&format!("{number}"), "a")).collect();
    refused(&zip(&parts), "too many symbolic links");
}

#[test]
fn headers_that_contradict_each_other() {
    let file = || Part::file("good.txt", "data");
    refused(&zip(&[Part { local_name: Some("evil.txt".into()), ..file() }]), "filename mismatch");
    refused(&zip(&[Part { local_method: Some(DEFLATED), ..file() }]), "method mismatch");
    refused(&zip(&[Part { offset: Some(9999), ..file() }]), "");
    refused(&zip(&[Part { offset: Some(u32::MAX - 1), ..file() }]), "");
}

#[test]
fn an_entry_that_the_directory_does_not_list() {
    let mut bytes = Vec::new();
    let listed = Part::file("listed", "");
    let at = write_local(&mut bytes, &listed);
    write_local(&mut bytes, &Part::file("hidden", "evil"));
    refused(&finish(bytes, &[listed], &[at], b""), "missing from central directory");
}

#[test]
fn data_after_the_end() {
    let mut bytes = zip(&[Part::file("a", "")]);
    bytes.extend(b"trailing");
    refused(&bytes, "after the end");
    let commented = finish(zip_local(&Part::file("a", "")), &[Part::file("a", "")], &[0], b"comment");
    assert!(inspect(&commented).is_ok());
    refused(&commented[..commented.len() - 1], "");
}

#[test]
fn contents_that_are_not_what_they_should_be() {
    // These are found while writing: the directory is then the caller's to remove.
    let unreadable = |part: Part| {
        let (_directory, result) = unpacked(&zip(&[part]));
        assert!(matches!(result, Err(CodeError::Unreadable { .. })), "{result:?}");
    };
    unreadable(Part { crc: 1, ..Part::file("a", "data") });
    unreadable(Part { method: DEFLATED, ..Part::file("a", "this was never deflated") });
    unreadable(Part { unzipped_size: 5, ..Part::zeros("a", 4) });
    unreadable(Part { unzipped_size: 3, ..Part::zeros("a", 4) });
    let mut cut = Part::zeros("a", 100_000);
    cut.stored.truncate(cut.stored.len() / 2);
    unreadable(cut);
}

#[test]
fn encryption_and_strange_compression() {
    refused(&zip(&[Part { flags: 1, ..Part::file("a", "secret data......") }]), "encrypted");
    for method in [1, 6, 9, 12, 14, 93, 95, 99, 0xFFFF] {
        refused(&zip(&[Part { method, ..Part::file("a", "data") }]), "");
    }
}

#[test]
fn an_archive_cut_anywhere() {
    let whole = zip(&[Part::file("a.txt", "some data"), Part::zeros("b", 10_000)]);
    for length in 1..whole.len() {
        assert!(matches!(inspect(&whole[..length]), Err(CodeError::Unreadable { .. })), "cut at {length}");
    }
}

#[test]
fn no_archive_at_all() {
    for bytes in [&b""[..], b"not a zip", b"PK", b"PK\x03\x04", b"PK\x05\x06", b"<html>", &[0; 100]] {
        refused(bytes, "");
    }
    let error = inspect(&zip(&[])).unwrap_err();
    assert_eq!(error.to_string(), "Uploaded file must be a non-empty zip");
}

#[test]
fn an_end_record_that_promises_too_much() {
    let mut bytes = zip(&[Part::file("a", "")]);
    let end = bytes.len() - 22;
    bytes[end + 8..end + 12].copy_from_slice(&[0xFF; 4]);
    refused(&bytes, "");
    let mut bytes = zip(&[Part::file("a", "")]);
    bytes[end + 12..end + 20].copy_from_slice(&[0xFE; 8]);
    refused(&bytes, "");
}
