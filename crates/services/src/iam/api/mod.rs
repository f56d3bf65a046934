//! The operations of IAM that functions, their deployment tools and their operators need.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/>
//!
//! | file | what it holds |
//! |---|---|
//! | user, access_key, role, policy | one noun each |
//! | inline, attached, boundary, tag | what users and roles have in common |
//! | document | what policy documents may be |
//! | change | how something is changed, and refused |
//! | page | lists, page by page |

mod access_key;
mod account;
mod attached;
mod boundary;
mod change;
mod document;
mod inline;
mod page;
mod policy;
mod role;
mod tag;
mod user;

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rushlight_api::iam::errors;
use rushlight_api::iam::service::IamService;
use rushlight_api::iam::types::*;
use rushlight_auth::Authorizer;
use rushlight_auth::policy::Context;
use tokio_util::task::TaskTracker;

use super::directory::Directory;
use crate::RequestContext;

/// What an operation answers: its output or an exception.
pub(super) type Answer<T> = Result<T, rushlight_api::Error>;

/// IAM as the gateway sees it. Clones are the same one.
#[derive(Clone)]
pub struct Iam {
    pub(super) directory: Arc<Directory>,
    authorizer: Authorizer,
    tracker: TaskTracker,
}

impl Iam {
    /// The service over a directory, for whom the policies allow it. Changes are carried out on `tracker`.
    pub fn new(directory: Arc<Directory>, authorizer: Authorizer, tracker: TaskTracker) -> Self {
        Self { directory, authorizer, tracker }
    }

    /// Refuses a caller without permission for `action` on `resource`, an ARN or `*`.
    fn allow(&self, context: &RequestContext, action: &str, resource: &str) -> Answer<()> {
        self.allow_with(context, action, resource, |_| ())
    }

    /// The same where the request has values of condition keys.
    fn allow_with<'a>(
        &'a self,
        context: &'a RequestContext,
        action: &str,
        resource: &str,
        describe: impl FnOnce(&mut Context<'a>),
    ) -> Answer<()> {
        let now = self.directory.clock.now().as_seconds();
        let mut conditions = context.caller.context(&context.scope.region, now);
        describe(&mut conditions);
        let account = &context.scope.account;
        self.authorizer
            .check(&context.caller.principal, action, resource, account, None, conditions)
            .map_err(|denied| rushlight_api::Error::access_denied(Some(denied.message)))
    }

    /// Carries a change out to its end, also when the caller hangs up: memory must not fall behind the disk.
    async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Answer<T>> + Send + 'static,
    ) -> Answer<T> {
        self.tracker.spawn(change).await.unwrap_or_else(|lost| {
            tracing::error!(error = %lost, "iam.lost");
            Err(errors::service_failure_exception("The request cannot be processed."))
        })
    }
}

impl fmt::Debug for Iam {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Iam(…)")
    }
}

macro_rules! operations {
    (
        reads { $($read:ident($read_input:ty) -> $read_output:ty = $read_by:expr;)* }
        changes { $($change:ident($change_input:ty) -> $change_output:ty = $change_by:expr;)* }
    ) => {
        impl IamService for Iam {
            type Context = RequestContext;

            $(async fn $read(&self, context: &RequestContext, input: $read_input) -> Answer<$read_output> {
                $read_by(self, context, input)
            })*

            $(async fn $change(&self, context: &RequestContext, input: $change_input) -> Answer<$change_output> {
                let (iam, context) = (self.clone(), context.clone());
                self.to_the_end(async move { $change_by(&iam, &context, input).await }).await
            })*
        }
    };
}

