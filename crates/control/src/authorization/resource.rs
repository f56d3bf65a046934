//! What a target is: its ARN, its owner, its policy and its tags.

use std::borrow::Cow;
use std::sync::Arc;

use rushlight_auth::policy::key::{LAMBDA_FUNCTION_ARN, LAMBDA_FUNCTION_URL_AUTH_TYPE, RESOURCE_TAG};
use rushlight_auth::policy::{Context, Document};
use rushlight_model::arn::{FunctionId, FunctionReference, Qualifier, Scope, named_account};
use rushlight_model::capacity_provider::{CapacityProvider, CapacityProviderId};
use rushlight_model::code_signing_config::CodeSigningConfig;
use rushlight_model::event_source_mapping::EventSourceMapping;
use rushlight_model::function::FunctionHead;
use rushlight_model::function_url::FunctionUrl;
use rushlight_model::layer::LayerId;

use super::permission::Target;
use crate::error::Result;
use crate::layer::access;
use crate::tags::Tags;
use crate::{Control, capacity_provider, code_signing_config};

/// A target, looked up. It need not exist.
pub(super) struct Resource {
    name: Name,
    row: Row,
    /// The function that an event source mapping invokes, or that a URL leads to.
    function_arn: Option<String>,
    /// Its own policy, if it has one.
    pub(super) policy: Option<Document>,
}

enum Name {
    Any { owner: String },
    Function(FunctionReference),
    Arn { arn: String, owner: String },
}

/// What is kept of it, for its tags.
enum Row {
    None,
    Function(Arc<FunctionHead>),
    EventSourceMapping(Arc<EventSourceMapping>),
    CodeSigningConfig(Arc<CodeSigningConfig>),
    CapacityProvider(Arc<CapacityProvider>),
}

impl Resource {
    fn new(name: Name) -> Self {
        Self { name, row: Row::None, function_arn: None, policy: None }
    }

    fn by_arn(arn: String, here: &Scope) -> Self {
        let owner = arn.split(':').nth(4).filter(|account| !account.is_empty());
        let owner = owner.unwrap_or(&here.account).to_owned();
        Self::new(Name::Arn { arn, owner })
    }

    /// As messages and policies name it.
    pub(super) fn arn(&self) -> Cow<'_, str> {
        match &self.name {
            Name::Any { .. } => Cow::Borrowed("*"),
            Name::Function(reference) => Cow::Owned(reference.arn()),
            Name::Arn { arn, .. } => Cow::Borrowed(arn),
        }
    }

    /// The account that it belongs to.
    pub(super) fn owner(&self) -> &str {
        match &self.name {
            Name::Any { owner } | Name::Arn { owner, .. } => owner,
            Name::Function(reference) => &reference.function.scope.account,
        }
    }

    pub(super) fn into_owner(self) -> String {
        match self.name {
            Name::Any { owner } | Name::Arn { owner, .. } => owner,
            Name::Function(reference) => reference.function.scope.account,
        }
    }

    /// Adds what policies can ask about the resource.
    pub(super) fn describe(&self, context: &mut Context<'_>) {
        for (name, value) in self.tags().into_iter().flatten() {
            context.insert_tag(RESOURCE_TAG, name, value.clone());
        }
        if let Some(function) = &self.function_arn {
            context.insert(LAMBDA_FUNCTION_ARN, function.clone());
        }
        if let Some(url) = self.url()
            && !context.has(LAMBDA_FUNCTION_URL_AUTH_TYPE)
        {
            context.insert(LAMBDA_FUNCTION_URL_AUTH_TYPE, url.auth_type.as_str());
        }
    }

    /// The URL that the function, or its version or alias, has.
    fn url(&self) -> Option<&FunctionUrl> {
        match (&self.row, &self.name) {
            (Row::Function(head), Name::Function(reference)) if self.function_arn.is_some() => {
                head.urls.get(&reference.qualifier_or_latest().to_string())
            }
            _ => None,
        }
    }

    fn tags(&self) -> Option<&Tags> {
        match &self.row {
            Row::None => None,
            Row::Function(head) => Some(&head.tags),
            Row::EventSourceMapping(mapping) => Some(&mapping.tags),
            Row::CodeSigningConfig(config) => Some(&config.tags),
            Row::CapacityProvider(provider) => Some(&provider.tags),
        }
    }
}

