//! Configuration: command-line flags, `RUSHLIGHT_*` environment variables, one TOML file. In that order of
//! precedence; every key has the same name in all three (`--data-dir`, `RUSHLIGHT_DATA_DIR`, `data-dir`).
//!
//! `docs/configuration.md` describes each key; a test holds the two together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use rushlight_model::function_url::UrlPlace;
use rushlight_model::quota::{self, AccountQuotas};
use rushlight_runtimes::Policy;
use rushlight_services::logs::LogStoreConfig;
use serde::Deserialize;

/// What `rushlight serve` can be told. Absent values fall back to the file, then to the defaults of [`Config`].
#[derive(Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Flags {
    /// TOML file with the same keys as these flags.
    #[arg(long, env = "RUSHLIGHT_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Address and port to listen on [default: 127.0.0.1:9000].
    #[arg(long, env = "RUSHLIGHT_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Address and port to serve the same API on with TLS.
    #[arg(long, env = "RUSHLIGHT_TLS_LISTEN", value_name = "ADDR:PORT")]
    pub tls_listen: Option<SocketAddr>,

    /// PEM file with the certificate that TLS is served with, and those that lead to its authority.
    #[arg(long, env = "RUSHLIGHT_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,

    /// PEM file with the private key of that certificate.
    #[arg(long, env = "RUSHLIGHT_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Allow listening on an address other than loopback without TLS.
    #[arg(long, env = "RUSHLIGHT_ALLOW_PLAIN_TEXT_NETWORK", num_args = 0..=1, default_missing_value = "true")]
    pub allow_plain_text_network: Option<bool>,

    /// Directory that holds everything Rushlight keeps.
    #[arg(long, env = "RUSHLIGHT_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Verify signatures, or accept any credentials [default: enforce].
    #[arg(long, env = "RUSHLIGHT_AUTH", value_enum)]
    pub auth: Option<AuthMode>,

    /// Refuse resource-based policies that let in whoever comes [default: false].
    #[arg(long, env = "RUSHLIGHT_BLOCK_PUBLIC_POLICIES", num_args = 0..=1, default_missing_value = "true")]
    pub block_public_policies: Option<bool>,

    /// How functions are kept apart [default: sandbox as root, else rootless].
    #[arg(long, env = "RUSHLIGHT_ISOLATION", value_enum)]
    pub isolation: Option<IsolationMode>,

    /// Outbound network of functions [default: translated].
    #[arg(long, env = "RUSHLIGHT_EGRESS", value_enum)]
    pub egress: Option<EgressMode>,

    /// For how many sandboxes a network is kept ready at most, as long as new ones are made [default: 8].
    #[arg(long, env = "RUSHLIGHT_SANDBOXES_AHEAD", value_name = "N")]
    pub sandboxes_ahead: Option<usize>,

    /// Account of the root key, twelve digits [default: 000000000000].
    #[arg(long, env = "RUSHLIGHT_ACCOUNT", value_name = "ID")]
    pub account: Option<String>,

    /// Region written into the credentials file and used where a request names none [default: us-east-1].
    #[arg(long, env = "RUSHLIGHT_REGION", value_name = "NAME")]
    pub region: Option<String>,

    /// Id of the availability zone that functions are told they run in [default: the first of their region, e.g. use1-az1].
    #[arg(long, env = "RUSHLIGHT_AVAILABILITY_ZONE_ID", value_name = "ID")]
    pub availability_zone_id: Option<String>,

    /// Domain that function URLs are served below, by HTTPS [default: localhost, without TLS].
    #[arg(long, env = "RUSHLIGHT_URL_DOMAIN", value_name = "DOMAIN")]
    pub url_domain: Option<String>,

    /// Real time, or time that `rushlight clock advance` can push ahead [default: real].
    #[arg(long, env = "RUSHLIGHT_CLOCK", value_enum)]
    pub clock: Option<ClockMode>,

    /// The machine owner's pace, or AWS' scaling and request rates as well [default: default].
    #[arg(long, env = "RUSHLIGHT_QUOTAS", value_enum)]
    pub quotas: Option<QuotaMode>,

    /// Bytes a second of a streamed response beyond its first 6 MB [default: unlimited; with --quotas aws, AWS' 2 MB].
    #[arg(long, env = "RUSHLIGHT_STREAM_BANDWIDTH", value_name = "BYTES")]
    pub stream_bandwidth: Option<NonZeroU64>,

    /// Where another AWS-style service is found, e.g. `sqs=http://127.0.0.1:4566`; repeatable.
    #[arg(long = "endpoint", env = "RUSHLIGHT_ENDPOINTS", value_name = "SERVICE=URL", value_delimiter = ',')]
    #[serde(rename = "endpoint", deserialize_with = "pairs_from_table")]
    pub endpoints: Vec<Pair>,

    /// Where log events go besides the built-in log store, e.g. `directory=/srv/logs`; repeatable.
    #[arg(
        long = "log-destination",
        env = "RUSHLIGHT_LOG_DESTINATIONS",
        value_name = "KIND=PLACE",
        value_delimiter = ','
    )]
    #[serde(rename = "log-destination", deserialize_with = "pairs_from_table")]
    pub log_destinations: Vec<Pair>,

    /// Where traces of sampled invocations go, e.g. `otlp=http://127.0.0.1:4318`.
    #[arg(long, env = "RUSHLIGHT_TRACE_DESTINATION", value_name = "KIND=PLACE")]
    pub trace_destination: Option<Pair>,

    /// By which rules runtimes come to their end [default: current].
    #[arg(long, env = "RUSHLIGHT_DEPRECATION_POLICY", value_name = "POLICY")]
    pub deprecation_policy: Option<DeprecationPolicy>,

    /// A URL that notices of the end of runtimes are posted to, as JSON.
    #[arg(long, env = "RUSHLIGHT_NOTICE_WEBHOOK", value_name = "URL")]
    pub notice_webhook: Option<String>,

    /// A mail server for notices of the end of runtimes: `smtps://USER:PASSWORD@HOST:PORT`, `smtp+starttls://…`, or
    /// without encryption `smtp://…`.
    #[arg(long, env = "RUSHLIGHT_NOTICE_SMTP", value_name = "URL")]
    pub notice_smtp: Option<String>,

    /// Who those mails are from.
    #[arg(long, env = "RUSHLIGHT_NOTICE_FROM", value_name = "ADDRESS")]
    pub notice_from: Option<String>,

    /// Whom they are to; repeatable.
    #[arg(long = "notice-to", env = "RUSHLIGHT_NOTICE_TO", value_name = "ADDRESS", value_delimiter = ',')]
    #[serde(default)]
    pub notice_to: Vec<String>,

    /// A variable set in every execution environment, `KEY=VALUE`; repeatable.
    #[arg(
        long = "function-env",
        env = "RUSHLIGHT_FUNCTION_ENV",
        value_name = "KEY=VALUE",
        value_delimiter = ','
    )]
    #[serde(rename = "function-env", deserialize_with = "pairs_from_table")]
    pub function_env: Vec<Pair>,

    /// The interpreter of a runtime, or a directory with its root file system, e.g.
    /// `python3.12=/opt/python/bin/python3.12`; repeatable.
    #[arg(long = "runtime", env = "RUSHLIGHT_RUNTIMES", value_name = "RUNTIME=PATH", value_delimiter = ',')]
    #[serde(rename = "runtime", deserialize_with = "pairs_from_table")]
    pub runtimes: Vec<Pair>,

    /// A registry that container images may come from, e.g. `registry.example.com` or `http://127.0.0.1:5000`;
    /// repeatable [default: all, over https].
    #[arg(long = "registry", env = "RUSHLIGHT_REGISTRIES", value_name = "HOST", value_delimiter = ',')]
    #[serde(rename = "registry")]
    pub registries: Vec<String>,

    /// A file in the form of Docker's `config.json` with the passwords of registries.
    #[arg(long, env = "RUSHLIGHT_REGISTRY_CREDENTIALS", value_name = "FILE")]
    pub registry_credentials: Option<PathBuf>,

    /// A directory with OCI layouts and archives of images, which functions name `localhost/NAME:TAG`.
    #[arg(long, env = "RUSHLIGHT_IMAGE_DIRECTORY", value_name = "DIR")]
    pub image_directory: Option<PathBuf>,

    /// Concurrent executions of each account in each region [default: 1000].
    #[arg(long, env = "RUSHLIGHT_CONCURRENT_EXECUTIONS", value_name = "N")]
    pub concurrent_executions: Option<u32>,

    /// Concurrency that reservations must leave for all other functions [default: 100].
    #[arg(long, env = "RUSHLIGHT_MINIMUM_UNRESERVED_CONCURRENCY", value_name = "N")]
    pub minimum_unreserved_concurrency: Option<u32>,

    /// Bytes of all packages and layers of each account in each region [default: 322122547200].
    #[arg(long, env = "RUSHLIGHT_CODE_STORAGE_BYTES", value_name = "BYTES")]
    pub code_storage_bytes: Option<u64>,

    /// Bytes of log events that are kept, of all log groups together; the oldest go first [default: 2147483648].
    #[arg(long, env = "RUSHLIGHT_LOG_STORAGE_BYTES", value_name = "BYTES")]
    pub log_storage_bytes: Option<u64>,

    /// Seconds after which an idle execution environment is retired [default: 600].
    #[arg(long, env = "RUSHLIGHT_IDLE_TIMEOUT", value_name = "SECONDS")]
    pub idle_timeout: Option<u64>,

    /// Seconds that invocations in flight get at shutdown [default: 30].
    #[arg(long, env = "RUSHLIGHT_SHUTDOWN_TIMEOUT", value_name = "SECONDS")]
    pub shutdown_timeout: Option<u64>,

    /// What the server itself logs, in `tracing` filter syntax [default: info].
    #[arg(long, env = "RUSHLIGHT_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// Form of the server's own log [default: text].
    #[arg(long, env = "RUSHLIGHT_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

