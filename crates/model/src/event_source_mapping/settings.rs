//! How a source is read.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The settings of a mapping, with defaults filled in. What a source does not know is absent or empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Most records of a batch, 1 to 10,000.
    pub batch_size: u32,
    /// Longest time to gather a batch, 0 to 300 s. `None` is the half second that cannot be asked for.
    pub batching_window_seconds: Option<u32>,
    /// Event patterns; a record that one of them matches is processed. None: all records are.
    pub filters: Vec<String>,
    /// The key that the filters are encrypted with.
    pub kms_key_arn: Option<String>,
    /// Which metrics to write; absent when never set.
    pub metrics: Option<Vec<String>>,
    /// `DEBUG`, `INFO` or `WARN`.
    pub system_log_level: Option<String>,
    /// Most concurrent invocations for a queue of SQS, 2 to 1,000.
    pub maximum_concurrency: Option<u32>,
    /// Provisioned mode.
    pub provisioned_pollers: Option<ProvisionedPollers>,
    /// Where to begin.
    pub starting_position: Option<StartingPosition>,
    /// Batches of one shard at a time, 1 to 10.
    pub parallelization_factor: Option<u32>,
    /// Length of the windows over which state is handed on, 0 (none) to 900 s.
    pub tumbling_window_seconds: Option<u32>,
    /// What to do with a batch that fails.
    pub retries: Option<Retries>,
    /// ARN of a queue, topic or bucket, or `kafka://<topic>`, for batches that are given up.
    pub on_failure: Option<String>,
    /// Whether the function says which records failed.
    pub reports_batch_item_failures: bool,
    /// Kafka topic, one at most.
    pub topics: Vec<String>,
    /// Queue of a broker, one at most.
    pub queues: Vec<String>,
    /// Credentials and network of the source; absent when never set.
    pub source_access: Option<Vec<SourceAccess>>,
    /// Of Kafka.
    pub kafka: Option<Kafka>,
    /// Of DocumentDB.
    pub document_db: Option<DocumentDb>,
}

/// Where in a stream to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartingPosition {
    /// At the oldest record.
    TrimHorizon,
    /// At records yet to come.
    Latest,
    /// At the first record from this time on.
    AtTimestamp(Timestamp),
}

/// What to do with a batch that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// Older records are given up: 60 to 604,800 s, or -1 for never.
    pub maximum_record_age_seconds: i32,
    /// 0 to 10,000, or -1 for as long as the record lives.
    pub maximum_attempts: i32,
    /// Whether to halve a batch before it is tried again.
    pub bisects: bool,
}

impl Default for Retries {
    fn default() -> Self {
        Self { maximum_record_age_seconds: -1, maximum_attempts: -1, bisects: false }
    }
}

/// How many pollers there are at least and at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedPollers {
    /// For SQS 2 to 200, else 1 to 200.
    pub minimum: u32,
    /// For SQS 2 to 10,000, else 1 to 2,000.
    pub maximum: u32,
    /// Kafka mappings with which pollers are shared.
    pub group: Option<String>,
}

/// One of several things that are named by a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// E.g. `BASIC_AUTH`.
    pub kind: String,
    /// E.g. the ARN of a secret.
    pub uri: Option<String>,
}

/// Credentials or network of a source.
pub type SourceAccess = Typed;

/// What only Kafka has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Kafka {
    /// The consumer group. Fixed at creation.
    pub consumer_group_id: String,
    /// Where the schemas of records are looked up.
    pub schema_registry: Option<SchemaRegistry>,
    /// As given.
    pub consumption_mode: Option<ConsumptionMode>,
}

/// How a topic is consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumptionMode {
    /// Partition by partition, in order.
    Stream,
    /// Through a share group, without order.
    Queue,
}

/// A registry of schemas.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SchemaRegistry {
    /// URL, or ARN of a Glue registry.
    pub uri: Option<String>,
    /// `JSON` or `SOURCE`.
    pub event_record_format: Option<String>,
    /// Credentials.
    pub access: Vec<Typed>,
    /// Of `KEY` and `VALUE`, what is validated.
    pub validated_attributes: Vec<String>,
}

/// What only DocumentDB has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentDb {
    /// Name of the database.
    pub database: String,
    /// Name of the collection; absent: all of them.
    pub collection: Option<String>,
    /// `UpdateLookup` or `Default`.
    pub full_document: Option<String>,
}
