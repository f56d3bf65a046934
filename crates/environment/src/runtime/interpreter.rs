//! Interpreters on this machine: where they may be, and what they say of themselves.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use parking_lot::Mutex;
use rushlight_runtimes::Interpreter;

/// An interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// E.g. `3.12.1`.
    pub(super) version: String,
    /// Other versions that the same executable runs.
    pub(super) also: Vec<String>,
    /// The tree that holds it and its libraries: becomes `/var/lang`.
    pub(super) prefix: PathBuf,
    /// The executable below the prefix.
    pub(super) binary: PathBuf,
}

impl Found {
    /// The same as the version that serves, if it has one.
    pub(super) fn serving(self, wanted: &Interpreter) -> Result<Self, Self> {
        let mut all = std::iter::once(&self.version).chain(&self.also);
        match all.find(|version| wanted.accepts(version)).cloned() {
            Some(version) => Ok(Self { version, ..self }),
            None => Err(self),
        }
    }
}

/// What was asked of interpreters, so that each is run once.
#[derive(Debug, Default)]
pub(super) struct Interpreters {
    probed: Mutex<HashMap<Executable, Option<Found>>>,
}

/// A path with the time at which its content last changed.
type Executable = (PathBuf, Option<SystemTime>);

/// What people call the interpreter of a family.
pub(super) fn language(family: &str) -> &str {
    match family {
        "python" => "Python",
        "nodejs" => "Node.js",
        "ruby" => "Ruby",
        "java" => "Java",
        "dotnet" => ".NET",
        other => other,
    }
}

impl Interpreters {
    /// Every interpreter of `family` that goes by one of `names`, best first.
    pub(super) fn candidates(&self, names: &[String], family: &str) -> impl Iterator<Item = Found> {
        let places = places(family);
        let mut paths: Vec<PathBuf> = Vec::new();
        for name in names {
            for path in places.iter().map(|place| place.join(name)).filter(|path| path.is_file()) {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths.into_iter().filter_map(move |path| self.probe(&path, family))
    }

    /// The versions of everything of `family` that is usually looked for by another name.
    pub(super) fn other_versions(&self, family: &str) -> Vec<String> {
        let names: Vec<String> = match family {
            "python" => (8..20).map(|minor| format!("python3.{minor}")).collect(),
            "ruby" => (0..10).map(|minor| format!("ruby3.{minor}")).collect(),
            _ => Vec::new(),
        };
        self.candidates(&names, family).map(|found| found.version).collect()
    }

    /// Runs an executable once and asks what it is; none if it does not answer as expected.
    pub(super) fn probe(&self, path: &Path, family: &str) -> Option<Found> {
        let modified = path.metadata().and_then(|metadata| metadata.modified()).ok();
        let key = (path.to_owned(), modified);
        if let Some(known) = self.probed.lock().get(&key) {
            return known.clone();
        }
        let found = ask(path, family);
        self.probed.lock().insert(key, found.clone());
        found
    }
}

/// Asks for the version and the executable's true place: what is found on the PATH may be a script of a version
/// manager.
fn ask(path: &Path, family: &str) -> Option<Found> {
    let arguments: &[&str] = match family {
        "python" => &[
            "-I",
            "-S",
            "-c",
            "import os,platform,sys;e=os.path.realpath(getattr(sys,'_base_executable',None) or sys.executable);\
             print(platform.python_version());print(sys.base_prefix);print(e)",
        ],
        "nodejs" => &[
            "-p",
            "const p=require('path'),e=require('fs').realpathSync(process.execPath);\
             [process.versions.node,p.dirname(p.dirname(e)),e].join('\\n')",
        ],
        "ruby" => &[
            "--disable-gems",
            "-rrbconfig",
            "-e",
            "puts RUBY_VERSION, RbConfig::CONFIG['prefix'], File.realpath(RbConfig.ruby)",
        ],
        "java" => &["-XshowSettings:properties", "-version"],
        "dotnet" => &["--list-runtimes"],
        _ => return None,
    };
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).env_remove("NODE_OPTIONS").env_remove("JAVA_TOOL_OPTIONS");
    let output = command.output().ok().filter(|output| output.status.success())?;
    if family == "java" {
        return of_java(&String::from_utf8(output.stderr).ok()?);
    }
    let text = String::from_utf8(output.stdout).ok()?;
    if family == "dotnet" {
        return of_dotnet(&text, path);
    }
    let mut lines = text.lines();
    let (version, prefix, executable) = (lines.next()?, lines.next()?, lines.next()?);
    let prefix = Path::new(prefix).canonicalize().ok()?;
    let binary = Path::new(executable).strip_prefix(&prefix).ok()?.to_owned();
    Some(Found { version: version.to_owned(), also: Vec::new(), prefix, binary })
}

/// .NET lists all of its versions that there are.
fn of_dotnet(runtimes: &str, path: &Path) -> Option<Found> {
    let core = runtimes.lines().filter_map(|line| line.strip_prefix("Microsoft.NETCore.App "));
    let mut versions: Vec<String> =
        core.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect();
    let version = versions.pop()?;
    let executable = path.canonicalize().ok()?;
    let prefix = executable.parent()?.to_owned();
    let binary = executable.file_name()?.into();
    Some(Found { version, also: versions, prefix, binary })
}

/// Java says what it is among all of its properties.
fn of_java(properties: &str) -> Option<Found> {
    let property = |wanted: &str| {
        let pairs = properties.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == wanted)
    };
    let (_, version) = property("java.version")?;
    let (_, home) = property("java.home")?;
    let home = Path::new(home).canonicalize().ok()?;
    // A development kit of Java 8 has its runtime within.
    let prefix = match home.file_name() {
        Some(name) if name == "jre" && home.parent().is_some_and(|kit| kit.join("bin/java").is_file()) => {
            home.parent()?.to_owned()
        }
        _ => home,
    };
    Some(Found { version: version.to_owned(), also: Vec::new(), prefix, binary: "bin/java".into() })
}

