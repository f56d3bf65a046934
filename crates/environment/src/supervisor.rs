//! The one task of an environment that waits: for its processes to end, for deadlines, and for the sandbox to
//! do what the state machine asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rushlight_model::clock::{Clock, Moment};
use rushlight_sandbox::{Command, Error, Exit, ExitStatus, Signal};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::Environment;
use crate::extensions::host::{self, Host};
use crate::failure::Failure;
use crate::lifecycle::{InitPhase, Input, Reason};
use crate::logs::Pipes;
use crate::report::Event;
use crate::runtime::root::{executables, is_directory, is_executable};
use crate::telemetry::Source;
use crate::variables;

/// Something to be done with the sandbox. Jobs are done one after the other, in the order in which they came.
#[derive(Debug)]
pub(crate) enum Job {
    /// Start the extensions, if there are any, and otherwise the runtime.
    Spawn,
    /// Start the runtime: every extension has registered.
    SpawnRuntime,
    Kill(Reason),
    Freeze,
    Thaw,
    Destroy,
    /// Says that all jobs before it are done.
    Report(oneshot::Sender<()>),
}

/// One process.
struct Process {
    number: u64,
    exit: oneshot::Receiver<Exit>,
    pump: AbortHandle,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// The processes of the environment.
#[derive(Default)]
struct Processes {
    runtime: Option<Process>,
    /// Those of external extensions, by name.
    extensions: Vec<(String, Process)>,
}

/// A process that has ended; without an exit if the sandbox has lost sight of it.
enum Ended {
    Runtime(Option<Exit>),
    Extension(String, Option<Exit>),
}

impl Processes {
    /// Completes when one has ended; never if there is none. Cancel-safe. The pumps go on: others may still write.
    async fn ended(&mut self) -> Ended {
        std::future::poll_fn(|context| {
            let waited = |process: &mut Process, context: &mut std::task::Context<'_>| match process.exit {
                ref exit if exit.is_terminated() => Poll::Pending,
                ref mut exit => std::pin::Pin::new(exit).poll(context).map(Result::ok),
            };
            if let Some(runtime) = &mut self.runtime
                && let Poll::Ready(exit) = waited(runtime, context)
            {
                return Poll::Ready(Ended::Runtime(exit));
            }
            for (name, process) in &mut self.extensions {
                if let Poll::Ready(exit) = waited(process, context) {
                    return Poll::Ready(Ended::Extension(name.clone(), exit));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Whether the process of any extension has not ended.
    fn extensions_live(&self) -> bool {
        self.extensions.iter().any(|(_, process)| !process.exit.is_terminated())
    }

    fn runtime_lives(&self) -> bool {
        self.runtime.as_ref().is_some_and(|runtime| !runtime.exit.is_terminated())
    }
}

/// Runs until the environment has ended, then ends the tasks in `servers`.
pub(crate) async fn supervise(environment: Arc<Environment>, servers: Vec<AbortHandle>) {
    let mut processes = Processes::default();
    loop {
        loop {
            let job = environment.state.lock().jobs.pop_front();
            let Some(job) = job else { break };
            run(&environment, job, &mut processes).await;
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
            ended = processes.ended() => process_ended(&environment, ended).await,
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

async fn process_ended(environment: &Arc<Environment>, ended: Ended) {
    let exit = match ended {
        Ended::Extension(name, exit) => return environment.extension_exited(&name, exit),
        Ended::Runtime(exit) => exit,
    };
    let failure = match exit {
        Some(exit) => Failure::exit(exit),
        None => Failure::platform("The sandbox has lost sight of the runtime"),
    };
    tracing::debug!(environment = environment.id(), ?exit, "environment.runtime_exited");
    last_requests(environment).await;
    // Expected while a reset is under way: then it means nothing.
    let _ = environment.failed(Input::Failed, failure);
}

/// How long the last requests of a runtime that has ended are waited for: what another process has of its connections
/// does not end with it.
const LAST_REQUESTS: Duration = Duration::from_millis(100);

/// A runtime may answer and end without waiting to hear that it has answered: what it has sent counts.
async fn last_requests(environment: &Environment) {
    let mut connections = environment.runtime_connections.subscribe();
    // Both branches are cancel-safe.
    tokio::select! {
        _ = connections.wait_for(|count| *count == 0) => {}
        () = environment.services.clock.sleep(LAST_REQUESTS) => {}
    }
}

async fn run(environment: &Arc<Environment>, job: Job, processes: &mut Processes) {
    let sandbox = &environment.sandbox;
    match job {
        Job::Spawn => {
            let phase = environment.state.lock().machine.init_phase();
            if let Some(phase @ InitPhase::Invoke) = phase {
                environment.logs.telemetry_only(&Event::InitStart(&environment.init_start(phase)));
            }
            let spawned = spawn_extensions(environment, processes).await;
            let spawned = match spawned {
                // The runtime follows when they have registered.
                Ok(true) => Ok(()),
                Ok(false) => spawn_runtime(environment, processes).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = spawned {
                let _ = environment.failed(Input::Failed, failure);
            }
        }
        Job::SpawnRuntime => {
            if let Err(failure) = spawn_runtime(environment, processes).await {
                let _ = environment.failed(Input::Failed, failure);
            }
        }
        Job::Kill(reason) => {
            shut_down(environment, processes, reason).await;
            log_error(environment, "kill", sandbox.kill_all().await);
            *processes = Processes::default();
            release_pipes(environment);
            environment.logs.telemetry().reopen();
            let _ = environment.input(Input::Killed);
        }
        Job::Freeze => {
            environment.logs.telemetry().freeze(true);
            log_error(environment, "freeze", sandbox.freeze().await);
        }
        Job::Thaw => {
            log_error(environment, "thaw", sandbox.thaw().await);
            environment.logs.telemetry().freeze(false);
            let _ = environment.input(Input::Thawed);
        }
        Job::Destroy => {
            shut_down(environment, processes, Reason::Spindown).await;
            sandbox.destroy().await;
            *processes = Processes::default();
            release_pipes(environment);
            environment.logs.telemetry().end();
            let _ = environment.input(Input::Destroyed);
        }
        // Nobody may be waiting any more.
        Job::Report(done) => drop(done.send(())),
    }
}

/// How long an environment with external extensions takes to end at most.
const EXTERNAL_BUDGET: Duration = Duration::from_secs(2);
/// How much of that is the runtime's.
const RUNTIME_BUDGET: Duration = Duration::from_millis(300);
/// How long an environment takes to end at most whose only extensions are part of the runtime.
const INTERNAL_BUDGET: Duration = Duration::from_millis(500);

/// Lets extensions end in their own time, within limits; without extensions there is none. First the runtime ends:
/// asked to if the environment is not needed any more, at once if something has failed.
async fn shut_down(environment: &Arc<Environment>, processes: &mut Processes, reason: Reason) {
    let (is_empty, has_external) = {
        let extensions = &environment.state.lock().host.extensions;
        (extensions.is_empty(), extensions.has_external())
    };
    if is_empty {
        return;
    }
    let (sandbox, clock) = (&environment.sandbox, &environment.services.clock);
    let _ = sandbox.thaw().await;
    environment.logs.telemetry().freeze(false);
    let begin = clock.moment();
    let (whole, own) =
        if has_external { (EXTERNAL_BUDGET, RUNTIME_BUDGET) } else { (INTERNAL_BUDGET, INTERNAL_BUDGET) };
    if let Some(runtime) = processes.runtime.as_ref().filter(|_| processes.runtime_lives()) {
        let number = runtime.number;
        if reason == Reason::Spindown {
            let _ = sandbox.signal(number, Signal::Terminate).await;
            wait_while(clock, begin + own, processes, Processes::runtime_lives).await;
        }
        let _ = sandbox.signal(number, Signal::Kill).await;
    }
    deliver_the_rest(environment, whole / TELEMETRY_PART).await;
    let deadline = clock.machine_now() + whole.saturating_sub(clock.moment().since(begin));
    if environment.tell_of_shutdown(reason, deadline) {
        wait_while(clock, begin + whole, processes, Processes::extensions_live).await;
    }
}

/// How much of the time for the end, one part of so many, telemetry may take before extensions are told of it.
const TELEMETRY_PART: u32 = 4;

/// What the runtime has written last goes to the subscribers before they hear of the end, if they take it.
async fn deliver_the_rest(environment: &Environment, patience: Duration) {
    let telemetry = environment.logs.telemetry();
    if !telemetry.has_subscribers() {
        return;
    }
    environment.drain_pipes();
    // Both branches are cancel-safe.
    tokio::select! {
        () = telemetry.flush() => {}
        () = environment.services.clock.sleep(patience) => {}
    }
}

/// Waits until the condition does not hold any more, or the deadline.
async fn wait_while(
    clock: &Clock,
    deadline: Moment,
    processes: &mut Processes,
    condition: impl Fn(&Processes) -> bool,
) {
    while condition(processes) {
        // Both branches are cancel-safe.
        tokio::select! {
            () = clock.sleep_until(deadline) => return,
            _ = processes.ended() => {}
        }
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

/// Starts the external extensions; whether there are any.
async fn spawn_extensions(
    environment: &Arc<Environment>,
    processes: &mut Processes,
) -> Result<bool, Failure> {
    let names = match environment.config.runtime.as_image() {
        Some((root, _)) => executables(root, Path::new("/opt/extensions")),
        None => host::external(&environment.config.layer_directories),
    };
    {
        let mut state = environment.state.lock();
        state.host = Host::started(&names);
        if names.is_empty() {
            state.machine.has_no_extensions();
        } else {
            state.machine.extensions_are_busy();
        }
    }
    if names.is_empty() {
        return Ok(false);
    }
    environment.lend_cpu();
    for name in names {
        let stream = &environment.log_stream().stream;
        let variables = variables::variables(&environment.config, &environment.addresses, stream);
        let command = Command {
            program: host::path(&name),
            arguments: Vec::new(),
            environment: variables::of_extensions(variables),
            working_directory: "/".into(),
            log_descriptor: false,
        };
        let launched = environment.sandbox.spawn(command).await;
        let launched = launched.map_err(|error| Failure::extension_launch(&name, &error.to_string()))?;
        let (process, _) = watched(environment, Source::Extension, launched)?;
        processes.extensions.push((name, process));
    }
    Ok(true)
}

async fn spawn_runtime(environment: &Arc<Environment>, processes: &mut Processes) -> Result<(), Failure> {
    let command = command(environment)?;
    let program = command.program.display().to_string();
    environment.lend_cpu();
    {
        let mut state = environment.state.lock();
        state.host.extensions.open(true);
        state.runtime_initializes = true;
    }
    let spawned = environment.sandbox.spawn(command).await.map_err(|error| match error {
        Error::Execute { source, .. } => not_executed(environment, &program, &source),
        other => {
            tracing::error!(environment = environment.id(), error = %other, "environment.spawn_failed");
            Failure::platform("The execution environment could not be started")
        }
    })?;
    let (process, pipes) = watched(environment, Source::Function, spawned)?;
    environment.state.lock().pipes = Some(pipes);
    processes.runtime = Some(process);
    Ok(())
}

/// Reads what a process that was just started writes, from now on.
fn watched(
    environment: &Environment,
    source: Source,
    spawned: rushlight_sandbox::Process,
) -> Result<(Process, Arc<Pipes>), Failure> {
    let pipes = Pipes::new(source, spawned.stdout, spawned.stderr, spawned.log)
        .map_err(|error| Failure::platform(format!("The logs cannot be read: {error}")))?;
    let pipes = Arc::new(pipes);
    let pump = environment.services.tracker.spawn(pipes.clone().pump(environment.logs.clone()));
    let process = Process { number: spawned.number, exit: spawned.exit, pump: pump.abort_handle() };
    Ok((process, pipes))
}

fn command(environment: &Environment) -> Result<Command, Failure> {
    let config = &environment.config;
    let own = config.configuration.environment.as_ref();
    let node_options = own.and_then(|own| own.get("NODE_OPTIONS")).map_or("", String::as_str);
    let mut words = config.runtime.command(config.configuration.memory_size_mb, node_options);
    if words.is_empty() {
        let entrypoints = config.runtime.entrypoints();
        let found = entrypoints.iter().find(|path| is_in_package(environment, Path::new(path)));
        words = vec![found.ok_or_else(|| Failure::no_entrypoint(entrypoints))?.clone()];
    }
    let stream = &environment.log_stream().stream;
    let variables = variables::variables(config, &environment.addresses, stream);
    if let Some(wrapper) = wrapper(environment) {
        words.insert(0, wrapper);
    }
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_default();
    let (program, working_directory) = match config.runtime.as_image() {
        None => (program.into(), "/var/task".into()),
        Some((root, directory)) => of_image(root, directory, program, variables.get("PATH"))?,
    };
    Ok(Command {
        program,
        arguments: words.collect(),
        environment: variables,
        working_directory,
        log_descriptor: config.runtime.has_client(),
    })
}

/// The program of an image, looked for as its own shell would, and where it is run.
fn of_image(
    root: &Path,
    directory: &Path,
    program: String,
    search: Option<&String>,
) -> Result<(PathBuf, PathBuf), Failure> {
    // There wherever the image leaves it out.
    let is_ours = ["/tmp", "/var/task"].iter().any(|ours| directory == Path::new(ours));
    if !is_ours && !is_directory(root, directory) {
        return Err(Failure::no_working_directory(directory));
    }
    if program.contains('/') {
        return Ok((directory.join(program), directory.to_owned()));
    }
    let places = search.map_or("/usr/local/bin:/usr/bin:/bin", String::as_str).split(':');
    let found = places.map(|place| Path::new(place).join(&program)).find(|path| is_executable(root, path));
    let found = found.ok_or_else(|| Failure::not_found_in_path(&program))?;
    Ok((found, directory.to_owned()))
}

/// The wrapper script that the function's configuration asks for; runtimes without a client take none.
fn wrapper(environment: &Environment) -> Option<String> {
    let config = &environment.config;
    let own = config.configuration.environment.as_ref();
    let wrapper = own.and_then(|own| own.get("AWS_LAMBDA_EXEC_WRAPPER"));
    wrapper.filter(|wrapper| config.runtime.is_wrapped_by_us() && !wrapper.is_empty()).cloned()
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
fn is_in_package(environment: &Environment, path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let config = &environment.config;
    let on_host = if let Ok(below) = path.strip_prefix("/var/task") {
        config.code_directory.as_ref().map(|code| code.join(below))
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
