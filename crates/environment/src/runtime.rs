//! The managed runtimes: what they are (embedded from `runtimes/`), and which of them this machine can run.

mod added;
mod definition;
mod interpreter;
pub(crate) mod root;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rushlight_model::arn::Scope;
use rushlight_model::function as model;
use rushlight_sandbox::{Mount, Root};
use sha2::{Digest, Sha256};

use self::added::Added;
pub use self::definition::{Architecture, Dates, Definition, Feature};
use self::interpreter::{Found, Interpreters};
use self::root::{Client, RootFileSystem};
use crate::start::emulated;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Where the catalogue keeps its files and what the operator told it.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// A directory of its own, for the runtime clients.
    pub data_directory: PathBuf,
    /// By runtime identifier an executable, or a directory with a root file system: they win over what is found.
    pub interpreters: BTreeMap<String, PathBuf>,
}

/// The catalogue cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An embedded definition is wrong: a fault of the build.
    #[error("the embedded definition of a runtime is wrong: {0}")]
    Definition(#[from] toml::de::Error),
    /// The clients cannot be written.
    #[error("cannot write the runtime client {path}: {source}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// A runtime that this machine cannot run, in one sentence for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such identifier.
    #[error("there is no runtime {identifier}; the known ones are {}", known.join(", "))]
    Unknown {
        /// As asked for.
        identifier: String,
        /// Every identifier.
        known: Vec<String>,
    },
    /// No interpreter of that version.
    #[error(
        "{identifier} needs {language} {version}, which is not on this machine ({}); install it so that `{name}` is on \
         the PATH, say where it is with `--runtime {identifier}=/path/to/{name}`, or give it a root file system with \
         `rushlight runtimes add {identifier} IMAGE`",
        found_text(found)
    )]
    Interpreter {
        /// The runtime.
        identifier: String,
        /// E.g. `Python`.
        language: String,
        /// E.g. `3.12`.
        version: String,
        /// What the executable is usually called.
        name: String,
        /// Other versions that were found.
        found: Vec<String>,
    },
    /// A function for another processor, and no emulator.
    #[error(
        "the function is for {architecture}, which is not this machine's architecture, and there is no emulator for it; \
         install qemu-user-static, or deploy {identifier} functions for this machine's architecture"
    )]
    Emulator {
        /// The runtime.
        identifier: String,
        /// E.g. `arm64`.
        architecture: &'static str,
    },
    /// A function for another processor, and an interpreter only for this one.
    #[error(
        "the function is for {architecture}, and the interpreters of this machine are not; say where a root file system of \
         that architecture is with `--runtime {identifier}/{architecture}=DIRECTORY`"
    )]
    Foreign {
        /// The runtime.
        identifier: String,
        /// E.g. `arm64`.
        architecture: &'static str,
    },
    /// The executable or the root file system that the operator named does not serve.
    #[error("{identifier}: {path}, which it was given, {reason}")]
    Given {
        /// The runtime.
        identifier: String,
        /// The executable or the directory.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A root file system cannot be added, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// It does not serve, or there is no such runtime.
    #[error(transparent)]
    Unfit(#[from] Missing),
    /// The link cannot be written.
    #[error("cannot note it: {0}")]
    Write(#[from] io::Error),
}

fn found_text(found: &[String]) -> String {
    if found.is_empty() { "none was found".to_owned() } else { format!("found: {}", found.join(", ")) }
}

/// One line of [`Catalogue::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The runtime.
    pub identifier: String,
    /// Its interpreter with its version, or why it cannot run.
    pub status: Result<String, String>,
}

/// All runtimes.
#[derive(Debug)]
pub struct Catalogue {
    settings: Settings,
    definitions: BTreeMap<String, Arc<Definition>>,
    clients: HashMap<String, PathBuf>,
    interpreters: Interpreters,
    added: Added,
    resolved: Mutex<HashMap<String, Arc<Resolved>>>,
}

impl Catalogue {
    /// Reads the embedded definitions and writes the clients. Interpreters are looked for when they are asked for.
    ///
    /// # Errors
    /// [`Error`] if the clients cannot be written.
    pub fn discover(settings: Settings) -> Result<Self, Error> {
        let mut definitions = BTreeMap::new();
        for text in embedded::DEFINITIONS {
            let definition: Definition = toml::from_str(text)?;
            definitions.insert(definition.identifier.clone(), Arc::new(definition));
        }
        let mut clients = HashMap::new();
        for definition in definitions.values() {
            if !clients.contains_key(&definition.family) {
                let files = embedded::CLIENTS.iter().find(|(family, _)| *family == definition.family);
                let files = files.map(|(_, files)| *files).unwrap_or_default();
                let client = write_client(&settings.data_directory, &definition.family, files)?;
                clients.insert(definition.family.clone(), client);
            }
        }
        Ok(Self {
            added: Added::new(settings.data_directory.join("added")),
            settings,
            definitions,
            clients,
            interpreters: Interpreters::default(),
            resolved: Mutex::default(),
        })
    }

    /// What is known of a runtime.
    #[must_use]
    pub fn known(&self, identifier: &str) -> Option<&Definition> {
        self.definitions.get(identifier).map(|definition| &**definition)
    }

    /// The ARN of the version that a runtime has here, whether this machine can run it or not.
    #[must_use]
    pub fn version_arn(&self, identifier: &str, region: &str) -> Option<String> {
        self.known(identifier).map(|definition| version_arn(&definition.version, region))
    }

    /// A runtime that this machine can run. The first time it looks for the interpreter and runs it once to be sure
    /// of its version, which blocks for some tens of milliseconds; after that it only looks whether another root file
    /// system was added.
    ///
    /// # Errors
    /// [`Missing`] if the machine has no such interpreter; it is looked for again the next time.
    pub fn resolve(&self, identifier: &str) -> Result<Arc<Resolved>, Missing> {
        let added = self.added.get(identifier);
        if let Some(resolved) = self.resolved.lock().get(identifier)
            && resolved.added == added
        {
            return Ok(resolved.clone());
        }
        let definition = self.definitions.get(identifier).ok_or_else(|| self.unknown(identifier))?;
        let resolved = Arc::new(Resolved {
            definition: definition.clone(),
            base: self.base(definition, added.as_deref())?,
            added,
            client_directory: self.clients.get(&definition.family).cloned().unwrap_or_default(),
        });
        self.resolved.lock().insert(identifier.to_owned(), resolved.clone());
        Ok(resolved)
    }

    /// The same for functions of that architecture. Where it is not this machine's, runtimes have what the operator
    /// named for it, and those that are only an operating system run on this machine's.
    ///
    /// # Errors
    /// [`Missing`] if there is nothing to run such functions on.
    pub fn resolve_for(
        &self,
        identifier: &str,
        architecture: model::Architecture,
    ) -> Result<Arc<Resolved>, Missing> {
        let Some(processor) = emulated(architecture) else { return self.resolve(identifier) };
        let architecture = architecture.as_str();
        if rushlight_sandbox::probe::emulator(processor).is_none() {
            return Err(Missing::Emulator { identifier: identifier.to_owned(), architecture });
        }
        let key = format!("{identifier}/{architecture}");
        if let Some(resolved) = self.resolved.lock().get(&key) {
            return Ok(resolved.clone());
        }
        let definition = self.definitions.get(identifier).ok_or_else(|| self.unknown(identifier))?;
        let base = match self.settings.interpreters.get(&key) {
            Some(root) => RootFileSystem::look(root, definition).map(Base::Root).map_err(|reason| {
                Missing::Given { identifier: key.clone(), path: root.display().to_string(), reason }
            })?,
            None if definition.command.is_empty() => Base::Host(None),
            None => return Err(Missing::Foreign { identifier: identifier.to_owned(), architecture }),
        };
        let client_directory = self.clients.get(&definition.family).cloned().unwrap_or_default();
        let resolved =
            Arc::new(Resolved { definition: definition.clone(), base, added: None, client_directory });
        self.resolved.lock().insert(key, resolved.clone());
        Ok(resolved)
    }

    /// Every runtime with its interpreter or why it has none.
    #[must_use]
    pub fn list(&self) -> Vec<Listing> {
        let status = |identifier: &str| match self.resolve(identifier) {
            Ok(resolved) => Ok(resolved.describe()),
            Err(missing) => Err(missing.to_string()),
        };
        let listing =
            |identifier: &String| Listing { identifier: identifier.clone(), status: status(identifier) };
        self.definitions.keys().map(listing).collect()
    }

    /// Gives a runtime a root file system, for servers on this data directory, those that run too. It is looked at first.
    ///
    /// # Errors
    /// One sentence.
    pub fn add(&self, identifier: &str, root: &Path) -> Result<(), AddError> {
        let definition = self.definitions.get(identifier).ok_or_else(|| self.unknown(identifier))?;
        let lacking = |reason| Missing::Given {
            identifier: identifier.to_owned(),
            path: root.display().to_string(),
            reason,
        };
        RootFileSystem::look(root, definition).map_err(lacking)?;
        Ok(self.added.put(identifier, root)?)
    }

    /// Takes away what [`Catalogue::add`] gave; whether there was anything.
    ///
    /// # Errors
    /// One sentence.
    pub fn remove(&self, identifier: &str) -> Result<bool, AddError> {
        self.definitions.get(identifier).ok_or_else(|| self.unknown(identifier))?;
        Ok(self.added.remove(identifier)?)
    }

    /// The root file systems that were added, by runtime.
    #[must_use]
    pub fn added(&self) -> BTreeMap<String, PathBuf> {
        let added = |identifier: &String| Some((identifier.clone(), self.added.get(identifier)?));
        self.definitions.keys().filter_map(added).collect()
    }

    fn unknown(&self, identifier: &str) -> Missing {
        Missing::Unknown {
            identifier: identifier.to_owned(),
            known: self.definitions.keys().cloned().collect(),
        }
    }

    /// What the operator's configuration names counts before what was added, that before what is found.
    fn base(&self, definition: &Definition, added: Option<&Path>) -> Result<Base, Missing> {
        let identifier = definition.identifier.clone();
        let path = self.settings.interpreters.get(&identifier).map(PathBuf::as_path).or(added);
        let given = |path: &Path, reason: String| Missing::Given {
            identifier: identifier.clone(),
            path: path.display().to_string(),
            reason,
        };
        if let Some(path) = path.filter(|path| path.is_dir()) {
            let root = RootFileSystem::look(path, definition);
            return root.map(Base::Root).map_err(|lack| given(path, lack));
        }
        let Some(wanted) = &definition.interpreter else {
            return Ok(Base::Host(None));
        };
        if let Some(path) = path {
            let given = |reason| given(path, reason);
            let found = self.interpreters.probe(path, &definition.family);
            let found = found.ok_or_else(|| given("cannot be run".to_owned()))?;
            if !wanted.accepts(&found.version) {
                let reason = format!("has version {}, but {} is needed", found.version, wanted.version);
                return Err(given(reason));
            }
            return Ok(Base::Host(Some(found)));
        }
        let mut others = Vec::new();
        for found in self.interpreters.candidates(&wanted.names, &definition.family) {
            if wanted.accepts(&found.version) {
                return Ok(Base::Host(Some(found)));
            }
            others.push(found.version);
        }
        others.extend(self.interpreters.other_versions(&definition.family));
        others.sort();
        others.dedup();
        Err(Missing::Interpreter {
            identifier,
            language: interpreter::language(&definition.family).to_owned(),
            version: wanted.version.clone(),
            name: wanted.names.first().cloned().unwrap_or_default(),
            found: others,
        })
    }
}

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
    definition: Arc<Definition>,
    base: Base,
    /// The root file system that was added for it when it was looked for.
    added: Option<PathBuf>,
    client_directory: PathBuf,
}

