//! The service: what all operations share. See `operations` for what they are.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::sync::Arc;

use rushlight_auth::Authorizer;
use rushlight_model::arn::FunctionId;
use rushlight_model::capacity_provider::CapacityProvider;
use rushlight_model::clock::Clock;
use rushlight_model::code_signing_config::CodeSigningConfig;
use rushlight_model::function::{FunctionHead, State};
use rushlight_model::function_url::{UrlPlace, UrlTarget};
use rushlight_model::layer::{LayerHead, LayerVersion};
use rushlight_model::quota::AccountQuotas;
use rushlight_model::version::{PublishedConfiguration, PublishedVersion};
use rushlight_runtimes::Policy;
use rushlight_store::table::capacity_provider::CAPACITY_PROVIDERS;
use rushlight_store::table::code_signing_config::CODE_SIGNING_CONFIGS;
use rushlight_store::table::function::head_key;
use rushlight_store::table::function_url::FUNCTION_URLS;
use rushlight_store::table::{Table, layer};
use rushlight_store::{BlobStore, Digest, PackageStore};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::authorization::CompiledPolicies;
use crate::dependencies::{
    CodeUrls, ContainerImages, DataPlane, Dependencies, EventSources, Objects, Runtimes,
};
use crate::deprecation::{self, Notices};
use crate::error::{Error, Result};
use crate::event_source_mapping::Mappings;
use crate::function::state;
use crate::garbage;
use crate::ledger::{self, Ledger, Tables};
use crate::runtime_version::{self, RuntimeVersions};
use crate::version::snapshot::{self, Initializing};

/// How many code signing configurations are kept in memory.
const CACHED_CODE_SIGNING_CONFIGS: usize = 100;
/// How many capacity providers are kept in memory.
const CACHED_CAPACITY_PROVIDERS: usize = 100;
/// What so many ids of function URLs lead to is kept in memory.
const CACHED_URLS: usize = 10_000;
/// Rows of layers kept in memory: of heads, and of versions.
const CACHED_LAYERS: usize = 1000;

/// What an operation answers.
pub(crate) type Answer<T> = std::result::Result<T, rushlight_api::Error>;

