//! What a request may say of a capacity provider, and what a provider looks like from outside.

use rushlight_api::lambda::types;
use rushlight_api::lambda::types::{CreateCapacityProviderRequest, UpdateCapacityProviderRequest};
use rushlight_model::capacity_provider::{
    CapacityProvider, CapacityProviderId, CapacityProviderState, Instances, PropagateTags, ProviderLogging,
    Scaling, ScalingPolicy,
};
use rushlight_model::clock::Timestamp;
use rushlight_model::function::Architecture;

use crate::error::{Error, Result};
use crate::function::architecture;
use crate::tags;

/// Most vCPUs of a provider for which nothing was given.
const MAX_VCPUS: u32 = 400;

pub(super) fn new(
    id: CapacityProviderId,
    input: CreateCapacityProviderRequest,
    now: Timestamp,
) -> Result<CapacityProvider> {
    let default = Scaling { max_vcpus: MAX_VCPUS, policies: None };
    Ok(CapacityProvider {
        state: CapacityProviderState::Pending,
        subnet_ids: input.vpc_config.subnet_ids,
        security_group_ids: input.vpc_config.security_group_ids,
        operator_role_arn: input.permissions_config.capacity_provider_operator_role_arn,
        instances: instances(input.instance_requirements.unwrap_or_default())?,
        scaling: scaling(&default, input.capacity_provider_scaling_config.as_ref())?,
        kms_key_arn: input.kms_key_arn.filter(|arn| !arn.is_empty()),
        propagate_tags: input.propagate_tags.map(propagate_tags).transpose()?,
        logging: logging(&id, input.telemetry_config.as_ref()),
        last_modified: now,
        tags: tags::of_new_resource(input.tags)?,
        id,
    })
}

pub(super) fn update(provider: &mut CapacityProvider, input: &UpdateCapacityProviderRequest) -> Result<()> {
    provider.scaling = scaling(&provider.scaling, input.capacity_provider_scaling_config.as_ref())?;
    if let Some(given) = &input.propagate_tags {
        provider.propagate_tags = Some(propagate_tags(given.clone())?);
    }
    if input.telemetry_config.is_some() {
        provider.logging = logging(&provider.id, input.telemetry_config.as_ref());
    }
    Ok(())
}

fn instances(given: types::InstanceRequirements) -> Result<Instances> {
    let named = |types: &Option<Vec<String>>| types.as_ref().is_some_and(|types| !types.is_empty());
    if named(&given.allowed_instance_types) && named(&given.excluded_instance_types) {
        return Err(Error::invalid(
            "You can specify only one of AllowedInstanceTypes or ExcludedInstanceTypes.",
        ));
    }
    Ok(Instances {
        architecture: architecture(given.architectures.as_deref()).unwrap_or(Architecture::X86_64),
        allowed: given.allowed_instance_types,
        excluded: given.excluded_instance_types,
    })
}

/// The scaling with what is given. Policies belong to manual scaling: they come and go with it.
fn scaling(current: &Scaling, given: Option<&types::CapacityProviderScalingConfig>) -> Result<Scaling> {
    let Some(given) = given else {
        return Ok(current.clone());
    };
    let mode = given.scaling_mode.as_ref().map(types::CapacityProviderScalingMode::as_str);
    let manual = mode.map_or(current.policies.is_some(), |mode| mode == "Manual");
    let policies: Option<Vec<ScalingPolicy>> =
        given.scaling_policies.as_ref().map(|policies| policies.iter().map(policy).collect());
    let policies = match (manual, policies) {
        (false, Some(_)) => {
            return Err(Error::invalid(
                "A scaling policy can't be specified when the scalingMode is set to Auto.",
            ));
        }
        (false, None) => None,
        (true, given) => Some(given.or_else(|| current.policies.clone()).ok_or_else(|| {
            Error::invalid("A scaling policy must be specified when the scalingMode is set to Manual.")
        })?),
    };
    let max_vcpus = given.max_vcpu_count.and_then(|count| u32::try_from(count).ok());
    Ok(Scaling { max_vcpus: max_vcpus.unwrap_or(current.max_vcpus), policies })
}

fn policy(given: &types::TargetTrackingScalingPolicy) -> ScalingPolicy {
    ScalingPolicy { metric: given.predefined_metric_type.to_string(), target: given.target_value }
}

fn propagate_tags(given: types::PropagateTags) -> Result<PropagateTags> {
    if let Some(tags) = &given.explicit_tags {
        tags::check_names(tags.keys())?;
    }
    Ok(PropagateTags { mode: given.mode.map(|mode| mode.to_string()), explicit: given.explicit_tags })
}

