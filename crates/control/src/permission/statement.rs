//! A statement as AWS writes it, from the members of AddPermission.

use rushlight_api::lambda::types::AddPermissionRequest;
use rushlight_model::arn::{FunctionReference, is_account};
use serde::Serialize;

use crate::error::{Error, Result};

/// The only action that a function URL's authentication has a say in.
const INVOKE_URL: &str = "lambda:InvokeFunctionUrl";

/// The domains that AWS' services are named under.
const SERVICE_DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal"];

/// The members in AWS' order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: &'a str,
    effect: &'static str,
    principal: Principal<'a>,
    action: &'a str,
    resource: &'a str,
    #[serde(skip_serializing_if = "Condition::is_empty")]
    condition: Condition<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Principal<'a> {
    Everybody(&'static str),
    Service {
        #[serde(rename = "Service")]
        service: &'a str,
    },
    Aws {
        #[serde(rename = "AWS")]
        aws: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    #[serde(skip_serializing_if = "Strings::is_empty")]
    string_equals: Strings<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bool: Option<Flags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn_like: Option<Source<'a>>,
}

#[derive(Serialize, PartialEq, Eq)]
struct Strings<'a> {
    #[serde(rename = "AWS:SourceAccount", skip_serializing_if = "Option::is_none")]
    source_account: Option<&'a str>,
    #[serde(rename = "lambda:FunctionUrlAuthType", skip_serializing_if = "Option::is_none")]
    function_url_auth_type: Option<&'a str>,
    #[serde(rename = "aws:PrincipalOrgID", skip_serializing_if = "Option::is_none")]
    principal_org_id: Option<&'a str>,
    #[serde(rename = "lambda:EventSourceToken", skip_serializing_if = "Option::is_none")]
    event_source_token: Option<&'a str>,
}

#[derive(Serialize)]
struct Flags {
    /// AWS writes it as text.
    #[serde(rename = "lambda:InvokedViaFunctionUrl")]
    invoked_via_function_url: &'static str,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(rename = "AWS:SourceArn")]
    arn: &'a str,
}

impl Strings<'_> {
    const NONE: Strings<'static> = Strings {
        source_account: None,
        function_url_auth_type: None,
        principal_org_id: None,
        event_source_token: None,
    };

    fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

impl Condition<'_> {
    fn is_empty(&self) -> bool {
        self.string_equals.is_empty() && self.bool.is_none() && self.arn_like.is_none()
    }
}

/// The statement that the request asks for, as JSON.
pub(super) fn write(input: &AddPermissionRequest, reference: &FunctionReference) -> Result<String> {
    if input.function_url_auth_type.is_some() && input.action != INVOKE_URL {
        return Err(Error::invalid(format!("FunctionUrlAuthType is only supported for {INVOKE_URL} action")));
    }
    let resource = reference.arn();
    let partition = reference.function.scope.partition();
    let statement = Statement {
        sid: &input.statement_id,
        effect: "Allow",
        principal: principal(&input.principal, partition).ok_or_else(invalid_principal)?,
        action: &input.action,
        resource: &resource,
        condition: Condition {
            string_equals: Strings {
                source_account: given(input.source_account.as_deref()),
                function_url_auth_type: input.function_url_auth_type.as_ref().map(|kind| kind.as_str()),
                principal_org_id: input.principal_org_id.as_deref(),
                event_source_token: given(input.event_source_token.as_deref()),
            },
            bool: input
                .invoked_via_function_url
                .map(|via| Flags { invoked_via_function_url: if via { "true" } else { "false" } }),
            arn_like: given(input.source_arn.as_deref()).map(|arn| Source { arn }),
        },
    };
    // Structures of texts can always be written.
    Ok(serde_json::to_string(&statement).unwrap_or_default())
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn invalid_principal() -> Error {
    Error::invalid("The provided principal was invalid. Please check the principal and try again.")
}

/// Everyone, a service, an account or one of its users, roles and sessions; in the form that policies have.
fn principal<'a>(given: &'a str, partition: &str) -> Option<Principal<'a>> {
    if given == "*" {
        return Some(Principal::Everybody("*"));
    }
    if is_account(given) {
        return Some(Principal::Aws { aws: format!("arn:{partition}:iam::{given}:root") });
    }
    if given.starts_with("arn:") {
        // What stands behind the account is looked at when the policy is read.
        let account = given.split(':').nth(4).filter(|account| is_account(account));
        return account.map(|_| Principal::Aws { aws: given.to_owned() });
    }
    let is_letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_service = given.bytes().all(is_letter)
        && !given.starts_with('.')
        && SERVICE_DOMAINS.iter().any(|domain| given.len() > domain.len() && given.ends_with(domain));
    is_service.then_some(Principal::Service { service: given })
}
