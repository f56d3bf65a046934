//! Embeds the runtimes: every `runtimes/<identifier>/runtime.toml`, `runtimes/others.toml`, and every file of
//! `runtimes/<family>/client/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let runtimes = manifest.join("../../runtimes");
    println!("cargo::rerun-if-changed={}", runtimes.display());
    let (mut definitions, mut clients) = (String::new(), String::new());
    for directory in entries(&runtimes)? {
        let definition = directory.join("runtime.toml");
        if definition.is_file() {
            let _ = writeln!(definitions, "    include_str!({:?}),", definition.display().to_string());
        }
        let client = directory.join("client");
        if client.is_dir() {
            println!("cargo::rerun-if-changed={}", client.display());
            let _ = writeln!(clients, "    ({:?}, &[", name(&directory));
            for file in entries(&client)?.iter().filter(|file| file.is_file()) {
                let path = file.display().to_string();
                let _ = writeln!(clients, "        ({:?}, include_bytes!({path:?})),", name(file));
            }
            clients.push_str("    ]),\n");
        }
    }
    let others = runtimes.join("others.toml").display().to_string();
    let code = format!(
        "/// The text of every `runtime.toml`.\npub(super) const DEFINITIONS: &[&str] = &[\n{definitions}];\n\
         /// That of `others.toml`.\npub(super) const OTHERS: &str = include_str!({others:?});\n\
         /// The files of every family's client.\n\
         pub(super) const CLIENTS: &[(&str, &[super::File])] = &[\n{clients}];\n"
    );
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(out.join("embedded.rs"), code)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