impl Control {
    /// Looks a target up for a request made in `here`.
    pub(super) async fn resource(&self, here: &Scope, target: &Target<'_>) -> Result<Resource> {
        match *target {
            Target::Any => Ok(Resource::new(Name::Any { owner: here.account.clone() })),
            Target::AnyOf(kind) => {
                let Scope { account, region } = here;
                let arn = format!("arn:{}:lambda:{region}:{account}:{kind}:*", here.partition());
                Ok(Resource::by_arn(arn, here))
            }
            Target::Function { name, qualifier } => self.function(here, name, qualifier).await,
            Target::FunctionUrl { name, qualifier } => {
                let function = self.function(here, name, qualifier).await?;
                let function_arn = Some(function.arn().into_owned());
                Ok(Resource { function_arn, ..function })
            }
            Target::Layer(name) => Ok(Resource::by_arn(access::named(here, name)?.arn(), here)),
            Target::LayerVersion { layer, number } => {
                let layer = access::named(here, layer)?;
                self.layer_version(here, &layer, number).await
            }
            Target::LayerVersionArn(arn) => match LayerId::parse(arn) {
                Some((layer, Some(version))) => {
                    self.layer_version(here, &layer, version.parse().unwrap_or(i64::MAX)).await
                }
                _ => Ok(Resource::by_arn(arn.to_owned(), here)),
            },
            Target::NewEventSourceMapping { function } => {
                let name = Name::Any { owner: here.account.clone() };
                let function_arn = Some(FunctionReference::parse(here, function, None)?.arn());
                Ok(Resource { function_arn, ..Resource::new(name) })
            }
            Target::EventSourceMapping { uuid, function } => {
                let mapping = self.event_source_mapping(here, uuid).await?;
                let Some(function) = function else { return Ok(mapping) };
                let function_arn = Some(FunctionReference::parse(here, function, None)?.arn());
                Ok(Resource { function_arn, ..mapping })
            }
            Target::CapacityProvider(name) => self.capacity_provider(here, name).await,
            // Passing a role on is the caller's own doing, whosever the role is.
            Target::PassedRole(arn) => {
                Ok(Resource::new(Name::Arn { arn: arn.to_owned(), owner: here.account.clone() }))
            }
            Target::Arn(arn) => self.named(here, arn).await,
        }
    }

    async fn function(&self, here: &Scope, name: &str, qualifier: Option<&str>) -> Result<Resource> {
        let reference = match named_account(name).filter(|account| *account != here.account) {
            None => FunctionReference::parse(here, name, qualifier)?,
            Some(owner) => {
                let there = Scope { account: owner.to_owned(), region: here.region.clone() };
                FunctionReference::parse(&there, name, qualifier)?
            }
        };
        let entry = self.functions.get(&self.key(&reference.function)).await?;
        let Some(entry) = entry else { return Ok(Resource::new(Name::Function(reference))) };
        let policy = entry.value.policy(reference.qualifier.as_ref());
        let policy = policy.map(|policy| self.compiled_policies.get(&policy.document)).transpose()?;
        Ok(Resource { row: Row::Function(entry.value), policy, ..Resource::new(Name::Function(reference)) })
    }

    async fn layer_version(&self, here: &Scope, layer: &LayerId, number: i64) -> Result<Resource> {
        let mut resource = Resource::by_arn(layer.version_arn(number), here);
        if let Ok(number) = u64::try_from(number)
            && let Some(text) = access::policy(self, here, layer, number).await?
        {
            resource.policy = Some(self.compiled_policies.get(&text)?);
        }
        Ok(resource)
    }

    async fn event_source_mapping(&self, here: &Scope, uuid: &str) -> Result<Resource> {
        let Scope { account, region } = here;
        let arn = format!("arn:{}:lambda:{region}:{account}:event-source-mapping:{uuid}", here.partition());
        let row = self.mappings.find(here, uuid).await?;
        let Some(entry) = row else { return Ok(Resource::by_arn(arn, here)) };
        Ok(Resource {
            function_arn: Some(function_of(&entry.value)),
            row: Row::EventSourceMapping(entry.value),
            ..Resource::by_arn(arn, here)
        })
    }

    async fn capacity_provider(&self, here: &Scope, name: &str) -> Result<Resource> {
        // One of another account or region is named by its ARN, and not looked at.
        let Ok(id) = CapacityProviderId::parse(here, name) else {
            return Ok(Resource::by_arn(name.to_owned(), here));
        };
        let row = capacity_provider::find(self, &id).await?;
        let row = row.map_or(Row::None, |entry| Row::CapacityProvider(entry.value));
        Ok(Resource { row, ..Resource::by_arn(id.arn(), here) })
    }

    /// Whatever an ARN names.
    async fn named(&self, here: &Scope, arn: &str) -> Result<Resource> {
        let mut fields = arn.split(':').skip(5);
        match (fields.next(), fields.next()) {
            (Some("function"), _) => self.function(here, arn, None).await,
            (Some("event-source-mapping"), Some(uuid)) => {
                let mapping = self.event_source_mapping(here, uuid).await?;
                // One of another account or region is not the one of that UUID here.
                Ok(if mapping.arn() == arn { mapping } else { Resource::by_arn(arn.to_owned(), here) })
            }
            (Some("capacity-provider"), _) => self.capacity_provider(here, arn).await,
            (Some("code-signing-config"), _) => {
                let row = code_signing_config::find(self, here, arn).await?;
                let row = row.map_or(Row::None, |entry| Row::CodeSigningConfig(entry.value));
                Ok(Resource { row, ..Resource::by_arn(arn.to_owned(), here) })
            }
            _ => Ok(Resource::by_arn(arn.to_owned(), here)),
        }
    }
}

/// The ARN of the function that a mapping invokes.
fn function_of(mapping: &EventSourceMapping) -> String {
    let function = FunctionId { scope: mapping.scope.clone(), name: mapping.function.name.clone() };
    match mapping.function.qualifier.as_deref() {
        Some(qualifier) => function.qualified_arn(&Qualifier::parse(qualifier)),
        None => function.arn(),
    }
}