/// The control plane. Clones are the same one.
#[derive(Clone)]
pub struct Control {
    pub(crate) functions: Table<FunctionHead>,
    pub(crate) versions: Table<PublishedConfiguration>,
    pub(crate) layers: Table<LayerHead>,
    pub(crate) layer_versions: Table<LayerVersion>,
    /// Of this server and no other: rows that it wrote are told from those that an earlier one left.
    pub(crate) run: Arc<str>,
    pub(crate) blobs: BlobStore,
    pub(crate) packages: PackageStore,
    pub(crate) clock: Clock,
    pub(crate) quotas: AccountQuotas,
    pub(crate) authorizer: Authorizer,
    pub(crate) compiled_policies: Arc<CompiledPolicies>,
    pub(crate) block_public_policies: bool,
    pub(crate) deprecation_policy: Policy,
    pub(crate) notices: Arc<Notices>,
    pub(crate) runtimes: Arc<dyn Runtimes>,
    pub(crate) runtime_versions: Arc<RuntimeVersions>,
    pub(crate) code_urls: Arc<dyn CodeUrls>,
    pub(crate) data_plane: Arc<dyn DataPlane>,
    pub(crate) objects: Option<Arc<dyn Objects>>,
    pub(crate) images: Option<Arc<dyn ContainerImages>>,
    pub(crate) event_sources: Arc<dyn EventSources>,
    pub(crate) mappings: Mappings,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) code_signing_configs: Table<CodeSigningConfig>,
    pub(crate) capacity_providers: Table<CapacityProvider>,
    pub(crate) urls: Table<UrlTarget>,
    pub(crate) url_place: UrlPlace,
    /// Held for reading from looking up what a function is about to name until its head names it, and for writing
    /// by what changes or removes such a thing.
    pub(crate) associations: Arc<RwLock<()>>,
    /// Held while concurrency is claimed, so that all claims of an account are held against each other.
    pub(crate) claiming: Arc<tokio::sync::Mutex<()>>,
    /// Held while a version is published that runs on a capacity provider.
    pub(crate) publishing: Arc<tokio::sync::Mutex<()>>,
    pub(crate) initializing: Initializing,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Control {
    /// Begins to work: counts what there is, takes up what an earlier server left Pending or InProgress, and removes
    /// code that nobody names, the latter two in the background.
    ///
    /// # Errors
    /// When the functions cannot be read.
    pub async fn open(dependencies: Dependencies) -> Result<Self> {
        let store = &dependencies.store;
        let layer_versions = Table::new(store.clone(), layer::VERSIONS, CACHED_LAYERS);
        let tables =
            Tables { functions: dependencies.functions.clone(), layer_versions: layer_versions.clone() };
        let control = Self {
            ledger: Ledger::observing(store, tables, dependencies.quotas.code_storage_bytes),
            code_signing_configs: Table::new(
                store.clone(),
                CODE_SIGNING_CONFIGS,
                CACHED_CODE_SIGNING_CONFIGS,
            ),
            capacity_providers: Table::new(store.clone(), CAPACITY_PROVIDERS, CACHED_CAPACITY_PROVIDERS),
            urls: Table::new(store.clone(), FUNCTION_URLS, CACHED_URLS),
            url_place: dependencies.url_place,
            associations: Arc::default(),
            functions: dependencies.functions,
            versions: dependencies.versions,
            layers: Table::new(store.clone(), layer::HEADS, CACHED_LAYERS),
            layer_versions,
            run: Uuid::new_v4().simple().to_string().into(),
            blobs: dependencies.blobs,
            packages: dependencies.packages,
            clock: dependencies.clock,
            quotas: dependencies.quotas,
            authorizer: dependencies.authorizer,
            compiled_policies: Arc::default(),
            block_public_policies: dependencies.block_public_policies,
            deprecation_policy: dependencies.deprecation_policy,
            notices: Arc::new(Notices::new(store, dependencies.postboxes)),
            runtimes: dependencies.runtimes,
            runtime_versions: Arc::new(RuntimeVersions::new(store)),
            code_urls: dependencies.code_urls,
            data_plane: dependencies.data_plane,
            objects: dependencies.objects,
            images: dependencies.images,
            claiming: Arc::default(),
            publishing: Arc::default(),
            event_sources: dependencies.event_sources,
            mappings: Mappings::new(store),
            initializing: Initializing::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        control.load_runtime_versions().await?;
        let mut unsettled = Vec::new();
        let mut provisioned = Vec::new();
        let mut scopes = BTreeSet::new();
        control.ledger.count_layers().await?;
        ledger::for_each_row(&control.functions, |key, head| {
            control.ledger.count(key, head);
            if head.claimed_concurrency() > 0 {
                scopes.insert(head.id.scope.clone());
            }
            let is_kept =
                |version: &PublishedVersion| version.snapshot.is_some() && version.state == State::Active;
            if !head.provisioned.is_empty() || head.versions.values().any(is_kept) {
                provisioned.push(head.id.clone());
            }
            if state::is_unsettled(head) {
                unsettled.push(head.clone());
            }
        })
        .await?;
        control.sweep_rows().await?;
        control.sweep_urls().await?;
        control.sweep_images().await?;
        for head in &unsettled {
            control.settle(head);
        }
        for scope in &scopes {
            control.tell_claims(scope).await?;
        }
        for function in &provisioned {
            control.data_plane.provision(function);
        }
        control.settle_capacity_providers().await?;
        control.take_up_mappings().await?;
        control.tasks.spawn(snapshot::run(control.clone(), dependencies.invoked_inactive));
        control.tasks.spawn(runtime_version::run(control.clone()));
        control.tasks.spawn(deprecation::run(control.clone()));
        control.tasks.spawn(garbage::run(control.clone()));
        Ok(control)
    }

    /// Ends what goes on in the background. Functions left Pending or InProgress are taken up by the next server.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// An archive as it was uploaded, for whoever holds a URL made by [`CodeUrls`]. `None` if it is no longer there.
    /// Opening a file: to be called where blocking for a moment is no harm.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn archive(&self, package: &Digest) -> Result<Option<File>> {
        Ok(self.blobs.open_file(package)?)
    }

    /// Carries a change out to its end, also when the caller hangs up: what was committed must be followed up.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Answer<T> {
        match self.tasks.spawn(change).await {
            Ok(result) => Ok(result?),
            Err(lost) => {
                tracing::error!(error = %lost, "control.lost");
                Err(Error::Closing.into())
            }
        }
    }

    /// The key of a function's head.
    pub(crate) fn key(&self, function: &FunctionId) -> String {
        head_key(&function.scope.account, &function.scope.region, &function.name)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").field("functions", &self.functions).finish_non_exhaustive()
    }
}
