//! Access keys: making them, keeping their secret out of logs, and the AWS profile text that holds them.
//!
//! The text is that of the [shared credentials file](https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html).
//! Only text goes in and out; whoever writes the file sees to its mode (0600).

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// The letters of an access key id: base32 of RFC 4648, as AWS uses.
pub(crate) const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The letters of a secret access key: standard base64.
const SECRET_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const ID_RANDOM_LETTERS: usize = 16;
const SECRET_LETTERS: usize = 40;

/// A secret access key. Its `Debug` form does not show it, equality takes constant time, and cloning shares
/// one copy.
#[derive(Clone)]
pub struct SecretAccessKey(Arc<str>);

impl SecretAccessKey {
    /// Wraps a secret as it stands in a profile.
    pub fn new(secret: &str) -> Self {
        Self(Arc::from(secret))
    }

    /// The secret itself: for signing, and for writing the profile.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretAccessKey(…)")
    }
}

impl PartialEq for SecretAccessKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || bool::from(self.0.as_bytes().ct_eq(other.0.as_bytes()))
    }
}

impl Eq for SecretAccessKey {}

/// A key that requests are signed with: an id that everyone may see, a secret, and for temporary credentials
/// a session token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…` for long-term keys, `ASIA…` for temporary ones.
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: SecretAccessKey,
    /// Goes along with temporary credentials as `X-Amz-Security-Token`.
    pub session_token: Option<String>,
}

impl AccessKey {
    /// A long-term key from what a profile holds.
    pub fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: SecretAccessKey::new(secret_access_key),
            session_token: None,
        }
    }

    /// Makes a new long-term key (`AKIA` and 16 letters; a secret of 40 letters, 240 bits) from the operating
    /// system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut random = [0u8; ID_RANDOM_LETTERS + SECRET_LETTERS];
        getrandom::fill(&mut random)?;
        let (for_id, for_secret) = random.split_at(ID_RANDOM_LETTERS);
        // 256 is a multiple of both alphabets' sizes, so the masks introduce no bias.
        let id: String = for_id.iter().map(|byte| ID_ALPHABET[usize::from(byte & 31)] as char).collect();
        let secret: String =
            for_secret.iter().map(|byte| SECRET_ALPHABET[usize::from(byte & 63)] as char).collect();
        Ok(Self::new(&format!("AKIA{id}"), &secret))
    }
}

/// A new unique id as IAM gives to users (`AIDA`), roles (`AROA`) and policies (`ANPA`): the prefix and 17 letters.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn unique_id(prefix: &str) -> Result<String, getrandom::Error> {
    let mut random = [0u8; 17];
    getrandom::fill(&mut random)?;
    let letters = random.iter().map(|byte| ID_ALPHABET[usize::from(byte & 31)] as char);
    Ok(prefix.chars().chain(letters).collect())
}

/// One section of a shared credentials (or configuration) file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The section's name: `default`, `rushlight`.
    pub name: String,
    /// `aws_access_key_id`, `aws_secret_access_key` and `aws_session_token`.
    pub access_key: AccessKey,
    /// `region`, when the section names one.
    pub region: Option<String>,
}

/// What is wrong with a credentials text. Lines count from one; no secret is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// A line that is neither a section, a setting, a comment nor blank.
    #[error("line {line} of the credentials is neither a [section] nor a key = value setting")]
    Malformed {
        /// The line's number.
        line: usize,
    },
    /// A setting before the first section.
    #[error("line {line} of the credentials stands before the first [section]")]
    OutsideSection {
        /// The line's number.
        line: usize,
    },
    /// A section that has one half of a key only.
    #[error("profile '{profile}' lacks {setting}")]
    Missing {
        /// The section's name.
        profile: String,
        /// The setting that is missing.
        setting: &'static str,
    },
}

