//! Which permissions each operation takes, by its input.
//!
//! See [Actions, resources, and condition keys for AWS
//! Lambda](https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html). An operation
//! without a line here does not compile into the table of operations.

use std::collections::BTreeMap;

use rushlight_api::lambda::types::*;
use rushlight_auth::policy::Context;
use rushlight_auth::policy::key;

use super::permission::{Authorized, Permission, Target};

/// The action that passes a role on to a service.
const PASS_ROLE: &str = "iam:PassRole";
/// The action that capacity providers are named with.
const PASS_CAPACITY_PROVIDER: &str = "lambda:PassCapacityProvider";
const GET_LAYER_VERSION: &str = "lambda:GetLayerVersion";
const TAG_RESOURCE: &str = "lambda:TagResource";
const PUT_FUNCTION_SIGNING: &str = "lambda:PutFunctionCodeSigningConfig";
const UPDATE_MAPPING: &str = "lambda:UpdateEventSourceMapping";

/// An operation by its input: the action, and what it is taken on.
macro_rules! permissions {
    ($($input:ident($given:ident): $action:literal on $target:expr;)*) => {
        $(impl Authorized for $input {
            fn permission(&self) -> Permission<'_> {
                let $given = self;
                Permission { action: concat!("lambda:", $action), target: $target }
            }
        })*
    };
}

/// A function, without or with the qualifier that the request has a member for.
macro_rules! function {
    ($given:ident) => {
        Target::Function { name: &$given.function_name, qualifier: None }
    };
    ($given:ident, qualified) => {
        Target::Function { name: &$given.function_name, qualifier: $given.qualifier.as_deref() }
    };
}

/// A version of a layer, by name and number.
macro_rules! layer_version {
    ($given:ident) => {
        Target::LayerVersion { layer: &$given.layer_name, number: $given.version_number }
    };
}

