//! IAM and STS: users, roles, policies, and temporary credentials.
//!
//! ```text
//! aws iam …, boto3, Terraform ──> api/: one file per noun ──> Directory ──> rows
//!                                                                │
//! every request of every service ──> Identities, keys <──────────┘
//! ```
//! | file | what it holds |
//! |---|---|
//! | api | the operations of IAM |
//! | sts | the operations of STS |
//! | directory | everything that is known, and what requests are decided by |
//! | entity, rows | what is kept, and how |
//! | managed | AWS managed policies |
//!
//! IAM is global: the region of a request does not matter, and ARNs are of the partition `aws`.

mod api;
mod directory;
mod entity;
mod managed;
mod rows;
mod sts;

pub use self::api::Iam;
pub use self::directory::Directory;
pub use self::sts::Sts;
