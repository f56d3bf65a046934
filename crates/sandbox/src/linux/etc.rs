//! The content of `/etc` in a sandbox.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::namespaces::{INNER_GID, INNER_UID};
use crate::Egress;

/// Files and trees of the host that programs of the host's `/usr` need; only what everyone may read is copied.
const FROM_HOST: [&str; 17] = [
    "alternatives", // links from /usr/bin to what an administrator chose
    "ca-certificates",
    "fonts",
    "gai.conf",
    "host.conf",
    "ld.so.cache", // where the host's libraries are
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "os-release",
    "pki/tls",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
];
/// Directories of the host whose names start so: a Java runtime's configuration.
const FROM_HOST_PREFIXES: [&str; 2] = ["java", "crypto-policies"];
/// Larger files are none of the above.
const MAX_FILE: u64 = 4 << 20;

/// Writes the files that do not come from the host.
pub(super) fn write(etc: &Path, egress: Egress, hostname: &str) -> io::Result<()> {
    let user = format!("sbx_user1051:x:{INNER_UID}:{INNER_GID}::/home/sbx_user1051:/sbin/nologin");
    let files = [
        ("passwd", format!("root:x:0:0:root:/root:/sbin/nologin\n{user}\n")),
        ("group", format!("root:x:0:\nsbx_user1051:x:{INNER_GID}:\n")),
        ("hostname", format!("{hostname}\n")),
        (
            "hosts",
            format!("127.0.0.1 localhost\n127.0.0.1 {hostname} {hostname}.localdomain\n::1 localhost\n"),
        ),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
        ("resolv.conf", resolv_conf(egress)),
    ];
    for (name, text) in files {
        fs::write(etc.join(name), text)?;
    }
    Ok(())
}

/// Name servers that are reached through address translation; none without a way out.
fn resolv_conf(egress: Egress) -> String {
    if egress == Egress::None {
        return String::new();
    }
    // The second is where systemd-resolved keeps the real servers when the first names only its own stub.
    let paths = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
    let texts = paths.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts.map(|text| without_loopback(&text)).find(|text| text.contains("nameserver")).unwrap_or_default()
}

fn without_loopback(text: &str) -> String {
    let keep = |line: &&str| {
        let server = line.strip_prefix("nameserver").map(str::trim);
        server.is_none_or(|server| {
            server.parse::<std::net::Ipv4Addr>().is_ok_and(|address| !address.is_loopback())
        })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter(keep).map(|line| format!("{line}\n")).collect()
}

/// Copies what [`FROM_HOST`] names.
pub(super) fn copy_from_host(etc: &Path) -> io::Result<()> {
    let mut names: Vec<_> = FROM_HOST.iter().map(|&name| name.to_owned()).collect();
    if let Ok(entries) = fs::read_dir("/etc") {
        let all = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.extend(all.filter(|name| FROM_HOST_PREFIXES.iter().any(|prefix| name.starts_with(prefix))));
    }
    for name in names {
        let target = etc.join(&name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        copy(&Path::new("/etc").join(&name), &target, 8)?;
    }
    Ok(())
}

fn copy(source: &Path, target: &Path, depth: u32) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(source) else { return Ok(()) };
    let open_to_all = metadata.permissions().mode() & 0o004 != 0;
    if metadata.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
    } else if metadata.is_dir() && open_to_all && depth > 0 {
        fs::create_dir_all(target)?;
        for entry in fs::read_dir(source)?.flatten() {
            copy(&entry.path(), &target.join(entry.file_name()), depth - 1)?;
        }
    } else if metadata.is_file() && open_to_all && metadata.len() <= MAX_FILE {
        fs::copy(source, target)?;
        fs::set_permissions(target, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_on_the_host_itself_are_left_out() {
        let text =
            "# comment\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver fe80::1\noptions edns0\n";
        assert_eq!(without_loopback(text), "nameserver 10.0.0.2\noptions edns0\n");
    }

    #[test]
    fn what_only_root_may_read_is_not_copied() {
        let directory = tempfile::tempdir().unwrap();
        let (source, target) = (directory.path().join("a"), directory.path().join("b"));
        fs::create_dir_all(source.join("private")).unwrap();
        for (name, mode) in [("open", 0o644), ("secret", 0o640), ("private/key", 0o644)] {
            fs::write(source.join(name), name).unwrap();
            fs::set_permissions(source.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(source.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
        copy(&source, &target, 8).unwrap();
        assert!(target.join("open").exists());
        assert!(!target.join("secret").exists());
        assert!(!target.join("private").exists());
    }
}