/// See [`Flags::auth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// Every request must carry a valid signature.
    Enforce,
    /// Any credentials, or none, are accepted: for local development.
    Permissive,
}

/// See [`Flags::isolation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IsolationMode {
    /// Everything; needs root.
    Sandbox,
    /// Within an unprivileged user namespace.
    Rootless,
    /// None at all.
    None,
}

/// See [`Flags::egress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EgressMode {
    /// Through address translation, where privileges allow.
    Translated,
    /// None.
    None,
}

/// See [`Flags::clock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockMode {
    /// The machine's time.
    Real,
    /// The machine's time plus what was advanced.
    Virtual,
}

/// See [`Flags::quotas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaMode {
    /// AWS' limits of size and count.
    Default,
    /// Also AWS' scaling rate and request rate.
    Aws,
}

/// See [`Flags::deprecation_policy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeprecationPolicy {
    /// AWS' rules of today: functions can be created and updated for a while after the deprecation.
    Current,
    /// AWS' rules of before: nothing is created from the deprecation on, and nothing updated from a month later on.
    Classic,
}

/// Who is told that runtimes come to their end.
#[derive(Debug, Clone, Default)]
pub struct NoticeConfig {
    /// See [`Flags::notice_webhook`].
    pub webhook: Option<String>,
    /// See [`Flags::notice_smtp`].
    pub smtp: Option<String>,
    /// See [`Flags::notice_from`].
    pub from: Option<String>,
    /// See [`Flags::notice_to`].
    pub to: Vec<String>,
}

