//! Objects that requests name by bucket and key, and what AWS calls it when they cannot be had.

use std::sync::Arc;

use crate::code::{CodeError, MAX_UNZIPPED_BYTES};
use crate::dependencies::{Object, ObjectError, ObjectRequest, Objects};
use crate::error::{Error, Result};

/// The object that a request for a function or layer in `region` names, if it is not larger than any archive may be.
pub(crate) async fn fetch(
    objects: Option<&Arc<dyn Objects>>,
    region: &str,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Object> {
    let Some(objects) = objects else {
        return Err(Error::invalid(
            "Rushlight has no S3-style service to fetch code from. Send the archive as ZipFile, or start the server \
             with --endpoint s3=URL.",
        ));
    };
    let request = ObjectRequest { region, bucket, key, version, limit: MAX_UNZIPPED_BYTES };
    objects.get(request).await.map_err(|error| refusal(request, error))
}

fn refusal(request: ObjectRequest<'_>, error: ObjectError) -> Error {
    let ObjectRequest { bucket, key, version, .. } = request;
    let operation = if version.is_some() { "GetObjectVersion" } else { "GetObject" };
    match error {
        ObjectError::Refused { code, message, .. } if code == "AccessDenied" => Error::AccessDenied(format!(
            "Your access has been denied by S3, please make sure your request credentials have permission to \
             {operation} for {bucket}/{key}. S3 Error Code: {code}. S3 Error Message: {message}"
        )),
        ObjectError::Refused { code, message, by_failure } => {
            let text = format!(
                "Error occurred while {operation}. S3 Error Code: {code}. S3 Error Message: {message}"
            );
            if by_failure { Error::ObjectService(text) } else { Error::InvalidParameter(text) }
        }
        ObjectError::TooLarge => CodeError::TooLargeUnzipped.into(),
        ObjectError::Unavailable(sentence) => Error::ObjectService(sentence),
    }
}
