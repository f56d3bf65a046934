//! Finding the processes of a session in `/proc`.

use std::fs;

use rustix::process::Pid;

/// A living process of one of the sessions asked for.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) pid: Pid,
    /// Resident set size in bytes.
    pub(super) memory_bytes: u64,
}

/// All processes, zombies excepted, whose session or process group is one of `sessions`.
pub(super) fn members(sessions: &[i32]) -> Vec<Member> {
    if sessions.is_empty() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| member(pid, sessions)).collect()
}

fn member(pid: i32, sessions: &[i32]) -> Option<Member> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything: the fields are counted from its end.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    let group: i32 = fields.nth(1)?.parse().ok()?;
    let session: i32 = fields.next()?.parse().ok()?;
    let pages: u64 = fields.nth(17)?.parse().ok()?;
    if matches!(state, "Z" | "X") || !(sessions.contains(&session) || sessions.contains(&group)) {
        return None;
    }
    let memory_bytes = pages * rustix::param::page_size() as u64;
    Some(Member { pid: Pid::from_raw(pid)?, memory_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_process_by_its_session() {
        let session = rustix::process::getsid(None).unwrap();
        let own = rustix::process::getpid();
        let members = members(&[session.as_raw_nonzero().get()]);
        let found = members.iter().find(|member| member.pid == own).expect("this process");
        assert!(found.memory_bytes > 100_000, "{found:?}");
    }
}
