//! The policy of a layer's version: the document as AWS writes it.
//!
//! A statement only ever allows, and only `lambda:GetLayerVersion` on this one version.

use rushlight_model::layer::{LayerPrincipal, LayerStatement, LayerVersion};
use serde::Serialize;

/// What layer policies allow.
const GET: &str = "lambda:GetLayerVersion";

/// The largest policy in bytes (20 KB).
pub(super) const MAX_BYTES: usize = 20_480;

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
