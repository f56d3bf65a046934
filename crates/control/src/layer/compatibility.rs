//! Which runtimes and architectures a version says it is for. Nobody is held to it: it is what lists are filtered by.

use rushlight_api::lambda::types::{Architecture, Runtime};
use rushlight_model::clock::Timestamp;
use rushlight_model::layer::LayerVersion;
use rushlight_runtimes::Policy;

use crate::error::{Error, Result};
use crate::function::runtime;

/// The identifiers that AWS knows, in the order in which it lists them where one is unknown.
const KNOWN: [&str; 61] = [
    "ruby3.5",
    "ruby2.6",
    "dotnetcore1.0",
    "python3.7",
    "nodejs8.10",
    "nasa",
    "ruby2.7",
    "python2.7-greengrass",
    "dotnetcore2.0",
    "python3.8",
    "java21",
    "dotnet6",
    "dotnetcore2.1",
    "python3.9",
    "java11",
    "nodejs6.10",
    "provided",
    "dotnetcore3.1",
    "dotnet8",
    "java25",
    "java17",
    "nodejs",
    "nodejs4.3",
    "java8.al2",
    "go1.x",
    "dotnet10",
    "nodejs20.x",
    "go1.9",
    "byol",
    "nodejs10.x",
    "provided.al2023",
    "nodejs22.x",
    "python3.10",
    "java8",
    "nodejs12.x",
    "python3.11",
    "nodejs24.x",
    "nodejs8.x",
    "python3.12",
    "nodejs14.x",
    "nodejs8.9",
    "nodejs26.x",
    "python3.13",
    "python3.14",
    "nodejs16.x",
    "python3.15",
    "provided.al2",
    "nodejs4.3-edge",
    "nodejs18.x",
    "ruby3.2",
    "python3.4",
    "ruby3.3",
    "ruby3.4",
    "ruby2.5",
    "python3.6",
    "python2.7",
    "ruby4.0",
    "java8.al2023",
    "java11.al2023",
    "java17.al2023",
    "custom",
];

/// Refuses a list with an identifier that AWS does not know. It then names the runtimes that functions can be given.
pub(super) fn check_runtimes(given: Option<&[Runtime]>, policy: Policy, now: Timestamp) -> Result<()> {
    let Some(given) = given else { return Ok(()) };
    if given.iter().all(|runtime| KNOWN.contains(&runtime.as_str())) {
        return Ok(());
    }
    let printed: Vec<&str> = given.iter().map(Runtime::as_str).collect();
    let offered = runtime::offered(policy, now).join(", ");
    let constraint = format!("Member must satisfy enum value set: [{offered}]");
    let value = format!("[{}]", printed.join(", "));
    Err(Error::Validation(Error::constraint(value, "compatibleRuntimes", &constraint)))
}

/// What versions a list is to show.
#[derive(Debug)]
pub(super) struct Filter {
    runtime: Option<String>,
    architecture: Option<String>,
}

impl Filter {
    pub(super) fn new(runtime: Option<&Runtime>, architecture: Option<&Architecture>) -> Result<Self> {
        if let Some(runtime) = runtime.filter(|runtime| !KNOWN.contains(&runtime.as_str())) {
            let constraint = format!("Member must satisfy enum value set: [{}]", KNOWN.join(", "));
            let text = Error::constraint(runtime, "compatibleRuntime", &constraint);
            return Err(Error::Validation(text));
        }
        Ok(Self {
            runtime: runtime.map(ToString::to_string),
            architecture: architecture.map(ToString::to_string),
        })
    }

    /// Whether the version says that it is for what is asked for.
    pub(super) fn matches(&self, version: &LayerVersion) -> bool {
        says(version.compatible_runtimes.as_deref(), self.runtime.as_deref())
            && says(version.compatible_architectures.as_deref(), self.architecture.as_deref())
    }
}

fn says(compatible: Option<&[String]>, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| compatible.unwrap_or_default().iter().any(|one| one == wanted))
}
