//! `/tmp` of a limited size that does not count as memory: a small file system in a sparse file each.
//!
//! Making one takes longer than making everything else of a sandbox, so a process of its own (the tmp keeper, a
//! child of the jailer) makes them ahead of time, and empties those that come back. The file is unlinked as soon as
//! it is in use and the loop device detaches itself with the last user, so nothing of it can be left behind.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::mount::{MountAttrFlags, UnmountFlags, unmount};
use serde::{Deserialize, Serialize};

use super::mounts;
use crate::jailer::protocol::{self, Refusal};
use crate::step::{During, Step};

/// File systems of one size kept ready, at least.
const READY: usize = 4;
/// File systems of one size kept at most; what comes back beyond that is given up.
const KEPT: usize = 32;
/// Entries and depth up to which a used file system is emptied; beyond that a new one is cheaper.
const MAX_ENTRIES: usize = 2_000;
const MAX_DEPTH: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
enum ToKeeper {
    Make { bytes: u64 },
    Empty { bytes: u64, image: u64 },
    Drop { image: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
enum FromKeeper {
    /// A detached mount comes along.
    Ready {
        bytes: u64,
        image: u64,
    },
    Failed {
        bytes: u64,
        refusal: Refusal,
    },
}

/// One `/tmp`, in use.
#[derive(Debug)]
pub(crate) struct Tmp {
    pub(crate) mount: OwnedFd,
    token: Token,
}

/// What is needed to give a `/tmp` back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    bytes: u64,
    image: u64,
}

impl Tmp {
    /// The mount and the token, apart.
    pub(crate) fn split(self) -> (OwnedFd, Token) {
        (self.mount, self.token)
    }
}

/// The jailer's side of the tmp keeper.
#[derive(Debug)]
pub(crate) struct Stock {
    keeper: OwnedFd,
    sizes: HashMap<u64, Size>,
}

#[derive(Debug, Default)]
struct Size {
    ready: VecDeque<Tmp>,
    /// Asked for and not yet there.
    coming: usize,
    /// Why the last attempt failed.
    failure: Option<Refusal>,
}

/// What [`Stock::take`] found.
#[derive(Debug)]
pub(crate) enum Taken {
    /// One was ready.
    Ready(Tmp),
    /// One is being made; ask again when the keeper has said something.
    Coming,
    /// None can be made on this machine.
    Impossible,
}

impl Stock {
    /// Forks the keeper. `directory` is on a disk and belongs to this server alone.
    pub(crate) fn start(directory: &Path) -> Step<Self> {
        let (near, far) = protocol::pair().during("make a pair of sockets")?;
        // SAFETY: the jailer has a single thread, so the child may do everything the parent may.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()).during("fork"),
            0 => {
                drop(near);
                crate::descriptors::close_all_but(&[&far]);
                let keep = std::panic::AssertUnwindSafe(|| keep(&far, directory));
                let status = match std::panic::catch_unwind(keep) {
                    Ok(Ok(())) => 0,
                    _ => 1,
                };
                // SAFETY: ends the process without running what the parent has registered to run at its end.
                unsafe { libc::_exit(status) }
            }
            _ => Ok(Self { keeper: near, sizes: HashMap::new() }),
        }
    }

