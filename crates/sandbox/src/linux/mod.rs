//! [`Isolation::Sandbox`](crate::Isolation::Sandbox) and [`Isolation::Rootless`](crate::Isolation::Rootless): Linux
//! namespaces and what belongs to them. [`backend`] is the server's, the other modules are what the jailer and init
//! use.

mod backend;
pub(crate) mod capabilities;
pub(crate) mod cgroup;
pub(crate) mod egress;
pub(crate) mod emulation;
mod etc;
pub(crate) mod landlock;
pub(crate) mod limits;
pub(crate) mod mounts;
pub(crate) mod namespaces;
pub(crate) mod network;
pub(crate) mod quota;
pub(crate) mod root;
pub(crate) mod seccomp;
mod seccomp_rules;
pub(crate) mod tmp;

pub use self::backend::{LinuxBackend, Options};
