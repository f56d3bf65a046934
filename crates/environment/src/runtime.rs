//! The managed runtimes: what they are (embedded from `runtimes/`), and which of them this machine can run.

mod added;
mod client;
mod interpreter;
mod missing;
mod resolved;
pub(crate) mod root;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rushlight_model::function as model;
use rushlight_model::runtime_version::{RuntimeVersion, hash_of};
use rushlight_runtimes::Definition;

use self::added::Added;
use self::client::{compile, write_client};
use self::interpreter::Interpreters;
pub use self::missing::{AddError, Missing};
use self::resolved::{Base, version_hash};
pub use self::resolved::{ContainerImage, Resolved};
use self::root::RootFileSystem;
use crate::start::emulated;

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
    /// Versions that were published, by their hash.
    published: Mutex<HashMap<String, Arc<Resolved>>>,
}

impl Catalogue {
    /// Reads the embedded definitions and writes the clients. Interpreters are looked for when they are asked for.
    ///
    /// # Errors
    /// [`Error`] if the clients cannot be written.
    pub fn discover(settings: Settings) -> Result<Self, Error> {
        let mut definitions = BTreeMap::new();
        for definition in rushlight_runtimes::definitions()? {
            definitions.insert(definition.identifier.clone(), Arc::new(definition));
        }
        let mut clients = HashMap::new();
        for definition in definitions.values() {
            if !clients.contains_key(&definition.family) {
                let files = rushlight_runtimes::client(&definition.family);
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
            published: Mutex::default(),
        })
    }

    /// What is known of a runtime.
    #[must_use]
    pub fn known(&self, identifier: &str) -> Option<&Definition> {
        self.definitions.get(identifier).map(|definition| &**definition)
    }

    /// Text and hash of the version of a runtime that comes with us, whether this machine can run it or not.
    #[must_use]
    pub fn own_version(&self, identifier: &str) -> Option<(&str, String)> {
        let text = self.known(identifier)?.version.as_str();
        Some((text, version_hash(text)))
    }

    /// Lets functions of this machine's architecture be given a version that was published.
    ///
    /// # Errors
    /// [`Missing`] if its root file system does not serve.
    pub fn publish(&self, version: &RuntimeVersion) -> Result<(), Missing> {
        let identifier = &version.identifier;
        let definition = self.definitions.get(identifier).ok_or_else(|| self.unknown(identifier))?;
        let root = RootFileSystem::look(&version.root, definition).map_err(|reason| Missing::Given {
            identifier: identifier.clone(),
            path: version.root.display().to_string(),
            reason,
        })?;
        let definition = Definition { version: version.text.clone(), ..Definition::clone(definition) };
        let resolved = Resolved {
            client_directory: self.client_directory(&definition),
            definition: Arc::new(definition),
            base: Base::Root(root),
            added: None,
            version_hash: version.hash.clone(),
        };
        self.published.lock().insert(version.hash.clone(), Arc::new(resolved));
        Ok(())
    }

    /// The root file systems of the versions that were published.
    #[must_use]
    pub fn published_roots(&self) -> Vec<PathBuf> {
        let published = self.published.lock();
        published.values().filter_map(|version| version.root_file_system().map(Path::to_owned)).collect()
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
        let base = self.base(definition, added.as_deref())?;
        let client_directory = self.client_directory(definition);
        if let Base::Host(Some(interpreter)) = &base {
            compile(&definition.family, interpreter, &client_directory);
        }
        let resolved = Arc::new(Resolved {
            definition: definition.clone(),
            base,
            added,
            client_directory,
            version_hash: version_hash(&definition.version),
        });
        self.resolved.lock().insert(identifier.to_owned(), resolved.clone());
        Ok(resolved)
    }

    /// The same for functions of that architecture which have this version of it; one that is not known here is as
    /// good as none. Where the architecture is not this machine's, runtimes have what the operator named for it, and
    /// those that are only an operating system run on this machine's.
    ///
    /// # Errors
    /// [`Missing`] if there is nothing to run such functions on.
    pub fn resolve_for(
        &self,
        identifier: &str,
        architecture: model::Architecture,
        version_arn: Option<&str>,
    ) -> Result<Arc<Resolved>, Missing> {
        let Some(processor) = emulated(architecture) else {
            let published = version_arn.and_then(|arn| self.published.lock().get(hash_of(arn)).cloned());
            let published = published.filter(|version| version.identifier() == identifier);
            return published.map_or_else(|| self.resolve(identifier), Ok);
        };
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
        let resolved = Arc::new(Resolved {
            client_directory: self.client_directory(definition),
            version_hash: version_hash(&definition.version),
            definition: definition.clone(),
            base,
            added: None,
        });
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

    fn client_directory(&self, definition: &Definition) -> PathBuf {
        self.clients.get(&definition.family).cloned().unwrap_or_default()
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
            return match found.serving(wanted) {
                Ok(found) => Ok(Base::Host(Some(found))),
                Err(found) => {
                    Err(given(format!("has version {}, but {} is needed", found.version, wanted.version)))
                }
            };
        }
        let mut others = Vec::new();
        for found in self.interpreters.candidates(&wanted.names, &definition.family) {
            match found.serving(wanted) {
                Ok(found) => return Ok(Base::Host(Some(found))),
                Err(found) => others.push(found.version),
            }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::interpreter::Found;
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
    fn pythons_client_is_compiled_when_the_interpreter_is_found() {
        let (_directory, catalogue) = catalogue();
        let found = ["python3.10", "python3.11", "python3.12", "python3.13"].into_iter();
        let found: Vec<_> = found.filter(|identifier| catalogue.resolve(identifier).is_ok()).collect();
        let compiled = catalogue.clients["python"].join("__pycache__");
        for identifier in &found {
            let tag = identifier.replace("python", "cpython-").replace('.', "");
            let module = fs::read(compiled.join(format!("rushlight_wire.{tag}.pyc"))).unwrap();
            // The flags after the magic number: by a hash that is not checked.
            assert_eq!(module[4..8], [1, 0, 0, 0]);
            assert!(module.windows(32).any(|bytes| bytes.starts_with(b"/var/runtime/rushlight_wire.py")));
        }
        assert!(!found.is_empty(), "there is no Python on this machine");
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
        assert!(
            unknown.starts_with("there is no runtime cobol85; the known ones are dotnet10, "),
            "{unknown}"
        );
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
        let found = Found {
            version: "22.12.0".to_owned(),
            also: Vec::new(),
            prefix: "/usr".into(),
            binary: "bin/nodejs".into(),
        };
        let node = Resolved {
            definition: catalogue.definitions["nodejs22.x"].clone(),
            added: None,
            base: Base::Host(Some(found)),
            client_directory: PathBuf::new(),
            version_hash: String::new(),
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
