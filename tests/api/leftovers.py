"""What a server may leave on the machine and must not: processes, control groups, mounts, namespaces, devices."""

import os
import pathlib
import re
import subprocess

CGROUPS = pathlib.Path("/sys/fs/cgroup")


def mounts_of(directory):
    """(process, mount) pairs of all mounts, in whatever namespace, that come from beneath `directory`."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                text = (process / "mountinfo").read_text()
            except OSError:
                continue
            found += [(int(process.name), line) for line in text.splitlines() if str(directory) in line]
    return found


def processes_of(directory):
    """Processes that run, were started with, or hold open something beneath `directory`."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            links = [os.readlink(link) for link in (process / "fd").iterdir()]
            links += [os.readlink(process / link) for link in ("cwd", "root", "exe")]
        except OSError:
            continue
        if str(directory) in words or any(link.startswith(str(directory)) for link in links):
            found.append((int(process.name), words.replace("\0", " ").strip()))
    return found


def running(program):
    """Ids of the processes, of whatever sandbox, that run this."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if process.name.isdigit() and program in words:
            found.append(int(process.name))
    return found


def children_of(pid):
    """All descendants of a process as {(pid, start time)}."""
    parents = {}
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append((int(process.name), fields[19]))
    found, waiting = set(), [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child[0])
    return found


def alive(processes):
    """Which of these (pid, start time) still run."""
    return [child for child in processes if _start_time(child[0]) == child[1]]


def _start_time(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def instance(data):
    """What a server on this data directory puts into the names of what it makes on the machine."""
    value = 0xCBF29CE484222325
    for byte in bytes(data.resolve() / "sandbox"):
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return f"{(value >> 32) ^ (value & 0xFFFFFFFF):08x}"


def named(instance):
    """Control groups, network interfaces and firewall tables of that name."""
    groups = [path for path, _, _ in os.walk(CGROUPS) if f"rushlight-{instance}" in path]
    interfaces = [name for name in os.listdir("/sys/class/net") if name.startswith(f"rl{instance[-6:]}-")]
    try:
        done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, timeout=20)
        tables = [line for line in done.stdout.splitlines() if instance in line]
    except FileNotFoundError:
        tables = []
    return groups + interfaces + tables


def loop_devices(directory):
    found = []
    for device in pathlib.Path("/sys/block").glob("loop*"):
        backing = device / "loop/backing_file"
        if backing.exists() and str(directory) in backing.read_text():
            found.append(device.name)
    return found


def resident(pid):
    """Bytes of memory that a process has."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def all_of(directory):
    """Everything that is there now because of `directory`, for a comparison with nothing."""
    return {
        "processes": processes_of(directory),
        "mounts": mounts_of(directory),
        "loop devices": loop_devices(directory),
    }
