//! The functions that both sides run. Each answers with its event; each runs through the client that users get.

use std::ffi::OsString;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;

use crate::rooted;
use crate::settings::Settings;

/// What a function is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A static executable of a few system calls: what is measured is the server.
    Static,
    /// Python through Rushlight's client.
    Python,
    /// Node.js through Rushlight's client.
    Node,
    /// Java through Rushlight's client: measured where a start is, since that is what there is to know of it.
    Java,
    /// Ruby through Rushlight's client, measured as Java is.
    Ruby,
    /// .NET through Rushlight's client, measured as Java is.
    Dotnet,
}

impl Kind {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Python => "python",
            Self::Node => "node",
            Self::Java => "java",
            Self::Ruby => "ruby",
            Self::Dotnet => "dotnet",
        }
    }

    /// Whether this machine has what it takes; what is asked for by name is not asked.
    pub fn is_at_hand(self) -> bool {
        match self {
            Self::Static | Self::Python | Self::Node => true,
            Self::Java => Command::new("javac").arg("-version").output().is_ok(),
            Self::Ruby | Self::Dotnet => rooted::is_at_hand(self),
        }
    }

    /// Whether its interpreter lies in a root file system.
    pub fn is_rooted(self) -> bool {
        matches!(self, Self::Ruby | Self::Dotnet)
    }

    /// Whether the warm path is measured with it too.
    pub fn is_measured_warm(self) -> bool {
        matches!(self, Self::Static | Self::Python | Self::Node)
    }
}

/// A function, ready for both sides.
#[derive(Debug)]
pub struct Function {
    /// What it is written in.
    pub kind: Kind,
    /// The runtime's identifier.
    pub runtime: String,
    /// The handler's name.
    pub handler: &'static str,
    /// The package.
    pub zip: Vec<u8>,
    /// Of the runtime, or its root file system, so that both sides use the same.
    pub interpreter: Option<PathBuf>,
    /// What the interpreter says about itself.
    pub version: String,
    /// How to run it without the server.
    pub bare: Bare,
}

impl Function {
    /// Whether published versions of it can start from a snapshot.
    pub fn starts_from_snapshots(&self) -> bool {
        rushlight_runtimes::calendar::find(&self.runtime).is_some_and(|runtime| runtime.has_snap_start())
    }
}

/// A plain process that serves a function.
#[derive(Debug)]
pub struct Bare {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its variables, less `AWS_LAMBDA_RUNTIME_API`.
    pub variables: Vec<(String, String)>,
    /// Where it runs.
    pub directory: PathBuf,
}

/// A whole CPU goes with it.
pub const MEMORY_MB: u32 = 1769;

const BOOTSTRAP: &str = include_str!("../functions/bootstrap.rs");
const PYTHON: &str = include_str!("../functions/lambda_function.py");
const JAVA: &str = include_str!("../functions/Function.java");
const NODE: &str = include_str!("../functions/index.mjs");
/// The runtime clients lie in the checkout.
const RUNTIMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../runtimes");

impl Function {
    /// Compiles and packs the functions of the run.
    ///
    /// # Errors
    /// When a compiler, an interpreter or the runtime clients are missing.
    pub fn prepare_all(settings: &Settings) -> anyhow::Result<Vec<Self>> {
        let prepare = |kind: &Kind| {
            let directory = settings.scratch.path().join(kind.name());
            fs::create_dir_all(&directory)?;
            match kind {
                Kind::Static => prepare_static(&directory),
                Kind::Python => prepare_python(&directory),
                Kind::Node => prepare_node(&directory),
                Kind::Java => prepare_java(&directory),
                Kind::Ruby => rooted::prepare_ruby(&directory),
                Kind::Dotnet => rooted::prepare_dotnet(&directory),
            }
            .with_context(|| format!("preparing the function '{}'", kind.name()))
        };
        settings.kinds.iter().map(prepare).collect()
    }
}

fn prepare_static(directory: &Path) -> anyhow::Result<Function> {
    let source = directory.join("bootstrap.rs");
    let program = directory.join("bootstrap");
    fs::write(&source, BOOTSTRAP)?;
    let options =
        ["--edition=2024", "-O", "-Ctarget-feature=+crt-static", "-Cpanic=abort", "-Cstrip=symbols"];
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    output(Command::new(compiler).args(options).arg(&source).arg("-o").arg(&program))?;
    Ok(Function {
        kind: Kind::Static,
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap",
        zip: pack(&[("bootstrap", &fs::read(&program)?)])?,
        interpreter: None,
        version: "static executable".to_owned(),
        bare: Bare {
            program,
            arguments: Vec::new(),
            variables: variables(directory, directory, "bootstrap"),
            directory: directory.to_owned(),
        },
    })
}

fn prepare_python(directory: &Path) -> anyhow::Result<Function> {
    let question = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2], sep='\\n')";
    let answer = output(Command::new("python3").args(["-c", question]))?;
    let (program, version) = answer.trim().split_once('\n').context("python3 does not say where it lies")?;
    fs::write(directory.join("lambda_function.py"), PYTHON)?;
    let client = copy_client("python", directory)?;
    let runtime = format!("python{version}");
    ensure!(
        Path::new(RUNTIMES).join(&runtime).exists(),
        "python3 is {version}, which is no managed runtime; put another first on PATH"
    );
    let handler = "lambda_function.handler";
    let mut variables = variables(directory, &client, handler);
    variables.push(("AWS_EXECUTION_ENV".to_owned(), format!("AWS_Lambda_{runtime}")));
    Ok(Function {
        kind: Kind::Python,
        runtime,
        handler,
        zip: pack(&[("lambda_function.py", PYTHON.as_bytes())])?,
        interpreter: Some(program.into()),
        version: format!("Python {version}"),
        bare: Bare {
            program: program.into(),
            arguments: vec![client.join("bootstrap.py").into()],
            variables,
            directory: directory.to_owned(),
        },
    })
}

