//! Authorization: whether the caller may do what it asks for. Every operation passes here before it begins.
//!
//! ```text
//! input ── operations.rs ──> permissions: action on target ── resource.rs ──> ARN, owner, policy, tags
//!                                                                               │
//! caller ── Identities ──> policies of the user or role ──> Authorizer::check <─┘ ──> the scope to work in, or denied
//! ```
//! | file | what it holds |
//! |---|---|
//! | operations | which permissions each operation takes: one line each |
//! | permission | what a permission consists of |
//! | resource | what a target is: its ARN, owner, policy and tags |
//! | compiled | policies of resources, compiled once |
//! | role | execution roles: whose they are, and whether Lambda may assume them |
//! | url | requests to function URLs |
//!
//! What belongs to another account is worked on in that account's scope, if its policy lets the caller in.

mod compiled;
mod operations;
mod permission;
mod resource;
pub(crate) mod role;
mod url;

use rushlight_api::lambda::types::{InvokeRequest, InvokeWithResponseStreamRequest};
use rushlight_auth::policy::Context;
use rushlight_auth::policy::key::{REQUEST_TAG, TAG_KEYS};
use rushlight_auth::{Authorizer, Caller};
use rushlight_model::arn::Scope;

pub(crate) use self::compiled::CompiledPolicies;
pub(crate) use self::permission::Authorized;
use self::permission::Permission;
use self::resource::Resource;
pub use self::url::url_forbidden;
use crate::Control;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::service::Answer;

impl Control {
    /// Decides whether `caller` may invoke a function as `input` asks. The answer is the scope that the function is
    /// in, where that is not `here`.
    ///
    /// # Errors
    /// `AccessDeniedException`, or what is wrong with the function's name.
    pub async fn authorize_invocation(
        &self,
        caller: &Caller,
        here: &Scope,
        input: &InvokeRequest,
    ) -> Answer<Option<Scope>> {
        Ok(self.authorized_scope(caller, here, input).await?)
    }

    /// As [`Control::authorize_invocation`], for a response that comes piece by piece.
    ///
    /// # Errors
    /// As there.
    pub async fn authorize_response_stream(
        &self,
        caller: &Caller,
        here: &Scope,
        input: &InvokeWithResponseStreamRequest,
    ) -> Answer<Option<Scope>> {
        Ok(self.authorized_scope(caller, here, input).await?)
    }

    /// Decides whether the caller may have the operation of this input carried out. The answer is the context to
    /// carry it out in.
    pub(crate) async fn authorize<I: Authorized>(
        &self,
        context: &RequestContext,
        input: &I,
    ) -> Result<RequestContext> {
        let owner = self.authorized_scope(&context.caller, &context.scope, input).await?;
        let scope = owner.unwrap_or_else(|| context.scope.clone());
        Ok(RequestContext { scope, ..context.clone() })
    }

    async fn authorized_scope<I: Authorized>(
        &self,
        caller: &Caller,
        here: &Scope,
        input: &I,
    ) -> Result<Option<Scope>> {
        let permission = input.permission();
        let owner = self.check(caller, here, &permission, |context| describe(input, context)).await?;
        for permission in input.dependent() {
            self.check(caller, here, &permission, |context| describe(input, context)).await?;
        }
        let is_foreign = owner != here.account;
        Ok(is_foreign.then(|| Scope { account: owner, region: here.region.clone() }))
    }

    /// Decides one permission. The answer is the account that the target belongs to.
    async fn check<'a>(
        &'a self,
        caller: &'a Caller,
        here: &'a Scope,
        permission: &Permission<'a>,
        describe: impl FnOnce(&mut Context<'a>),
    ) -> Result<String> {
        let resource = self.resource(here, &permission.target).await?;
        // Whatever the policy of a resource says, the root of its account can put it right.
        let policy = resource
            .policy
            .as_ref()
            .filter(|_| !permission.mends_policies() || !is_root_of(caller, &resource));
        if Authorizer::is_beyond_question(&caller.principal, resource.owner(), policy) {
            return Ok(resource.into_owner());
        }
        let mut context = caller.context(&here.region, self.clock.now().as_seconds());
        describe(&mut context);
        permission.target.describe(&mut context);
        resource.describe(&mut context);
        let arn = resource.arn();
        let checked = self.authorizer.check(
            &caller.principal,
            permission.action,
            &arn,
            resource.owner(),
            policy,
            context,
        );
        match checked {
            Ok(()) => Ok(resource.into_owner()),
            Err(denied) if denied.is_foreign && !permission.explains_to_strangers() => {
                Err(Error::OtherAccount)
            }
            Err(denied) => Err(Error::AccessDenied(denied.message)),
        }
    }
}

fn is_root_of(caller: &Caller, resource: &Resource) -> bool {
    Authorizer::is_beyond_question(&caller.principal, resource.owner(), None)
}

/// What the request says that policies can ask about.
fn describe<'a, I: Authorized>(input: &'a I, context: &mut Context<'a>) {
    input.conditions(context);
    for (name, value) in input.tags() {
        context.insert_tag(REQUEST_TAG, name, value);
        context.insert(TAG_KEYS, name);
    }
}
