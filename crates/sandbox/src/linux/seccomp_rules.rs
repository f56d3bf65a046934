//! What processes in a sandbox may ask of the kernel: data, with a reason for each rule.
//!
//! Everything that is not listed fails with EPERM. The list is what language runtimes and common libraries use; it
//! leaves out what administers a machine, what reaches into other processes, and young or large interfaces whose
//! defects have broken sandboxes before.

use libc::*;

/// Calls allowed, or refused, for one reason.
pub(super) struct Group {
    /// For people, and for the test that every rule has one.
    #[cfg_attr(not(test), expect(dead_code))]
    pub(super) reason: &'static str,
    pub(super) calls: &'static [c_long],
}

/// A call allowed only with certain arguments.
pub(super) struct Conditional {
    /// For people, and for the test that every rule has one.
    #[cfg_attr(not(test), expect(dead_code))]
    pub(super) reason: &'static str,
    pub(super) call: c_long,
    pub(super) condition: Condition,
}

/// A condition on one 32-bit argument, counted from 0.
#[derive(Clone, Copy)]
pub(super) enum Condition {
    /// The argument has this value.
    Equals { argument: u8, value: u64 },
    /// The argument has none of these bits.
    Lacks { argument: u8, bits: u64 },
    /// The first argument is the netlink family and the third its route protocol.
    NetlinkRoute,
}

/// What the modes of character and block devices have in common, and those of pipes, sockets and files have not.
const DEVICES: u64 = (S_IFCHR & S_IFBLK) as u64;

const NAMESPACES: u64 = (CLONE_NEWUSER
    | CLONE_NEWNS
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWIPC
    | CLONE_NEWUTS
    | CLONE_NEWCGROUP
    | 0x80/* CLONE_NEWTIME */) as u64;

// Calls that the libc crate does not name yet; their numbers are those of every architecture.
const CACHESTAT: c_long = 451;
const MAP_SHADOW_STACK: c_long = 453;
const FUTEX_WAKE_CALL: c_long = 454;
const FUTEX_WAIT_CALL: c_long = 455;
const FUTEX_REQUEUE_CALL: c_long = 456;
/// The first call that is younger than this list, and how many there may come to be.
const YOUNG: c_long = 463;
const YOUNG_COUNT: usize = 64;

const fn young() -> [c_long; YOUNG_COUNT] {
    let mut all = [YOUNG; YOUNG_COUNT];
    let mut index = 1;
    while index < YOUNG_COUNT {
        all[index] = all[index - 1] + 1;
        index += 1;
    }
    all
}

