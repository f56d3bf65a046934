//! All users, roles and policies, in memory and on disk, and what requests are decided by.
//!
//! ```text
//! change ──> row on disk ──> row in memory ──> compiled policies and keys forgotten or renewed ──> answer
//! request ──> key ──> principal ──> compiled policies, made when first asked for
//! ```
//! A change counts from the moment that it is answered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rushlight_auth::policy::{Context, Document, Kind, service_may_assume};
use rushlight_auth::sigv4::Identity;
use rushlight_auth::{AttachedPolicies, Identities, Principal};
use rushlight_model::clock::Clock;
use rushlight_store::{Backend, Result};

use super::entity::{Account, Entity, Key, ManagedPolicy, Role, User};
use super::managed;
use super::rows::Rows;

/// The unique id of roles that are only names; see [`Identities::knows_roles_of`].
const NAME_ONLY: &str = "AROAAAAAAAAAAAAAAAAAA";

/// See the [module](self).
pub struct Directory {
    pub(super) users: Rows<User>,
    pub(super) roles: Rows<Role>,
    pub(super) policies: Rows<ManagedPolicy>,
    pub(super) accounts: Rows<Account>,
    pub(super) clock: Clock,
    /// Held while something changes: one change at a time.
    pub(super) changing: tokio::sync::Mutex<()>,
    compiled: RwLock<Compiled>,
    keys: RwLock<HashMap<String, Arc<Identity>>>,
}

/// What is attached, by the ARN of the user or role.
#[derive(Default)]
struct Compiled {
    /// Counts the changes, so that nothing is kept that was made from what is no longer true.
    changes: u64,
    attached: HashMap<Box<str>, Arc<AttachedPolicies>>,
}

impl Directory {
    /// Reads what there is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: &Arc<dyn Backend>, clock: Clock) -> Result<Self> {
        let directory = Self {
            users: Rows::open(store).await?,
            roles: Rows::open(store).await?,
            policies: Rows::open(store).await?,
            accounts: Rows::open(store).await?,
            clock,
            changing: tokio::sync::Mutex::default(),
            compiled: RwLock::default(),
            keys: RwLock::default(),
        };
        for user in directory.users.all() {
            directory.know_keys(&user);
        }
        for account in directory.accounts.all() {
            directory.know_root(&account);
        }
        Ok(directory)
    }

    /// Whose key this is, if it is an active long-term key.
    pub fn identity(&self, access_key_id: &str) -> Option<Arc<Identity>> {
        self.keys.read().get(access_key_id).cloned()
    }

    /// The unique id of a role.
    pub fn role_id(&self, role_arn: &str) -> String {
        self.role(role_arn).map_or_else(|| NAME_ONLY.to_owned(), |role| role.id.clone())
    }

    /// The role of that ARN.
    pub(super) fn role(&self, arn: &str) -> Option<Arc<Role>> {
        let (account, name) = account_and_name(arn)?;
        self.roles.get(account, name).filter(|role| role.arn() == arn)
    }

    /// The document of a managed policy, AWS' or the customer's, that counts.
    pub(super) fn managed_document(&self, arn: &str) -> Option<Document> {
        if let Some(policy) = managed::find(arn) {
            return Some(policy.document.clone());
        }
        let policy = self.managed_policy(arn)?;
        let version = policy.versions.get(&policy.default_version)?;
        Document::parse(&version.document, Kind::Identity).ok()
    }

    /// The customer managed policy of that ARN.
    pub(super) fn managed_policy(&self, arn: &str) -> Option<Arc<ManagedPolicy>> {
        let (account, name) = account_and_name(arn)?;
        self.policies.get(account, name).filter(|policy| policy.arn() == arn)
    }

    /// To be called after every change, before it is answered.
    pub(super) fn changed(&self) {
        let mut compiled = self.compiled.write();
        compiled.changes += 1;
        compiled.attached.clear();
    }

    /// To be called after a user's keys were changed, with the user as it is now.
    pub(super) fn know_keys(&self, user: &User) {
        let principal = Principal::user(&user.account, &user.arn_name(), &user.id);
        let mut keys = self.keys.write();
        for key in &user.keys {
            match key.is_active {
                true => keys.insert(key.id.clone(), identity(key, &principal)),
                false => keys.remove(&key.id),
            };
        }
    }

    /// To be called after a key is gone.
    pub(super) fn forget_key(&self, access_key_id: &str) {
        self.keys.write().remove(access_key_id);
    }

    pub(super) fn know_root(&self, account: &Account) {
        let principal = Principal::root(&account.account);
        self.keys.write().insert(account.root_key.id.clone(), identity(&account.root_key, &principal));
    }

    fn compile(&self, principal: &Principal) -> Option<AttachedPolicies> {
        let arn = principal.entity_arn()?;
        let (account, name) = account_and_name(arn)?;
        let of = |kind: &str| arn.split(':').nth(5).is_some_and(|resource| resource.starts_with(kind));
        if of("user/") {
            let user = self.users.get(account, name).filter(|user| user.arn() == arn)?;
            return (principal.user_id() == user.id).then(|| self.attached_to(&*user)).flatten();
        }
        let role = self.role(arn)?;
        // A role that was made anew is another one, but one that was only a name has become this one.
        let id = principal.user_id().split(':').next().unwrap_or_default();
        (id == role.id || id == NAME_ONLY).then(|| self.attached_to(&*role)).flatten()
    }

    /// `None` if anything is not understood: who might be denied something is then allowed nothing.
    fn attached_to(&self, entity: &impl Entity) -> Option<AttachedPolicies> {
        let attachments = entity.attachments();
        let inline = attachments.inline.values().map(|text| Document::parse(text, Kind::Identity).ok());
        let managed = attachments.managed.iter().map(|arn| Some(self.managed_document(arn)?.with_arn(arn)));
        let boundary = match &attachments.boundary {
            Some(arn) => Some(self.managed_document(arn)?.with_arn(arn)),
            None => None,
        };
        let identity = inline.chain(managed).collect::<Option<_>>()?;
        Some(AttachedPolicies { identity, boundary, tags: entity.tags().clone() })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Directory(…)")
    }
}

