//! What is kept: users, roles, managed policies, accounts. A row each.

use std::collections::BTreeMap;

use rushlight_auth::SecretAccessKey;
use rushlight_model::clock::Timestamp;
use rushlight_store::table::iam::{ACCOUNTS, POLICIES, ROLES, USERS};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A row that is found by account and name.
pub(super) trait Named: Clone {
    /// The prefix of its table.
    const TABLE: &'static str;

    fn account(&self) -> &str;

    fn name(&self) -> &str;
}

/// What policies are attached to.
pub(super) trait Entity: Named {
    /// As in AWS' messages: `user`, `role`.
    const KIND: &'static str;
    /// Characters of all inline policies together, without white space.
    const INLINE_CHARACTERS: usize;
    /// The quota of attached managed policies, as AWS' message names it.
    const ATTACHED_QUOTA: &'static str;

    fn path(&self) -> &str;

    fn attachments(&self) -> &Attachments;

    fn attachments_mut(&mut self) -> &mut Attachments;

    fn tags(&self) -> &Tags;

    fn tags_mut(&mut self) -> &mut Tags;

    /// `arn:aws:iam::<account>:<kind><path><name>`.
    fn arn(&self) -> String {
        arn(self.account(), Self::KIND, self.path(), self.name())
    }

    /// The name with the path in front, as it stands behind `user/` or `role/`. Paths begin and end with a slash.
    fn arn_name(&self) -> String {
        format!("{}{}", self.path().trim_start_matches('/'), self.name())
    }
}

/// Names and values, in the order of tagging.
pub(super) type Tags = Vec<(String, String)>;

/// `arn:aws:iam::<account>:<kind><path><name>`.
pub(super) fn arn(account: &str, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// The policies of a user or a role.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Attachments {
    /// Documents by the policies' names.
    pub(super) inline: BTreeMap<String, String>,
    /// ARNs of managed policies, in the order of attachment.
    pub(super) managed: Vec<String>,
    /// The ARN of the permissions boundary.
    pub(super) boundary: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) account: String,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) attachments: Attachments,
    pub(super) keys: Vec<Key>,
    pub(super) tags: Tags,
}

/// A long-term access key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: String,
    #[serde(serialize_with = "expose", deserialize_with = "hide")]
    pub(super) secret: SecretAccessKey,
    pub(super) is_active: bool,
    pub(super) created: Timestamp,
}

fn expose<S: Serializer>(secret: &SecretAccessKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn hide<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretAccessKey, D::Error> {
    Ok(SecretAccessKey::new(&String::deserialize(deserializer)?))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) account: String,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) created: Timestamp,
    /// The document that says who may assume it.
    pub(super) trust: String,
    pub(super) description: Option<String>,
    pub(super) max_session_seconds: i32,
    pub(super) attachments: Attachments,
    pub(super) tags: Tags,
}

/// A customer managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ManagedPolicy {
    pub(super) account: String,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) description: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// The number of the version that counts.
    pub(super) default_version: u32,
    /// The highest number given out; numbers are never reused.
    pub(super) last_version: u32,
    pub(super) versions: BTreeMap<u32, Version>,
    pub(super) tags: Tags,
}

/// A version of a managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) document: String,
    pub(super) created: Timestamp,
}

impl ManagedPolicy {
    /// `arn:aws:iam::<account>:policy<path><name>`.
    pub(super) fn arn(&self) -> String {
        arn(&self.account, "policy", &self.path, &self.name)
    }
}

/// An account beside the server's own: all that is known of it is its root's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) account: String,
    pub(super) root_key: Key,
}

impl Named for User {
    const TABLE: &'static str = USERS;

    fn account(&self) -> &str {
        &self.account
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Role {
    const TABLE: &'static str = ROLES;

    fn account(&self) -> &str {
        &self.account
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for ManagedPolicy {
    const TABLE: &'static str = POLICIES;

    fn account(&self) -> &str {
        &self.account
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Account {
    const TABLE: &'static str = ACCOUNTS;

    fn account(&self) -> &str {
        &self.account
    }

    fn name(&self) -> &str {
        "root"
    }
}

impl Entity for User {
    const KIND: &'static str = "user";
    const INLINE_CHARACTERS: usize = 2048;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerUser";

    fn path(&self) -> &str {
        &self.path
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn attachments_mut(&mut self) -> &mut Attachments {
        &mut self.attachments
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl Entity for Role {
    const KIND: &'static str = "role";
    const INLINE_CHARACTERS: usize = 10_240;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerRole";

    fn path(&self) -> &str {
        &self.path
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn attachments_mut(&mut self) -> &mut Attachments {
        &mut self.attachments
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
