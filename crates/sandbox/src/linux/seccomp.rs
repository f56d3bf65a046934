//! The filter on system calls: an allow list. What it allows, and why, is in [`rules`](super::seccomp_rules).
//!
//! The list becomes a search tree over the calls' numbers. That matters: when a filter is applied the kernel runs it
//! for every number to learn which calls are always allowed, and does not run it for those again. A tree makes this
//! several times faster than a list does, with every process that is started.

use std::collections::BTreeMap;
use std::io;

use libc::{
    BPF_ABS, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, sock_filter,
};

use super::seccomp_rules::{ABSENT, ALLOWED, ALLOWED_IF, Condition};

/// The kernel's name for this architecture.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Offsets in the kernel's `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
/// The lower half of an argument: the kernel reads all arguments that are looked at as 32 bits, so what the upper
/// half holds must not matter.
const fn argument(index: u8) -> u32 {
    16 + 8 * index as u32
}

const DENIED: Verdict = Verdict::Refuse(libc::EPERM);

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Allow,
    Refuse(i32),
    /// Allowed if all conditions of one alternative hold.
    AllowIf(Vec<Vec<Test>>),
}

/// A condition on the lower half of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equals(u8, u32),
    Lacks(u8, u32),
}

impl Condition {
    fn tests(self) -> Vec<Test> {
        match self {
            Self::Equals { argument, value } => vec![Test::Equals(argument, value as u32)],
            Self::Lacks { argument, bits } => vec![Test::Lacks(argument, bits as u32)],
            Self::NetlinkRoute => {
                vec![Test::Equals(0, libc::AF_NETLINK as u32), Test::Equals(2, libc::NETLINK_ROUTE as u32)]
            }
        }
    }
}

/// The compiled filter.
#[derive(Debug, Clone)]
pub(crate) struct Filter(Vec<sock_filter>);

impl Filter {
    /// Compiles the rules for this architecture.
    pub(crate) fn compile() -> Self {
        let mut program = vec![
            load(ARCHITECTURE_OFFSET),
            jump(BPF_JEQ, ARCHITECTURE, 1, 0),
            give(SECCOMP_RET_KILL_PROCESS),
            load(NUMBER),
        ];
        tree(&ranges(&verdicts()), &mut program);
        Self(program)
    }

    /// Applies the filter to the calling thread and all its later children. It must not be able to gain privileges.
    pub(crate) fn apply(&self) -> io::Result<()> {
        let length = u16::try_from(self.0.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // The kernel only reads the program.
        let program = libc::sock_fprog { len: length, filter: self.0.as_ptr().cast_mut() };
        // SAFETY: the structure and the program, of the length given, live through the call.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// The rules by the calls' numbers; what is not there is denied.
fn verdicts() -> BTreeMap<u32, Verdict> {
    let mut verdicts = BTreeMap::new();
    for (groups, verdict) in [(ALLOWED, Verdict::Allow), (ABSENT, Verdict::Refuse(libc::ENOSYS))] {
        let calls = groups.iter().flat_map(|group| group.calls);
        verdicts.extend(calls.map(|call| (*call as u32, verdict.clone())));
    }
    for conditional in ALLOWED_IF {
        let verdict = verdicts.entry(conditional.call as u32).or_insert_with(|| Verdict::AllowIf(Vec::new()));
        if let Verdict::AllowIf(alternatives) = verdict {
            alternatives.push(conditional.condition.tests());
        }
    }
    verdicts
}

/// Ranges of numbers with one verdict, by their first numbers; the last one has no end.
fn ranges(verdicts: &BTreeMap<u32, Verdict>) -> Vec<(u32, Verdict)> {
    let mut ranges = vec![(0, DENIED)];
    let mut extend = |first: u32, verdict: Verdict| match ranges.last_mut() {
        Some((_, last)) if *last == verdict => {}
        Some(last) if last.0 == first => last.1 = verdict,
        _ => ranges.push((first, verdict)),
    };
    for (&number, verdict) in verdicts {
        extend(number, verdict.clone());
        if !verdicts.contains_key(&(number + 1)) {
            extend(number + 1, DENIED);
        }
    }
    ranges
}

/// Emits the search for the number, which is loaded, among `ranges`.
fn tree(ranges: &[(u32, Verdict)], program: &mut Vec<sock_filter>) {
    if let [(_, verdict)] = ranges {
        return leaf(verdict, program);
    }
    let (left, right) = ranges.split_at(ranges.len() / 2);
    program.push(jump(BPF_JGE, right[0].0, 0, 1));
    // Conditional jumps are short: the long one leads over the left half.
    let over = program.len();
    program.push(jump(BPF_JA, 0, 0, 0));
    tree(left, program);
    program[over].k = (program.len() - over - 1) as u32;
    tree(right, program);
}

fn leaf(verdict: &Verdict, program: &mut Vec<sock_filter>) {
    match verdict {
        Verdict::Allow => program.push(give(SECCOMP_RET_ALLOW)),
        Verdict::Refuse(errno) => program.push(give(SECCOMP_RET_ERRNO | *errno as u32)),
        Verdict::AllowIf(alternatives) => {
            for tests in alternatives {
                for (index, test) in tests.iter().enumerate() {
                    // Over the rest of this alternative: two instructions for each further test, one for the end.
                    let next = (2 * (tests.len() - index - 1) + 1) as u8;
                    match *test {
                        Test::Equals(index, value) => {
                            program.extend([load(argument(index)), jump(BPF_JEQ, value, 0, next)]);
                        }
                        Test::Lacks(index, bits) => {
                            program.extend([load(argument(index)), jump(BPF_JSET, bits, next, 0)]);
                        }
                    }
                }
                program.push(give(SECCOMP_RET_ALLOW));
            }
            leaf(&DENIED, program);
        }
    }
}

fn load(offset: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

fn give(verdict: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: verdict }
}

fn jump(kind: u32, value: u32, then: u8, otherwise: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | kind | BPF_K) as u16, jt: then, jf: otherwise, k: value }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What the filter answers, by the kernel's definition of each instruction used.
    fn run(filter: &Filter, architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = [number.to_ne_bytes(), architecture.to_ne_bytes(), [0; 4], [0; 4]].concat();
        data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut value) = (0, 0);
        loop {
            let instruction = filter.0[at];
            at += 1;
            let (k, code) = (instruction.k, u32::from(instruction.code));
            if code == BPF_LD | BPF_W | BPF_ABS {
                value = u32::from_ne_bytes(data[k as usize..][..4].try_into().unwrap());
            } else if code == BPF_RET | BPF_K {
                return k;
            } else if code == BPF_JMP | BPF_JA {
                at += k as usize;
            } else {
                let taken = match code & !(BPF_JMP | BPF_K) {
                    BPF_JEQ => value == k,
                    BPF_JGE => value >= k,
                    BPF_JSET => value & k != 0,
                    _ => panic!("{code:#x}"),
                };
                at += usize::from(if taken { instruction.jt } else { instruction.jf });
            }
        }
    }

