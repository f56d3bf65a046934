//! Every operation that the control plane offers, a line each. What is not listed answers that it is not offered.
//!
//! Nothing is done that the caller has no permission for: see [`authorization`](crate::authorization).
//! A change is carried out to its end, also when its caller hangs up: see `Control::to_the_end`.

use rushlight_api::lambda::service::LambdaService;
use rushlight_api::lambda::types::*;

use crate::context::RequestContext;
use crate::function::{create, delete, get, list, update};
use crate::service::{Answer, Control};
use crate::{
    account, alias, capacity_provider, code_signing_config, concurrency, event_invoke_config,
    event_source_mapping, function_scaling, function_url, layer, permission, provisioned_concurrency,
    recursion, runtime_management, tags, version,
};

macro_rules! operations {
    (
        reads { $($read:ident($read_input:ty) -> $read_output:ty = $read_by:path;)* }
        changes { $($change:ident($change_input:ty) -> $change_output:ty = $change_by:path;)* }
    ) => {
        impl LambdaService for Control {
            type Context = RequestContext;

            $(async fn $read(&self, context: &RequestContext, input: $read_input) -> Answer<$read_output> {
                let context = self.authorize(context, &input).await?;
                Ok($read_by(self, &context, input).await?)
            })*

            $(async fn $change(&self, context: &RequestContext, input: $change_input) -> Answer<$change_output> {
                let (control, context) = (self.clone(), context.clone());
                self.to_the_end(async move {
                    let context = control.authorize(&context, &input).await?;
                    $change_by(&control, &context, input).await
                })
                .await
            })*
        }
    };
}