operations! {
    reads {
        get_user(GetUserRequest) -> GetUserResponse = user::get;
        list_users(ListUsersRequest) -> ListUsersResponse = user::list;
        list_user_tags(ListUserTagsRequest) -> ListUserTagsResponse = user::tags;
        list_access_keys(ListAccessKeysRequest) -> ListAccessKeysResponse = access_key::list;
        get_role(GetRoleRequest) -> GetRoleResponse = role::get;
        list_roles(ListRolesRequest) -> ListRolesResponse = role::list;
        list_role_tags(ListRoleTagsRequest) -> ListRoleTagsResponse = role::tags;
        list_instance_profiles_for_role(ListInstanceProfilesForRoleRequest) -> ListInstanceProfilesForRoleResponse
            = role::instance_profiles;
        get_user_policy(GetUserPolicyRequest) -> GetUserPolicyResponse = inline::get_user;
        list_user_policies(ListUserPoliciesRequest) -> ListUserPoliciesResponse = inline::list_user;
        get_role_policy(GetRolePolicyRequest) -> GetRolePolicyResponse = inline::get_role;
        list_role_policies(ListRolePoliciesRequest) -> ListRolePoliciesResponse = inline::list_role;
        list_attached_user_policies(ListAttachedUserPoliciesRequest) -> ListAttachedUserPoliciesResponse
            = attached::list_user;
        list_attached_role_policies(ListAttachedRolePoliciesRequest) -> ListAttachedRolePoliciesResponse
            = attached::list_role;
        get_policy(GetPolicyRequest) -> GetPolicyResponse = policy::get;
        list_policies(ListPoliciesRequest) -> ListPoliciesResponse = policy::list;
        get_policy_version(GetPolicyVersionRequest) -> GetPolicyVersionResponse = policy::version::get;
        list_policy_versions(ListPolicyVersionsRequest) -> ListPolicyVersionsResponse = policy::version::list;
    }
    changes {
        create_user(CreateUserRequest) -> CreateUserResponse = user::create;
        delete_user(DeleteUserRequest) -> () = user::delete;
        tag_user(TagUserRequest) -> () = user::tag;
        untag_user(UntagUserRequest) -> () = user::untag;
        create_access_key(CreateAccessKeyRequest) -> CreateAccessKeyResponse = access_key::create;
        update_access_key(UpdateAccessKeyRequest) -> () = access_key::update;
        delete_access_key(DeleteAccessKeyRequest) -> () = access_key::delete;
        create_role(CreateRoleRequest) -> CreateRoleResponse = role::create;
        update_role(UpdateRoleRequest) -> UpdateRoleResponse = role::update;
        update_assume_role_policy(UpdateAssumeRolePolicyRequest) -> () = role::update_trust;
        delete_role(DeleteRoleRequest) -> () = role::delete;
        tag_role(TagRoleRequest) -> () = role::tag;
        untag_role(UntagRoleRequest) -> () = role::untag;
        put_user_policy(PutUserPolicyRequest) -> () = inline::put_user;
        delete_user_policy(DeleteUserPolicyRequest) -> () = inline::delete_user;
        put_role_policy(PutRolePolicyRequest) -> () = inline::put_role;
        delete_role_policy(DeleteRolePolicyRequest) -> () = inline::delete_role;
        attach_user_policy(AttachUserPolicyRequest) -> () = attached::attach_user;
        detach_user_policy(DetachUserPolicyRequest) -> () = attached::detach_user;
        attach_role_policy(AttachRolePolicyRequest) -> () = attached::attach_role;
        detach_role_policy(DetachRolePolicyRequest) -> () = attached::detach_role;
        put_user_permissions_boundary(PutUserPermissionsBoundaryRequest) -> () = boundary::put_user;
        delete_user_permissions_boundary(DeleteUserPermissionsBoundaryRequest) -> () = boundary::delete_user;
        put_role_permissions_boundary(PutRolePermissionsBoundaryRequest) -> () = boundary::put_role;
        delete_role_permissions_boundary(DeleteRolePermissionsBoundaryRequest) -> () = boundary::delete_role;
        create_policy(CreatePolicyRequest) -> CreatePolicyResponse = policy::create;
        delete_policy(DeletePolicyRequest) -> () = policy::delete;
        create_policy_version(CreatePolicyVersionRequest) -> CreatePolicyVersionResponse = policy::version::create;
        delete_policy_version(DeletePolicyVersionRequest) -> () = policy::version::delete;
        set_default_policy_version(SetDefaultPolicyVersionRequest) -> () = policy::version::set_default;
    }
}

/// What is left as it is in documents in answers.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encoded as IAM does with documents in answers: all but unreserved characters.
fn percent_encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}
