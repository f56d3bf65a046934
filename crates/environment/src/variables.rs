//! The environment variables of a function's processes.
//!
//! Documentation followed: "Defined runtime environment variables" in the AWS Lambda developer guide.

use std::collections::BTreeMap;

use rushlight_model::function::{Code, LogFormat};

use crate::config::{Config, Initialization};
use crate::runtime_api::CREDENTIALS_PATH;

/// Where the environment's listeners are, as its processes see them.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// `host:port` of the Runtime API.
    pub(crate) runtime_api: String,
    /// `host:port` of the AWS endpoint.
    pub(crate) endpoint: Option<String>,
    /// What the metadata endpoint, at the same address as the Runtime API, asks for.
    pub(crate) metadata_token: String,
    /// What the endpoint of the credentials, at the same address, asks for.
    pub(crate) credentials_token: String,
    /// Ports at which the platform listens, where nobody else may be asked to.
    pub(crate) taken: Vec<u16>,
}

/// All variables. What comes later wins: the runtime's own, the operator's, the function's, those that AWS reserves.
pub(crate) fn variables(
    config: &Config,
    addresses: &Addresses,
    log_stream: &str,
) -> BTreeMap<String, String> {
    let configuration = &config.configuration;
    let mut variables = config.runtime.environment().clone();
    if let Some(endpoint) = &addresses.endpoint {
        set(&mut variables, "AWS_ENDPOINT_URL", format!("http://{endpoint}"));
    }
    variables.extend(config.additional_environment.iter().map(own));
    variables.extend(configuration.environment.iter().flatten().map(own));
    let mut reserve = |name: &str, value: &str| set(&mut variables, name, value);
    if let Code::Zip { handler, .. } = &configuration.code {
        reserve("_HANDLER", handler);
    }
    reserve("AWS_REGION", &config.function.scope.region);
    reserve("AWS_DEFAULT_REGION", &config.function.scope.region);
    reserve("AWS_LAMBDA_FUNCTION_NAME", &config.function.name);
    reserve("AWS_LAMBDA_FUNCTION_VERSION", &configuration.version.to_string());
    reserve("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &configuration.memory_size_mb.to_string());
    reserve("AWS_LAMBDA_INITIALIZATION_TYPE", config.initialization.as_str());
    if config.initialization == Initialization::SnapStart {
        let runtime_api = &addresses.runtime_api;
        let credentials = format!("http://{runtime_api}{CREDENTIALS_PATH}");
        reserve("AWS_CONTAINER_CREDENTIALS_FULL_URI", &credentials);
        reserve("AWS_CONTAINER_AUTHORIZATION_TOKEN", &addresses.credentials_token);
    } else {
        // Of a snapshot it is not known yet who will write where.
        reserve("AWS_LAMBDA_LOG_GROUP_NAME", &configuration.logging.group);
        reserve("AWS_LAMBDA_LOG_STREAM_NAME", log_stream);
        if let Some(credentials) = config.credentials.issue() {
            reserve("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
            reserve("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
            reserve("AWS_SESSION_TOKEN", &credentials.session_token);
        }
    }
    reserve("AWS_LAMBDA_RUNTIME_API", &addresses.runtime_api);
    reserve("AWS_LAMBDA_METADATA_API", &addresses.runtime_api);
    reserve("AWS_LAMBDA_METADATA_TOKEN", &addresses.metadata_token);
    reserve("LAMBDA_TASK_ROOT", "/var/task");
    reserve("LAMBDA_RUNTIME_DIR", "/var/runtime");
    reserve("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
    reserve("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000");
    reserve("_AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129");
    reserve("_AWS_XRAY_DAEMON_PORT", "2000");
    if let Some(name) = config.runtime.execution_environment() {
        reserve("AWS_EXECUTION_ENV", name);
    }
    let logging = &configuration.logging;
    let json = logging.format == LogFormat::Json;
    reserve("AWS_LAMBDA_LOG_FORMAT", if json { "JSON" } else { "Text" });
    if json {
        reserve("AWS_LAMBDA_LOG_LEVEL", logging.application_level.as_deref().unwrap_or("INFO"));
    }
    variables
}

/// The variables of extensions: all but those that are about the runtime.
pub(crate) fn of_extensions(variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
    const HIDDEN: [&str; 7] = [
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    ];
    let is_shown = |name: &String| !name.starts_with('_') && !HIDDEN.contains(&name.as_str());
    variables.into_iter().filter(|(name, _)| is_shown(name)).collect()
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

fn set(variables: &mut BTreeMap<String, String>, name: &str, value: impl Into<String>) {
    variables.insert(name.to_owned(), value.into());
}
