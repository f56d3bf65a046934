//! Requests to function URLs: who may make them.
//!
//! Since October 2025 a request takes two permissions, to invoke the URL and to invoke the function through it. See
//! [Security and auth model for Lambda function
//! URLs](https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html).

use rushlight_auth::Caller;
use rushlight_auth::policy::key::{LAMBDA_FUNCTION_URL_AUTH_TYPE, LAMBDA_INVOKED_VIA_FUNCTION_URL};
use rushlight_model::function_url::{UrlAuthType, UrlTarget};

use super::permission::{Permission, Target};
use crate::Control;
use crate::error::Error;
use crate::service::Answer;

/// What AWS says of every request that it does not let through, whatever the reason.
const FORBIDDEN: &str = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";

/// 403 `AccessDeniedException` in the words of function URLs: who calls is not told what is missing.
#[must_use]
pub fn url_forbidden() -> rushlight_api::Error {
    rushlight_api::Error::access_denied(Some(FORBIDDEN.into()))
}

impl Control {
    /// Decides whether `caller` may make a request to the URL that leads to `target` and authenticates by
    /// `auth_type`: for `NONE` the [anonymous](rushlight_auth::Principal::anonymous) one, whom the function's policy
    /// has to let in.
    ///
    /// # Errors
    /// [`url_forbidden`], or that the policies cannot be read.
    pub async fn authorize_url(
        &self,
        caller: &Caller,
        target: &UrlTarget,
        auth_type: UrlAuthType,
    ) -> Answer<()> {
        let here = &target.function.scope;
        let name = target.function.name.as_str();
        let qualifier = Some(target.qualifier.as_str()).filter(|qualifier| *qualifier != "$LATEST");
        let url = Permission {
            action: "lambda:InvokeFunctionUrl",
            target: Target::FunctionUrl { name, qualifier },
        };
        let invoke =
            Permission { action: "lambda:InvokeFunction", target: Target::Function { name, qualifier } };
        let decide = async {
            self.check(caller, here, &url, |context| {
                context.insert(LAMBDA_FUNCTION_URL_AUTH_TYPE, auth_type.as_str());
            })
            .await?;
            self.check(caller, here, &invoke, |context| {
                context.insert(LAMBDA_INVOKED_VIA_FUNCTION_URL, true);
            })
            .await
        };
        match decide.await {
            Ok(_) => Ok(()),
            Err(Error::AccessDenied(reason)) => {
                tracing::debug!(function = %target.function.arn(), reason, "function_url.denied");
                Err(url_forbidden())
            }
            Err(Error::OtherAccount) => Err(url_forbidden()),
            Err(error) => Err(error.into()),
        }
    }
}
