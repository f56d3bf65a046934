//! From a function's name to the configuration that serves it.

use std::sync::Arc;

use rushlight_model::arn::{FunctionId, FunctionReference, Qualifier};
use rushlight_model::function::{FunctionConfiguration, FunctionHead, State};
use rushlight_store::table::{Entry, Table, function};

use crate::Error;

/// A function's head together with the version that an invocation is for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    entry: Entry<FunctionHead>,
}

impl Target {
    pub(crate) fn head(&self) -> &FunctionHead {
        &self.entry.value
    }

    pub(crate) fn configuration(&self) -> &FunctionConfiguration {
        self.head().serving()
    }
}

/// Finds the target of an invocation. Without I/O when the head is cached, as it is from the second time on.
pub(crate) async fn resolve(
    heads: &Table<FunctionHead>,
    reference: &FunctionReference,
) -> Result<Target, Error> {
    let FunctionId { scope, name } = &reference.function;
    let key = function::head_key(&scope.account, &scope.region, name);
    let entry = match heads.cached(&key) {
        Some(entry) => Some(entry),
        None => heads.get(&key).await?,
    };
    let entry = entry.ok_or_else(|| not_found(reference))?;
    match &reference.qualifier {
        None | Some(Qualifier::Latest) => {}
        Some(Qualifier::Version(_) | Qualifier::Alias(_)) => return Err(not_found(reference)),
    }
    let target = Target { entry };
    match &target.configuration().state {
        State::Active => Ok(target),
        State::Pending(_) => Err(Error::NotActive { state: "Pending" }),
        State::Inactive(_) => Err(Error::NotActive { state: "Inactive" }),
        State::Failed(_) => Err(Error::NotActive { state: "Failed" }),
    }
}

fn not_found(reference: &FunctionReference) -> Error {
    let qualifier = reference.qualifier.as_ref().unwrap_or(&Qualifier::Latest);
    Error::NotFound { arn: reference.function.qualified_arn(qualifier) }
}

/// Tells one set of code and configuration from another, over deletions and re-creations too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    incarnation: String,
    generation: u64,
}

impl Identity {
    pub(crate) fn of(head: &FunctionHead) -> Self {
        Self { incarnation: head.incarnation.clone(), generation: head.serving().generation }
    }

    /// Whether `head` still serves this code and configuration. Compares without allocating.
    pub(crate) fn is_served_by(&self, head: &FunctionHead) -> bool {
        self.incarnation == head.incarnation && self.generation == head.serving().generation
    }

    /// Whether this is a later generation of the same function than what `head` serves: the reader of `head` was
    /// overtaken by an update.
    pub(crate) fn is_newer_than(&self, head: &FunctionHead) -> bool {
        self.incarnation == head.incarnation && self.generation > head.serving().generation
    }
}

/// What the data plane asks the code packages for.
pub trait CodeSource: Send + Sync {
    /// The directory that holds the unpacked package with this SHA-256 (lower-case hex), made ready if need be.
    ///
    /// # Errors
    /// One sentence for the operator.
    fn directory<'a>(
        &'a self,
        sha256: &'a str,
    ) -> rushlight_store::BoxFuture<'a, Result<std::path::PathBuf, String>>;
}

/// Makes the temporary credentials of a function's execution role.
pub trait RoleCredentials: Send + Sync {
    /// Credentials for one execution environment of `function`, or none if functions get none.
    fn issue(&self, function: &FunctionId, role: &str) -> Option<rushlight_environment::Credentials>;
}

/// Shared ownership of the configuration that an environment is made from.
pub(crate) fn share(configuration: &FunctionConfiguration) -> Arc<FunctionConfiguration> {
    Arc::new(configuration.clone())
}
