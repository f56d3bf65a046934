//! The service: one method for each operation that is offered, and what they share.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::{
    CreateCapacityProviderRequest, CreateCapacityProviderResponse, CreateCodeSigningConfigRequest,
    CreateCodeSigningConfigResponse, CreateFunctionRequest, CreateFunctionResponse,
    DeleteCapacityProviderRequest, DeleteCapacityProviderResponse, DeleteCodeSigningConfigRequest,
    DeleteCodeSigningConfigResponse, DeleteFunctionCodeSigningConfigRequest,
    DeleteFunctionCodeSigningConfigResponse, DeleteFunctionRequest, DeleteFunctionResponse,
    GetAccountSettingsRequest, GetAccountSettingsResponse, GetCapacityProviderRequest,
    GetCapacityProviderResponse, GetCodeSigningConfigRequest, GetCodeSigningConfigResponse,
    GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse,
    GetFunctionConfigurationRequest, GetFunctionConfigurationResponse, GetFunctionRequest,
    GetFunctionResponse, ListCapacityProvidersRequest, ListCapacityProvidersResponse,
    ListCodeSigningConfigsRequest, ListCodeSigningConfigsResponse, ListFunctionsByCodeSigningConfigRequest,
    ListFunctionsByCodeSigningConfigResponse, ListFunctionsRequest, ListFunctionsResponse, ListTagsRequest,
    ListTagsResponse, PutFunctionCodeSigningConfigRequest, PutFunctionCodeSigningConfigResponse,
    TagResourceRequest, TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
    UpdateCapacityProviderRequest, UpdateCapacityProviderResponse, UpdateCodeSigningConfigRequest,
    UpdateCodeSigningConfigResponse, UpdateFunctionCodeRequest, UpdateFunctionCodeResponse,
    UpdateFunctionConfigurationRequest, UpdateFunctionConfigurationResponse,
};
use rushlight_model::arn::FunctionId;
use rushlight_model::capacity_provider::CapacityProvider;
use rushlight_model::clock::Clock;
use rushlight_model::code_signing_config::CodeSigningConfig;
use rushlight_model::function::FunctionHead;
use rushlight_model::quota::AccountQuotas;
use rushlight_store::table::Table;
use rushlight_store::table::capacity_provider::CAPACITY_PROVIDERS;
use rushlight_store::table::code_signing_config::CODE_SIGNING_CONFIGS;
use rushlight_store::table::function::head_key;
use rushlight_store::{BlobStore, Digest, PackageStore};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account;
use crate::capacity_provider;
use crate::code_signing_config;
use crate::context::RequestContext;
use crate::dependencies::{CodeUrls, Dependencies, Objects, Retire, Runtimes};
use crate::error::{Error, Result};
use crate::function::{create, delete, get, list, state, update};
use crate::garbage;
use crate::ledger::{self, Ledger};
use crate::tags;

/// How many code signing configurations are kept in memory.
const CACHED_CODE_SIGNING_CONFIGS: usize = 100;
/// How many capacity providers are kept in memory.
const CACHED_CAPACITY_PROVIDERS: usize = 100;

type Answer<T> = std::result::Result<T, rushlight_api::Error>;

