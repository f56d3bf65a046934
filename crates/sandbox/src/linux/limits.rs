//! Limits of each process; what all processes together may use is the cgroup's matter.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Limits;

/// Sets the limits that init and everything it starts have. They cannot be raised again in a sandbox.
pub(crate) fn apply(limits: &Limits) -> io::Result<()> {
    lower(Resource::Nofile, u64::from(limits.descriptors))?;
    lower(Resource::Nproc, u64::from(limits.processes))?;
    // One byte: too small for a dump file, and the value with which a dump is not piped to the host's handler
    // either (zero would not keep it from that).
    lower(Resource::Core, 1)?;
    lower(Resource::Memlock, 64 << 10)?;
    lower(Resource::Msgqueue, 800 << 10)?;
    lower(Resource::Nice, 0)?;
    lower(Resource::Rtprio, 0)?;
    let stack = Rlimit { current: Some(8 << 20), maximum: getrlimit(Resource::Stack).maximum };
    Ok(setrlimit(Resource::Stack, stack)?)
}

/// Sets both the soft and the hard limit, to no more than the present hard one.
fn lower(resource: Resource, value: u64) -> io::Result<()> {
    let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    Ok(setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?)
}
