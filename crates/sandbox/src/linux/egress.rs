//! A way out for sandboxes: one pair of virtual interfaces each, address translation, and a policy.
//!
//! ```text
//!  sandbox's namespace          jailer's namespace
//!  eth0  198.18.x.y+2/30 ─────  rl<tag>-<n>  198.18.x.y+1/30 ── table inet rushlight_<instance> ── routes of the host
//! ```
//! The policy is a firewall table of Rushlight's own, beside whatever else the host has: from a sandbox nothing reaches
//! an address of the host itself (so not its loopback either), link-local addresses (the metadata service of cloud
//! machines among them), other sandboxes, or anything by IPv6; and nothing reaches a sandbox but answers.
//!
//! 198.18.0.0/15 is set aside for benchmarks of network devices (RFC 2544) and in use on no network.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::network::Network;
use crate::step::{During, Step};

/// Networks of four addresses in 198.18.0.0/15.
const NUMBERS: u32 = 1 << 15;
const FIRST_ADDRESS: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const PREFIX_LENGTH: u8 = 30;
const INSIDE: &str = "eth0";

/// The host's side of all ways out.
#[derive(Debug)]
pub(crate) struct Egress {
    table: String,
    /// Begins the names of the host's interfaces.
    prefix: String,
    record: PathBuf,
    taken: BTreeSet<u32>,
    next: u32,
}

/// One sandbox's way out, to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way(u32);

impl Egress {
    /// Lays the policy. What an earlier server of the same instance left is replaced. `record` is a file that names
    /// the table and the beginning of the interfaces' names for as long as they may exist.
    pub(crate) fn prepare(instance: &str, record: &Path) -> Step<Self> {
        let word: String = instance.chars().filter(char::is_ascii_alphanumeric).collect();
        // Names of interfaces have at most 15 bytes.
        let prefix = format!("rl{}-", &word[word.len().saturating_sub(6)..]);
        let table = format!("rushlight_{word}");
        fs::write(record, format!("{table}\n{prefix}\n")).during("note the firewall table")?;
        let egress = Self { table, prefix, record: record.to_owned(), taken: BTreeSet::new(), next: 0 };
        // One transaction replaces whatever there was: a table must exist to be deleted.
        let (table, policy) = (&egress.table, egress.policy());
        filter(&format!("table inet {table} {{}}\ndelete table inet {table}\n{policy}"))
            .during("lay the firewall table for sandboxes")?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").during("let the host forward")?;
        Ok(egress)
    }

    /// Removes what a server that was killed left, if it left a record: for one that offers no way out itself.
    pub(crate) fn sweep(record: &Path) {
        let Ok(text) = fs::read_to_string(record) else { return };
        if let Some(table) = text.lines().next() {
            let _ = filter(&format!("delete table inet {table}\n"));
        }
        let _ = fs::remove_file(record);
    }

    /// Removes the policy. The interfaces go with the namespaces of their sandboxes.
    pub(crate) fn remove(&self) {
        // Fails where there is none.
        let _ = filter(&format!("delete table inet {}\n", self.table));
        let _ = fs::remove_file(&self.record);
    }

    fn policy(&self) -> String {
        let (table, ours) = (&self.table, format!("\"{}*\"", self.prefix));
        format!(
            "table inet {table} {{\n\
             chain input {{ type filter hook input priority -10; policy accept; iifname {ours} drop; }}\n\
             chain outbound {{\n\
               meta nfproto ipv6 drop;\n\
               ip daddr {{ 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 198.18.0.0/15, 224.0.0.0/3 }} drop;\n\
               fib daddr type local drop;\n\
             }}\n\
             chain forward {{ type filter hook forward priority -10; policy accept;\n\
               iifname {ours} jump outbound;\n\
               oifname {ours} ct state established,related accept;\n\
               oifname {ours} drop;\n\
             }}\n\
             chain postrouting {{ type nat hook postrouting priority 100; policy accept;\n\
               ip saddr 198.18.0.0/15 oifname != {ours} masquerade;\n\
             }}\n\
             }}\n"
        )
    }

