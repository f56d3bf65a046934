//! Execution roles: whose they are, and whether Lambda may assume them.
//!
//! See [Lambda execution role](https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html).

use rushlight_auth::policy::key::{SOURCE_ACCOUNT, SOURCE_ARN};
use rushlight_auth::policy::{Context, LAMBDA};
use rushlight_model::arn::FunctionId;

use crate::Control;
use crate::error::{Error, Result};

impl Control {
    /// Refuses a role that the function could not run with. In an account whose roles are not known, every name will
    /// do.
    pub(crate) fn check_execution_role(&self, function: &FunctionId, role: &str) -> Result<()> {
        let account = function.scope.account.as_str();
        let identities = self.authorizer.identities();
        if !identities.knows_roles_of(account) {
            return Ok(());
        }
        if role.split(':').nth(4) != Some(account) {
            return Err(Error::AccessDenied("Cross-account pass role is not allowed.".into()));
        }
        let mut reason = Context::new();
        reason.insert(SOURCE_ARN, function.arn()).insert(SOURCE_ACCOUNT, account);
        match identities.is_assumable(role, LAMBDA, &reason) {
            true => Ok(()),
            false => Err(Error::invalid("The role defined for the function cannot be assumed by Lambda.")),
        }
    }
}
