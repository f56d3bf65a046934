//! What the operator says of runtime versions, and is told of the end of runtimes: `rushlight runtimes` speaks to these
//! addresses.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use rushlight_api::Error;
use rushlight_model::notice::Notice;
use rushlight_model::runtime_version::{Phase, Rollout, RuntimeVersion};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Gateway;
use crate::authenticate::Authenticated;
use crate::chain::{Received, too_large_for_all};
use crate::respond;

/// Bytes of a request.
const REQUEST_BYTES: usize = 64 * 1024;

/// What is wanted.
#[derive(Debug)]
pub(crate) enum RuntimeVersions<'a> {
    /// All that were published.
    List,
    /// A new one, of a root file system that is on the server's machine.
    Publish { runtime: &'a str },
    /// The newest one goes to all functions.
    RollOut { runtime: &'a str },
    /// The newest one is taken back.
    Withdraw { runtime: &'a str },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish {
    root: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RollOut {
    after_seconds: u32,
    batch: u32,
    pause_seconds: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdraw {
    reason: String,
}

impl Gateway {
    /// The notices that were given that runtimes come to their end.
    pub(crate) async fn notices(&self, received: Received<'_>) -> Result<Response<Bytes>, Error> {
        let (Authenticated { caller, .. }, _) =
            self.authenticated(received, &["lambda"], REQUEST_BYTES, too_large_for_all).await?;
        self.authenticator.check_operator(&caller, "see notices")?;
        let notices: Vec<Value> = self.control.notices().await?.iter().map(Notice::to_json).collect();
        Ok(respond::json(StatusCode::OK, &json!({ "notices": notices })))
    }

    pub(crate) async fn runtime_versions(
        &self,
        received: Received<'_>,
        action: RuntimeVersions<'_>,
    ) -> Result<Response<Bytes>, Error> {
        let (Authenticated { caller, .. }, body) =
            self.authenticated(received, &["lambda"], REQUEST_BYTES, too_large_for_all).await?;
        self.authenticator.check_operator(&caller, "manage runtime versions")?;
        let version = match action {
            RuntimeVersions::List => {
                let versions: Vec<Value> = self.control.runtime_versions().iter().map(shown).collect();
                return Ok(respond::json(StatusCode::OK, &json!({ "versions": versions })));
            }
            RuntimeVersions::Publish { runtime } => {
                let Publish { root } = read(&body)?;
                self.control.publish_runtime(runtime, root).await?
            }
            RuntimeVersions::RollOut { runtime } => {
                let RollOut { after_seconds, batch, pause_seconds } = read(&body)?;
                let begin = self.clock.now() + Duration::from_secs(after_seconds.into());
                let rollout = Rollout { begin, batch: batch.max(1), pause_seconds };
                self.control.roll_out_runtime(runtime, rollout).await?
            }
            RuntimeVersions::Withdraw { runtime } => {
                let Withdraw { reason } = read(&body)?;
                self.control.withdraw_runtime(runtime, &reason).await?
            }
        };
        Ok(respond::json(StatusCode::OK, &shown(&version)))
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::validation(error.to_string()))
}

fn shown(version: &RuntimeVersion) -> Value {
    let (phase, detail) = match &version.phase {
        Phase::One => ("one", Value::Null),
        Phase::Two(rollout) => ("two", json!({ "begin": rollout.begin.to_iso_millis() })),
        Phase::Complete => ("complete", Value::Null),
        Phase::Withdrawn { reason, left } => ("withdrawn", json!({ "reason": reason, "left": left })),
    };
    json!({
        "runtime": version.identifier,
        "version": version.text,
        "hash": version.hash,
        "root": version.root,
        "published": version.published_at.to_iso_millis(),
        "phase": phase,
        "detail": detail,
    })
}
