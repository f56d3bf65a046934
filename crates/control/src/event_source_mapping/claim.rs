//! One mapping for each function and source, whoever comes at the same time.
//!
//! ```text
//!  create:  row ──> claim, if nobody holds it ──> real          lost: the row goes again
//!  delete:  row goes ──> claim goes
//!  update:  row says what it is claiming ──> the other claim ──> row has it ──> the old claim goes
//! ```
//! A claim is held if the row that it names exists and says so itself. Whatever is cut off leaves a row that no claim
//! names, or a claim that is not held: [`Control::take_up_mappings`] removes the former, and anybody may take the
//! latter. To take a claim that is one's own already is to write it anew, so that of two takers one always loses.

use std::sync::Arc;

use rushlight_model::arn::Scope;
use rushlight_model::event_source_mapping::{Claim, EventSourceMapping, Family, Location, MappedFunction};
use rushlight_store::Expect;
use rushlight_store::table::event_source_mapping::{claim_key, source_key};

use super::{Mappings, all, key};
use crate::Control;
use crate::error::{Error, Result};

/// How often to try again when others change the claim. Each time somebody else's attempt succeeded.
const ATTEMPTS: usize = 64;

/// The key of the claim that a mapping holds.
pub(super) fn claim_of(mapping: &EventSourceMapping) -> String {
    let Scope { account, region } = &mapping.scope;
    let MappedFunction { name, qualifier } = &mapping.function;
    claim_key(account, region, name, qualifier.as_deref(), &mapping.identity())
}

fn holds(mapping: &EventSourceMapping, claim: &str) -> bool {
    mapping.claiming.as_deref() == Some(claim) || claim_of(mapping) == claim
}

impl Mappings {
    /// Writes a new mapping, unless there is one for its function and source.
    pub(super) async fn add(&self, mapping: &EventSourceMapping) -> Result<()> {
        let claim = claim_of(mapping);
        // Nothing is written for what is refused anyway; it is looked at again when it counts.
        if let Some(holder) = self.holder(&mapping.scope, &claim).await? {
            return Err(exists(mapping, &holder));
        }
        self.rows.put(&key(&mapping.scope, &mapping.uuid), mapping.clone(), Expect::Absent).await?;
        if let Some(by_source) = by_source(mapping) {
            self.by_source.put(&by_source, Claim { uuid: mapping.uuid.clone() }, Expect::Any).await?;
        }
        let taken = self.take(mapping, &claim).await;
        if taken.is_err() {
            self.rows.delete(&key(&mapping.scope, &mapping.uuid), Expect::Any).await?;
            self.forget(mapping).await?;
        }
        taken
    }

    /// Takes a claim for a mapping whose row says that it holds it, or is about to.
    pub(super) async fn take(&self, mapping: &EventSourceMapping, claim: &str) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let expect = match self.claims.get(claim).await? {
                None => Expect::Absent,
                Some(entry) => match self.holder_of(&mapping.scope, claim, &entry.value).await? {
                    Some(other) if other.uuid != mapping.uuid => return Err(exists(mapping, &other)),
                    _ => Expect::Revision(entry.revision),
                },
            };
            match self.claims.put(claim, Claim { uuid: mapping.uuid.clone() }, expect).await {
                Err(error) if error.is_conflict() => {}
                result => return result.map(drop).map_err(Into::into),
            }
        }
        Err(Error::Busy)
    }

    /// The mapping that holds a claim.
    async fn holder(&self, scope: &Scope, claim: &str) -> Result<Option<Arc<EventSourceMapping>>> {
        match self.claims.get(claim).await? {
            Some(entry) => self.holder_of(scope, claim, &entry.value).await,
            None => Ok(None),
        }
    }

    /// The mapping that a claim names, if it holds it.
    pub(super) async fn holder_of(
        &self,
        scope: &Scope,
        claim: &str,
        named: &Claim,
    ) -> Result<Option<Arc<EventSourceMapping>>> {
        let entry = self.find(scope, &named.uuid).await?;
        Ok(entry.map(|entry| entry.value).filter(|mapping| holds(mapping, claim)))
    }

    /// Lets go of a claim that the mapping does not hold any more, if it still names it.
    pub(super) async fn release(&self, uuid: &str, claim: &str) -> Result<()> {
        let Some(entry) = self.claims.get(claim).await?.filter(|entry| entry.value.uuid == uuid) else {
            return Ok(());
        };
        match self.claims.delete(claim, Expect::Revision(entry.revision)).await {
            Err(error) if error.is_conflict() => Ok(()),
            result => Ok(result?),
        }
    }

    /// Removes what leads to a mapping that is gone.
    pub(super) async fn forget(&self, mapping: &EventSourceMapping) -> Result<()> {
        self.release(&mapping.uuid, &claim_of(mapping)).await?;
        if let Some(by_source) = by_source(mapping) {
            self.by_source.delete(&by_source, Expect::Any).await?;
        }
        Ok(())
    }

    /// Whether the mapping's claim names it, as is so from the moment that it is real.
    async fn is_real(&self, mapping: &EventSourceMapping) -> Result<bool> {
        let claim = self.claims.get(&claim_of(mapping)).await?;
        Ok(claim.is_some_and(|claim| claim.value.uuid == mapping.uuid))
    }
}

