//! CloudWatch Logs: groups, streams, events.
//!
//! ```text
//! push ──> queue ──> writer thread ──> Group: the segments of one log group, append-only files with a sparse index
//!                    every few ms              │
//! GetLogEvents, FilterLogEvents ──> query <────┘   tokens are positions: (time of the event, place in the group)
//! ```
//! On disk, below the directory of the store:
//! ```text
//! <sha256 of account, region and name>/group.json     name, time of creation, retention
//! <sha256 …>/<20 digits>.log                           a segment: records as in `record`
//! <sha256 …>/<20 digits>.index                         what a segment holds; made when it is full or the store closes
//! ```
//! Promises: an event that was taken is readable within a few hundredths of a second and survives the death of the
//! server once written, torn last records excepted; it is not synced to the disk, so a power cut may cost the last
//! seconds. What comes too fast is dropped, counted and reported in the stream itself. An invocation never waits.

mod api;
mod error;
mod filter;
mod group;
mod ingest;
mod query;
mod queue;
mod record;
mod segment;
mod store;

pub use self::api::Logs;
pub use self::error::{Error, Result};
pub use self::queue::{Dropped, LogQueue, Taken};
pub use self::store::{LogStore, LogStoreConfig};