permissions! {
    // Functions, versions, aliases.
    DeleteFunctionRequest(given): "DeleteFunction" on function!(given, qualified);
    GetFunctionRequest(given): "GetFunction" on function!(given, qualified);
    GetFunctionConfigurationRequest(given): "GetFunctionConfiguration" on function!(given, qualified);
    InvokeRequest(given): "InvokeFunction" on function!(given, qualified);
    InvokeWithResponseStreamRequest(given): "InvokeFunction" on function!(given, qualified);
    ListFunctionsRequest(_given): "ListFunctions" on Target::Any;
    UpdateFunctionCodeRequest(given): "UpdateFunctionCode" on function!(given);
    ListVersionsByFunctionRequest(given): "ListVersionsByFunction" on function!(given);
    PublishVersionRequest(given): "PublishVersion" on function!(given);
    CreateAliasRequest(given): "CreateAlias" on function!(given);
    DeleteAliasRequest(given): "DeleteAlias" on function!(given);
    GetAliasRequest(given): "GetAlias" on function!(given);
    ListAliasesRequest(given): "ListAliases" on function!(given);
    UpdateAliasRequest(given): "UpdateAlias" on function!(given);
    // What belongs to a function.
    GetPolicyRequest(given): "GetPolicy" on function!(given, qualified);
    RemovePermissionRequest(given): "RemovePermission" on function!(given, qualified);
    GetResourcePolicyRequest(given): "GetResourcePolicy" on Target::Arn(&given.resource_arn);
    PutResourcePolicyRequest(given): "PutResourcePolicy" on Target::Arn(&given.resource_arn);
    DeleteResourcePolicyRequest(given): "DeleteResourcePolicy" on Target::Arn(&given.resource_arn);
    DeleteFunctionConcurrencyRequest(given): "DeleteFunctionConcurrency" on function!(given);
    GetFunctionConcurrencyRequest(given): "GetFunctionConcurrency" on function!(given);
    PutFunctionConcurrencyRequest(given): "PutFunctionConcurrency" on function!(given);
    DeleteProvisionedConcurrencyConfigRequest(given): "DeleteProvisionedConcurrencyConfig"
        on Target::Function { name: &given.function_name, qualifier: Some(&given.qualifier) };
    GetProvisionedConcurrencyConfigRequest(given): "GetProvisionedConcurrencyConfig"
        on Target::Function { name: &given.function_name, qualifier: Some(&given.qualifier) };
    PutProvisionedConcurrencyConfigRequest(given): "PutProvisionedConcurrencyConfig"
        on Target::Function { name: &given.function_name, qualifier: Some(&given.qualifier) };
    ListProvisionedConcurrencyConfigsRequest(given): "ListProvisionedConcurrencyConfigs" on function!(given);
    DeleteFunctionEventInvokeConfigRequest(given): "DeleteFunctionEventInvokeConfig" on function!(given, qualified);
    GetFunctionEventInvokeConfigRequest(given): "GetFunctionEventInvokeConfig" on function!(given, qualified);
    ListFunctionEventInvokeConfigsRequest(given): "ListFunctionEventInvokeConfigs" on function!(given);
    PutFunctionEventInvokeConfigRequest(given): "PutFunctionEventInvokeConfig" on function!(given, qualified);
    UpdateFunctionEventInvokeConfigRequest(given): "UpdateFunctionEventInvokeConfig" on function!(given, qualified);
    ListFunctionUrlConfigsRequest(given): "ListFunctionUrlConfigs" on function!(given);
    DeleteFunctionCodeSigningConfigRequest(given): "DeleteFunctionCodeSigningConfig" on function!(given);
    GetFunctionCodeSigningConfigRequest(given): "GetFunctionCodeSigningConfig" on function!(given);
    GetFunctionRecursionConfigRequest(given): "GetFunctionRecursionConfig" on function!(given);
    PutFunctionRecursionConfigRequest(given): "PutFunctionRecursionConfig" on function!(given);
    GetFunctionScalingConfigRequest(given): "GetFunctionScalingConfig"
        on Target::Function { name: &given.function_name, qualifier: Some(&given.qualifier) };
    PutFunctionScalingConfigRequest(given): "PutFunctionScalingConfig"
        on Target::Function { name: &given.function_name, qualifier: Some(&given.qualifier) };
    GetRuntimeManagementConfigRequest(given): "GetRuntimeManagementConfig" on function!(given, qualified);
    PutRuntimeManagementConfigRequest(given): "PutRuntimeManagementConfig" on function!(given, qualified);
    // Layers.
    AddLayerVersionPermissionRequest(given): "AddLayerVersionPermission" on layer_version!(given);
    DeleteLayerVersionRequest(given): "DeleteLayerVersion" on layer_version!(given);
    GetLayerVersionRequest(given): "GetLayerVersion" on layer_version!(given);
    GetLayerVersionByArnRequest(given): "GetLayerVersion" on Target::LayerVersionArn(&given.arn);
    GetLayerVersionPolicyRequest(given): "GetLayerVersionPolicy" on layer_version!(given);
    RemoveLayerVersionPermissionRequest(given): "RemoveLayerVersionPermission" on layer_version!(given);
    ListLayersRequest(_given): "ListLayers" on Target::Any;
    ListLayerVersionsRequest(given): "ListLayerVersions" on Target::Layer(&given.layer_name);
    PublishLayerVersionRequest(given): "PublishLayerVersion" on Target::Layer(&given.layer_name);
    // Code signing configurations.
    DeleteCodeSigningConfigRequest(given): "DeleteCodeSigningConfig" on Target::Arn(&given.code_signing_config_arn);
    GetCodeSigningConfigRequest(given): "GetCodeSigningConfig" on Target::Arn(&given.code_signing_config_arn);
    UpdateCodeSigningConfigRequest(given): "UpdateCodeSigningConfig" on Target::Arn(&given.code_signing_config_arn);
    ListCodeSigningConfigsRequest(_given): "ListCodeSigningConfigs" on Target::Any;
    ListFunctionsByCodeSigningConfigRequest(given): "ListFunctionsByCodeSigningConfig"
        on Target::Arn(&given.code_signing_config_arn);
    // Event source mappings.
    DeleteEventSourceMappingRequest(given): "DeleteEventSourceMapping"
        on Target::EventSourceMapping { uuid: &given.uuid, function: None };
    GetEventSourceMappingRequest(given): "GetEventSourceMapping"
        on Target::EventSourceMapping { uuid: &given.uuid, function: None };
    ListEventSourceMappingsRequest(_given): "ListEventSourceMappings" on Target::Any;
    // Capacity providers.
    DeleteCapacityProviderRequest(given): "DeleteCapacityProvider"
        on Target::CapacityProvider(&given.capacity_provider_name);
    GetCapacityProviderRequest(given): "GetCapacityProvider" on Target::CapacityProvider(&given.capacity_provider_name);
    ListCapacityProvidersRequest(_given): "ListCapacityProviders" on Target::Any;
    UpdateCapacityProviderRequest(given): "UpdateCapacityProvider"
        on Target::CapacityProvider(&given.capacity_provider_name);
    ListFunctionVersionsByCapacityProviderRequest(given): "ListFunctionVersionsByCapacityProvider"
        on Target::CapacityProvider(&given.capacity_provider_name);
    // Tags, and the account.
    ListTagsRequest(given): "ListTags" on Target::Arn(&given.resource);
    GetAccountSettingsRequest(_given): "GetAccountSettings" on Target::Any;
}

