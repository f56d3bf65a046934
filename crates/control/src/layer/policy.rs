//! The policy of a layer's version: the document as AWS writes it, and whom it lets in.
//!
//! A statement only ever allows, and only `lambda:GetLayerVersion` on this one version.

use rushlight_model::layer::{LayerPolicy, LayerPrincipal, LayerStatement, LayerVersion};
use serde::Serialize;

use super::access::GET;

/// The largest policy in bytes (20 KB).
pub(super) const MAX_BYTES: usize = 20_480;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) account: &'a str,
    /// The organization that the account belongs to, if any.
    pub(super) organization_id: Option<&'a str>,
}

/// Whether the policy lets the caller get the version.
pub(super) fn allows(policy: Option<&LayerPolicy>, caller: &Caller<'_>) -> bool {
    policy.is_some_and(|policy| policy.statements.iter().any(|statement| lets_in(statement, caller)))
}

fn lets_in(statement: &LayerStatement, caller: &Caller<'_>) -> bool {
    let is_meant = match &statement.principal {
        LayerPrincipal::Everybody => true,
        // arn:<partition>:iam::<account>:root
        LayerPrincipal::Account(arn) => arn.split(':').nth(4) == Some(caller.account),
    };
    let organization = statement.organization_id.as_deref();
    is_meant && organization.is_none_or(|wanted| caller.organization_id == Some(wanted))
}

/// The members in AWS' order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    id: &'static str,
    statement: Vec<Statement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: &'a str,
    effect: &'static str,
    principal: Principal<'a>,
    action: &'static str,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Principal<'a> {
    Everybody(&'static str),
    Account {
        #[serde(rename = "AWS")]
        aws: &'a str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    string_equals: Organization<'a>,
}

#[derive(Serialize)]
struct Organization<'a> {
    #[serde(rename = "aws:PrincipalOrgID")]
    id: &'a str,
}

/// The policy of `version` with these statements, as JSON.
pub(super) fn document(version: &LayerVersion, statements: &[LayerStatement]) -> String {
    let resource = version.arn();
    let statement = statements.iter().map(|one| written(one, &resource)).collect();
    json(&Document { version: "2012-10-17", id: "default", statement })
}

/// One statement of the policy of `version`, as JSON.
pub(super) fn statement(version: &LayerVersion, statement: &LayerStatement) -> String {
    json(&written(statement, &version.arn()))
}

fn written<'a>(statement: &'a LayerStatement, resource: &'a str) -> Statement<'a> {
    Statement {
        sid: &statement.sid,
        effect: "Allow",
        principal: match &statement.principal {
            LayerPrincipal::Everybody => Principal::Everybody("*"),
            LayerPrincipal::Account(arn) => Principal::Account { aws: arn },
        },
        action: GET,
        resource,
        condition: statement
            .organization_id
            .as_deref()
            .map(|id| Condition { string_equals: Organization { id } }),
    }
}

fn json(value: &impl Serialize) -> String {
    // Structures of texts can always be written.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "arn:aws:iam::111122223333:root";

    fn policy(principal: LayerPrincipal, organization_id: Option<&str>) -> LayerPolicy {
        let organization_id = organization_id.map(Into::into);
        let statement = LayerStatement { sid: "s".into(), principal, organization_id };
        LayerPolicy { revision_id: "r".into(), statements: vec![statement] }
    }

    fn lets_in(policy: &LayerPolicy, account: &str, organization_id: Option<&str>) -> bool {
        allows(Some(policy), &Caller { account, organization_id })
    }

    #[test]
    fn only_who_is_meant_is_let_in() {
        let account = policy(LayerPrincipal::Account(ROOT.into()), None);
        assert!(lets_in(&account, "111122223333", None));
        assert!(!lets_in(&account, "999999999999", None));
        let everybody = policy(LayerPrincipal::Everybody, None);
        assert!(lets_in(&everybody, "999999999999", None));
        assert!(!allows(None, &Caller { account: "111122223333", organization_id: None }));
    }

    #[test]
    fn an_organization_lets_its_members_in_only() {
        let members = policy(LayerPrincipal::Everybody, Some("o-t194hfs8cz"));
        assert!(lets_in(&members, "999999999999", Some("o-t194hfs8cz")));
        assert!(!lets_in(&members, "999999999999", Some("o-another000")));
        assert!(!lets_in(&members, "999999999999", None));
    }
}
