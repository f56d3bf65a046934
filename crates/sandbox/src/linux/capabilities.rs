//! Giving up privileges for good.

use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

/// What init keeps: becoming the sandbox's user, and killing that user's processes.
pub(crate) const OF_INIT: CapabilitySet =
    CapabilitySet::SETUID.union(CapabilitySet::SETGID).union(CapabilitySet::KILL);

/// Empties the bounding and ambient sets and reduces the others to `keep`: whatever is executed later has none.
pub(crate) fn reduce_to(keep: CapabilitySet) -> io::Result<()> {
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // The first number that the kernel does not know ends the list.
            Err(rustix::io::Errno::INVAL) => break,
            other => other?,
        }
    }
    clear_ambient_capability_set()?;
    set_no_new_privs(true)?;
    keep_only(keep)
}

/// Reduces the effective and permitted sets to `keep`.
pub(crate) fn keep_only(keep: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets { effective: keep, permitted: keep, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}
