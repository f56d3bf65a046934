//! Log events as files: `DIR/<account>/<region>/<log group>/<day>.jsonl`, one JSON object a line.
//!
//! A file is opened for each writing and never again after its day, so that anything may move or remove it.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rushlight_model::clock::Timestamp;
use rushlight_model::log::{LogEvent, LogStream};
use serde_json::json;

use super::Streams;
use crate::delivery::{Courier, Failure};

/// See the module.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: &str) -> anyhow::Result<Self> {
        let path = PathBuf::from(path);
        ensure!(path.is_absolute(), "the directory must be named by its whole path, which starts with /");
        make(&path).context("cannot make the directory")?;
        Ok(Self(path))
    }

    pub(super) async fn deliver(&self, streams: &Streams, courier: &Courier) {
        let mut files: BTreeMap<PathBuf, (usize, Vec<u8>)> = BTreeMap::new();
        for (stream, events) in streams {
            for event in events {
                let time = Timestamp::from_millis(event.timestamp_ms).to_iso_millis();
                let (count, text) = files.entry(self.file(stream, &time)).or_default();
                *count += 1;
                text.extend(line(stream, event, &time).into_bytes());
            }
        }
        for (path, (count, text)) in files {
            courier.deliver(count, || std::future::ready(append(&path, &text))).await;
        }
    }

    /// A group's name is a path, which must not lead out of the directory.
    fn file(&self, stream: &LogStream, time: &str) -> PathBuf {
        let segments = stream.group.split('/').filter(|segment| !segment.is_empty()).map(|segment| {
            if segment.bytes().all(|byte| byte == b'.') {
                segment.replace('.', "%2E")
            } else {
                segment.to_owned()
            }
        });
        let mut path = self.0.join(&stream.account).join(&stream.region);
        path.extend(segments);
        path.push(format!("{}.jsonl", &time[..10]));
        path
    }
}

fn line(stream: &LogStream, event: &LogEvent, time: &str) -> String {
    let LogStream { account, region, group, stream } = stream;
    let message = String::from_utf8_lossy(&event.message);
    let record = json!({
        "timestamp": time, "account": account, "region": region, "group": group, "stream": stream, "message": message,
    });
    format!("{record}\n")
}

fn append(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        make(path.parent().unwrap_or(path))?;
        let mut file: File = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
        file.write_all(text)
    };
    write().map_err(|error| {
        let text = format!("{}: {error}", path.display());
        match error.kind() {
            // A full disk may have room again.
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Failure::Passing(text),
            _ => Failure::Lasting(text),
        }
    })
}

fn make(directory: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_stays_in_the_directory() {
        let directory = Directory(PathBuf::from("/logs"));
        let file = |group: &str| {
            let stream = LogStream {
                account: "000000000000".into(),
                region: "eu-west-1".into(),
                group: group.into(),
                stream: "s".into(),
            };
            directory.file(&stream, "2026-11-25T00:00:00.000Z")
        };
        for (group, path) in [
            ("/aws/lambda/hello", "aws/lambda/hello"),
            ("/../../../etc/cron.d", "%2E%2E/%2E%2E/%2E%2E/etc/cron.d"),
            ("//./a", "%2E/a"),
        ] {
            let whole = format!("/logs/000000000000/eu-west-1/{path}/2026-11-25.jsonl");
            assert_eq!(file(group), Path::new(&whole), "{group}");
        }
    }
}
