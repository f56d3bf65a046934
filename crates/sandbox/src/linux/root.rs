//! The root file systems of sandboxes.
//!
//! What all sandboxes of a kind have in common is laid out once, attached in the jailer's own mount namespace, and
//! copied (as mounts, without copying content) for each sandbox:
//!
//! ```text
//! /            tmpfs: symbolic links as the host has them (/bin, /lib, …), empty directories for what is mounted
//! /usr         the host's
//! /etc         the few files that programs expect
//! /dev         tmpfs: null zero full random urandom
//! ```

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MountAttrFlags, UnmountFlags, unmount};

use super::etc;
use super::mounts::{self, NO_DEVICES, NO_SETUID, READ_ONLY};
use crate::step::{During, Step};
use crate::{Egress, Root};

/// Directories of every root file system; mounts go over most of them.
const DIRECTORIES: [&str; 12] = [
    "dev",
    "etc",
    "home/sbx_user1051",
    "opt",
    "proc",
    "root",
    "run",
    "tmp",
    "var/lang",
    "var/runtime",
    "var/task",
    "var/tmp",
];
/// Top-level names that are links into `/usr` on today's systems and directories on older ones.
const LINKS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Device nodes and their minor numbers; the major number is 1.
const DEVICES: [(&str, u32); 5] = [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)];
/// Links in `/dev`.
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// Kinds of root file systems kept prepared.
const KEPT: usize = 64;

/// A detached mount and where it goes.
pub(crate) type Placed = (OwnedFd, PathBuf);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    root: Root,
    egress: Egress,
    hostname: String,
}

#[derive(Debug)]
struct Template {
    kind: Kind,
    /// Where it is attached, writable.
    path: PathBuf,
    /// Mount targets that were made in it.
    targets: Vec<PathBuf>,
}

/// Prepared root file systems, by kind.
#[derive(Debug)]
pub(crate) struct Roots {
    workspace: PathBuf,
    templates: VecDeque<Template>,
    made: u64,
}

impl Roots {
    /// `workspace` is an existing directory; what is mounted there is seen by this process alone.
    pub(crate) fn new(workspace: PathBuf) -> Step<Self> {
        let tmpfs =
            tmpfs("64m", MountAttrFlags::MOUNT_ATTR_NOSUID).during("mount a tmpfs for root file systems")?;
        mounts::attach_at(&tmpfs, &workspace).during("attach a tmpfs for root file systems")?;
        fs::create_dir(workspace.join("dev")).during("make a directory for devices")?;
        let roots = Self { workspace, templates: VecDeque::new(), made: 0 };
        make_devices(&roots.workspace.join("dev")).during("make device nodes")?;
        Ok(roots)
    }

    /// Detached mounts that make a root file system in which `targets` (path, whether a directory) exist: the
    /// root itself, and what goes on top of it.
    pub(crate) fn take(
        &mut self,
        (root, egress, hostname): (&Root, Egress, &str),
        targets: &[(&Path, bool)],
    ) -> Step<(OwnedFd, Vec<Placed>)> {
        let kind = Kind { root: root.clone(), egress, hostname: hostname.to_owned() };
        let template = match self.templates.iter().position(|template| template.kind == kind) {
            Some(index) => &mut self.templates[index],
            None => self.add(kind)?,
        };
        template.make_targets(targets)?;
        let tree = match root {
            Root::Host => mounts::copy(&template.path).during("copy the root file system")?,
            Root::Directory(directory) => {
                overlay(&[directory.as_path(), &template.path]).during("lay out the root file system")?
            }
        };
        let attributes =
            if *root == Root::Host { READ_ONLY | NO_SETUID } else { READ_ONLY | NO_SETUID | NO_DEVICES };
        mounts::set_attributes(&tree, attributes).during("make the root file system read-only")?;
        let mut on_top = Vec::new();
        if *root != Root::Host {
            let devices = mounts::copy(&self.workspace.join("dev")).during("copy the devices")?;
            mounts::set_attributes(&devices, READ_ONLY | NO_SETUID).during("make the devices read-only")?;
            on_top.push((devices, PathBuf::from("/dev")));
        }
        Ok((tree, on_top))
    }