/// What a function's processes find below `/`.
#[derive(Debug, Clone)]
enum Base {
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
        }
    }

    /// The root file system of an image, and where its command is run.
    pub(crate) fn as_image(&self) -> Option<(&Path, &Path)> {
        match &self.base {
            Base::Image { root, working_directory } => Some((root, working_directory)),
            Base::Host(_) | Base::Root(_) => None,
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

    /// The ARN of this version of the runtime: the same on every machine.
    #[must_use]
    pub fn version_arn(&self, region: &str) -> String {
        version_arn(self.version(), region)
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
        self.has_client() && !matches!(&self.base, Base::Root(root) if root.client == Client::Own)
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
        }
    }

    fn describe(&self) -> String {
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

fn version_arn(version: &str, region: &str) -> String {
    let scope = Scope { account: String::new(), region: region.to_owned() };
    format!("arn:{}:lambda:{region}::runtime:{}", scope.partition(), hex(&Sha256::digest(version)))
}

/// The directory outside of a Java that its own settings are links into.
fn settings_of_java(prefix: &Path) -> Option<Mount> {
    let settings = fs::canonicalize(prefix.join("conf/net.properties")).ok()?;
    let directory = settings
        .parent()
        .filter(|directory| directory.starts_with("/etc") && !directory.starts_with(prefix))?;
    Some(Mount { source: directory.to_owned(), target: directory.to_owned() })
}

/// Writes the files of a client into a directory named after their content, once.
fn write_client(directory: &Path, family: &str, files: &[(&str, &[u8])]) -> Result<PathBuf, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Write { path, source }
    };
    let mut hash = Sha256::new();
    for (name, content) in files {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    }
    let hash = hex(&hash.finalize());
    let target = directory.join(format!("{family}-{}", hash.get(..16).unwrap_or_default()));
    if target.is_dir() {
        return Ok(target);
    }
    // Complete or not there at all: a directory of another name becomes the right one in one step.
    let unfinished = directory.join(format!(".{family}-{}", uuid::Uuid::new_v4().simple()));
    fs::create_dir_all(&unfinished).map_err(failed(&unfinished))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).map_err(failed(&unfinished))?;
    for (name, content) in files {
        let path = unfinished.join(name);
        fs::write(&path, content).map_err(failed(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).map_err(failed(&path))?;
    }
    match fs::rename(&unfinished, &target) {
        Ok(()) => Ok(target),
        // Another process was faster.
        Err(_) if target.is_dir() => {
            let _ = fs::remove_dir_all(&unfinished);
            Ok(target)
        }
        Err(source) => Err(Error::Write { path: target, source }),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> (tempfile::TempDir, Catalogue) {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings { data_directory: directory.path().join("runtimes"), ..Settings::default() };
        let catalogue = Catalogue::discover(settings).unwrap();
        (directory, catalogue)
    }

    #[test]
    fn every_embedded_definition_is_read() {
        let (_directory, catalogue) = catalogue();
        for identifier in ["python3.12", "nodejs22.x", "provided.al2023"] {
            let known = catalogue.known(identifier).unwrap();
            assert_eq!(known.identifier, identifier);
        }
        assert_eq!(catalogue.known("python3.12").unwrap().dates.deprecation.as_deref(), Some("2028-10-31"));
    }

    #[test]
    fn clients_are_written_once_and_whole() {
        let (directory, catalogue) = catalogue();
        let python = &catalogue.clients["python"];
        let bootstrap = python.join("bootstrap.py");
        assert_eq!(bootstrap.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        let again = Catalogue::discover(Settings {
            data_directory: directory.path().join("runtimes"),
            ..Settings::default()
        });
        assert_eq!(&again.unwrap().clients["python"], python);
        assert_eq!(fs::read_dir(&catalogue.clients["provided"]).unwrap().count(), 0);
    }

    #[test]
    fn operating_system_runtimes_need_no_interpreter() {
        let (_directory, catalogue) = catalogue();
        let provided = catalogue.resolve("provided.al2023").unwrap();
        assert!(provided.command(128, "").is_empty());
        assert_eq!(provided.entrypoints(), ["/var/task/bootstrap", "/opt/bootstrap"]);
        assert_eq!(provided.execution_environment(), None);
        assert_eq!(provided.mounts().len(), 1);
        let arn = provided.version_arn("eu-west-1");
        assert!(arn.starts_with("arn:aws:lambda:eu-west-1::runtime:"));
        assert_eq!(arn, catalogue.resolve("provided.al2023").unwrap().version_arn("eu-west-1"));
    }

    #[test]
    fn what_is_missing_is_said_in_one_sentence() {
        let (_directory, catalogue) = catalogue();
        let unknown = catalogue.resolve("cobol85").unwrap_err().to_string();
        assert!(unknown.starts_with("there is no runtime cobol85; the known ones are java11, "), "{unknown}");
        let settings = Settings {
            data_directory: catalogue.settings.data_directory.clone(),
            interpreters: BTreeMap::from([("python3.12".to_owned(), PathBuf::from("/nowhere/python"))]),
        };
        let given = Catalogue::discover(settings).unwrap().resolve("python3.12").unwrap_err().to_string();
        assert_eq!(given, "python3.12: /nowhere/python, which it was given, cannot be run");
    }

    #[test]
    fn command_lines() {
        let (_directory, catalogue) = catalogue();
        let found =
            Found { version: "22.12.0".to_owned(), prefix: "/usr".into(), binary: "bin/nodejs".into() };
        let node = Resolved {
            definition: catalogue.definitions["nodejs22.x"].clone(),
            added: None,
            base: Base::Host(Some(found)),
            client_directory: PathBuf::new(),
        };
        let command = node.command(256, "");
        assert_eq!(command[0], "/var/lang/bin/nodejs");
        assert!(command.contains(&"--max-semi-space-size=12".to_owned()), "{command:?}");
        assert!(command.contains(&"--max-old-space-size=231".to_owned()));
        assert_eq!(command.last().unwrap(), "/var/runtime/index.mjs");
        assert!(command.contains(&"--no-experimental-require-module".to_owned()));
        let own = node.command(256, "--experimental-require-module");
        assert!(!own.contains(&"--no-experimental-require-module".to_owned()));
    }
}
