//! `cargo xtask compat`: `docs/compat.md`, which says of every operation whether it is built and what shows it.
//!
//! Nothing in it is written by hand. Operations come from the models, their status from the code that implements
//! them, the evidence from the tests that call them.

mod evidence;
mod python;
mod status;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::codegen::{self, Mode, ServiceOperations};
use crate::workspace_root;
use evidence::Evidence;
use status::Status;

const FILE: &str = "docs/compat.md";

const INTRODUCTION: &str = "\
# What of the API is built, and what shows it

Written by `cargo xtask compat` from the service models, the code that implements them and the tests; `./dev lint`
checks that it is current. Not to be edited.

An operation is **built** or answers **501** `NotImplementedException` and names itself; either way its input is
validated first, as on AWS: `tests/api/test_constraints.py` sends every constrained value of every operation at its
bounds and one beyond. *Tests* counts the test functions of `tests/api/` that call the operation through boto3 or the
AWS CLI, themselves or by a fixture (cleaning up does not count). *Whole answers* counts those of them that compare
complete answers with files in `tests/api/golden/`.
";

/// Writes the document, or fails if it is not what would be written.
pub(crate) fn run(mode: Mode) -> Result<()> {
    let root = workspace_root();
    let services = codegen::operations(&root)?;
    let status = Status::read(&root, &services)?;
    let evidence = Evidence::read(&root.join("tests/api"), &services)?;
    let untested = untested(&services, &status, &evidence);
    ensure!(untested.is_empty(), "built, but no test calls it:\n  {}", untested.join("\n  "));
    let text = document(&services, &status, &evidence)?;
    let path = root.join(FILE);
    let current = fs::read_to_string(&path).ok();
    match mode {
        _ if current.as_ref() == Some(&text) => Ok(()),
        Mode::Write => {
            fs::write(&path, text).with_context(|| format!("writing {FILE}"))?;
            println!("wrote {}", path.display());
            Ok(())
        }
        Mode::Check => {
            let differing = first_difference(current.as_deref().unwrap_or_default(), &text);
            bail!("{FILE} is stale, run `cargo xtask compat`; it should say:\n  {differing}")
        }
    }
}

fn untested(services: &[ServiceOperations], status: &Status, evidence: &Evidence) -> Vec<String> {
    let all = services.iter().flat_map(|service| service.operations.iter().map(|name| service.key(name)));
    all.filter(|key| status.is_built(key) && evidence.of(key).is_none()).collect()
}

fn first_difference<'t>(current: &str, wanted: &'t str) -> &'t str {
    let mut current = current.lines();
    wanted.lines().find(|line| current.next() != Some(line)).unwrap_or("(fewer lines)")
}

fn document(services: &[ServiceOperations], status: &Status, evidence: &Evidence) -> Result<String> {
    let mut text = String::from(INTRODUCTION);
    writeln!(text, "\n| service | operations | built | answer 501 |\n|---|---|---|---|")?;
    for service in services {
        let built = service.operations.iter().filter(|name| status.is_built(&service.key(name))).count();
        let all = service.operations.len();
        writeln!(text, "| {} | {all} | {built} | {} |", service.title, all - built)?;
    }
    for service in services {
        writeln!(text, "\n## {}\n", service.title)?;
        if service.is_partial {
            writeln!(text, "A part of the service; its other operations are unknown here.\n")?;
        }
        writeln!(text, "| operation | status | tests | whole answers | in |\n|---|---|---|---|---|")?;
        for name in &service.operations {
            let key = service.key(name);
            let standing = if status.is_built(&key) { "built" } else { "501" };
            let (tests, golden, files) = evidence.of(&key).map_or_else(Default::default, |found| {
                (found.tests.to_string(), shown(found.golden), listed(&found.files))
            });
            writeln!(text, "| {name} | {standing} | {tests} | {golden} | {files} |")?;
        }
    }
    if !status.parts.is_empty() {
        writeln!(text, "\n## Parts of built operations that answer 501\n")?;
        for part in &status.parts {
            writeln!(text, "- {part}")?;
        }
    }
    Ok(text)
}

fn shown(count: usize) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

/// Files with how many tests of each: `test_functions 3`.
fn listed(files: &BTreeMap<String, usize>) -> String {
    let each = files.iter().map(|(file, count)| format!("{file} {count}"));
    each.collect::<Vec<_>>().join(", ")
}

/// The text files below a folder whose name ends so, in order.
fn files_below(folder: &Path, ending: &str, skipped: &[&str]) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !skipped.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> ServiceOperations {
        ServiceOperations {
            title: "Lambda".to_owned(),
            cli_name: "lambda".to_owned(),
            trait_name: "LambdaService".to_owned(),
            operations: ["CreateAlias", "Invoke", "ListAliases"].map(str::to_owned).to_vec(),
            is_partial: false,
        }
    }

    #[test]
    fn the_document_counts_and_lists() {
        let services = [service()];
        let code = "impl LambdaService for X {\n    async fn create_alias(\n    ) {}\n}\n";
        let gateway = "decode::invoke_request(x); not_implemented(\"Invoke with Y\")";
        let status = Status::of(&services, &[code.to_owned()], &[gateway.to_owned()]);
        let mut evidence = Evidence::new(&services);
        evidence.scan("test_alias", "def test_a(client, golden):\n    client.create_alias(a)\n", &[]);
        let text = document(&services, &status, &evidence).unwrap();
        assert!(text.contains("| Lambda | 3 | 2 | 1 |"), "{text}");
        assert!(text.contains("| CreateAlias | built | 1 | 1 | test_alias 1 |"), "{text}");
        assert!(text.contains("| ListAliases | 501 |  |  |  |"), "{text}");
        assert!(text.ends_with("501\n\n- Invoke with Y\n"), "{text}");
        assert_eq!(untested(&services, &status, &evidence), ["lambda.Invoke"]);
    }

    #[test]
    fn a_stale_document_is_told_by_its_first_line() {
        assert_eq!(first_difference("a\nb\n", "a\nc\nd\n"), "c");
        assert_eq!(first_difference("a\nb\n", "a\n"), "(fewer lines)");
    }
}