/// Tags as policies are asked about them.
fn tags_of<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<(&'a str, &'a str)> {
    tags.into_iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn has_tags(tags: Option<&BTreeMap<String, String>>) -> bool {
    tags.is_some_and(|tags| !tags.is_empty())
}

/// What a function's configuration says of networks and layers.
fn describe_configuration<'a>(
    context: &mut Context<'a>,
    vpc: Option<&'a VpcConfig>,
    layers: Option<&'a [String]>,
) {
    for layer in layers.unwrap_or_default() {
        context.insert(key::LAMBDA_LAYER, layer.as_str());
    }
    for subnet in vpc.and_then(|vpc| vpc.subnet_ids.as_deref()).unwrap_or_default() {
        context.insert(key::LAMBDA_SUBNET_IDS, subnet.as_str());
    }
    for group in vpc.and_then(|vpc| vpc.security_group_ids.as_deref()).unwrap_or_default() {
        context.insert(key::LAMBDA_SECURITY_GROUP_IDS, group.as_str());
    }
}

/// What is needed beside creating or updating a function: its role, its layers, its capacity provider.
fn used_by_function<'a>(
    role: Option<&'a str>,
    layers: Option<&'a [String]>,
    provider: Option<&'a CapacityProviderConfig>,
) -> Vec<Permission<'a>> {
    let role = role.map(|role| Permission { action: PASS_ROLE, target: Target::PassedRole(role) });
    let layers = layers
        .unwrap_or_default()
        .iter()
        .map(|layer| Permission { action: GET_LAYER_VERSION, target: Target::LayerVersionArn(layer) });
    let provider = provider.map(|config| Permission {
        action: PASS_CAPACITY_PROVIDER,
        target: Target::Arn(&config.lambda_managed_instances_capacity_provider_config.capacity_provider_arn),
    });
    role.into_iter().chain(layers).chain(provider).collect()
}

impl Authorized for CreateFunctionRequest {
    fn permission(&self) -> Permission<'_> {
        Permission { action: "lambda:CreateFunction", target: function!(self) }
    }

    fn dependent(&self) -> Vec<Permission<'_>> {
        let mut dependent = used_by_function(
            Some(&self.role),
            self.layers.as_deref(),
            self.capacity_provider_config.as_ref(),
        );
        if has_tags(self.tags.as_ref()) {
            dependent.push(Permission { action: TAG_RESOURCE, target: function!(self) });
        }
        dependent
    }

    fn conditions<'a>(&'a self, context: &mut Context<'a>) {
        describe_configuration(context, self.vpc_config.as_ref(), self.layers.as_deref());
        if let Some(arn) = &self.code_signing_config_arn {
            context.insert(key::LAMBDA_CODE_SIGNING_CONFIG_ARN, arn.as_str());
        }
    }

    fn tags(&self) -> Vec<(&str, &str)> {
        tags_of(self.tags.iter().flatten())
    }
}

impl Authorized for UpdateFunctionConfigurationRequest {
    fn permission(&self) -> Permission<'_> {
        Permission { action: "lambda:UpdateFunctionConfiguration", target: function!(self) }
    }

    fn dependent(&self) -> Vec<Permission<'_>> {
        used_by_function(self.role.as_deref(), self.layers.as_deref(), self.capacity_provider_config.as_ref())
    }

    fn conditions<'a>(&'a self, context: &mut Context<'a>) {
        describe_configuration(context, self.vpc_config.as_ref(), self.layers.as_deref());
    }
}

impl Authorized for AddPermissionRequest {
    fn permission(&self) -> Permission<'_> {
        Permission { action: "lambda:AddPermission", target: function!(self, qualified) }
    }

    fn conditions<'a>(&'a self, context: &mut Context<'a>) {
        context.insert(key::LAMBDA_PRINCIPAL, self.principal.as_str());
        if let Some(kind) = &self.function_url_auth_type {
            context.insert(key::LAMBDA_FUNCTION_URL_AUTH_TYPE, kind.as_str());
        }
    }
}

/// The operations on the URL of a function, whose authentication policies can ask about.
macro_rules! url_permissions {
    ($($input:ident: $action:literal, $auth_type:expr;)*) => {
        $(impl Authorized for $input {
            fn permission(&self) -> Permission<'_> {
                let (name, qualifier) = (&self.function_name, self.qualifier.as_deref());
                let target = Target::FunctionUrl { name, qualifier };
                Permission { action: concat!("lambda:", $action), target }
            }

            fn conditions<'a>(&'a self, context: &mut Context<'a>) {
                let auth_type: fn(&Self) -> Option<&FunctionUrlAuthType> = $auth_type;
                if let Some(kind) = auth_type(self) {
                    context.insert(key::LAMBDA_FUNCTION_URL_AUTH_TYPE, kind.as_str());
                }
            }
        })*
    };
}