operations! {
    reads {
        get_function_concurrency(GetFunctionConcurrencyRequest) -> GetFunctionConcurrencyResponse = concurrency::get;
        get_policy(GetPolicyRequest) -> GetPolicyResponse = permission::statements::get;
        get_resource_policy(GetResourcePolicyRequest) -> GetResourcePolicyResponse = permission::whole::get;
        get_provisioned_concurrency_config(GetProvisionedConcurrencyConfigRequest) -> GetProvisionedConcurrencyConfigResponse
            = provisioned_concurrency::get;
        list_provisioned_concurrency_configs(ListProvisionedConcurrencyConfigsRequest) -> ListProvisionedConcurrencyConfigsResponse
            = provisioned_concurrency::list;
        get_capacity_provider(GetCapacityProviderRequest) -> GetCapacityProviderResponse = capacity_provider::get;
        list_capacity_providers(ListCapacityProvidersRequest) -> ListCapacityProvidersResponse
            = capacity_provider::list;
        list_function_versions_by_capacity_provider(ListFunctionVersionsByCapacityProviderRequest) -> ListFunctionVersionsByCapacityProviderResponse
            = capacity_provider::versions::list;
        get_account_settings(GetAccountSettingsRequest) -> GetAccountSettingsResponse = account::settings;
        get_alias(GetAliasRequest) -> GetAliasResponse = alias::get;
        get_code_signing_config(GetCodeSigningConfigRequest) -> GetCodeSigningConfigResponse = code_signing_config::get;
        get_event_source_mapping(GetEventSourceMappingRequest) -> GetEventSourceMappingResponse
            = event_source_mapping::get::get;
        get_function(GetFunctionRequest) -> GetFunctionResponse = get::get;
        get_function_code_signing_config(GetFunctionCodeSigningConfigRequest) -> GetFunctionCodeSigningConfigResponse
            = code_signing_config::function::get;
        get_function_configuration(GetFunctionConfigurationRequest) -> GetFunctionConfigurationResponse
            = get::get_configuration;
        get_function_recursion_config(GetFunctionRecursionConfigRequest) -> GetFunctionRecursionConfigResponse
            = recursion::get;
        get_function_scaling_config(GetFunctionScalingConfigRequest) -> GetFunctionScalingConfigResponse
            = function_scaling::get;
        get_runtime_management_config(GetRuntimeManagementConfigRequest) -> GetRuntimeManagementConfigResponse
            = runtime_management::get;
        list_aliases(ListAliasesRequest) -> ListAliasesResponse = alias::list;
        list_code_signing_configs(ListCodeSigningConfigsRequest) -> ListCodeSigningConfigsResponse = code_signing_config::list;
        list_event_source_mappings(ListEventSourceMappingsRequest) -> ListEventSourceMappingsResponse
            = event_source_mapping::list::list;
        get_function_event_invoke_config(GetFunctionEventInvokeConfigRequest) -> GetFunctionEventInvokeConfigResponse
            = event_invoke_config::get;
        list_function_event_invoke_configs(ListFunctionEventInvokeConfigsRequest) -> ListFunctionEventInvokeConfigsResponse
            = event_invoke_config::list;
        get_function_url_config(GetFunctionUrlConfigRequest) -> GetFunctionUrlConfigResponse = function_url::get;
        list_function_url_configs(ListFunctionUrlConfigsRequest) -> ListFunctionUrlConfigsResponse = function_url::list;
        list_functions(ListFunctionsRequest) -> ListFunctionsResponse = list::list;
        list_functions_by_code_signing_config(ListFunctionsByCodeSigningConfigRequest) -> ListFunctionsByCodeSigningConfigResponse
            = code_signing_config::function::list;
        get_layer_version(GetLayerVersionRequest) -> GetLayerVersionResponse = layer::get::get;
        get_layer_version_by_arn(GetLayerVersionByArnRequest) -> GetLayerVersionByArnResponse = layer::get::get_by_arn;
        get_layer_version_policy(GetLayerVersionPolicyRequest) -> GetLayerVersionPolicyResponse
            = layer::permission::get_policy;
        list_layer_versions(ListLayerVersionsRequest) -> ListLayerVersionsResponse = layer::list::versions_of;
        list_layers(ListLayersRequest) -> ListLayersResponse = layer::list::layers;
        list_tags(ListTagsRequest) -> ListTagsResponse = tags::list;
        list_versions_by_function(ListVersionsByFunctionRequest) -> ListVersionsByFunctionResponse
            = version::list::list;
    }
    changes {
        add_permission(AddPermissionRequest) -> AddPermissionResponse = permission::statements::add;
        remove_permission(RemovePermissionRequest) -> RemovePermissionResponse = permission::statements::remove;
        put_resource_policy(PutResourcePolicyRequest) -> PutResourcePolicyResponse = permission::whole::put;
        delete_resource_policy(DeleteResourcePolicyRequest) -> DeleteResourcePolicyResponse = permission::whole::delete;
        delete_function_concurrency(DeleteFunctionConcurrencyRequest) -> DeleteFunctionConcurrencyResponse
            = concurrency::delete;
        delete_provisioned_concurrency_config(DeleteProvisionedConcurrencyConfigRequest) -> DeleteProvisionedConcurrencyConfigResponse
            = provisioned_concurrency::delete;
        put_function_concurrency(PutFunctionConcurrencyRequest) -> PutFunctionConcurrencyResponse = concurrency::put;
        put_provisioned_concurrency_config(PutProvisionedConcurrencyConfigRequest) -> PutProvisionedConcurrencyConfigResponse
            = provisioned_concurrency::put;
        create_capacity_provider(CreateCapacityProviderRequest) -> CreateCapacityProviderResponse
            = capacity_provider::create;
        update_capacity_provider(UpdateCapacityProviderRequest) -> UpdateCapacityProviderResponse
            = capacity_provider::update;
        delete_capacity_provider(DeleteCapacityProviderRequest) -> DeleteCapacityProviderResponse
            = capacity_provider::delete;
        add_layer_version_permission(AddLayerVersionPermissionRequest) -> AddLayerVersionPermissionResponse
            = layer::permission::add;
        create_alias(CreateAliasRequest) -> CreateAliasResponse = alias::create;
        create_code_signing_config(CreateCodeSigningConfigRequest) -> CreateCodeSigningConfigResponse
            = code_signing_config::create;
        create_event_source_mapping(CreateEventSourceMappingRequest) -> CreateEventSourceMappingResponse
            = event_source_mapping::create::create;
        create_function(CreateFunctionRequest) -> CreateFunctionResponse = create::create;
        delete_alias(DeleteAliasRequest) -> DeleteAliasResponse = alias::delete;
        delete_code_signing_config(DeleteCodeSigningConfigRequest) -> DeleteCodeSigningConfigResponse
            = code_signing_config::delete;
        delete_event_source_mapping(DeleteEventSourceMappingRequest) -> DeleteEventSourceMappingResponse
            = event_source_mapping::delete::delete;
        delete_function(DeleteFunctionRequest) -> DeleteFunctionResponse = delete::delete;
        delete_function_event_invoke_config(DeleteFunctionEventInvokeConfigRequest) -> DeleteFunctionEventInvokeConfigResponse
            = event_invoke_config::delete;
        put_function_event_invoke_config(PutFunctionEventInvokeConfigRequest) -> PutFunctionEventInvokeConfigResponse
            = event_invoke_config::put;
        update_function_event_invoke_config(UpdateFunctionEventInvokeConfigRequest) -> UpdateFunctionEventInvokeConfigResponse
            = event_invoke_config::update;
        create_function_url_config(CreateFunctionUrlConfigRequest) -> CreateFunctionUrlConfigResponse
            = function_url::create;
        delete_function_url_config(DeleteFunctionUrlConfigRequest) -> DeleteFunctionUrlConfigResponse
            = function_url::delete;
        update_function_url_config(UpdateFunctionUrlConfigRequest) -> UpdateFunctionUrlConfigResponse
            = function_url::update;
        delete_function_code_signing_config(DeleteFunctionCodeSigningConfigRequest) -> DeleteFunctionCodeSigningConfigResponse
            = code_signing_config::function::delete;
        delete_layer_version(DeleteLayerVersionRequest) -> DeleteLayerVersionResponse = layer::delete::delete;
        publish_layer_version(PublishLayerVersionRequest) -> PublishLayerVersionResponse = layer::publish::publish;
        publish_version(PublishVersionRequest) -> PublishVersionResponse = version::publish::publish;
        put_function_code_signing_config(PutFunctionCodeSigningConfigRequest) -> PutFunctionCodeSigningConfigResponse
            = code_signing_config::function::put;
        put_function_recursion_config(PutFunctionRecursionConfigRequest) -> PutFunctionRecursionConfigResponse
            = recursion::put;
        put_function_scaling_config(PutFunctionScalingConfigRequest) -> PutFunctionScalingConfigResponse
            = function_scaling::put;
        put_runtime_management_config(PutRuntimeManagementConfigRequest) -> PutRuntimeManagementConfigResponse
            = runtime_management::put;
        remove_layer_version_permission(RemoveLayerVersionPermissionRequest) -> RemoveLayerVersionPermissionResponse
            = layer::permission::remove;
        tag_resource(TagResourceRequest) -> TagResourceResponse = tags::tag;
        untag_resource(UntagResourceRequest) -> UntagResourceResponse = tags::untag;
        update_alias(UpdateAliasRequest) -> UpdateAliasResponse = alias::update;
        update_code_signing_config(UpdateCodeSigningConfigRequest) -> UpdateCodeSigningConfigResponse
            = code_signing_config::update;
        update_event_source_mapping(UpdateEventSourceMappingRequest) -> UpdateEventSourceMappingResponse
            = event_source_mapping::update::update;
        update_function_code(UpdateFunctionCodeRequest) -> UpdateFunctionCodeResponse = update::code;
        update_function_configuration(UpdateFunctionConfigurationRequest) -> UpdateFunctionConfigurationResponse
            = update::configuration;
    }
}
