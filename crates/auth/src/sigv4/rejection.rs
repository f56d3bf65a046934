//! Why a request is not let in, in AWS' words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::date;

/// A request that fails authentication. `Display` is AWS' message; [`Rejection::code`] its error code.
///
/// Codes and texts are those that AWS' rest-json and JSON-RPC services answer with; each is recorded in
/// callers' bug reports all over the SDKs' issue trackers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Neither an `Authorization` header nor a presigned query.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// Both at once.
    #[error("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")]
    HeaderAndQuery,
    /// The `Authorization` header has a part that is not `key=value`.
    #[error(
        "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded \
         with Base64): '{authorization_hash}'."
    )]
    NotKeyValue {
        /// The header hashed, as it may hold someone's secret.
        authorization_hash: String,
    },
    /// Parts of the `Authorization` header, or the date, are missing.
    #[error(
        "{}(Hashed with SHA-256 and encoded with Base64) Authorization={authorization_hash}",
        missing_from_header(missing)
    )]
    IncompleteHeader {
        /// The names of what is missing: of the header's parts, and `Date`.
        missing: Vec<&'static str>,
        /// The header hashed, as it may hold someone's secret.
        authorization_hash: String,
    },
    /// Parameters of a presigned URL are missing.
    #[error("{}Re-examine the query-string parameters.", missing_from_query(missing))]
    IncompleteQuery {
        /// Their names.
        missing: Vec<&'static str>,
    },
    /// Something that may be said once is said more than once, so that it is open which one counts.
    #[error("'{name}' must not be given more than once.")]
    Ambiguous {
        /// The header or parameter.
        name: &'static str,
    },
    /// The date is not in the one format there is.
    #[error(
        "Date must be in ISO-8601 'basic format'. Got '{got}'. See http://en.wikipedia.org/wiki/ISO_8601"
    )]
    InvalidDate {
        /// What came instead.
        got: String,
    },
    /// `X-Amz-Expires` is not a number of seconds between 0 and a week.
    #[error("X-Amz-Expires must be a number of seconds between 0 and 604800 (a week), not '{got}'.")]
    InvalidExpires {
        /// What came instead.
        got: String,
    },
    /// The signature is too old.
    #[error("{}", expired(*signed_at, *now, *window))]
    Expired {
        /// When the request says it was signed, in Unix seconds.
        signed_at: i64,
        /// The server's time, in Unix seconds.
        now: i64,
        /// For how many seconds the signature held.
        window: i64,
    },
    /// The signature comes from the future.
    #[error("{}", not_yet_current(*signed_at, *now, *window))]
    NotYetCurrent {
        /// When the request says it was signed, in Unix seconds.
        signed_at: i64,
        /// The server's time, in Unix seconds.
        now: i64,
        /// How many seconds the caller's clock may be ahead.
        window: i64,
    },
    /// A header that must be signed is not.
    #[error("{} must be a 'SignedHeader' in the AWS Authorization.", quoted_header(name))]
    HeaderNotSigned {
        /// The header, in lower case.
        name: String,
    },
    /// Some other algorithm than AWS4-HMAC-SHA256.
    #[error("Unsupported AWS 'algorithm': '{got}' (only AWS4-HMAC-SHA256 for now). ")]
    UnsupportedAlgorithm {
        /// What came instead.
        got: String,
    },
    /// The credential does not have five parts.
    #[error(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{got}'"
    )]
    MalformedCredential {
        /// What came instead.
        got: String,
    },
    /// The credential is good for another service, region or day than this request's.
    #[error("{problems}")]
    WrongScope {
        /// AWS' sentences, one for each part that is wrong.
        problems: String,
    },
    /// There is no such access key, or the session token is not the one that belongs to it.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// The temporary credentials have ended.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// Amazon S3 wants the hash of the body stated.
    #[error("Missing required header for this request: x-amz-content-sha256")]
    MissingPayloadHash,
    /// The body is not vouched for in a way that this service takes, such as `STREAMING-…`.
    #[error(
        "The value '{got}' of x-amz-content-sha256 is not supported: send the SHA-256 of the body in hex."
    )]
    UnsupportedPayload {
        /// What came instead.
        got: String,
    },
    /// The signature is wrong: another secret, or a request that was changed on the way, its body included.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details."
    )]
    SignatureMismatch,
}