    /// Gives the namespace that the calling process is in a way out. `host` is the namespace that it leads to, in which
    /// [`Egress::raise`] finishes it.
    pub(crate) fn connect(&mut self, host: &Network) -> Step<Way> {
        let way = self.take().during("find a free network for a sandbox")?;
        let connect = || {
            let socket = Netlink::open()?;
            socket.add_pair(INSIDE, &self.name(way), host)?;
            let index = socket.index(INSIDE)?;
            socket.add_address(index, way.inside())?;
            socket.raise(index)?;
            socket.add_default_route(index, way.outside())
        };
        let connected: io::Result<()> = connect();
        if connected.is_err() {
            self.give_back(way);
        }
        connected.during("connect the sandbox's network")?;
        Ok(way)
    }

    /// Finishes the host's side, in the host's namespace.
    pub(crate) fn raise(&self, way: Way) -> Step<()> {
        let raise = || {
            let socket = Netlink::open()?;
            let index = socket.index(&self.name(way))?;
            socket.add_address(index, way.outside())?;
            socket.raise(index)
        };
        raise().during("raise the host's side of the sandbox's network")
    }

    /// The sandbox is gone.
    pub(crate) fn give_back(&mut self, way: Way) {
        self.taken.remove(&way.0);
    }

    fn name(&self, way: Way) -> String {
        format!("{}{:x}", self.prefix, way.0)
    }

    /// The least recently used number: the kernel removes interfaces a moment after their namespace.
    fn take(&mut self) -> io::Result<Way> {
        for _ in 0..NUMBERS {
            let number = self.next;
            self.next = (self.next + 1) % NUMBERS;
            if self.taken.insert(number) {
                return Ok(Way(number));
            }
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }
}

impl Way {
    fn outside(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(FIRST_ADDRESS + self.0 * 4 + 1)
    }

    fn inside(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(FIRST_ADDRESS + self.0 * 4 + 2)
    }
}

/// Has `nft` carry out commands.
fn filter(commands: &str) -> io::Result<()> {
    let mut nft = Command::new("nft");
    // The jailer inherits no environment.
    nft.env("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
    nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = nft.spawn()?;
    if let Some(mut input) = running.stdin.take() {
        input.write_all(commands.as_bytes())?;
    }
    let done = running.wait_with_output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&done.stderr).trim().to_owned())),
    }
}

/// A socket to the kernel's routing tables, in the namespace in which it was opened. See `rtnetlink(7)`.
struct Netlink(OwnedFd);

impl Netlink {
    fn open() -> io::Result<Self> {
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        Ok(Self(rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?))
    }

