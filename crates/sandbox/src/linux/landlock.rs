//! A second fence around the file system and, where the kernel has it, around signals and abstract sockets.
//!
//! It adds nothing to what mounts, ids and namespaces already forbid; it holds if one of those fails.

use std::io;

use ::landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};

/// Trees in which files may be written, made and removed.
const WRITABLE: [&str; 1] = ["/tmp"];
/// Trees in which files that exist may be written: devices such as `/dev/null`, and `/proc/self`.
const PRESENT: [&str; 2] = ["/dev", "/proc"];

/// Prepares the rules, as the sandbox's root file system shows the paths. `None` if the kernel has no landlock.
pub(crate) fn prepare() -> io::Result<Option<RulesetCreated>> {
    if version() == 0 {
        return Ok(None);
    }
    build().map(Some).map_err(io::Error::other)
}

fn build() -> Result<RulesetCreated, ::landlock::RulesetError> {
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    let present = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    let trees = [(&["/"][..], read), (&PRESENT[..], present), (&WRITABLE[..], AccessFs::from_all(abi))];
    for (paths, access) in trees {
        for path in paths {
            // A tree that is not there needs no rule.
            if let Ok(tree) = PathFd::new(path) {
                rules = rules.add_rule(PathBeneath::new(tree, access))?;
            }
        }
    }
    Ok(rules)
}

/// Restricts the calling process and all its later children.
pub(crate) fn restrict(rules: RulesetCreated) -> io::Result<()> {
    rules.restrict_self().map(drop).map_err(io::Error::other)
}

/// The version of the kernel's landlock interface; 0 if there is none.
pub(crate) fn version() -> u32 {
    // SAFETY: with these arguments the call reads and writes no memory; it returns the version or an error.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0usize,
            1u32, // LANDLOCK_CREATE_RULESET_VERSION
        )
    };
    u32::try_from(version).unwrap_or(0)
}
