//! The way out of a sandbox, and what it must not lead to. The outside is a network namespace of the test's own; no
//! packet leaves the machine.

use std::process::{Child, Command, Stdio};

use rushlight_sandbox::{Egress, Sandbox};

use crate::support::{Harness, program, run};

/// Networks set aside for documentation (RFC 5737): nobody's.
const HOST: &str = "203.0.113.1";
const OUTSIDE: &str = "203.0.113.2";
const METADATA: &str = "169.254.169.254";

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(done.success(), "ip {arguments}");
}

/// A namespace reached by a pair of interfaces, with servers in it and on the host.
struct World {
    namespace: String,
    servers: Vec<Child>,
}

impl World {
    fn make() -> Self {
        let namespace = format!("rushlight-test-{}", std::process::id());
        let near = format!("rlt{}", std::process::id() % 100_000);
        ip(&format!("netns add {namespace}"));
        ip(&format!("link add {near} type veth peer name far netns {namespace}"));
        ip(&format!("addr add {HOST}/24 dev {near}"));
        ip(&format!("link set {near} up"));
        for command in [format!("addr add {OUTSIDE}/24 dev far"), format!("addr add {METADATA}/32 dev far")] {
            ip(&format!("-n {namespace} {command}"));
        }
        ip(&format!("-n {namespace} link set far up"));
        ip(&format!("route add {METADATA}/32 dev {near}"));
        let mut world = Self { namespace, servers: Vec::new() };
        let inside = ["ip", "netns", "exec", &world.namespace.clone()].map(str::to_owned);
        world.serve(&inside);
        world.serve(&[]);
        world
    }

    /// A server at port 8099 of every address, which says whom it talks to.
    fn serve(&mut self, within: &[String]) {
        let code = "import socket\n\
                    server = socket.create_server(('0.0.0.0', 8099), backlog=64)\n\
                    print('ready', flush=True)\n\
                    while True:\n    connection, peer = server.accept()\n    connection.sendall(peer[0].encode())\n    connection.close()\n";
        let words = [within, &["python3", "-c", code].map(str::to_owned)].concat();
        let mut server = Command::new(&words[0]).args(&words[1..]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(server.stdout.as_mut().unwrap(), &mut line).unwrap();
        self.servers.push(server);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

/// What a sandbox hears when it connects to port 8099 of an address.
async fn connect(sandbox: &dyn Sandbox, address: &str) -> String {
    let code = format!(
        "import socket\n\
         try:\n    print(socket.create_connection(('{address}', 8099), timeout=2).recv(99).decode())\n\
         except OSError as error:\n    print('refused')\n"
    );
    run(sandbox, program("/usr/bin/python3", &["-c", &code])).await.success().trim().to_owned()
}

pub async fn leads_out_and_nowhere_else(harness: &Harness) {
    let world = World::make();
    let mut spec = harness.spec();
    spec.egress = Egress::Translated;
    let sandbox = harness.backend.create(spec.clone()).await.unwrap();
    // Out it goes, under the host's address.
    assert_eq!(connect(&*sandbox, OUTSIDE).await, HOST);
    // Not to the host: neither its addresses nor, through its end of the pair, its loopback.
    let gateway = "import re;print([int(r.split()[2],16) for r in open('/proc/net/route').readlines()[1:] if r.split()[1]=='00000000'][0])";
    let gateway = run(&*sandbox, program("/usr/bin/python3", &["-c", gateway])).await.success();
    let gateway = std::net::Ipv4Addr::from(gateway.trim().parse::<u32>().unwrap().to_le_bytes()).to_string();
    assert!(gateway.starts_with("198.1"), "{gateway}");
    for address in [HOST, &gateway, "127.0.0.1"] {
        assert_eq!(connect(&*sandbox, address).await, "refused", "{address} is the host's");
    }
    assert_eq!(connect(&*sandbox, METADATA).await, "refused", "the metadata address");
    // Not to another sandbox, which listens on all its addresses.
    spec.id += "-b";
    let other = harness.backend.create(spec.clone()).await.unwrap();
    let listen =
        "import socket;s=socket.create_server(('0.0.0.0',8099));print('ready',flush=True);s.accept()";
    let listening = other.spawn(program("/usr/bin/python3", &["-c", listen])).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let [a, b, c, d] = gateway.parse::<std::net::Ipv4Addr>().unwrap().octets();
    let neighbour = std::net::Ipv4Addr::new(a, b, c, d + 5).to_string();
    assert_eq!(connect(&*sandbox, &neighbour).await, "refused", "{neighbour} is a neighbour's");
    drop(listening);
    // One that asked for none has none.
    spec.id += "-c";
    spec.egress = Egress::None;
    let closed = harness.backend.create(spec).await.unwrap();
    assert_eq!(connect(&*closed, OUTSIDE).await, "refused");
    drop(world);
}
