//! The AWS managed policies that functions and their users are usually given.
//!
//! See [AWS managed policies](https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rushlight_auth::policy::{Document, Kind};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The account that stands in these policies' ARNs.
pub(super) const AWS: &str = "aws";

/// A policy as its file has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    path: String,
    default_version_id: String,
    description: String,
    document: Box<RawValue>,
}

/// An AWS managed policy.
#[derive(Debug)]
pub(super) struct AwsManagedPolicy {
    pub(super) name: &'static str,
    pub(super) path: String,
    pub(super) version_id: String,
    pub(super) description: String,
    pub(super) text: String,
    pub(super) document: Document,
}

impl AwsManagedPolicy {
    /// `arn:aws:iam::aws:policy<path><name>`.
    pub(super) fn arn(&self) -> String {
        super::entity::arn(AWS, "policy", &self.path, self.name)
    }
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("managed/", $name, ".json")))),*]
    };
}

const FILES: [(&str, &str); 36] = files![
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaDynamoDBExecutionRole",
    "AWSLambdaExecute",
    "AWSLambdaInvocation-DynamoDB",
    "AWSLambdaKinesisExecutionRole",
    "AWSLambdaMSKExecutionRole",
    "AWSLambdaRole",
    "AWSLambdaSQSQueueExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSLambda_FullAccess",
    "AWSLambda_ReadOnlyAccess",
    "AWSStepFunctionsFullAccess",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
    "AdministratorAccess",
    "AmazonDynamoDBFullAccess",
    "AmazonDynamoDBReadOnlyAccess",
    "AmazonEventBridgeFullAccess",
    "AmazonEventBridgeReadOnlyAccess",
    "AmazonKinesisFullAccess",
    "AmazonKinesisReadOnlyAccess",
    "AmazonS3FullAccess",
    "AmazonS3ReadOnlyAccess",
    "AmazonSNSFullAccess",
    "AmazonSNSReadOnlyAccess",
    "AmazonSQSFullAccess",
    "AmazonSQSReadOnlyAccess",
    "CloudWatchFullAccess",
    "CloudWatchLambdaApplicationSignalsExecutionRolePolicy",
    "CloudWatchLambdaInsightsExecutionRolePolicy",
    "CloudWatchLogsFullAccess",
    "CloudWatchLogsReadOnlyAccess",
    "IAMFullAccess",
    "IAMReadOnlyAccess",
    "PowerUserAccess",
    "SecretsManagerReadWrite",
];

/// By ARN. A file that cannot be read is left out; a test sees to it that none is.
static POLICIES: LazyLock<BTreeMap<String, AwsManagedPolicy>> = LazyLock::new(|| {
    let policies = FILES.iter().filter_map(|(name, text)| read(name, text));
    policies.map(|policy| (policy.arn(), policy)).collect()
});

fn read(name: &'static str, text: &str) -> Option<AwsManagedPolicy> {
    let file: File = serde_json::from_str(text).ok()?;
    let text = file.document.get().to_owned();
    let document = Document::parse(&text, Kind::Identity).ok()?;
    Some(AwsManagedPolicy {
        name,
        path: file.path,
        version_id: file.default_version_id,
        description: file.description,
        text,
        document,
    })
}

/// The policy of that ARN.
pub(super) fn find(arn: &str) -> Option<&'static AwsManagedPolicy> {
    POLICIES.get(arn)
}

/// All of them, in the order of their ARNs.
pub(super) fn all() -> impl Iterator<Item = &'static AwsManagedPolicy> {
    POLICIES.values()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_policy() {
        assert_eq!(POLICIES.len(), FILES.len());
        let basic = find("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole").unwrap();
        assert!(basic.text.contains("logs:PutLogEvents"));
    }
}
