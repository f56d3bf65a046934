//! What hostile code may try. Every test really tries it, from inside a sandbox, with Python as the attacker.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::{Duration, Instant};

use rushlight_sandbox::{Command, ExitStatus, Isolation, Mount, Process, Sandbox};

use crate::support::{
    Harness, PATIENCE, eventually, finish, processes_with, program, read_until, run, shell, start_until,
};

/// A Python program with what the attacks below have in common: `tell(name, function)` prints the name and either
/// `done` or the name of the error number.
pub fn python(script: &str) -> Command {
    let prelude = "\
import ctypes, errno, os, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(result):
    if result == -1: raise OSError(ctypes.get_errno(), 'refused')
    return result
def syscall(number, *arguments): return call(libc.syscall(number, *arguments))
def tell(name, attempt):
    try:
        attempt()
        outcome = 'done'
    except OSError as error: outcome = errno.errorcode.get(error.errno, str(error))
    except Exception as error: outcome = repr(error)
    print(name, outcome, flush=True)
";
    program("/usr/bin/python3", &["-c", &format!("{prelude}\n{script}")])
}

/// Runs a script and asserts that nothing it told of was done.
async fn all_refused(sandbox: &dyn Sandbox, script: &str) {
    let output = run(sandbox, python(script)).await.success();
    let attempts: Vec<_> = output.lines().collect();
    assert!(!attempts.is_empty());
    let done: Vec<_> = attempts.iter().filter(|line| line.ends_with(" done")).collect();
    assert!(done.is_empty(), "succeeded: {done:?} of {attempts:?}");
    let confused: Vec<_> = attempts.iter().filter(|line| line.contains('(')).collect();
    assert!(confused.is_empty(), "not even tried: {confused:?}");
}

pub async fn code_files_and_environment_of_others_are_out_of_sight(harness: &Harness) {
    let mut spec = harness.spec();
    let code = harness.tree("victim", &[("secret.py", "SECRET-IN-CODE")]);
    spec.mounts = vec![Mount { source: code.clone(), target: "/var/task".into() }];
    let victim = harness.backend.create(spec).await.unwrap();
    let mut command =
        shell("echo SECRET-IN-TMP > /tmp/secret; echo ready; exec sleep 1000 # SECRET-IN-ARGUMENTS");
    command.environment.insert("PASSWORD".to_owned(), "SECRET-IN-ENVIRONMENT".to_owned());
    let process = start_until(&*victim, command, "ready").await;
    let attacker = harness.sandbox().await;
    let script = format!(
        r#"
needle = 'SECRET' + '-IN'
found = []
def look(path):
    try:
        with open(path, 'rb') as file:
            if needle.encode() in file.read(1 << 20): found.append(path)
    except OSError: pass
for top in ['/tmp', '/var', '/opt', '/run', '/home', '/root', '/etc', '/dev', '/srv', '/mnt', '/work', '/sys']:
    for folder, _, names in os.walk(top):
        for name in names:
            if not os.path.islink(os.path.join(folder, name)) and not folder.startswith('/dev'):
                look(os.path.join(folder, name))
others = []
for name in os.listdir('/proc'):
    if name.isdigit() and int(name) != os.getpid():
        others.append(name)
        for file in ['environ', 'cmdline', 'maps', 'status']: look(f'/proc/{{name}}/{{file}}')
print('found', found)
print('others', others)
for path in ['{code}', '{code}/secret.py', '{data}', '/proc/{pid}', '/proc/1/root', '/proc/1/environ', '/proc/1/fd',
             '/proc/1/mem', '/proc/1/cwd/tmp', '/proc/1/task/1/root', '/proc/1/maps', '/proc/1/ns/net']:
    tell(path, lambda: os.stat(path) and (os.listdir(path) if os.path.isdir(path) else open(path).read(1)))
"#,
        code = code.display(),
        data = harness.directory.path().display(),
        pid = process.host_pid.unwrap(),
    );
    let output = run(&*attacker, python(&script)).await.success();
    assert!(output.contains("found []\nothers []\n"), "{output}");
    assert!(!output.contains(" done"), "{output}");
    drop(process);
}

