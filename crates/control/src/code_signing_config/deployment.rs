//! What a code signing configuration says to a package that is deployed.
//!
//! A signature is made by AWS Signer, which Rushlight has not, so there is no signed package: each is *untrusted*, and
//! the configuration's policy decides.

use std::sync::Arc;

use rushlight_model::arn::Scope;
use rushlight_model::code_signing_config::{CodeSigningConfig, UntrustedArtifact};

use super::find;
use crate::Control;
use crate::error::{Error, Result};

/// The configuration of that ARN, for an operation that is about a function.
pub(super) async fn configured(control: &Control, here: &Scope, arn: &str) -> Result<Arc<CodeSigningConfig>> {
    let found = find(control, here, arn).await?;
    found.map(|entry| entry.value).ok_or_else(|| Error::CodeSigningConfigNotFound { arn: arn.to_owned() })
}

/// Refuses the deployment of a package, or of layers, to a function whose configuration enforces signatures. The
/// answer stays true as long as the caller holds [`Control::associations`](crate::Control) for reading.
pub(crate) async fn check(control: &Control, here: &Scope, arn: Option<&str>, function: &str) -> Result<()> {
    let Some(arn) = arn else {
        return Ok(());
    };
    match configured(control, here, arn).await?.untrusted_artifact {
        UntrustedArtifact::Warn => Ok(()),
        UntrustedArtifact::Enforce => Err(Error::CodeVerificationFailed { function: function.to_owned() }),
    }
}

/// Notes that a package was deployed that the function's configuration does not trust.
pub(crate) fn note_untrusted(arn: Option<&str>, function: &str) {
    if let Some(arn) = arn {
        tracing::warn!(function = %function, config = %arn, "code_signing.untrusted");
    }
}