    /// The descriptor that becomes readable when the keeper has something to say.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.keeper.as_fd()
    }

    /// Takes one of a size, owned by `owner`, and sees to it that more are made.
    pub(crate) fn take(&mut self, bytes: u64) -> io::Result<Taken> {
        let size = self.sizes.entry(bytes).or_default();
        if size.failure.is_some() {
            return Ok(Taken::Impossible);
        }
        let tmp = size.ready.pop_front();
        while size.ready.len() + size.coming < READY {
            protocol::send(self.keeper.as_fd(), &ToKeeper::Make { bytes }, &[])?;
            size.coming += 1;
        }
        Ok(tmp.map_or(Taken::Coming, Taken::Ready))
    }

    /// Has a `/tmp` that no process uses any more emptied for the next sandbox.
    pub(crate) fn give_back(&mut self, Token { bytes, image }: Token) {
        let size = self.sizes.entry(bytes).or_default();
        let message = if size.ready.len() + size.coming < KEPT {
            size.coming += 1;
            ToKeeper::Empty { bytes, image }
        } else {
            ToKeeper::Drop { image }
        };
        // Without its keeper the jailer is ending anyway.
        let _ = protocol::send(self.keeper.as_fd(), &message, &[]);
    }

    /// Hears what the keeper has to say; `false` if it has ended.
    pub(crate) fn hear(&mut self) -> bool {
        let Ok(Some((message, mut descriptors))) = protocol::receive(self.keeper.as_fd()) else {
            return false;
        };
        match message {
            FromKeeper::Ready { bytes, image } => {
                let size = self.sizes.entry(bytes).or_default();
                size.coming = size.coming.saturating_sub(1);
                if let Some(mount) = descriptors.pop() {
                    size.ready.push_back(Tmp { mount, token: Token { bytes, image } });
                }
            }
            FromKeeper::Failed { bytes, refusal } => {
                let size = self.sizes.entry(bytes).or_default();
                size.coming = size.coming.saturating_sub(1);
                size.failure = Some(refusal);
            }
        }
        true
    }
}

/// The keeper's whole life.
fn keep(socket: &OwnedFd, directory: &Path) -> Step<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .during("tie to parent")?;
    // Its mounts are seen by nobody else, and so cost nobody else anything.
    // SAFETY: only the mount namespace is unshared; no memory or descriptor table is.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }
        .during("unshare mounts")?;
    let mut images = Images { directory: directory.to_owned(), made: 0 };
    while let Some((message, _)) = protocol::receive(socket.as_fd()).during("hear the jailer")? {
        let (bytes, result) = match message {
            ToKeeper::Make { bytes } => (bytes, images.make(bytes)),
            ToKeeper::Empty { bytes, image } => match empty(&images.mount_point(image)) {
                Ok(()) => (bytes, images.open(image).map(|mount| (image, mount))),
                Err(_) => {
                    images.drop(image);
                    (bytes, images.make(bytes))
                }
            },
            ToKeeper::Drop { image } => {
                images.drop(image);
                continue;
            }
        };
        let sent = match result {
            Ok((image, mount)) => {
                protocol::send(socket.as_fd(), &FromKeeper::Ready { bytes, image }, &[mount.as_fd()])
            }
            Err(error) => {
                protocol::send(socket.as_fd(), &FromKeeper::Failed { bytes, refusal: error.into() }, &[])
            }
        };
        sent.during("tell the jailer")?;
    }
    Ok(())
}

struct Images {
    directory: PathBuf,
    made: u64,
}

impl Images {
    fn mount_point(&self, image: u64) -> PathBuf {
        self.directory.join(image.to_string())
    }

    fn make(&mut self, bytes: u64) -> Step<(u64, OwnedFd)> {
        self.made += 1;
        let (image, point) = (self.made, self.mount_point(self.made));
        let file = self.directory.join(format!("{image}.image"));
        let made = make_image(&file, bytes).and_then(|()| mount_image(&file));
        // Whether it worked or not: from here on the file lives only as long as it is mounted.
        let _ = fs::remove_file(&file);
        let mount = made?;
        fs::create_dir_all(&point).during("make a mount point")?;
        mounts::attach_at(&mount, &point).during("attach a file system for /tmp")?;
        let _ = fs::remove_dir(point.join("lost+found"));
        Ok((image, self.open(image)?))
    }

    fn open(&self, image: u64) -> Step<OwnedFd> {
        mounts::copy(&self.mount_point(image)).during("copy the mount of a /tmp")
    }

    fn drop(&self, image: u64) {
        let point = self.mount_point(image);
        let _ = unmount(&point, UnmountFlags::DETACH);
        let _ = fs::remove_dir(&point);
    }
}