pub async fn no_socket_outside_is_reached(harness: &Harness) {
    let mut spec = harness.spec();
    spec.listener_ports = vec![9001];
    let victim = harness.backend.create(spec.clone()).await.unwrap();
    let victims_abstract = format!("victim-{}", std::process::id());
    let script = format!(
        "s = socket.socket(socket.AF_UNIX); s.bind('\\0{victims_abstract}'); s.listen()
print('listening', flush=True)
time.sleep(1000)"
    );
    let _process = start_until(&*victim, python(&script), "listening").await;

    let local = TcpListener::bind("127.0.0.1:0").unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let name = format!("host-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let path = harness.directory.path().join("server.sock");
    let _named = UnixListener::bind(&path).unwrap();

    spec.id.push_str("-attacker");
    spec.listener_ports = vec![9111];
    let attacker = harness.backend.create(spec).await.unwrap();
    let script = format!(
        r#"
def tcp(host, port):
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    s = socket.socket(family); s.settimeout(3); s.connect((host, port))
def unix(name):
    s = socket.socket(socket.AF_UNIX); s.connect(name)
tell('host-loopback', lambda: tcp('127.0.0.1', {local}))
tell('host-any', lambda: tcp('127.0.0.1', {everywhere}))
tell('host-any-6', lambda: tcp('::1', {everywhere}))
for address in {addresses:?}:
    tell('host-address', lambda: tcp(address, {everywhere}))
tell('metadata', lambda: tcp('169.254.169.254', 80))
tell('other-listener', lambda: tcp('127.0.0.1', 9001))
tell('host-abstract', lambda: unix('\0{name}'))
tell('other-abstract', lambda: unix('\0{victims_abstract}'))
tell('host-path', lambda: unix('{path}'))
"#,
        local = local.local_addr().unwrap().port(),
        everywhere = everywhere.local_addr().unwrap().port(),
        addresses = own_addresses(),
        path = path.display(),
    );
    all_refused(&*attacker, &script).await;
    local.set_nonblocking(true).unwrap();
    assert!(local.accept().is_err());
}

/// The host's own addresses, found without sending anything.
fn own_addresses() -> Vec<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    // Connecting a datagram socket only looks up the route.
    match socket.connect("192.0.2.1:9") {
        Ok(()) => vec![socket.local_addr().unwrap().ip().to_string()],
        Err(_) => Vec::new(),
    }
}

