//! The Extensions API (version 2020-01-01), at the same address as the Runtime API.
//!
//! Documentation followed: "Using the Lambda Extensions API to create extensions" in the AWS Lambda developer guide.

use serde::Deserialize;
use uuid::Uuid;

use super::reply::Reply;
use super::{Close, Connection, MOST_PIPELINED};
use crate::Environment;
use crate::extensions::{EventKind, LIMIT, Refused};
use crate::failure::Failure;
use crate::http1::head::{ExtensionHeaders, Head};
use crate::http1::{Body, ReadError};

/// The longest registration or error report that is read.
const MOST_BODY: usize = 64 * 1024;

/// The body of a registration.
#[derive(Debug, Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
    #[serde(default, rename = "configurationKeys")]
    configuration_keys: Vec<String>,
}

impl Connection {
    /// `POST /extension/register`.
    pub(super) async fn register(&mut self, head: &Head, body: &mut Body) -> Result<Reply, ReadError> {
        let Some(name) = head.extension.name.as_deref() else {
            return Ok(forbidden("Extension.InvalidExtensionName", "Empty extension name"));
        };
        self.expect(head).await?;
        let whole = match self.reader.body(body, MOST_BODY).await {
            Ok(whole) => whole,
            Err(ReadError::BodyTooLarge) => return Ok(Reply::too_large(MOST_BODY)),
            Err(error) => return Err(error),
        };
        let reply = match registration(&whole.bytes) {
            Ok(events) => register(&self.environment, name, &events, head.extension.wants_account),
            Err(refusal) => refusal,
        };
        Ok(reply.after_body())
    }

    /// `POST /extension/init/error` and `POST /extension/exit/error`.
    pub(super) async fn extension_error(
        &mut self,
        head: &Head,
        body: &mut Body,
        at_init: bool,
    ) -> Result<Reply, ReadError> {
        let id = match identifier(&head.extension) {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal),
        };
        let Some(reason) = head.extension.error_type.as_deref() else {
            let message = "Lambda-Extension-Function-Error-Type not found";
            return Ok(forbidden("Extension.MissingHeader", message));
        };
        self.expect(head).await?;
        match self.reader.body(body, MOST_BODY).await {
            Ok(_) => {}
            Err(ReadError::BodyTooLarge) => return Ok(Reply::too_large(MOST_BODY)),
            Err(error) => return Err(error),
        }
        let failure = Failure::extension_reported(at_init, reason);
        Ok(match self.environment.extension_failed(id, at_init, failure) {
            Ok(()) => Reply::accepted(),
            Err(refused) => refusal(refused).after_body(),
        })
    }

    /// `GET /extension/event/next`: waits until there is an event.
    pub(super) async fn extension_next(&mut self, head: &Head) -> Result<(), Close> {
        let waiting =
            identifier(&head.extension).and_then(|id| self.environment.extension_next(id).map_err(refusal));
        let mut event = match waiting {
            Ok(event) => event,
            Err(refusal) => return Ok(self.writer.write_all(refusal.bytes()).await?),
        };
        loop {
            let pipelined = self.reader.pending();
            // Both branches are cancel-safe.
            tokio::select! {
                biased;
                // Without an event the environment has ended, or another connection asks.
                told = &mut event => match told {
                    Ok(event) => return Ok(self.writer.write_all(Reply::event(&event).bytes()).await?),
                    Err(_) => return Err(Close),
                },
                filled = self.reader.fill(), if pipelined < MOST_PIPELINED => match filled {
                    Ok(length) if length > 0 => {}
                    _ => return Err(Close),
                }
            }
        }
    }
}

fn register(
    environment: &std::sync::Arc<Environment>,
    name: &str,
    events: &[EventKind],
    wants_account: bool,
) -> Reply {
    let config = &environment.config;
    match environment.register_extension(name, events) {
        Ok(id) => {
            let handler = match &config.configuration.code {
                rushlight_model::function::Code::Zip { handler, .. } => handler.as_str(),
                rushlight_model::function::Code::Image { .. } => "",
            };
            let account = wants_account.then_some(config.function.scope.account.as_str());
            let version = config.configuration.version.to_string();
            Reply::registered(id, &config.function.name, &version, handler, account)
        }
        Err(refused) => refusal(refused),
    }
}

/// What the body of a registration asks for.
fn registration(body: &[u8]) -> Result<Vec<EventKind>, Reply> {
    let invalid = |message: &str| forbidden("InvalidRequestFormat", message);
    let registration: Registration =
        serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
    if !registration.configuration_keys.is_empty() {
        return Err(invalid("configurationKeys are deprecated; use environment variables instead"));
    }
    let event = |name: &String| match name.as_str() {
        "INVOKE" => Ok(EventKind::Invoke),
        "SHUTDOWN" => Ok(EventKind::Shutdown),
        other => Err(forbidden("Extension.InvalidEventType", &format!("{other}: ErrorInvalidEventType"))),
    };
    registration.events.iter().map(event).collect()
}

pub(super) fn identifier(headers: &ExtensionHeaders) -> Result<Uuid, Reply> {
    match headers.id {
        Some(Some(id)) => Ok(id),
        Some(None) => {
            let message = "Invalid Lambda-Extension-Identifier";
            Err(forbidden("Extension.InvalidExtensionIdentifier", message))
        }
        None => {
            let message = "Missing Lambda-Extension-Identifier header";
            Err(forbidden("Extension.MissingExtensionIdentifier", message))
        }
    }
}

/// A refusal in AWS' words.
pub(super) fn refusal(refused: Refused) -> Reply {
    match refused {
        Refused::State { from, to, extension } => {
            let message = format!(
                "State transition from {from} to {to} failed for extension {extension}. Error: State transition is not \
                 allowed"
            );
            forbidden("Extension.InvalidExtensionState", &message)
        }
        Refused::RegistrationClosed => {
            forbidden("Extension.RegistrationClosed", "Extension registration closed already")
        }
        Refused::NameTaken => {
            forbidden("Extension.InvalidExtensionState", "Extension with this name already registered")
        }
        Refused::TooMany => {
            forbidden("Extension.TooManyExtensions", &format!("Extension limit ({LIMIT}) reached"))
        }
        Refused::ShutdownIsForExternal => {
            forbidden("Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension")
        }
        Refused::Unknown(id) => {
            forbidden("Extension.UnknownExtensionIdentifier", &format!("Unknown extension {id}"))
        }
    }
}

fn forbidden(error_type: &str, message: &str) -> Reply {
    Reply::forbidden(error_type, message)
}