fn make_image(path: &Path, bytes: u64) -> Step<()> {
    // Room for the file system's own tables, so that the sandbox gets what it was promised and hardly more: an inode
    // of 256 bytes for every 16 KiB is a sixty-fourth, the rest is bitmaps and copies of the superblock; and ext4 keeps a fiftieth of itself, but at
    // most 4,096 blocks, from everybody for its own growth.
    let total = bytes + bytes / 60 + (bytes / 49).min(4096 * 4096) + (2 << 20);
    let file = fs::File::create(path).during(format!("create {}", path.display()))?;
    file.set_len(total).during(format!("size {}", path.display()))?;
    drop(file);
    let output = Command::new("mkfs.ext4")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin")
        .args(["-q", "-F", "-m", "0", "-b", "4096", "-i", "16384", "-I", "256"])
        .args(["-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .during("run mkfs.ext4 (install e2fsprogs)")?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(text)).during("make a file system with mkfs.ext4")
}

/// `struct loop_config` of the kernel.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// `struct loop_info64` of the kernel.
#[repr(C)]
struct LoopInfo {
    numbers: [u64; 5],
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    names: [[u8; 64]; 2],
    key: [u8; 32],
    init: [u64; 2],
}

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
/// The device detaches itself when its last user is gone.
const AUTOCLEAR: u32 = 4;
/// The file's content is not cached a second time beneath the device.
const DIRECT_IO: u32 = 16;

fn mount_image(path: &Path) -> Step<OwnedFd> {
    let file = fs::File::options().read(true).write(true).open(path).during("open an image for /tmp")?;
    let (device, name) = attach_loop(&file).during("attach an image to a loop device")?;
    let options = [("source", name.as_str()), ("noinit_itable", ""), ("discard", "")];
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = mounts::new("ext4", &options, attributes).during("mount an image for /tmp")?;
    // The mount holds the device from here on.
    drop(device);
    rustix::fs::chmodat(&mount, c".", Mode::from_raw_mode(0o1777), AtFlags::empty())
        .during("open /tmp to all")?;
    Ok(mount)
}

fn attach_loop(file: &fs::File) -> io::Result<(fs::File, String)> {
    let control = fs::File::options().read(true).write(true).open("/dev/loop-control")?;
    for _ in 0..64 {
        // SAFETY: the request has no argument; it returns a number or an error.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        let name = format!("/dev/loop{number}");
        let device = fs::File::options().read(true).write(true).open(&name)?;
        // SAFETY: the structure consists of integers and arrays of them, for which zero is a value.
        let mut config: LoopConfig = unsafe { std::mem::zeroed() };
        config.fd = file.as_raw_fd() as u32;
        config.block_size = 4096;
        config.info.flags = AUTOCLEAR | DIRECT_IO;
        // SAFETY: the structure is laid out as the kernel's, is initialised, and lives through the call.
        if unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw const config) } == 0 {
            return Ok((device, name));
        }
        let error = io::Error::last_os_error();
        // Someone else took the device in between.
        if error.raw_os_error() != Some(libc::EBUSY) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// Removes everything in a file system that nobody uses any more. The names in it were chosen by strangers, so no
/// link is followed and no path is put together.
fn empty(point: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, point, flags, Mode::empty())?;
    let mut left = MAX_ENTRIES;
    empty_directory(&root, &mut left, MAX_DEPTH)
}

fn empty_directory(directory: &OwnedFd, left: &mut usize, depth: usize) -> io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        *left = left.checked_sub(1).filter(|_| depth > 0).ok_or(io::ErrorKind::FileTooLarge)?;
        if entry.file_type() == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let child = rustix::fs::openat(directory, name, flags, Mode::empty())?;
            empty_directory(&child, left, depth - 1)?;
            rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR)?;
        } else {
            rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emptying_follows_no_links_and_gives_up_on_what_is_too_much() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("keep"), "").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("link")).unwrap();
        fs::create_dir_all(inside.path().join("a/b/c")).unwrap();
        fs::write(inside.path().join("a/b/file"), "x").unwrap();
        empty(inside.path()).unwrap();
        assert_eq!(fs::read_dir(inside.path()).unwrap().count(), 0);
        assert!(outside.path().join("keep").exists());

        let mut deep = inside.path().to_owned();
        for _ in 0..MAX_DEPTH + 1 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        assert!(empty(inside.path()).is_err());
    }
}
