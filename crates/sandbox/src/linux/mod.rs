//! [`Isolation::Sandbox`](crate::Isolation::Sandbox) and [`Isolation::Rootless`](crate::Isolation::Rootless): Linux
//! namespaces and what belongs to them. The server's side is in [`backend`] and [`sandbox`], what the jailer and
//! init use in the other modules.

mod backend;
pub(crate) mod capabilities;
pub(crate) mod cgroup;
mod channel;
pub(crate) mod egress;
mod etc;
pub(crate) mod landlock;
pub(crate) mod limits;
mod measures;
pub(crate) mod mounts;
pub(crate) mod namespaces;
pub(crate) mod network;
pub(crate) mod quota;
pub(crate) mod root;
mod sandbox;
pub(crate) mod seccomp;
mod seccomp_rules;
pub(crate) mod tmp;

pub use self::backend::{LinuxBackend, Options};
