//! GetAccountSettings.

use rushlight_api::lambda::types::{
    AccountLimit, AccountUsage, GetAccountSettingsRequest, GetAccountSettingsResponse,
};

use crate::Control;
use crate::code::{MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES};
use crate::context::RequestContext;
use crate::error::Result;

pub(crate) async fn settings(
    control: &Control,
    context: &RequestContext,
    _input: GetAccountSettingsRequest,
) -> Result<GetAccountSettingsResponse> {
    let usage = control.ledger.usage(&context.scope).await?;
    let concurrency = u64::from(control.quotas.concurrent_executions);
    let unreserved = concurrency.saturating_sub(usage.claimed_concurrency);
    Ok(GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            total_code_size: i64::try_from(control.quotas.code_storage_bytes).ok(),
            code_size_unzipped: i64::try_from(MAX_UNZIPPED_BYTES).ok(),
            code_size_zipped: i64::try_from(MAX_ZIPPED_BYTES).ok(),
            concurrent_executions: i32::try_from(concurrency).ok(),
            unreserved_concurrent_executions: i32::try_from(unreserved).ok(),
        }),
        account_usage: Some(AccountUsage {
            total_code_size: i64::try_from(usage.code_bytes).ok(),
            function_count: i64::try_from(usage.functions).ok(),
        }),
    })
}