fn prepare_node(directory: &Path) -> anyhow::Result<Function> {
    let answer =
        output(Command::new("node").args(["-p", "process.execPath + '\\n' + process.versions.node"]))?;
    let (program, version) = answer.trim().split_once('\n').context("node does not say where it lies")?;
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0u32));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    fs::write(directory.join("index.mjs"), NODE)?;
    let client = copy_client("nodejs", directory)?;
    let runtime = format!("nodejs{major}.x");
    ensure!(
        Path::new(RUNTIMES).join(&runtime).exists(),
        "node is {version}, which is no managed runtime; put another first on PATH"
    );
    let mut variables = variables(directory, &client, "index.handler");
    variables.push(("AWS_EXECUTION_ENV".to_owned(), format!("AWS_Lambda_{runtime}")));
    Ok(Function {
        kind: Kind::Node,
        runtime,
        handler: "index.handler",
        zip: pack(&[("index.mjs", NODE.as_bytes())])?,
        interpreter: Some(program.into()),
        version: format!("Node.js {version}"),
        bare: Bare {
            program: program.into(),
            arguments: node_arguments(major, minor, &client),
            variables,
            directory: directory.to_owned(),
        },
    })
}

fn prepare_java(directory: &Path) -> anyhow::Result<Function> {
    let properties = Command::new("java").args(["-XshowSettings:properties", "-version"]).output()?.stderr;
    let properties = String::from_utf8(properties)?;
    let property = |name: &str| {
        let mut pairs = properties.lines().filter_map(|line| line.split_once(" = "));
        let value = pairs.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim().to_owned());
        value.with_context(|| format!("java does not say its {name}"))
    };
    let (program, version) =
        (Path::new(&property("java.home")?).join("bin/java"), property("java.specification.version")?);
    let runtime = format!("java{version}");
    ensure!(
        Path::new(RUNTIMES).join(&runtime).exists(),
        "java is {version}, which is no managed runtime; put another first on PATH"
    );
    let client = copy_client("java", directory)?;
    let archive = client.join("rushlight-runtime.jar");
    let source = directory.join("Function.java");
    fs::write(&source, JAVA)?;
    output(Command::new("javac").arg("-cp").arg(&archive).arg("-d").arg(directory).arg(&source))?;
    let mut variables = variables(directory, &client, "Function");
    variables.push(("AWS_EXECUTION_ENV".to_owned(), format!("AWS_Lambda_{runtime}")));
    Ok(Function {
        kind: Kind::Java,
        runtime,
        handler: "Function",
        zip: pack(&[("Function.class", &fs::read(directory.join("Function.class"))?)])?,
        interpreter: Some(program.clone()),
        version: format!("Java {version}"),
        bare: Bare {
            program,
            arguments: java_arguments(&archive),
            variables,
            directory: directory.to_owned(),
        },
    })
}

/// As `runtime.toml` has them for [`MEMORY_MB`].
fn java_arguments(archive: &Path) -> Vec<OsString> {
    let heap = u64::from(MEMORY_MB) * 1024 * 85 / 100;
    let mut arguments: Vec<OsString> = vec![format!("-XX:MaxHeapSize={heap}k").into()];
    arguments
        .extend(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-jar"].map(OsString::from));
    arguments.push(archive.into());
    arguments
}

/// As `runtime.toml` has them for [`MEMORY_MB`].
fn node_arguments(major: u32, minor: u32, client: &Path) -> Vec<OsString> {
    let semi_space = MEMORY_MB / 10 / 2;
    let old_space = MEMORY_MB - MEMORY_MB / 10;
    let mut arguments: Vec<OsString> = vec!["--expose-gc".into(), "--max-http-header-size=81920".into()];
    arguments.push(format!("--max-semi-space-size={semi_space}").into());
    arguments.push(format!("--max-old-space-size={old_space}").into());
    if (major == 20 && minor >= 17) || major == 22 {
        arguments.insert(0, "--no-experimental-require-module".into());
    }
    if major == 22 {
        arguments.insert(1, "--no-experimental-detect-module".into());
    }
    arguments.push(client.join("index.mjs").into());
    arguments
}

/// A copy, so that what an interpreter caches beside it does not end up in the checkout.
pub fn copy_client(family: &str, directory: &Path) -> anyhow::Result<PathBuf> {
    let source = Path::new(RUNTIMES).join(family).join("client");
    let client = directory.join("client");
    fs::create_dir_all(&client)?;
    let entries = fs::read_dir(&source).with_context(|| format!("reading {}", source.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), client.join(entry.file_name()))?;
        }
    }
    Ok(client)
}

/// What a plain process gets.
pub fn variables(task_root: &Path, runtime_directory: &Path, handler: &str) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("_HANDLER", handler.to_owned()),
        ("LAMBDA_TASK_ROOT", text(task_root)),
        ("LAMBDA_RUNTIME_DIR", text(runtime_directory)),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "echo".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MB.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/echo".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bare".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A package of files.
pub fn pack(files: &[(&str, &[u8])]) -> anyhow::Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    for (name, content) in files {
        archive.start_file(*name, options)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Runs a command to its end; what it has written.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("running {program}"))?;
    if !output.status.success() {
        bail!("{program} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}
