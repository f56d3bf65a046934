//! Event source mappings: which queue, stream or topic is read for which function, and how.
//!
//! See "How Lambda processes records from stream and queue-based event sources" in the AWS Lambda developer guide and
//! "CreateEventSourceMapping" in the API reference.

mod settings;
mod source;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::arn::{FunctionId, Scope};
use crate::clock::Timestamp;

pub use settings::{
    ConsumptionMode, DocumentDb, Kafka, ProvisionedPollers, Retries, SchemaRegistry, Settings, SourceAccess,
    StartingPosition, Typed,
};
pub use source::{Family, Location, Source, SourceKind};

/// A mapping, in one row that is changed by compare-and-set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventSourceMapping {
    /// What it is called.
    pub uuid: String,
    /// Account and region.
    pub scope: Scope,
    /// What is read.
    pub source: Source,
    /// What is called. It may be deleted; the mapping stays.
    pub function: MappedFunction,
    /// Whether the source is to be read, once no transition is under way.
    pub enabled: bool,
    /// Where in its life it is.
    pub state: State,
    /// Counts the transitions, so that the end of one is not taken for that of another.
    pub transition: u64,
    /// How the source is read.
    pub settings: Settings,
    /// How the last invocation went; absent for queues of SQS.
    pub last_processing_result: Option<String>,
    /// When it, or its state, was last changed.
    pub last_modified: Timestamp,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// While an update gives it another function or source within the cluster: the claim that it is about to hold
    /// besides the one that it has. See `rushlight_store::table::event_source_mapping`.
    #[serde(default)]
    pub claiming: Option<String>,
}

/// The function of a mapping as the caller named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedFunction {
    /// The bare name.
    pub name: String,
    /// A version's number, an alias, or `$LATEST`, if the caller gave one.
    pub qualifier: Option<String>,
}

/// Where in its life a mapping is. All but two are transitions that end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// New.
    Creating,
    /// Was disabled.
    Enabling,
    /// The source is read.
    Enabled,
    /// Was enabled.
    Disabling,
    /// The source is not read.
    Disabled,
    /// Settings change.
    Updating,
    /// About to be gone.
    Deleting,
}

impl State {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Enabling => "Enabling",
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
        }
    }

    /// Whether nothing is under way: only then can a mapping be updated or deleted.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Enabled | Self::Disabled)
    }
}

/// What is kept of a mapping's place among the others, under a key made of its function and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The mapping. The claim counts only if that exists and says that it holds, or is about to hold, this claim.
    pub uuid: String,
}

/// `arn:aws:lambda:<region>:<account>:event-source-mapping:<uuid>`.
#[must_use]
pub fn arn(scope: &Scope, uuid: &str) -> String {
    let Scope { account, region } = scope;
    format!("arn:{}:lambda:{region}:{account}:event-source-mapping:{uuid}", scope.partition())
}

impl EventSourceMapping {
    /// `arn:aws:lambda:<region>:<account>:event-source-mapping:<uuid>`.
    #[must_use]
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:{}:lambda:{region}:{account}:event-source-mapping:{}", self.scope.partition(), self.uuid)
    }

    /// The ARN of the function, with the qualifier if there is one.
    #[must_use]
    pub fn function_arn(&self) -> String {
        self.function.arn(&self.scope)
    }

    /// The mapping in another state. Every change of the state is a transition of its own.
    #[must_use]
    pub fn in_state(&self, state: State, now: Timestamp) -> Self {
        Self { state, transition: self.transition + 1, last_modified: now, ..self.clone() }
    }

    /// The state that follows by itself on the present one. `None`: the mapping is gone, or nothing follows.
    #[must_use]
    pub fn next_state(&self) -> Option<State> {
        match self.state {
            State::Enabled | State::Disabled | State::Deleting => None,
            State::Creating | State::Enabling | State::Disabling | State::Updating if self.enabled => {
                Some(State::Enabled)
            }
            State::Creating | State::Enabling | State::Disabling | State::Updating => Some(State::Disabled),
        }
    }

    /// What tells this mapping from others of the same function: within a Kafka cluster the topic, within a broker the
    /// queue, within a database cluster the collection.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut parts = match &self.source.location {
            Location::Arn(arn) => vec![arn.clone()],
            Location::BootstrapServers(servers) => {
                let mut servers = servers.clone();
                servers.sort_unstable();
                servers
            }
        };
        parts.extend(self.settings.topics.iter().chain(&self.settings.queues).cloned());
        if let Some(document_db) = &self.settings.document_db {
            parts.push(document_db.database.clone());
            parts.extend(document_db.collection.clone());
        }
        parts.join("\n")
    }
}

impl MappedFunction {
    /// The ARN, with the qualifier if there is one.
    #[must_use]
    pub fn arn(&self, scope: &Scope) -> String {
        let arn = FunctionId { scope: scope.clone(), name: self.name.clone() }.arn();
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }
}
