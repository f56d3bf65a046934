//! Functions in languages whose interpreters few machines have: `./dev bench` puts them into root file systems. The
//! server runs them in there, and a plain start takes the interpreter out of there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::function::{Bare, Function, Kind, copy_client, output, pack, variables};

const ROOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/roots");
const RUBY_RUNTIME: &str = "ruby3.3";
const RUBY: &str = include_str!("../functions/function.rb");
/// What stands for it is CoreCLR 3.1, the only one that a registry of packages has.
const DOTNET_RUNTIME: &str = "dotnet8";
const DOTNET: &str = include_str!("../functions/Function.cs");
const DOTNET_FRAMEWORK: &str = "shared/Microsoft.NETCore.App/3.1.23";

fn root(runtime: &str) -> PathBuf {
    Path::new(ROOTS).join(runtime)
}

/// Whether there is such a root file system, and what else it takes.
pub fn is_at_hand(kind: Kind) -> bool {
    match kind {
        Kind::Ruby => root(RUBY_RUNTIME).is_dir(),
        Kind::Dotnet => {
            root(DOTNET_RUNTIME).is_dir() && Command::new("mcs").arg("--version").output().is_ok()
        }
        _ => false,
    }
}

/// Ruby through Rushlight's client.
///
/// # Errors
/// When there is no such root file system.
pub fn prepare_ruby(directory: &Path) -> anyhow::Result<Function> {
    let root = fs::canonicalize(root(RUBY_RUNTIME)).context("`./dev bench` puts Ruby there")?;
    let libraries = root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let loader = fs::read_dir(&libraries)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains("/ld-linux"))
        .context("there is no loader in the root file system")?;
    fs::write(directory.join("function.rb"), RUBY)?;
    let client = copy_client("ruby", directory)?;
    let mut variables = variables(directory, &client, "function.handler");
    let load_path = ["usr/lib/ruby/3.3.0".into(), libraries.join("ruby/3.3.0")].map(|path| root.join(path));
    let load_path = load_path.map(|path| path.to_string_lossy().into_owned()).join(":");
    variables.push(("RUBYLIB".to_owned(), load_path));
    let arguments = vec![
        "--library-path".into(),
        libraries.clone().into(),
        root.join("usr/bin/ruby3.3").into(),
        client.join("bootstrap.rb").into(),
    ];
    Ok(Function {
        kind: Kind::Ruby,
        runtime: RUBY_RUNTIME.to_owned(),
        handler: "function.handler",
        zip: pack(&[("function.rb", RUBY.as_bytes())])?,
        interpreter: Some(root),
        version: "Ruby 3.3".to_owned(),
        bare: Bare { program: loader, arguments, variables, directory: directory.to_owned() },
    })
}

/// .NET through Rushlight's client.
///
/// # Errors
/// When there is no such root file system, or no compiler.
pub fn prepare_dotnet(directory: &Path) -> anyhow::Result<Function> {
    let root = fs::canonicalize(root(DOTNET_RUNTIME)).context("`./dev bench` puts .NET there")?;
    let program = root.join("var/lang/bin/dotnet");
    let framework = root.join("var/lang/bin").join(DOTNET_FRAMEWORK);
    let source = directory.join("Function.cs");
    fs::write(&source, DOTNET)?;
    let client = copy_client("dotnet", directory)?;
    let library = directory.join("Function.dll");
    let mut compiler = Command::new("mcs");
    compiler.args(["-nologo", "-noconfig", "-nostdlib", "-nowarn:1685,1701,1702", "-target:library"]);
    compiler.arg(format!("-out:{}", library.display())).arg(&source);
    for name in ["Private.CoreLib", "Runtime"] {
        compiler.arg(format!("-r:{}/System.{name}.dll", framework.display()));
    }
    output(&mut compiler)?;
    let settings = r#"{"runtimeOptions": {"tfm": "netcoreapp3.1", "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}}}"#;
    let dependencies = r#"{"runtimeTarget": {"name": ".NETCoreApp,Version=v3.1"}, "targets": {".NETCoreApp,Version=v3.1": {}}, "libraries": {}}"#;
    fs::write(directory.join("Function.runtimeconfig.json"), settings)?;
    fs::write(directory.join("Function.deps.json"), dependencies)?;
    let handler = "Function::Function::Handle";
    let mut variables = variables(directory, &client, handler);
    variables.push(("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT".to_owned(), "true".to_owned()));
    let arguments = vec![
        "exec".into(),
        "--depsfile".into(),
        directory.join("Function.deps.json").into(),
        "--runtimeconfig".into(),
        directory.join("Function.runtimeconfig.json").into(),
        client.join("Rushlight.Runtime.dll").into(),
        handler.into(),
    ];
    Ok(Function {
        kind: Kind::Dotnet,
        runtime: DOTNET_RUNTIME.to_owned(),
        handler,
        zip: pack(&[
            ("Function.dll", &fs::read(&library)?),
            ("Function.runtimeconfig.json", settings.as_bytes()),
            ("Function.deps.json", dependencies.as_bytes()),
        ])?,
        interpreter: Some(root),
        version: ".NET Core 3.1".to_owned(),
        bare: Bare { program, arguments, variables, directory: directory.to_owned() },
    })
}
