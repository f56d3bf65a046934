//! Code signing configurations: created, read, listed, updated, deleted.
//!
//! | file | what it holds |
//! |---|---|
//! | function | which function has which configuration, and the list of those that have one |
//! | deployment | what a configuration says to a package that is deployed |
//!
//! A function's head names its configuration; nothing is kept with the configuration. Two rows cannot change at once,
//! so [`Control::associations`](crate::Control) keeps a configuration from going, or from becoming stricter, between
//! the moment that it is looked up for a function and the moment that the function's head is written.

pub(crate) mod deployment;
pub(crate) mod function;

use rushlight_api::lambda::types;
use rushlight_api::lambda::types::{
    CreateCodeSigningConfigRequest, CreateCodeSigningConfigResponse, DeleteCodeSigningConfigRequest,
    DeleteCodeSigningConfigResponse, GetCodeSigningConfigRequest, GetCodeSigningConfigResponse,
    ListCodeSigningConfigsRequest, ListCodeSigningConfigsResponse, UpdateCodeSigningConfigRequest,
    UpdateCodeSigningConfigResponse,
};
use rushlight_model::arn::Scope;
use rushlight_model::code_signing_config::{CodeSigningConfig, CodeSigningConfigId, UntrustedArtifact};
use rushlight_store::Expect;
use rushlight_store::table::Entry;
use rushlight_store::table::code_signing_config::key;
use rushlight_store::table::function::scope;
use uuid::Uuid;

use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::page::Page;
use crate::tags::{self, Tags};

/// The most configurations, or ARNs of functions, on one page.
const PAGE: usize = 50;
/// How many characters follow `csc-`.
const ID: usize = 17;

pub(crate) async fn create(
    control: &Control,
    context: &RequestContext,
    input: CreateCodeSigningConfigRequest,
) -> Result<CreateCodeSigningConfigResponse> {
    let mut hex = Uuid::new_v4().simple().to_string();
    hex.truncate(ID);
    let config = CodeSigningConfig {
        id: CodeSigningConfigId { scope: context.scope.clone(), id: format!("csc-{hex}") },
        description: input.description,
        signing_profile_version_arns: input.allowed_publishers.signing_profile_version_arns,
        untrusted_artifact: untrusted_artifact(input.code_signing_policies.as_ref())
            .unwrap_or(UntrustedArtifact::Warn),
        last_modified: control.clock.now(),
        tags: tags::of_new_resource(input.tags)?,
    };
    let entry = control.code_signing_configs.put(&row(&config.id), config, Expect::Absent).await?;
    tracing::info!(config = %entry.value.id.arn(), request = %context.request_id, "code_signing_config.created");
    Ok(CreateCodeSigningConfigResponse { code_signing_config: view(&entry.value) })
}

pub(crate) async fn get(
    control: &Control,
    context: &RequestContext,
    input: GetCodeSigningConfigRequest,
) -> Result<GetCodeSigningConfigResponse> {
    let entry = existing(control, &context.scope, &input.code_signing_config_arn).await?;
    Ok(GetCodeSigningConfigResponse { code_signing_config: view(&entry.value) })
}

pub(crate) async fn list(
    control: &Control,
    context: &RequestContext,
    input: ListCodeSigningConfigsRequest,
) -> Result<ListCodeSigningConfigsResponse> {
    let Scope { account, region } = &context.scope;
    let page =
        Page::read(&context.scope, "code-signing-configs", input.marker.as_deref(), input.max_items, PAGE)?;
    let after = page.after.as_deref().map(|id| key(account, region, id));
    let configs = &control.code_signing_configs;
    let rows = configs.list(&scope(account, region), after.as_deref(), page.look_ahead()).await?;
    let (rows, next_marker) = page.cut(rows, |(_, entry)| entry.value.id.id.as_str());
    let shown = rows.iter().map(|(_, entry)| view(&entry.value)).collect();
    Ok(ListCodeSigningConfigsResponse { code_signing_configs: Some(shown), next_marker })
}