/// Allowed with any arguments.
pub(super) const ALLOWED: &[Group] = &[
    Group {
        reason: "read, write and position in open files",
        calls: &[
            SYS_read,
            SYS_write,
            SYS_readv,
            SYS_writev,
            SYS_pread64,
            SYS_pwrite64,
            SYS_preadv,
            SYS_pwritev,
            SYS_preadv2,
            SYS_pwritev2,
            SYS_lseek,
            SYS_close,
            SYS_close_range,
            SYS_dup,
            SYS_dup3,
            SYS_fcntl,
            SYS_ioctl,
            SYS_flock,
            SYS_fsync,
            SYS_fdatasync,
            SYS_sync_file_range,
            SYS_syncfs,
            SYS_sync,
            SYS_ftruncate,
            SYS_truncate,
            SYS_fallocate,
            SYS_fadvise64,
            SYS_readahead,
            SYS_sendfile,
            SYS_copy_file_range,
            SYS_splice,
            SYS_tee,
            SYS_vmsplice,
        ],
    },
    Group {
        reason: "open files and directories and ask about them; permissions and mounts decide",
        calls: &[
            SYS_openat,
            SYS_openat2,
            SYS_getdents64,
            SYS_fstat,
            SYS_newfstatat,
            SYS_statx,
            SYS_statfs,
            SYS_fstatfs,
            SYS_faccessat,
            SYS_faccessat2,
            SYS_readlinkat,
            SYS_getcwd,
            SYS_chdir,
            SYS_fchdir,
        ],
    },
    Group {
        reason: "make, rename and remove files in /tmp; device nodes cannot be made",
        calls: &[
            SYS_mkdirat,
            SYS_unlinkat,
            SYS_renameat2,
            SYS_linkat,
            SYS_symlinkat,
            SYS_fchmod,
            SYS_fchmodat,
            SYS_fchmodat2,
            SYS_fchown,
            SYS_fchownat,
            SYS_utimensat,
            SYS_umask,
        ],
    },
    Group {
        reason: "extended attributes, as file copying libraries use them",
        calls: &[
            SYS_getxattr,
            SYS_lgetxattr,
            SYS_fgetxattr,
            SYS_setxattr,
            SYS_lsetxattr,
            SYS_fsetxattr,
            SYS_listxattr,
            SYS_llistxattr,
            SYS_flistxattr,
            SYS_removexattr,
            SYS_lremovexattr,
            SYS_fremovexattr,
        ],
    },
    Group {
        reason: "memory of the process itself; just-in-time compilers make it executable",
        calls: &[
            SYS_brk,
            SYS_mmap,
            SYS_munmap,
            SYS_mremap,
            SYS_mprotect,
            SYS_pkey_alloc,
            SYS_pkey_free,
            SYS_pkey_mprotect,
            SYS_madvise,
            SYS_process_madvise,
            SYS_mincore,
            SYS_msync,
            SYS_mlock,
            SYS_mlock2,
            SYS_munlock,
            SYS_mlockall,
            SYS_munlockall,
            SYS_mseal,
            SYS_membarrier,
            SYS_memfd_create,
            SYS_memfd_secret,
            SYS_get_mempolicy,
            CACHESTAT,
            MAP_SHADOW_STACK,
        ],
    },
    Group {
        reason: "threads and their synchronisation",
        calls: &[
            SYS_futex,
            SYS_futex_waitv,
            FUTEX_WAKE_CALL,
            FUTEX_WAIT_CALL,
            FUTEX_REQUEUE_CALL,
            SYS_set_robust_list,
            SYS_get_robust_list,
            SYS_set_tid_address,
            SYS_gettid,
            SYS_rseq,
            SYS_restart_syscall,
        ],
    },
    Group {
        reason: "processes: start, end and wait for one's own",
        calls: &[
            SYS_execve,
            SYS_execveat,
            SYS_exit,
            SYS_exit_group,
            SYS_wait4,
            SYS_waitid,
            SYS_getpid,
            SYS_getppid,
            SYS_getpgid,
            SYS_setpgid,
            SYS_getsid,
            SYS_setsid,
            SYS_pidfd_open,
            SYS_pidfd_send_signal,
        ],
    },
    Group {
        reason: "signals; the process id namespace bounds whom they reach",
        calls: &[
            SYS_kill,
            SYS_tkill,
            SYS_tgkill,
            SYS_rt_sigaction,
            SYS_rt_sigprocmask,
            SYS_rt_sigreturn,
            SYS_rt_sigpending,
            SYS_rt_sigsuspend,
            SYS_rt_sigtimedwait,
            SYS_rt_sigqueueinfo,
            SYS_rt_tgsigqueueinfo,
            SYS_sigaltstack,
            SYS_signalfd4,
        ],
    },
    Group {
        reason: "ids of the process; without capabilities it has only its own to choose from",
        calls: &[
            SYS_getuid,
            SYS_geteuid,
            SYS_getgid,
            SYS_getegid,
            SYS_getresuid,
            SYS_getresgid,
            SYS_getgroups,
            SYS_setuid,
            SYS_setgid,
            SYS_setreuid,
            SYS_setregid,
            SYS_setresuid,
            SYS_setresgid,
            SYS_setgroups,
            SYS_setfsuid,
            SYS_setfsgid,
            SYS_capget,
            SYS_capset,
        ],
    },
    Group {
        reason: "scheduling and limits of one's own processes; limits can only be lowered",
        calls: &[
            SYS_sched_yield,
            SYS_sched_getaffinity,
            SYS_sched_setaffinity,
            SYS_sched_getparam,
            SYS_sched_setparam,
            SYS_sched_getscheduler,
            SYS_sched_setscheduler,
            SYS_sched_getattr,
            SYS_sched_setattr,
            SYS_sched_get_priority_max,
            SYS_sched_get_priority_min,
            SYS_sched_rr_get_interval,
            SYS_getpriority,
            SYS_setpriority,
            SYS_ioprio_get,
            SYS_ioprio_set,
            SYS_getrlimit,
            SYS_setrlimit,
            SYS_prlimit64,
            SYS_getrusage,
            SYS_getcpu,
            SYS_times,
        ],
    },
    Group {
        reason: "clocks and timers; none can be set",
        calls: &[
            SYS_clock_gettime,
            SYS_clock_getres,
            SYS_clock_nanosleep,
            SYS_gettimeofday,
            SYS_nanosleep,
            SYS_getitimer,
            SYS_setitimer,
            SYS_timer_create,
            SYS_timer_settime,
            SYS_timer_gettime,
            SYS_timer_getoverrun,
            SYS_timer_delete,
            SYS_timerfd_create,
            SYS_timerfd_settime,
            SYS_timerfd_gettime,
            SYS_adjtimex,
            SYS_clock_adjtime,
        ],
    },
    Group {
        reason: "waiting for events",
        calls: &[
            SYS_epoll_create1,
            SYS_epoll_ctl,
            SYS_epoll_pwait,
            SYS_epoll_pwait2,
            SYS_ppoll,
            SYS_pselect6,
            SYS_eventfd2,
            SYS_pipe2,
            SYS_inotify_init1,
            SYS_inotify_add_watch,
            SYS_inotify_rm_watch,
            SYS_io_setup,
            SYS_io_submit,
            SYS_io_getevents,
            SYS_io_cancel,
            SYS_io_destroy,
        ],
    },
    Group {
        reason: "sockets of the families allowed below; the network namespace bounds whom they reach",
        calls: &[
            SYS_bind,
            SYS_listen,
            SYS_accept,
            SYS_accept4,
            SYS_connect,
            SYS_getsockname,
            SYS_getpeername,
            SYS_getsockopt,
            SYS_setsockopt,
            SYS_shutdown,
            SYS_sendto,
            SYS_recvfrom,
            SYS_sendmsg,
            SYS_recvmsg,
            SYS_sendmmsg,
            SYS_recvmmsg,
        ],
    },
    Group {
        reason: "System V and POSIX communication within the sandbox's own ipc namespace",
        calls: &[
            SYS_shmget,
            SYS_shmat,
            SYS_shmdt,
            SYS_shmctl,
            SYS_semget,
            SYS_semop,
            SYS_semtimedop,
            SYS_semctl,
            SYS_msgget,
            SYS_msgsnd,
            SYS_msgrcv,
            SYS_msgctl,
            SYS_mq_open,
            SYS_mq_unlink,
            SYS_mq_timedsend,
            SYS_mq_timedreceive,
            SYS_mq_notify,
            SYS_mq_getsetattr,
        ],
    },
    Group {
        reason: "the process' own properties, and facts about the machine that /proc tells too",
        calls: &[SYS_prctl, SYS_uname, SYS_sysinfo, SYS_getrandom],
    },
    Group {
        reason: "a process may restrict itself further",
        calls: &[SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self],
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        reason: "older spellings of the above that this architecture still has",
        calls: &[
            SYS_open,
            SYS_creat,
            SYS_stat,
            SYS_lstat,
            SYS_access,
            SYS_readlink,
            SYS_getdents,
            SYS_mkdir,
            SYS_rmdir,
            SYS_unlink,
            SYS_rename,
            SYS_renameat,
            SYS_link,
            SYS_symlink,
            SYS_chmod,
            SYS_chown,
            SYS_lchown,
            SYS_utime,
            SYS_utimes,
            SYS_futimesat,
            SYS_dup2,
            SYS_pipe,
            SYS_poll,
            SYS_select,
            SYS_epoll_create,
            SYS_epoll_wait,
            SYS_eventfd,
            SYS_signalfd,
            SYS_inotify_init,
            SYS_getpgrp,
            SYS_pause,
            SYS_alarm,
            SYS_time,
            SYS_fork,
            SYS_vfork,
            SYS_arch_prctl,
            SYS_epoll_ctl_old,
            SYS_epoll_wait_old,
        ],
    },
    #[cfg(target_arch = "aarch64")]
    Group { reason: "an older spelling that this architecture has", calls: &[SYS_renameat] },
];

