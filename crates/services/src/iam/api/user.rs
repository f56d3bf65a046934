//! Users.

use rushlight_api::iam::errors;
use rushlight_api::iam::types::*;

use super::change::{new_id, no_such, shown};
use super::page::{Page, page};
use super::{Answer, Iam, boundary, tag};
use crate::RequestContext;
use crate::iam::entity::{Attachments, Entity, User as Row, arn};

/// Where users without a path are.
pub(super) const ROOT: &str = "/";

pub(super) async fn create(
    iam: &Iam,
    context: &RequestContext,
    input: CreateUserRequest,
) -> Answer<CreateUserResponse> {
    let account = &context.scope.account;
    let path = input.path.unwrap_or_else(|| ROOT.to_owned());
    let tags = tag::of_new(input.tags.as_deref())?;
    let limit = input.permissions_boundary.as_deref();
    iam.allow_with(
        context,
        "iam:CreateUser",
        &arn(account, "user", &path, &input.user_name),
        |conditions| {
            tag::describe(&tags, conditions);
            boundary::describe(limit, conditions);
        },
    )?;
    boundary::check(iam, limit)?;
    let change = iam.directory.change().await;
    if iam.directory.users.get(account, &input.user_name).is_some() {
        let message = format!("User with name {} already exists.", input.user_name);
        return Err(errors::entity_already_exists_exception(message));
    }
    let row = Row {
        account: account.clone(),
        path,
        name: input.user_name,
        id: new_id("AIDA")?,
        created: iam.directory.clock.now(),
        attachments: Attachments { boundary: input.permissions_boundary, ..Attachments::default() },
        keys: Vec::new(),
        tags,
    };
    let row = change.put(row).await?;
    tracing::info!(user = row.arn(), caller = context.caller.principal.arn(), "iam.user.created");
    Ok(CreateUserResponse { user: Some(view(&row)) })
}

pub(super) fn get(iam: &Iam, context: &RequestContext, input: GetUserRequest) -> Answer<GetUserResponse> {
    let account = &context.scope.account;
    let name = match input.user_name.as_deref().or(context.caller.principal.user_name()) {
        Some(name) => name,
        None => return own(iam, context),
    };
    iam.allow(context, "iam:GetUser", &iam.directory.arn_of::<Row>(account, name))?;
    let row = iam.directory.existing::<Row>(account, name)?;
    Ok(GetUserResponse { user: view(&row) })
}

/// The caller who is no user: of the root there is little to tell, of a role's session nothing.
fn own(iam: &Iam, context: &RequestContext) -> Answer<GetUserResponse> {
    let principal = &context.caller.principal;
    if principal.kind() != rushlight_auth::PrincipalKind::Root {
        return Err(must_name_a_user());
    }
    let user = User {
        path: ROOT.to_owned(),
        user_id: principal.user_id().to_owned(),
        arn: principal.arn().to_owned(),
        create_date: shown(iam.directory.clock.now()),
        ..User::default()
    };
    Ok(GetUserResponse { user })
}

/// The refusal of a request that leaves the user out, by a caller who is none.
pub(super) fn must_name_a_user() -> rushlight_api::Error {
    let message = "Must specify userName when calling with non-User credentials";
    rushlight_api::Error { code: "ValidationError".into(), ..rushlight_api::Error::validation(message) }
}

pub(super) fn list(
    iam: &Iam,
    context: &RequestContext,
    input: ListUsersRequest,
) -> Answer<ListUsersResponse> {
    let account = &context.scope.account;
    iam.allow(context, "iam:ListUsers", &arn(account, "user", ROOT, ""))?;
    let prefix = input.path_prefix.as_deref().unwrap_or(ROOT);
    let rows = iam.directory.users.of_account(account).into_iter().filter(|row| row.path.starts_with(prefix));
    let name = |row: &std::sync::Arc<Row>| row.name.to_lowercase();
    let Page { items, is_truncated, marker } = page(rows, name, input.marker.as_deref(), input.max_items)?;
    let users =
        items.iter().map(|row| User { tags: None, permissions_boundary: None, ..view(row) }).collect();
    Ok(ListUsersResponse { users, is_truncated, marker })
}

pub(super) async fn delete(iam: &Iam, context: &RequestContext, input: DeleteUserRequest) -> Answer<()> {
    let account = &context.scope.account;
    iam.allow(context, "iam:DeleteUser", &iam.directory.arn_of::<Row>(account, &input.user_name))?;
    let change = iam.directory.change().await;
    let row = iam.directory.existing::<Row>(account, &input.user_name)?;
    check_bare(&row.attachments)?;
    if !row.keys.is_empty() {
        return Err(errors::delete_conflict_exception(
            "Cannot delete entity, must delete access keys first.",
        ));
    }
    change.remove(&*row).await?;
    tracing::info!(user = row.arn(), caller = context.caller.principal.arn(), "iam.user.deleted");
    Ok(())
}

/// Refuses to delete what policies are attached to.
pub(super) fn check_bare(attachments: &Attachments) -> Answer<()> {
    let message = if !attachments.managed.is_empty() {
        "Cannot delete entity, must detach all policies first."
    } else if !attachments.inline.is_empty() {
        "Cannot delete entity, must delete policies first."
    } else {
        return Ok(());
    };
    Err(errors::delete_conflict_exception(message))
}

pub(super) async fn tag(iam: &Iam, context: &RequestContext, input: TagUserRequest) -> Answer<()> {
    tag::put::<Row>(iam, context, "iam:TagUser", &input.user_name, &input.tags).await
}

pub(super) async fn untag(iam: &Iam, context: &RequestContext, input: UntagUserRequest) -> Answer<()> {
    tag::remove::<Row>(iam, context, "iam:UntagUser", &input.user_name, &input.tag_keys).await
}

pub(super) fn tags(
    iam: &Iam,
    context: &RequestContext,
    input: ListUserTagsRequest,
) -> Answer<ListUserTagsResponse> {
    let (action, marker) = ("iam:ListUserTags", input.marker.as_deref());
    let Page { items, is_truncated, marker } =
        tag::list::<Row>(iam, context, action, &input.user_name, marker, input.max_items)?;
    Ok(ListUserTagsResponse { tags: items, is_truncated, marker })
}

fn view(row: &Row) -> User {
    User {
        path: row.path.clone(),
        user_name: row.name.clone(),
        user_id: row.id.clone(),
        arn: row.arn(),
        create_date: shown(row.created),
        password_last_used: None,
        permissions_boundary: boundary::view(&row.attachments),
        tags: tag::view_if_any(&row.tags),
    }
}

/// The user that a request is about: the one that it names, or else the caller.
pub(super) fn meant<'a>(context: &'a RequestContext, given: Option<&'a str>) -> Answer<&'a str> {
    given.or(context.caller.principal.user_name()).ok_or_else(must_name_a_user)
}

/// The answer where a key is looked for that is not there.
pub(super) fn no_such_key(id: &str) -> rushlight_api::Error {
    no_such(format!("The Access Key with id {id} cannot be found."))
}