/// See [`Flags::log_format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// In front of the first `=`.
    pub key: String,
    /// Behind it.
    pub value: String,
}

impl FromStr for Pair {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (key, value) =
            text.split_once('=').with_context(|| format!("'{text}' is not of the form KEY=VALUE"))?;
        ensure!(!key.is_empty(), "'{text}' has no key in front of '='");
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn pairs_from_table<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Pair>, D::Error> {
    let table = BTreeMap::<String, String>::deserialize(deserializer)?;
    Ok(table.into_iter().map(|(key, value)| Pair { key, value }).collect())
}

/// The configuration that the server runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// See [`Flags::listen`].
    pub listen: SocketAddr,
    /// Absolute.
    pub data_dir: PathBuf,
    /// See [`Flags::tls_listen`].
    pub tls: Option<TlsConfig>,
    /// See [`Flags::auth`].
    pub auth: AuthMode,
    /// See [`Flags::block_public_policies`].
    pub block_public_policies: bool,
    /// See [`Flags::isolation`].
    pub isolation: IsolationMode,
    /// See [`Flags::egress`].
    pub egress: EgressMode,
    /// See [`Flags::sandboxes_ahead`].
    pub sandboxes_ahead: Option<usize>,
    /// See [`Flags::account`].
    pub account: String,
    /// See [`Flags::region`].
    pub region: String,
    /// See [`Flags::availability_zone_id`].
    pub availability_zone_id: Option<Arc<str>>,
    /// See [`Flags::url_domain`]; absent for `localhost`.
    pub url_domain: Option<UrlPlace>,
    /// See [`Flags::clock`].
    pub clock: ClockMode,
    /// See [`Flags::quotas`].
    pub quotas: QuotaMode,
    /// See [`Flags::stream_bandwidth`].
    pub stream_bandwidth: Option<NonZeroU64>,
    /// Service in lower case → URL.
    pub endpoints: BTreeMap<String, String>,
    /// Kind → place.
    pub log_destinations: BTreeMap<String, String>,
    /// See [`Flags::trace_destination`].
    pub trace_destination: Option<Pair>,
    /// See [`Flags::deprecation_policy`].
    pub deprecation_policy: Policy,
    /// Who is told that runtimes come to their end.
    pub notices: NoticeConfig,
    /// See [`Flags::function_env`].
    pub function_env: BTreeMap<String, String>,
    /// Runtime identifier → interpreter or root file system.
    pub runtimes: BTreeMap<String, PathBuf>,
    /// Where container images come from.
    pub images: ImageConfig,
    /// See [`Flags::concurrent_executions`], [`Flags::minimum_unreserved_concurrency`] and
    /// [`Flags::code_storage_bytes`].
    pub account_quotas: AccountQuotas,
    /// See [`Flags::log_storage_bytes`].
    pub log_storage_bytes: u64,
    /// See [`Flags::idle_timeout`].
    pub idle_timeout: Duration,
    /// See [`Flags::shutdown_timeout`].
    pub shutdown_timeout: Duration,
}

