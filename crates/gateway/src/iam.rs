//! IAM and STS on the wire: one address for both, told apart by the version of the API that a request names.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use rushlight_api::protocol::query;
use rushlight_api::{Error, Query, iam, sts};
use rushlight_auth::sigv4::{RequestView, claimed_credential};
use rushlight_model::request_id::RequestId;
use rushlight_services::RequestContext;

use crate::Gateway;
use crate::authenticate::Authenticated;
use crate::chain::{Received, too_large_for_all};
use crate::respond::json;

/// The form of the largest document that IAM reads, percent-encoded, and room to spare.
const FORM_BYTES: usize = 1024 * 1024;

/// What STS calls the version of its API.
const STS_VERSION: &str = "2011-06-15";

impl Gateway {
    /// Answers a request of the Query protocol: a form in the body, or in the query of a `GET`.
    pub(crate) async fn query(&self, received: Received<'_>) -> Response<Bytes> {
        let (parts, request_id) = (received.parts, received.request_id);
        let refused = |error: &Error, namespace| {
            tracing::debug!(%request_id, code = %error.code, message = error.message, "request.refused");
            query::error_response(error, namespace, &request_id)
        };
        // Until the form is read, the signature tells which of the two is meant.
        let claimed = claimed_credential(&RequestView::from(parts)).and_then(|claim| claim.service);
        let namespace = match claimed.as_deref() {
            Some("sts") => sts::Operation::XML_NAMESPACE,
            _ => iam::Operation::XML_NAMESPACE,
        };
        let services = ["iam", "sts"];
        let authenticated = self.authenticated(received, &services, FORM_BYTES, too_large_for_all).await;
        let (Authenticated { scope, caller }, body) = match authenticated {
            Ok(authenticated) => authenticated,
            Err(error) => return refused(&error, namespace),
        };
        let form = match parts.method {
            Method::GET => Ok(Query::parse(parts.uri.query())),
            _ => query::parse_form(&body),
        };
        let form = match form {
            Ok(form) => form,
            Err(error) => return refused(&error, namespace),
        };
        let context = RequestContext { scope, caller };
        let (namespace, answer) = match form.get("Version") {
            Some(STS_VERSION) => {
                (sts::Operation::XML_NAMESPACE, self.answer_sts(&context, &form, request_id).await)
            }
            _ => (iam::Operation::XML_NAMESPACE, self.answer_iam(&context, &form, request_id).await),
        };
        answer.unwrap_or_else(|error| refused(&error, namespace))
    }

    async fn answer_iam(
        &self,
        context: &RequestContext,
        form: &Query<'_>,
        request_id: RequestId,
    ) -> Result<Response<Bytes>, Error> {
        let operation = iam::Operation::from_action(form.get("Action").unwrap_or_default())?;
        tracing::debug!(%request_id, operation = operation.name(), caller = context.caller.principal.arn(), "request.received");
        iam::service::dispatch(&self.iam, context, operation, form, &request_id).await
    }

    async fn answer_sts(
        &self,
        context: &RequestContext,
        form: &Query<'_>,
        request_id: RequestId,
    ) -> Result<Response<Bytes>, Error> {
        let operation = sts::Operation::from_action(form.get("Action").unwrap_or_default())?;
        tracing::debug!(%request_id, operation = operation.name(), caller = context.caller.principal.arn(), "request.received");
        sts::service::dispatch(&self.sts, context, operation, form, &request_id).await
    }

    /// Makes an account beside the server's own, or a new key for its root.
    pub(crate) async fn create_account(
        &self,
        received: Received<'_>,
        account: &str,
    ) -> Result<Response<Bytes>, Error> {
        let (Authenticated { caller, .. }, _) =
            self.authenticated(received, &["lambda"], 1024, too_large_for_all).await?;
        self.authenticator.check_operator(&caller, "make accounts")?;
        let key = self.iam.create_account(account).await?;
        let answer = serde_json::json!({
            "Account": account,
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key.expose(),
        });
        Ok(json(StatusCode::OK, &answer))
    }
}