pub async fn privileged_calls_are_refused(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let calls: Vec<(&str, i64, &str)> = vec![
        ("clone3", libc::SYS_clone3, "ctypes.create_string_buffer(88), 88"),
        ("clone-user", libc::SYS_clone, "0x10000000 | 17, 0, 0, 0, 0"),
        ("clone-net", libc::SYS_clone, "0x40000000 | 17, 0, 0, 0, 0"),
        ("ptrace-attach", libc::SYS_ptrace, "16, 1, 0, 0"),
        ("ptrace-seize", libc::SYS_ptrace, "0x4206, 1, 0, 0"),
        ("process-vm-readv", libc::SYS_process_vm_readv, "1, 0, 0, 0, 0, 0"),
        ("pidfd-getfd", libc::SYS_pidfd_getfd, "0, 0, 0"),
        ("kcmp", libc::SYS_kcmp, "1, 1, 0, 0, 0"),
        ("mount", libc::SYS_mount, "b'none', b'/tmp', b'tmpfs', 0, 0"),
        ("umount", libc::SYS_umount2, "b'/proc', 2"),
        ("remount", libc::SYS_mount, "b'', b'/usr', b'', 32 | 4096, 0"),
        ("pivot-root", libc::SYS_pivot_root, "b'/tmp', b'/tmp'"),
        ("chroot", libc::SYS_chroot, "b'/tmp'"),
        ("open-tree", libc::SYS_open_tree, "-100, b'/', 1"),
        ("move-mount", libc::SYS_move_mount, "-100, b'/proc', -100, b'/tmp', 0"),
        ("fsopen", libc::SYS_fsopen, "b'tmpfs', 0"),
        ("mount-setattr", libc::SYS_mount_setattr, "-100, b'/usr', 0, ctypes.create_string_buffer(32), 32"),
        ("setns", libc::SYS_setns, "os.open('/proc/self/ns/net', 0), 0"),
        ("keyctl", libc::SYS_keyctl, "0, -3, 1"),
        ("add-key", libc::SYS_add_key, "b'user', b'name', b'text', 4, -3"),
        ("request-key", libc::SYS_request_key, "b'user', b'name', 0, -3"),
        ("bpf", libc::SYS_bpf, "0, ctypes.create_string_buffer(64), 64"),
        ("perf-event-open", libc::SYS_perf_event_open, "ctypes.create_string_buffer(128), 0, -1, -1, 0"),
        ("userfaultfd", libc::SYS_userfaultfd, "1"),
        ("io-uring-setup", libc::SYS_io_uring_setup, "8, ctypes.create_string_buffer(128)"),
        ("open-by-handle-at", libc::SYS_open_by_handle_at, "-100, ctypes.create_string_buffer(128), 0"),
        (
            "name-to-handle-at",
            libc::SYS_name_to_handle_at,
            "-100, b'/', ctypes.create_string_buffer(8), 0, 0",
        ),
        ("mknod", libc::SYS_mknodat, "-100, b'/tmp/disk', 0o60666, 0xfe00"),
        ("mknod-memory", libc::SYS_mknodat, "-100, b'/tmp/memory', 0o20666, 0x101"),
        ("init-module", libc::SYS_init_module, "b'', 0, b''"),
        ("kexec-load", libc::SYS_kexec_load, "0, 0, 0, 0"),
        ("reboot", libc::SYS_reboot, "0xfee1dead, 672274793, 0, 0"),
        ("swapon", libc::SYS_swapon, "b'/tmp/x', 0"),
        ("sethostname", libc::SYS_sethostname, "b'other', 5"),
        ("settimeofday", libc::SYS_settimeofday, "ctypes.create_string_buffer(16), 0"),
        ("clock-settime", libc::SYS_clock_settime, "0, ctypes.create_string_buffer(16)"),
        ("acct", libc::SYS_acct, "b'/tmp/x'"),
        ("syslog", libc::SYS_syslog, "3, ctypes.create_string_buffer(64), 64"),
        ("quotactl", libc::SYS_quotactl, "0x800002, b'/dev/vda', 0, 0"),
        ("personality", libc::SYS_personality, "0x40000"),
        ("setuid-root", libc::SYS_setuid, "0"),
        ("setgid-root", libc::SYS_setgid, "0"),
        ("setgroups", libc::SYS_setgroups, "0, 0"),
        ("kill-init", libc::SYS_kill, "1, 9"),
        ("fanotify", libc::SYS_fanotify_init, "0, 0"),
        ("lookup-dcookie", libc::SYS_lookup_dcookie, "0, 0, 0"),
        ("vhangup", libc::SYS_vhangup, ""),
        ("move-pages", libc::SYS_move_pages, "1, 0, 0, 0, 0, 0"),
        ("unshare-user", libc::SYS_unshare, "0x10000000"),
        ("unshare-mount", libc::SYS_unshare, "0x20000"),
        ("unshare-net", libc::SYS_unshare, "0x40000000"),
        ("unshare-pid", libc::SYS_unshare, "0x20000000"),
    ];
    let own_kill_reaches_init = harness.backend.isolation() == Isolation::Rootless;
    let mut script = String::new();
    for (name, number, arguments) in calls {
        // Without privileges init has the functions' own id: the call may succeed, the kernel then ignores it.
        if !(name == "kill-init" && own_kill_reaches_init) {
            script.push_str(&format!("tell('{name}', lambda: syscall({number}, {arguments}))\n"));
        }
    }
    script.push_str(
        "
import resource
tell('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
tell('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
tell('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))
tell('crypto', lambda: socket.socket(38, socket.SOCK_SEQPACKET))
tell('bluetooth', lambda: socket.socket(31, socket.SOCK_RAW, 1))
tell('audit', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9))
tell('netfilter', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12))
tell('uevents', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15))
tell('nice', lambda: os.setpriority(os.PRIO_PROCESS, 0, -10))
def raise_limit(which):
    hard = resource.getrlimit(which)[1]
    try: resource.setrlimit(which, (hard + 1, hard + 1))
    except ValueError: raise OSError(errno.EPERM, 'refused')
for which in ['NOFILE', 'NPROC', 'CORE', 'MEMLOCK', 'MSGQUEUE']:
    tell('limit-' + which, lambda: raise_limit(getattr(resource, 'RLIMIT_' + which)))
",
    );
    all_refused(&*sandbox, &script).await;
    // What ordinary programs need is not refused.
    let ordinary = "
import subprocess, threading, multiprocessing
t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()
print(subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout.strip())
a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))
print(len(socket.if_nameindex()), socket.gethostname(), os.getuid(), os.getgid())
";
    let output = run(&*sandbox, python(ordinary)).await.success();
    assert_eq!(output, "thread\nchild\nb'x'\n1 sandbox 993 990\n");
}