impl Rejection {
    /// AWS' error code, as in `x-amzn-ErrorType` and `__type`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::NotKeyValue { .. }
            | Self::IncompleteHeader { .. }
            | Self::IncompleteQuery { .. }
            | Self::Ambiguous { .. }
            | Self::InvalidDate { .. }
            | Self::InvalidExpires { .. }
            | Self::UnsupportedAlgorithm { .. }
            | Self::MalformedCredential { .. } => "IncompleteSignatureException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::MissingPayloadHash => "InvalidRequest",
            Self::HeaderAndQuery
            | Self::Expired { .. }
            | Self::NotYetCurrent { .. }
            | Self::HeaderNotSigned { .. }
            | Self::WrongScope { .. }
            | Self::UnsupportedPayload { .. }
            | Self::SignatureMismatch => "InvalidSignatureException",
        }
    }

    /// The HTTP status that rest-json services such as Lambda answer with.
    pub fn status(&self) -> u16 {
        match self {
            Self::MissingPayloadHash => 400,
            _ => 403,
        }
    }

    /// The HTTP status that JSON-RPC services such as CloudWatch Logs answer with, whatever the cause.
    pub fn json_rpc_status(&self) -> u16 {
        400
    }
}

/// SHA-256 in Base64: how AWS repeats an `Authorization` header without giving away what is in it.
pub(super) fn authorization_hash(header: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(header))
}

/// What of a caller's text is repeated to it: enough to recognise it by, without control characters.
pub(crate) fn echo(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(256).collect()
}

fn missing_from_header(missing: &[&str]) -> String {
    let mut sentences = String::new();
    for name in missing {
        match *name {
            "Date" => sentences.push_str(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
            ),
            name => sentences.push_str(&format!("Authorization header requires '{name}' parameter. ")),
        }
    }
    sentences
}

fn missing_from_query(missing: &[&str]) -> String {
    missing.iter().map(|name| format!("AWS query-string parameters must include '{name}'. ")).collect()
}

fn quoted_header(name: &str) -> String {
    match name {
        "host" => "'Host' or ':authority'".to_owned(),
        name => format!("'{name}'"),
    }
}

fn span(seconds: i64) -> String {
    if seconds % 60 == 0 { format!("{} min.", seconds / 60) } else { format!("{seconds} sec.") }
}

fn expired(signed_at: i64, now: i64, window: i64) -> String {
    format!(
        "Signature expired: {} is now earlier than {} ({} - {})",
        date::format(signed_at),
        date::format(now.saturating_sub(window)),
        date::format(now),
        span(window)
    )
}

fn not_yet_current(signed_at: i64, now: i64, window: i64) -> String {
    format!(
        "Signature not yet current: {} is still later than {} ({} + {})",
        date::format(signed_at),
        date::format(now.saturating_add(window)),
        date::format(now),
        span(window)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_aws() {
        let at = |text| date::parse(text).unwrap();
        let expired = Rejection::Expired {
            signed_at: at("20150806T131223Z"),
            now: at("20150806T132034Z"),
            window: 300,
        };
        assert_eq!(
            expired.to_string(),
            "Signature expired: 20150806T131223Z is now earlier than 20150806T131534Z (20150806T132034Z - 5 min.)"
        );
        let early = Rejection::NotYetCurrent {
            signed_at: at("20181017T093750Z"),
            now: at("20181017T093139Z"),
            window: 300,
        };
        assert_eq!(
            early.to_string(),
            "Signature not yet current: 20181017T093750Z is still later than 20181017T093639Z \
             (20181017T093139Z + 5 min.)"
        );
        let incomplete = Rejection::IncompleteHeader {
            missing: vec!["Signature", "Date"],
            authorization_hash: authorization_hash(b"AWS4-HMAC-SHA256"),
        };
        assert_eq!(
            incomplete.to_string(),
            "Authorization header requires 'Signature' parameter. Authorization header requires existence of \
             either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) \
             Authorization=YI2YWea8FSxnksZL2ETHbs5elHm9HQufxTLK0W0ffV0="
        );
        let query = Rejection::IncompleteQuery { missing: vec!["X-Amz-Credential", "X-Amz-Date"] };
        assert_eq!(
            query.to_string(),
            "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must \
             include 'X-Amz-Date'. Re-examine the query-string parameters."
        );
        let host = Rejection::HeaderNotSigned { name: "host".to_owned() };
        assert_eq!(
            host.to_string(),
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        );
    }

    #[test]
    fn echoed_text_is_short_and_printable() {
        assert_eq!(echo("a\r\nb\u{1b}[31m"), "ab[31m");
        assert_eq!(echo(&"é".repeat(1000)).chars().count(), 256);
    }
}
