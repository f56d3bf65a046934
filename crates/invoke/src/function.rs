//! From a function's name and qualifier to the version that serves it.

use std::sync::Arc;

use rushlight_model::arn::{FunctionId, FunctionReference, Qualifier};
use rushlight_model::function::{FunctionConfiguration, FunctionHead, State};
use rushlight_model::version::{PublishedConfiguration, Version};
use rushlight_store::table::{Table, function, version};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Error;

/// The tables in which functions are found.
#[derive(Debug, Clone)]
pub(crate) struct Functions {
    pub(crate) heads: Table<FunctionHead>,
    pub(crate) versions: Table<PublishedConfiguration>,
    /// Hears of versions with `SnapStart` that were invoked although they were given up.
    pub(crate) invoked_inactive: mpsc::Sender<(FunctionId, u64)>,
}

/// A function's head together with the version that an invocation is for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    head: Arc<FunctionHead>,
    content: Content,
}

/// Where code and configuration are.
#[derive(Debug, Clone)]
enum Content {
    /// In the head.
    Latest,
    /// In a row of its own.
    Published { number: u64, row: Arc<PublishedConfiguration> },
}

impl Target {
    pub(crate) fn head(&self) -> &FunctionHead {
        &self.head
    }

    pub(crate) fn version(&self) -> Version {
        match self.content {
            Content::Latest => Version::Latest,
            Content::Published { number, .. } => Version::Published(number),
        }
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        let generation = match &self.content {
            Content::Latest => self.head.serving().generation,
            Content::Published { number, .. } => {
                self.head.versions.get(number).map_or(0, |version| version.generation)
            }
        };
        Identity { incarnation: &self.head.incarnation, generation }
    }

    /// What an environment is made from.
    pub(crate) fn configuration(&self) -> FunctionConfiguration {
        match &self.content {
            Content::Latest => self.head.serving().clone(),
            Content::Published { number, row } => match self.head.versions.get(number) {
                Some(version) => row.numbered(*number, version),
                // The head names it, or this would be no target.
                None => row.configuration.clone(),
            },
        }
    }
}

impl Functions {
    /// Finds the target of an invocation. Without I/O when the rows are cached, as they are from the second time on.
    pub(crate) async fn resolve(&self, reference: &FunctionReference) -> Result<Target, Error> {
        let FunctionId { scope, name } = &reference.function;
        let key = function::head_key(&scope.account, &scope.region, name);
        let head = self.heads.get(&key).await?.ok_or_else(|| not_found(reference))?.value;
        let version = route(&head, reference.qualifier.as_ref()).ok_or_else(|| not_found(reference))?;
        match state(&head, version).ok_or_else(|| not_found(reference))? {
            State::Active => {}
            other => return Err(self.not_active(&head, version, other)),
        }
        self.target(&head, version).await?.ok_or_else(|| not_found(reference))
    }

    /// What whoever invokes a version in this state is told. A version with `SnapStart` that was given up is made ready.
    fn not_active(&self, head: &FunctionHead, version: Version, state: &State) -> Error {
        let starts_from_snapshot =
            |number: &u64| head.versions.get(number).is_some_and(|version| version.snapshot.is_some());
        match (version, state) {
            (Version::Published(number), State::Inactive(_)) if starts_from_snapshot(&number) => {
                // If there is no room others wait to be made ready, and this one is asked for again.
                let _ = self.invoked_inactive.try_send((head.id.clone(), number));
                Error::SnapStartNotReady
            }
            (Version::Published(number), State::Pending(reason))
                if starts_from_snapshot(&number) && reason.code == "Restoring" =>
            {
                Error::SnapStartNotReady
            }
            (_, state) => Error::NotActive { state: state.as_str() },
        }
    }

    /// A version of a function, if the head names it.
    pub(crate) async fn target(
        &self,
        head: &Arc<FunctionHead>,
        version: Version,
    ) -> Result<Option<Target>, Error> {
        let FunctionId { scope, name } = &head.id;
        let content = match version {
            Version::Latest => Content::Latest,
            Version::Published(number) => {
                let Some(published) = head.versions.get(&number) else { return Ok(None) };
                let key = version::row_key(&scope.account, &scope.region, name, &published.row);
                let lost = || Error::Code(format!("the configuration of version {number} of {name} is gone"));
                Content::Published { number, row: self.versions.get(&key).await?.ok_or_else(lost)?.value }
            }
        };
        Ok(Some(Target { head: Arc::clone(head), content }))
    }
}

/// The state of what serves a version, if there is such a version.
fn state(head: &FunctionHead, version: Version) -> Option<&State> {
    match version {
        Version::Latest => Some(&head.serving().state),
        Version::Published(number) => head.versions.get(&number).map(|version| &version.state),
    }
}

/// The version that a request goes to.
fn route(head: &FunctionHead, qualifier: Option<&Qualifier>) -> Option<Version> {
    match qualifier {
        Some(Qualifier::Alias(name)) => {
            let alias = head.aliases.get(name)?;
            Some(if alias.additional.is_some() { alias.route(draw()) } else { alias.version })
        }
        other => head.version(other),
    }
}

/// A random number from 0.0 up to, but not including, 1.0.
pub(crate) fn draw() -> f64 {
    const BITS: u32 = 48;
    // The last 48 bits of such an identifier are all random.
    let random = Uuid::new_v4().as_u64_pair().1 & ((1 << BITS) - 1);
    random as f64 / (1_u64 << BITS) as f64
}

fn not_found(reference: &FunctionReference) -> Error {
    Error::NotFound { arn: reference.function.qualified_arn(reference.qualifier_or_latest()) }
}

/// Tells one set of code and configuration of a version from another, over deletions and re-creations too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub(crate) incarnation: &'a str,
    /// Of `$LATEST`, which changes; of a published version, whose runtime does.
    pub(crate) generation: u64,
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

    /// The container image that a function is made of, made ready if need be, with what the function sets instead of
    /// the image's own settings.
    ///
    /// # Errors
    /// One sentence for the operator.
    fn image<'a>(
        &'a self,
        configuration: &'a FunctionConfiguration,
    ) -> rushlight_store::BoxFuture<'a, Result<rushlight_environment::ContainerImage, String>>;
}

/// Makes the temporary credentials of a function's execution role.
pub trait RoleCredentials: Send + Sync {
    /// Credentials for one execution environment of `function`, or none if functions get none.
    fn issue(&self, function: &FunctionId, role: &str) -> Option<rushlight_environment::Credentials>;
}