impl Profile {
    /// Renders profiles as a shared credentials file, in the order given.
    pub fn render(profiles: &[Profile]) -> String {
        let mut text = String::new();
        for profile in profiles {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("[{}]\n", profile.name));
            let key = &profile.access_key;
            text.push_str(&format!("aws_access_key_id = {}\n", key.access_key_id));
            text.push_str(&format!("aws_secret_access_key = {}\n", key.secret_access_key.expose()));
            if let Some(token) = &key.session_token {
                text.push_str(&format!("aws_session_token = {token}\n"));
            }
            if let Some(region) = &profile.region {
                text.push_str(&format!("region = {region}\n"));
            }
        }
        text
    }

    /// Reads every profile that holds an access key, in the order of the text; sections without one (such as
    /// those of a configuration file) are passed over, and unknown settings ignored.
    ///
    /// # Errors
    /// [`ProfileError`] names the line or the profile at fault.
    pub fn parse(text: &str) -> Result<Vec<Profile>, ProfileError> {
        let mut sections: Vec<Section> = Vec::new();
        for (index, raw) in text.lines().enumerate() {
            let line = index + 1;
            let trimmed = raw.trim();
            // An indented line belongs to a nested setting of the one above (such as `s3 =`).
            let nested = raw.starts_with([' ', '\t']);
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) || nested {
                continue;
            }
            if let Some(name) = trimmed.strip_prefix('[') {
                let name = name.split_once(']').ok_or(ProfileError::Malformed { line })?.0.trim();
                let name = name.strip_prefix("profile ").unwrap_or(name).trim();
                sections.push(Section { name: name.to_owned(), ..Section::default() });
                continue;
            }
            let (setting, value) = trimmed.split_once('=').ok_or(ProfileError::Malformed { line })?;
            let section = sections.last_mut().ok_or(ProfileError::OutsideSection { line })?;
            section.set(setting.trim(), value.trim());
        }
        sections.into_iter().filter_map(|section| section.into_profile().transpose()).collect()
    }
}

/// A section while it is being read.
#[derive(Default)]
struct Section {
    name: String,
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    region: Option<String>,
}

impl Section {
    fn set(&mut self, setting: &str, value: &str) {
        let field = match setting.to_ascii_lowercase().as_str() {
            "aws_access_key_id" => &mut self.id,
            "aws_secret_access_key" => &mut self.secret,
            "aws_session_token" => &mut self.token,
            "region" => &mut self.region,
            _ => return,
        };
        *field = Some(value.to_owned());
    }

    fn into_profile(self) -> Result<Option<Profile>, ProfileError> {
        let missing = |setting| ProfileError::Missing { profile: self.name.clone(), setting };
        let (access_key_id, secret) = match (self.id, self.secret) {
            (None, None) => return Ok(None),
            (Some(id), Some(secret)) => (id, secret),
            (None, Some(_)) => return Err(missing("aws_access_key_id")),
            (Some(_), None) => return Err(missing("aws_secret_access_key")),
        };
        let secret_access_key = SecretAccessKey::new(&secret);
        let access_key = AccessKey { access_key_id, secret_access_key, session_token: self.token };
        Ok(Some(Profile { name: self.name, access_key, region: self.region }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_have_the_shape_of_aws_keys_and_differ() {
        let key = AccessKey::generate().unwrap();
        let id = key.access_key_id.strip_prefix("AKIA").unwrap();
        assert_eq!(id.len(), 16);
        assert!(id.bytes().all(|letter| ID_ALPHABET.contains(&letter)));
        let secret = key.secret_access_key.expose();
        assert_eq!(secret.len(), 40);
        assert!(secret.bytes().all(|letter| SECRET_ALPHABET.contains(&letter)));
        assert_ne!(key, AccessKey::generate().unwrap());
    }

    #[test]
    fn profiles_survive_being_written_and_read() {
        let mut session = AccessKey::new("ASIAEXAMPLE", "s/+=");
        session.session_token = Some("token==".to_owned());
        let profiles = vec![
            Profile {
                name: "default".to_owned(),
                access_key: AccessKey::generate().unwrap(),
                region: Some("eu-west-1".to_owned()),
            },
            Profile { name: "rushlight".to_owned(), access_key: session, region: None },
        ];
        assert_eq!(Profile::parse(&Profile::render(&profiles)).unwrap(), profiles);
    }

    #[test]
    fn reads_what_people_write_by_hand() {
        let text = "# mine\n\n[profile dev]\r\naws_access_key_id=AKIA1\r\nAWS_SECRET_ACCESS_KEY = a=b\ns3 =\n  \
                    max = 1\noutput = json\n[no-keys]\nregion = us-west-2\n";
        let profiles = Profile::parse(text).unwrap();
        assert_eq!(profiles.len(), 1);
        assert_eq!(profiles[0].name, "dev");
        assert_eq!(profiles[0].access_key, AccessKey::new("AKIA1", "a=b"));
    }

    #[test]
    fn errors_name_the_place_and_not_the_secret() {
        assert_eq!(Profile::parse("[a]\nnonsense\n"), Err(ProfileError::Malformed { line: 2 }));
        assert_eq!(Profile::parse("[a\n"), Err(ProfileError::Malformed { line: 1 }));
        assert_eq!(Profile::parse("region = x\n"), Err(ProfileError::OutsideSection { line: 1 }));
        let error = Profile::parse("[a]\naws_secret_access_key = hush\n").unwrap_err();
        assert_eq!(error.to_string(), "profile 'a' lacks aws_access_key_id");
        assert!(!format!("{:?}", AccessKey::new("AKIA1", "hush")).contains("hush"));
    }
}
