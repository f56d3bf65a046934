//! Conditions: when a statement applies.
//!
//! See [IAM JSON policy elements:
//! Condition](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html), [Conditions
//! with multiple context keys or
//! values](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html)
//! and [Set operators for multivalued context
//! keys](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html).

use super::error::MalformedPolicy;
use super::json::Json;
use super::key::{KeyName, tells_callers_apart};
use super::operator::{Operand, Operator, Quantifier};
use super::request::Request;
use super::statement::Effect;

/// One key under one operator.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    operator: Operator,
    key: KeyName,
    operand: Operand,
}

/// Reads a `Condition` element. All its conditions must hold.
pub(super) fn parse(json: Json, variables: bool) -> Result<Box<[Condition]>, MalformedPolicy> {
    let mut conditions = Vec::new();
    for (name, keys) in json.object("Condition")? {
        let operator = Operator::parse(&name)?;
        for (key, values) in keys.object("a condition operator")? {
            if !key.contains(':') {
                return Err(MalformedPolicy::NoVendor);
            }
            let values = values.scalars("a condition value")?;
            let operand = Operand::new(&operator, &values, variables)?;
            conditions.push(Condition { operator, key: KeyName::new(&key), operand });
        }
    }
    Ok(conditions.into())
}

impl Condition {
    /// Whether the condition holds only for certain callers, by values that are fixed. See [The meaning of
    /// "public"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status).
    pub(super) fn singles_out(&self) -> bool {
        let Operator { negated, if_exists, quantifier, .. } = self.operator;
        let is_needed = !negated && !if_exists && quantifier != Some(Quantifier::All);
        is_needed && tells_callers_apart(&self.key.text) && self.operand.is_fixed()
    }

    /// Whether the condition holds for the request, in a statement of this effect.
    pub(super) fn holds(&self, request: &Request<'_>, effect: Effect) -> bool {
        let Operator { negated, if_exists, quantifier, .. } = self.operator;
        let mut values = request.values(&self.key);
        let is_absent = match quantifier {
            None => values.clone().next().is_none(),
            // Also for "an empty data set, such as an empty string".
            Some(_) => values.clone().all(|value| value.is_empty()),
        };
        if let Operand::Null { absent, present } = self.operand {
            return if is_absent { absent } else { present };
        }
        if is_absent {
            return if_exists
                || match quantifier {
                    None => negated,
                    Some(Quantifier::All) => true,
                    Some(Quantifier::Any) => false,
                };
        }
        let mut holds = |value| self.operand.compare(value, request).holds(negated, effect);
        match (quantifier, negated) {
            (Some(Quantifier::All), _) | (None, true) => values.all(holds),
            (Some(Quantifier::Any), _) | (None, false) => values.any(&mut holds),
        }
    }
}
