//! Networks that are ready before a sandbox is asked for.

use std::collections::HashSet;
use std::time::Duration;

use rushlight_sandbox::{Egress, Sandbox};

use crate::support::{Harness, eventually, program, run};

/// The network namespaces that the jailer, this process' child, holds open, its own among them.
pub fn held() -> HashSet<String> {
    // A child is that of the thread which has started it.
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children = children.collect::<String>();
    let links = |pid: &str| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = children.split_whitespace().flat_map(links).flatten();
    let targets = targets.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.map(|target| target.display().to_string()).filter(|target| target.starts_with("net:[")).collect()
}

/// The network namespace of a sandbox, and its interfaces.
async fn network(sandbox: &dyn Sandbox) -> (String, String) {
    let script =
        "readlink /proc/self/ns/net; ls /sys/class/net 2>/dev/null || cut -d: -f1 /proc/net/dev | tail -n +3";
    let found = run(sandbox, program("/bin/sh", &["-c", script])).await.success();
    let (namespace, interfaces) = found.split_once('\n').unwrap();
    (namespace.to_owned(), interfaces.split_whitespace().collect::<Vec<_>>().join(" "))
}

pub async fn what_is_ready_is_taken(harness: &Harness) {
    let ready = held();
    assert!(ready.len() >= 3, "its own, and two that are ready: {ready:?}");
    let sandbox = harness.sandbox().await;
    let (namespace, interfaces) = network(&*sandbox).await;
    assert!(ready.contains(&namespace), "{namespace} is none of {ready:?}");
    assert_eq!(interfaces, "lo");
    assert!(!held().contains(&namespace), "the jailer lets go of what it gave away");
}

pub async fn each_sandbox_has_a_network_of_its_own(harness: &Harness) {
    let mut seen = HashSet::new();
    for _ in 0..3 {
        // Some find one that is ready, some are faster.
        let sandboxes = [harness.sandbox().await, harness.sandbox().await, harness.sandbox().await];
        for sandbox in &sandboxes {
            assert!(seen.insert(network(&**sandbox).await.0), "two have one network");
            assert_eq!(sandbox.take_listeners().len(), 1);
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
        // Kept, so that the kernel does not give the number to a new one.
        std::mem::forget(sandboxes);
    }
}

pub async fn another_wish_gets_another_network(harness: &Harness) {
    let before = held();
    let mut spec = harness.spec();
    spec.egress = Egress::Translated;
    spec.listener_ports = vec![9001, 9002];
    let sandbox = harness.backend.create(spec).await.unwrap();
    let (namespace, interfaces) = network(&*sandbox).await;
    assert!(!before.contains(&namespace) && interfaces.contains("eth0"), "{interfaces}");
    assert_eq!(sandbox.take_listeners().len(), 2);
    let sandbox = harness.sandbox().await;
    assert_eq!(network(&*sandbox).await.1, "lo");
}

pub async fn all_is_given_back_when_nothing_is_made(_harness: &Harness) {
    assert!(held().len() >= 3);
    tokio::time::sleep(Duration::from_secs(30)).await;
    eventually("only its own is left", || held().len() == 1).await;
}