fn by_source(mapping: &EventSourceMapping) -> Option<String> {
    let Scope { account, region } = &mapping.scope;
    Some(source_key(account, region, mapping.source.arn()?, &mapping.uuid))
}

/// AWS' three ways to say that a mapping exists.
fn exists(new: &EventSourceMapping, existing: &EventSourceMapping) -> Error {
    let uuid = &existing.uuid;
    let name = &new.function.name;
    let advice = format!("Please update or delete the existing mapping with UUID {uuid}");
    let sources = match &new.source.location {
        Location::Arn(arn) => arn.clone(),
        Location::BootstrapServers(servers) => servers.join(","),
    };
    Error::MappingExists(match new.source.kind.family() {
        Family::Sqs => format!(
            "An event source mapping with SQS arn (\" {sources} \") and function (\" {name} \") already exists. \
             {advice}"
        ),
        Family::Kafka => format!(
            "An event source mapping with event source (\"{sources}\"), function (\"{}\"), topics (\"{}\") already \
             exists. {advice}",
            new.function_arn(),
            new.settings.topics.join(",")
        ),
        Family::Stream | Family::Mq | Family::DocumentDb => format!(
            "The event source arn (\" {sources} \") and function (\" {name} \") provided mapping already exists. \
             {advice}"
        ),
    })
}

impl Control {
    /// Takes up the mappings that an earlier server left in a transition, and removes what it left half done. To be
    /// called before there are requests.
    pub(crate) async fn take_up_mappings(&self) -> Result<()> {
        let mappings = &self.mappings;
        for (key, mapping) in all(&mappings.rows).await? {
            if !mappings.is_real(&mapping).await? {
                tracing::info!(mapping = %mapping.arn(), "mapping.unfinished_removed");
                mappings.rows.delete(&key, Expect::Any).await?;
                mappings.forget(&mapping).await?;
            } else if !mapping.state.is_settled() {
                self.settle_mapping(&mapping);
            }
        }
        self.drop_left_over_claims().await
    }

    async fn drop_left_over_claims(&self) -> Result<()> {
        let mappings = &self.mappings;
        for (key, claim) in all(&mappings.claims).await? {
            if let Some(scope) = scope_of(&key)
                && mappings.holder_of(&scope, &key, &claim).await?.is_none()
            {
                mappings.claims.delete(&key, Expect::Any).await?;
            }
        }
        for (key, claim) in all(&mappings.by_source).await? {
            if let Some(scope) = scope_of(&key)
                && mappings.find(&scope, &claim.uuid).await?.is_none()
            {
                mappings.by_source.delete(&key, Expect::Any).await?;
            }
        }
        Ok(())
    }
}

/// The account and region that a key begins with.
fn scope_of(key: &str) -> Option<Scope> {
    let mut segments = key.split('/').map(str::to_owned);
    Some(Scope { account: segments.next()?, region: segments.next()? })
}
