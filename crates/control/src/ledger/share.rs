//! What one row adds to the sums.

use rushlight_model::arn::Scope;
use rushlight_model::function::{Code, FunctionConfiguration, FunctionHead};
use rushlight_model::layer::LayerVersion;
use rushlight_model::version::Package;
use rushlight_store::Digest;

use crate::users::{self, Use};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) scope: Scope,
    pub(super) functions: u64,
    pub(super) code_bytes: u64,
    pub(super) claimed_concurrency: u64,
    /// Archives with their sizes, each once.
    pub(super) archives: Vec<(Digest, u64)>,
    /// What it names, by ARN, and under which name it is listed as a user.
    pub(super) uses: Vec<Use>,
}

impl From<&FunctionHead> for Share {
    fn from(head: &FunctionHead) -> Self {
        let latest = [Some(&head.latest), head.serving.as_deref()].into_iter().flatten().flat_map(archives);
        let published = head.versions.values();
        let published_bytes = published.clone().filter_map(|version| version.package.as_ref());
        let published_bytes = published_bytes.map(Package::stored_bytes).sum::<u64>();
        let published = published.flat_map(|version| version.package.iter().chain(&version.layers));
        let mut archives: Vec<(Digest, u64)> = latest.chain(published.filter_map(named)).collect();
        archives.sort_unstable();
        archives.dedup_by_key(|(digest, _)| *digest);
        Self {
            scope: head.id.scope.clone(),
            functions: 1,
            code_bytes: code_bytes(&head.latest) + published_bytes,
            claimed_concurrency: u64::from(head.claimed_concurrency()),
            archives,
            uses: uses(head),
        }
    }
}

impl From<&LayerVersion> for Share {
    fn from(version: &LayerVersion) -> Self {
        let package = version.content.package();
        Self {
            scope: version.layer.scope.clone(),
            functions: 0,
            code_bytes: package.stored_bytes(),
            claimed_concurrency: 0,
            archives: named(&package).into_iter().collect(),
            uses: Vec::new(),
        }
    }
}

/// What a function names besides its code and its layers' archives.
fn uses(head: &FunctionHead) -> Vec<Use> {
    let signing = head.code_signing_config_arn.as_ref();
    let latest = [Some(&head.latest), head.serving.as_deref()].into_iter().flatten();
    let latest = latest.filter_map(|latest| latest.managed_instances.as_ref());
    let published = head.versions.values().filter_map(|version| version.capacity_provider_arn.as_ref());
    let named = signing.into_iter().chain(latest.map(|instances| &instances.capacity_provider_arn));
    let functions = named.chain(published).map(|arn| (arn.clone(), head.id.name.clone()));
    let versions = head.versions.iter().filter_map(|(number, version)| {
        let arn = version.capacity_provider_arn.as_deref()?;
        Some((users::of_versions(arn), users::version(&head.id.name, *number)))
    });
    let mut uses: Vec<Use> = functions.chain(versions).collect();
    uses.sort_unstable();
    uses.dedup();
    uses
}

/// The archive of a configuration's own code and its size in bytes.
pub(crate) fn archive(configuration: &FunctionConfiguration) -> Option<(Digest, u64)> {
    match &configuration.code {
        Code::Zip { sha256, size, .. } => Some((sha256.parse().ok()?, *size)),
        Code::Image { .. } => None,
    }
}

/// All archives that a configuration runs from: its code and its layers, which it keeps when they are deleted.
pub(crate) fn archives(configuration: &FunctionConfiguration) -> impl Iterator<Item = (Digest, u64)> + '_ {
    let layers = configuration.layers.iter().filter_map(|layer| named(&layer.content.package()));
    archive(configuration).into_iter().chain(layers)
}

/// What a configuration's own code takes of the account's code storage, in bytes.
pub(crate) fn code_bytes(configuration: &FunctionConfiguration) -> u64 {
    configuration.package().map_or(0, |package| package.stored_bytes())
}

fn named(package: &Package) -> Option<(Digest, u64)> {
    Some((package.sha256.parse().ok()?, package.size))
}
