//! Rules of `Layers`.

use rushlight_model::arn::is_account;

use crate::context::RequestContext;
use crate::error::{Error, Result};

/// How many layers a function may have.
const LIMIT: usize = 5;

/// The ARN of a layer version, split.
struct LayerVersion<'a> {
    region: &'a str,
    account: &'a str,
    /// The ARN without the version.
    layer: &'a str,
    version: &'a str,
}

impl<'a> LayerVersion<'a> {
    /// `arn:<partition>:lambda:<region>:<account>:layer:<name>:<version>`
    fn parse(arn: &'a str) -> Option<Self> {
        let (layer, version) = arn.rsplit_once(':')?;
        let fields: Vec<&str> = layer.split(':').collect();
        let ["arn", _, "lambda", region, account, "layer", _] = fields[..] else {
            return None;
        };
        is_account(account).then_some(Self { region, account, layer, version })
    }
}

/// Refuses a list that AWS would refuse. Rushlight has no layers yet, so every list that is otherwise in order is
/// refused for naming a version that does not exist.
pub(super) fn check(layers: &[String], context: &RequestContext) -> Result<()> {
    if layers.len() > LIMIT {
        return Err(Error::invalid(format!("Cannot reference more than {LIMIT} layers.")));
    }
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for arn in layers {
        let Some(version) = LayerVersion::parse(arn) else {
            return Err(missing(arn));
        };
        check_reach(&version, arn, context)?;
        if version.version.parse::<i64>().is_ok_and(|number| number < 1) {
            return Err(Error::invalid("Layer Version Cannot be less than 1"));
        }
        if let Some((_, other)) = seen.iter().find(|(layer, _)| *layer == version.layer) {
            return Err(Error::invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. \
                 {other} and {arn} are versions of the same layer."
            )));
        }
        seen.push((version.layer, arn));
    }
    layers.first().map_or(Ok(()), |arn| Err(missing(arn)))
}

fn check_reach(version: &LayerVersion<'_>, arn: &str, context: &RequestContext) -> Result<()> {
    let here = &context.scope;
    if version.account != here.account {
        return Err(Error::AccessDenied(format!(
            "User: {} is not authorized to perform: lambda:GetLayerVersion on resource: {arn} because no \
             resource-based policy allows the lambda:GetLayerVersion action",
            context.principal
        )));
    }
    if version.region != here.region {
        return Err(Error::invalid(format!(
            "Layers are not in the same region as the function. Layers are expected to be in region {}.",
            here.region
        )));
    }
    Ok(())
}

fn missing(arn: &str) -> Error {
    Error::invalid(format!("Layer version {arn} does not exist."))
}

#[cfg(test)]
mod tests {
    use rushlight_model::arn::Scope;
    use rushlight_model::request_id::RequestId;

    use super::*;

    fn refusal(layers: &[&str]) -> Error {
        let context = RequestContext {
            scope: Scope { account: "123456789012".into(), region: "eu-west-1".into() },
            principal: "arn:aws:iam::123456789012:user/ann".into(),
            request_id: RequestId::random(),
            host: None,
        };
        let layers: Vec<String> = layers.iter().map(|layer| (*layer).to_owned()).collect();
        check(&layers, &context).unwrap_err()
    }

    const A: &str = "arn:aws:lambda:eu-west-1:123456789012:layer:a:1";

    #[test]
    fn each_rule_has_its_text() {
        assert_eq!(refusal(&[A]).to_string(), format!("Layer version {A} does not exist."));
        assert_eq!(refusal(&[A; 6]).to_string(), "Cannot reference more than 5 layers.");
        assert_eq!(
            refusal(&["arn:aws:lambda:us-east-1:123456789012:layer:a:1"]).to_string(),
            "Layers are not in the same region as the function. Layers are expected to be in region eu-west-1."
        );
        assert_eq!(
            refusal(&["arn:aws:lambda:eu-west-1:123456789012:layer:a:0"]).to_string(),
            "Layer Version Cannot be less than 1"
        );
        let other = "arn:aws:lambda:eu-west-1:123456789012:layer:a:2";
        assert_eq!(
            refusal(&[A, other]).to_string(),
            format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {A} \
                 and {other} are versions of the same layer."
            )
        );
    }

    #[test]
    fn layers_of_other_accounts_need_a_policy() {
        let arn = "arn:aws:lambda:eu-west-1:999999999999:layer:a:1";
        let error = refusal(&[arn]);
        assert!(matches!(error, Error::AccessDenied(_)));
        assert_eq!(
            error.to_string(),
            format!(
                "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: lambda:GetLayerVersion on \
                 resource: {arn} because no resource-based policy allows the lambda:GetLayerVersion action"
            )
        );
    }
}