url_permissions! {
    CreateFunctionUrlConfigRequest: "CreateFunctionUrlConfig", |given| Some(&given.auth_type);
    UpdateFunctionUrlConfigRequest: "UpdateFunctionUrlConfig", |given| given.auth_type.as_ref();
    GetFunctionUrlConfigRequest: "GetFunctionUrlConfig", |_| None;
    DeleteFunctionUrlConfigRequest: "DeleteFunctionUrlConfig", |_| None;
}

impl Authorized for PutFunctionCodeSigningConfigRequest {
    fn permission(&self) -> Permission<'_> {
        Permission { action: PUT_FUNCTION_SIGNING, target: function!(self) }
    }

    fn dependent(&self) -> Vec<Permission<'_>> {
        vec![Permission { action: PUT_FUNCTION_SIGNING, target: Target::Arn(&self.code_signing_config_arn) }]
    }

    fn conditions<'a>(&'a self, context: &mut Context<'a>) {
        context.insert(key::LAMBDA_CODE_SIGNING_CONFIG_ARN, self.code_signing_config_arn.as_str());
    }
}

impl Authorized for CreateCodeSigningConfigRequest {
    fn permission(&self) -> Permission<'_> {
        Permission { action: "lambda:CreateCodeSigningConfig", target: Target::Any }
    }

    fn dependent(&self) -> Vec<Permission<'_>> {
        tagging(self.tags.as_ref(), "code-signing-config")
    }

    fn tags(&self) -> Vec<(&str, &str)> {
        tags_of(self.tags.iter().flatten())
    }
}

/// What is created gets its name only then.
fn tagging(tags: Option<&BTreeMap<String, String>>, kind: &'static str) -> Vec<Permission<'static>> {
    let permission = Permission { action: TAG_RESOURCE, target: Target::AnyOf(kind) };
    has_tags(tags).then_some(permission).into_iter().collect()
}

impl Authorized for CreateEventSourceMappingRequest {
    fn permission(&self) -> Permission<'_> {
        let target = Target::NewEventSourceMapping { function: &self.function_name };
        Permission { action: "lambda:CreateEventSourceMapping", target }
    }

    fn dependent(&self) -> Vec<Permission<'_>> {
        tagging(self.tags.as_ref(), "event-source-mapping")
    }

    fn tags(&self) -> Vec<(&str, &str)> {
        tags_of(self.tags.iter().flatten())
    }
}

/// An update that gives a mapping another function takes permission for both of them.
impl Authorized for UpdateEventSourceMappingRequest {
    fn permission(&self) -> Permission<'_> {
        let target = Target::EventSourceMapping { uuid: &self.uuid, function: None };
        Permission { action: UPDATE_MAPPING, target }
    }

    fn dependent(&self) -> Vec<Permission<'_>> {
        let target = |name| Target::EventSourceMapping { uuid: &self.uuid, function: Some(name) };
        let other = self.function_name.as_deref().map(target);
        other.map(|target| Permission { action: UPDATE_MAPPING, target }).into_iter().collect()
    }
}

impl Authorized for CreateCapacityProviderRequest {
    fn permission(&self) -> Permission<'_> {
        let target = Target::CapacityProvider(&self.capacity_provider_name);
        Permission { action: "lambda:CreateCapacityProvider", target }
    }

    fn dependent(&self) -> Vec<Permission<'_>> {
        let role = &self.permissions_config.capacity_provider_operator_role_arn;
        let mut dependent = vec![Permission { action: PASS_ROLE, target: Target::PassedRole(role) }];
        if has_tags(self.tags.as_ref()) {
            let target = Target::CapacityProvider(&self.capacity_provider_name);
            dependent.push(Permission { action: TAG_RESOURCE, target });
        }
        dependent
    }

    fn conditions<'a>(&'a self, context: &mut Context<'a>) {
        for subnet in &self.vpc_config.subnet_ids {
            context.insert(key::LAMBDA_SUBNET_IDS, subnet.as_str());
        }
        for group in &self.vpc_config.security_group_ids {
            context.insert(key::LAMBDA_SECURITY_GROUP_IDS, group.as_str());
        }
    }

    fn tags(&self) -> Vec<(&str, &str)> {
        tags_of(self.tags.iter().flatten())
    }
}

impl Authorized for TagResourceRequest {
    fn permission(&self) -> Permission<'_> {
        Permission { action: TAG_RESOURCE, target: Target::Arn(&self.resource) }
    }

    fn tags(&self) -> Vec<(&str, &str)> {
        tags_of(&self.tags)
    }
}

impl Authorized for UntagResourceRequest {
    fn permission(&self) -> Permission<'_> {
        Permission { action: "lambda:UntagResource", target: Target::Arn(&self.resource) }
    }

    fn conditions<'a>(&'a self, context: &mut Context<'a>) {
        for name in &self.tag_keys {
            context.insert(key::TAG_KEYS, name.as_str());
        }
    }
}