    /// Sends a request and waits for the kernel's verdict.
    fn request(&self, kind: u16, create: bool, body: &[u8]) -> io::Result<()> {
        const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
        const CREATE_EXCLUSIVELY: u16 = 0x400 | 0x200;
        let flags = REQUEST_AND_ACKNOWLEDGE | if create { CREATE_EXCLUSIVELY } else { 0 };
        let mut message = Vec::with_capacity(16 + body.len());
        message.extend((16 + body.len() as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        rustix::net::sendto(&self.0, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut answer = [0; 1024];
        let (length, _) = rustix::net::recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        // An error message: the header, then a negative error number, zero for success.
        match answer.get(16..20).filter(|_| length >= 20).and_then(|bytes| bytes.try_into().ok()) {
            None => Err(io::ErrorKind::InvalidData.into()),
            Some(bytes) => match i32::from_ne_bytes(bytes) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(-error)),
            },
        }
    }

    fn index(&self, name: &str) -> io::Result<u32> {
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(rustix::net::netdevice::name_to_index(socket, name)?)
    }

    /// Makes a pair of interfaces, one here and its peer in `other`.
    fn add_pair(&self, here: &str, there: &str, other: &Network) -> io::Result<()> {
        let mut peer = link(0, 0);
        attribute(&mut peer, IFLA_IFNAME, &zero_ended(there));
        let descriptor = other.as_fd().as_raw_fd();
        attribute(&mut peer, IFLA_NET_NS_FD, &descriptor.to_ne_bytes());
        let mut data = Vec::new();
        attribute(&mut data, VETH_INFO_PEER, &peer);
        let mut information = Vec::new();
        attribute(&mut information, IFLA_INFO_KIND, b"veth");
        attribute(&mut information, IFLA_INFO_DATA, &data);
        let mut body = link(0, 0);
        attribute(&mut body, IFLA_IFNAME, &zero_ended(here));
        attribute(&mut body, IFLA_LINKINFO, &information);
        self.request(RTM_NEWLINK, true, &body)
    }

    fn raise(&self, index: u32) -> io::Result<()> {
        const UP: u32 = 1;
        self.request(RTM_NEWLINK, false, &link(index, UP))
    }

    fn add_address(&self, index: u32, address: Ipv4Addr) -> io::Result<()> {
        let mut body = vec![AF_INET, PREFIX_LENGTH, 0, 0];
        body.extend(index.to_ne_bytes());
        attribute(&mut body, IFA_LOCAL, &address.octets());
        attribute(&mut body, IFA_ADDRESS, &address.octets());
        self.request(RTM_NEWADDR, true, &body)
    }

    fn add_default_route(&self, index: u32, gateway: Ipv4Addr) -> io::Result<()> {
        const MAIN_TABLE: u8 = 254;
        const STATIC: u8 = 4;
        const UNICAST: u8 = 1;
        let mut body = vec![AF_INET, 0, 0, 0, MAIN_TABLE, STATIC, 0, UNICAST, 0, 0, 0, 0];
        attribute(&mut body, RTA_GATEWAY, &gateway.octets());
        attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
        self.request(RTM_NEWROUTE, true, &body)
    }
}

const AF_INET: u8 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;

/// The head of a message about an interface, with flags to set.
fn link(index: u32, flags: u32) -> Vec<u8> {
    let mut head = vec![0; 4];
    head.extend(index.to_ne_bytes());
    head.extend(flags.to_ne_bytes());
    head.extend(flags.to_ne_bytes());
    head
}

/// Appends an attribute: length, kind, value, padding to four bytes.
fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend((4 + value.len() as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn zero_ended(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress() -> Egress {
        Egress {
            table: "t".into(),
            prefix: "rlabcdef-".into(),
            record: PathBuf::new(),
            taken: BTreeSet::new(),
            next: 0,
        }
    }

    #[test]
    fn every_way_has_addresses_and_a_name_of_its_own() {
        let mut egress = egress();
        let (first, second) = (egress.take().unwrap(), egress.take().unwrap());
        assert_eq!(
            (first.outside().to_string(), first.inside().to_string()),
            ("198.18.0.1".into(), "198.18.0.2".into())
        );
        assert_eq!(second.outside().to_string(), "198.18.0.5");
        assert_eq!(Way(NUMBERS - 1).inside().to_string(), "198.19.255.254");
        assert!(egress.name(Way(NUMBERS - 1)).len() <= 15);
    }

    #[test]
    fn numbers_are_used_again_as_late_as_possible() {
        let mut egress = egress();
        let first = egress.take().unwrap();
        egress.give_back(first);
        assert_ne!(egress.take().unwrap(), first);
        for _ in 0..NUMBERS - 1 {
            egress.take().unwrap();
        }
        assert!(egress.take().is_err());
        egress.give_back(first);
        assert_eq!(egress.take().unwrap(), first);
    }

    #[test]
    fn attributes_are_padded_but_their_length_is_not() {
        let mut message = Vec::new();
        attribute(&mut message, 7, b"abcde");
        assert_eq!((message.len(), u16::from_ne_bytes([message[0], message[1]])), (12, 9));
    }
}
