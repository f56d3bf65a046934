//! Layers: published, read, listed, deleted, shared with other accounts.
//!
//! A version is its row. A number is given out by the layer's head before the row is written, and the archive is on
//! disk before that; so a version that is seen is whole, and no number is given out twice, also after all versions
//! were deleted. Functions note what they need of a version, so a version that is deleted stays usable where it is
//! used.
//!
//! | file | what it holds |
//! |---|---|
//! | publish, get, list, delete, permission | one operation or a few of a kind each |
//! | access | which layer a request means, and which policy it has |
//! | policy | the document that lets other accounts in |
//! | compatibility | the rules of compatible runtimes, and the filters of lists |
//! | view | what a version looks like from outside |

pub(crate) mod access;
mod compatibility;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod permission;
mod policy;
pub(crate) mod publish;
mod view;
