//! Which members a source takes, and what they may be.
//!
//! SQS, Kinesis and DynamoDB refuse in other words than the sources that came later, and DocumentDB in words of its
//! own. The texts are AWS'.

mod apply;
mod document_db;
mod filters;
mod kafka;
mod mq;
mod pollers;
mod position;
mod sqs;
mod stream;

use rushlight_model::clock::Timestamp;
use rushlight_model::event_source_mapping::{Family, Kafka, Retries, Settings, SourceKind};

use super::members::{Members, unsupported, upper};
use crate::error::{Error, Result};

const SQS_BATCH_SIZE: u32 = 10;
const BATCH_SIZE: u32 = 100;

/// What the rules look at.
struct Case<'a> {
    kind: SourceKind,
    members: &'a Members,
    /// Whether the mapping is about to be created.
    is_new: bool,
    now: Timestamp,
}

/// The settings of a mapping once the members of a request are applied to those that it has, or to the defaults of a
/// new one.
pub(super) fn settings(
    kind: SourceKind,
    present: Option<&Settings>,
    members: &Members,
    uuid: &str,
    now: Timestamp,
) -> Result<Settings> {
    let case = Case { kind, members, is_new: present.is_none(), now };
    match kind.family() {
        Family::Sqs => sqs::check_members(&case)?,
        Family::Stream => stream::check_members(&case)?,
        Family::Kafka => kafka::check_members(&case)?,
        Family::Mq => mq::check_members(&case)?,
        Family::DocumentDb => document_db::check_members(&case)?,
    }
    let mut settings = present.cloned().unwrap_or_else(|| defaults(kind, uuid));
    apply::apply(&case, &mut settings)?;
    match kind.family() {
        Family::Sqs => sqs::check(&case, &settings)?,
        Family::Stream => stream::check(&settings)?,
        Family::Kafka => kafka::check(&mut settings)?,
        Family::Mq | Family::DocumentDb => {}
    }
    Ok(settings)
}

fn defaults(kind: SourceKind, uuid: &str) -> Settings {
    let family = kind.family();
    let is_stream = family == Family::Stream;
    Settings {
        batch_size: if family == Family::Sqs { SQS_BATCH_SIZE } else { BATCH_SIZE },
        batching_window_seconds: matches!(family, Family::Sqs | Family::Stream).then_some(0),
        parallelization_factor: is_stream.then_some(1),
        tumbling_window_seconds: is_stream.then_some(0),
        retries: is_stream.then(Retries::default),
        kafka: (family == Family::Kafka)
            .then(|| Kafka { consumer_group_id: uuid.to_owned(), ..Kafka::default() }),
        ..Settings::default()
    }
}

/// The first member that SQS, Kinesis or DynamoDB does not take.
fn refuse_unsupported(case: &Case<'_>, accepted: &[&'static str]) -> Result<()> {
    match unsupported(case.members, accepted).next() {
        Some(name) => Err(unsupported_here(&upper(name))),
        None => Ok(()),
    }
}

/// The first member that Kafka or a broker does not take.
fn refuse_unsupported_quoted(case: &Case<'_>, accepted: &[&'static str]) -> Result<()> {
    match unsupported(case.members, accepted).next() {
        Some(name) => Err(unsupported_here(&format!("'{name}'"))),
        None => Ok(()),
    }
}

fn unsupported_here(name: &str) -> Error {
    Error::invalid(format!("Unsupported {name} parameter for given event source mapping type."))
}

fn missing(name: &str) -> Error {
    Error::invalid(format!("Required '{name}' parameter is missing."))
}

/// Credentials of a kind that the source does not know.
fn check_source_access(case: &Case<'_>, known: &[&str]) -> Result<()> {
    let given = case.members.source_access_configurations.as_deref().unwrap_or_default();
    for access in given {
        let kind = access.r#type.as_ref().ok_or_else(|| missing("sourceAccessConfigurations.type"))?;
        if access.uri.is_none() {
            return Err(missing("sourceAccessConfigurations.uri"));
        }
        if !known.contains(&kind.as_str()) {
            return Err(Error::invalid(
                "Unsupported source access configurations type for given event source mapping type.",
            ));
        }
    }
    Ok(())
}

/// Refuses metrics that the source does not write.
fn check_metrics(case: &Case<'_>, known: &[&str]) -> Result<()> {
    let metrics = case.members.metrics_config.as_ref().and_then(|config| config.metrics.as_deref());
    if metrics.unwrap_or_default().iter().any(|metric| !known.contains(&metric.as_str())) {
        return Err(Error::invalid(format!(
            "Invalid EventSourceMapping metrics. Expected values: [{}]",
            known.join(", ")
        )));
    }
    Ok(())
}

const BASIC_AUTH: &str = "BASIC_AUTH";

fn has_source_access(case: &Case<'_>, kind: &str) -> bool {
    let given = case.members.source_access_configurations.as_deref().unwrap_or_default();
    given.iter().any(|access| access.r#type.as_ref().is_some_and(|given| given.as_str() == kind))
}
