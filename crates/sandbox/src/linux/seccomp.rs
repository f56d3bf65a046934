//! The filter on system calls: an allow list. What it allows, and why, is in [`rules`](super::seccomp_rules).

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::seccomp_rules::{ABSENT, ALLOWED, ALLOWED_IF, Condition};

/// The compiled filters; the kernel takes the strictest answer.
#[derive(Debug, Clone)]
pub(crate) struct Filters(Vec<BpfProgram>);

impl Filters {
    /// Compiles the rules for this architecture.
    pub(crate) fn compile() -> io::Result<Self> {
        let mut allowed = BTreeMap::new();
        let numbers = ALLOWED.iter().flat_map(|group| group.calls);
        allowed.extend(numbers.map(|&number| (number, Vec::new())));
        // 'Absent' calls are decided by the second filter alone.
        allowed.extend(ABSENT.iter().flat_map(|group| group.calls).map(|&number| (number, Vec::new())));
        for conditional in ALLOWED_IF {
            let rules: &mut Vec<SeccompRule> = allowed.entry(conditional.call).or_default();
            rules.push(conditional.condition.rule()?);
        }
        let absent: BTreeMap<_, _> =
            ABSENT.iter().flat_map(|group| group.calls).map(|&number| (number, Vec::new())).collect();
        let deny = SeccompAction::Errno(libc::EPERM as u32);
        let missing = SeccompAction::Errno(libc::ENOSYS as u32);
        Ok(Self(vec![
            program(allowed, deny, SeccompAction::Allow)?,
            program(absent, SeccompAction::Allow, missing)?,
        ]))
    }

    /// Applies the filters to the calling thread and all its later children.
    pub(crate) fn apply(&self) -> io::Result<()> {
        self.0.iter().try_for_each(|program| apply_filter(program).map_err(io::Error::other))
    }
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    then: SeccompAction,
) -> io::Result<BpfProgram> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    SeccompFilter::new(rules, otherwise, then, architecture)
        .and_then(TryInto::try_into)
        .map_err(io::Error::other)
}

impl Condition {
    fn rule(self) -> io::Result<SeccompRule> {
        let conditions = match self {
            Self::Equals { argument, value } => vec![(argument, SeccompCmpOp::Eq, value)],
            Self::Lacks { argument, bits } => vec![(argument, SeccompCmpOp::MaskedEq(bits), 0)],
            Self::NetlinkRoute => vec![
                (0, SeccompCmpOp::Eq, libc::AF_NETLINK as u64),
                (2, SeccompCmpOp::Eq, libc::NETLINK_ROUTE as u64),
            ],
        };
        let condition = |(argument, operator, value)| {
            // The kernel reads all these arguments as 32 bits; what the upper half holds must not matter.
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
        };
        let conditions = conditions.into_iter().map(condition).collect::<Result<_, _>>();
        conditions.and_then(SeccompRule::new).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn compiles_within_the_kernels_size_limit() {
        let filters = Filters::compile().unwrap();
        assert_eq!(filters.0.len(), 2);
        assert!(filters.0.iter().all(|program| program.len() < 4096));
    }

    #[test]
    fn every_call_is_decided_in_one_place_and_with_a_reason() {
        let mut seen = HashSet::new();
        for group in ALLOWED.iter().chain(ABSENT) {
            assert!(!group.reason.is_empty());
            for call in group.calls {
                assert!(seen.insert(*call), "{call} is listed twice");
            }
        }
        for conditional in ALLOWED_IF {
            assert!(!conditional.reason.is_empty());
            assert!(
                !seen.contains(&conditional.call),
                "{} is allowed without condition too",
                conditional.call
            );
        }
    }

    #[test]
    fn what_must_never_be_allowed_is_not() {
        let allowed: HashSet<_> = ALLOWED.iter().flat_map(|group| group.calls).copied().collect();
        let dangerous = [
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_open_tree,
            libc::SYS_move_mount,
            libc::SYS_fsopen,
            libc::SYS_mount_setattr,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_kexec_load,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_mknodat,
            libc::SYS_open_by_handle_at,
            libc::SYS_name_to_handle_at,
            libc::SYS_chroot,
            libc::SYS_acct,
            libc::SYS_quotactl,
            libc::SYS_syslog,
            libc::SYS_pidfd_getfd,
            libc::SYS_kcmp,
            libc::SYS_settimeofday,
            libc::SYS_clock_settime,
            libc::SYS_sethostname,
            libc::SYS_vhangup,
            libc::SYS_fanotify_init,
            libc::SYS_move_pages,
        ];
        assert!(dangerous.iter().all(|call| !allowed.contains(call)));
    }
}
