//! The `Credential` parameter: an access key id and the scope its signature is good for.

/// An access key id with its scope: `AKIDEXAMPLE/20150830/us-east-1/lambda/aws4_request`, in one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    text: Box<str>,
    /// Where the four slashes are.
    slashes: [usize; 4],
}

impl Credential {
    /// Takes the text apart. `None` unless it has exactly five parts; what they hold is not judged here.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // AWS overlooks slashes at the end.
        let text = text.trim_end_matches('/');
        let mut found = text.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
        let slashes = [found.next()?, found.next()?, found.next()?, found.next()?];
        found.next().is_none().then(|| Self { text: text.into(), slashes })
    }

    /// The access key id.
    pub fn access_key_id(&self) -> &str {
        &self.text[..self.slashes[0]]
    }

    /// The day, as `YYYYMMDD`.
    pub fn date(&self) -> &str {
        &self.text[self.slashes[0] + 1..self.slashes[1]]
    }

    /// The region, such as `us-east-1`.
    pub fn region(&self) -> &str {
        &self.text[self.slashes[1] + 1..self.slashes[2]]
    }

    /// The service's signing name, such as `lambda`.
    pub fn service(&self) -> &str {
        &self.text[self.slashes[2] + 1..self.slashes[3]]
    }

    /// What ought to be `aws4_request`.
    pub(super) fn terminator(&self) -> &str {
        &self.text[self.slashes[3] + 1..]
    }

    /// Everything but the access key id: what the string to sign holds.
    pub(super) fn scope(&self) -> &str {
        &self.text[self.slashes[0] + 1..]
    }

    /// The whole text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a text can be the name of a region.
pub(super) fn is_region_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_has_five_parts() {
        let credential = Credential::parse("AKID/20150830/us-east-1/lambda/aws4_request/").unwrap();
        assert_eq!(credential.access_key_id(), "AKID");
        assert_eq!(credential.date(), "20150830");
        assert_eq!(credential.region(), "us-east-1");
        assert_eq!(credential.service(), "lambda");
        assert_eq!(credential.terminator(), "aws4_request");
        assert_eq!(credential.scope(), "20150830/us-east-1/lambda/aws4_request");
        assert_eq!(Credential::parse("a/b/c/d"), None);
        assert_eq!(Credential::parse("a/b/c/d/e/f"), None);
        assert_eq!(Credential::parse(""), None);
        assert_eq!(Credential::parse("////"), None);
        assert!(is_region_name("us-gov-west-1"));
        assert!(!is_region_name("US-EAST-1") && !is_region_name(""));
    }
}
