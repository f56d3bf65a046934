//! PublishVersion, and publication as a part of CreateFunction and UpdateFunctionCode.

use rushlight_api::lambda::types::{PublishVersionRequest, PublishVersionResponse};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function::{FunctionConfiguration, FunctionHead, State};
use rushlight_model::managed_instances::FunctionScaling;
use rushlight_model::version::{PublishedConfiguration, PublishedVersion, Snapshot, Version};
use rushlight_store::Expect;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use crate::Control;
use crate::capacity_provider;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::function::{name, state, view};
use crate::ledger;

/// How often a publication begins anew because somebody else changed the function.
pub(crate) const ATTEMPTS: usize = 64;

/// A version whose row is on disk and that no head names yet.
pub(crate) struct Draft {
    version: PublishedVersion,
    row: PublishedConfiguration,
    /// Versions on capacity providers are published one at a time, so that none passes the limit with another.
    _alone: Option<OwnedMutexGuard<()>>,
}

impl Draft {
    /// Writes the row of what `head` has as its latest configuration.
    pub(crate) async fn write(
        control: &Control,
        head: &FunctionHead,
        description: Option<String>,
        state: State,
    ) -> Result<Self> {
        let instances = head.latest.managed_instances.as_ref();
        let provider = instances.map(|instances| instances.capacity_provider_arn.as_str());
        let alone = match provider {
            Some(arn) => Some(capacity_provider::versions::make_room(control, arn).await?),
            None => None,
        };
        let version = PublishedVersion {
            row: format!("{}-{}", control.run, Uuid::new_v4().simple()),
            revision_id: Uuid::new_v4().to_string(),
            state,
            package: head.latest.package(),
            layers: head.latest.layers.iter().map(|layer| layer.content.package()).collect(),
            capacity_provider_arn: provider.map(str::to_owned),
            scaling: FunctionScaling::default(),
            snapshot: is_prepared_ahead(head).then(|| Snapshot { used_at: control.clock.now() }),
            runtime_version_arn: None,
            generation: 0,
        };
        let row = PublishedConfiguration {
            incarnation: head.incarnation.clone(),
            configuration: head.latest.clone(),
            description,
        };
        control.versions.put(&control.row_key(&head.id, &version.row), row.clone(), Expect::Absent).await?;
        Ok(Self { version, row, _alone: alone })
    }

    /// The head with this version in it, and the version's configuration. Publication is a change of `$LATEST` too, as
    /// its revision id tells.
    pub(crate) fn name_in(&self, mut head: FunctionHead) -> (FunctionHead, FunctionConfiguration) {
        let number = head.last_version + 1;
        head.last_version = number;
        head.latest.revision_id = Uuid::new_v4().to_string();
        head.versions.insert(number, self.version.clone());
        (head, self.row.at_present(number, &self.version))
    }

    /// Gives the publication up.
    pub(crate) async fn discard(self, control: &Control, head: &FunctionHead) {
        control.remove_row(&head.id, &self.version.row).await;
    }
}

/// Whether versions of it are initialised before they can be invoked.
fn is_prepared_ahead(head: &FunctionHead) -> bool {
    head.latest.snap_start_published_versions && head.latest.managed_instances.is_none()
}

pub(crate) async fn publish(
    control: &Control,
    context: &RequestContext,
    input: PublishVersionRequest,
) -> Result<PublishVersionResponse> {
    let reference = name::latest(&context.scope, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(Error::not_offered("PublishTo", "Publish the version without it."));
    }
    let key = control.key(&reference.function);
    for _ in 0..ATTEMPTS {
        let entry = control.functions.get(&key).await?;
        let entry = entry.ok_or_else(|| Error::FunctionNotFound { arn: reference.arn() })?;
        let head = &*entry.value;
        check(head, &input)?;
        if let Some(existing) = unchanged(control, head).await? {
            return Ok(shown(head, &existing));
        }
        let size = ledger::code_bytes(&head.latest);
        let _reserved = control.ledger.reserve(&context.scope, size).await?;
        let hold = match ledger::archive(&head.latest) {
            Some((digest, _)) => Some(control.ledger.hold(digest).await),
            None => None,
        };
        let prepared = is_prepared_ahead(head) || head.latest.managed_instances.is_some();
        let begin = if prepared { state::pending() } else { State::Active };
        let draft = Draft::write(control, head, input.description.clone(), begin).await?;
        let (next, configuration) = draft.name_in(head.clone());
        match control.functions.put(&key, next, Expect::Revision(entry.revision)).await {
            Err(error) if error.is_conflict() => draft.discard(control, head).await,
            result => {
                let entry = result?;
                drop(hold);
                if !configuration.is_active() {
                    control.settle(&entry.value);
                }
                report(context, &reference, &configuration);
                return Ok(shown(&entry.value, &configuration));
            }
        }
    }
    Err(Error::UpdateInProgress { arn: reference.arn() })
}

/// A version as publication shows it: with its number in the ARN.
pub(crate) fn shown(head: &FunctionHead, configuration: &FunctionConfiguration) -> PublishVersionResponse {
    view::configuration(head, configuration, Some(&Qualifier::from(configuration.version)))
}

pub(crate) fn report(
    context: &RequestContext,
    reference: &FunctionReference,
    configuration: &FunctionConfiguration,
) {
    let version = configuration.version;
    tracing::info!(function = %reference.function.arn(), %version, request = %context.request_id, "version.published");
}

fn check(head: &FunctionHead, input: &PublishVersionRequest) -> Result<()> {
    state::check_update(head, input.revision_id.as_deref().filter(|revision| !revision.is_empty()))?;
    let present = view::code_sha256(&head.latest).unwrap_or_default();
    match input.code_sha256.as_deref().filter(|given| !given.is_empty()) {
        Some(given) if given != present => Err(Error::invalid(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({present}). Please try again with \
             the CodeSHA256 in $LATEST."
        ))),
        _ => Ok(()),
    }
}

/// The version that was published last, if it still is what would be published now.
async fn unchanged(control: &Control, head: &FunctionHead) -> Result<Option<FunctionConfiguration>> {
    let Some(published) = head.versions.get(&head.last_version) else { return Ok(None) };
    let row = control.versions.get(&control.row_key(&head.id, &published.row)).await?;
    let row = row.filter(|row| row.value.is_the_same_as(&head.latest));
    Ok(row.map(|row| row.value.at_present(head.last_version, published)))
}

impl Control {
    /// Takes a version out of a function's head.
    ///
    /// # Errors
    /// If an alias leads to it.
    pub(crate) fn without_version(head: &FunctionHead, number: u64) -> Result<FunctionHead> {
        let aliases: Vec<&str> = head
            .aliases
            .iter()
            .filter(|(_, alias)| alias.leads_to(number))
            .map(|(name, _)| name.as_str())
            .collect();
        if !aliases.is_empty() {
            return Err(Error::Conflict(format!(
                "Unable to delete version because the following aliases reference it: [{}]",
                aliases.join(", ")
            )));
        }
        let mut head = head.clone();
        head.versions.remove(&number);
        head.forget_qualifier(&Version::Published(number).to_string());
        Ok(head)
    }
}
