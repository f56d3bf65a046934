//! Who uses what: by the ARN of what functions name, the functions that name it.
//!
//! This is the heads of functions read backwards. It is kept in memory by the [`Ledger`](crate::ledger::Ledger), which
//! follows every change of a head, so there are no rows that a crash could leave behind or forget.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

/// One direction of use: an ARN, and the name by which its user is listed.
pub(crate) type Use = (String, String);

/// Under this, versions are listed that use what the ARN names; under the ARN itself, functions.
pub(crate) fn of_versions(arn: &str) -> String {
    format!("{arn}#versions")
}

/// The name by which a version is listed: in the order of the numbers.
pub(crate) fn version(function: &str, number: u64) -> String {
    format!("{function}:{number:020}")
}

/// What [`version`] made a name of.
pub(crate) fn split_version(name: &str) -> Option<(&str, u64)> {
    let (function, number) = name.split_once(':')?;
    Some((function, number.parse().ok()?))
}

#[derive(Debug, Default)]
pub(crate) struct Users {
    by_arn: HashMap<String, BTreeSet<String>>,
}

impl Users {
    pub(crate) fn add(&mut self, (arn, user): &Use) {
        self.by_arn.entry(arn.clone()).or_default().insert(user.clone());
    }

    pub(crate) fn remove(&mut self, (arn, user): &Use) {
        let Some(users) = self.by_arn.get_mut(arn) else {
            return;
        };
        users.remove(user);
        if users.is_empty() {
            self.by_arn.remove(arn);
        }
    }

    /// How many use it.
    pub(crate) fn count(&self, arn: &str) -> usize {
        self.by_arn.get(arn).map_or(0, BTreeSet::len)
    }

    /// Up to `limit` users in order, from the first one after `after`.
    pub(crate) fn list(&self, arn: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_arn
            .get(arn)
            .into_iter()
            .flat_map(|users| users.range::<str, _>((start, Bound::Unbounded)))
            .take(limit)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_listed_by_number() {
        assert!(version("f", 2) < version("f", 10));
        assert_eq!(split_version(&version("f", 10)), Some(("f", 10)));
    }

    #[test]
    fn users_are_listed_in_order_and_from_anywhere() {
        let mut users = Users::default();
        for user in ["b", "a", "c"] {
            users.add(&("x".into(), user.into()));
        }
        users.add(&("y".into(), "a".into()));
        assert_eq!(users.list("x", None, 2), ["a", "b"]);
        assert_eq!(users.list("x", Some("a"), 9), ["b", "c"]);
        assert_eq!(users.list("x", Some("aa"), 9), ["b", "c"]);
        users.remove(&("x".into(), "b".into()));
        users.remove(&("x".into(), "b".into()));
        assert_eq!((users.count("x"), users.count("y"), users.count("z")), (2, 1, 0));
        assert_eq!(users.list("x", None, 9), ["a", "c"]);
        for user in ["a", "c"] {
            users.remove(&("x".into(), user.into()));
        }
        assert!(!users.by_arn.contains_key("x"));
    }
}
