//! Accounts beside the server's own. AWS makes them elsewhere; here the operator does.

use rushlight_api::iam::errors;
use rushlight_auth::AccessKey;

use super::change::failure;
use super::{Answer, Iam, access_key};
use crate::iam::entity::Account;

impl Iam {
    /// Makes an account, or a new key for its root, which replaces the one before. Whether the caller may is for the
    /// gateway to know: only the server's own operator makes accounts.
    ///
    /// # Errors
    /// `ValidationError` for what is no account id.
    pub async fn create_account(&self, account: &str) -> Answer<AccessKey> {
        if !rushlight_model::arn::is_account(account) {
            return Err(errors::invalid_input_exception("An account id is twelve digits."));
        }
        let (iam, account) = (self.clone(), account.to_owned());
        self.to_the_end(async move {
            let root_key = access_key::generate(&iam)?;
            let _change = iam.directory.change().await;
            let before = iam.directory.accounts.get(&account, "root");
            let row = Account { account, root_key };
            let row = iam.directory.accounts.put(row).await.map_err(failure)?;
            if let Some(before) = before {
                iam.directory.forget_key(&before.root_key.id);
            }
            iam.directory.know_root(&row);
            tracing::info!(account = row.account, key = row.root_key.id, "iam.account.created");
            Ok(AccessKey::new(&row.root_key.id, row.root_key.secret.expose()))
        })
        .await
    }
}