/// Directories in which executables may be, best first.
fn places(family: &str) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    places.extend(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_else(|| "/root".into());
    let share = env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    let of = |variable: &str, default: &str| {
        env::var_os(variable).map_or_else(|| home.join(default), PathBuf::from)
    };
    // Version managers keep one tree per version, each with its own `bin`.
    let versions = match family {
        "python" => vec![
            of("PYENV_ROOT", ".pyenv").join("versions"),
            share.join("uv/python"),
            share.join("mise/installs/python"),
            home.join(".asdf/installs/python"),
            PathBuf::from("/opt/python"),
        ],
        "ruby" => vec![
            of("RBENV_ROOT", ".rbenv").join("versions"),
            share.join("mise/installs/ruby"),
            home.join(".asdf/installs/ruby"),
            home.join(".rubies"),
            PathBuf::from("/opt/rubies"),
        ],
        "nodejs" => vec![
            of("NVM_DIR", ".nvm").join("versions/node"),
            share.join("mise/installs/node"),
            home.join(".asdf/installs/nodejs"),
            PathBuf::from("/usr/local/n/versions/node"),
            PathBuf::from("/opt/node"),
        ],
        "java" => {
            places.extend(env::var_os("JAVA_HOME").map(|kit| PathBuf::from(kit).join("bin")));
            vec![
                PathBuf::from("/usr/lib/jvm"),
                of("SDKMAN_DIR", ".sdkman").join("candidates/java"),
                share.join("mise/installs/java"),
                home.join(".asdf/installs/java"),
                PathBuf::from("/opt/java"),
            ]
        }
        "dotnet" => {
            places.extend(env::var_os("DOTNET_ROOT").map(PathBuf::from));
            places.extend(["/usr/share/dotnet", "/usr/lib/dotnet"].map(PathBuf::from));
            places.push(home.join(".dotnet"));
            Vec::new()
        }
        _ => Vec::new(),
    };
    for directory in versions {
        let Ok(entries) = directory.read_dir() else { continue };
        let mut trees: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
        // The later version first, as far as names tell.
        trees.sort_by(|one, other| other.cmp(one));
        places.extend(trees);
    }
    if family == "nodejs" {
        // The npm package `node`, installed globally or where the server was started.
        let modules =
            ["/usr/lib/node_modules", "/usr/local/lib/node_modules", "node_modules"].map(PathBuf::from);
        let current = env::current_dir().unwrap_or_default();
        places.extend(modules.map(|modules| current.join(modules).join("node/bin")));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_says_where_it_is() {
        let interpreters = Interpreters::default();
        let names: Vec<String> = (8..20).map(|minor| format!("python3.{minor}")).collect();
        for found in interpreters.candidates(&names, "python") {
            assert!(found.version.starts_with("3."), "{found:?}");
            assert!(found.prefix.join(&found.binary).is_file(), "{found:?}");
        }
    }

    #[test]
    fn dotnet_has_several_versions() {
        let listed = "Microsoft.AspNetCore.App 8.0.11 [/usr/share/dotnet/shared/Microsoft.AspNetCore.App]\n\
                      Microsoft.NETCore.App 8.0.11 [/usr/share/dotnet/shared/Microsoft.NETCore.App]\n\
                      Microsoft.NETCore.App 10.0.1 [/usr/share/dotnet/shared/Microsoft.NETCore.App]\n";
        let found = of_dotnet(listed, Path::new("/bin/true")).unwrap();
        let wanted = |version: &str| Interpreter {
            names: vec![],
            version: version.to_owned(),
            binary: String::new(),
            in_place: false,
        };
        assert_eq!(found.clone().serving(&wanted("8.0")).unwrap().version, "8.0.11");
        assert_eq!(found.clone().serving(&wanted("10.0")).unwrap().version, "10.0.1");
        assert_eq!(found.serving(&wanted("6.0")).unwrap_err().version, "10.0.1");
        assert_eq!(of_dotnet("", Path::new("/bin/true")), None);
    }

    #[test]
    fn what_is_no_interpreter_is_not_taken_for_one() {
        assert_eq!(Interpreters::default().probe(Path::new("/bin/true"), "python"), None);
        assert_eq!(Interpreters::default().probe(Path::new("/nowhere"), "nodejs"), None);
    }
}
