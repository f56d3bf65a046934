//! The one task of an environment that waits: for the runtime's process to end, for deadlines, and for the sandbox to
//! do what the state machine asked for.

use std::path::Path;
use std::sync::Arc;

use rushlight_model::clock::Moment;
use rushlight_sandbox::{Command, Error, Exit, ExitStatus};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::Environment;
use crate::failure::Failure;
use crate::lifecycle::Input;
use crate::logs::Pipes;
use crate::variables;

/// Something to be done with the sandbox. Jobs are done one after the other, in the order in which they came.
#[derive(Debug)]
pub(crate) enum Job {
    Spawn,
    Kill,
    Freeze,
    Thaw,
    Destroy,
    /// Says that all jobs before it are done.
    Report(oneshot::Sender<()>),
}

/// The runtime's process.
struct Process {
    exit: oneshot::Receiver<Exit>,
    pump: AbortHandle,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// Runs until the environment has ended, then ends the tasks in `servers`.
pub(crate) async fn supervise(environment: Arc<Environment>, servers: Vec<AbortHandle>) {
    let mut process = None;
    loop {
        loop {
            let job = environment.state.lock().jobs.pop_front();
            let Some(job) = job else { break };
            run(&environment, job, &mut process).await;
        }
        if environment.is_ended() {
            break;
        }
        let deadline = environment.watch();
        // All branches are cancel-safe.
        tokio::select! {
            () = environment.supervisor.notified() => {}
            () = reached(&environment, deadline) => {
                // The deadline may have moved on: then it means nothing.
                let _ = environment.input(Input::Tick);
            }
            exit = exited(&mut process) => {
                process_ended(&environment, exit);
            }
        }
    }
    for server in servers {
        server.abort();
    }
}

async fn reached(environment: &Environment, deadline: Option<Moment>) {
    match deadline {
        Some(deadline) => environment.services.clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Completes when the process has ended; never if there is none. The pump goes on: others may still write.
async fn exited(process: &mut Option<Process>) -> Option<Exit> {
    match process {
        Some(running) if !running.exit.is_terminated() => (&mut running.exit).await.ok(),
        _ => std::future::pending().await,
    }
}

fn process_ended(environment: &Arc<Environment>, exit: Option<Exit>) {
    let failure = match exit {
        Some(exit) => Failure::exit(exit),
        None => Failure::platform("The sandbox has lost sight of the runtime"),
    };
    tracing::debug!(environment = environment.id(), ?exit, "environment.runtime_exited");
    // Expected while a reset is under way: then it means nothing.
    let _ = environment.failed(Input::Failed, failure);
}

async fn run(environment: &Arc<Environment>, job: Job, process: &mut Option<Process>) {
    let sandbox = &environment.sandbox;
    match job {
        Job::Spawn => match spawn(environment).await {
            Ok(spawned) => *process = Some(spawned),
            Err(failure) => {
                let _ = environment.failed(Input::Failed, failure);
            }
        },
        Job::Kill => {
            log_error(environment, "kill", sandbox.kill_all().await);
            *process = None;
            release_pipes(environment);
            let _ = environment.input(Input::Killed);
        }
        Job::Freeze => log_error(environment, "freeze", sandbox.freeze().await),
        Job::Thaw => {
            log_error(environment, "thaw", sandbox.thaw().await);
            let _ = environment.input(Input::Thawed);
        }
        Job::Destroy => {
            sandbox.destroy().await;
            *process = None;
            release_pipes(environment);
            let _ = environment.input(Input::Destroyed);
        }
        // Nobody may be waiting any more.
        Job::Report(done) => drop(done.send(())),
    }
}

/// Reads what the processes that are now gone have left, and closes the pipes.
fn release_pipes(environment: &Environment) {
    let pipes = environment.state.lock().pipes.take();
    if let Some(pipes) = pipes {
        pipes.drain(&environment.logs);
    }
}

fn log_error(environment: &Environment, operation: &str, result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!(environment = environment.id(), operation, %error, "environment.sandbox_failed");
    }
}

async fn spawn(environment: &Arc<Environment>) -> Result<Process, Failure> {
    let command = command(environment)?;
    let program = command.program.display().to_string();
    environment.lend_cpu();
    let spawned = environment.sandbox.spawn(command).await.map_err(|error| match error {
        Error::Execute { source, .. } => not_executed(environment, &program, &source),
        other => {
            tracing::error!(environment = environment.id(), error = %other, "environment.spawn_failed");
            Failure::platform("The execution environment could not be started")
        }
    })?;
    let pipes = Pipes::new(spawned.stdout, spawned.stderr, spawned.log)
        .map_err(|error| Failure::platform(format!("The logs cannot be read: {error}")))?;
    let pipes = Arc::new(pipes);
    environment.state.lock().pipes = Some(pipes.clone());
    let pump = environment.services.tracker.spawn(pipes.pump(environment.logs.clone()));
    Ok(Process { exit: spawned.exit, pump: pump.abort_handle() })
}

fn command(environment: &Environment) -> Result<Command, Failure> {
    let config = &environment.config;
    let own = config.configuration.environment.as_ref();
    let node_options = own.and_then(|own| own.get("NODE_OPTIONS")).map_or("", String::as_str);
    let mut words = config.runtime.command(config.configuration.memory_size_mb, node_options);
    if words.is_empty() {
        let entrypoints = config.runtime.entrypoints();
        let found = entrypoints.iter().find(|path| is_executable(environment, Path::new(path)));
        words = vec![found.ok_or_else(|| Failure::no_entrypoint(entrypoints))?.clone()];
    }
    let stream = &environment.log_stream().stream;
    let variables = variables::variables(config, &environment.addresses, stream);
    if let Some(wrapper) = wrapper(environment) {
        words.insert(0, wrapper);
    }
    let mut words = words.into_iter();
    Ok(Command {
        program: words.next().unwrap_or_default().into(),
        arguments: words.collect(),
        environment: variables,
        working_directory: "/var/task".into(),
        log_descriptor: config.runtime.has_client(),
    })
}

/// The wrapper script that the function's configuration asks for; runtimes without a client take none.
fn wrapper(environment: &Environment) -> Option<String> {
    let config = &environment.config;
    let own = config.configuration.environment.as_ref();
    let wrapper = own.and_then(|own| own.get("AWS_LAMBDA_EXEC_WRAPPER"));
    wrapper.filter(|wrapper| config.runtime.has_client() && !wrapper.is_empty()).cloned()
}

/// A wrapper that cannot be executed ends like the shell that AWS starts it with: with a line and a status.
fn not_executed(environment: &Environment, program: &str, error: &std::io::Error) -> Failure {
    if wrapper(environment).is_none() {
        return Failure::not_executable(program, error);
    }
    let (line, code) = if error.kind() == std::io::ErrorKind::NotFound {
        (format!("{program}: does not exist"), 127)
    } else {
        (format!("{program}: is not an executable"), 126)
    };
    environment.logs.line(&line);
    Failure::exit(Exit { status: ExitStatus::Code(code), out_of_memory: false })
}

/// Whether a path of the sandbox, below `/var/task` or `/opt`, is an executable file.
fn is_executable(environment: &Environment, path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let config = &environment.config;
    let on_host = if let Ok(below) = path.strip_prefix("/var/task") {
        Some(config.code_directory.join(below))
    } else if let Ok(below) = path.strip_prefix("/opt") {
        // Later layers lie over earlier ones.
        let mut layers = config.layer_directories.iter().rev().map(|layer| layer.join(below));
        layers.find(|path| path.exists())
    } else {
        None
    };
    let metadata = on_host.and_then(|path| path.metadata().ok());
    metadata.is_some_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
