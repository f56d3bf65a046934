//! The requests of the Telemetry API (version 2022-07-01) and the Logs API (2020-08-15), at the same address as the
//! Runtime API.

use super::Connection;
use super::extension::{identifier, refusal};
use super::reply::Reply;
use crate::http1::head::Head;
use crate::http1::{Body, ReadError};
use crate::telemetry::host::Refused;
use crate::telemetry::subscription::Api;

/// The longest subscription that is read.
const MOST_BODY: usize = 64 * 1024;

impl Connection {
    /// `PUT /telemetry` and `PUT /logs`.
    pub(super) async fn subscribe(
        &mut self,
        head: &Head,
        body: &mut Body,
        api: Api,
    ) -> Result<Reply, ReadError> {
        let id = match identifier(&head.extension) {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal),
        };
        self.expect(head).await?;
        let whole = match self.reader.body(body, MOST_BODY).await {
            Ok(whole) => whole,
            Err(ReadError::BodyTooLarge) => return Ok(Reply::too_large(MOST_BODY)),
            Err(error) => return Err(error),
        };
        let reply = match self.environment.subscribe(id, api, &whole.bytes) {
            Ok(()) => Reply::subscribed(),
            Err(Refused::Extension(refused)) => refusal(refused),
            Err(Refused::Invalid(message)) => Reply::invalid(&message),
            Err(Refused::Closed) => {
                let name = api.as_str();
                let message = format!("{name} API subscription is closed already");
                Reply::forbidden(&format!("{name}.SubscriptionClosed"), &message)
            }
        };
        Ok(reply.after_body())
    }
}
