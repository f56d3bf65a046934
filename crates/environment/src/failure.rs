//! How an invocation fails other than by its handler, and what the caller then reads.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rushlight_model::invocation::FunctionError;
use rushlight_model::request_id::RequestId;
use rushlight_sandbox::{Exit, ExitStatus};

/// A failure of the runtime, noticed at most once per process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// E.g. `Runtime.ExitError`.
    pub(crate) error_type: String,
    detail: Detail,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Detail {
    /// Follows `RequestId: <id> Error: `.
    Message(String),
    /// The whole `errorMessage`.
    WholeMessage(String),
    /// What the runtime posted.
    Posted(Bytes),
}

impl Failure {
    fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self { error_type: error_type.to_owned(), detail: Detail::Message(message.into()) }
    }

    /// The process ended without being asked to.
    pub(crate) fn exit(exit: Exit) -> Self {
        let message = match exit.status {
            ExitStatus::Code(0) => "Runtime exited without providing a reason".to_owned(),
            ExitStatus::Code(code) => format!("Runtime exited with error: exit status {code}"),
            ExitStatus::Signal(signal) => {
                format!("Runtime exited with error: signal: {}", signal_name(signal))
            }
        };
        Self::new(if exit.out_of_memory { "Runtime.OutOfMemory" } else { "Runtime.ExitError" }, message)
    }

    /// The process of an extension ended although the environment did not.
    pub(crate) fn extension_crash(exit: Option<Exit>) -> Self {
        let message = match exit.map(|exit| exit.status) {
            Some(ExitStatus::Code(code)) => format!("exit status {code}"),
            Some(ExitStatus::Signal(signal)) => format!("signal: {}", signal_name(signal)),
            None => "lost".to_owned(),
        };
        Self::new("Extension.Crash", message)
    }

    /// An extension could not be started.
    pub(crate) fn extension_launch(name: &str, message: &str) -> Self {
        Self::new("Extension.LaunchError", format!("fork/exec /opt/extensions/{name}: {message}"))
    }

    /// An extension reports that it cannot go on.
    pub(crate) fn extension_reported(at_init: bool, reason: &str) -> Self {
        Self::new(if at_init { "Extension.InitError" } else { "Extension.ExitError" }, reason)
    }

    /// None of the places where a `bootstrap` may be holds an executable one.
    pub(crate) fn no_entrypoint(places: &[String]) -> Self {
        let message = format!("Couldn't find valid bootstrap(s): [{}]", places.join(" "));
        Self::new("Runtime.InvalidEntrypoint", message)
    }

    /// The kernel refused to execute the program.
    pub(crate) fn not_executable(program: &str, error: &std::io::Error) -> Self {
        // The wording of the C library, in lower case and without the error's number.
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        Self::new("Runtime.InvalidEntrypoint", format!("fork/exec {program}: {text}"))
    }

    /// An image's program is in none of the directories where it is looked for.
    pub(crate) fn not_found_in_path(program: &str) -> Self {
        let message = format!("exec: \"{program}\": executable file not found in $PATH");
        Self::new("Runtime.InvalidEntrypoint", message)
    }

    /// There is no such directory to run the program of an image in.
    pub(crate) fn no_working_directory(directory: &Path) -> Self {
        let message = format!("chdir {}: no such file or directory", directory.display());
        Self::new("Runtime.InvalidWorkingDir", message)
    }

    /// The platform could not do its part.
    pub(crate) fn platform(message: impl Into<String>) -> Self {
        Self::new("Sandbox.Failure", message)
    }

    /// The runtime posted that its initialisation failed.
    pub(crate) fn posted(error_type: Option<&str>, body: Bytes) -> Self {
        Self { error_type: normalised(error_type.unwrap_or_default()), detail: Detail::Posted(body) }
    }

    /// The answer exceeds what an invocation may return.
    pub(crate) fn response_too_large(limit: usize) -> Self {
        let message = format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
        Self { error_type: "Function.ResponseSizeTooLarge".to_owned(), detail: Detail::WholeMessage(message) }
    }

    /// The connection ended within the answer.
    pub(crate) fn truncated() -> Self {
        Self::new("Runtime.TruncatedResponse", "Runtime returned a truncated response")
    }

    /// The answer's mode is none that exists.
    pub(crate) fn invalid_response_mode() -> Self {
        Self::new("Runtime.InvalidResponseModeHeader", "Invalid function response mode")
    }

    /// What `platform.fault` of the Logs API says; nothing of what the runtime has said itself.
    pub(crate) fn fault(&self, id: RequestId) -> Option<String> {
        match &self.detail {
            Detail::Message(message) | Detail::WholeMessage(message) => {
                Some(format!("RequestId: {id} Error: {message}"))
            }
            Detail::Posted(_) => None,
        }
    }

    /// What the caller of `id` receives.
    pub(crate) fn to_error(&self, id: RequestId) -> FunctionError {
        let payload = match &self.detail {
            Detail::Message(message) => {
                error_json(&self.error_type, &format!("RequestId: {id} Error: {message}"))
            }
            Detail::WholeMessage(message) => error_json(&self.error_type, message),
            Detail::Posted(body) if body.is_empty() => error_json(
                &self.error_type,
                &format!("RequestId: {id} Error: Runtime failed to initialise without providing a reason"),
            ),
            Detail::Posted(body) => body.clone(),
        };
        FunctionError { payload, error_type: Some(self.error_type.clone()) }
    }
}

