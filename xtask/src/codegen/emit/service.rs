//! `service.rs`: the trait that an implementation of the service has, and the dispatcher to it.

use crate::codegen::service::{OperationNames, Protocol, Service};

pub(super) fn emit(service: &Service) -> String {
    let name = &service.overlay.name;
    let operations: Vec<OperationNames> =
        service.operations.keys().map(|name| OperationNames::new(name)).collect();
    let methods: String = operations.iter().map(method).collect();
    let arguments = match service.protocol {
        Protocol::RestJson => "&resolution.labels, query, headers, body",
        Protocol::AwsJson => "body",
        Protocol::Query => "form",
    };
    let request_id = if service.protocol == Protocol::Query { ", request_id" } else { "" };
    let arm = |OperationNames { variant, method, .. }: &OperationNames| {
        format!(
            "Operation::{variant} => {{\n\
             let input = decode::{method}_request({arguments})?;\n\
             encode::{method}_response(&service.{method}(context, input).await?{request_id})\n}}\n"
        )
    };
    let arms: String = operations.iter().map(arm).collect();
    let (imports, parameters, operation) = match service.protocol {
        Protocol::RestJson => (
            "use http::{HeaderMap, Response};\n\nuse super::routes::Resolution;\nuse crate::query::Query;\n",
            "resolution: &Resolution<'_>, query: &Query<'_>, headers: &HeaderMap, body: Bytes",
            "resolution.operation",
        ),
        Protocol::AwsJson => ("use http::Response;\n\n", "operation: Operation, body: Bytes", "operation"),
        Protocol::Query => (
            "use http::Response;\n\nuse crate::query::Query;\n",
            "operation: Operation, form: &Query<'_>, request_id: &(dyn Display + Sync)",
            "operation",
        ),
    };
    let display = if service.protocol == Protocol::Query { "use std::fmt::Display;\n" } else { "" };
    format!(
        "//! The service as a trait, and the dispatcher to it.\n\n\
         {display}use std::future::{{Future, ready}};\n\nuse bytes::Bytes;\n{imports}\
         use super::operation::Operation;\n#[allow(clippy::wildcard_imports)]\nuse super::types::*;\n\
         use super::{{decode, encode}};\nuse crate::error::Error;\n\n\
         /// An implementation of the service; operations that it leaves out answer 501.\n\
         pub trait {name}Service: Send + Sync {{\n\
         /// What an operation knows of its request besides the input: caller, account, region.\n\
         type Context: Sync + ?Sized;\n\n{methods}}}\n\n\
         /// Decodes a request, has the service carry it out, and encodes the output.\n\
         pub async fn dispatch<S: {name}Service>(service: &S, context: &S::Context, {parameters}) \
         -> Result<Response<Bytes>, Error> {{\nmatch {operation} {{\n{arms}}}\n}}\n"
    )
}

fn method(OperationNames { variant, method, request, response }: &OperationNames) -> String {
    format!(
        "/// `{variant}`\n\
         fn {method}(&self, context: &Self::Context, input: {request}) \
         -> impl Future<Output = Result<{response}, Error>> + Send {{\n\
         let _ = (context, input);\n\
         ready(Err(Error::not_implemented({variant:?})))\n}}\n\n"
    )
}
