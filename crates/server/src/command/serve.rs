//! `rushlight serve`

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use rushlight_gateway::{Limits, Listener};
use rushlight_store::DataDirectory;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::{AuthMode, Config, Flags, IsolationMode, LogConfig, LogFormat};
use crate::output::{Output, Style};
use crate::tls::Certificate;
use crate::wire::Server;

/// Runs the verb.
pub fn run(flags: Flags, output: &Output) -> anyhow::Result<ExitCode> {
    let (config, log) = Config::load(flags)?;
    start_log(&log)?;
    let data = DataDirectory::open(&config.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(config, data, output));
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result.map(|()| ExitCode::SUCCESS)
}

async fn serve(mut config: Config, data: DataDirectory, output: &Output) -> anyhow::Result<()> {
    let listener = Listener::bind(config.listen, Limits::default())
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.address()?;
    let encrypted = encrypted_listener(&mut config).await?;
    warn_of_choices(&config, output);
    let server = Server::build(&config, data, address).await?;
    let stop = CancellationToken::new();
    let mut listeners = vec![listener];
    let certificate = encrypted.map(|(listener, certificate)| {
        listeners.push(listener);
        certificate
    });
    // The plain one last: whoever waits for it finds all there.
    if let Some(tls) = &config.tls {
        output.line(format!("rushlight is listening on https://{}", tls.listen));
    }
    output.line(format!("rushlight is listening on http://{address}"));
    let mut serving = JoinSet::new();
    for listener in listeners {
        serving.spawn(listener.serve(server.gateway(), stop.clone(), config.shutdown_timeout));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv(), if certificate.is_some() => certificate.iter().for_each(|one| one.renew()),
        }
    }
    tracing::info!(seconds = config.shutdown_timeout.as_secs(), "server.shutdown.begun");
    stop.cancel();
    // A second signal means: now.
    tokio::select! {
        () = async { while serving.join_next().await.is_some() {} } => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.shutdown().await;
    tracing::info!("server.shutdown.done");
    Ok(())
}

/// Where TLS is served, if it is. The configuration says afterwards by which port.
async fn encrypted_listener(config: &mut Config) -> anyhow::Result<Option<(Listener, Arc<Certificate>)>> {
    let Some(tls) = &mut config.tls else { return Ok(None) };
    let certificate = Certificate::read(tls)?;
    let listener = Listener::bind(tls.listen, Limits::default())
        .await
        .with_context(|| format!("cannot listen on {}", tls.listen))?;
    tls.listen = listener.address()?;
    Ok(Some((listener.encrypted(certificate.acceptor()?), certificate)))
}

fn warn_of_choices(config: &Config, output: &Output) {
    if config.isolation == IsolationMode::None {
        let text = "WARNING: --isolation none: functions run as plain processes of this user and can do all that it can.";
        output.aside(output.styled(Style::Warning, text));
    }
    if config.auth == AuthMode::Permissive {
        let text =
            "Signatures are not verified (--auth permissive): whoever reaches the port may do everything.";
        output.aside(output.styled(Style::Warning, text));
    }
}

fn start_log(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter).with_context(|| {
        format!("--log '{}' is not a filter, e.g. 'info' or 'warn,rushlight_invoke=debug'", config.filter)
    })?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => subscriber.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}
