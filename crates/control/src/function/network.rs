//! Rules of `VpcConfig`, `FileSystemConfigs` and `DeadLetterConfig`. Rushlight keeps and shows them; the networks and
//! file systems that they name are AWS' own.

use rushlight_api::lambda::types;
use rushlight_model::function::{FileSystem, Vpc};

use crate::error::{Error, Result};

/// The network configuration to keep and show. Two empty lists take the function out of its VPC.
pub(super) fn vpc(given: &types::VpcConfig) -> Result<Vpc> {
    let subnet_ids = given.subnet_ids.clone().unwrap_or_default();
    let security_group_ids = given.security_group_ids.clone().unwrap_or_default();
    if subnet_ids.is_empty() != security_group_ids.is_empty() {
        return Err(Error::invalid("SubnetIds and SecurityIds must coexist or be both empty list."));
    }
    Ok(Vpc {
        subnet_ids,
        security_group_ids,
        ipv6_allowed_for_dual_stack: given.ipv6_allowed_for_dual_stack.unwrap_or_default(),
    })
}

/// Whether the function is in a VPC.
pub(super) fn is_connected(vpc: Option<&Vpc>) -> bool {
    vpc.is_some_and(|vpc| !vpc.subnet_ids.is_empty())
}

pub(super) fn file_systems(given: &[types::FileSystemConfig]) -> Vec<FileSystem> {
    given
        .iter()
        .map(|file_system| FileSystem {
            arn: file_system.arn.clone(),
            local_mount_path: file_system.local_mount_path.clone(),
            direct_s3_read: file_system
                .s3_files_config
                .as_ref()
                .and_then(|config| config.direct_s3_read.as_ref())
                .map(ToString::to_string),
        })
        .collect()
}

/// Refuses file systems without the network that they are reached through.
pub(super) fn check_together(vpc: Option<&Vpc>, file_systems: &[FileSystem]) -> Result<()> {
    match file_systems.first() {
        Some(file_system) if !is_connected(vpc) => Err(Error::invalid(format!(
            "Function must be configured to execute in a VPC to reference access point {}. Please update the function \
             configuration to include VPC subnets and security groups.",
            file_system.arn
        ))),
        _ => Ok(()),
    }
}

/// The target to keep: an empty ARN takes the target away.
pub(super) fn dead_letter_target(given: &types::DeadLetterConfig) -> Result<Option<String>> {
    let Some(arn) = given.target_arn.as_deref().filter(|arn| !arn.is_empty()) else {
        return Ok(None);
    };
    match arn.split(':').nth(2) {
        Some("sqs" | "sns") => Ok(Some(arn.to_owned())),
        _ => Err(Error::invalid(format!(
            "Invalid dead letter ARN: {arn} is neither an Amazon SQS queue nor an Amazon SNS topic."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(subnets: &[&str], groups: &[&str]) -> types::VpcConfig {
        types::VpcConfig {
            subnet_ids: Some(subnets.iter().map(|id| (*id).to_owned()).collect()),
            security_group_ids: Some(groups.iter().map(|id| (*id).to_owned()).collect()),
            ipv6_allowed_for_dual_stack: None,
        }
    }

    #[test]
    fn a_vpc_has_both_lists_or_none() {
        let out = vpc(&given(&[], &[])).unwrap();
        assert!(!is_connected(Some(&out)) && !is_connected(None));
        let kept = vpc(&given(&["subnet-1"], &["sg-1"])).unwrap();
        assert!(is_connected(Some(&kept)));
        assert_eq!(kept.subnet_ids, ["subnet-1"]);
        assert!(!kept.ipv6_allowed_for_dual_stack);
        for half in [given(&["subnet-1"], &[]), given(&[], &["sg-1"])] {
            assert_eq!(
                vpc(&half).unwrap_err().to_string(),
                "SubnetIds and SecurityIds must coexist or be both empty list."
            );
        }
    }

    #[test]
    fn file_systems_need_a_vpc() {
        let file_systems = [FileSystem {
            arn: "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1".into(),
            local_mount_path: "/mnt/x".into(),
            direct_s3_read: None,
        }];
        let vpc = vpc(&given(&["subnet-1"], &["sg-1"])).unwrap();
        assert!(check_together(Some(&vpc), &file_systems).is_ok());
        assert!(check_together(None, &[]).is_ok());
        assert_eq!(
            check_together(None, &file_systems).unwrap_err().to_string(),
            "Function must be configured to execute in a VPC to reference access point \
             arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1. Please update the function \
             configuration to include VPC subnets and security groups."
        );
    }

    #[test]
    fn dead_letters_go_to_queues_and_topics() {
        let target =
            |arn: &str| dead_letter_target(&types::DeadLetterConfig { target_arn: Some(arn.into()) });
        let queue = "arn:aws:sqs:eu-west-1:123456789012:q";
        assert_eq!(target(queue).unwrap().as_deref(), Some(queue));
        assert!(target("arn:aws:sns:eu-west-1:123456789012:t").unwrap().is_some());
        assert_eq!(target("").unwrap(), None);
        assert!(target("arn:aws:s3:::bucket").is_err());
    }
}