/// What is said when the function's timeout has passed.
pub(crate) fn timeout_message(id: RequestId, timeout: Duration) -> String {
    format!("RequestId: {id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64())
}

/// What the caller of `id` receives when the function's timeout has passed.
pub(crate) fn timed_out(id: RequestId, timeout: Duration) -> FunctionError {
    let message = timeout_message(id, timeout);
    FunctionError {
        payload: error_json("Sandbox.Timedout", &message),
        error_type: Some("Sandbox.Timedout".to_owned()),
    }
}

/// An error type as runtimes may report it: kept if it is one of the known form.
pub(crate) fn normalised(error_type: &str) -> String {
    let is_name = |name: &str| {
        name.len() > 1
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    match error_type.split_once('.') {
        Some(("Runtime" | "Function", name)) if is_name(name) => error_type.to_owned(),
        Some(("Function", _)) => "Function.Unknown".to_owned(),
        _ => "Runtime.Unknown".to_owned(),
    }
}

fn error_json(error_type: &str, message: &str) -> Bytes {
    // The members' order is AWS'.
    let text = |value: &str| serde_json::Value::from(value).to_string();
    format!(r#"{{"errorType":{},"errorMessage":{}}}"#, text(error_type), text(message)).into()
}

/// The names that AWS prints.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// The error type that a caller is told.
pub(crate) fn type_of(error: &FunctionError) -> String {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(rename = "errorType")]
        error_type: String,
    }
    let told = || Some(serde_json::from_slice::<Told>(&error.payload).ok()?.error_type);
    error.error_type.clone().or_else(told).unwrap_or_else(|| "Unhandled".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f507cfc-f7bc-4e5c-b2a1-0d7a1d1b1a11";

    fn payload(failure: &Failure) -> String {
        let error = failure.to_error(ID.parse().unwrap());
        assert_eq!(error.error_type.as_deref(), Some(failure.error_type.as_str()));
        String::from_utf8(error.payload.to_vec()).unwrap()
    }

    fn exit(status: ExitStatus) -> Failure {
        Failure::exit(Exit { status, out_of_memory: false })
    }

    #[test]
    fn memory_that_runs_out_is_named() {
        let killed = Failure::exit(Exit { status: ExitStatus::Signal(9), out_of_memory: true });
        let expected = format!(
            r#"{{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: {ID} Error: Runtime exited with error: signal: killed"}}"#
        );
        assert_eq!(payload(&killed), expected);
    }

    #[test]
    fn texts_of_exits() {
        let expected = |reason: &str| {
            format!(r#"{{"errorType":"Runtime.ExitError","errorMessage":"RequestId: {ID} Error: {reason}"}}"#)
        };
        assert_eq!(
            payload(&exit(ExitStatus::Code(0))),
            expected("Runtime exited without providing a reason")
        );
        assert_eq!(
            payload(&exit(ExitStatus::Code(127))),
            expected("Runtime exited with error: exit status 127")
        );
        assert_eq!(
            payload(&exit(ExitStatus::Signal(9))),
            expected("Runtime exited with error: signal: killed")
        );
        assert_eq!(
            payload(&exit(ExitStatus::Signal(40))),
            expected("Runtime exited with error: signal: signal 40")
        );
    }

    #[test]
    fn texts_of_other_failures() {
        let places = ["/var/task/bootstrap".to_owned(), "/opt/bootstrap".to_owned()];
        assert_eq!(
            payload(&Failure::no_entrypoint(&places)),
            format!(
                r#"{{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: {ID} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}}"#
            )
        );
        let error = std::io::Error::from_raw_os_error(8);
        assert!(
            payload(&Failure::not_executable("/var/task/bootstrap", &error))
                .contains("Error: fork/exec /var/task/bootstrap: exec format error\"")
        );
        assert_eq!(
            payload(&Failure::response_too_large(6_291_556)),
            r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#
        );
        let timeout = timed_out(ID.parse().unwrap(), Duration::from_secs(1));
        assert_eq!(
            timeout.payload,
            format!(
                r#"{{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: {ID} Error: Task timed out after 1.00 seconds"}}"#
            )
        );
    }

    #[test]
    fn posted_errors_pass_through() {
        let body = Bytes::from_static(br#"{"errorMessage":"x","requestId":""}"#);
        let failure = Failure::posted(Some("Runtime.ImportModuleError"), body.clone());
        assert_eq!(failure.to_error(ID.parse().unwrap()).payload, body);
        assert_eq!(failure.error_type, "Runtime.ImportModuleError");
        assert_eq!(failure.fault(ID.parse().unwrap()), None);
        let fault = exit(ExitStatus::Code(0)).fault(ID.parse().unwrap()).unwrap();
        assert_eq!(fault, format!("RequestId: {ID} Error: Runtime exited without providing a reason"));
    }

    #[test]
    fn error_types_are_normalised() {
        assert_eq!(normalised("Function.MyError"), "Function.MyError");
        assert_eq!(normalised("Function.my-error"), "Function.Unknown");
        assert_eq!(normalised("Runtime.X1"), "Runtime.Unknown");
        assert_eq!(normalised("unhandled"), "Runtime.Unknown");
        assert_eq!(normalised(""), "Runtime.Unknown");
    }
}