pub(crate) async fn update(
    control: &Control,
    context: &RequestContext,
    input: UpdateCodeSigningConfigRequest,
) -> Result<UpdateCodeSigningConfigResponse> {
    let _alone = control.associations.write().await;
    let now = control.clock.now();
    let entry = change(control, &context.scope, &input.code_signing_config_arn, |config| {
        config.last_modified = now;
        if let Some(description) = &input.description {
            config.description = Some(description.clone());
        }
        if let Some(publishers) = &input.allowed_publishers {
            config.signing_profile_version_arns.clone_from(&publishers.signing_profile_version_arns);
        }
        if let Some(policy) = untrusted_artifact(input.code_signing_policies.as_ref()) {
            config.untrusted_artifact = policy;
        }
        Ok(())
    })
    .await?;
    tracing::info!(config = %entry.value.id.arn(), request = %context.request_id, "code_signing_config.updated");
    Ok(UpdateCodeSigningConfigResponse { code_signing_config: view(&entry.value) })
}

pub(crate) async fn delete(
    control: &Control,
    context: &RequestContext,
    input: DeleteCodeSigningConfigRequest,
) -> Result<DeleteCodeSigningConfigResponse> {
    let arn = input.code_signing_config_arn;
    let _alone = control.associations.write().await;
    loop {
        let entry = existing(control, &context.scope, &arn).await?;
        if control.ledger.count_users(&arn).await? > 0 {
            return Err(Error::CodeSigningConfigInUse { arn });
        }
        let expect = Expect::Revision(entry.revision);
        match control.code_signing_configs.delete(&row(&entry.value.id), expect).await {
            Err(error) if error.is_conflict() => {}
            result => {
                result?;
                tracing::info!(config = %arn, request = %context.request_id, "code_signing_config.deleted");
                return Ok(DeleteCodeSigningConfigResponse {});
            }
        }
    }
}

/// Changes the tags of a configuration.
pub(crate) async fn change_tags(
    control: &Control,
    id: &CodeSigningConfigId,
    alter: impl Fn(&mut Tags) -> Result<()>,
) -> Result<()> {
    change(control, &id.scope, &id.arn(), |config| alter(&mut config.tags)).await.map(drop)
}

/// The configuration of that ARN, for an operation that is about it.
pub(crate) async fn existing(control: &Control, here: &Scope, arn: &str) -> Result<Entry<CodeSigningConfig>> {
    find(control, here, arn).await?.ok_or_else(|| Error::NoCodeSigningConfig { arn: arn.to_owned() })
}

pub(crate) async fn find(
    control: &Control,
    here: &Scope,
    arn: &str,
) -> Result<Option<Entry<CodeSigningConfig>>> {
    match CodeSigningConfigId::parse(here, arn) {
        Some(id) => Ok(control.code_signing_configs.get(&row(&id)).await?),
        None => Ok(None),
    }
}

async fn change(
    control: &Control,
    here: &Scope,
    arn: &str,
    alter: impl Fn(&mut CodeSigningConfig) -> Result<()>,
) -> Result<Entry<CodeSigningConfig>> {
    let missing = || Error::NoCodeSigningConfig { arn: arn.to_owned() };
    let id = CodeSigningConfigId::parse(here, arn).ok_or_else(missing)?;
    let changed = control
        .code_signing_configs
        .update(&row(&id), |present| {
            let mut config = present.ok_or_else(missing)?.value.as_ref().clone();
            alter(&mut config)?;
            Ok(config)
        })
        .await?;
    Ok(changed)
}

fn row(id: &CodeSigningConfigId) -> String {
    key(&id.scope.account, &id.scope.region, &id.id)
}

fn untrusted_artifact(given: Option<&types::CodeSigningPolicies>) -> Option<UntrustedArtifact> {
    given?.untrusted_artifact_on_deployment.as_ref().map(|policy| match policy.as_str() {
        "Enforce" => UntrustedArtifact::Enforce,
        _ => UntrustedArtifact::Warn,
    })
}

fn view(config: &CodeSigningConfig) -> types::CodeSigningConfig {
    types::CodeSigningConfig {
        code_signing_config_id: config.id.id.clone(),
        code_signing_config_arn: config.id.arn(),
        description: config.description.clone(),
        allowed_publishers: types::AllowedPublishers {
            signing_profile_version_arns: config.signing_profile_version_arns.clone(),
        },
        code_signing_policies: types::CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(config.untrusted_artifact.as_str().into()),
        },
        last_modified: config.last_modified.to_last_modified(),
    }
}
