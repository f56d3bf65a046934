//! `query`: every operation is a form that names it in `Action`, and the answer is XML.
//!
//! The form's names span a tree, `Tags.member.1.Key`, which is decoded like that of a JSON body.

mod form;

use std::fmt::Display;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::error::Error;
use crate::xml::{EncodeXml, XmlWriter};

pub use form::parse_form;

/// The content type of answers.
const TEXT_XML: HeaderValue = HeaderValue::from_static("text/xml");

/// What services of this protocol call the errors of AWS's front end.
const FRONT_END_CODES: [(&str, &str); 12] = [
    ("AccessDeniedException", "AccessDenied"),
    ("ExpiredTokenException", "ExpiredToken"),
    ("IncompleteSignatureException", "IncompleteSignature"),
    ("InvalidSignatureException", "SignatureDoesNotMatch"),
    ("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    ("NotImplementedException", "NotImplemented"),
    ("RequestEntityTooLargeException", "RequestEntityTooLarge"),
    ("SerializationException", "MalformedInput"),
    ("ServiceUnavailableException", "ServiceUnavailable"),
    ("ThrottlingException", "Throttling"),
    ("UnrecognizedClientException", "InvalidClientTokenId"),
    ("ValidationException", "ValidationError"),
];

/// The response for an error of a service whose answers have a namespace.
///
/// An error of AWS's front end, which is the same whatever the service, gets the code that it has in this
/// protocol.
pub fn error_response(error: &Error, namespace: &'static str, request_id: &dyn Display) -> Response<Bytes> {
    let code = error.code.as_ref();
    let renamed = FRONT_END_CODES.iter().find(|(other, _)| *other == code);
    let kind = if error.status.is_server_error() { "Receiver" } else { "Sender" };
    let body = XmlWriter::document("ErrorResponse", namespace, |out| {
        out.element("Error", |out| {
            out.member("Type", kind);
            out.member("Code", renamed.map_or(code, |(_, code)| code));
            out.optional("Message", &error.message);
        });
        out.element("RequestId", |out| out.text(request_id));
    });
    respond(error.status, body)
}

/// A successful answer with an output.
pub(crate) fn output_response(
    operation: &str,
    namespace: &'static str,
    output: &impl EncodeXml,
    request_id: &dyn Display,
) -> Response<Bytes> {
    let result = |out: &mut XmlWriter| out.member(&format!("{operation}Result"), output);
    operation_response(operation, namespace, result, request_id)
}

/// A successful answer without one.
pub(crate) fn empty_response(
    operation: &str,
    namespace: &'static str,
    request_id: &dyn Display,
) -> Response<Bytes> {
    operation_response(operation, namespace, |_| {}, request_id)
}

fn operation_response(
    operation: &str,
    namespace: &'static str,
    result: impl FnOnce(&mut XmlWriter),
    request_id: &dyn Display,
) -> Response<Bytes> {
    let body = XmlWriter::document(&format!("{operation}Response"), namespace, |out| {
        result(out);
        out.element("ResponseMetadata", |out| out.element("RequestId", |out| out.text(request_id)));
    });
    respond(StatusCode::OK, body)
}

fn respond(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT_XML);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: &Error) -> String {
        String::from_utf8(error_response(error, "https://n/", &7).into_body().to_vec()).expect("UTF-8")
    }

    #[test]
    fn errors_say_who_is_at_fault() {
        assert_eq!(
            body(&Error::validation("'<a>'")),
            "<ErrorResponse xmlns=\"https://n/\"><Error><Type>Sender</Type><Code>ValidationError</Code>\
             <Message>'&lt;a&gt;'</Message></Error><RequestId>7</RequestId></ErrorResponse>"
        );
        assert_eq!(
            body(&Error::internal_failure()),
            "<ErrorResponse xmlns=\"https://n/\"><Error><Type>Receiver</Type><Code>InternalFailure</Code>\
             </Error><RequestId>7</RequestId></ErrorResponse>"
        );
    }

    #[test]
    fn errors_keep_their_status() {
        let response = error_response(&Error::missing_authentication_token(), "n", &"r");
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()["content-type"], "text/xml");
    }

    #[test]
    fn an_operation_without_output_has_no_result() {
        let response = empty_response("DeleteRole", "https://n/", &"r");
        assert_eq!(
            response.body(),
            "<DeleteRoleResponse xmlns=\"https://n/\"><ResponseMetadata><RequestId>r</RequestId>\
             </ResponseMetadata></DeleteRoleResponse>"
        );
    }
}