    const EPERM: u32 = SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const ENOSYS: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    #[test]
    fn the_tree_says_what_the_list_says() {
        let filter = Filter::compile();
        assert!(filter.0.len() < 4096);
        let verdicts = verdicts();
        for number in (0..2000).chain([0x4000_0000, 0x4000_0001, u32::MAX - 1, u32::MAX]) {
            let answer = run(&filter, ARCHITECTURE, number, [u64::MAX; 6]);
            match verdicts.get(&number) {
                Some(Verdict::Allow) => assert_eq!(answer, SECCOMP_RET_ALLOW, "{number}"),
                Some(Verdict::Refuse(errno)) => {
                    assert_eq!(answer, SECCOMP_RET_ERRNO | *errno as u32, "{number}")
                }
                // With every bit of every argument set nothing conditional is allowed, but asking for the personality.
                Some(Verdict::AllowIf(_)) if i64::from(number) == libc::SYS_personality => {
                    assert_eq!(answer, SECCOMP_RET_ALLOW);
                }
                Some(Verdict::AllowIf(_)) | None => assert_eq!(answer, EPERM, "{number}"),
            }
        }
        assert_eq!(run(&filter, ARCHITECTURE ^ 1, libc::SYS_read as u32, [0; 6]), SECCOMP_RET_KILL_PROCESS);
    }

    #[test]
    fn conditions_are_looked_at() {
        let filter = Filter::compile();
        let ask = |call: libc::c_long, first: i32, third: i32| {
            // The kernel ignores the upper half, so the filter must as well.
            let arguments =
                [0xffff_0000_0000_0000 | u64::from(first as u32), 9, u64::from(third as u32), 0, 0, 0];
            run(&filter, ARCHITECTURE, call as u32, arguments)
        };
        let (unix, netlink) = (libc::AF_UNIX, libc::AF_NETLINK);
        assert_eq!(ask(libc::SYS_socket, unix, 0), SECCOMP_RET_ALLOW);
        assert_eq!(ask(libc::SYS_socket, libc::AF_INET6, 41), SECCOMP_RET_ALLOW);
        assert_eq!(ask(libc::SYS_socket, netlink, libc::NETLINK_ROUTE), SECCOMP_RET_ALLOW);
        assert_eq!(ask(libc::SYS_socket, netlink, libc::NETLINK_AUDIT), EPERM);
        assert_eq!(ask(libc::SYS_socket, libc::AF_PACKET, 0), EPERM);
        assert_eq!(ask(libc::SYS_socketpair, unix, 0), SECCOMP_RET_ALLOW);
        assert_eq!(ask(libc::SYS_socketpair, libc::AF_INET, 0), EPERM);
        assert_eq!(ask(libc::SYS_clone, libc::SIGCHLD, 0), SECCOMP_RET_ALLOW);
        for namespace in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, 0x80] {
            assert_eq!(ask(libc::SYS_clone, namespace | libc::SIGCHLD, 0), EPERM);
        }
        assert_eq!(ask(libc::SYS_personality, 0, 0), SECCOMP_RET_ALLOW);
        assert_eq!(ask(libc::SYS_personality, 0x0004_0000, 0), EPERM);
        assert_eq!(ask(libc::SYS_clone3, 0, 0), ENOSYS);
        let mode = |kind: libc::mode_t| i32::try_from(kind | 0o600).unwrap();
        for kind in [libc::S_IFIFO, libc::S_IFSOCK, libc::S_IFREG, 0] {
            assert_eq!(ask(libc::SYS_mknodat, libc::AT_FDCWD, mode(kind)), SECCOMP_RET_ALLOW, "{kind:o}");
        }
        for kind in [libc::S_IFCHR, libc::S_IFBLK, libc::S_IFBLK | libc::S_IFIFO] {
            assert_eq!(ask(libc::SYS_mknodat, libc::AT_FDCWD, mode(kind)), EPERM, "{kind:o}");
        }
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