impl Config {
    /// Merges flags (and environment, which `clap` has read into them) with the file and the defaults.
    ///
    /// # Errors
    /// One clear sentence for each mistake an operator can make.
    pub fn load(mut flags: Flags) -> anyhow::Result<(Self, LogConfig)> {
        let mut file = match &flags.config {
            Some(path) => read_file(path)?,
            None => Flags::default(),
        };
        let account_quotas = account_quotas(&flags, &file);
        let tls = tls_config(&mut flags, &mut file)?;
        let listen = flags.listen.or(file.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9000)));
        let plain_text = flags.allow_plain_text_network.or(file.allow_plain_text_network).unwrap_or(false);
        ensure!(
            listen.ip().is_loopback() || plain_text,
            "{listen} is not a loopback address and Rushlight would speak plain text there; \
             serve it with --tls-listen, put a TLS proxy in front of it, or add --allow-plain-text-network if the \
             network is trusted"
        );
        let account = flags.account.or(file.account).unwrap_or_else(|| "000000000000".to_owned());
        ensure!(
            rushlight_model::arn::is_account(&account),
            "--account {account}: an account id is twelve digits"
        );
        let region = flags.region.or(file.region).unwrap_or_else(|| "us-east-1".to_owned());
        ensure!(
            rushlight_model::arn::is_region(&region),
            "--region {region}: not a region's name, e.g. eu-west-1"
        );
        let url_domain = flags.url_domain.or(file.url_domain).map(|domain| {
            UrlPlace::domain(&domain).with_context(|| {
                format!("--url-domain {domain}: not the name of a domain, e.g. functions.example.com")
            })
        });
        let quotas = flags.quotas.or(file.quotas).unwrap_or(QuotaMode::Default);
        let stream_bandwidth = flags.stream_bandwidth.or(file.stream_bandwidth).or_else(|| match quotas {
            QuotaMode::Default => None,
            QuotaMode::Aws => NonZeroU64::new(quota::STREAM_BANDWIDTH),
        });
        let config = Self {
            listen,
            tls,
            data_dir: std::path::absolute(
                flags.data_dir.or(file.data_dir).map_or_else(default_data_dir, Ok)?,
            )?,
            auth: flags.auth.or(file.auth).unwrap_or(AuthMode::Enforce),
            block_public_policies: flags
                .block_public_policies
                .or(file.block_public_policies)
                .unwrap_or(false),
            isolation: flags.isolation.or(file.isolation).unwrap_or_else(default_isolation),
            egress: flags.egress.or(file.egress).unwrap_or(EgressMode::Translated),
            sandboxes_ahead: flags.sandboxes_ahead.or(file.sandboxes_ahead),
            account,
            region,
            availability_zone_id: flags.availability_zone_id.or(file.availability_zone_id).map(Arc::from),
            url_domain: url_domain.transpose()?,
            clock: flags.clock.or(file.clock).unwrap_or(ClockMode::Real),
            quotas,
            stream_bandwidth,
            endpoints: merged(file.endpoints, flags.endpoints)
                .into_iter()
                .map(|(service, url)| check_url(&service, &url).map(|()| (service.to_lowercase(), url)))
                .collect::<anyhow::Result<_>>()?,
            log_destinations: merged(file.log_destinations, flags.log_destinations),
            trace_destination: flags.trace_destination.or(file.trace_destination),
            deprecation_policy: match flags.deprecation_policy.or(file.deprecation_policy) {
                Some(DeprecationPolicy::Classic) => Policy::Classic,
                Some(DeprecationPolicy::Current) | None => Policy::Current,
            },
            notices: NoticeConfig {
                webhook: flags.notice_webhook.or(file.notice_webhook),
                smtp: flags.notice_smtp.or(file.notice_smtp),
                from: flags.notice_from.or(file.notice_from),
                to: if flags.notice_to.is_empty() { file.notice_to } else { flags.notice_to },
            },
            function_env: merged(file.function_env, flags.function_env),
            runtimes: merged(file.runtimes, flags.runtimes)
                .into_iter()
                .map(|(id, path)| (id, path.into()))
                .collect(),
            images: ImageConfig {
                registries: if flags.registries.is_empty() { file.registries } else { flags.registries },
                credentials: flags.registry_credentials.or(file.registry_credentials),
                directory: flags.image_directory.or(file.image_directory),
            },
            account_quotas,
            log_storage_bytes: flags
                .log_storage_bytes
                .or(file.log_storage_bytes)
                .unwrap_or(LogStoreConfig::default().max_total_bytes),
            idle_timeout: Duration::from_secs(flags.idle_timeout.or(file.idle_timeout).unwrap_or(600)),
            shutdown_timeout: Duration::from_secs(
                flags.shutdown_timeout.or(file.shutdown_timeout).unwrap_or(30),
            ),
        };
        check_runtimes(&config)?;
        let log = LogConfig {
            filter: flags.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            format: flags.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
        };
        Ok((config, log))
    }
}