impl Identities for Directory {
    fn attached(&self, principal: &Principal) -> Arc<AttachedPolicies> {
        let Some(arn) = principal.entity_arn() else { return Arc::default() };
        let id = principal.user_id().split(':').next().unwrap_or_default();
        let key = format!("{arn} {id}");
        let changes = {
            let compiled = self.compiled.read();
            if let Some(attached) = compiled.attached.get(key.as_str()) {
                return attached.clone();
            }
            compiled.changes
        };
        let attached = Arc::new(self.compile(principal).unwrap_or_default());
        let mut compiled = self.compiled.write();
        if compiled.changes == changes {
            compiled.attached.insert(key.into(), attached.clone());
        }
        attached
    }

    fn knows_roles_of(&self, account: &str) -> bool {
        self.roles.has_any(account)
    }

    fn session_of(&self, role_arn: &str, session: &str) -> Option<Principal> {
        let role = self.role(role_arn)?;
        Some(Principal::assumed_role(&role.account, &role.arn_name(), &role.id, session))
    }

    fn is_assumable(&self, role_arn: &str, service: &str, context: &Context<'_>) -> bool {
        let trust = self.role(role_arn).and_then(|role| Document::parse(&role.trust, Kind::Trust).ok());
        trust.is_some_and(|trust| service_may_assume(service, role_arn, &trust, context))
    }
}

fn identity(key: &Key, principal: &Principal) -> Arc<Identity> {
    Arc::new(Identity { secret: key.secret.clone(), session: None, principal: principal.clone() })
}

/// The account in an ARN of IAM, and the name at its end.
fn account_and_name(arn: &str) -> Option<(&str, &str)> {
    let mut fields = arn.splitn(6, ':').skip(4);
    let (account, resource) = (fields.next()?, fields.next()?);
    Some((account, resource.rsplit('/').next().unwrap_or(resource)))
}
