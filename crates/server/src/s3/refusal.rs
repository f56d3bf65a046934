//! What an S3-style service answers instead of an object: a little XML, or nothing at all.

use http::StatusCode;
use rushlight_control::ObjectError;

use crate::http_client::Answer;
use crate::xml;

/// How much of an answer that is no object is looked at, in bytes.
const CONSIDERED_BYTES: usize = 64 * 1024;
/// How much of a message is passed on, in characters.
const MESSAGE_CHARACTERS: usize = 1024;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
    /// Where the bucket is, as far as the service says.
    region: Option<String>,
}

impl Refusal {
    pub(super) fn of(answer: &Answer) -> Self {
        let considered = &answer.body[..answer.body.len().min(CONSIDERED_BYTES)];
        let text = String::from_utf8_lossy(considered);
        let header = answer.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        let region = header.map(str::to_owned).or_else(|| xml::text(&text, "Region"));
        let status = answer.status;
        // Services that are none of S3 answer something else, gateways in front of them often nothing.
        let code = xml::text(&text, "Code").unwrap_or_else(|| status.to_string());
        let message = xml::text(&text, "Message").unwrap_or_else(|| "none".into());
        Self { status, code, message: message.chars().take(MESSAGE_CHARACTERS).collect(), region }
    }

    /// The region that the request has to be signed for, where that is what was wrong with it.
    pub(super) fn signing_region(&self) -> Option<&str> {
        self.region.as_deref().filter(|_| self.code == "AuthorizationHeaderMalformed")
    }
}

impl From<Refusal> for ObjectError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message, region } = refusal;
        let message = match region {
            // As the AWS SDK, which Lambda speaks through, puts it.
            Some(region) if code == "PermanentRedirect" => {
                format!("The bucket is in this region: {region}. Please use this region to retry the request")
            }
            _ => message,
        };
        Self::Refused { code, message, by_failure: status.is_server_error() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::of(&Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        })
    }

    fn refused(status: u16, body: &str) -> (String, String, bool) {
        match refusal(status, body).into() {
            ObjectError::Refused { code, message, by_failure } => (code, message, by_failure),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn code_and_message_of_s3() {
        let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key \
                    does not exist.</Message><Key>a&amp;b</Key></Error>";
        assert_eq!(
            refused(404, body),
            ("NoSuchKey".into(), "The specified key does not exist.".into(), false)
        );
        let body = "<Error><Code>SlowDown</Code><Message>&lt;Please&gt; &#x27;reduce&#39; &unknown; & co</Message></Error>";
        assert_eq!(refused(503, body), ("SlowDown".into(), "<Please> 'reduce' &unknown; & co".into(), true));
    }

    #[test]
    fn answers_of_others() {
        assert_eq!(refused(404, "<html>gone</html>"), ("404 Not Found".into(), "none".into(), false));
        assert_eq!(refused(502, ""), ("502 Bad Gateway".into(), "none".into(), true));
        assert_eq!(refused(400, "<Code><b>nested</b></Code>").0, "400 Bad Request");
        let (_, message, _) = refused(400, &format!("<Message>{}</Message>", "é".repeat(5000)));
        assert_eq!(message.chars().count(), MESSAGE_CHARACTERS);
        // Cut within a character, and without an end.
        refused(400, &format!("x<Message>{}", "é".repeat(CONSIDERED_BYTES)));
    }

    #[test]
    fn regions() {
        let body =
            "<Error><Code>PermanentRedirect</Code><Message>m</Message><Region>us-east-2</Region></Error>";
        assert_eq!(
            refused(301, body).1,
            "The bucket is in this region: us-east-2. Please use this region to retry the request"
        );
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        assert_eq!(refusal(400, body).signing_region(), Some("eu-west-1"));
        let body = "<Error><Code>AccessDenied</Code><Region>eu-west-1</Region></Error>";
        assert_eq!(refusal(403, body).signing_region(), None);
    }
}