    fn add(&mut self, kind: Kind) -> Step<&mut Template> {
        if self.templates.len() == KEPT
            && let Some(oldest) = self.templates.pop_front()
        {
            // Sandboxes made from it have copies of their own.
            let _ = unmount(&oldest.path, UnmountFlags::DETACH);
        }
        self.made += 1;
        let path = self.workspace.join(format!("root-{}", self.made));
        fs::create_dir(&path).during("make a directory for a root file system")?;
        let step = "lay out the root file system";
        lay_out(&path, &kind, &self.workspace.join("dev")).during(step)?;
        self.templates.push_back(Template { kind, path, targets: Vec::new() });
        self.templates.back_mut().ok_or(io::ErrorKind::NotFound).during(step)
    }
}

impl Template {
    fn make_targets(&mut self, targets: &[(&Path, bool)]) -> Step<()> {
        let missing: Vec<_> =
            targets.iter().filter(|(target, _)| !self.targets.iter().any(|known| known == target)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let root = open_directory(&self.path).during("open the root file system")?;
        for (target, directory) in missing {
            // Where another mount provides the parent there is nothing to make: attaching will tell.
            if !exists_beneath(&root, target) {
                let made = mounts::make_target(&root, target, *directory);
                made.during(format!("make {} in the root file system", target.display()))?;
            }
            self.targets.push(target.to_path_buf());
        }
        Ok(())
    }
}

fn exists_beneath(root: &OwnedFd, target: &Path) -> bool {
    let relative = target.strip_prefix("/").unwrap_or(target);
    rustix::fs::openat2(
        root,
        relative,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        rustix::fs::ResolveFlags::IN_ROOT,
    )
    .is_ok()
}

fn tmpfs(size: &str, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    mounts::new("tmpfs", &[("mode", "755"), ("size", size)], attributes)
}

pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Later layers lie over earlier ones.
pub(crate) fn overlay(layers: &[&Path]) -> io::Result<OwnedFd> {
    // By descriptors: no path is too long, and none needs escaping.
    let open: Vec<_> = layers.iter().map(|layer| open_directory(layer)).collect::<Result<_, _>>()?;
    let names: Vec<_> =
        open.iter().rev().map(|layer| format!("/proc/self/fd/{}", layer.as_raw_fd())).collect();
    mounts::new("overlay", &[("lowerdir", &names.join(":"))], MountAttrFlags::empty())
}

fn lay_out(path: &Path, kind: &Kind, devices: &Path) -> io::Result<()> {
    let tree = tmpfs("16m", MountAttrFlags::MOUNT_ATTR_NOSUID)?;
    mounts::attach_at(&tree, path)?;
    for directory in DIRECTORIES {
        fs::create_dir_all(path.join(directory))?;
    }
    etc::write(&path.join("etc"), kind.egress, &kind.hostname)?;
    if kind.root != Root::Host {
        return Ok(());
    }
    etc::copy_from_host(&path.join("etc"))?;
    mounts::attach_at(&mounts::copy(devices)?, &path.join("dev"))?;
    for name in LINKS {
        let host = Path::new("/").join(name);
        match fs::symlink_metadata(&host) {
            Ok(metadata) if metadata.is_symlink() => {
                std::os::unix::fs::symlink(fs::read_link(&host)?, path.join(name))?;
            }
            Ok(metadata) if metadata.is_dir() => bind(&host, &path.join(name))?,
            _ => {}
        }
    }
    bind(Path::new("/usr"), &path.join("usr"))
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir(target)?;
    mounts::attach_at(&mounts::copy_read_only(source)?, target)
}

/// Makes the content of `/dev`: nodes where that is allowed, else the host's nodes mounted on empty files.
fn make_devices(directory: &Path) -> io::Result<()> {
    mounts::attach_at(&tmpfs("64k", MountAttrFlags::MOUNT_ATTR_NOSUID)?, directory)?;
    for (name, minor) in DEVICES {
        let path = directory.join(name);
        let node = rustix::fs::mknodat(
            CWD,
            &path,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            rustix::fs::makedev(1, minor),
        );
        // What the umask took away is given back: everybody may read and write these.
        let node = node
            .map_err(io::Error::from)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o666)));
        // Without privileges nodes can be made on no kernel, or made but not opened: try.
        if node.is_err() || fs::File::open(&path).is_err() {
            let _ = fs::remove_file(&path);
            fs::File::create(&path)?;
            mounts::attach_at(&mounts::copy(&Path::new("/dev").join(name))?, &path)?;
        }
    }
    for (name, target) in DEVICE_LINKS {
        std::os::unix::fs::symlink(target, directory.join(name))?;
    }
    Ok(())
}
