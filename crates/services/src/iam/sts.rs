//! STS: who am I, and credentials for a while.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/>

use std::fmt;
use std::sync::Arc;

use rushlight_api::sts::service::StsService;
use rushlight_api::sts::types::*;
use rushlight_api::{Error, Timestamp};
use rushlight_auth::policy::{ASSUME_ROLE, Document, Kind};
use rushlight_auth::{Authorizer, PrincipalKind, RoleSession, SessionKey};

use super::directory::Directory;
use super::entity::{Entity, Role};
use crate::RequestContext;

type Answer<T> = Result<T, Error>;

/// How long a session lasts when the request does not say, in seconds.
const SECONDS: i32 = 3600;

/// The condition key that tells the external id in a request.
const EXTERNAL_ID: &str = "sts:ExternalId";
/// The condition key that tells the name of the session.
const ROLE_SESSION_NAME: &str = "sts:RoleSessionName";

/// STS as the gateway sees it.
pub struct Sts {
    directory: Arc<Directory>,
    authorizer: Authorizer,
    sessions: Arc<SessionKey>,
}

impl Sts {
    /// The service over a directory; what it issues is sealed with `sessions`.
    pub fn new(directory: Arc<Directory>, authorizer: Authorizer, sessions: Arc<SessionKey>) -> Self {
        Self { directory, authorizer, sessions }
    }

    /// The role, if the caller may assume it.
    fn assumable(&self, context: &RequestContext, input: &AssumeRoleRequest) -> Answer<Arc<Role>> {
        let principal = &context.caller.principal;
        let denied = || {
            Error::access_denied(Some(format!(
                "User: {} is not authorized to perform: {ASSUME_ROLE} on resource: {}",
                principal.arn(),
                input.role_arn
            )))
        };
        // Which roles there are is not told to who may not assume them.
        let role = self.directory.role(&input.role_arn);
        // Where signatures are not verified, everybody is a root, and roles are not looked at.
        if let Some(role) = &role
            && !self.authorizer.identities().knows_roles_of(&role.account)
        {
            return Ok(role.clone());
        }
        if principal.kind() == PrincipalKind::Root {
            return Err(Error::access_denied(Some("Roles may not be assumed by root accounts.".to_owned())));
        }
        let role = role.ok_or_else(denied)?;
        let trust = Document::parse(&role.trust, Kind::Trust).map_err(|_| denied())?;
        let now = self.directory.clock.now().as_seconds();
        let mut conditions = context.caller.context(&context.scope.region, now);
        conditions.insert(ROLE_SESSION_NAME, input.role_session_name.as_str());
        if let Some(id) = &input.external_id {
            conditions.insert(EXTERNAL_ID, id.as_str());
        }
        let (resource, owner) = (&input.role_arn, &role.account);
        self.authorizer
            .check(principal, ASSUME_ROLE, resource, owner, Some(&trust), conditions)
            .map_err(|_| denied())?;
        Ok(role)
    }
}

impl StsService for Sts {
    type Context = RequestContext;

    async fn get_caller_identity(
        &self,
        context: &RequestContext,
        _input: GetCallerIdentityRequest,
    ) -> Answer<GetCallerIdentityResponse> {
        let principal = &context.caller.principal;
        Ok(GetCallerIdentityResponse {
            user_id: Some(principal.user_id().to_owned()),
            account: Some(principal.account().to_owned()),
            arn: Some(principal.arn().to_owned()),
        })
    }

    async fn assume_role(
        &self,
        context: &RequestContext,
        input: AssumeRoleRequest,
    ) -> Answer<AssumeRoleResponse> {
        check_offered(&input)?;
        if !is_arn(&input.role_arn) {
            return Err(validation(&format!("{} is invalid", input.role_arn)));
        }
        let role = self.assumable(context, &input)?;
        let seconds = input.duration_seconds.unwrap_or(SECONDS);
        if seconds > role.max_session_seconds {
            return Err(validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let expires_at = self.directory.clock.now().as_seconds() + i64::from(seconds);
        let session = RoleSession {
            account: role.account.clone(),
            role: role.arn_name(),
            role_id: role.id.clone(),
            session: input.role_session_name.clone(),
            source_function_arn: None,
            expires_at,
        };
        let key = self.sessions.issue(&session).map_err(|error| {
            tracing::error!(%error, "sts.randomness.failed");
            Error::internal_failure()
        })?;
        tracing::info!(
            role = role.arn(),
            session = session.session,
            caller = context.caller.principal.arn(),
            "sts.role.assumed"
        );
        Ok(AssumeRoleResponse {
            credentials: Some(Credentials {
                access_key_id: key.access_key_id,
                secret_access_key: key.secret_access_key.expose().to_owned(),
                session_token: key.session_token.unwrap_or_default(),
                expiration: Timestamp::from_milliseconds(expires_at * 1000),
            }),
            assumed_role_user: Some(AssumedRoleUser {
                assumed_role_id: format!("{}:{}", role.id, session.session),
                arn: format!("arn:aws:sts::{}:assumed-role/{}/{}", role.account, role.name, session.session),
            }),
            ..AssumeRoleResponse::default()
        })
    }
}

/// Refuses what would limit or mark the session and is not done here: a session that can do more than was asked for
/// must not be handed out.
fn check_offered(input: &AssumeRoleRequest) -> Answer<()> {
    let refused = [
        ("Policy", input.policy.is_some()),
        ("PolicyArns", input.policy_arns.as_ref().is_some_and(|given| !given.is_empty())),
        ("Tags", input.tags.as_ref().is_some_and(|given| !given.is_empty())),
        ("TransitiveTagKeys", input.transitive_tag_keys.as_ref().is_some_and(|given| !given.is_empty())),
        ("SourceIdentity", input.source_identity.is_some()),
        ("SerialNumber", input.serial_number.is_some()),
    ];
    match refused.iter().find(|(_, given)| *given) {
        Some((member, _)) => {
            Err(validation(&format!("Rushlight does not offer {member} of AssumeRole: leave it out.")))
        }
        None => Ok(()),
    }
}

/// Whether a text has the six parts of an ARN. What it is an ARN of is not looked at: of what is no role here, no more
/// is said than that it may not be assumed.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.split(':').nth(5).is_some()
}

fn validation(message: &str) -> Error {
    Error { code: "ValidationError".into(), ..Error::validation(message) }
}

impl fmt::Debug for Sts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sts(…)")
    }
}