fn logging(
    id: &CapacityProviderId,
    given: Option<&types::CapacityProviderTelemetryConfig>,
) -> Option<ProviderLogging> {
    let given = given?.logging_config.as_ref()?;
    Some(ProviderLogging {
        system_level: given.system_log_level.as_ref().map(ToString::to_string),
        group: given
            .log_group
            .clone()
            .unwrap_or_else(|| format!("/aws/lambda/capacity-provider/{}", id.name)),
    })
}

/// A provider as every operation shows it.
pub(super) fn view(provider: &CapacityProvider) -> types::CapacityProvider {
    let Instances { architecture, allowed, excluded } = &provider.instances;
    types::CapacityProvider {
        capacity_provider_arn: provider.id.arn(),
        state: provider.state.as_str().into(),
        vpc_config: types::CapacityProviderVpcConfig {
            subnet_ids: provider.subnet_ids.clone(),
            security_group_ids: provider.security_group_ids.clone(),
        },
        permissions_config: types::CapacityProviderPermissionsConfig {
            capacity_provider_operator_role_arn: provider.operator_role_arn.clone(),
        },
        instance_requirements: Some(types::InstanceRequirements {
            architectures: Some(vec![architecture.as_str().into()]),
            allowed_instance_types: allowed.clone(),
            excluded_instance_types: excluded.clone(),
        }),
        capacity_provider_scaling_config: Some(view_scaling(&provider.scaling)),
        kms_key_arn: provider.kms_key_arn.clone(),
        last_modified: Some(provider.last_modified.to_last_modified()),
        propagate_tags: provider.propagate_tags.as_ref().map(|tags| types::PropagateTags {
            mode: tags.mode.as_deref().map(Into::into),
            explicit_tags: tags.explicit.clone(),
        }),
        telemetry_config: provider.logging.as_ref().map(|logging| types::CapacityProviderTelemetryConfig {
            logging_config: Some(types::CapacityProviderLoggingConfig {
                system_log_level: logging.system_level.as_deref().map(Into::into),
                log_group: Some(logging.group.clone()),
            }),
        }),
    }
}

fn view_scaling(scaling: &Scaling) -> types::CapacityProviderScalingConfig {
    let mode = if scaling.policies.is_some() { "Manual" } else { "Auto" };
    types::CapacityProviderScalingConfig {
        max_vcpu_count: i32::try_from(scaling.max_vcpus).ok(),
        scaling_mode: Some(mode.into()),
        scaling_policies: scaling.policies.as_ref().map(|policies| {
            policies
                .iter()
                .map(|policy| types::TargetTrackingScalingPolicy {
                    predefined_metric_type: policy.metric.as_str().into(),
                    target_value: policy.target,
                })
                .collect()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(mode: Option<&str>, policies: bool, vcpus: Option<i32>) -> types::CapacityProviderScalingConfig {
        let policy = types::TargetTrackingScalingPolicy {
            predefined_metric_type: "LambdaCapacityProviderAverageCPUUtilization".into(),
            target_value: 50.0,
        };
        types::CapacityProviderScalingConfig {
            max_vcpu_count: vcpus,
            scaling_mode: mode.map(Into::into),
            scaling_policies: policies.then(|| vec![policy]),
        }
    }

    #[test]
    fn policies_come_and_go_with_manual_scaling() {
        let auto = Scaling { max_vcpus: MAX_VCPUS, policies: None };
        assert_eq!(scaling(&auto, None).unwrap(), auto);
        let manual = scaling(&auto, Some(&given(Some("Manual"), true, Some(30)))).unwrap();
        assert_eq!((manual.max_vcpus, manual.policies.as_ref().map(Vec::len)), (30, Some(1)));
        assert_eq!(scaling(&manual, Some(&given(None, false, Some(30)))).unwrap(), manual);
        assert_eq!(scaling(&manual, Some(&given(Some("Manual"), false, None))).unwrap(), manual);
        let auto_again = scaling(&manual, Some(&given(Some("Auto"), false, None))).unwrap();
        assert_eq!(auto_again, Scaling { max_vcpus: 30, policies: None });
        for mode in [None, Some("Auto")] {
            assert_eq!(
                scaling(&auto, Some(&given(mode, true, None))).unwrap_err().to_string(),
                "A scaling policy can't be specified when the scalingMode is set to Auto."
            );
        }
        assert!(scaling(&auto, Some(&given(Some("Manual"), false, None))).is_err());
    }

    #[test]
    fn instance_types_are_allowed_or_excluded() {
        let both = types::InstanceRequirements {
            architectures: None,
            allowed_instance_types: Some(vec!["m5.large".into()]),
            excluded_instance_types: Some(vec!["m6.large".into()]),
        };
        assert!(instances(both.clone()).is_err());
        let one = types::InstanceRequirements { allowed_instance_types: None, ..both };
        assert_eq!(instances(one).unwrap().architecture, Architecture::X86_64);
    }
}
