//! Downloads of packages by presigned URL: what `Code.Location` of GetFunction leads to.

use std::io::Read;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response};
use rushlight_api::Error;
use rushlight_auth::sigv4::{Accept, RequestView};
use rushlight_control::Digest;

use crate::Gateway;
use crate::authenticate::{Authenticated, rejected};

/// The signing name in these URLs' credential scope.
pub const CODE_SERVICE: &str = "s3";

impl Gateway {
    pub(crate) async fn code(
        &self,
        parts: &Parts,
        region: &str,
        sha256: &str,
    ) -> Result<Response<Bytes>, Error> {
        let now = self.clock.now().as_seconds();
        let view = RequestView::from(parts);
        let accept = Accept { services: &[CODE_SERVICE], region: None };
        let authenticated = self
            .authenticator
            .check_head(&view, &accept, now)
            .and_then(|checked| self.authenticator.check_body(checked, &[]))
            .map_err(|rejection| rejected(&rejection))?;
        // The signature covers the path, so the holder of one URL reaches one package. Such URLs are made by the
        // server, with the root key; a key of anybody else makes none.
        let Authenticated { scope, caller } = authenticated;
        self.authenticator.check_operator(&caller, "sign for packages")?;
        if self.authenticator.enforces() && scope.region != region {
            return Err(Error::access_denied(None));
        }
        let digest: Digest = sha256.parse().map_err(|_| Error::unknown_operation())?;
        let control = self.control.clone();
        let read = move || -> std::io::Result<Option<Bytes>> {
            let archive = control.archive(&digest).map_err(std::io::Error::other)?;
            let Some(mut archive) = archive else { return Ok(None) };
            let mut package = Vec::new();
            archive.read_to_end(&mut package)?;
            Ok(Some(Bytes::from(package)))
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other).flatten();
        let package = read.map_err(|error| {
            tracing::error!(%error, sha256, "code.read.failed");
            Error::internal_failure()
        })?;
        let package = package.ok_or_else(Error::unknown_operation)?;
        let mut response = Response::new(package);
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
        Ok(response)
    }
}
