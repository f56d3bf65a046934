//! The keys of IAM: `iam-user/<account>/<name>`, and the same for roles and managed policies; `iam-account/<account>`.
//!
//! Names that differ in case only are the same name, so keys are in lower case.

use crate::key::segment;

/// The prefix of the table of users.
pub const USERS: &str = "iam-user";
/// The prefix of the table of roles.
pub const ROLES: &str = "iam-role";
/// The prefix of the table of customer managed policies.
pub const POLICIES: &str = "iam-policy";
/// The prefix of the table of accounts beside the server's own.
pub const ACCOUNTS: &str = "iam-account";

/// The key of a user, role or policy, relative to its table.
pub fn key(account: &str, name: &str) -> String {
    format!("{}/{}", segment(account), segment(&name.to_lowercase()))
}
