//! Durability: what Rushlight remembers, and the only place with SQL.
//!
//! Three kinds of state, each with its own promise:
//!
//! | kind | where | promise |
//! |---|---|---|
//! | rows ([`Backend`], [`table::Table`]) | one SQLite file ([`Sqlite`]) | an acknowledged write is on disk; compare-and-set for each key |
//! | blobs ([`BlobStore`]) | content-addressed files | an acknowledged blob is on disk and is what its name says |
//! | packages ([`PackageStore`]) | unpacked trees | may vanish at any time; built again from the blob |
//!
//! # Invariants
//! * There is no transaction over several keys, because the weaker backend (JetStream) has none. What must be true
//!   at once lives in one row. Immutable rows are written first and become visible when a head row names them.
//! * Revisions rise over the whole store and are never given twice, not even after a key was deleted and made again.
//! * This crate knows bytes, keys and trees of files. It does not know what a function is; [`table::function`] only
//!   knows how a function's keys are spelled.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod backend;
mod blob;
pub mod conformance;
mod digest;
mod directory;
mod error;
pub mod key;
mod package;
mod sqlite;
pub mod table;

pub use backend::{Backend, BoxFuture, Expect, MAX_VALUE_BYTES, Observer, Record};
pub use blob::{BlobStore, BlobWriter};
pub use digest::{Digest, InvalidDigest};
pub use directory::DataDirectory;
pub use error::{Error, Result};
pub use package::{EnsureError, PackageStore};
pub use sqlite::Sqlite;
