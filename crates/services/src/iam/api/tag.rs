//! Tags of users, roles and managed policies.

use rushlight_api::iam::errors;
use rushlight_api::iam::types::Tag;
use rushlight_auth::policy::Context;
use rushlight_auth::policy::key::{REQUEST_TAG, TAG_KEYS};

use super::change::{Kept, quota};
use super::page::{Page, page};
use super::{Answer, Iam};
use crate::RequestContext;
use crate::iam::entity::{Entity, Tags};

/// How many tags a user or a role may have.
const LIMIT: usize = 50;

/// The tags that a user or a role is created with.
pub(super) fn of_new(given: Option<&[Tag]>) -> Answer<Tags> {
    let given = given.unwrap_or_default();
    check_distinct(given)?;
    Ok(kept(given))
}

/// The tags that a managed policy is created with. The case of their keys matters, and the shortest come first.
pub(super) fn of_new_policy(given: Option<&[Tag]>) -> Answer<Tags> {
    let mut tags = kept(given.unwrap_or_default());
    tags.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
    if has_twins(tags.iter().map(|(key, _)| key)) {
        return Err(errors::invalid_input_exception("Duplicate tag keys found."));
    }
    Ok(tags)
}

/// Adds what policies can ask about the tags in a request.
pub(super) fn describe(tags: &Tags, context: &mut Context<'_>) {
    for (name, value) in tags {
        context.insert_tag(REQUEST_TAG, name, value.clone());
        context.insert(TAG_KEYS, name.clone());
    }
}

pub(super) async fn put<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    given: &[Tag],
) -> Answer<()> {
    check_distinct(given)?;
    let account = &context.scope.account;
    let new = kept(given);
    iam.allow_with(context, action, &iam.directory.arn_of::<T>(account, name), |conditions| {
        describe(&new, conditions);
    })?;
    let change = iam.directory.change().await;
    let add = |entity: &mut T| {
        let tags = entity.tags_mut();
        for (name, value) in new {
            match tags.iter_mut().find(|(present, _)| is_same(present, &name)) {
                Some(present) => *present = (name, value),
                None => tags.push((name, value)),
            }
        }
        if tags.len() > LIMIT { Err(quota("TagsPerEntity", LIMIT)) } else { Ok(()) }
    };
    change.update::<T>(account, name, add).await.map(drop)
}

pub(super) async fn remove<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    keys: &[String],
) -> Answer<()> {
    let account = &context.scope.account;
    iam.allow(context, action, &iam.directory.arn_of::<T>(account, name))?;
    let change = iam.directory.change().await;
    let remove = |entity: &mut T| {
        entity.tags_mut().retain(|(present, _)| !keys.iter().any(|key| is_same(present, key)));
        Ok(())
    };
    change.update::<T>(account, name, remove).await.map(drop)
}

pub(super) fn list<T: Kept + Entity>(
    iam: &Iam,
    context: &RequestContext,
    action: &str,
    name: &str,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Answer<Page<Tag>> {
    let account = &context.scope.account;
    iam.allow(context, action, &iam.directory.arn_of::<T>(account, name))?;
    let tags = view(iam.directory.existing::<T>(account, name)?.tags());
    // They are in the order of tagging, so pages go by number.
    let number = |(index, _): &(usize, Tag)| format!("{index:02}");
    let Page { items, is_truncated, marker } = page(tags.into_iter().enumerate(), number, marker, max_items)?;
    Ok(Page { items: items.into_iter().map(|(_, tag)| tag).collect(), is_truncated, marker })
}

/// Tags are shown with a user or role only if there are some.
pub(super) fn view_if_any(tags: &Tags) -> Option<Vec<Tag>> {
    (!tags.is_empty()).then(|| view(tags))
}

pub(super) fn view(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

fn kept(given: &[Tag]) -> Tags {
    given.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// Whether two keys are the same to users and roles.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn check_distinct(tags: &[Tag]) -> Answer<()> {
    let mut keys: Vec<String> = tags.iter().map(|tag| tag.key.to_lowercase()).collect();
    keys.sort_unstable();
    if has_twins(&keys) {
        let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
        return Err(errors::invalid_input_exception(message));
    }
    Ok(())
}

/// Whether any of the keys, which are in order, follows itself.
fn has_twins<'k>(keys: impl IntoIterator<Item = &'k String>) -> bool {
    let mut before = None;
    keys.into_iter().any(|key| before.replace(key) == Some(key))
}