/// The control plane. Clones are the same one.
#[derive(Clone)]
pub struct Control {
    pub(crate) functions: Table<FunctionHead>,
    pub(crate) blobs: BlobStore,
    pub(crate) packages: PackageStore,
    pub(crate) clock: Clock,
    pub(crate) quotas: AccountQuotas,
    pub(crate) runtimes: Arc<dyn Runtimes>,
    pub(crate) code_urls: Arc<dyn CodeUrls>,
    pub(crate) retire: Arc<dyn Retire>,
    pub(crate) objects: Option<Arc<dyn Objects>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) code_signing_configs: Table<CodeSigningConfig>,
    pub(crate) capacity_providers: Table<CapacityProvider>,
    /// Held for reading from looking up what a function is about to name until its head names it, and for writing
    /// by what changes or removes such a thing.
    pub(crate) associations: Arc<RwLock<()>>,
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
        let control = Self {
            ledger: Ledger::observing(&dependencies.store, dependencies.quotas.code_storage_bytes),
            code_signing_configs: Table::new(
                dependencies.store.clone(),
                CODE_SIGNING_CONFIGS,
                CACHED_CODE_SIGNING_CONFIGS,
            ),
            capacity_providers: Table::new(
                dependencies.store.clone(),
                CAPACITY_PROVIDERS,
                CACHED_CAPACITY_PROVIDERS,
            ),
            associations: Arc::default(),
            functions: dependencies.functions,
            blobs: dependencies.blobs,
            packages: dependencies.packages,
            clock: dependencies.clock,
            quotas: dependencies.quotas,
            runtimes: dependencies.runtimes,
            code_urls: dependencies.code_urls,
            retire: dependencies.retire,
            objects: dependencies.objects,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let mut unsettled = Vec::new();
        ledger::for_each_function(&control.functions, |key, head| {
            control.ledger.count(key, head);
            if state::is_unsettled(head) {
                unsettled.push(head.clone());
            }
        })
        .await?;
        for head in &unsettled {
            control.settle(head);
        }
        control.settle_capacity_providers().await?;
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
    async fn to_the_end<T: Send + 'static>(
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

impl LambdaService for Control {
    type Context = RequestContext;

    async fn create_function(
        &self,
        context: &RequestContext,
        input: CreateFunctionRequest,
    ) -> Answer<CreateFunctionResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { create::create(&control, &context, input).await }).await
    }

    async fn get_function(
        &self,
        context: &RequestContext,
        input: GetFunctionRequest,
    ) -> Answer<GetFunctionResponse> {
        Ok(get::get(self, context, input).await?)
    }

    async fn get_function_configuration(
        &self,
        context: &RequestContext,
        input: GetFunctionConfigurationRequest,
    ) -> Answer<GetFunctionConfigurationResponse> {
        Ok(get::get_configuration(self, context, input).await?)
    }

    async fn list_functions(
        &self,
        context: &RequestContext,
        input: ListFunctionsRequest,
    ) -> Answer<ListFunctionsResponse> {
        Ok(list::list(self, context, input).await?)
    }

    async fn update_function_code(
        &self,
        context: &RequestContext,
        input: UpdateFunctionCodeRequest,
    ) -> Answer<UpdateFunctionCodeResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { update::code(&control, &context, input).await }).await
    }

    async fn update_function_configuration(
        &self,
        context: &RequestContext,
        input: UpdateFunctionConfigurationRequest,
    ) -> Answer<UpdateFunctionConfigurationResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { update::configuration(&control, &context, input).await }).await
    }

    async fn delete_function(
        &self,
        context: &RequestContext,
        input: DeleteFunctionRequest,
    ) -> Answer<DeleteFunctionResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { delete::delete(&control, &context, input).await }).await
    }

    async fn get_account_settings(
        &self,
        context: &RequestContext,
        _input: GetAccountSettingsRequest,
    ) -> Answer<GetAccountSettingsResponse> {
        Ok(account::settings(self, context).await?)
    }

    async fn create_code_signing_config(
        &self,
        context: &RequestContext,
        input: CreateCodeSigningConfigRequest,
    ) -> Answer<CreateCodeSigningConfigResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { code_signing_config::create(&control, &context, input).await }).await
    }

    async fn get_code_signing_config(
        &self,
        context: &RequestContext,
        input: GetCodeSigningConfigRequest,
    ) -> Answer<GetCodeSigningConfigResponse> {
        Ok(code_signing_config::get(self, context, input).await?)
    }

    async fn list_code_signing_configs(
        &self,
        context: &RequestContext,
        input: ListCodeSigningConfigsRequest,
    ) -> Answer<ListCodeSigningConfigsResponse> {
        Ok(code_signing_config::list(self, context, input).await?)
    }

    async fn update_code_signing_config(
        &self,
        context: &RequestContext,
        input: UpdateCodeSigningConfigRequest,
    ) -> Answer<UpdateCodeSigningConfigResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { code_signing_config::update(&control, &context, input).await }).await
    }

    async fn delete_code_signing_config(
        &self,
        context: &RequestContext,
        input: DeleteCodeSigningConfigRequest,
    ) -> Answer<DeleteCodeSigningConfigResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { code_signing_config::delete(&control, &context, input).await }).await
    }

    async fn put_function_code_signing_config(
        &self,
        context: &RequestContext,
        input: PutFunctionCodeSigningConfigRequest,
    ) -> Answer<PutFunctionCodeSigningConfigResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { code_signing_config::function::put(&control, &context, input).await })
            .await
    }

    async fn get_function_code_signing_config(
        &self,
        context: &RequestContext,
        input: GetFunctionCodeSigningConfigRequest,
    ) -> Answer<GetFunctionCodeSigningConfigResponse> {
        Ok(code_signing_config::function::get(self, context, input).await?)
    }

    async fn delete_function_code_signing_config(
        &self,
        context: &RequestContext,
        input: DeleteFunctionCodeSigningConfigRequest,
    ) -> Answer<DeleteFunctionCodeSigningConfigResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { code_signing_config::function::delete(&control, &context, input).await })
            .await
    }

    async fn list_functions_by_code_signing_config(
        &self,
        context: &RequestContext,
        input: ListFunctionsByCodeSigningConfigRequest,
    ) -> Answer<ListFunctionsByCodeSigningConfigResponse> {
        Ok(code_signing_config::function::list(self, context, input).await?)
    }

    async fn tag_resource(
        &self,
        context: &RequestContext,
        input: TagResourceRequest,
    ) -> Answer<TagResourceResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { tags::tag(&control, &context, input).await }).await
    }

    async fn untag_resource(
        &self,
        context: &RequestContext,
        input: UntagResourceRequest,
    ) -> Answer<UntagResourceResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { tags::untag(&control, &context, input).await }).await
    }

    async fn list_tags(&self, context: &RequestContext, input: ListTagsRequest) -> Answer<ListTagsResponse> {
        Ok(tags::list(self, context, input).await?)
    }

    async fn create_capacity_provider(
        &self,
        context: &RequestContext,
        input: CreateCapacityProviderRequest,
    ) -> Answer<CreateCapacityProviderResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { capacity_provider::create(&control, &context, input).await }).await
    }

    async fn get_capacity_provider(
        &self,
        context: &RequestContext,
        input: GetCapacityProviderRequest,
    ) -> Answer<GetCapacityProviderResponse> {
        Ok(capacity_provider::get(self, context, input).await?)
    }

    async fn list_capacity_providers(
        &self,
        context: &RequestContext,
        input: ListCapacityProvidersRequest,
    ) -> Answer<ListCapacityProvidersResponse> {
        Ok(capacity_provider::list(self, context, input).await?)
    }

    async fn update_capacity_provider(
        &self,
        context: &RequestContext,
        input: UpdateCapacityProviderRequest,
    ) -> Answer<UpdateCapacityProviderResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { capacity_provider::update(&control, &context, input).await }).await
    }

    async fn delete_capacity_provider(
        &self,
        context: &RequestContext,
        input: DeleteCapacityProviderRequest,
    ) -> Answer<DeleteCapacityProviderResponse> {
        let (control, context) = (self.clone(), context.clone());
        self.to_the_end(async move { capacity_provider::delete(&control, &context, input).await }).await
    }
}
