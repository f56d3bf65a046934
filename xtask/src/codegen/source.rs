//! Where models come from, and how generated code is formatted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

/// The version of botocore whose models are used.
pub(super) const BOTOCORE_VERSION: &str = "1.44.5";

/// The botocore wheel, which holds the public model of every AWS service.
pub(super) struct Wheel {
    archive: ZipArchive<File>,
}

impl Wheel {
    /// Opens the wheel in `target/codegen`, downloading it first if it is not there.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let folder = root.join("target/codegen");
        let path = folder.join(format!("botocore-{BOTOCORE_VERSION}-py3-none-any.whl"));
        if !path.exists() {
            download(&folder)?;
        }
        let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        Ok(Self { archive: ZipArchive::new(file)? })
    }

    /// The model of a service and version such as `lambda/2015-03-31`, with its SHA-256.
    pub(super) fn model(&mut self, name: &str) -> Result<(Vec<u8>, String)> {
        let path = format!("botocore/data/{name}/service-2.json.gz");
        let entry = self.archive.by_name(&path).with_context(|| format!("the wheel has no {path}"))?;
        let mut model = Vec::new();
        GzDecoder::new(entry).read_to_end(&mut model)?;
        let digest = Sha256::digest(&model);
        let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((model, hash))
    }
}

fn download(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let status = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
        .arg(folder)
        .arg(format!("botocore=={BOTOCORE_VERSION}"))
        .status()
        .context("running pip: Python 3 with pip is needed to download the service models")?;
    ensure!(status.success(), "pip could not download botocore {BOTOCORE_VERSION}");
    Ok(())
}

/// Formats every text as the workspace formats its code.
pub(super) fn format_all(root: &Path, files: BTreeMap<PathBuf, String>) -> Result<BTreeMap<PathBuf, String>> {
    let format = |(path, text): (PathBuf, String)| {
        let formatted = format(root, &text).with_context(|| format!("formatting {}", path.display()))?;
        Ok((path, formatted))
    };
    files.into_iter().map(format).collect()
}

fn format(root: &Path, text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("running rustfmt")?;
    // rustfmt reads all of its input before it writes, so this cannot deadlock; dropping the pipe ends
    // the input.
    rustfmt.stdin.take().context("rustfmt's input")?.write_all(text.as_bytes())?;
    let output = rustfmt.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt refused the generated code");
    Ok(String::from_utf8(output.stdout)?)
}
