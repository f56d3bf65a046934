//! A runtime, or a container image, with all that this machine needs to run functions on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rushlight_model::arn::Scope;
use rushlight_model::runtime_version;
use rushlight_runtimes::Definition;
use rushlight_sandbox::{Mount, Root};
use sha2::{Digest, Sha256};

use super::client::hex;
use super::interpreter::Found;
use super::root::{Client, RootFileSystem};

/// A container image as a function runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// The directory that its layers were put together in.
    pub root: PathBuf,
    /// What is run, with its arguments.
    pub command: Vec<String>,
    /// Where it is run.
    pub working_directory: PathBuf,
    /// Variables of every process, unless the function sets them itself.
    pub environment: BTreeMap<String, String>,
}

/// A runtime with all that this machine needs to run it.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub(super) definition: Arc<Definition>,
    pub(super) base: Base,
    /// The root file system that was added for it when it was looked for.
    pub(super) added: Option<PathBuf>,
    pub(super) client_directory: PathBuf,
    /// What stands behind `runtime:` in the ARN of its version.
    pub(super) version_hash: String,
}

/// What a function's processes find below `/`.
#[derive(Debug, Clone)]
pub(super) enum Base {
    /// The host's programs, and an interpreter of the host if the runtime needs one.
    Host(Option<Found>),
    /// A root file system of its own.
    Root(RootFileSystem),
    /// That of a container image, with its code and its working directory.
    Image { root: PathBuf, working_directory: PathBuf },
}

impl Resolved {
    /// What an image has for a runtime.
    #[must_use]
    pub fn image(image: ContainerImage) -> Self {
        let definition = Definition {
            command: image.command,
            environment: image.environment,
            execution_environment: Some("AWS_Lambda_Image".to_owned()),
            ..Definition::bare("image")
        };
        Self {
            definition: Arc::new(definition),
            base: Base::Image { root: image.root, working_directory: image.working_directory },
            added: None,
            client_directory: PathBuf::new(),
            version_hash: String::new(),
        }
    }

    /// The root file system of an image, and where its command is run.
    pub(crate) fn as_image(&self) -> Option<(&Path, &Path)> {
        match &self.base {
            Base::Image { root, working_directory } => Some((root, working_directory)),
            Base::Host(_) | Base::Root(_) => None,
        }
    }

    /// The root file system of its own, if it has one.
    pub(super) fn root_file_system(&self) -> Option<&Path> {
        match &self.base {
            Base::Root(root) => Some(&root.path),
            Base::Host(_) | Base::Image { .. } => None,
        }
    }

