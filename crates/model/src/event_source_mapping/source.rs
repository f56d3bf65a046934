//! What can be read for a function.

use serde::{Deserialize, Serialize};

/// A queue, stream, cluster or broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// Where it is.
    pub location: Location,
}

/// Where a source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Location {
    /// What has an ARN.
    Arn(String),
    /// A Kafka cluster of one's own: `host:port`, at most ten.
    BootstrapServers(Vec<String>),
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    /// A standard queue of SQS.
    SqsStandard,
    /// A FIFO queue of SQS.
    SqsFifo,
    /// A stream of Kinesis, read by polling its shards.
    KinesisStream,
    /// A consumer of a Kinesis stream with its own throughput, which is pushed to.
    KinesisConsumer,
    /// The stream of a DynamoDB table.
    DynamoDbStream,
    /// A cluster of Amazon MSK.
    Msk,
    /// A Kafka cluster of one's own.
    SelfManagedKafka,
    /// A broker of Amazon MQ. Its ARN does not say whether it is ActiveMQ or RabbitMQ; who reads it asks the broker.
    Mq,
    /// A cluster of Amazon DocumentDB.
    DocumentDb,
}

/// Kinds of sources that follow the same rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Queues of SQS.
    Sqs,
    /// Kinesis and DynamoDB.
    Stream,
    /// Kafka, managed or not.
    Kafka,
    /// Brokers of Amazon MQ.
    Mq,
    /// Clusters of Amazon DocumentDB.
    DocumentDb,
}

impl SourceKind {
    /// Whose rules it follows.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::SqsStandard | Self::SqsFifo => Family::Sqs,
            Self::KinesisStream | Self::KinesisConsumer | Self::DynamoDbStream => Family::Stream,
            Self::Msk | Self::SelfManagedKafka => Family::Kafka,
            Self::Mq => Family::Mq,
            Self::DocumentDb => Family::DocumentDb,
        }
    }

    /// What an ARN's service and resource stand for.
    fn of(service: &str, resource: &str) -> Option<Self> {
        match service {
            "sqs" if resource.ends_with(".fifo") => Some(Self::SqsFifo),
            "sqs" => Some(Self::SqsStandard),
            "kinesis" => {
                let name = resource.strip_prefix("stream/")?;
                Some(if name.contains("/consumer/") { Self::KinesisConsumer } else { Self::KinesisStream })
            }
            "dynamodb" => {
                let table = resource.strip_prefix("table/")?;
                table.contains("/stream/").then_some(Self::DynamoDbStream)
            }
            "kafka" => Some(Self::Msk),
            "mq" => Some(Self::Mq),
            "rds" => resource.starts_with("cluster:").then_some(Self::DocumentDb),
            _ => None,
        }
    }
}

impl Source {
    /// The source with this ARN, if it is one that can be read.
    #[must_use]
    pub fn from_arn(arn: &str) -> Option<Self> {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, service, _, _, resource] = fields.as_slice() else {
            return None;
        };
        if resource.is_empty() {
            return None;
        }
        Some(Self { kind: SourceKind::of(service, resource)?, location: Location::Arn(arn.to_owned()) })
    }

    /// A Kafka cluster of one's own.
    #[must_use]
    pub fn self_managed_kafka(bootstrap_servers: Vec<String>) -> Self {
        Self { kind: SourceKind::SelfManagedKafka, location: Location::BootstrapServers(bootstrap_servers) }
    }

    /// The ARN, unless it is a Kafka cluster of one's own.
    #[must_use]
    pub fn arn(&self) -> Option<&str> {
        match &self.location {
            Location::Arn(arn) => Some(arn),
            Location::BootstrapServers(_) => None,
        }
    }

    /// The region that the ARN names.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.field(3)
    }

    /// The account that the ARN names.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.field(4)
    }

    fn field(&self, index: usize) -> Option<&str> {
        self.arn()?.split(':').nth(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_arn() {
        let stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/s";
        for (arn, kind) in [
            ("arn:aws:sqs:eu-west-1:123456789012:q", Some(SourceKind::SqsStandard)),
            ("arn:aws:sqs:eu-west-1:123456789012:q.fifo", Some(SourceKind::SqsFifo)),
            (stream, Some(SourceKind::KinesisStream)),
            (&format!("{stream}/consumer/c:1700000000"), Some(SourceKind::KinesisConsumer)),
            (
                "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
                Some(SourceKind::DynamoDbStream),
            ),
            ("arn:aws:dynamodb:eu-west-1:123456789012:table/t", None),
            ("arn:aws:kafka:eu-west-1:123456789012:cluster/c/11111111-1", Some(SourceKind::Msk)),
            ("arn:aws:mq:eu-west-1:123456789012:broker:b:b-1", Some(SourceKind::Mq)),
            ("arn:aws:rds:eu-west-1:123456789012:cluster:c", Some(SourceKind::DocumentDb)),
            ("arn:aws:rds:eu-west-1:123456789012:db:c", None),
            ("arn:aws:docdb-elastic:eu-west-1:123456789012:cluster/1", None),
            ("arn:aws:s3:::bucket", None),
            ("arn:aws:sqs:eu-west-1:123456789012:", None),
            ("q", None),
        ] {
            assert_eq!(Source::from_arn(arn).map(|source| source.kind), kind, "{arn}");
        }
    }

    #[test]
    fn region_and_account_are_those_of_the_arn() {
        let source = Source::from_arn("arn:aws:sqs:eu-west-1:123456789012:q").unwrap();
        assert_eq!((source.region(), source.account()), (Some("eu-west-1"), Some("123456789012")));
        assert_eq!(Source::self_managed_kafka(vec!["k:1".into()]).region(), None);
    }
}