pub async fn what_is_read_only_stays_so(harness: &Harness) {
    let mut spec = harness.spec();
    let code = harness.tree("task", &[("handler.py", "code")]);
    std::fs::set_permissions(&code, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::set_permissions(code.join("handler.py"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let layer = harness.tree("layer", &[("file", "layer")]);
    std::fs::set_permissions(&layer, std::fs::Permissions::from_mode(0o777)).unwrap();
    spec.mounts = vec![Mount { source: code.clone(), target: "/var/task".into() }];
    spec.opt_layers = vec![layer.clone()];
    let sandbox = harness.backend.create(spec).await.unwrap();
    let script = "
def write(path): open(path, 'w').write('1')
for path in ['/var/task/handler.py', '/var/task/new', '/opt/file', '/opt/new', '/usr/new', '/usr/bin/env', '/new',
             '/etc/passwd', '/etc/new', '/dev/new', '/var/new', '/run/new', '/home/sbx_user1051/new', '/var/tmp/new',
             '/proc/sys/kernel/hostname', '/proc/sys/kernel/core_pattern', '/proc/sys/vm/drop_caches',
             '/proc/sys/net/ipv4/ip_forward', '/proc/sys/user/max_user_namespaces', '/proc/1/oom_score_adj']:
    tell(path, lambda: write(path))
for path in ['/var/task/handler.py', '/etc/passwd']:
    tell('remove ' + path, lambda: os.remove(path))
    tell('rename ' + path, lambda: os.rename(path, path + '2'))
    tell('chmod ' + path, lambda: os.chmod(path, 0o777))
    tell('link ' + path, lambda: os.link(path, '/tmp/link'))
for path in ['/sys/kernel', '/dev/mem', '/dev/kmsg', '/dev/loop0', '/dev/vda', '/dev/tty', '/dev/ptmx', '/dev/shm']:
    tell('device ' + path, lambda: os.stat(path))
def read(path):
    if not open(path, 'rb').read(16): raise OSError(errno.ENODATA, 'empty')
for name in ['kcore', 'kmsg', 'keys', 'key-users', 'kallsyms', 'modules', 'timer_list']:
    tell('read ' + name, lambda: read('/proc/' + name))
";
    all_refused(&*sandbox, script).await;
    assert_eq!(std::fs::read_to_string(code.join("handler.py")).unwrap(), "code");
    // A trigger, where the kernel has one, is hidden by a null device: writing reaches nothing.
    if std::path::Path::new("/proc/sysrq-trigger").exists() {
        let output = run(&*sandbox, shell("stat -c %F /proc/sysrq-trigger")).await.success();
        assert_eq!(output, "character special file\n");
    }
}

pub async fn set_uid_programs_confer_nothing(harness: &Harness) {
    let mut spec = harness.spec();
    let tree = harness.tree("set-uid", &[("readme", "")]);
    let copy = tree.join("id");
    std::fs::copy("/usr/bin/id", &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o6755)).unwrap();
    spec.mounts = vec![Mount { source: tree, target: "/var/task".into() }];
    let sandbox = harness.backend.create(spec).await.unwrap();
    let output =
        run(&*sandbox, shell("/var/task/id; cp /usr/bin/id /tmp/id; chmod 6755 /tmp/id; /tmp/id")).await;
    for line in output.success().lines() {
        assert!(line.starts_with("uid=993(sbx_user1051) gid=990(sbx_user1051)"), "{line}");
        assert!(!line.contains("euid") && !line.contains("(root)"), "{line}");
    }
    let status =
        run(&*sandbox, shell("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")).await.success();
    let mut lines: Vec<_> = status.lines().map(|line| line.replace('\t', " ")).collect();
    lines.sort();
    let none = "0000000000000000";
    let expected = ["Amb", "Bnd", "Eff", "Inh", "Prm"].map(|set| format!("Cap{set}: {none}"));
    assert_eq!(lines[..5], expected);
    assert_eq!(lines[5..], ["NoNewPrivs: 1", "Seccomp: 2"]);
}

pub async fn a_fork_bomb_is_contained(harness: &Harness) {
    let mut spec = harness.spec();
    spec.limits.processes = 64;
    let sandbox = harness.backend.create(spec).await.unwrap();
    let bomb = "
import threading
count = 1
def grow():
    global count
    for _ in range(1000):
        try:
            if os.fork() == 0:
                while True: time.sleep(1000)
            count += 1
        except OSError as error: return errno.errorcode[error.errno]
print('stopped by', grow(), 'at', count, flush=True)
while True:
    try: os.fork()
    except OSError: pass
";
    let mut process = sandbox.spawn(python(bomb)).await.unwrap();
    let stdout = process.stdout;
    process.stdout =
        tokio::task::spawn_blocking(move || read_until(stdout, "stopped by EAGAIN at 6")).await.unwrap();
    let neighbour = harness.sandbox().await;
    run(&*neighbour, shell("true")).await.success();
    sandbox.kill_all().await.unwrap();
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    run(&*sandbox, shell("true")).await.success();
}

pub async fn a_memory_bomb_is_killed_and_recognised(harness: &Harness) {
    let mut spec = harness.spec();
    spec.limits.memory_bytes = 64 << 20;
    let sandbox = harness.backend.create(spec).await.unwrap();
    let bomb = "
blocks = []
while True: blocks.append(bytearray(b'x' * (1 << 20))); time.sleep(0.001)
";
    let finished = run(&*sandbox, python(bomb)).await;
    assert_eq!(finished.exit.status, ExitStatus::Signal(9));
    assert!(finished.exit.out_of_memory);
    assert!(sandbox.usage().out_of_memory_kills >= 1);
    // A later process is not blamed for it; a child's end is told with its parent's.
    let quiet = run(&*sandbox, shell("true")).await;
    assert!(!quiet.exit.out_of_memory);
    let child = python(&format!("pid = os.fork()\nif pid == 0:\n{}\nos.waitpid(pid, 0)", indent(bomb)));
    let finished = run(&*sandbox, child).await;
    assert_eq!(finished.exit.status, ExitStatus::Code(0));
    assert!(finished.exit.out_of_memory);
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

pub async fn a_disk_bomb_fills_only_its_own_tmp(harness: &Harness) {
    let mut spec = harness.spec();
    let size = 64 << 20;
    spec.limits.tmp_bytes = size;
    let on_disk = harness.backend.isolation() == Isolation::Sandbox;
    // On disk it does not count as memory, of which there is less here than of disk.
    spec.limits.memory_bytes = if on_disk { 48 << 20 } else { 256 << 20 };
    let sandbox = harness.backend.create(spec).await.unwrap();
    let bomb = "
written = 0
try:
    with open('/tmp/file', 'wb', buffering=0) as file:
        while True: written += file.write(b'x' * (1 << 18))
except OSError as error: print(errno.errorcode[error.errno], written)
os.remove('/tmp/file')
count = 0
try:
    for number in range(10**7):
        os.mkdir(f'/tmp/{number}'); count += 1
except OSError as error: print(errno.errorcode[error.errno], count < 10**7)
";
    let finished = run(&*sandbox, python(bomb)).await;
    assert!(!finished.exit.out_of_memory);
    let output = finished.success();
    let mut words = output.split_whitespace();
    assert_eq!(words.next(), Some("ENOSPC"));
    let written: u64 = words.next().unwrap().parse().unwrap();
    assert!(written >= size - (1 << 20), "only {written} bytes of {size}");
    assert!(written <= size + size / 8, "{written} bytes of {size}");
    assert_eq!(words.collect::<Vec<_>>(), ["ENOSPC", "True"]);
    // The next sandbox finds nothing of it, and has all the room.
    sandbox.destroy().await;
    for _ in 0..6 {
        let mut spec = harness.spec();
        spec.limits.tmp_bytes = size;
        let next = harness.backend.create(spec).await.unwrap();
        let output =
            run(&*next, shell("ls -A /tmp; stat -c '%a %u' /tmp; df --output=avail -B1 /tmp | tail -1"))
                .await;
        let output = output.success();
        let lines: Vec<_> = output.lines().collect();
        // Root of the sandbox; its only user where it has one user only.
        assert!(["1777 0", "1777 993"].contains(&lines[0]), "{output}");
        assert!(lines[1].trim().parse::<u64>().unwrap() >= size - (1 << 20), "{output}");
        assert_eq!(lines.len(), 2, "{output}");
    }
}

pub async fn a_descriptor_bomb_ends_at_the_limit(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let bomb = "
opened = []
try:
    while True: opened.append(os.open('/dev/null', os.O_RDONLY))
except OSError as error: print(errno.errorcode[error.errno], opened[-1])
";
    assert_eq!(run(&*sandbox, python(bomb)).await.success(), "EMFILE 1023\n");
}

pub async fn a_cpu_hog_gets_its_share(harness: &Harness) {
    let mut spec = harness.spec();
    spec.limits.cpus = 0.2;
    let sandbox = harness.backend.create(spec).await.unwrap();
    let hog = "
import threading
def burn():
    while True: pass
for _ in range(3): threading.Thread(target=burn, daemon=True).start()
start = time.monotonic()
while time.monotonic() - start < 2: pass
print(time.process_time() / (time.monotonic() - start), flush=True)
os._exit(0)
";
    let share: f64 = run(&*sandbox, python(hog)).await.success().trim().parse().unwrap();
    assert!(share < 0.3, "{share} CPUs");
}

pub async fn init_withstands_signals_and_orphans(harness: &Harness) {
    let mut spec = harness.spec();
    spec.limits.processes = 128;
    let sandbox = harness.backend.create(spec).await.unwrap();
    let flood = "
for _ in range(20):
    for number in range(1, 65):
        try: os.kill(1, number)
        except OSError: pass
        try: signal.pidfd_send_signal(os.pidfd_open(1), number)
        except OSError: pass
for _ in range(500):
    if os.fork() == 0:
        for _ in range(3):
            try:
                if os.fork() == 0: os._exit(0)
            except OSError: pass
        os._exit(0)
    os.wait()
print('flooded')
";
    assert_eq!(run(&*sandbox, python(flood)).await.success(), "flooded\n");
    // All those orphans were reaped: there is room for as many again.
    assert_eq!(run(&*sandbox, python(flood)).await.success(), "flooded\n");
    sandbox.kill_all().await.unwrap();
    run(&*sandbox, shell("true")).await.success();
}

pub async fn output_that_nobody_reads_blocks_only_its_writer(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let process = sandbox.spawn(shell("echo ready >&2; yes | head -c 10000000")).await.unwrap();
    let stderr = process.stderr;
    let _stderr = tokio::task::spawn_blocking(move || read_until(stderr, "ready")).await.unwrap();
    run(&*sandbox, shell("true")).await.success();
    let start = Instant::now();
    sandbox.kill_all().await.unwrap();
    assert!(start.elapsed() < PATIENCE / 2);
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
    drop(process.stdout);
}

pub async fn a_blocked_sigterm_does_not_delay_the_end(harness: &Harness) {
    let sandbox = harness.sandbox().await;
    let stubborn = "
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
while True: pass
";
    let process = start_until(&*sandbox, python(stubborn), "ready").await;
    rustix::process::kill_process(pid(&process), rustix::process::Signal::TERM).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(processes_with("SIGTERM, signal.SIG_IGN").len(), 1);
    sandbox.kill_all().await.unwrap();
    assert_eq!(process.exit.await.unwrap().status, ExitStatus::Signal(9));
}

fn pid(process: &Process) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(process.host_pid.unwrap() as i32).unwrap()
}

pub async fn the_host_sees_no_mounts_and_no_shared_ids(harness: &Harness) {
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let data = harness.directory.path().display().to_string();
    let one = harness.sandbox().await;
    let two = harness.sandbox().await;
    assert!(!mounts().contains(&data), "{}", mounts());
    let mut uids = Vec::new();
    for sandbox in [&one, &two] {
        let process = sandbox.spawn(program("/bin/sleep", &["1000"])).await.unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.host_pid.unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap().trim().to_owned();
        uids.push(line.split('\t').next().unwrap().parse::<u32>().unwrap());
    }
    assert!(uids.iter().all(|uid| *uid >= 1_000_000), "{uids:?}");
    assert!(uids[0].abs_diff(uids[1]) >= 65_536, "{uids:?}");
}

pub async fn one_sandbox_after_the_other_and_many_at_once(harness: &Harness) {
    let mut creations = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (backend, spec) = (harness.backend.clone(), harness.spec());
        creations.spawn(async move {
            let sandbox = backend.create(spec).await.unwrap();
            let output = run(&*sandbox, shell("echo $$")).await.success();
            sandbox.destroy().await;
            output
        });
    }
    while let Some(output) = creations.join_next().await {
        // The second process of its own namespace.
        assert_eq!(output.unwrap(), "2\n");
    }
}

pub async fn a_dropped_creation_leaves_nothing(harness: &Harness) {
    let mut ids = Vec::new();
    for delay in [0, 1, 2, 4, 8] {
        let spec = harness.spec();
        ids.push(spec.id.clone());
        let created = tokio::time::timeout(Duration::from_millis(delay), harness.backend.create(spec)).await;
        drop(created);
    }
    eventually("the groups are gone", || ids.iter().all(|id| groups_named(id).is_empty())).await;
    run(&*harness.sandbox().await, shell("true")).await.success();
}

/// Control group directories with this name.
pub fn groups_named(name: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name() == name {
                    found.push(entry.path());
                }
                pending.push(entry.path());
            }
        }
    }
    found
}

