//! Programs for another processor, run by an emulator that the sandbox's own kernel tables name.
//!
//! `binfmt_misc` has a table for each user namespace (Linux 6.7 and later). A sandbox that is to run such programs gets
//! an entry in its own, and nobody else's changes. The file system through which a table is written is never attached
//! anywhere in the sandbox: init holds it, and with it the entry, as long as the sandbox is there.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::mount::MountAttrFlags;

use super::mounts;
use crate::spec::{Emulator, Processor};

/// Has programs for the emulator's processor run by it in the calling process' user namespace. To be called while the
/// emulator's file is in sight: the kernel opens it here, and it need not be in the sandbox.
pub(crate) fn register(emulator: &Emulator) -> io::Result<OwnedFd> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let table = mounts::new("binfmt_misc", &[], attributes)?;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let register = rustix::fs::openat(&table, "register", flags, Mode::empty())?;
    File::from(register).write_all(entry(emulator).as_bytes())?;
    Ok(table)
}

/// See "Kernel Support for miscellaneous Binary Formats" of the kernel's documentation. The bytes are those at the
/// beginning of an ELF file: class, order, version, system (any but what no program has), type (executable or shared),
/// processor.
fn entry(emulator: &Emulator) -> String {
    let processor = match emulator.processor {
        Processor::X86_64 => r"\x3e\x00",
        Processor::Arm64 => r"\xb7\x00",
    };
    let magic = format!(r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00{processor}");
    let mask = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";
    // P: the program's own first argument is kept. F: the emulator is opened now.
    format!(":emulated:M:0:{magic}:{mask}:{}:PF", emulator.program.display())
}
