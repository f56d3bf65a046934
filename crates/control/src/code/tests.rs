//! Packages made to do harm, and ordinary ones that must not be taken for such.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod accepted;
mod attacks;
mod forge;
mod mutations;

use std::path::Path;

use super::{CodeError, Inspection, inspect, unpack};

/// Unpacks into a directory of its own, having checked that looking at the archive comes to the same.
fn unpacked(zip: &[u8]) -> (tempfile::TempDir, Result<Inspection, CodeError>) {
    let directory = tempfile::tempdir().unwrap();
    let result = unpack(zip, directory.path());
    let inspected = inspect(zip);
    match (&result, &inspected) {
        (Ok(unpacked), Ok(inspected)) => assert_eq!(unpacked, inspected),
        (Err(unpacked), Err(inspected)) => assert_eq!(unpacked.to_string(), inspected.to_string()),
        _ => panic!("unpacked {result:?}, inspected {inspected:?}"),
    }
    (directory, result)
}

/// Every path below `root`, sorted, directories with a `/` behind them.
fn paths(root: &Path) -> Vec<String> {
    fn walk(root: &Path, directory: &Path, found: &mut Vec<String>) {
        for entry in directory.read_dir().unwrap() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                found.push(format!("{name}/"));
                walk(root, &entry.path(), found);
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}