/// Allowed if a condition holds; several entries for one call are alternatives.
pub(super) const ALLOWED_IF: &[Conditional] = &[
    Conditional {
        reason: "new processes and threads, but no new namespaces",
        call: SYS_clone,
        condition: Condition::Lacks { argument: 0, bits: NAMESPACES },
    },
    Conditional {
        reason: "sockets within the sandbox",
        call: SYS_socket,
        condition: Condition::Equals { argument: 0, value: AF_UNIX as u64 },
    },
    Conditional {
        reason: "internet sockets",
        call: SYS_socket,
        condition: Condition::Equals { argument: 0, value: AF_INET as u64 },
    },
    Conditional {
        reason: "internet sockets, version 6",
        call: SYS_socket,
        condition: Condition::Equals { argument: 0, value: AF_INET6 as u64 },
    },
    Conditional {
        reason: "route netlink: the C library lists interfaces through it. Its other protocols are refused",
        call: SYS_socket,
        condition: Condition::NetlinkRoute,
    },
    Conditional {
        reason: "pairs exist in this family only",
        call: SYS_socketpair,
        condition: Condition::Equals { argument: 0, value: AF_UNIX as u64 },
    },
    Conditional {
        reason: "named pipes, sockets and plain files, but no devices",
        call: SYS_mknodat,
        condition: Condition::Lacks { argument: 2, bits: DEVICES },
    },
    #[cfg(target_arch = "x86_64")]
    Conditional {
        reason: "the same by its older name",
        call: libc::SYS_mknod,
        condition: Condition::Lacks { argument: 1, bits: DEVICES },
    },
    Conditional {
        reason: "the normal personality",
        call: SYS_personality,
        condition: Condition::Equals { argument: 0, value: 0 },
    },
    Conditional {
        reason: "asking for the personality",
        call: SYS_personality,
        condition: Condition::Equals { argument: 0, value: 0xffff_ffff },
    },
];

/// Answered as by a kernel that does not have the call, so that libraries fall back to an older one.
pub(super) const ABSENT: &[Group] = &[
    Group {
        reason: "its flags are in memory, where a filter cannot see them; libraries fall back to clone",
        calls: &[SYS_clone3],
    },
    Group { reason: "not judged yet: younger than this list", calls: &young() },
];