    /// E.g. `python3.12`.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.definition.identifier
    }

    /// The text that INIT_START prints, e.g. `python:3.12.v36`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.definition.version
    }

    /// What stands behind `runtime:` in the ARN of its version.
    #[must_use]
    pub fn version_hash(&self) -> &str {
        &self.version_hash
    }

    /// The ARN of this version of the runtime.
    #[must_use]
    pub fn version_arn(&self, region: &str) -> String {
        let scope = Scope { account: String::new(), region: region.to_owned() };
        runtime_version::arn(&scope, &self.version_hash)
    }

    /// `AWS_EXECUTION_ENV`; none for runtimes that are only an operating system.
    #[must_use]
    pub fn execution_environment(&self) -> Option<&str> {
        self.definition.execution_environment.as_deref()
    }

    /// Variables of every process, unless the function sets them itself.
    pub(crate) fn environment(&self) -> &BTreeMap<String, String> {
        &self.definition.environment
    }

    /// Files of which the first that exists is executed; empty where [`Resolved::command`] is not.
    pub(crate) fn entrypoints(&self) -> &[String] {
        &self.definition.entrypoints
    }

    /// Whether the platform brings the runtime client (and with it the wrapper script and the framed log).
    pub(crate) fn has_client(&self) -> bool {
        !self.definition.command.is_empty() && self.as_image().is_none()
    }

    /// Whether it is ours to start the function's wrapper script.
    pub(crate) fn is_wrapped_by_us(&self) -> bool {
        let starts_itself = self.definition.starter.is_some()
            || matches!(&self.base, Base::Root(root) if root.client == Client::Own);
        self.has_client() && !starts_itself
    }

    /// What the sandbox is made on.
    pub(crate) fn root(&self) -> Root {
        match &self.base {
            Base::Host(_) => Root::Host,
            Base::Root(RootFileSystem { path: root, .. }) | Base::Image { root, .. } => {
                Root::Directory(root.clone())
            }
        }
    }

    /// What is mounted besides the code.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let mount = |source: &Path, target: &str| Mount { source: source.to_owned(), target: target.into() };
        let client = mount(&self.client_directory, "/var/runtime");
        match &self.base {
            Base::Host(Some(interpreter)) => {
                let prefix = &interpreter.prefix;
                let mut mounts = vec![client, mount(prefix, "/var/lang")];
                // Debian keeps the settings of Java in /etc.
                mounts.extend(settings_of_java(prefix));
                let in_place = self.definition.interpreter.as_ref().is_some_and(|wanted| wanted.in_place);
                // The host's /usr is there already.
                if in_place && !prefix.starts_with("/usr") {
                    mounts.push(Mount { source: prefix.clone(), target: prefix.clone() });
                }
                mounts
            }
            Base::Host(None) => vec![client],
            Base::Root(RootFileSystem { client: Client::Ours, .. }) => vec![client],
            Base::Root(_) | Base::Image { .. } => Vec::new(),
        }
    }

    /// The command line for a function with that much memory; empty where an entry point is executed instead.
    /// `node_options` is the function's own `NODE_OPTIONS`.
    pub(crate) fn command(&self, memory_size_mb: u32, node_options: &str) -> Vec<String> {
        let words = self.words(memory_size_mb, node_options);
        match &self.definition.starter {
            Some(starter) if !matches!(&self.base, Base::Root(root) if root.client == Client::Own) => {
                ["/bin/sh".to_owned(), starter.clone()].into_iter().chain(words).collect()
            }
            _ => words,
        }
    }

    fn words(&self, memory_size_mb: u32, node_options: &str) -> Vec<String> {
        let young = memory_size_mb / 10;
        let fill = |word: &String| {
            word.replace("{semi_space_mb}", &(young / 2).to_string())
                // AWS leaves the rest to what Java has besides its heap.
                .replace("{heap_kb}", &(u64::from(memory_size_mb) * 1024 * 85 / 100).to_string())
                .replace("{old_space_mb}", &(memory_size_mb - young).to_string())
        };
        let words: Vec<String> = self.definition.command.iter().map(fill).collect();
        match &self.base {
            Base::Root(root) => root.command(words),
            Base::Host(None) | Base::Image { .. } => words,
            Base::Host(Some(interpreter)) => {
                let arguments = self.definition.conditional_arguments.iter();
                let applies =
                    arguments.filter(|argument| argument.applies(&interpreter.version, node_options));
                let applying = applies.map(|argument| argument.argument.clone());
                let program = format!("/var/lang/{}", interpreter.binary.display());
                [program].into_iter().chain(applying).chain(words.into_iter().skip(1)).collect()
            }
        }
    }

    /// A runtime that is never executed.
    pub(crate) fn for_fuzzing() -> Self {
        let definition = Definition { command: vec!["/never".to_owned()], ..Definition::bare("provided") };
        Self {
            definition: Arc::new(definition),
            base: Base::Host(None),
            added: None,
            client_directory: PathBuf::new(),
            version_hash: String::new(),
        }
    }

    pub(super) fn describe(&self) -> String {
        match &self.base {
            Base::Host(Some(found)) => {
                format!("{} ({})", found.prefix.join(&found.binary).display(), found.version)
            }
            Base::Host(None) => "needs no interpreter".to_owned(),
            Base::Root(root) => root.describe(),
            Base::Image { root, .. } => format!("{} (a container image)", root.display()),
        }
    }
}

/// The hash of the version that comes with us: the same on every machine.
pub(super) fn version_hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// The directory outside of a Java that its own settings are links into.
fn settings_of_java(prefix: &Path) -> Option<Mount> {
    let settings = fs::canonicalize(prefix.join("conf/net.properties")).ok()?;
    let directory = settings
        .parent()
        .filter(|directory| directory.starts_with("/etc") && !directory.starts_with(prefix))?;
    Some(Mount { source: directory.to_owned(), target: directory.to_owned() })
}
