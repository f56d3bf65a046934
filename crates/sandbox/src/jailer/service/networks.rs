//! Network namespaces that are made before a sandbox needs one: of all parts of a sandbox they take the kernel longest
//! and depend least on what is to run in them.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::linux::egress::{Egress, Way};
use crate::linux::network::{self, Network};
use crate::step::{During, Step};
use crate::{Egress as Wish, Spec};

/// After a sandbox was made its function starts, and shall not have to share the processors with what can wait.
const DELAY: Duration = Duration::from_millis(20);
/// Without a new sandbox for so long, all that is ready is given back.
const IDLE: Duration = Duration::from_secs(30);
/// How many are made ready at first.
const FIRST: usize = 2;

/// What a sandbox wants of its network.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    egress: Wish,
    ports: Vec<u16>,
}

/// A network namespace with its interfaces up, and with the server's listeners in it.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) network: Network,
    pub(super) way: Option<Way>,
    pub(super) listeners: Vec<OwnedFd>,
}

/// Those that are ready, all for the same wants: a server hardly has others.
#[derive(Debug)]
pub(super) struct Networks {
    own: Network,
    /// Ways out, where they can be had.
    egress: Option<Egress>,
    wanted: Option<Wanted>,
    ready: Vec<Ready>,
    /// How many ought to be ready: twice as many whenever there were too few.
    aim: usize,
    most: usize,
    last_taken: Instant,
}

impl Networks {
    /// None is ready yet; at most `most` will be. The calling process is in the network that it is to stay in.
    pub(super) fn new(egress: Option<Egress>, most: usize) -> Step<Self> {
        let own = Network::current()?;
        let last_taken = Instant::now();
        Ok(Self { own, egress, wanted: None, ready: Vec::new(), aim: 0, most, last_taken })
    }

    /// A network for a sandbox: one that is ready, or else a new one.
    pub(super) fn take(&mut self, spec: &Spec) -> Step<Ready> {
        let wanted = Wanted { egress: spec.egress, ports: spec.listener_ports.clone() };
        if self.wanted.as_ref() != Some(&wanted) {
            self.give_all_back();
            self.wanted = Some(wanted.clone());
        }
        self.last_taken = Instant::now();
        let taken = self.ready.pop();
        if self.ready.is_empty() {
            self.aim = (self.aim * 2).max(FIRST).min(self.most);
        }
        match taken {
            Some(ready) => Ok(ready),
            None => self.make(&wanted),
        }
    }

    /// Has `action` done within a network.
    pub(super) fn within<T>(&self, network: &Network, action: impl FnOnce() -> Step<T>) -> Step<T> {
        network.enter()?;
        let result = action();
        self.own.enter()?;
        result
    }

    /// The sandbox that had this way is gone.
    pub(super) fn give_back(&mut self, way: Option<Way>) {
        if let (Some(egress), Some(way)) = (&mut self.egress, way) {
            egress.give_back(way);
        }
    }

    /// How long [`Networks::tend`] can wait if nothing else happens; `None` for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        let until = match (self.ready.len() < self.aim, self.ready.is_empty()) {
            (true, _) => DELAY,
            (false, false) => IDLE,
            (false, true) => return None,
        };
        Some(until.saturating_sub(self.last_taken.elapsed()))
    }

    /// Makes one more ready, or gives all back, as it is time to.
    pub(super) fn tend(&mut self) {
        let idle = self.last_taken.elapsed();
        if idle >= IDLE {
            self.give_all_back();
        } else if idle >= DELAY && self.ready.len() < self.aim {
            match self.wanted.clone().map(|wanted| self.make(&wanted)) {
                Some(Ok(ready)) => self.ready.push(ready),
                // The next sandbox tries by itself, and says what is wrong.
                Some(Err(_)) | None => self.aim = 0,
            }
        }
    }

    fn give_all_back(&mut self) {
        self.aim = 0;
        for ready in std::mem::take(&mut self.ready) {
            self.give_back(ready.way);
        }
    }

    fn make(&mut self, wanted: &Wanted) -> Step<Ready> {
        Network::enter_new()?;
        let made = self.furnish(wanted);
        self.own.enter()?;
        let ready = made?;
        let raised = match (&self.egress, ready.way) {
            (Some(egress), Some(way)) => egress.raise(way),
            _ => Ok(()),
        };
        match raised {
            Ok(()) => Ok(ready),
            Err(error) => {
                self.give_back(ready.way);
                Err(error)
            }
        }
    }

    /// Gives the namespace that the jailer is in its listeners, and a way out, if it shall have one and one can be had.
    fn furnish(&mut self, wanted: &Wanted) -> Step<Ready> {
        let listen = |&port| network::listen(port).during(format!("listen at port {port} in the sandbox"));
        let listeners = wanted.ports.iter().map(listen).collect::<Step<Vec<_>>>()?;
        let network = Network::current()?;
        let way = match (&mut self.egress, wanted.egress) {
            (Some(egress), Wish::Translated) => Some(egress.connect(&self.own)?),
            _ => None,
        };
        Ok(Ready { network, way, listeners })
    }

    /// Removes what all had in common.
    pub(super) fn end(&mut self) {
        self.give_all_back();
        if let Some(egress) = self.egress.take() {
            egress.remove();
        }
    }
}
