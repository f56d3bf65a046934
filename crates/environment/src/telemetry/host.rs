//! The environment's side of telemetry: who subscribes, and what is told of initialisations.

use std::sync::Arc;

use rushlight_sandbox::{BoxFuture, Error};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::Closed;
use super::delivery::{Delivery, Dial};
use super::subscription::{Api, Subscription};
use crate::Environment;
use crate::extensions::Refused as RefusedExtension;
use crate::lifecycle::{InitPhase, Status};
use crate::report::Event;

/// Why a subscription is refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// No extension has this identifier.
    Extension(RefusedExtension),
    /// The initialisation is over.
    Closed,
    /// The request is not as it should be.
    Invalid(String),
}

impl From<Closed> for Refused {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl Dial for Arc<Environment> {
    fn dial(&self, port: u16) -> BoxFuture<'_, Result<TcpStream, Error>> {
        self.sandbox.connect(port)
    }
}

impl Environment {
    /// `PUT /telemetry` and `PUT /logs`.
    pub(crate) fn subscribe(self: &Arc<Self>, id: Uuid, api: Api, body: &[u8]) -> Result<(), Refused> {
        let name = self.state.lock().host.extensions.name(id).map_err(Refused::Extension)?;
        if !self.logs.telemetry().is_open() {
            return Err(Refused::Closed);
        }
        let subscription = Subscription::parse(api, body, &self.addresses.taken).map_err(Refused::Invalid)?;
        let types = subscription.types.clone();
        self.logs.telemetry().subscribe(id, subscription.clone(), |queue, frozen| {
            let clock = self.services.clock.clone();
            let dial = self.clone();
            let delivery = Delivery { queue, subscription, clock, frozen, dial, connection: None };
            self.services.tracker.spawn(delivery.run()).abort_handle()
        })?;
        self.logs.platform(&Event::Subscription { api, name: &name, types: &types });
        Ok(())
    }

    /// The runtime has asked for an event for the first time, or has failed before.
    pub(crate) fn tell_init_runtime_done(&self, phase: InitPhase, status: Status) {
        if !std::mem::take(&mut self.state.lock().runtime_initializes) {
            return;
        }
        // What the initialisation has written comes before what follows it.
        self.drain_pipes();
        let error_type = self.error_type(status);
        self.logs.platform(&Event::InitRuntimeDone {
            initialization: self.config.initialization,
            phase,
            status,
            error_type: error_type.as_deref(),
        });
    }
}