pub async fn a_root_file_system_of_its_own(harness: &Harness) {
    let root = harness.directory.path().join("image");
    for directory in ["bin", "lib", "lib64", "etc", "usr/lib", "opt"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    // A link that leads out of the image must lead nowhere: a mount target of its name hides it.
    std::os::unix::fs::symlink("/", root.join("outside")).unwrap();
    for name in ["sh", "cat", "ls"] {
        std::fs::copy(format!("/bin/{name}"), root.join("bin").join(name)).unwrap();
    }
    let output = std::process::Command::new("ldd").args(["/bin/sh", "/bin/cat", "/bin/ls"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for word in text.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':')) {
        let target = root.join(word.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(word, target).unwrap();
    }
    std::fs::write(root.join("etc/image"), "of the image").unwrap();
    let mut spec = harness.spec();
    spec.root = rushlight_sandbox::Root::Directory(root.clone());
    let code = harness.tree("image-code", &[("file", "code")]);
    spec.mounts = vec![
        Mount { source: code.clone(), target: "/var/task".into() },
        Mount { source: code, target: "/outside/mnt".into() },
    ];
    let sandbox = harness.backend.create(spec).await.unwrap();
    let script = "cat /etc/image /var/task/file /outside/mnt/file; ls /usr; echo x > /dev/null; echo y > /tmp/y; \
                  echo z > /new || echo read-only";
    let finished = run(&*sandbox, shell(script)).await;
    assert_eq!(finished.success(), "of the imagecodecodelib\nread-only\n");
    assert!(!root.join("new").exists());
}

pub async fn a_sandbox_is_not_named_by_a_path(harness: &Harness) {
    for id in ["../escape", "", "a/b", "a\0b", "."] {
        let mut spec = harness.spec();
        spec.id = id.to_owned();
        assert!(harness.backend.create(spec).await.is_err(), "{id:?}");
    }
}

pub async fn a_failed_creation_says_which_step(harness: &Harness) {
    let mut spec = harness.spec();
    spec.mounts = vec![Mount { source: "/nowhere/at/all".into(), target: "/var/task".into() }];
    let error = harness.backend.create(spec).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    let process = finish(harness.sandbox().await.spawn(shell("true")).await.unwrap()).await;
    process.success();
}