/// See the flags of these names.
#[derive(Debug, Clone, Default)]
pub struct ImageConfig {
    /// See [`Flags::registries`].
    pub registries: Vec<String>,
    /// See [`Flags::registry_credentials`].
    pub credentials: Option<PathBuf>,
    /// See [`Flags::image_directory`].
    pub directory: Option<PathBuf>,
}

fn check_runtimes(config: &Config) -> anyhow::Result<()> {
    for (identifier, path) in &config.runtimes {
        ensure!(
            config.isolation != IsolationMode::None || !path.is_dir(),
            "--runtime {identifier}={}: a root file system takes isolation, and --isolation none is asked for",
            path.display()
        );
    }
    Ok(())
}

fn account_quotas(flags: &Flags, file: &Flags) -> AccountQuotas {
    let default = AccountQuotas::default();
    AccountQuotas {
        concurrent_executions: flags
            .concurrent_executions
            .or(file.concurrent_executions)
            .unwrap_or(default.concurrent_executions),
        minimum_unreserved_concurrency: flags
            .minimum_unreserved_concurrency
            .or(file.minimum_unreserved_concurrency)
            .unwrap_or(default.minimum_unreserved_concurrency),
        code_storage_bytes: flags
            .code_storage_bytes
            .or(file.code_storage_bytes)
            .unwrap_or(default.code_storage_bytes),
    }
}

