//! What this machine offers to sandboxes, what that means, and how to mend what is missing.
//!
//! Looks only; changes nothing, so it may run beside a server.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::linux::{cgroup, landlock};
use crate::{Emulator, Processor};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, e.g. `control groups`.
    pub name: &'static str,
    /// How it stands.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What it means for isolation, if it is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<&'static str>,
}

/// See [`Finding::status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Good,
    /// Functions run, with less than everything.
    Limited,
    /// An isolation level is not to be had without it.
    Missing,
}

impl Finding {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Good, detail: detail.into(), meaning: None, mend: None }
    }

    fn not_good(
        name: &'static str,
        status: Status,
        detail: impl Into<String>,
        meaning: &'static str,
        mend: &'static str,
    ) -> Self {
        Self { name, status, detail: detail.into(), meaning: Some(meaning), mend: Some(mend) }
    }
}

/// Looks at everything.
#[must_use]
pub fn probe() -> Vec<Finding> {
    vec![
        privileges(),
        namespaces(),
        user_namespaces(),
        control_groups(),
        seccomp(),
        landlock_version(),
        overlay(),
        temporary_storage(),
        egress(),
        emulation(),
    ]
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn privileges() -> Finding {
    const NAME: &str = "privileges";
    const SYS_ADMIN: u32 = 21;
    let status = read("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let root = rustix::process::geteuid().is_root();
    match (root, effective & (1 << SYS_ADMIN) != 0) {
        (true, true) => Finding::good(NAME, "root with CAP_SYS_ADMIN"),
        (true, false) => Finding::not_good(
            NAME,
            Status::Missing,
            "root without CAP_SYS_ADMIN",
            "--isolation sandbox cannot make namespaces or mounts",
            "give the container or service CAP_SYS_ADMIN, or run as an ordinary user with --isolation rootless",
        ),
        (false, _) => Finding::not_good(
            NAME,
            Status::Limited,
            "not root",
            "--isolation rootless is used: no control groups (unless delegated), no outbound network, /tmp in memory",
            "run as root for --isolation sandbox",
        ),
    }
}

fn namespaces() -> Finding {
    const NAME: &str = "namespaces";
    let kinds = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"];
    let missing: Vec<_> =
        kinds.into_iter().filter(|kind| !Path::new("/proc/self/ns").join(kind).exists()).collect();
    match missing.is_empty() {
        true => Finding::good(NAME, kinds.join(", ")),
        false => Finding::not_good(
            NAME,
            Status::Missing,
            format!("the kernel lacks: {}", missing.join(", ")),
            "functions cannot be isolated",
            "use a kernel with all namespaces configured (every distribution's has them)",
        ),
    }
}

/// Needed without root. Distributions forbid them to ordinary users in three different ways.
fn user_namespaces() -> Finding {
    const NAME: &str = "user namespaces for ordinary users";
    let allowed = |path: &str, forbidding: &str| read(path).is_none_or(|value| value != forbidding);
    let obstacles = [
        ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns",
        ),
    ];
    let root = rustix::process::geteuid().is_root();
    match obstacles.into_iter().find(|(path, forbidding, _)| !allowed(path, forbidding)) {
        None => Finding::good(NAME, "allowed"),
        Some((path, value, mend)) => Finding::not_good(
            NAME,
            if root { Status::Limited } else { Status::Missing },
            format!("{path} is {value}"),
            "--isolation rootless does not work",
            mend,
        ),
    }
}

fn control_groups() -> Finding {
    const NAME: &str = "control groups";
    let found = cgroup::found();
    let shown: Vec<_> = found.iter().map(|(name, version)| format!("{name} ({version})")).collect();
    let missing: Vec<_> = ["memory", "cpu", "pids"]
        .into_iter()
        .filter(|needed| !found.iter().any(|(name, _)| name == needed))
        .collect();
    match missing.is_empty() {
        true => Finding::good(NAME, shown.join(", ")),
        false => Finding::not_good(
            NAME,
            Status::Limited,
            format!("no controller for {}", missing.join(", ")),
            "these limits are enforced by a watchdog or not at all",
            "mount cgroup version 2 with these controllers (systemd: Delegate=cpu memory pids)",
        ),
    }
}

fn seccomp() -> Finding {
    const NAME: &str = "system call filter";
    match read("/proc/sys/kernel/seccomp/actions_avail") {
        Some(actions) => Finding::good(NAME, format!("seccomp with {actions}")),
        None => Finding::not_good(
            NAME,
            Status::Missing,
            "the kernel has no seccomp filters",
            "functions could call everything that the kernel offers",
            "use a kernel with CONFIG_SECCOMP_FILTER",
        ),
    }
}

fn landlock_version() -> Finding {
    const NAME: &str = "landlock";
    match landlock::version() {
        0 => Finding::not_good(
            NAME,
            Status::Limited,
            "not offered by the kernel",
            "one fence less: namespaces and the system call filter remain",
            "use a kernel 5.13 or newer with landlock among its security modules (lsm=landlock,…)",
        ),
        version => Finding::good(NAME, format!("ABI {version}")),
    }
}

fn overlay() -> Finding {
    const NAME: &str = "overlay file system";
    let offered =
        read("/proc/filesystems").is_some_and(|list| list.lines().any(|line| line.ends_with("overlay")));
    match offered {
        true => Finding::good(NAME, "offered"),
        false => Finding::not_good(
            NAME,
            Status::Limited,
            "not loaded",
            "functions with more than one layer cannot be started",
            "modprobe overlay",
        ),
    }
}

fn temporary_storage() -> Finding {
    const NAME: &str = "disk-backed /tmp";
    let loops = Path::new("/dev/loop-control").exists();
    let tool = program("mkfs.ext4");
    match (loops, &tool) {
        (true, Some(tool)) => Finding::good(NAME, format!("loop devices and {}", tool.display())),
        (false, _) => Finding::not_good(
            NAME,
            Status::Limited,
            "no loop devices",
            "/tmp is kept in memory and counts towards the function's memory",
            "modprobe loop, or pass /dev/loop-control into the container",
        ),
        (true, None) => Finding::not_good(
            NAME,
            Status::Limited,
            "mkfs.ext4 is not installed",
            "/tmp is kept in memory and counts towards the function's memory",
            "apt-get install e2fsprogs",
        ),
    }
}

fn egress() -> Finding {
    const NAME: &str = "outbound network of functions";
    match (program("nft"), program("ip")) {
        (Some(nft), Some(ip)) => Finding::good(NAME, format!("{} and {}", nft.display(), ip.display())),
        _ => Finding::not_good(
            NAME,
            Status::Limited,
            "nft or ip is not installed",
            "functions reach Rushlight's own services and nothing else",
            "apt-get install nftables iproute2",
        ),
    }
}

/// The emulator that is installed for programs of that processor.
#[must_use]
pub fn emulator(processor: Processor) -> Option<Emulator> {
    let program = program(emulator_name(processor))?;
    Some(Emulator { processor, program })
}

fn emulator_name(processor: Processor) -> &'static str {
    match processor {
        Processor::X86_64 => "qemu-x86_64-static",
        Processor::Arm64 => "qemu-aarch64-static",
    }
}

fn emulation() -> Finding {
    const NAME: &str = "emulation of the other architecture";
    let (other, processor) = match Processor::of_this_machine() {
        Some(Processor::X86_64) => ("arm64", Processor::Arm64),
        _ => ("x86_64", Processor::X86_64),
    };
    let emulator = emulator_name(processor);
    match program(emulator) {
        Some(path) => Finding::good(NAME, format!("{other} by {}", path.display())),
        None => Finding::not_good(
            NAME,
            Status::Limited,
            format!("{emulator} is not installed"),
            "functions for the other architecture can be kept but not run",
            "apt-get install qemu-user-static",
        ),
    }
}

/// Where a program is: on the path, or where administrators' programs are.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(administrators)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_not_good_says_what_it_means_and_how_to_mend_it() {
        let findings = probe();
        assert_eq!(findings.len(), 10);
        for finding in findings {
            assert!(!finding.detail.is_empty(), "{finding:?}");
            let good = finding.status == Status::Good;
            assert_eq!((finding.meaning.is_none(), finding.mend.is_none()), (good, good), "{finding:?}");
        }
    }

    #[test]
    fn programs_are_found_where_they_are() {
        assert!(program("sh").is_some());
        assert!(program("no-such-program-as-this").is_none());
    }
}
