//! `cargo xtask lint-size`: no file and no function grows too long.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace_root;

const MOST_FILE_LINES: usize = 1000;
const MOST_FUNCTION_LINES: usize = 100;

/// Where hand-written Rust lives.
const FOLDERS: [&str; 5] = ["benches", "crates", "fuzz", "tests", "xtask"];

/// Fails with every file and function that is too long.
pub(crate) fn run() -> Result<()> {
    let root = workspace_root();
    let mut offenders = Vec::new();
    for file in rust_files(&root)? {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        let lines = text.lines().count();
        if lines > MOST_FILE_LINES {
            offenders.push(format!("{name}: {lines} lines"));
        }
        // A test may be one long table.
        if name.contains("tests/") {
            continue;
        }
        for function in functions(&text).into_iter().filter(|function| function.lines > MOST_FUNCTION_LINES) {
            offenders
                .push(format!("{name}:{}: `{}` has {} lines", function.line, function.name, function.lines));
        }
    }
    if offenders.is_empty() {
        return Ok(());
    }
    bail!(
        "files may have {MOST_FILE_LINES} lines and functions {MOST_FUNCTION_LINES}:\n  {}",
        offenders.join("\n  ")
    )
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    folders.retain(|folder| folder.is_dir());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() {
                if name != "generated" && name != "target" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

struct Function {
    name: String,
    /// The line on which it starts, from 1.
    line: usize,
    lines: usize,
}

/// The functions of a text that rustfmt has formatted: one starts at a line with `fn`, and ends at the
/// first `}` with the same indentation.
fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indentation}}}");
        // A declaration without a body ends before any such line, and must not run into the next one.
        let ends_at_once = line.trim_end().ends_with(['}', ';']);
        let length =
            lines[index..].iter().position(|line| *line == end || *line == format!("{indentation});"));
        if let (false, Some(length)) = (ends_at_once, length) {
            functions.push(Function { name: name.to_owned(), line: index + 1, lines: length + 1 });
        }
    }
    functions
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let qualifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern", "\"C\""];
    let first = words.find(|word| !qualifiers.contains(word))?;
    if first != "fn" {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_signature_to_brace() {
        let text = "impl A {\n    pub(crate) async fn first<T>(a: T) {\n        b();\n    }\n}\nfn second() {}\n\
                    fn third(\n    a: u8,\n) {\n}\n";
        let found: Vec<(String, usize, usize)> = functions(text)
            .into_iter()
            .map(|function| (function.name, function.line, function.lines))
            .collect();
        assert_eq!(found, [("first".to_owned(), 2, 3), ("third".to_owned(), 7, 4)]);
    }

    #[test]
    fn comments_and_calls_are_not_functions() {
        assert_eq!(function_name("// fn x() {"), None);
        assert_eq!(function_name("let fn_pointer = x;"), None);
    }
}
