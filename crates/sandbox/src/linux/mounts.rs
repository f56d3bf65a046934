//! Mounts as descriptors: made detached by the jailer, attached by the sandbox's init.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// Attributes of `mount_setattr`.
pub(crate) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub(crate) const NO_SETUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub(crate) const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;

/// A detached copy of the mounts at `path`, including those below it.
pub(crate) fn copy(path: &Path) -> io::Result<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    Ok(open_tree(CWD, path, flags)?)
}

/// A detached, read-only copy of a tree of the host that confers no privilege.
pub(crate) fn copy_read_only(path: &Path) -> io::Result<OwnedFd> {
    let tree = copy(path)?;
    set_attributes(&tree, READ_ONLY | NO_SETUID | NO_DEVICES)?;
    Ok(tree)
}

/// Sets attributes on a mount and all mounts below it.
pub(crate) fn set_attributes(mount: &OwnedFd, attributes: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is an empty C string, the structure lives through the call and its true size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A new, detached file system of a kind, e.g. `tmpfs`, with string options.
pub(crate) fn new(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        match *value {
            "" => rustix::mount::fsconfig_set_flag(context.as_fd(), *key)?,
            value => fsconfig_set_string(context.as_fd(), *key, value)?,
        }
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Attaches a detached mount at a directory or file named by a descriptor.
pub(crate) fn attach(mount: &OwnedFd, at: &OwnedFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, c"", at, c"", flags)?)
}

/// Attaches a detached mount at a path of the caller's own view.
pub(crate) fn attach_at(mount: &OwnedFd, path: &Path) -> io::Result<()> {
    Ok(move_mount(mount, c"", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Attaches a detached mount at `target` beneath `root`, which is taken for the root of all symbolic links.
pub(crate) fn attach_beneath(mount: &OwnedFd, root: &OwnedFd, target: &Path) -> io::Result<()> {
    let relative = target.strip_prefix("/").unwrap_or(target);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let at = rustix::fs::openat2(root, relative, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
    attach(mount, &at)
}

/// Whether `mount` stands for a directory.
pub(crate) fn is_directory(mount: &OwnedFd) -> io::Result<bool> {
    let stat = rustix::fs::statat(mount, c"", AtFlags::EMPTY_PATH)?;
    Ok(FileType::from_raw_mode(stat.st_mode).is_dir())
}

/// Makes `target`, a directory or an empty file, with its parents beneath `root`. What exists is left.
pub(crate) fn make_target(root: &OwnedFd, target: &Path, directory: bool) -> io::Result<()> {
    let names: Vec<_> = target
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    let Some((last, parents)) = names.split_last() else { return Ok(()) };
    let mut at = root.try_clone()?;
    for name in parents {
        make_directory(&at, Path::new(name))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        at = rustix::fs::openat(&at, *name, flags, Mode::empty())?;
    }
    if directory {
        return make_directory(&at, Path::new(last));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(&at, *last, flags, Mode::from_raw_mode(0o444))?;
    Ok(())
}

fn make_directory(at: &OwnedFd, name: &Path) -> io::Result<()> {
    match rustix::fs::mkdirat(at, name, Mode::from_raw_mode(0o755)) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        other => Ok(other?),
    }
}

/// Mounts a file system of the kernel's own at `target`.
pub(crate) fn mount_kernel(kind: &CStr, target: &Path, options: &CStr) -> io::Result<()> {
    use rustix::mount::{MountFlags, mount};

    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount(kind, target, kind, flags, options)?)
}