/// Where TLS is served, and with what.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// See [`Flags::tls_listen`].
    pub listen: SocketAddr,
    /// See [`Flags::tls_certificate`].
    pub certificate: PathBuf,
    /// See [`Flags::tls_key`].
    pub key: PathBuf,
}

fn tls_config(flags: &mut Flags, file: &mut Flags) -> anyhow::Result<Option<TlsConfig>> {
    let listen = flags.tls_listen.or(file.tls_listen);
    let certificate = flags.tls_certificate.take().or(file.tls_certificate.take());
    let key = flags.tls_key.take().or(file.tls_key.take());
    match (listen, certificate, key) {
        (None, None, None) => Ok(None),
        (Some(listen), Some(certificate), Some(key)) => Ok(Some(TlsConfig { listen, certificate, key })),
        _ => bail!("TLS takes all three of --tls-listen, --tls-certificate and --tls-key"),
    }
}

/// How the server logs about itself.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// See [`Flags::log`].
    pub filter: String,
    /// See [`Flags::log_format`].
    pub format: LogFormat,
}

fn read_file(path: &Path) -> anyhow::Result<Flags> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
}

/// Later pairs win.
fn merged(file: Vec<Pair>, flags: Vec<Pair>) -> BTreeMap<String, String> {
    file.into_iter().chain(flags).map(|pair| (pair.key, pair.value)).collect()
}

fn check_url(service: &str, url: &str) -> anyhow::Result<()> {
    let uri: http::Uri = url.parse().with_context(|| format!("--endpoint {service}={url}: not a URL"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some() => Ok(()),
        _ => bail!("--endpoint {service}={url}: a URL starts with http:// or https:// and a host"),
    }
}

/// Where data goes when nobody says: the system's place for root, the user's otherwise.
///
/// # Errors
/// If there is neither a home directory nor `XDG_DATA_HOME`.
pub fn default_data_dir() -> anyhow::Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/rushlight"));
    }
    let base = match std::env::var_os("XDG_DATA_HOME") {
        Some(base) => PathBuf::from(base),
        None => Path::new(&std::env::var_os("HOME").context("no HOME is set; say where with --data-dir")?)
            .join(".local/share"),
    };
    Ok(base.join("rushlight"))
}

