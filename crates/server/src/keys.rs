//! The server's secrets: the root key and the key that seals sessions, made at first start.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rushlight_auth::sigv4::{CredentialLookup, Identity};
use rushlight_auth::{AccessKey, Principal, Profile, SessionKey};
use rushlight_services::iam::Directory;

/// The AWS profile of the root key, in the data directory.
pub const CREDENTIALS_FILE: &str = "credentials";

const SESSION_KEY_FILE: &str = "session-key";

/// Reads the root key of `account`, or makes it.
///
/// # Errors
/// One sentence saying what is wrong with the file.
pub fn root_key(data_directory: &Path, region: &str) -> anyhow::Result<AccessKey> {
    let path = data_directory.join(CREDENTIALS_FILE);
    if let Some(key) = read_profile(&path)? {
        return Ok(key);
    }
    let key = AccessKey::generate().context("the operating system gives no randomness")?;
    let profile = |name: &str| Profile {
        name: name.to_owned(),
        access_key: key.clone(),
        region: Some(region.to_owned()),
    };
    write_secret(&path, Profile::render(&[profile("default"), profile("rushlight")]).as_bytes())?;
    Ok(key)
}

/// The key in a credentials file, if the file exists.
///
/// # Errors
/// If it cannot be read or understood.
pub fn read_profile(path: &Path) -> anyhow::Result<Option<AccessKey>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let profiles = Profile::parse(&text).with_context(|| format!("cannot understand {}", path.display()))?;
    match profiles.into_iter().next() {
        Some(profile) => Ok(Some(profile.access_key)),
        None => bail!("{} holds no profile; remove it to have a new key made", path.display()),
    }
}

/// The key in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, if they are set.
pub fn environment_key() -> Option<AccessKey> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut key = AccessKey::new(&variable("AWS_ACCESS_KEY_ID")?, &variable("AWS_SECRET_ACCESS_KEY")?);
    key.session_token = variable("AWS_SESSION_TOKEN");
    Some(key)
}

/// The key that the server signs with when it asks other services: that of the environment, or else the profile
/// `AWS_PROFILE` (`default`) of the file `AWS_SHARED_CREDENTIALS_FILE`. No other file is looked for.
///
/// # Errors
/// If the file or the profile is not there.
pub fn operator_key() -> anyhow::Result<Option<AccessKey>> {
    if let Some(key) = environment_key() {
        return Ok(Some(key));
    }
    let Some(path) = std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let path = Path::new(&path);
    let wanted = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let profiles = Profile::parse(&text).with_context(|| format!("cannot understand {}", path.display()))?;
    let found = profiles.into_iter().find(|profile| profile.name == wanted);
    let profile = found.with_context(|| format!("{} has no profile '{wanted}'", path.display()))?;
    Ok(Some(profile.access_key))
}

/// Reads the key that seals sessions, or makes it.
///
/// # Errors
/// One sentence saying what is wrong with the file.
pub fn session_key(data_directory: &Path) -> anyhow::Result<SessionKey> {
    let path = data_directory.join(SESSION_KEY_FILE);
    let secret = match std::fs::read(&path) {
        Ok(bytes) => bytes.try_into().ok().with_context(|| {
            format!("{} is damaged; remove it (functions get new credentials)", path.display())
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).context("the operating system gives no randomness")?;
            write_secret(&path, &secret)?;
            secret
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    Ok(SessionKey::new(&secret))
}

/// Writes a new file that only its owner may read; it exists whole or not at all.
fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        std::fs::File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The keys that requests may be signed with: the root key, those of users and of other accounts' roots, and sessions
/// of roles.
#[derive(Debug)]
pub struct KeyRing {
    root_id: String,
    root: Arc<Identity>,
    directory: Arc<Directory>,
    sessions: Arc<SessionKey>,
}

impl KeyRing {
    /// The root key is of `account`.
    pub fn new(
        root: &AccessKey,
        account: &str,
        directory: Arc<Directory>,
        sessions: Arc<SessionKey>,
    ) -> Self {
        let identity = Identity {
            secret: root.secret_access_key.clone(),
            session: None,
            principal: Principal::root(account),
        };
        Self { root_id: root.access_key_id.clone(), root: Arc::new(identity), directory, sessions }
    }
}

impl CredentialLookup for KeyRing {
    fn identity(&self, access_key_id: &str, session_token: Option<&str>) -> Option<Arc<Identity>> {
        if access_key_id == self.root_id {
            return Some(Arc::clone(&self.root));
        }
        match session_token {
            Some(token) => self.sessions.identity(access_key_id, token),
            None => self.directory.identity(access_key_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_root_key_is_made_once_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let made = root_key(directory.path(), "eu-west-1").unwrap();
        let read = root_key(directory.path(), "eu-west-1").unwrap();
        assert_eq!(
            (made.access_key_id, made.secret_access_key),
            (read.access_key_id, read.secret_access_key)
        );
        let metadata = std::fs::metadata(directory.path().join(CREDENTIALS_FILE)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_one_clear_sentence() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(CREDENTIALS_FILE), "nonsense").unwrap();
        let error = format!("{:#}", root_key(directory.path(), "eu-west-1").unwrap_err());
        assert!(error.contains("cannot understand") && error.contains("line 1"), "{error}");
        std::fs::write(directory.path().join(SESSION_KEY_FILE), "short").unwrap();
        let error = format!("{:#}", session_key(directory.path()).unwrap_err());
        assert!(error.contains("is damaged; remove it"), "{error}");
    }
}