fn default_isolation() -> IsolationMode {
    if rustix::process::geteuid().is_root() { IsolationMode::Sandbox } else { IsolationMode::Rootless }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Serve {
        #[command(flatten)]
        flags: Flags,
    }

    fn load(arguments: &[&str]) -> anyhow::Result<Config> {
        let arguments = std::iter::once("serve").chain(arguments.iter().copied());
        Config::load(Serve::try_parse_from(arguments)?.flags).map(|(config, _)| config)
    }

    #[test]
    fn defaults_are_safe() {
        let config = load(&["--data-dir", "/d"]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9000");
        assert_eq!(config.auth, AuthMode::Enforce);
        assert_ne!(config.isolation, IsolationMode::None);
        assert_eq!((config.account.as_str(), config.region.as_str()), ("000000000000", "us-east-1"));
        assert_eq!(config.account_quotas, AccountQuotas::default());
    }

    #[test]
    fn quotas_are_numbers_of_the_operators() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rushlight.toml");
        std::fs::write(&path, "concurrent-executions = 10\ncode-storage-bytes = 5\n").unwrap();
        let flags = ["--config", path.to_str().unwrap(), "--code-storage-bytes", "7"];
        let all = load(&[&flags[..], &["--minimum-unreserved-concurrency", "0"]].concat()).unwrap();
        assert_eq!(
            all.account_quotas,
            AccountQuotas {
                concurrent_executions: 10,
                minimum_unreserved_concurrency: 0,
                code_storage_bytes: 7
            }
        );
    }

    #[test]
    fn the_bandwidth_of_streams_is_aws_or_the_operators() {
        let bandwidth =
            |flags: &[&str]| load(flags).map(|config| config.stream_bandwidth.map(NonZeroU64::get));
        assert_eq!(bandwidth(&[]).unwrap(), None);
        assert_eq!(bandwidth(&["--quotas", "aws"]).unwrap(), Some(quota::STREAM_BANDWIDTH));
        assert_eq!(bandwidth(&["--quotas", "aws", "--stream-bandwidth", "5"]).unwrap(), Some(5));
        assert!(bandwidth(&["--stream-bandwidth", "0"]).is_err());
    }

    #[test]
    fn flags_win_over_the_file_and_tables_merge() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rushlight.toml");
        std::fs::write(&path, "region = \"eu-west-1\"\naccount = \"111122223333\"\n[endpoint]\nsqs = \"http://a:1\"\n[function-env]\nA = \"1\"\nB = \"1\"\n").unwrap();
        let path = path.to_str().unwrap();
        let config = load(&[
            "--config",
            path,
            "--region",
            "us-west-2",
            "--function-env",
            "B=2",
            "--function-env",
            "C=x=y",
        ])
        .unwrap();
        assert_eq!((config.region.as_str(), config.account.as_str()), ("us-west-2", "111122223333"));
        assert_eq!(config.endpoints["sqs"], "http://a:1");
        let variables: Vec<_> = config.function_env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(variables, ["A=1", "B=2", "C=x=y"]);
    }

    #[test]
    fn mistakes_are_one_clear_sentence() {
        for (arguments, sentence) in [
            (["--listen", "0.0.0.0:9000"], "is not a loopback address"),
            (["--account", "12"], "an account id is twelve digits"),
            (["--region", "mars"], "not a region's name"),
            (["--url-domain", "https://a.com"], "not the name of a domain"),
            (["--tls-listen", "0.0.0.0:443"], "takes all three"),
            (["--endpoint", "sqs=localhost"], "starts with http://"),
            (["--function-env", "novalue"], "not of the form KEY=VALUE"),
            (["--config", "/nonexistent.toml"], "cannot read /nonexistent.toml"),
        ] {
            let error = format!("{:#}", load(&arguments).unwrap_err());
            assert!(error.contains(sentence), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn unknown_keys_in_the_file_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rushlight.toml");
        std::fs::write(&path, "regoin = \"eu-west-1\"\n").unwrap();
        let error = format!("{:#}", load(&["--config", path.to_str().unwrap()]).unwrap_err());
        assert!(error.contains("regoin"), "{error}");
    }

    #[test]
    fn every_key_is_documented() {
        let text = include_str!("../../../docs/configuration.md");
        for argument in
            Serve::command().get_arguments().filter(|argument| argument.get_long() != Some("help"))
        {
            let long = argument.get_long().unwrap_or_default();
            let variable = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
            assert!(text.contains(&format!("`--{long}")), "--{long} is not in docs/configuration.md");
            assert!(text.contains(&format!("`{variable}`")), "{variable} is not in docs/configuration.md");
        }
    }
}
